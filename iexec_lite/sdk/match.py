"""One match: four signed orders become a deal, once (chain.md §7).

What ``order.match_orders`` and ``app.run`` share. Every requirement of the contracts is checked
against the chain first; the journal knows the purchase by its intent, and keeps the signed request
order with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import TransportError, Web3ProviderCallError, Web3ProviderError
from ..protocol import matching, orders
from ..protocol.contracts import EVENTS, HUB
from ..protocol.ids import task_id
from ..protocol.matching import OrderSet
from ..protocol.orders import (
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from .context import Context
from .facts import match_facts
from .intent import Accept, Sent
from .records import MatchResult, PublishedOrder

__all__ = ["made_deal", "match", "match_report", "order_set"]

S = TypeVar("S", bound=SignedOrder)


def order_set(app: object, dataset: object, workerpool: object, request: object) -> OrderSet:
    """The four orders of a match, from whatever form they came in; ``dataset`` may be None."""
    return OrderSet(
        apporder=_signed(SignedApporder, app),
        datasetorder=orders.NULL_DATASETORDER
        if dataset is None
        else _signed(SignedDatasetorder, dataset),
        workerpoolorder=_signed(SignedWorkerpoolorder, workerpool),
        requestorder=_signed(SignedRequestorder, request),
    )


def _signed(kind: type[S], order: object) -> S:
    found = order.order if isinstance(order, PublishedOrder) else order
    return kind.from_dict(found)  # type: ignore[arg-type]  # it refuses what is no order


def match_report(
    context: Context, bundle: OrderSet, *, sponsor: str | None = None
) -> matching.MatchReport:
    """What a match would be now, and every reason of the chain against it.

    ``sponsor`` pays in the requester's place, if there is one.
    """
    facts = match_facts(context, bundle, sponsor=sponsor)
    return matching.check(bundle, facts, context.chain.rules)


def match(
    context: Context,
    operation: str,
    arguments: Mapping[str, object],
    prepare: Callable[[], OrderSet],
    *,
    new: bool,
    accept: Accept | None = None,
) -> Sent:
    """Send ``matchOrders`` for an intent of the journal, or resume what is left of it.

    ``prepare`` brings the orders where nothing is resumed; ``accept`` is shown the ``requestorder``
    (JSON) in the note of what would be. MatchError with all reasons against it: nothing is sent.
    """

    def data() -> tuple[bytes, Mapping[str, object]]:
        bundle = prepare()
        match_report(context, bundle).raise_if_bad()
        note = {"requestorder": bundle.requestorder.to_dict()}
        return HUB.matchOrders.encode(*bundle), note

    return context.send(
        operation,
        arguments,
        context.hub,
        data,
        expect=[(EVENTS.OrdersMatched, context.hub)],
        new=new,
        accept=accept,
    )


def made_deal(context: Context, sent: Sent) -> MatchResult:
    """The deal that a confirmed match made."""
    event = sent.events[0]
    dealid, volume = str(event["dealid"]), int(str(event["volume"]))
    first = _first_index(context, dealid, str(event["requestHash"]), sent.tx_hash)
    return MatchResult(
        dealid=dealid,
        volume=volume,
        tx_hash=sent.tx_hash,
        taskids={i: task_id(dealid, i) for i in range(first, first + volume)},
    )


def _first_index(context: Context, dealid: str, request_hash: str, tx_hash: str) -> int:
    """The index of a new deal's first task; it is 0 for the first deal of a request order."""
    if orders.deal_id(request_hash, 0) == dealid:
        return 0
    try:
        found = context.read(context.hub, HUB.viewDeal, dealid)
    except (TransportError, Web3ProviderError) as error:
        raise Web3ProviderCallError(
            f"deal {dealid} was made, but its tasks cannot be read now: {error.message}",
            details={"dealid": dealid},
            cause=error,
            tx_hash=tx_hash,
        ) from error
    assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
    return int(found["botFirst"])
