"""How the plan of a purchase is made: orders found, prices added up, all that is missing named.

Everything is held against the chain as if the orders that are still to be signed were signed
(``protocol/matching.py``), and the request against the SMS. Nothing is signed here but in
:func:`sign`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..frozen import replace
from ..protocol import matching, orders
from ..protocol.contracts import HUB
from ..protocol.matching import OrderSet, Reason
from ..protocol.methods import Read
from ..protocol.orders import (
    NULL_ADDRESS,
    Apporder,
    Datasetorder,
    Order,
    Requestorder,
    SignedOrder,
    Workerpoolorder,
)
from .context import Context
from .facts import match_facts
from .match import order_set
from .offers import Offers, require_deployed
from .plan import PlannedOrder, RequestPlan, RunPlan, Wish
from .request import check_request, found_by

__all__ = ["plan_request", "plan_run", "sign"]


def plan_run(context: Context, wish: Wish, *, check: bool, unfinished: bool = False) -> RunPlan:
    """What a run would buy now. StateError where an order is missing altogether.

    ``check``: the SMS is asked too.
    """
    app, dataset, pool = Offers(context, wish).find()
    request = replace(
        wish.request,
        appmaxprice=app.order.appprice,
        datasetmaxprice=0 if dataset is None else dataset.order.datasetprice,
        workerpool=pool.order.workerpool,
        workerpoolmaxprice=pool.order.workerpoolprice,
        category=pool.order.category,
    )
    own = {each.order.name for each in (app, dataset, pool) if each and each.to_sign}
    bundle = _bundle(app, dataset, pool, request, lambda order: order.salted(bytes(32)))
    facts = match_facts(context, bundle, to_sign={*own, request.name})
    report = matching.check(bundle, facts, context.chain.rules)
    return RunPlan(
        apporder=app,
        datasetorder=dataset,
        workerpoolorder=pool,
        requestorder=request,
        app_price=report.app_price,
        dataset_price=report.dataset_price,
        workerpool_price=report.workerpool_price,
        total=report.total,
        stake=facts.requester_stake or 0,
        shortfall=report.requester_shortfall,
        reasons=(*_missing(context, request, check), *report.reasons),
        unfinished=unfinished,
    )


def sign(context: Context, plan: RunPlan) -> OrderSet:
    """The four orders of a plan, signed. The wallet is asked for the first time here."""

    def signed(order: Order) -> SignedOrder:
        return orders.sign_order(order, context.signer, context.domain)

    return _bundle(
        plan.apporder, plan.datasetorder, plan.workerpoolorder, plan.requestorder, signed
    )


def plan_request(context: Context, request: Requestorder, *, check: bool) -> RequestPlan:
    """What publishing a request order would ask for. StateError for what is not deployed."""
    for kind in ("app", "dataset", "workerpool"):
        address = getattr(request, kind)
        if address != NULL_ADDRESS or kind == "app":
            require_deployed(context, kind, address)
    reads: list[Read] = [
        (context.hub, HUB.viewAccount, (request.requester,)),
        (context.hub, HUB.countCategory, ()),
    ]
    account, categories = context.read_all(reads)
    assert isinstance(account, dict)  # noqa: S101  # a struct decodes as dict
    stake = int(account["stake"])
    prices = request.appmaxprice, request.datasetmaxprice, request.workerpoolmaxprice
    total = sum(prices) * request.volume
    reasons = [*_missing(context, request, check)]
    if request.category >= int(str(categories)):
        reasons.append(Reason("category", f"category {request.category} does not exist"))
    if stake < total:
        text = f"Total cost ({total}) is greater than requester account stake ({stake})"
        reasons.append(Reason("requester-stake", text))
    return RequestPlan(
        requestorder=request,
        total=total,
        stake=stake,
        shortfall=max(0, total - stake),
        reasons=tuple(reasons),
    )


def _missing(context: Context, request: Requestorder, check: bool) -> tuple[Reason, ...]:
    """What the SMS says against the request, where it is asked."""
    return found_by(lambda: check_request(context, request)) if check else ()


def _bundle(
    app: PlannedOrder[Apporder],
    dataset: PlannedOrder[Datasetorder] | None,
    pool: PlannedOrder[Workerpoolorder],
    request: Requestorder,
    sign: Callable[[Order], SignedOrder],
) -> OrderSet:
    """The orders as ``matchOrders`` takes them; ``sign`` gets those that are not signed yet."""

    def signed(planned: PlannedOrder[Order]) -> Order:
        return sign(planned.order) if planned.to_sign else planned.order

    data = None if dataset is None else signed(dataset)
    return order_set(signed(app), data, signed(pool), sign(request))
