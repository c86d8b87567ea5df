"""The orders of a match in whatever form they come, and what the chain says to them.

A request order may come unsigned: then it is judged as if its requester had signed it, and what a
purchase means is its content without the salt that signing draws (design.md, "Transactions and the
journal").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ..protocol import matching, orders
from ..protocol.matching import OrderSet
from ..protocol.orders import (
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from .facts import match_facts
from .records import PublishedOrder

if TYPE_CHECKING:
    from ..eth.eip712 import Domain
    from .context import Context

__all__ = ["bundle", "figures", "meaning", "report", "terms", "with_request"]

S = TypeVar("S", bound=SignedOrder)


def bundle(
    app: object, dataset: object, workerpool: object, request: object
) -> tuple[OrderSet, Requestorder | None]:
    """The four orders of a match; and the request order as it came, if it is not signed yet."""
    unsigned = None
    if isinstance(request, Requestorder) and not isinstance(request, SignedRequestorder):
        unsigned, request = request, request.salted(bytes(32))
    found = OrderSet(
        apporder=_signed(SignedApporder, app),
        datasetorder=orders.NULL_DATASETORDER
        if dataset is None
        else _signed(SignedDatasetorder, dataset),
        workerpoolorder=_signed(SignedWorkerpoolorder, workerpool),
        requestorder=_signed(SignedRequestorder, request),
    )
    return found, unsigned


def terms(app: object, dataset: object, workerpool: object) -> dict[str, object]:
    """The fields of a request order that follow from three offers."""
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


def report(
    context: Context, bundle: OrderSet, unsigned: Requestorder | None
) -> matching.MatchReport:
    """What the match would be, and all that stands against it."""
    facts = match_facts(context, bundle)
    if unsigned is not None:
        facts = replace(facts, request=replace(facts.request, signed=True))
    return matching.check(bundle, facts, context.chain.rules)


def figures(report: matching.MatchReport) -> dict[str, int]:
    """The members of a ``MatchEstimate``."""
    return {
        "volume": report.volume,
        "total": report.total,
        "app_price": report.app_price,
        "dataset_price": report.dataset_price,
        "workerpool_price": report.workerpool_price,
        "workerpool_stake": report.workerpool_stake,
        "requester_shortfall": report.requester_shortfall,
        "workerpool_shortfall": report.workerpool_shortfall,
    }


def meaning(bundle: OrderSet, unsigned: Requestorder | None, domain: Domain) -> dict[str, object]:
    """What the purchase is, for its intent: which orders; of an unsigned one its content."""
    found: dict[str, object] = {
        order.name: orders.order_hash(order, domain) for order in bundle.orders()
    }
    return found if unsigned is None else {**found, unsigned.name: unsigned.to_dict()}


def with_request(bundle: OrderSet, note: Mapping[str, object]) -> OrderSet:
    """With the request order that was signed for this purchase, as its note keeps it."""
    signed = SignedRequestorder.from_dict(note["requestorder"])  # type: ignore[arg-type]
    return bundle._replace(requestorder=signed)


def _signed(kind: type[S], order: object) -> S:
    found = order.order if isinstance(order, PublishedOrder) else order
    return kind.from_dict(found)  # type: ignore[arg-type]  # it refuses what is no order
