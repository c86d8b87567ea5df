"""``iexec-lite order fill | check``: orders into a deal, or why that would not go (cli.md §8.8)."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from . import orders, output, project, wallets

if TYPE_CHECKING:
    from ..protocol.chains import Selection
    from ..protocol.orders import Order, SignedOrder
    from ..sdk.client import IExec
    from ..sdk.records import MatchCheck, MatchResult

__all__ = ["check_orders", "fill_orders"]

LISTED = 10  # tasks of a deal that a person is shown


def fill_orders(options: argparse.Namespace) -> output.Result:
    """Buy. A request order that is not there is made for the offers, and signed after a question.

    Such a purchase, cut off and given again, is resumed: its request order is kept with it.
    """
    selection = project.selected_chain(options)
    wallet = wallets.require(options)
    if not options.skip_request_check:
        selection.require("sms")
    with project.connect(selection, options, wallet) as client:
        found = _orders(client, selection, options, wallet.address)
        request = found["requestorder"]
        if not hasattr(request, "sign"):
            wallet.ask(
                "the following requestorder has been created, do you want to sign it and complete "
                "your purchase?",
                orders.describe(request, selection.chain),
            )
        with orders.checked():
            more = {"check_request": not options.skip_request_check, "new": options.new}
            if options.sponsor:
                made = client.order.sponsor_match_orders(**found, **more)  # type: ignore[arg-type]
            else:
                more["deposit"] = options.deposit
                made = client.order.match_orders(**found, **more)  # type: ignore[arg-type]
    payload = {"dealid": made.dealid, "volume": str(made.volume), "txHash": made.tx_hash}
    return output.Result(payload=payload, text=_bought(made))


def _bought(made: MatchResult) -> str:
    tasks = f"{made.volume} task{'' if made.volume == 1 else 's'}"
    lines = [f"{tasks} successfully purchased with dealid {made.dealid}"]
    lines += [f"  task {i}: {taskid}" for i, taskid in list(made.taskids.items())[:LISTED]]
    if made.volume > LISTED:
        lines.append(f"  and {made.volume - LISTED} more")
    return "\n".join(lines)


# -- check ------------------------------------------------------------------------------------


def check_orders(options: argparse.Namespace) -> output.Result:
    """What the match would cost, and everything that stands against it; fails if something does."""
    selection = project.selected_chain(options)
    wallet = wallets.find(options)
    if not options.skip_request_check:
        selection.require("sms")
    with project.connect(selection, options) as client:
        found = _orders(client, selection, options, None if wallet is None else wallet.address)
        report = client.order.check_match_orders(
            **found,  # type: ignore[arg-type]
            check_request=not options.skip_request_check,
        )
    return output.Result(
        payload=report.to_dict(),
        text=_explained(report, selection.chain.symbol),
        failures=[orders.skippable(each.code, each.text) for each in report.reasons],
        title="These orders would not match",
        listed=False,
    )


def _explained(report: MatchCheck, symbol: str) -> str:
    from . import text

    def rlc(nrlc: int) -> str:
        return text.rlc(nrlc, symbol)

    parts = {
        "app": report.app_price,
        "dataset": report.dataset_price,
        "workerpool": report.workerpool_price,
    }
    each = ", ".join(f"{name} {rlc(price)}" for name, price in parts.items())
    lacking = {
        "missing on the requester's account": report.requester_shortfall,
        "missing on the workerpool owner's account": report.workerpool_shortfall,
    }
    shown: dict[str, object] = {
        "tasks": report.volume,
        "price per task": f"{rlc(sum(parts.values()))} ({each})",
        "total": rlc(report.total),
        "workerpool stake": rlc(report.workerpool_stake),
        **{name: rlc(amount) for name, amount in lacking.items() if amount},
    }
    head = "" if report.reasons else "These orders match:\n"
    return head + output.render(shown)


# -- the orders -------------------------------------------------------------------------------


def _orders(
    client: IExec, selection: Selection, options: argparse.Namespace, wallet: str | None
) -> dict[str, Order]:
    """What ``match_orders`` takes. The request order is made here, unsigned, where none is given.

    A dataset order takes part where the request order names a dataset, or is made for it.
    """
    from ..protocol.orders import NULL_ADDRESS

    found = {name: _order(client, selection, name, options) for name in orders.RESOURCES[:3]}
    request: Order | None = None
    if options.params is None:
        request = _order(client, selection, "request", options)
    elif options.request is not None:
        output.warn("--params makes a requestorder: --request is not used", options)
    if request is None:
        with_dataset = found["dataset"] is not None
    else:
        with_dataset = request.values()["dataset"] != NULL_ADDRESS
        if options.dataset is not None and not with_dataset:
            output.warn("The requestorder names no dataset: the datasetorder is not used", options)
    used = [name for name in orders.RESOURCES[:3] if with_dataset or name != "dataset"]
    for name in used:
        if found[name] is None:
            raise _missing(name)
    offers = {f"{name}order": found[name] for name in used}
    if request is None:
        if wallet is None:
            raise ConfigurationError(
                "Missing requestorder: give --request, or a wallet to make one for"
            )
        request = client.order.create_matching_requestorder(
            **offers,  # type: ignore[arg-type]
            requester=wallet,
            params=options.params,
        )
    return {**offers, "requestorder": request}  # type: ignore[dict-item]  # none is missing


def _order(
    client: IExec, selection: Selection, resource: str, options: argparse.Namespace
) -> SignedOrder | None:
    """The order that an option names, by hash or file; without it that of orders.json, if any."""
    given = getattr(options, resource)
    if given is None:
        kept = orders.stored(selection.chain)[0].get(f"{resource}order")
        return None if kept is None else orders.read(resource, kept, project.ORDERS_FILE)
    if os.path.isfile(given):
        document = orders.read_document(given)
        return orders.read(resource, document.get("order", document), given)
    order_hash = orders.parse_hash(resource, given)
    selection.require("iexecGateway")
    return orders.fetch(client, resource, order_hash, options)


def _missing(resource: str) -> ConfigurationError:
    if not os.path.lexists(project.ORDERS_FILE):
        hint = f'{project.ORDERS_FILE}. You probably forgot to run "iexec-lite order sign"'
        return ConfigurationError(f"Missing {hint} (or give --{resource} <orderHash>)")
    return ConfigurationError(
        f"Missing {resource}order: give --{resource} <orderHash>, or sign one"
    )
