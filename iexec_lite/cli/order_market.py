"""``iexec-lite order publish | unpublish | cancel | show`` (cli.md §8.8, §9)."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from . import order_devices, orders, output, project, prompts, text, wallets

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..protocol.orders import SignedOrder
    from ..sdk.client import IExec
    from ..sdk.page import Page
    from ..sdk.records import MarketDeal, PublishedOrder

__all__ = ["cancel_orders", "publish_orders", "show_orders", "unpublish_orders"]


class _Market:
    """What publishing and unpublishing share: the client, and who proves who they are, and how."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        self.options = options
        self.names = orders.chosen(options)
        selection = project.selected_chain(options)
        selection.require("iexecGateway")
        self.chain = selection.chain
        self.export = options.export_challenge
        elsewhere = self.export is not None or options.authorization is not None
        if elsewhere and len(self.names) > 1:
            raise ConfigurationError("a challenge serves one order: give one of them at a time")
        self.authorization = None
        if options.authorization is not None:
            self.authorization = orders.read_document(options.authorization)
        self.wallet = None if elsewhere else wallets.require(options)
        self.client = stack.enter_context(project.connect(selection, options, self.wallet))

    def challenge(self, order: SignedOrder, order_hash: str) -> tuple[object, str]:
        """Write the challenge that the order's owner has to sign, instead of doing anything."""
        request = self.client.order.publish_challenge(order=order)
        order_devices.write(self.export, request.to_dict(), self.options)
        payload = {"orderHash": order_hash, "file": self.export, "address": request.address}
        told = order_devices.carry(self.export, request.address)
        return payload, f"{told}\n{order_devices.NEXT}"


def _hash(client: IExec, order: SignedOrder) -> str:
    found: str = getattr(client.order, f"hash_{order.name}")(order)
    return found


# -- publish ----------------------------------------------------------------------------------


def publish_orders(options: argparse.Namespace) -> output.Result:
    """Offer orders of orders.json to everybody; each after a question."""
    with ExitStack() as stack:
        market = _Market(options, stack)
        client, chain = market.client, market.chain

        def publish(resource: str) -> tuple[object, str]:
            kind = f"{resource}order"
            missing = f'Missing signed {kind} for chain {chain.id} in "orders.json"'
            order = orders.stored_order(chain, resource, missing)
            if market.export is not None:
                return market.challenge(order, _hash(client, order))
            question = f"Do you want to publish the following {kind}?"
            prompts.agree(question, options, about=orders.describe(order, chain))
            more = {}
            if resource != "workerpool":
                more["preflight_check"] = not options.skip_request_check
            with orders.checked():
                found = getattr(client.order, f"publish_{kind}")(
                    order, authorization=market.authorization, **more
                )
            return {"orderHash": found}, f"{kind} successfully published with orderHash {found}"

        return orders.attempt(market.names, publish, market.wallet).result("Failed to publish")


# -- unpublish --------------------------------------------------------------------------------


def unpublish_orders(options: argparse.Namespace) -> output.Result:
    """Take orders back: by their hash, or those of orders.json after a question."""
    with ExitStack() as stack:
        market = _Market(options, stack)
        client, chain = market.client, market.chain

        def unpublish(resource: str) -> tuple[object, str]:
            kind, given = f"{resource}order", getattr(options, resource)
            order = None
            if given is True:
                order = _own(chain, resource, options, "unpublish")
                order_hash = _hash(client, order)
            else:
                order_hash = orders.parse_hash(resource, given)
            if market.export is not None:
                if order is None:
                    order = orders.fetch(client, resource, order_hash, options)
                return market.challenge(order, order_hash)
            if order is not None:
                question = f"Do you want to unpublish the following {kind}?"
                prompts.agree(question, options, about=orders.describe(order, chain))
            found = getattr(client.order, f"unpublish_{kind}")(
                order_hash, authorization=market.authorization
            )
            return {"orderHash": found}, f"{kind} with orderHash {found} successfully unpublished"

        return orders.attempt(market.names, unpublish, market.wallet).result("Failed to unpublish")


def _own(chain: Chain, resource: str, options: argparse.Namespace, verb: str) -> SignedOrder:
    """The order of orders.json, where no hash was given."""
    kind = f"{resource}order"
    output.info(f"No orderHash specified for {verb} {kind}, using orders.json", options)
    return orders.stored_order(
        chain,
        resource,
        f'No orderHash specified and no signed {kind} found for chain {chain.id} in "orders.json"',
    )


# -- cancel -----------------------------------------------------------------------------------


def cancel_orders(options: argparse.Namespace) -> output.Result:
    """Cancel orders for good, each after a question: those of orders.json, or by their hash."""
    names = orders.chosen(options)
    selection = project.selected_chain(options)
    chain, wallet = selection.chain, wallets.require(options)
    with project.connect(selection, options, wallet) as client:

        def cancel(resource: str) -> tuple[object, str]:
            kind = f"{resource}order"
            order = _to_cancel(client, chain, resource, options)
            question = f"Do you want to cancel the following {kind}?"
            prompts.agree(question, options, about=orders.describe(order, chain))
            done = getattr(client.order, f"cancel_{kind}")(order, new=options.new)
            return {"txHash": done.tx_hash}, f"{kind} successfully canceled ({done.tx_hash})"

        return orders.attempt(names, cancel, wallet).result("Failed to cancel")


def _to_cancel(
    client: IExec, chain: Chain, resource: str, options: argparse.Namespace
) -> SignedOrder:
    """The order of orders.json; with a hash only if it is the one, else from the marketplace."""
    kind, given = f"{resource}order", getattr(options, resource)
    if given is True:
        missing = f'Missing signed {kind} for chain {chain.id} in "orders.json"'
        return orders.stored_order(chain, resource, missing)
    order_hash = orders.parse_hash(resource, given)
    if orders.stored(chain)[0].get(kind) is not None:
        order = orders.stored_order(chain, resource, "")
        if _hash(client, order) == order_hash:
            return order
    return orders.fetch(client, resource, order_hash, options)


# -- show -------------------------------------------------------------------------------------


def show_orders(options: argparse.Namespace) -> output.Result:
    """Orders as the marketplace has them, with ``--deals`` what was made of them."""
    names = orders.chosen(options)
    selection = project.selected_chain(options)
    selection.require("iexecGateway")
    chain = selection.chain
    with project.connect(selection, options) as client:

        def show(resource: str) -> tuple[object, str]:
            kind, given = f"{resource}order", getattr(options, resource)
            if given is True:
                output.info(f'No order hash specified, showing {kind} from "orders.json"', options)
                missing = f'Missing {kind} in "orders.json" for chain {chain.id}'
                order_hash = _hash(client, orders.stored_order(chain, resource, missing))
            else:
                order_hash = orders.parse_hash(resource, given)
            found = getattr(client.orderbook, f"fetch_{kind}")(order_hash)
            payload, shown = found.to_dict(), _shown(found, chain)
            if options.deals:
                deals = getattr(client.deal, f"fetch_deals_by_{kind}")(order_hash)
                last = [deal.to_dict() for deal in deals]
                payload["deals"] = {"count": deals.count, "lastDeals": last}
                shown += f"\n\n{_deals(deals, chain)}"
            return payload, shown

        return orders.attempt(names, show).result("Failed to show")


def _shown(found: PublishedOrder[SignedOrder], chain: Chain) -> str:
    about = {
        "status": found.status,
        "remaining": f"{found.remaining} of {found.order.volume}",
        "published": text.stamp(found.publication_timestamp, time.time()),
        "signer": found.signer,
        **orders.describe(found.order, chain),
    }
    headline = f"{found.order.name} with orderHash {found.order_hash} details:"
    return f"{headline}\n{output.render(about, 2)}"


def _deals(deals: Page[MarketDeal], chain: Chain) -> str:
    rows = [
        {
            "tasks": deal.bot_size,
            "price per task": text.rlc(
                deal.app.price + deal.dataset.price + deal.workerpool.price, chain.symbol
            ),
            "requester": deal.requester,
            "dealid": deal.dealid,
            "made": text.stamp(deal.block_timestamp, time.time()),
        }
        for deal in deals
    ]
    head = f"Deals count: {deals.count}"
    return f"{head}\nLast deals:\n{text.table(rows)}" if rows else head
