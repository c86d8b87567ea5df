"""``iexec-lite order``: its commands and their options (cli.md §8.8).

What they do: ``order_sign``, ``order_fill``, ``order_market``, ``order_devices``.
"""

from __future__ import annotations

import argparse

from . import flags, wallets
from .order_devices import export_orders, import_signature, sign_request
from .order_fill import check_orders, fill_orders
from .order_market import cancel_orders, publish_orders, show_orders, unpublish_orders
from .order_sign import init_orders, sign_orders
from .orders import RESOURCES
from .parser import CommandParser, Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    _writing(group)
    _filling(group)
    _marketing(group)
    _carrying(group)


def _writing(group: Group) -> None:
    init = group.command(
        "init",
        init_orders,
        "write orders to fill in into iexec.json",
        example="order init --app --dataset",
    )
    _add_kinds(init, "default: all four")
    wallets.add_load_options(init)
    flags.add_chain(init)

    sign = group.command(
        "sign",
        sign_orders,
        "sign the orders of iexec.json into orders.json",
        example="order sign --app --offline",
    )
    _add_kinds(sign, "default: all four")
    _add_offline(sign)
    _add_skip(sign)
    _add_stream(sign)
    wallets.add_load_options(sign)
    flags.add_node(sign)
    flags.add_force(sign)


def _filling(group: Group) -> None:
    fill = group.command(
        "fill",
        fill_orders,
        "buy: match orders into a deal",
        example='order fill --app HASH --workerpool HASH --params "hello"',
    )
    check = group.command(
        "check",
        check_orders,
        "what the orders would cost, or why they would not match; sends nothing",
        example="order check --app HASH --workerpool order.json",
        aliases=["estimate"],
    )
    for parser in (fill, check):
        for resource in RESOURCES:
            parser.add_argument(
                f"--{resource}",
                metavar="HASH",
                help=f"{resource}order: its hash on the marketplace, or a file with it "
                "(default: that of orders.json)",
            )
        parser.add_argument(
            "--params",
            metavar="JSON",
            help="make the requestorder for these offers, with such params: JSON, or arguments",
        )
        wallets.add_load_options(parser)
        flags.add_node(parser)
        _add_skip(parser)
    payers = fill.add_mutually_exclusive_group()
    payers.add_argument(
        "--deposit",
        action="store_true",
        help="what your account lacks comes out of your wallet, in the same transaction if the "
        "contracts can do that",
    )
    payers.add_argument(
        "--sponsor", action="store_true", help="your account pays, whoever the requester is"
    )
    flags.add_transaction(fill)
    flags.add_force(fill)


def _marketing(group: Group) -> None:
    publish = group.command(
        "publish",
        publish_orders,
        "offer the orders of orders.json on the marketplace",
        example="order publish --app --workerpool",
    )
    _add_kinds(publish)
    _add_skip(publish)
    unpublish = group.command(
        "unpublish",
        unpublish_orders,
        "take orders off the marketplace; who has them can still fill them: see cancel",
        example="order unpublish --app",
    )
    _add_hashes(unpublish)
    cancel = group.command(
        "cancel",
        cancel_orders,
        "cancel orders on chain, for good",
        example="order cancel --app",
    )
    _add_hashes(cancel)
    flags.add_transaction(cancel)
    for parser in (publish, unpublish):
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--export-challenge",
            metavar="FILE",
            help="with a key on another device: write what it has to sign, and stop",
        )
        ways.add_argument(
            "--authorization", metavar="FILE", help="that challenge, signed: needs no wallet here"
        )
    for parser in (publish, unpublish, cancel):
        wallets.add_load_options(parser)
        flags.add_node(parser)
        flags.add_force(parser)

    show = group.command(
        "show",
        show_orders,
        "orders as the marketplace has them",
        example="order show --app HASH --deals",
    )
    _add_hashes(show)
    show.add_argument("--deals", action="store_true", help="and the last deals made with them")
    flags.add_node(show)


def _carrying(group: Group) -> None:
    export = group.command(
        "export",
        export_orders,
        "for a key on another device: write what it has to sign of iexec.json",
        example="order export --app --output-dir /media/stick",
    )
    _add_kinds(export, "default: all four")
    _add_offline(export)
    _add_skip(export)
    export.add_argument(
        "--address",
        metavar="ADDRESS",
        help="who will sign (default: the owner, whom the chain tells; needed with --offline)",
    )
    export.add_argument(
        "--output-dir", metavar="DIR", default=".", help="where to write (default: this folder)"
    )
    flags.add_node(export)

    sign = group.command(
        "sign-request",
        sign_request,
        "on the device with the key: show what a file asks for, and sign it; contacts nothing",
        arguments="FILE",
        example="order sign-request apporder.request.json",
    )
    sign.add_argument("file", metavar="FILE", help="what order export or --export-challenge wrote")
    sign.add_argument(
        "--output", metavar="FILE", help="where to write it (default: its name with .signed.json)"
    )
    wallets.add_load_options(sign)

    imported = group.command(
        "import-signature",
        import_signature,
        "check an order that was signed elsewhere and keep it in orders.json",
        arguments="FILE",
        example="order import-signature apporder.signed.json",
    )
    imported.add_argument("file", metavar="FILE", help="what order sign-request wrote")
    flags.add_chain(imported)
    for parser in (export, sign):
        flags.add_force(parser)


def _add_kinds(parser: CommandParser, note: str = "") -> None:
    for resource in RESOURCES:
        meaning = f"the {resource}order" + (f" ({note})" if note else "")
        parser.add_argument(f"--{resource}", action="store_true", help=meaning)


def _add_stream(parser: CommandParser) -> None:
    parser.add_argument(
        "--stdin",
        action="store_true",
        help="sign any number of orders of one kind: a line of JSON in, a line of JSON out; "
        "contacts nothing",
    )
    parser.add_argument(
        "--jobs", metavar="N", type=int, help="with --stdin: share the work out to N processes"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="with --stdin: write there (default: standard output)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with --stdin and --output: go on with the same input where the file ends",
    )
    parser.add_argument(
        "--stop-on-error",
        action="store_true",
        help="with --stdin: stop at the first line that is refused (default: tell at the end)",
    )


def _add_hashes(parser: CommandParser) -> None:
    for resource in RESOURCES:
        parser.add_argument(
            f"--{resource}",
            metavar="HASH",
            nargs="?",
            const=True,
            help=f"the {resource}order with this hash (default: that of orders.json)",
        )


def _add_offline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--offline", action="store_true", help="contact nothing: ownership is not checked"
    )


def _add_skip(parser: argparse.ArgumentParser) -> None:
    flags.add_preflight(parser, "do not check whether the network would run it")
