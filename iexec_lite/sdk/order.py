"""Orders: create, sign, hash, cancel (chain.md §2); see ``matching.py`` and ``publish.py`` too.

Creating, signing and hashing are pure (``protocol/orders.py``); this module adds what needs a
network: whether the wallet owns the resource, and what is left of an order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import IExecError, StateError
from ..log import log
from ..protocol import detached, orders
from ..protocol.detached import SignedRequest, SigningRequest
from ..protocol.orders import (
    Apporder,
    Datasetorder,
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
    Workerpoolorder,
)
from ..protocol.tag import missing_bits, parse_tag, tag_names
from ..protocol.values import parse_address
from .matching import Matching
from .publish import wanted

if TYPE_CHECKING:
    from ..protocol.methods import Method
    from .matching import AnyApporder, AnyDatasetorder, AnyWorkerpoolorder
    from .records import CancelledOrder, DatasetBulk, PublishedOrder

__all__ = ["Orders"]


O = TypeVar("O", bound=orders.Order)  # noqa: E741
S = TypeVar("S", bound=SignedOrder)
Loose = Mapping[str, object]


class Orders(Matching):
    """Reached as ``iexec.order``. Every method takes an order record or its JSON dictionary."""

    # -- create -------------------------------------------------------------------------------

    def create_apporder(
        self, app: str, *, tag_as_given: bool = False, **fields: object
    ) -> Apporder:
        """An app order with defaults: price 0, volume 1, no tag, no restriction.

        ``fields``: ``appprice`` (nRLC or ``"5 RLC"``), ``volume``, ``tag`` (names or bytes32),
        ``datasetrestrict``, ``workerpoolrestrict``, ``requesterrestrict``. Where the network
        demands tag bits they are added, unless ``tag_as_given``.
        """
        return self._create(Apporder, tag_as_given, fields, app=app)

    def create_datasetorder(
        self, dataset: str, *, tag_as_given: bool = False, **fields: object
    ) -> Datasetorder:
        """A dataset order with defaults; fields as :meth:`create_apporder`, ``datasetprice``."""
        return self._create(Datasetorder, tag_as_given, fields, dataset=dataset)

    def create_workerpoolorder(
        self,
        workerpool: str,
        category: int | str,
        *,
        tag_as_given: bool = False,
        **fields: object,
    ) -> Workerpoolorder:
        """A workerpool order with defaults; ``workerpoolprice``, ``trust`` and the like."""
        return self._create(
            Workerpoolorder,
            tag_as_given,
            fields,
            workerpool=workerpool,
            category=category,
        )

    def create_requestorder(
        self, app: str, category: int | str, *, tag_as_given: bool = False, **fields: object
    ) -> Requestorder:
        """A request order with defaults: the wallet is requester and beneficiary, no dataset.

        ``params`` is a dictionary, JSON text or bare text (which becomes ``iexec_args``); it is
        completed as the network's workers expect and kept as the text that will be signed.
        """
        context = self._context
        if fields.get("requester") is None:
            fields["requester"] = context.address
        return self._create(
            Requestorder,
            tag_as_given,
            fields,
            app=app,
            category=category,
            result_proxy=context.chain.result_proxy,
        )

    def create_matching_requestorder(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        datasetorder: AnyDatasetorder | None = None,
        tag_as_given: bool = False,
        **fields: object,
    ) -> Requestorder:
        """The request order that buys one task of these offers: at their prices, from this pool.

        ``fields`` are those of a request order (``params``, ``volume``, ``requester`` …) and go
        before what follows from the offers. :meth:`match_orders` takes it unsigned.
        """
        from .match import terms

        offers = terms(apporder, datasetorder, workerpoolorder)
        return self.create_requestorder(tag_as_given=tag_as_given, **{**offers, **fields})  # type: ignore[arg-type]

    def _create(
        self,
        kind: type[O],
        tag_as_given: bool,
        fields: Loose,
        **own: object,
    ) -> O:
        create: Callable[..., O] = getattr(orders, f"create_{kind.name}")
        chain = self._context.chain
        given = self._context.addresses(kind, {**fields, **own})
        order = create(rules=chain.rules, tag_as_given=tag_as_given, **given)
        if chain.rules.forced_tag and missing_bits(
            parse_tag(fields.get("tag") or (), chain.rules), order.tag
        ):
            names = ",".join(tag_names(order.tag, chain.rules))
            log.info("tag %s: %s demands it of every order", names, chain.name)
        return order

    # -- sign ---------------------------------------------------------------------------------

    def sign_apporder(
        self, apporder: Apporder | Loose, *, preflight_check: bool = True
    ) -> SignedApporder:
        """Sign as the app's owner (checked on chain unless offline).

        ``preflight_check`` first looks whether the network would run the app, where it is one of
        today's; offline there is nobody to ask, and it is skipped.
        """
        order = self._owned(self._context.record(Apporder, apporder))
        self._check(order, preflight_check)
        return orders.sign_order(order, self._context.signer, self._context.domain)

    def sign_datasetorder(
        self, datasetorder: Datasetorder | Loose, *, preflight_check: bool = True
    ) -> SignedDatasetorder:
        """Sign as the dataset's owner (checked on chain unless offline).

        ``preflight_check`` first asks the SMS of today's networks whether the dataset's key is
        there, if the order's tag says that it is encrypted.
        """
        order = self._owned(self._context.record(Datasetorder, datasetorder))
        self._check(order, preflight_check)
        return orders.sign_order(order, self._context.signer, self._context.domain)

    def sign_workerpoolorder(
        self, workerpoolorder: Workerpoolorder | Loose
    ) -> SignedWorkerpoolorder:
        """Sign as the workerpool's owner (checked on chain unless offline)."""
        order = self._owned(self._context.record(Workerpoolorder, workerpoolorder))
        return orders.sign_order(order, self._context.signer, self._context.domain)

    def sign_requestorder(
        self,
        requestorder: Requestorder | Loose,
        *,
        check_request: bool = True,
        preflight_check: bool | None = None,
    ) -> SignedRequestorder:
        """Sign as the requester.

        ``check_request`` first asks the SMS whether the keys and tokens that the request needs are
        there (chain.md §7.5); offline there is nobody to ask, and it is skipped. Its newer name is
        ``preflight_check``.
        """
        order = self._context.record(Requestorder, requestorder)
        self._check(order, wanted(check_request, preflight_check))
        return orders.sign_order(order, self._context.signer, self._context.domain)

    def sign_many(
        self, kind: str, given: Iterable[orders.Order | Loose], *, jobs: int = 1
    ) -> Generator[SignedOrder | IExecError, None, None]:
        """Sign any number of orders of one ``kind`` (``"requestorder"``), in their order.

        Each of ``given`` is a record, or a dictionary of what ``create_…order`` takes. An order
        that is refused gives its error in its place, and the rest goes on. No more than some
        hundreds are held at a time. Nobody is asked about ownership or secrets. ``jobs`` processes
        share the work, where the signer holds its key; a script that asks for them needs the usual
        ``if __name__ == "__main__":``. Closing the generator ends them.
        """
        from .signing import sign_many

        return sign_many(self._context, kind, given, jobs)

    def sign_lines(
        self, kind: str, lines: Iterable[str | bytes], *, jobs: int = 1
    ) -> Generator[str | IExecError, None, None]:
        """As :meth:`sign_many`, from JSON text to JSON text: a line for each order."""
        from .signing import sign_lines

        return sign_lines(self._context, kind, lines, jobs)

    # -- sign elsewhere -----------------------------------------------------------------------

    def sign_apporder_request(
        self,
        apporder: Apporder | Loose,
        *,
        address: str | None = None,
        preflight_check: bool = True,
    ) -> SigningRequest:
        """What the app's owner has to sign on another machine: carry it there and back.

        ``address`` is who will sign: the owner by default (offline: the wallet). What comes back
        goes to :meth:`import_signed_order`. Each request has a salt of its own, so each is an order
        of its own.
        """
        order = self._context.record(Apporder, apporder)
        self._check(order, preflight_check)
        return self._request(order, address)

    def sign_datasetorder_request(
        self,
        datasetorder: Datasetorder | Loose,
        *,
        address: str | None = None,
        preflight_check: bool = True,
    ) -> SigningRequest:
        """What the dataset's owner has to sign; see :meth:`sign_apporder_request`."""
        order = self._context.record(Datasetorder, datasetorder)
        self._check(order, preflight_check)
        return self._request(order, address)

    def sign_workerpoolorder_request(
        self, workerpoolorder: Workerpoolorder | Loose, *, address: str | None = None
    ) -> SigningRequest:
        """What the workerpool's owner has to sign; see :meth:`sign_apporder_request`."""
        return self._request(self._context.record(Workerpoolorder, workerpoolorder), address)

    def sign_requestorder_request(
        self,
        requestorder: Requestorder | Loose,
        *,
        check_request: bool = True,
        preflight_check: bool | None = None,
    ) -> SigningRequest:
        """What the requester has to sign; see :meth:`sign_apporder_request`."""
        order = self._context.record(Requestorder, requestorder)
        self._check(order, wanted(check_request, preflight_check))
        return self._request(order, order.requester)

    def _request(self, order: orders.Order, address: str | None) -> SigningRequest:
        context = self._context
        signer = None if address is None else parse_address(address)
        if context.offline:
            signer = signer or context.address
        else:
            owner = self._owner(order)
            if signer not in (None, owner):
                raise StateError(
                    f"Invalid order signer, must be the resource owner (expected {owner}, got "
                    f"{signer})"
                )
            signer = owner
        return detached.order_request(order, signer, context.domain)

    def import_signed_order(self, document: SignedRequest | Loose) -> SignedOrder:
        """The order in a request that was signed elsewhere, once its signature is verified.

        SignatureError for a signature by anybody but the address that was asked, ValidationError
        for an order of another chain or hub.
        """
        found = (
            document if isinstance(document, SignedRequest) else SignedRequest.from_dict(document)
        )
        return detached.signed_order(found, self._context.domain)

    def _owned(self, order: O) -> O:
        """The order, if the wallet owns what it offers."""
        context = self._context
        if not context.offline:
            text = "Invalid order signer, must be the resource owner"
            context.require_address(self._owner(order), text)
        return order

    # -- hash ---------------------------------------------------------------------------------

    def hash_apporder(self, apporder: SignedApporder | Loose) -> str:
        """Hash of a salted order, ``0x`` bytes32; a signature is not needed."""
        return self._hash(SignedApporder, apporder)

    def hash_datasetorder(self, datasetorder: SignedDatasetorder | Loose) -> str:
        """Hash of a salted order, ``0x`` bytes32; a signature is not needed."""
        return self._hash(SignedDatasetorder, datasetorder)

    def hash_workerpoolorder(self, workerpoolorder: SignedWorkerpoolorder | Loose) -> str:
        """Hash of a salted order, ``0x`` bytes32; a signature is not needed."""
        return self._hash(SignedWorkerpoolorder, workerpoolorder)

    def hash_requestorder(self, requestorder: SignedRequestorder | Loose) -> str:
        """Hash of a salted order, ``0x`` bytes32; a signature is not needed."""
        return self._hash(SignedRequestorder, requestorder)

    def _hash(self, kind: type[S], order: S | Loose) -> str:
        if isinstance(order, Mapping) and "sign" not in order:
            order = {**order, "sign": "0x"}
        return orders.order_hash(self._context.record(kind, order), self._context.domain)

    # -- cancel -------------------------------------------------------------------------------

    def cancel_apporder(
        self, apporder: SignedApporder | Loose, *, new: bool = False
    ) -> CancelledOrder:
        """Cancel on chain, for good. Raises StateError where nothing is left to cancel."""
        return self._cancel(SignedApporder.from_dict(apporder), new)

    def cancel_datasetorder(
        self, datasetorder: SignedDatasetorder | Loose, *, new: bool = False
    ) -> CancelledOrder:
        """Cancel on chain, for good. Raises StateError where nothing is left to cancel."""
        return self._cancel(SignedDatasetorder.from_dict(datasetorder), new)

    def cancel_workerpoolorder(
        self, workerpoolorder: SignedWorkerpoolorder | Loose, *, new: bool = False
    ) -> CancelledOrder:
        """Cancel on chain, for good. Raises StateError where nothing is left to cancel."""
        return self._cancel(SignedWorkerpoolorder.from_dict(workerpoolorder), new)

    def cancel_requestorder(
        self, requestorder: SignedRequestorder | Loose, *, new: bool = False
    ) -> CancelledOrder:
        """Cancel on chain, for good. Raises StateError where nothing is left to cancel."""
        return self._cancel(SignedRequestorder.from_dict(requestorder), new)

    def _cancel(self, order: SignedOrder, new: bool) -> CancelledOrder:
        from ..protocol.contracts import EVENTS, HUB
        from .records import CancelledOrder

        context = self._context
        order_hash = orders.order_hash(order, context.domain)

        def check() -> None:
            consumed = int(str(context.read(context.hub, HUB.viewConsumed, order_hash)))
            if consumed >= order.volume:
                raise StateError(
                    f"{order.name} already canceled", details={"orderHash": order_hash}
                )
            owner = self._owner(order)
            if owner != context.address:
                raise StateError(f"only {owner} can cancel this {order.name}: it is the owner")

        manage: Method = getattr(HUB, f"manage{order.solidity}")
        closed = getattr(EVENTS, f"Closed{order.solidity}")
        sent = context.send(
            f"cancel{order.solidity}",
            {"orderHash": order_hash},
            context.hub,
            manage.encode(orders.cancel_operation(order)),
            expect=[(closed, context.hub)],
            check=check,
            new=new,
        )
        return CancelledOrder(order=order, tx_hash=sent.tx_hash)

    # -- in bulk ------------------------------------------------------------------------------

    def prepare_dataset_bulk(
        self,
        datasetorders: Sequence[SignedDatasetorder | PublishedOrder[SignedDatasetorder] | Loose],
        *,
        max_dataset_per_task: int = 100,
        app: str | None = None,
        workerpool: str | None = None,
        requester: str | None = None,
        copy_to: Sequence[str] = (),
        preflight_check: bool = True,
    ) -> DatasetBulk:
        """Upload dataset orders so that one request order uses them all, some in each task.

        The orders are free and endless (price 0, volume ``utils.DATASET_INFINITE_VOLUME``). Give
        the result's ``cid`` as ``bulk_cid`` in the params of a request order without dataset, and
        its ``volume``. Whatever would make workers pass over a dataset is looked for first, and
        told at once with the indexes: signature, volume, dataset key (``preflight_check``), and
        restrictions, as far as ``app``, ``workerpool`` and ``requester`` are given. ``copy_to`` are
        IPFS nodes that get a copy, if they will.
        """
        from .bulk import prepare

        given = {"app": app, "workerpool": workerpool, "requester": requester}
        resolve = self._context.resolve
        return prepare(
            self._context,
            datasetorders,
            max_dataset_per_task,
            parties={k: None if v is None else resolve(v, k) for k, v in given.items()},
            copy_to=copy_to,
            check=preflight_check,
        )
