"""What the marketplace says, held against what it was asked (market.md, services.md §1.4, §1.8).

The marketplace is not trusted. An order must have the hash it is listed under on this chain, a deal
the id that its request order gives it, both must be what was asked for; anything else is a
MarketCallError that names the member. What a *seller* can do is not held against the marketplace,
or one bad order would close the book for all: an order with members that no contract or worker can
use is left out of ``Page.items`` and told in ``Page.skipped``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Generic, TypeVar

from ..errors import MarketCallError, ValidationError
from ..frozen import Frozen
from ..log import log
from ..protocol.ids import deal_id
from ..protocol.orders import NULL_ADDRESS, SignedOrder, domain, order_hash
from ..protocol.tag import missing_bits
from ..protocol.units import shown
from ..protocol.values import check_address, check_bytes32, read_uint
from .context import Context
from .page import Page
from .records import MarketDeal, PublishedOrder, ResourceShare

__all__ = ["ANY", "fetch_deals", "fetch_order", "fetch_orders", "hashes", "member", "wrong"]

T = TypeVar("T")
S = TypeVar("S", bound=SignedOrder)
Query = Mapping[str, object]
Json = Mapping[str, object]

ANY = "any"  # in the place of an address: no filter (services.md §9.2)
MAX_PAGE = 1 << 32
MAX_TEXT = 1000  # characters of an error
MAX_WORD = 64  # characters of a status or a time


class _UnusableError(Exception):
    """An order that the marketplace lists rightly, and that nobody can use."""


def wrong(text: str, *, retryable: bool = False) -> MarketCallError:
    """The error for an answer that is not what it should be."""
    message = f"The marketplace's answer is wrong: {_plain(text)}"
    return MarketCallError(message, retryable=retryable)


def _plain(text: str) -> str:
    """Text in which others have words, safe to print."""
    return "".join(c if c.isprintable() else " " for c in text[:MAX_TEXT])


# --- lists ----------------------------------------------------------------------------------------


def fetch_orders(
    context: Context, kind: type[S], query: Query, *, page: int, page_size: int | None
) -> Page[PublishedOrder[S]]:
    """One page of an order book. ``query`` is sent as it is, and every order held against it."""

    def read(value: object) -> tuple[str, PublishedOrder[S]]:
        found = _read_order(context, kind, value)
        _check_order(found, query)
        return found.order_hash, found

    book = _List(context, f"/{kind.name}s", "orders", "orderbook", query, read)
    return book.page(_paging(context, page, page_size), ())


def fetch_order(context: Context, kind: type[S], order_id: str) -> PublishedOrder[S]:
    """The published order with this hash, whatever its status."""
    answer = context.market.get(f"/{kind.name}s/{order_id}")
    _check_ok(answer, kind.name)
    try:
        found = _read_order(context, kind, answer)
    except _UnusableError as error:
        raise wrong(str(error)) from error.__cause__
    if found.order_hash != order_id:
        raise wrong(f"{kind.name} {found.order_hash} where {order_id} was asked for")
    return found


def fetch_deals(
    context: Context, query: Query, *, page: int, page_size: int | None
) -> Page[MarketDeal]:
    """One page of the deals that fit ``query``, newest first."""

    def read(value: object) -> tuple[str, MarketDeal]:
        found = _read_deal(context, value)
        _check_deal(found, query)
        return found.dealid, found

    deals = _List(context, "/deals", "deals", "deals", query, read)
    return deals.page(_paging(context, page, page_size), ())


# The ids on the pages before one, in sets that differ in size: each page can be asked for its next
# again and again, and a walk of n pages does not copy n²/2 ids.
_Seen = tuple[frozenset[str], ...]


def _joined(seen: _Seen, new: Set[str]) -> _Seen:
    """``seen`` and ``new``: a set is joined with those that are no larger, so each id seldom."""
    while seen and len(seen[-1]) <= len(new):
        new, seen = new | seen[-1], seen[:-1]
    return (*seen, frozenset(new))


class _List(Frozen, Generic[T], kw_only=False):
    """A list of the marketplace: its path and member, what V6 calls it, what was asked."""

    context: Context
    path: str
    name: str
    called: str
    query: Query
    read: Callable[[object], tuple[str, T]]  # the id of a record, and what it says

    def page(self, paging: Mapping[str, int], seen: _Seen) -> Page[T]:
        """One page; ``seen`` are the ids on those before it.

        A list moves while it is read, so an item may be listed again on the next page: it is left
        out there. A page that brings nothing new is an error, so a walk always ends.
        """
        answer = self.context.market.get(self.path, {**self.query, **paging})
        _check_ok(answer, self.called)
        listed, count = member(answer, self.name, list), _number(answer, "count")
        items: dict[str, T] = {}
        skipped: dict[str, MarketCallError] = {}
        for value in listed:
            try:
                key, item = self.read(value)
            except _UnusableError as error:
                key = _hash(value, "orderHash")
                skipped[key] = MarketCallError(_plain(str(error)), details={"orderHash": key})
                log.warning("an unusable order on the marketplace: %s", key)
            else:
                items[key] = item
        new = {key for key in (*items, *skipped) if not any(key in part for part in seen)}
        if listed and not new:
            raise wrong("it repeats its pages: read the list again", retryable=True)
        following = _following(answer, paging) if listed else None
        return Page(
            [item for key, item in items.items() if key in new],
            count,
            None if following is None else lambda: self.page(following, _joined(seen, new)),
            [error for key, error in skipped.items() if key in new],
        )


def _paging(context: Context, page: int, page_size: int | None) -> dict[str, int]:
    """The query that asks for page ``page`` (from 0), as this network's marketplace counts."""
    rules = context.chain.rules
    size = rules.market_page_size if page_size is None else page_size
    for name, value in (("page", page), ("page_size", size)):
        if type(value) is not int or not 0 <= value <= MAX_PAGE:
            raise ValidationError(f"{name} must be an integer from 0 to {MAX_PAGE}")
    if rules.market_paging == "index":
        if not 10 <= size <= 1000:
            raise ValidationError("page_size must be from 10 to 1000")
        return {"pageIndex": page, "pageSize": size}
    if size != rules.market_page_size:
        raise ValidationError(f"page_size is always {rules.market_page_size} on this network")
    return {"page": page * size} if page else {}


def _following(answer: Json, paging: Mapping[str, int]) -> dict[str, int] | None:
    """The query for the next page, None after the last."""
    if not answer.get("nextPage"):
        return None
    if "pageIndex" in paging:  # nextPage is an offset there too
        return {**paging, "pageIndex": paging["pageIndex"] + 1}
    following = _number(answer, "nextPage")
    if following <= paging.get("page", 0):
        raise wrong(f"nextPage does not go on: {following} after {paging.get('page', 0)}")
    return {"page": following}


def _check_ok(answer: Json, called: str) -> None:
    if not answer.get("ok"):
        raise MarketCallError(f"An error occured while getting {called}")


# --- one record -----------------------------------------------------------------------------------


def _read_order(context: Context, kind: type[S], value: object) -> PublishedOrder[S]:
    """The order in a record of the marketplace, once it was seen to be one of this chain."""
    chain = context.chain
    record = _record(context, value)
    order = _order(kind, member(record, "order", dict))
    order_id = _hash(record, "orderHash")
    found = order_hash(order, domain(chain.id, context.hub))
    if found != order_id:
        raise wrong(
            f"orderHash {order_id}, but its {kind.name} has the hash {found} on chain {chain.id} "
            f"and hub {context.hub}"
        )
    remaining = _number(record, "remaining")
    if remaining > order.volume:
        raise wrong(f"remaining {remaining} of {kind.name} {order_id}, volume {order.volume}")
    bulk = record.get("bulk")
    return PublishedOrder(
        order_hash=order_id,
        chain_id=chain.id,
        order=order,
        remaining=remaining,
        status=_word(record, "status"),
        publication_timestamp=_word(record, "publicationTimestamp"),
        signer=_address(record, "signer"),
        bulk=bulk if isinstance(bulk, bool) else None,
    )


def _order(kind: type[S], value: Json) -> S:
    """The order of a record. Wrong JSON types are the marketplace's fault, wrong values not."""
    for name, column in kind.fields():
        if column.abi == "uint256":
            _number(value, name)
        else:
            member(value, name, str)
    try:
        return kind.from_dict(value)
    except ValidationError as error:
        raise _UnusableError(f"{kind.name} cannot be used: {error.message}") from error


def _read_deal(context: Context, value: object) -> MarketDeal:
    """The deal in a record of the marketplace."""
    record = _record(context, value)
    dealid, request = _hash(record, "dealid"), _hash(record, "requestHash")
    first = _number(record, "botFirst")
    if deal_id(request, first) != dealid:
        raise wrong(f"dealid {dealid} is not that of requestHash {request}, botFirst {first}")
    return MarketDeal(
        dealid=dealid,
        chain_id=context.chain.id,
        app=_share(record, "app"),
        dataset=_share(record, "dataset"),
        workerpool=_share(record, "workerpool"),
        requester=_address(record, "requester"),
        beneficiary=_address(record, "beneficiary"),
        callback=_address(record, "callback"),
        app_hash=_hash(record, "appHash"),
        dataset_hash=_hash(record, "datasetHash"),
        workerpool_hash=_hash(record, "workerpoolHash"),
        request_hash=request,
        params=member(record, "params", str),
        volume=_number(record, "volume"),
        category=_number(record, "category"),
        tag=_hash(record, "tag"),
        trust=_number(record, "trust"),
        start_time=_number(record, "startTime"),
        bot_first=first,
        bot_size=_number(record, "botSize"),
        scheduler_reward_ratio=_number(record, "schedulerRewardRatio"),
        worker_stake=_number(record, "workerStake"),
        block_number=_number(record, "blockNumber"),
        block_timestamp=_word(record, "blockTimestamp"),
        transaction_hash=_hash(record, "transactionHash"),
    )


def _share(record: Json, name: str) -> ResourceShare:
    value = member(record, name, dict)
    return ResourceShare(
        pointer=_address(value, "pointer"),
        owner=_address(value, "owner"),
        price=_number(value, "price"),
    )


def _record(context: Context, value: object) -> Json:
    """The JSON object of a record of this chain."""
    if not isinstance(value, dict):
        raise wrong(f"{shown(value)} in the place of a record")
    if _number(value, "chainId") != context.chain.id:
        raise wrong(f"chainId {shown(value['chainId'])}, not {context.chain.id}")
    return value


# --- what was asked -------------------------------------------------------------------------------


def _check_order(record: PublishedOrder[S], query: Query) -> None:
    for name, asked in query.items():
        if asked != ANY and not _fits(record, name, asked, query):
            raise wrong(
                f"{record.order.name} {record.order_hash} does not fit {name} {shown(asked)}"
            )


def _fits(record: PublishedOrder[S], name: str, asked: object, query: Query) -> bool:
    """Whether an order is one that the filter ``name`` lets through (services.md §1.4)."""
    order = record.order
    if name in ("minTag", "maxTag"):
        pair = (order.tag, str(asked))
        return not missing_bits(*(pair if name == "minTag" else pair[::-1]))
    if isinstance(asked, int) and name in ("minVolume", "minTrust", "maxTrust"):
        if name == "minVolume":
            return record.remaining >= asked
        trust = max(1, int(order.values()["trust"]))  # the contracts take 0 for 1
        return trust >= asked if name == "minTrust" else trust <= max(1, asked)
    found = getattr(order, f"{name}restrict", None)
    if found is None and name == "workerpool" and order.resource == "request":
        found = getattr(order, name)
    if found is not None:  # those open to all are listed too
        strict = query.get(f"is{name.capitalize()}Strict") == "true"
        return found == asked or (found == NULL_ADDRESS and not strict)
    return getattr(order, name, asked) == asked  # of owners and the like the order says nothing


def _check_deal(deal: MarketDeal, query: Query) -> None:
    found = {
        "requester": deal.requester,
        "app": deal.app.pointer,
        "dataset": deal.dataset.pointer,
        "workerpool": deal.workerpool.pointer,
        "apporderHash": deal.app_hash,
        "datasetorderHash": deal.dataset_hash,
        "workerpoolorderHash": deal.workerpool_hash,
        "requestorderHash": deal.request_hash,
    }
    for name, asked in query.items():
        if found[name] != asked:
            raise wrong(f"deal {deal.dealid} does not fit {name} {shown(asked)}")


# --- members --------------------------------------------------------------------------------------


def member(record: object, name: str, kind: type[T]) -> T:
    """A member of exactly this JSON type."""
    value = record.get(name) if isinstance(record, Mapping) else None
    if type(value) is not kind:
        raise wrong(f"{name} is {shown(value)}")
    return value


def _checked(record: object, name: str, check: Callable[[object], T]) -> T:
    value = record.get(name) if isinstance(record, Mapping) else None
    try:
        return check(value)
    except ValidationError as error:
        raise wrong(f"{name}: {error.message}") from error


def _number(record: object, name: str) -> int:
    return _checked(record, name, read_uint)


def _hash(record: object, name: str) -> str:
    return _checked(record, name, check_bytes32)


def _address(record: object, name: str) -> str:
    return _checked(record, name, check_address)


def _word(record: object, name: str) -> str:
    """A short text that is safe to print."""
    text = member(record, name, str)
    if not text.isprintable() or len(text) > MAX_WORD:
        raise wrong(f"{name} is {shown(text)}")
    return text


def hashes(answer: Json, name: str) -> list[str]:
    """A list of order hashes."""
    return [_hash({name: value}, name) for value in member(answer, name, list)]
