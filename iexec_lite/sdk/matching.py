"""The part of ``iexec.order`` that buys: who pays, and out of what (chain.md §7, §13.4).

``match.py`` makes the deal. What it costs comes from the requester's account on the hub, from a
sponsor's, or, with ``deposit=True``, out of the requester's wallet: in the same transaction where
the hub can do that (PoCo 6.2, sandbox6.md §8), which is found out before any money moves. That a
deal was made is proved by the hub's event alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ..errors import StateError
from ..eth.abi import decode_revert
from ..eth.codec import to_hex
from ..protocol import orders
from ..protocol.contracts import EVENTS, HUB, TOKEN
from ..protocol.matching import OrderSet
from ..protocol.orders import (
    SignedApporder,
    SignedDatasetorder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from ..protocol.reverts import custom_errors
from .account import fund
from .context import Context
from .funds import require_funds
from .match import made_deal, match, match_report, order_set
from .publish import Publishing
from .records import MatchEstimate, MatchResult, PublishedOrder
from .request import check_match, wanted
from .wallet import Wallet

__all__ = ["Matching", "matches_on_deposit"]

log = logging.getLogger("iexec_lite")

Loose = Mapping[str, object]
AnyApporder = SignedApporder | PublishedOrder[SignedApporder] | Loose
AnyDatasetorder = SignedDatasetorder | PublishedOrder[SignedDatasetorder] | Loose
AnyWorkerpoolorder = SignedWorkerpoolorder | PublishedOrder[SignedWorkerpoolorder] | Loose
AnyRequestorder = SignedRequestorder | PublishedOrder[SignedRequestorder] | Loose

NO_FUNCTION = b"\xff" * 4  # a selector that no hub has, and none that can match would take


class Matching(Publishing):
    """The part of ``iexec.order`` that buys."""

    def match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
        deposit: bool = False,
        check_request: bool = True,
        preflight_check: bool | None = None,
        new: bool = False,
    ) -> MatchResult:
        """Buy: turn four signed orders into a deal, as many tasks as all of them allow.

        Everything the contracts would refuse is checked first, against the chain, and reported at
        once as MatchError with all reasons; nothing is sent then. The requester's account on the
        hub pays, whoever sends. With ``deposit`` what is missing there comes out of the requester's
        wallet, in the same transaction if the hub can do that, in one before it otherwise.
        ``preflight_check`` is the newer name of ``check_request``.
        """
        context = self._context
        bundle = order_set(apporder, datasetorder, workerpoolorder, requestorder)
        hashes = self._hashes(bundle)
        preflight = wanted(check_request, preflight_check)
        if deposit and (new or not context.unfinished("matchOrders", hashes)):
            call = self._paid(bundle, hashes, preflight, new)
            proof = [(EVENTS.OrdersMatched, context.hub)]
            return made_deal(
                context, context.send("matchOrders", hashes, *call, expect=proof, new=new)
            )

        def prepare() -> OrderSet:
            if preflight:
                check_match(context, bundle)
            return bundle

        return made_deal(context, match(context, "matchOrders", hashes, prepare, new=new))

    def sponsor_match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
        check_request: bool = True,
        preflight_check: bool | None = None,
        new: bool = False,
    ) -> MatchResult:
        """As :meth:`match_orders`, but the wallet's own account on the hub pays for the requester.

        The deal names the wallet as ``sponsor``. Hubs before PoCo 5.5 refuse it, and nothing is
        sent.
        """
        context, method = self._context, HUB.sponsorMatchOrders
        bundle = order_set(apporder, datasetorder, workerpoolorder, requestorder)

        def check() -> None:
            if wanted(check_request, preflight_check):
                check_match(context, bundle)
            match_report(context, bundle, sponsor=context.address).raise_if_bad()

        sent = context.send(
            method.name,
            self._hashes(bundle),
            context.hub,
            method.encode(*bundle),
            expect=[(EVENTS.OrdersMatched, context.hub), (EVENTS.DealSponsored, context.hub)],
            check=check,
            new=new,
        )
        return made_deal(context, sent)

    def estimate_match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
    ) -> MatchEstimate:
        """What :meth:`match_orders` would buy now, and what is missing on the accounts for it.

        Needs no signer. Raises MatchError with all reasons that money cannot mend.
        """
        bundle = order_set(apporder, datasetorder, workerpoolorder, requestorder)
        report = match_report(self._context, bundle)
        report.but_for_money().raise_if_bad()
        return MatchEstimate(
            volume=report.volume,
            total=report.total,
            app_price=report.app_price,
            dataset_price=report.dataset_price,
            workerpool_price=report.workerpool_price,
            workerpool_stake=report.workerpool_stake,
            requester_shortfall=report.requester_shortfall,
            workerpool_shortfall=report.workerpool_shortfall,
        )

    # -- before -------------------------------------------------------------------------------

    def _hashes(self, bundle: OrderSet) -> dict[str, str]:
        """What a match is: the same four orders, however they are paid."""
        domain = self._context.domain
        return {order.name: orders.order_hash(order, domain) for order in bundle.orders()}

    def _paid(
        self, bundle: OrderSet, hashes: Mapping[str, str], preflight: bool, new: bool
    ) -> tuple[str, bytes]:
        """The call that matches (contract, data), what is missing being deposited or part of it."""
        context = self._context
        requester, data = bundle.requestorder.requester, HUB.matchOrders.encode(*bundle)
        if context.address != requester:
            raise StateError(
                f"deposit=True pays out of the wallet of the requester {requester}, this one is "
                f"{context.address}: sponsor_match_orders pays for somebody else"
            )
        if preflight:
            check_match(context, bundle)
        report = match_report(context, bundle)
        report.but_for_payment().raise_if_bad()
        missing = report.requester_shortfall
        if not missing:
            return context.hub, data
        if matches_on_deposit(context):
            held = Wallet(context).check_balances(requester).nrlc
            require_funds("What is missing for the deal", missing, held)
            log.info("depositing %d nRLC and matching in one transaction", missing)
            return context.token, TOKEN.approveAndCall.encode(context.hub, missing, data)
        log.info("depositing %d nRLC first: this hub cannot do both at once", missing)
        fund(context, missing, "depositForMatch", hashes, new=new)
        return context.hub, data


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
