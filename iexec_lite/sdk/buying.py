"""What ``iexec.order`` does to buy: who pays, and out of what (chain.md §7, §13.4).

``match.py`` makes the deal. What it costs comes from the requester's account on the hub, from a
sponsor's, or, with ``deposit=True``, out of the requester's wallet: in the same transaction where
the hub can do that (PoCo 6.2, sandbox6.md §8), which is found out before any money moves. That a
deal was made is proved by the hub's event alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import StateError
from ..eth.abi import decode_revert
from ..eth.codec import to_hex
from ..log import log
from ..protocol.contracts import EVENTS, HUB, TOKEN
from ..protocol.matching import MatchReport, OrderSet
from ..protocol.orders import Requestorder, sign_order
from ..protocol.reverts import custom_errors
from .account import fund
from .context import Context
from .funds import require_funds
from .match import figures, made_deal, match, match_report, meaning, order_set, unsigned
from .records import MatchCheck, MatchEstimate, MatchResult
from .request import check_match, found_by
from .wallet import Wallet

__all__ = [
    "check_match_orders",
    "estimate_match_orders",
    "match_orders",
    "matches_on_deposit",
    "sponsor_match_orders",
]


Loose = Mapping[str, object]
Given = tuple[object, object, object, object]  # app, dataset (or None), workerpool, request
NO_FUNCTION = b"\xff" * 4  # a selector that no hub has, and none that can match would take


def match_orders(
    context: Context, orders: Given, *, deposit: bool, preflight: bool, new: bool
) -> MatchResult:
    """The deal of these orders, paid for by the requester: see ``Matching.match_orders``."""
    request, bundle = unsigned(orders[-1]), order_set(*orders)
    intent = meaning(bundle, context.domain, request)
    if deposit and (new or not context.unfinished("matchOrders", intent)):
        ready, report = _ready(context, bundle, request, preflight, deposit=True)
        sent = context.send(
            "matchOrders",
            intent,
            *_paid(context, ready, report.requester_shortfall, intent, new),
            expect=[(EVENTS.OrdersMatched, context.hub)],
            note=_note(ready),
            new=new,
        )
        return made_deal(context, sent)

    def prepare() -> OrderSet:
        if request is not None:
            return _ready(context, bundle, request, preflight)[0]
        if preflight:
            check_match(context, bundle)
        return bundle

    return made_deal(context, match(context, "matchOrders", intent, prepare, new=new))


def sponsor_match_orders(
    context: Context, orders: Given, *, preflight: bool, new: bool
) -> MatchResult:
    """The deal of these orders, paid for by the wallet's own account on the hub."""
    request, bundle = unsigned(orders[-1]), order_set(*orders)
    method = HUB.sponsorMatchOrders

    def data() -> tuple[bytes, Loose]:
        ready, _ = _ready(context, bundle, request, preflight, sponsor=context.address)
        return method.encode(*ready), _note(ready)

    sent = context.send(
        method.name,
        meaning(bundle, context.domain, request),
        context.hub,
        data,
        expect=[(EVENTS.OrdersMatched, context.hub), (EVENTS.DealSponsored, context.hub)],
        new=new,
    )
    return made_deal(context, sent)


def estimate_match_orders(context: Context, orders: Given) -> MatchEstimate:
    """What a match would buy; MatchError with what money cannot mend."""
    report = match_report(context, order_set(*orders), unsigned(orders[-1]))
    report.but_for_money().raise_if_bad()
    return MatchEstimate(**figures(report))


def check_match_orders(context: Context, orders: Given, *, preflight: bool) -> MatchCheck:
    """What a match would buy, and all that stands against it."""
    bundle = order_set(*orders)
    report = match_report(context, bundle, unsigned(orders[-1]))
    found = found_by(lambda: check_match(context, bundle)) if preflight else ()
    return MatchCheck(**figures(report), reasons=(*found, *report.reasons))


# --- before ---------------------------------------------------------------------------------------


def _ready(
    context: Context,
    bundle: OrderSet,
    request: Requestorder | None,
    preflight: bool,
    *,
    deposit: bool = False,
    sponsor: str | None = None,
) -> tuple[OrderSet, MatchReport]:
    """Orders that nothing stands against, but for what a deposit mends; ``request`` signed."""
    if preflight:
        check_match(context, bundle)
    report = match_report(context, bundle, request, sponsor=sponsor)
    (report.but_for_payment() if deposit else report).raise_if_bad()
    if request is not None:
        signed = sign_order(request, context.signer, context.domain)
        bundle = bundle._replace(requestorder=signed)
    return bundle, report


def _paid(
    context: Context, bundle: OrderSet, missing: int, intent: Loose, new: bool
) -> tuple[str, bytes]:
    """The call that matches: contract and data. ``missing`` nRLC are there then, or in it."""
    requester, data = bundle.requestorder.requester, HUB.matchOrders.encode(*bundle)
    if not missing:
        return context.hub, data
    if context.address != requester:
        raise StateError(
            f"deposit=True pays out of the wallet of the requester {requester}, this one is "
            f"{context.address}: sponsor_match_orders pays for somebody else"
        )
    if matches_on_deposit(context):
        held = Wallet(context).check_balances(requester).nrlc
        require_funds("What is missing for the deal", missing, held)
        log.info("depositing %d nRLC and matching in one transaction", missing)
        return context.token, TOKEN.approveAndCall.encode(context.hub, missing, data)
    log.info("depositing %d nRLC first: this hub cannot do both at once", missing)
    fund(context, missing, "depositForMatch", intent, new=new)
    return context.hub, data


def _note(bundle: OrderSet) -> Loose:
    """What the journal keeps with a purchase."""
    return {"requestorder": bundle.requestorder.to_dict()}


def matches_on_deposit(context: Context) -> bool:
    """Whether the hub carries out a ``matchOrders`` that comes with a deposit (PoCo 6.2).

    Older hubs deposit and ignore the rest without an error. The new one refuses a function that it
    would not carry out, and says so: it is asked that, with a deposit of nothing, as a mere call.
    """
    if context.chain.native or context.chain.enterprise:
        return False
    return context.once("matches_on_deposit", lambda: _probe(context))


def _probe(context: Context) -> bool:
    from ..net.rpc_error import RpcError

    data = HUB.receiveApproval.encode(context.address, 0, context.token, NO_FUNCTION)
    call = {"from": context.token, "to": context.hub, "data": to_hex(data)}
    try:
        context.node.request("eth_call", (call, "latest"))
    except RpcError as error:
        if error.retryable:
            raise
        revert = decode_revert(error.data or b"", custom_errors())
        return revert is not None and revert.kind == "UnsupportedOperation"
    return False
