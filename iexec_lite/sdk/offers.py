"""The orders that a run needs: one's own are made, the others found on the market (cli.md §8.5).

The marketplace is not trusted. An order it lists is used only where the chain confirms what was
sold: the resource is registered, its owner has signed, something is left of the order, the owner of
a workerpool has the stake. Another is skipped for the next. A book begins with the cheapest, so it
ends for us where an order costs more than the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from ..errors import StateError
from ..frozen import Frozen
from ..log import log
from ..protocol import orders
from ..protocol.contracts import ENTRY, HUB, REGISTRY
from ..protocol.matching import WORKERPOOL_STAKE_RATIO, deal_tag
from ..protocol.orders import (
    NULL_ADDRESS,
    Apporder,
    Datasetorder,
    Order,
    SignedOrder,
    Workerpoolorder,
)
from ..protocol.rules import ALL_BITS, TEE
from ..protocol.tag import from_mask, missing_bits, to_mask
from ..protocol.units import format_rlc
from .facts import offer_facts
from .orderbook import Orderbook
from .plan import PlannedOrder, Wish

if TYPE_CHECKING:
    from .context import Context
    from .page import Page
    from .records import PublishedOrder

__all__ = ["Offers", "require_deployed"]

O = TypeVar("O", bound=Order)  # noqa: E741
S = TypeVar("S", bound=SignedOrder)
T = TypeVar("T")

MAX_PAGES = 5  # of one book that are looked through; a liar has no end of orders


def require_deployed(context: Context, kind: str, address: str) -> str:
    """Address of the owner of an app, dataset or workerpool. StateError where there is none."""
    if not context.read(context.registry(kind), REGISTRY.isRegistered, address):
        raise StateError(f"No {kind} deployed at address {address}")
    return str(context.read(address, ENTRY.owner))


class Offers(Frozen, kw_only=False):
    """Finds the orders for one run."""

    context: Context
    wish: Wish

    def find(
        self,
    ) -> tuple[
        PlannedOrder[Apporder], PlannedOrder[Datasetorder] | None, PlannedOrder[Workerpoolorder]
    ]:
        """The three, each the cheapest that can be used. StateError where there is none."""
        app = self._app()
        dataset = self._dataset()
        return app, dataset, self._workerpool(app.order, dataset.order if dataset else None)

    def _app(self) -> PlannedOrder[Apporder]:
        context, request = self.context, self.wish.request
        rules = context.chain.rules
        if self._is_own("app"):
            return self._own(orders.create_apporder, app=request.app, tag=request.tag)
        framework = from_mask(to_mask(request.tag) & (TEE | rules.deal_tag))
        page = Orderbook(context).fetch_app_orderbook(
            request.app,
            dataset=_some(request.dataset),
            workerpool=_some(request.workerpool),
            requester=request.requester,
            min_tag=framework if to_mask(framework) else None,
            max_tag=request.tag,
        )
        found, why = self._first(page)
        if found is None:
            raise StateError(f"No order available for app {request.app}{why}")
        return found

    def _dataset(self) -> PlannedOrder[Datasetorder] | None:
        context, request = self.context, self.wish.request
        if request.dataset == NULL_ADDRESS:
            return None
        if self._is_own("dataset"):
            return self._own(orders.create_datasetorder, dataset=request.dataset, tag=request.tag)
        # Where some bits do not count, no search can say so: the tag is looked at here.
        exact = context.chain.rules.dataset_tag_mask == ALL_BITS
        page = Orderbook(context).fetch_dataset_orderbook(
            request.dataset,
            app=request.app,
            workerpool=_some(request.workerpool),
            requester=request.requester,
            max_tag=request.tag if exact else None,
        )
        found, why = self._first(page)
        if found is None:
            raise StateError(f"No order available for dataset {request.dataset}{why}")
        return found

    def _workerpool(
        self, app: Apporder, dataset: Datasetorder | None
    ) -> PlannedOrder[Workerpoolorder]:
        context, request = self.context, self.wish.request
        tag = deal_tag(app, dataset, request, context.chain.rules)
        if request.workerpool != NULL_ADDRESS and self._is_own("workerpool"):
            return self._own(
                orders.create_workerpoolorder,
                workerpool=request.workerpool,
                tag=tag,
                trust=request.trust,
                category=self.wish.category or 0,
            )
        why = ""
        for category in self._categories():
            page = Orderbook(context).fetch_workerpool_orderbook(
                category=category,
                app=request.app,
                dataset=_some(request.dataset),
                workerpool=_some(request.workerpool),
                requester=request.requester,
                min_tag=tag,
                min_trust=request.trust,
            )
            found, reason = self._first(page)
            if found is not None:
                return found
            why = why or reason
        text = "No workerpoolorder matching your conditions "
        if self.wish.category is None:
            raise StateError(f"{text}currently available{why}")
        raise StateError(f"{text}available in category {self.wish.category}{why}")

    def _categories(self) -> range:
        """Those to look in, in this order."""
        if self.wish.category is not None:
            return range(self.wish.category, self.wish.category + 1)
        return range(int(str(self.context.read(self.context.hub, HUB.countCategory))))

    # -- one's own ----------------------------------------------------------------------------

    def _is_own(self, kind: str) -> bool:
        """Whether the requester owns the resource, which must exist."""
        owner = require_deployed(self.context, kind, getattr(self.wish.request, kind))
        return owner == self.wish.request.requester

    def _own(self, create: Callable[..., O], **fields: object) -> PlannedOrder[O]:
        """An order for this one task, for nothing, of the requester for the requester."""
        rules, requester = self.context.chain.rules, self.wish.request.requester
        order = create(rules=rules, volume=1, requesterrestrict=requester, **fields)
        return PlannedOrder(to_sign=True, order=order)

    # -- those of others ----------------------------------------------------------------------

    def _first(self, page: Page[PublishedOrder[S]]) -> tuple[PlannedOrder[S] | None, str]:
        """The first order of a book that can be used; else why there is none, for a message."""
        for found in _first_pages(page):
            order, order_hash = found.order, found.order_hash
            price, limit = _price(order), self.wish.limits[order.resource]
            if limit is not None and price > limit:
                return None, (
                    f" for at most {format_rlc(limit)} RLC: the next one costs "
                    f"{format_rlc(price)} RLC"
                )
            fault = self._fault(order)
            if fault is None:
                return PlannedOrder(to_sign=False, order_hash=order_hash, order=order), ""
            log.info("skipping %s %s: %s", order.name, order_hash, fault)
        return None, ""

    def _fault(self, order: SignedOrder) -> str | None:
        """What keeps an order from being used, if anything."""
        request = self.wish.request
        for kind in ("app", "dataset", "workerpool", "requester"):
            restrict = getattr(order, f"{kind}restrict", NULL_ADDRESS)
            if restrict not in (NULL_ADDRESS, getattr(request, kind)):
                return f"it is restricted to {kind} {restrict}"
        if isinstance(order, Workerpoolorder) and order.trust < request.trust:
            return f"its trust is {order.trust}, {request.trust} is asked for"  # 0 is listed for 1
        if isinstance(order, Datasetorder):
            counted = to_mask(order.tag) & self.context.chain.rules.dataset_tag_mask
            if missing_bits(request.tag, from_mask(counted)):
                return "it needs tags that were not asked for"
        facts, stake = offer_facts(self.context, order)
        if not facts.registered:
            return f"No {order.resource} deployed at address {getattr(order, order.resource)}"
        if not facts.signed:
            return f"it is not signed by the {order.resource}'s owner {facts.owner}"
        if facts.consumed >= order.volume:
            return "it is fully consumed"
        if isinstance(order, Workerpoolorder):
            needed = order.workerpoolprice * WORKERPOOL_STAKE_RATIO // 100
            if stake < needed:
                return f"the stake of the workerpool's owner is {stake}, {needed} is needed"
        return None


def _first_pages(page: Page[T]) -> Iterator[T]:
    """The items of a page and of a few that follow."""
    for _ in range(MAX_PAGES - 1):
        yield from page
        following = page.next()
        if following is None:
            return
        page = following
    yield from page


def _some(address: str) -> str | None:
    return None if address == NULL_ADDRESS else address


def _price(order: Order) -> int:
    return int(getattr(order, f"{order.resource}price"))
