"""The marketplace's eye on the chain: what happened to the published orders, and which deals.

``catch_up`` reads the blocks since last time, on demand: so what is answered after it is true, and
nobody has to wait. Events only say which orders to look at; remaining volume, owner and stake are
read from the contracts, as of one block. A chain that was set back (the last block seen is not in
it) is read again from its beginning, and the kept orders are judged anew.

An order that lost its backing is dead, and stays so when the backing returns: as at the real
server, it is open again once its owner publishes it again. Not read are ``SchedulerNotice`` (each
comes with an ``OrdersMatched``) and new resources (nobody can have published for them before).
Spec: market.md, "Unpublishing"; chain.md §3.3–§3.5, §7.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..errors import DecodingError, IExecError, Web3ProviderCallError
from ..eth.codec import address_to_bytes, checksum_address
from ..net.rpc import Rpc, quantity
from ..protocol.chains import Chain
from ..protocol.columns import address_from_int
from ..protocol.contracts import ENTRY, EVENTS, HUB, EventSpec
from ..protocol.methods import Read
from ..protocol.order_kinds import NULL_ADDRESS, SIGNED_ORDER_KINDS
from .market_book import CANCELED, DEAD, FILLED, Book, Cursor, StoredOrder
from .market_tables import KINDS

__all__ = ["Head", "Watcher", "iso", "needed_stake", "read_each", "sure"]

WINDOW = 10_000  # blocks asked for at once
STAKE_PERCENT = 30  # of a workerpool order's price that the pool's owner must have staked

_Logged = tuple[Mapping[str, Any], Mapping[str, Any]]  # the arguments of an event, its log
_RESOURCES = ("app", "dataset", "workerpool")
_CLOSED: Mapping[str, EventSpec] = {
    kind: getattr(EVENTS, f"Closed{cls.solidity}") for kind, cls in SIGNED_ORDER_KINDS.items()
}
_HUB_EVENTS = (EVENTS.OrdersMatched, EVENTS.CreateCategory, EVENTS.Transfer, *_CLOSED.values())
_DEAL_MEMBERS = (
    *("app", "dataset", "workerpool", "requester", "beneficiary", "callback", "params"),
    *("category", "tag", "trust", "startTime", "botFirst", "botSize", "schedulerRewardRatio"),
    "workerStake",
)


@dataclass(frozen=True, slots=True)
class Head:
    """A block: its number and its hash."""

    number: int
    hash: str


@dataclass(slots=True)
class _News:
    """What a window of blocks holds that concerns the marketplace."""

    matched: list[_Logged] = field(default_factory=list)
    categories: list[_Logged] = field(default_factory=list)
    closed: set[tuple[str, str]] = field(default_factory=set)  # kind of order, hash
    payers: set[str] = field(default_factory=set)  # whose stake became less
    moved: set[str] = field(default_factory=set)  # resources that changed hands


class Watcher:
    """Keeps a book true. Not for several threads at once."""

    def __init__(self, book: Book, rpc: Rpc, chain: Chain, *, window: int = WINDOW) -> None:
        self._book = book
        self._rpc = rpc
        self._hub = chain.require_hub()
        self._window = window
        self._registries: dict[str, str] = {}

    def registry(self, kind: str) -> str:
        """The hub's registry of apps, datasets or workerpools."""
        if not self._registries:
            reads: list[Read] = [(self._hub, getattr(HUB, f"{k}registry"), ()) for k in _RESOURCES]
            found = (str(sure(each)) for each in read_each(self._rpc, reads, "latest"))
            self._registries = dict(zip(_RESOURCES, found, strict=True))
        return self._registries[kind]

    def catch_up(self) -> Head:
        """Read what is new; the block up to which everything is known. One request if nothing is.

        Errors of the node are raised; the next call goes on where this one stopped.
        """
        head = self._block("latest")
        assert head is not None  # noqa: S101  # a chain has a latest block
        cursor = self._book.cursor()
        if cursor is not None and cursor.hash == head.hash and cursor.settled:
            return head
        if cursor is not None and not self._still_there(cursor, head):
            self._book.start_over()
            cursor = None
        first = 0 if cursor is None else cursor.number + 1
        settled = cursor is not None and cursor.settled
        while first <= head.number:
            last = min(first + self._window - 1, head.number)
            self._take(first, last, head, settled=settled)
            first = last + 1
        if not settled:
            self._settle(head)
        return head

    # -- blocks -------------------------------------------------------------------------------

    def _block(self, which: str) -> Head | None:
        return _head(self._rpc.request("eth_getBlockByNumber", (which, False)))

    def _still_there(self, cursor: Cursor, head: Head) -> bool:
        if cursor.number == head.number:
            return cursor.hash == head.hash
        seen = None if cursor.number > head.number else self._block(hex(cursor.number))
        return seen is not None and seen.hash == cursor.hash

    def _take(self, first: int, last: int, head: Head, *, settled: bool) -> None:
        """Read a window of blocks. Orders are judged here only if they were ``settled`` before."""
        query = {
            "address": [self._hub, *(self.registry(kind) for kind in _RESOURCES)],
            "topics": [[event.topic for event in (*_HUB_EVENTS, EVENTS.RegistryTransfer)]],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        logs, end = self._rpc.batch(
            [("eth_getLogs", (query,)), ("eth_getBlockByNumber", (hex(last), False))]
        )
        news, end = self._sort(sure(logs)), _head(sure(end))
        if end is None:
            raise Web3ProviderCallError("the chain was set back while it was read", retryable=True)
        times = self._times(entry for _, entry in (*news.matched, *news.categories))
        deals = self._deals(news, times, head)
        dirty = self._concerned(news) if settled else []
        changes = self._judge(dirty, head, closed=news.closed)
        with self._book.database.transaction() as connection:
            for deal in deals:
                self._book.add_deal(connection, deal)
            for event, entry in news.categories:
                category = {**event, "chainId": self._book.chain_id, **_origin(entry, times)}
                self._book.add_category(connection, category)
            for kind, order_hash in news.closed:
                connection.execute(
                    "UPDATE orders SET status = ?, remaining = 0 WHERE kind = ? AND hash = ?",
                    (CANCELED, kind, order_hash),
                )
            self._book.update(connection, changes)
            if dirty:
                self._book.bury_unmatchable(connection)
            self._book.set_cursor(connection, Cursor(last, end.hash, settled))

    def _settle(self, head: Head) -> None:
        """Judge every order but the canceled ones, whatever it was before."""
        orders = self._book.select("status != 'canceled'")
        changes = self._judge(orders, head, closed=set())
        with self._book.database.transaction() as connection:
            self._book.update(connection, changes)
            self._book.bury_unmatchable(connection)
            self._book.set_cursor(connection, Cursor(head.number, head.hash, True))

    # -- events -------------------------------------------------------------------------------

    def _sort(self, logs: Iterable[Mapping[str, Any]]) -> _News:
        news, hub_events = _News(), {event.topic: event for event in _HUB_EVENTS}
        for entry in logs:
            if checksum_address(address_to_bytes(entry["address"])) != self._hub:
                moved = EVENTS.RegistryTransfer.decode(entry)
                if moved["from"] != NULL_ADDRESS:
                    news.moved.add(address_from_int(int(str(moved["tokenId"]))))
                continue
            event = hub_events[entry["topics"][0]]
            found = event.decode(entry)
            if event is EVENTS.OrdersMatched:
                news.matched.append((found, entry))
            elif event is EVENTS.CreateCategory:
                news.categories.append((found, entry))
            elif event is EVENTS.Transfer:
                news.payers.add(str(found["from"]))
            else:
                kind = next(kind for kind, closed in _CLOSED.items() if closed is event)
                news.closed.add((kind, str(*found.values())))
        return news

    def _concerned(self, news: _News) -> list[StoredOrder]:
        """The orders whose state may have changed, but the canceled and the filled."""
        matched = {
            (kind, event[f"{kind.removesuffix('order')}Hash"])
            for event, _ in news.matched
            for kind in KINDS
        }
        if not (matched or news.closed or news.payers or news.moved):
            return []
        return [
            order
            for order in self._book.select("status IN ('open', 'dead')")
            if (order.kind, order.hash) in matched | news.closed
            or order.signer in news.payers
            or order.resource in news.moved
        ]

    def _times(self, logs: Iterable[Mapping[str, Any]]) -> dict[int, int]:
        """Block number → seconds since 1970."""
        numbers = sorted({quantity(entry["blockNumber"], "blockNumber") for entry in logs})
        blocks = self._rpc.batch([("eth_getBlockByNumber", (hex(n), False)) for n in numbers])
        return {
            number: quantity(sure(block)["timestamp"], "timestamp")
            for number, block in zip(numbers, blocks, strict=True)
        }

    def _deals(self, news: _News, times: Mapping[int, int], head: Head) -> list[dict[str, Any]]:
        reads: list[Read] = [
            (self._hub, HUB.viewDeal, (event["dealid"],)) for event, _ in news.matched
        ]
        found = read_each(self._rpc, reads, head.number)
        return [
            {
                **{name: sure(deal)[name] for name in _DEAL_MEMBERS},
                "chainId": self._book.chain_id,
                **event,
                **_origin(entry, times),
            }
            for (event, entry), deal in zip(news.matched, found, strict=True)
            if not isinstance(deal, DecodingError)  # params that are no text
        ]

    # -- orders -------------------------------------------------------------------------------

    def _judge(
        self, orders: Sequence[StoredOrder], head: Head, *, closed: set[tuple[str, str]]
    ) -> list[tuple[str, int, int]]:
        """What the chain says of orders, as (status, remaining, seq)."""
        orders = [order for order in orders if (order.kind, order.hash) not in closed]
        reads = list(dict.fromkeys(read for order in orders for read in self._facts(order)))
        answers = dict(zip(reads, read_each(self._rpc, reads, head.number), strict=True))
        changes = []
        for order in orders:
            used, *backing = (answers[read] for read in self._facts(order))
            remaining = max(0, order.order["volume"] - sure(used))
            backed = all(_backs(answer, order, remaining) for answer in backing)
            status = FILLED if not remaining else order.status if backed else DEAD
            changes.append((status, remaining, order.seq))
        return changes

    def _facts(self, order: StoredOrder) -> list[Read]:
        """What to ask of an order: how much is used up, and what stands behind it."""
        facts: list[Read] = [(self._hub, HUB.viewConsumed, (order.hash,))]
        if order.kind != "requestorder":
            facts.append((order.resource, ENTRY.owner, ()))
        if order.kind in ("workerpoolorder", "requestorder"):
            facts.append((self._hub, HUB.viewAccount, (order.signer,)))
        return facts


def _backs(answer: object, order: StoredOrder, remaining: int) -> bool:
    """Whether an owner (address) or an account (stake) still stands behind an order."""
    if isinstance(answer, dict):
        return int(answer["stake"]) >= needed_stake(order.kind, order.order, remaining)
    if isinstance(answer, IExecError) and answer.retryable:
        raise answer
    return answer == order.signer  # an error: the resource is not there any more


def needed_stake(kind: str, order: Mapping[str, Any], remaining: int) -> int:
    """nRLC that the signer of an order must have on the hub for what remains of it."""
    if kind == "workerpoolorder":
        return int(order["workerpoolprice"] * STAKE_PERCENT // 100 * remaining)
    if kind == "requestorder":
        prices = (order[f"{name}maxprice"] for name in _RESOURCES)
        return int(sum(prices) * remaining)
    return 0


# --- reading ------------------------------------------------------------------------------


def read_each(rpc: Rpc, reads: Sequence[Read], block: int | str) -> list[Any]:
    """Many contract reads in one batch; one that fails gives its error in its place."""
    calls = [(to, method.encode(*args)) for to, method, args in reads]
    found: list[Any] = []
    for (_, method, _), answer in zip(reads, rpc.call_many(calls, block=block), strict=True):
        try:
            found.append(method.decode(answer) if isinstance(answer, bytes) else answer)
        except DecodingError as error:
            found.append(error)
    return found


def sure(answer: Any) -> Any:
    """An answer, or its error raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def _head(block: object) -> Head | None:
    if not isinstance(block, Mapping):
        return None
    return Head(quantity(block.get("number"), "number"), str(block.get("hash")))


def iso(seconds: float) -> str:
    """``2021-12-09T10:03:38.068Z``, as JavaScript writes times."""
    text = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _origin(entry: Mapping[str, Any], times: Mapping[int, int]) -> dict[str, object]:
    """Where a log comes from, as clients see it."""
    number = quantity(entry["blockNumber"], "blockNumber")
    return {
        "blockNumber": number,
        "blockTimestamp": iso(times[number]),
        "transactionHash": entry["transactionHash"],
    }
