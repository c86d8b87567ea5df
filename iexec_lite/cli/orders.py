"""What the commands of ``order`` share: the four kinds, orders.json, and orders for people.

Each kind of order is done for itself: one that fails does not keep the others from being done, and
fails the command at the end (cli.md §8.8).
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import (
    ConfigurationError,
    IExecError,
    MarketCallError,
    ObjectNotFoundError,
    SmsCallError,
    StateError,
    ValidationError,
)
from ..sdk import files
from . import output, project

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..protocol.orders import Order, SignedOrder
    from ..sdk.client import IExec
    from .wallets import Wallet

__all__ = [
    "RESOURCES",
    "Attempts",
    "attempt",
    "checked",
    "chosen",
    "describe",
    "fetch",
    "parse_hash",
    "read",
    "read_document",
    "read_json",
    "skippable",
    "stored",
    "stored_order",
]

RESOURCES = ("app", "dataset", "workerpool", "request")  # in the order of V6; "apporder" …
NONE_CHOSEN = (
    "No option specified, you should choose one (--app | --dataset | --workerpool | --request)"
)
_SKIP = (  # {}: request or preflight
    "If you consider this is not an issue, use --skip-{0}-check to skip {0} requirement check"
)
_HASH = re.compile(r"0[xX][0-9a-fA-F]{64}\Z")


# -- kind by kind -----------------------------------------------------------------------------


def chosen(options: argparse.Namespace) -> list[str]:
    """The resources whose options were given, at least one."""
    names = [name for name in RESOURCES if getattr(options, name) not in (None, False)]
    if not names:
        raise ConfigurationError(NONE_CHOSEN)
    return names


class Attempts:
    """What was done, by ``apporder`` …, the lines that tell of it, and what failed."""

    def __init__(self) -> None:
        self.done: dict[str, object] = {}
        self.lines: list[str] = []
        self.failures: list[str] = []

    def result(self, title: str) -> output.Result:
        """As the result of the command."""
        return output.Result(
            payload=self.done, text="\n".join(self.lines), failures=self.failures, title=title
        )


def attempt(
    names: Sequence[str], work: Callable[[str], tuple[object, str]], wallet: Wallet | None = None
) -> Attempts:
    """Run ``work(resource)`` → (payload, text) for each of them, whatever becomes of the others.

    A wallet that does not open ends it: there is no use in asking for the password again.
    """
    found = Attempts()
    for name in names:
        try:
            payload, text = work(name)
        except IExecError as error:
            if wallet is not None and error is wallet.failure:
                raise
            found.failures.append(f"{name}order: {error.message}")
        except KeyboardInterrupt:
            if not found.done:
                raise
            found.failures.append(f"{name}order: Interrupted")
            break
        else:
            found.done[f"{name}order"] = payload
            found.lines.append(text)
    return found


# -- where orders come from -------------------------------------------------------------------


def stored(chain: Chain) -> tuple[dict[str, object], dict[str, object]]:
    """The orders of this chain in orders.json, and the whole file."""
    content = project.load(project.ORDERS_FILE, missing={})
    return project.member(content, str(chain.id), project.ORDERS_FILE), content


def stored_order(chain: Chain, resource: str, missing: str) -> SignedOrder:
    """The signed order in orders.json; without one an error that says ``missing``."""
    found = stored(chain)[0].get(f"{resource}order")
    if found is not None:
        return read(resource, found, project.ORDERS_FILE)
    if not os.path.lexists(project.ORDERS_FILE):
        raise ConfigurationError(
            f'Missing {project.ORDERS_FILE}. You probably forgot to run "iexec-lite order sign"'
        )
    raise ConfigurationError(missing)


def parse_hash(resource: str, text: str) -> str:
    """An order hash that a person wrote."""
    if not _HASH.match(text):
        raise ValidationError(
            f'Invalid {resource}order hash: "{text[:80]}" is not 0x and 64 hex digits'
        )
    return text.lower()


def fetch(
    client: IExec, resource: str, order_hash: str, options: argparse.Namespace
) -> SignedOrder:
    """The order that the marketplace has under this hash."""
    kind = f"{resource}order"
    output.info(f"Fetching {kind} {order_hash} from iexec marketplace", options)
    try:
        found: SignedOrder = getattr(client.orderbook, f"fetch_{kind}")(order_hash).order
    except MarketCallError as error:
        if error.details.get("status") != 404:
            raise
        text = f"{kind} {order_hash} is not published on iexec marketplace"
        raise MarketCallError(text, details=error.details, cause=error) from error
    return found


def read_json(name: str) -> object:
    """The content of a JSON file."""
    from ..eth.codec import load_json

    text = files.read_text(name)
    try:
        content: object = load_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} is not JSON: {error}", cause=error) from error
    return content


def read_document(name: str) -> dict[str, object]:
    """A file with a JSON object."""
    content = read_json(name)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{name} must hold a JSON object")
    return content


def read(resource: str, value: object, where: str) -> SignedOrder:
    """A signed order from the file ``where``."""
    from ..protocol.orders import SIGNED_ORDER_KINDS

    kind = SIGNED_ORDER_KINDS[f"{resource}order"]
    try:
        return kind.from_dict(value)  # type: ignore[arg-type]  # it refuses what is no order
    except ValidationError as error:
        text = f"{kind.name} in {where}: {error.message}"
        raise ValidationError(text, errors=error.errors, cause=error) from error


@contextmanager
def checked() -> Iterator[None]:
    """What a check of an order found is told with the option that leaves it out."""
    try:
        yield
    except (StateError, SmsCallError, ObjectNotFoundError) as error:
        if error.details.get("check") is None:
            raise
        from ..sdk.request import finding

        found = finding(error)
        raise StateError(skippable(found.code, found.text), cause=error) from error


def skippable(check: str, words: str) -> str:
    """What stands against orders, with the option that leaves out the check, if one found it."""
    if check not in ("app", "dataset", "request"):
        return words
    name = "request" if check == "request" else "preflight"  # as V6 calls the one that it has
    return f"{words} ({_SKIP.format(name)})"


# -- for people -------------------------------------------------------------------------------


def describe(order: Order, chain: Chain | None) -> dict[str, str]:
    """The members of an order as a person reads them; those that say nothing are left out.

    ``chain`` is None where it is not known.
    """
    from ..protocol.columns import NRLC, TAG
    from ..protocol.orders import NULL_ADDRESS
    from ..protocol.rules import V6
    from . import text

    rules, symbol = (chain.rules, chain.symbol) if chain is not None else (V6, "RLC")
    shown = {}
    for name, column in order.fields():
        value = getattr(order, name)
        if name in ("salt", "sign") or value == NULL_ADDRESS or (name == "trust" and value < 2):
            continue
        if column is NRLC["column"]:
            value = text.rlc(value, symbol)
        elif column is TAG["column"]:
            value = text.tag_names(value, rules)
        shown[name] = str(value)
    return shown
