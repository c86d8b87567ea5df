"""The options that several commands share, each declared once (cli.md §2).

Those of wallets are in ``wallets.py``, beside what reads them.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from .parser import CommandParser

__all__ = [
    "add_amount",
    "add_amount_option",
    "add_chain",
    "add_force",
    "add_ignored_chain",
    "add_ignored_force",
    "add_list_option",
    "add_node",
    "add_preflight",
    "add_price",
    "add_transaction",
    "amount",
    "nrlc",
    "send_options",
    "whole_number",
]


def add_chain(parser: argparse.ArgumentParser) -> None:
    """``--chain``."""
    parser.add_argument(
        "--chain", metavar="NAME", help="chain name or id (default: that of chain.json)"
    )


def add_node(parser: argparse.ArgumentParser) -> None:
    """``--chain``, and what commands that contact a node take besides."""
    add_chain(parser)
    parser.add_argument(
        "--allow-plain-http",
        action="store_true",
        help="let http:// leave this machine: everybody on the way can read and change it",
    )


def add_transaction(parser: CommandParser) -> None:
    """``--gas-price``, ``--confirms``, ``--new``: of commands that send a transaction."""
    add_price(parser)
    parser.add_argument(
        "--new",
        action="store_true",
        help="do it again, even if the same command was cut off and may have done it",
    )


def add_price(parser: CommandParser) -> None:
    """``--gas-price``, ``--confirms``: of commands that send in the place of another."""
    add_amount_option(parser, "--gas-price", "price of gas, in wei or with a unit (1.1 gwei)")
    parser.add_argument(
        "--confirms", metavar="N", help="blocks to wait for (default: 1, the one that holds it)"
    )


def send_options(options: argparse.Namespace) -> dict[str, int]:
    """What :func:`add_price` declared, as options of ``IExec``."""
    from ..protocol.units import parse_eth

    found: dict[str, int] = {}
    if getattr(options, "gas_price", None) is not None:
        found["gas_price"] = parse_eth(options.gas_price)
    confirms = getattr(options, "confirms", None)
    if confirms is not None:
        found["confirms"] = whole_number(confirms, "confirms")
        if found["confirms"] < 1:
            raise ConfigurationError("confirms must be greater than or equal to 1")
    return found


def whole_number(text: str, name: str) -> int:
    """The number that an option holds, of at most 40 digits."""
    if not text.isascii() or not text.isdecimal() or len(text) > 40:
        raise ConfigurationError(f"{name} must be a `number` type, got {text[:40]}")
    return int(text)


def add_force(parser: argparse.ArgumentParser) -> None:
    """``--force``."""
    parser.add_argument("--force", action="store_true", help="answer yes to every question")


def add_ignored_chain(parser: argparse.ArgumentParser) -> None:
    """``--chain`` where the documents list it and nothing depends on it (cli.md §9)."""
    parser.add_argument("--chain", help=argparse.SUPPRESS)


def add_ignored_force(parser: argparse.ArgumentParser) -> None:
    """``--force`` where the documents list it and nothing is asked (cli.md §9)."""
    parser.add_argument("--force", action="store_true", help=argparse.SUPPRESS)


def add_amount(parser: CommandParser, meaning: str) -> None:
    """The argument AMOUNT with an optional unit; see :func:`amount`."""
    parser.add_argument("amount", metavar="AMOUNT", help=meaning)
    parser.amounts.add("amount")


def add_amount_option(parser: CommandParser, name: str, meaning: str) -> None:
    """An option that takes an amount with an optional unit."""
    parser.add_argument(name, metavar="AMOUNT", help=meaning)
    parser.amounts.add(name)


def amount(text: str, default_unit: str) -> str:
    """An amount as the library reads it: with the unit that it was given, or else this one."""
    return text if " " in text else f"{text} {default_unit}"


def nrlc(text: str, chain: Chain, default_unit: str = "nRLC") -> int:
    """An amount of the chain's money; on an enterprise chain eRLC and neRLC are units too."""
    from ..protocol.units import parse_erlc, parse_rlc

    return (parse_erlc if chain.enterprise else parse_rlc)(text, default_unit)


def add_preflight(parser: argparse.ArgumentParser, meaning: str) -> None:
    """``--skip-preflight-check``, which V6 calls ``--skip-request-check``."""
    parser.add_argument(
        "--skip-request-check", "--skip-preflight-check", action="store_true", help=meaning
    )


def add_list_option(
    parser: CommandParser, name: str, metavar: str, meaning: str, *, repeated: bool = False
) -> None:
    """An option that takes words, joined by commas or spaces; the value is joined by commas.

    A ``repeated`` one may be given several times: the value is a list of such.
    """
    action = "append" if repeated else "store"
    parser.add_argument(name, metavar=metavar, action=action, help=meaning)
    parser.lists.add(name)
