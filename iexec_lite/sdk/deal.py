"""Deals: show, watch, claim, list (chain.md §5, §6.5; services.md §1.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import IExecError, StateError, Web3ProviderSendError
from ..protocol import columns
from ..protocol.contracts import EVENTS, HUB, Method
from ..protocol.ids import task_id
from .context import Context
from .market import fetch_deals
from .page import Page
from .records import Deal, DealClaim, DealUpdate, MarketDeal, Task
from .states import COMPLETED, read_deal, read_tasks, read_whole_deal
from .watch import Watch

if TYPE_CHECKING:
    from .transactions import Sent

__all__ = ["Deals"]

# chain.md §5.3: gas per element of a claim, and a ceiling where a node reports huge blocks.
# A claim costs more with each contributor, so a batch that does not fit is halved.
GAS_PER_CLAIM = 55_000
GAS_PER_INITIALIZE_AND_CLAIM = 250_000
MAX_CLAIMS = 100


class Deals:
    """Reached as ``iexec.deal``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def show(self, dealid: str) -> Deal:
        """The deal with this id. Raises ObjectNotFoundError."""
        return read_deal(self._context, dealid)

    def compute_task_id(self, dealid: str, task_idx: int | str) -> str:
        """Id of the deal's task with this index (``bot_first`` on). Contacts nothing."""
        return task_id(
            columns.parse_bytes32(dealid, "dealid"), columns.parse_uint(task_idx, "task_idx")
        )

    def fetch_requester_deals(
        self,
        requester: str,
        *,
        app_address: str | None = None,
        dataset_address: str | None = None,
        workerpool_address: str | None = None,
        page: int = 0,
        page_size: int | None = None,
    ) -> Page[MarketDeal]:
        """The deals of a requester that the marketplace has seen, newest first.

        With the addresses, only deals of that app, dataset or workerpool. ``page`` counts from 0;
        ``page_size`` can be chosen on today's networks.
        """
        query = {"requester": self._context.resolve(requester, "requester")}
        given = {"app": app_address, "dataset": dataset_address, "workerpool": workerpool_address}
        for kind, address in given.items():
            if address is not None:
                query[kind] = self._context.resolve(address, f"{kind}_address")
        return fetch_deals(self._context, query, page=page, page_size=page_size)

    def fetch_deals_by_apporder(
        self, order_hash: str, *, page: int = 0, page_size: int | None = None
    ) -> Page[MarketDeal]:
        """The deals that this app order is part of, newest first."""
        return self._fetch_by_order("apporder", order_hash, page, page_size)

    def fetch_deals_by_datasetorder(
        self, order_hash: str, *, page: int = 0, page_size: int | None = None
    ) -> Page[MarketDeal]:
        """The deals that this dataset order is part of, newest first."""
        return self._fetch_by_order("datasetorder", order_hash, page, page_size)

    def fetch_deals_by_workerpoolorder(
        self, order_hash: str, *, page: int = 0, page_size: int | None = None
    ) -> Page[MarketDeal]:
        """The deals that this workerpool order is part of, newest first."""
        return self._fetch_by_order("workerpoolorder", order_hash, page, page_size)

    def fetch_deals_by_requestorder(
        self, order_hash: str, *, page: int = 0, page_size: int | None = None
    ) -> Page[MarketDeal]:
        """The deals that this request order is part of, newest first."""
        return self._fetch_by_order("requestorder", order_hash, page, page_size)

    def _fetch_by_order(
        self, kind: str, order_hash: str, page: int, page_size: int | None
    ) -> Page[MarketDeal]:
        query = {f"{kind}Hash": columns.parse_bytes32(order_hash, "order_hash")}
        return fetch_deals(self._context, query, page=page, page_size=page_size)

    def obs_deal(self, dealid: str, *, patience: float = 300.0) -> Watch[DealUpdate]:
        """Watch a deal: its state at once, then at each change of a task, until none is open."""
        context = self._context
        deal: list[Deal] = []
        seen: list[_Statuses] = []

        def poll() -> tuple[DealUpdate | None, bool]:
            if deal:
                states = read_tasks(context, deal[0])
            else:
                found, states = read_whole_deal(context, dealid)
                deal.append(found)
            now = _statuses(states)
            if now in seen:
                return None, False
            update = _update(deal[0], states)
            final = update.message != "DEAL_UPDATED"
            if final and not self._is_settled(deal[0], now):
                return None, False
            seen[:] = [now]
            return update, final

        return Watch(poll, interval=context.interval, patience=patience)

    def _is_settled(self, deal: Deal, now: _Statuses) -> bool:
        """Whether all tasks were like this ``confirms`` deep, out of reach of a reorganisation."""
        block = self._context.settled_block()
        if block == "latest":
            return True
        return _statuses(read_tasks(self._context, deal, block=block)) == now

    def claim(self, dealid: str) -> DealClaim:
        """Take the money back for every task that was not completed before the final time.

        Sends as many transactions as the block gas limit asks for; each is waited for. A task that
        failed or completed already is left alone, so a call that was interrupted can be repeated.
        """
        context = self._context
        deal = self.show(dealid)
        if not deal.deadline_reached:
            raise StateError(
                "Cannot claim a deal before reaching the final time: "
                f"{columns.utc(deal.final_time)}"
            )
        states = read_tasks(context, deal)
        started = [i for i, task in states.items() if task.status in (1, 2)]
        unset = [i for i, task in states.items() if task.status == 0]
        if not started and not unset:
            raise StateError("Nothing to claim", details={"dealid": deal.dealid})
        from ..net.rpc import quantity

        gas = quantity(context.block().get("gasLimit"), "gasLimit")
        parts = [(HUB.claimArray, part) for part in _chunks(started, gas // GAS_PER_CLAIM)]
        parts += [
            (HUB.initializeAndClaimArray, part)
            for part in _chunks(unset, gas // GAS_PER_INITIALIZE_AND_CLAIM)
        ]
        claimed = sorted([*started, *unset])
        return DealClaim(
            claimed={i: deal.tasks[i] for i in claimed},
            transactions=tuple(self._send_claims(deal, parts)),
        )

    def _send_claims(
        self, deal: Deal, parts: list[tuple[Method, list[int]]]
    ) -> list[dict[str, str]]:
        """Claim part after part; one that is refused whole is tried in halves.

        An error tells in ``details`` which transactions went through before it.
        """
        done: list[dict[str, str]] = []
        while parts:
            method, indexes = parts.pop(0)
            try:
                sent = self._send_claim(deal, method, indexes)
            except IExecError as error:
                half = len(indexes) // 2
                refused = isinstance(error, Web3ProviderSendError) and error.tx_hash is None
                if half and refused and not error.retryable:
                    parts[:0] = [(method, indexes[:half]), (method, indexes[half:])]
                    continue
                error.details["transactions"] = done
                raise
            done.append({"txHash": sent.tx_hash, "type": method.name})
        return done

    def _send_claim(self, deal: Deal, method: Method, indexes: Sequence[int]) -> Sent:
        ids = [deal.tasks[i] for i in indexes]
        lists: tuple[list[object], ...] = (
            ([*ids],) if method is HUB.claimArray else ([deal.dealid] * len(indexes), [*indexes])
        )
        context = self._context
        return context.send(
            method.name,
            {"taskids": ids},
            context.hub,
            method.encode(*lists),
            expect=[(EVENTS.TaskClaimed, context.hub)],
        )


_Statuses = tuple[tuple[int, bool], ...]


def _statuses(tasks: Mapping[int, Task]) -> _Statuses:
    return tuple((task.status, task.task_timed_out) for task in tasks.values())


def _chunks(items: list[int], size: int) -> Iterator[list[int]]:
    step = max(1, min(size, MAX_CLAIMS))
    for start in range(0, len(items), step):
        yield items[start : start + step]


def _update(deal: Deal, tasks: dict[int, Task]) -> DealUpdate:
    completed = sum(task.status == COMPLETED for task in tasks.values())
    failed = sum(task.task_timed_out for task in tasks.values())
    if completed == len(tasks):
        message = "DEAL_COMPLETED"
    elif completed + failed == len(tasks):
        message = "DEAL_TIMEDOUT"
    else:
        message = "DEAL_UPDATED"
    return DealUpdate(
        message=message,
        deal=deal,
        tasks=tasks,
        tasks_count=len(tasks),
        completed_tasks_count=completed,
        failed_tasks_count=failed,
    )
