"""One match: four signed orders become a deal, once (chain.md §7).

What ``order.match_orders`` and ``app.run`` share. Every requirement of the contracts is checked
against the chain first; the journal knows the purchase by its intent, and keeps the signed request
order with it. A request order may come unsigned: then it is judged as if its requester had signed
it, and what the purchase means is its content, without the salt that signing draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ..errors import TransportError, Web3ProviderCallError, Web3ProviderError
from ..frozen import fields
from ..protocol import matching, orders
from ..protocol.contracts import EVENTS, HUB
from ..protocol.ids import task_id
from ..protocol.matching import OrderSet
from ..protocol.orders import (
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from .context import Context
from .facts import match_facts
from .intent import Accept, Sent
from .records import MatchEstimate, MatchResult, PublishedOrder

if TYPE_CHECKING:
    from ..eth.eip712 import Domain

__all__ = [
    "figures",
    "made_deal",
    "match",
    "match_report",
    "meaning",
    "order_set",
    "terms",
    "unsigned",
]

S = TypeVar("S", bound=SignedOrder)


def order_set(app: object, dataset: object, workerpool: object, request: object) -> OrderSet:
    """The four orders of a match, from whatever form they came in; ``dataset`` may be None.

    A request order that is not signed yet has the zero salt and no signature in it.
    """
    to_sign = unsigned(request)
    if to_sign is not None:
        request = to_sign.salted(bytes(32))
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


def unsigned(order: object) -> Requestorder | None:
    """A request order that is not signed yet, else None."""
    if isinstance(order, Requestorder) and not isinstance(order, SignedRequestorder):
        return order
    return None


def terms(app: object, dataset: object, workerpool: object) -> dict[str, object]:
    """The fields of a request order that follow from three offers; ``dataset`` may be None."""
    apporder = _signed(SignedApporder, app)
    workerpoolorder = _signed(SignedWorkerpoolorder, workerpool)
    found: dict[str, object] = {
        "app": apporder.app,
        "appmaxprice": apporder.appprice,
        "workerpool": workerpoolorder.workerpool,
        "workerpoolmaxprice": workerpoolorder.workerpoolprice,
        "category": workerpoolorder.category,
    }
    if dataset is not None:
        datasetorder = _signed(SignedDatasetorder, dataset)
        found["dataset"] = datasetorder.dataset
        found["datasetmaxprice"] = datasetorder.datasetprice
    return found


def match_report(
    context: Context,
    bundle: OrderSet,
    request: Requestorder | None = None,
    *,
    sponsor: str | None = None,
) -> matching.MatchReport:
    """What a match would be now, and every reason of the chain against it.

    An unsigned ``request`` counts as signed. ``sponsor`` pays in the requester's place, if there is
    one.
    """
    to_sign = () if request is None else (request.name,)
    facts = match_facts(context, bundle, to_sign=to_sign, sponsor=sponsor)
    return matching.check(bundle, facts, context.chain.rules)


def figures(report: matching.MatchReport) -> dict[str, int]:
    """The members of a ``MatchEstimate``."""
    return {item.name: getattr(report, item.name) for item in fields(MatchEstimate)}


def meaning(bundle: OrderSet, domain: Domain, request: Requestorder | None) -> dict[str, object]:
    """What the purchase is, for its intent: which orders; of an unsigned one its content."""
    found: dict[str, object] = {
        order.name: orders.order_hash(order, domain) for order in bundle.orders()
    }
    return found if request is None else {**found, request.name: request.to_dict()}


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
