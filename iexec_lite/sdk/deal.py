"""Deals: show, watch, claim (chain.md §5, §6.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ObjectNotFoundError, StateError
from ..protocol import columns
from ..protocol.contracts import HUB, Method
from ..protocol.ids import task_id
from ..protocol.orders import NULL_ADDRESS
from .context import Context
from .hub import Hub
from .records import Deal, DealClaim, DealUpdate, ResourceShare, Task
from .task import COMPLETED, Tasks
from .watch import Watch

__all__ = ["Deals"]

# chain.md §5.3: gas per element of a claim, and a ceiling where a node reports huge blocks.
GAS_PER_CLAIM = 55_000
GAS_PER_INITIALIZE_AND_CLAIM = 250_000
MAX_CLAIMS = 200


class Deals:
    """Reached as ``iexec.deal``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def show(self, dealid: str) -> Deal:
        """The deal with this id. Raises ObjectNotFoundError."""
        context = self._context
        key = columns.parse_bytes32(dealid, "dealid")
        hub = Hub(context)
        found = context.read(context.hub, HUB.viewDeal, key)
        assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
        if found["app"]["pointer"] == NULL_ADDRESS:
            raise ObjectNotFoundError("deal", key, context.chain.id)
        reference = hub.show_category(found["category"]).workClockTimeRef
        final_time = found["startTime"] + hub.get_timeout_ratio() * reference
        first, size = found["botFirst"], found["botSize"]
        return Deal(
            dealid=key,
            app=ResourceShare(**found["app"]),
            dataset=ResourceShare(**found["dataset"]),
            workerpool=ResourceShare(**found["workerpool"]),
            trust=found["trust"],
            category=found["category"],
            tag=found["tag"],
            requester=found["requester"],
            beneficiary=found["beneficiary"],
            callback=found["callback"],
            params=found["params"],
            start_time=found["startTime"],
            bot_first=first,
            bot_size=size,
            worker_stake=found["workerStake"],
            scheduler_reward_ratio=found["schedulerRewardRatio"],
            sponsor=found.get("sponsor"),
            final_time=final_time,
            deadline_reached=context.block_time() >= final_time,
            tasks={i: task_id(key, i) for i in range(first, first + size)},
        )

    def compute_task_id(self, dealid: str, task_idx: int | str) -> str:
        """Id of the deal's task with this index (``bot_first`` on). Contacts nothing."""
        return task_id(
            columns.parse_bytes32(dealid, "dealid"), columns.parse_uint(task_idx, "task_idx")
        )

    def obs_deal(self, dealid: str, *, patience: float = 300.0) -> Watch[DealUpdate]:
        """Watch a deal: its state at once, then at each change of a task, until none is open."""
        context = self._context
        deal: list[Deal] = []
        seen: list[tuple[tuple[int, bool], ...]] = []

        def poll() -> tuple[DealUpdate | None, bool]:
            if not deal:
                deal.append(self.show(dealid))
            states = Tasks(context).states(deal[0])
            now = tuple((task.status, task.task_timed_out) for task in states.values())
            if now in seen[-1:]:
                return None, False
            seen[:] = [now]
            update = _update(deal[0], states)
            return update, update.message != "DEAL_UPDATED"

        return Watch(poll, interval=context.interval, patience=patience)

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
        states = Tasks(context).states(deal)
        started = [i for i, task in states.items() if task.status in (1, 2)]
        unset = [i for i, task in states.items() if task.status == 0]
        if not started and not unset:
            raise StateError("Nothing to claim", details={"dealid": deal.dealid})
        from ..net.rpc import quantity

        gas = quantity(context.block()["gasLimit"])
        transactions = []
        for part in _chunks(started, gas // GAS_PER_CLAIM):
            ids = [deal.tasks[i] for i in part]
            transactions.append(self._claim("claimArray", HUB.claimArray, ids))
        for part in _chunks(unset, gas // GAS_PER_INITIALIZE_AND_CLAIM):
            transactions.append(
                self._claim(
                    "initializeAndClaimArray",
                    HUB.initializeAndClaimArray,
                    [deal.dealid] * len(part),
                    list(part),
                )
            )
        claimed = sorted([*started, *unset])
        return DealClaim(
            claimed={i: deal.tasks[i] for i in claimed}, transactions=tuple(transactions)
        )

    def _claim(self, name: str, method: Method, *lists: Sequence[object]) -> dict[str, str]:
        context = self._context
        arguments = {str(n): [str(item) for item in items] for n, items in enumerate(lists)}
        sent = context.send(name, arguments, context.hub, method.encode(*lists))
        return {"txHash": sent.tx_hash, "type": name}


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
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
