"""Matching: four signed orders become a deal (chain.md §7, §13.4; sandbox6.md §8).

Everything that the contracts would refuse is looked for first. What the deal costs comes from the
requester's account on the hub, from a sponsor's, or, with ``deposit=True``, out of the requester's
wallet: in the same transaction where the hub can do that, which is found out before any money
moves. That a deal was made is proved by the hub's event alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from ..errors import StateError, TransportError, Web3ProviderCallError, Web3ProviderError
from ..eth.abi import decode_revert
from ..eth.codec import to_hex
from ..protocol import matching, orders
from ..protocol.contracts import EVENTS, HUB, TOKEN, EventSpec
from ..protocol.ids import task_id
from ..protocol.orders import (
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from ..protocol.reverts import custom_errors
from .account import fund
from .context import Context
from .facts import match_facts
from .funds import require_funds
from .publish import Publishing
from .records import MatchEstimate, MatchResult, PublishedOrder
from .request import check_match, wanted
from .wallet import Wallet

__all__ = ["Matching"]

log = logging.getLogger("iexec_lite")

S = TypeVar("S", bound=SignedOrder)
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
        bundle = _bundle(apporder, datasetorder, workerpoolorder, requestorder)
        hashes = self._hashes(bundle)
        call = context.hub, HUB.matchOrders.encode(*bundle)
        if new or not context.unfinished("matchOrders", hashes):
            report = self._checked(bundle, wanted(check_request, preflight_check), deposit=deposit)
            if report.requester_shortfall and deposit:
                call = self._paid(bundle, report.requester_shortfall, hashes, new)
        return self._deal("matchOrders", hashes, call, EVENTS.OrdersMatched, new=new)

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
        bundle = _bundle(apporder, datasetorder, workerpoolorder, requestorder)
        context, hashes, method = self._context, self._hashes(bundle), HUB.sponsorMatchOrders
        if new or not context.unfinished(method.name, hashes):
            check = wanted(check_request, preflight_check)
            self._checked(bundle, check, sponsor=context.address)
        call, proofs = method.encode(*bundle), (EVENTS.OrdersMatched, EVENTS.DealSponsored)
        return self._deal(method.name, hashes, (context.hub, call), *proofs, new=new)

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
        context = self._context
        bundle = _bundle(apporder, datasetorder, workerpoolorder, requestorder)
        report = matching.check(bundle, match_facts(context, bundle), context.chain.rules)
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

    def _hashes(self, bundle: matching.OrderSet) -> dict[str, str]:
        """What a match is: the same four orders, however they are paid."""
        domain = self._context.domain
        return {order.name: orders.order_hash(order, domain) for order in bundle.orders()}

    def _checked(
        self,
        bundle: matching.OrderSet,
        preflight: bool,
        *,
        deposit: bool = False,
        sponsor: str | None = None,
    ) -> matching.MatchReport:
        """The report on a match that nothing stands against, but for what a deposit mends."""
        context = self._context
        if preflight:
            check_match(context, bundle)
        facts = match_facts(context, bundle, sponsor=sponsor)
        report = matching.check(bundle, facts, context.chain.rules)
        (report.but_for_payment() if deposit else report).raise_if_bad()
        return report

    def _paid(
        self, bundle: matching.OrderSet, missing: int, hashes: Mapping[str, str], new: bool
    ) -> tuple[str, bytes]:
        """The call that matches, once ``missing`` nRLC are on the account or in the call itself."""
        context = self._context
        requester, match = bundle.requestorder.requester, HUB.matchOrders.encode(*bundle)
        if context.address != requester:
            raise StateError(
                f"deposit=True pays out of the wallet of the requester {requester}, this one is "
                f"{context.address}: sponsor_match_orders pays for somebody else"
            )
        if matches_on_deposit(context):
            held = Wallet(context).check_balances(requester).nrlc
            require_funds("What is missing for the deal", missing, held)
            log.info("depositing %d nRLC and matching in one transaction", missing)
            return context.token, TOKEN.approveAndCall.encode(context.hub, missing, match)
        log.info("depositing %d nRLC first: this hub cannot do both at once", missing)
        fund(context, missing, "depositForMatch", hashes, new=new)
        return context.hub, match

    # -- the deal -----------------------------------------------------------------------------

    def _deal(
        self,
        operation: str,
        hashes: Mapping[str, str],
        call: tuple[str, bytes],
        *proofs: EventSpec,
        new: bool,
    ) -> MatchResult:
        context = self._context
        expect = [(proof, context.hub) for proof in proofs]
        sent = context.send(operation, hashes, *call, expect=expect, new=new)
        event, request = sent.events[0], hashes["requestorder"]
        if event["requestHash"] != request:
            raise StateError(
                f"another deal was made, of the request order {event['requestHash']}",
                tx_hash=sent.tx_hash,
            )
        dealid, volume = str(event["dealid"]), int(str(event["volume"]))
        first = self._first_index(dealid, request, sent.tx_hash)
        return MatchResult(
            dealid=dealid,
            volume=volume,
            tx_hash=sent.tx_hash,
            taskids={i: task_id(dealid, i) for i in range(first, first + volume)},
        )

    def _first_index(self, dealid: str, request_hash: str, tx_hash: str) -> int:
        """The index of a new deal's first task; it is 0 for the first deal of a request order."""
        if orders.deal_id(request_hash, 0) == dealid:
            return 0
        context = self._context
        try:
            deal = context.read(context.hub, HUB.viewDeal, dealid)
        except (TransportError, Web3ProviderError) as error:
            raise Web3ProviderCallError(
                f"deal {dealid} was made, but its tasks cannot be read now: {error.message}",
                details={"dealid": dealid},
                cause=error,
                tx_hash=tx_hash,
            ) from error
        assert isinstance(deal, dict)  # noqa: S101  # a struct decodes as dict
        return int(deal["botFirst"])


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


def _bundle(app: object, dataset: object, workerpool: object, request: object) -> matching.OrderSet:
    """The four orders of a match, from whatever form they came in."""
    return matching.OrderSet(
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
