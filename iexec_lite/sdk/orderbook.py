"""Order books and published orders of the marketplace (api.md; services.md §1.4–5; today.md §1.3).

Filters are checked before anything is sent, all faults are told at once. What the marketplace
answers is held against what was asked (``market.py``); it is its own word which orders it lists,
and in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ..errors import ValidationError
from ..protocol.columns import parse_bytes32
from ..protocol.ens import is_name
from ..protocol.orders import (
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from ..protocol.rules import AGNOSTIC, Rules
from ..protocol.tag import parse_tag
from ..protocol.units import shown
from ..protocol.values import check_address, read_uint
from .context import Context
from .market import ANY, fetch_order, fetch_orders
from .page import Page
from .records import PublishedOrder

__all__ = ["Orderbook"]

S = TypeVar("S", bound=SignedOrder)
Tag = str | Iterable[str]  # bytes32, names joined by commas, or names

MAX_NUMBER = (1 << 53) - 2  # what every version of the marketplace takes


class Orderbook:
    """Reached as ``iexec.orderbook``; needs no signer.

    Addresses as filters: the order's own; of a restriction, those open to all and those restricted
    to it, only the latter with ``is_…_strict``. On today's networks ``"any"`` is no filter where
    an address would leave something out. ``min_tag`` must be in the order's tag, which must be in
    ``max_tag``. ``page`` counts from 0, ``page_size`` can be chosen on today's networks.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def fetch_app_orderbook(
        self,
        app: str | None = None,
        *,
        app_owner: str | None = None,
        dataset: str | None = None,
        workerpool: str | None = None,
        requester: str | None = None,
        min_tag: Tag | None = None,
        max_tag: Tag | None = None,
        min_volume: int | None = None,
        is_dataset_strict: bool = False,
        is_workerpool_strict: bool = False,
        is_requester_strict: bool = False,
        page: int = 0,
        page_size: int | None = None,
    ) -> Page[PublishedOrder[SignedApporder]]:
        """Open orders of an app (or of all apps of an owner), the cheapest first."""
        return self._fetch(
            SignedApporder,
            page,
            page_size,
            app=app,
            appOwner=app_owner,
            dataset=dataset,
            workerpool=workerpool,
            requester=requester,
            minTag=min_tag,
            maxTag=max_tag,
            minVolume=min_volume,
            isDatasetStrict=is_dataset_strict,
            isWorkerpoolStrict=is_workerpool_strict,
            isRequesterStrict=is_requester_strict,
        )

    def fetch_dataset_orderbook(
        self,
        dataset: str | None = None,
        *,
        dataset_owner: str | None = None,
        app: str | None = None,
        workerpool: str | None = None,
        requester: str | None = None,
        min_tag: Tag | None = None,
        max_tag: Tag | None = None,
        min_volume: int | None = None,
        bulk_only: bool = False,
        is_app_strict: bool = False,
        is_workerpool_strict: bool = False,
        is_requester_strict: bool = False,
        page: int = 0,
        page_size: int | None = None,
    ) -> Page[PublishedOrder[SignedDatasetorder]]:
        """Open orders of a dataset (or of all datasets of an owner), the cheapest first."""
        return self._fetch(
            SignedDatasetorder,
            page,
            page_size,
            dataset=dataset,
            datasetOwner=dataset_owner,
            app=app,
            workerpool=workerpool,
            requester=requester,
            minTag=min_tag,
            maxTag=max_tag,
            minVolume=min_volume,
            bulkOnly=bulk_only,
            isAppStrict=is_app_strict,
            isWorkerpoolStrict=is_workerpool_strict,
            isRequesterStrict=is_requester_strict,
        )

    def fetch_workerpool_orderbook(
        self,
        *,
        workerpool: str | None = None,
        workerpool_owner: str | None = None,
        category: int | str | None = None,
        app: str | None = None,
        dataset: str | None = None,
        requester: str | None = None,
        min_tag: Tag | None = None,
        max_tag: Tag | None = None,
        min_trust: int | None = None,
        min_volume: int | None = None,
        is_app_strict: bool = False,
        is_dataset_strict: bool = False,
        is_requester_strict: bool = False,
        page: int = 0,
        page_size: int | None = None,
    ) -> Page[PublishedOrder[SignedWorkerpoolorder]]:
        """Open workerpool orders, the cheapest first. ``min_trust`` 0 is no filter."""
        return self._fetch(
            SignedWorkerpoolorder,
            page,
            page_size,
            workerpool=workerpool,
            workerpoolOwner=workerpool_owner,
            category=category,
            app=app,
            dataset=dataset,
            requester=requester,
            minTag=None if min_tag == "" else min_tag,  # here alone: services.md §1.4
            maxTag=None if max_tag == "" else max_tag,
            minTrust=min_trust,
            minVolume=min_volume,
            isAppStrict=is_app_strict,
            isDatasetStrict=is_dataset_strict,
            isRequesterStrict=is_requester_strict,
        )

    def fetch_request_orderbook(
        self,
        *,
        requester: str | None = None,
        beneficiary: str | None = None,
        category: int | str | None = None,
        app: str | None = None,
        dataset: str | None = None,
        workerpool: str | None = None,
        min_tag: Tag | None = None,
        max_tag: Tag | None = None,
        max_trust: int | None = None,
        min_volume: int | None = None,
        is_workerpool_strict: bool = False,
        page: int = 0,
        page_size: int | None = None,
    ) -> Page[PublishedOrder[SignedRequestorder]]:
        """Open request orders, the best paying first. ``max_trust`` 0 is a filter."""
        return self._fetch(
            SignedRequestorder,
            page,
            page_size,
            requester=requester,
            beneficiary=beneficiary,
            category=category,
            app=app,
            dataset=dataset,
            workerpool=workerpool,
            minTag=min_tag,
            maxTag=max_tag,
            maxTrust=max_trust,
            minVolume=min_volume,
            isWorkerpoolStrict=is_workerpool_strict,
        )

    def fetch_apporder(self, order_hash: str) -> PublishedOrder[SignedApporder]:
        """The published app order, whatever its status. MarketCallError where there is none."""
        return self._fetch_one(SignedApporder, order_hash)

    def fetch_datasetorder(self, order_hash: str) -> PublishedOrder[SignedDatasetorder]:
        """The published dataset order, whatever its status. MarketCallError where there is none."""
        return self._fetch_one(SignedDatasetorder, order_hash)

    def fetch_workerpoolorder(self, order_hash: str) -> PublishedOrder[SignedWorkerpoolorder]:
        """The published pool order, whatever its status. MarketCallError where there is none."""
        return self._fetch_one(SignedWorkerpoolorder, order_hash)

    def fetch_requestorder(self, order_hash: str) -> PublishedOrder[SignedRequestorder]:
        """The published request order, whatever its status. MarketCallError where there is none."""
        return self._fetch_one(SignedRequestorder, order_hash)

    def _fetch_one(self, kind: type[S], order_hash: str) -> PublishedOrder[S]:
        return fetch_order(self._context, kind, parse_bytes32(order_hash, "order_hash"))

    def _fetch(
        self, kind: type[S], page: int, page_size: int | None, **filters: object
    ) -> Page[PublishedOrder[S]]:
        for name in filters.keys() - _READERS.keys():
            if is_name(filters[name]):
                filters[name] = self._context.resolve(filters[name], name)
        query = _query(filters, self._context.chain.rules)
        own = kind.resource
        if own in ("app", "dataset") and not {own, f"{own}Owner"} & query.keys():
            raise ValidationError(f"{own} or {own}_owner is required")
        return fetch_orders(self._context, kind, query, page=page, page_size=page_size)


# --- filters --------------------------------------------------------------------------------------


def _query(filters: dict[str, object], rules: Rules) -> dict[str, object]:
    """What is sent: the filters that were given, checked, without those that filter nothing."""
    query: dict[str, object] = {}
    faults = []
    for name, value in filters.items():
        if value is None:
            continue
        try:
            found = _READERS.get(name, _address)(name, value, rules)
        except ValidationError as error:
            faults.append(f"{name}: {error.message}")
        else:
            if found is not None:
                query[name] = found
    if faults:
        raise ValidationError.collect(faults)
    return query


def _address(name: str, value: object, rules: Rules) -> object:
    if name in ("appOwner", "datasetOwner"):
        _supported(rules.market_owner_search)
    if value == ANY and rules.market_owner_search and name != "workerpoolOwner":
        return ANY
    return check_address(value)


def _category(_: str, value: object, __: Rules) -> object:
    return read_uint(value)


def _tag(_: str, value: object, rules: Rules) -> object:
    names = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
    return parse_tag(names, rules, use=AGNOSTIC)


def _number(name: str, value: object, _: Rules) -> object:
    """0 filters nothing, but a trust of at most 0 does."""
    if isinstance(value, str):
        value = read_uint(value)
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise ValidationError(f"{shown(value)} is not an integer from 0 to {MAX_NUMBER}")
    return value if value or name == "maxTrust" else None


def _strict(_: str, value: object, rules: Rules) -> object:
    return _flag(value, rules.market_strict_flags)


def _bulk(_: str, value: object, rules: Rules) -> object:
    return _flag(value, rules.market_bulk_filter)


def _flag(value: object, known: bool) -> object:
    """Sent even when it is false, where the marketplace knows it."""
    if not isinstance(value, bool):
        raise ValidationError(
            f'must be a `boolean` type, but the final value was: `"{shown(value)}"`.'
        )
    if value:
        _supported(known)
    return str(value).lower() if known else None


def _supported(known: bool) -> None:
    if not known:
        raise ValidationError("the marketplace of this network has no such filter")


_READERS: dict[str, Callable[[str, object, Rules], object]] = {
    "category": _category,
    "minTag": _tag,
    "maxTag": _tag,
    "minVolume": _number,
    "minTrust": _number,
    "maxTrust": _number,
    "bulkOnly": _bulk,
    "isAppStrict": _strict,
    "isDatasetStrict": _strict,
    "isWorkerpoolStrict": _strict,
    "isRequesterStrict": _strict,
}
