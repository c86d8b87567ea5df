"""Publishing orders on the marketplace and taking them back (market.md; services.md §1.2, §1.6–7).

Every write costs one login challenge, signed by the wallet, or elsewhere: ``publish_challenge``
gives the request to carry to the key, ``authorization=`` takes it back signed. The owner of what is
offered is asked of the chain first, so that no challenge is spent in vain. A publication whose
answer is lost is looked up by its hash and never sent again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import IExecError, MarketCallError, SignatureError, ValidationError
from ..protocol import orders
from ..protocol.authorization import MARKET
from ..protocol.columns import parse_bytes32
from ..protocol.detached import SignedRequest
from ..protocol.orders import (
    Apporder,
    Datasetorder,
    Order,
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
    Workerpoolorder,
)
from ..protocol.units import shown
from .authorize import Given, login_challenge, read_given
from .authorize import authorization as authorize
from .context import Context

if TYPE_CHECKING:
    from ..protocol.detached import SigningRequest

__all__ = ["Publishing", "wanted"]

Loose = Mapping[str, object]


def wanted(check_request: bool, preflight_check: bool | None) -> bool:
    """Whether to check: the newer name decides where it is given."""
    return check_request if preflight_check is None else preflight_check


class Publishing:
    """The part of ``iexec.order`` that talks to the marketplace.

    ``authorization`` is a signed :meth:`publish_challenge`, or None to sign with the wallet.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def publish_challenge(
        self, address: str | None = None, *, order: Order | None = None
    ) -> SigningRequest:
        """The login challenge for one publication or its withdrawal, to be signed elsewhere.

        ``address`` is who will sign, by default the owner of ``order``, else the wallet. A
        challenge serves once.
        """
        if order is not None and not isinstance(order, Order):
            raise ValidationError(f"order must be an order, not {type(order).__name__}")
        if order is not None and address is None:
            address = self._owner(order)
        return login_challenge(self._context, MARKET, self._context.market.challenge, address)

    # -- publish ------------------------------------------------------------------------------

    def publish_apporder(
        self,
        apporder: SignedApporder | Loose,
        *,
        preflight_check: bool = True,
        authorization: Given = None,
    ) -> str:
        """Offer to everybody, as the app's owner. Returns the order hash.

        ``preflight_check`` as for ``sign_apporder``.
        """
        order = SignedApporder.from_dict(apporder)
        self._check(order, preflight_check)
        return self._publish(order, authorization)

    def publish_datasetorder(
        self,
        datasetorder: SignedDatasetorder | Loose,
        *,
        preflight_check: bool = True,
        authorization: Given = None,
    ) -> str:
        """Offer to everybody, as the dataset's owner. Returns the order hash.

        ``preflight_check`` as for ``sign_datasetorder``.
        """
        order = SignedDatasetorder.from_dict(datasetorder)
        self._check(order, preflight_check)
        return self._publish(order, authorization)

    def publish_workerpoolorder(
        self, workerpoolorder: SignedWorkerpoolorder | Loose, *, authorization: Given = None
    ) -> str:
        """Offer to everybody, as the workerpool's owner. Returns the order hash."""
        return self._publish(SignedWorkerpoolorder.from_dict(workerpoolorder), authorization)

    def publish_requestorder(
        self,
        requestorder: SignedRequestorder | Loose,
        *,
        check_request: bool = True,
        preflight_check: bool | None = None,
        authorization: Given = None,
    ) -> str:
        """Ask everybody for work, as the requester. Returns the order hash.

        ``check_request`` (``preflight_check``) as for ``sign_requestorder``.
        """
        order = SignedRequestorder.from_dict(requestorder)
        self._check(order, wanted(check_request, preflight_check))
        return self._publish(order, authorization)

    def _publish(self, order: SignedOrder, authorization: Given) -> str:
        from .market import member, wrong  # not for who only signs

        context = self._context
        order_hash = orders.order_hash(order, context.domain)
        signed = read_given(authorization)
        sender = context.address if signed is None else signed.address
        owner = self._owner(order)
        if sender != owner:
            raise SignatureError(f"only order signer {owner} can publish an order, not {sender}")

        def check(answer: Loose) -> None:
            published = answer.get("published")
            if not answer.get("ok") or not isinstance(published, Mapping):
                raise MarketCallError("An error occured while publishing order")
            found = member(published, "orderHash", str)
            if found.lower() != order_hash:
                raise wrong(f"orderHash {shown(found)}, {order_hash} was published")

        try:
            self._write("POST", order, {"order": order.to_dict()}, signed, check)
        except MarketCallError as error:
            if error.details.get("outcome") != "unknown":
                raise
            self._look_up(order, order_hash, error)
        return order_hash

    def _look_up(self, order: SignedOrder, order_hash: str, error: MarketCallError) -> None:
        """After a lost answer: nothing if the order is there, else what is known."""
        from .market import fetch_order

        error.details["orderHash"] = order_hash
        try:
            fetch_order(self._context, type(order), order_hash)
        except IExecError:
            raise MarketCallError(
                f"It is unknown whether {order.name} {order_hash} was published: {error.message}. "
                "The marketplace does not show it now. Publishing the same signed order again is "
                "safe: it cannot be published twice",
                details=error.details,
                cause=error,
                retryable=True,
            ) from error

    # -- unpublish one ------------------------------------------------------------------------

    def unpublish_apporder(self, order_hash: str, *, authorization: Given = None) -> str:
        """Take one order off the marketplace; whoever has it can still match it (cancel!)."""
        return self._unpublish_one(Apporder, order_hash, authorization)

    def unpublish_datasetorder(self, order_hash: str, *, authorization: Given = None) -> str:
        """Take one order off the marketplace; whoever has it can still match it (cancel!)."""
        return self._unpublish_one(Datasetorder, order_hash, authorization)

    def unpublish_workerpoolorder(self, order_hash: str, *, authorization: Given = None) -> str:
        """Take one order off the marketplace; whoever has it can still match it (cancel!)."""
        return self._unpublish_one(Workerpoolorder, order_hash, authorization)

    def unpublish_requestorder(self, order_hash: str, *, authorization: Given = None) -> str:
        """Take one order off the marketplace; whoever has it can still match it (cancel!)."""
        return self._unpublish_one(Requestorder, order_hash, authorization)

    # -- unpublish the last -------------------------------------------------------------------

    def unpublish_last_apporder(self, app: str, *, authorization: Given = None) -> str:
        """Take back the app's order that was published last. Returns its hash."""
        return self._unpublish(Apporder, "unpublish_last", app, authorization)[0]

    def unpublish_last_datasetorder(self, dataset: str, *, authorization: Given = None) -> str:
        """Take back the dataset's order that was published last. Returns its hash."""
        return self._unpublish(Datasetorder, "unpublish_last", dataset, authorization)[0]

    def unpublish_last_workerpoolorder(
        self, workerpool: str, *, authorization: Given = None
    ) -> str:
        """Take back the workerpool's order that was published last. Returns its hash."""
        return self._unpublish(Workerpoolorder, "unpublish_last", workerpool, authorization)[0]

    def unpublish_last_requestorder(self, *, authorization: Given = None) -> str:
        """Take back the signer's request order that was published last. Returns its hash."""
        return self._unpublish(Requestorder, "unpublish_last", None, authorization)[0]

    # -- unpublish all ------------------------------------------------------------------------

    def unpublish_all_apporders(self, app: str, *, authorization: Given = None) -> list[str]:
        """Take back all open orders of the app. Returns their hashes, the newest first."""
        return self._unpublish(Apporder, "unpublish_all", app, authorization)

    def unpublish_all_datasetorders(
        self, dataset: str, *, authorization: Given = None
    ) -> list[str]:
        """Take back all open orders of the dataset. Returns their hashes, the newest first."""
        return self._unpublish(Datasetorder, "unpublish_all", dataset, authorization)

    def unpublish_all_workerpoolorders(
        self, workerpool: str, *, authorization: Given = None
    ) -> list[str]:
        """Take back all open orders of the workerpool. Returns their hashes, the newest first."""
        return self._unpublish(Workerpoolorder, "unpublish_all", workerpool, authorization)

    def unpublish_all_requestorders(self, *, authorization: Given = None) -> list[str]:
        """Take back all open request orders of the signer. Returns their hashes."""
        return self._unpublish(Requestorder, "unpublish_all", None, authorization)

    def _unpublish_one(self, kind: type[Order], order_hash: str, authorization: Given) -> str:
        from .market import wrong

        wanted = parse_bytes32(order_hash, "order_hash")
        body = {"target": "unpublish_orderHash", "orderHash": wanted}
        found = self._unpublished(kind, body, read_given(authorization))
        if found != [wanted]:
            raise wrong(f"unpublished {', '.join(found[:3])} where {wanted} was to be")
        return wanted

    def _unpublish(
        self, kind: type[Order], target: str, address: str | None, authorization: Given
    ) -> list[str]:
        """``address`` of what the orders offer; None for the signer's own (request orders)."""
        signed = read_given(authorization)
        if address is None:
            field, value = "requester", self._context.address if signed is None else signed.address
        else:
            field, value = kind.resource, self._context.resolve(address, kind.resource)
        return self._unpublished(kind, {"target": target, field: value}, signed)

    def _unpublished(
        self, kind: type[Order], body: Loose, signed: SignedRequest | None
    ) -> list[str]:
        from .market import hashes, wrong

        def read(answer: Loose) -> list[str]:
            if not answer.get("ok") or "unpublished" not in answer:
                raise MarketCallError("An error occured while unpublishing order")
            found = hashes(answer, "unpublished")
            if not found:
                raise wrong("nothing was unpublished")
            return found

        try:
            return read(self._write("PUT", kind, body, signed, read))
        except MarketCallError as error:
            if error.details.get("outcome") != "unknown":
                raise
            repeat = "takes back one more" if body["target"] == "unpublish_last" else "is safe"
            raise MarketCallError(
                f"It is unknown whether the {kind.name} was unpublished: {error.message}. "
                f"Unpublishing again {repeat}",
                details=error.details,
                cause=error,
            ) from error

    # -- shared -------------------------------------------------------------------------------

    def _write(
        self,
        method: str,
        kind: Order | type[Order],
        body: Loose,
        signed: SignedRequest | None,
        check: Callable[[Loose], object],
    ) -> dict[str, object]:
        """One authorized write. A challenge that was signed elsewhere serves for one attempt."""
        context = self._context
        market = context.market

        def prove() -> str:
            return str(authorize(context, MARKET, market.challenge, signed))

        again = signed is None
        return market.write(method, f"/{kind.name}s", body, prove, again=again, check=check)

    def _owner(self, order: Order) -> str:
        """Whose order this is: the requester's, or whoever owns now what it offers."""
        if isinstance(order, Requestorder):
            return order.requester
        from ..protocol.contracts import ENTRY

        return str(self._context.read(str(getattr(order, order.resource)), ENTRY.owner))

    def _check(self, order: Order, wished: bool) -> None:
        """Whether the order can be worked; offline there is nobody to ask."""
        if wished and not self._context.offline:
            from .request import check_order

            check_order(self._context, order)
