"""``iexec-lite wallet pending | speed-up | cancel``: transactions that are on their way.

V6 has no such commands: there a transaction at too low a price waits for ever.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from . import flags, output, project, text, wallets
from .parser import Group

if TYPE_CHECKING:
    from ..sdk.client import IExec
    from ..sdk.records import PendingTransaction

__all__ = ["register"]

_STATES = {"intended": "signed, perhaps sent", "sent": "sent", "unknown": "perhaps sent or mined"}
_AGAIN = "the command that sent it, given again, shows what came of it, and sends nothing"


def register(group: Group) -> None:
    """The commands about what is pending, of the group ``wallet``."""
    listed = group.command(
        "pending",
        show_pending,
        "your transactions whose outcome is not known yet",
        example="wallet pending",
    )
    faster = group.command(
        "speed-up",
        speed_up,
        "send a pending transaction again at a higher price; one of them happens",
        arguments="TXHASH",
        example="wallet speed-up 0x9ff7...4b2c",
    )
    stopped = group.command(
        "cancel",
        cancel,
        "put a transaction that does nothing in the place of a pending one",
        arguments="TXHASH",
        example="wallet cancel 0x9ff7...4b2c",
    )
    for parser in (listed, faster, stopped):
        wallets.add_load_options(parser)
        flags.add_node(parser)
    for parser in (faster, stopped):
        parser.add_argument("txhash", metavar="TXHASH", help="its hash: 0x and 64 hex digits")
        flags.add_price(parser)
    flags.add_force(stopped)


def show_pending(options: argparse.Namespace) -> output.Result:
    """What the journal holds; no password is needed."""
    wallet = wallets.require(options)
    selection = project.selected_chain(options)
    with project.connect(selection, options, wallet) as client:
        found = client.wallet.pending_transactions()
    payload = {"address": wallet.address, "transactions": [each.to_dict() for each in found]}
    if not found:
        shown = f"No transaction of {wallet.address} is pending on {selection.chain.name}"
        return output.Result(payload=payload, text=shown)
    now = time.time()
    lines = "\n\n".join(output.render(_details(each, now)) for each in found)
    return output.Result(payload=payload, text=lines)


def _details(found: PendingTransaction, now: float) -> dict[str, object]:
    """One transaction for a person."""
    shown: dict[str, object] = {
        "transaction": found.tx_hash or "not known: see the wallet that was asked",
        "nonce": found.nonce,
        "operation": found.operation,
        "arguments": found.arguments,
        "status": _STATES[found.state],
        "next": "somebody waits for it" if found.live else _AGAIN,
        "since": text.moment(found.created, now),
    }
    if found.replaces is not None:
        shown["instead of"] = found.replaces
    return shown


def speed_up(options: argparse.Namespace) -> output.Result:
    """The same at a higher price, and which of them was mined."""
    wallet = wallets.require(options)
    selection = project.selected_chain(options)
    with project.connect(selection, options, wallet) as client:
        tx_hash = client.wallet.speed_up_transaction(options.txhash, gas_price=_price(options))
        hint = _next_step(client, tx_hash)
    lines = output.render({"from": wallet.address, "transaction": tx_hash})
    same = tx_hash == options.txhash.lower()
    head = "Transaction mined as it was first sent" if same else "Transaction sped up, and mined"
    return output.Result(
        payload={"from": wallet.address, "replaced": options.txhash, "txHash": tx_hash},
        text=f"{head}\n{lines}{hint}",
    )


def _next_step(client: IExec, tx_hash: str) -> str:
    """Where to find the result, unless somebody waits for it."""
    found = client.wallet.pending_transactions()
    nonces = {each.nonce for each in found if each.tx_hash == tx_hash}
    line = [each for each in found if each.nonce in nonces]
    if not line or any(each.live for each in line):
        return ""
    return f"\n{_AGAIN.capitalize()}"


def cancel(options: argparse.Namespace) -> output.Result:
    """Nothing in its place, after a question."""
    wallet = wallets.require(options)
    selection = project.selected_chain(options)
    with project.connect(selection, options, wallet) as client:
        pending = client.wallet.pending_transactions()
        about = next((each for each in pending if each.tx_hash == options.txhash.lower()), None)
        wallet.ask(
            f"Do you want to cancel transaction {options.txhash} [chainId: {selection.chain.id}]",
            None if about is None else {"operation": about.operation, **about.arguments},
        )
        tx_hash = client.wallet.cancel_transaction(options.txhash, gas_price=_price(options))
    lines = output.render(
        {"from": wallet.address, "cancelled": options.txhash, "transaction": tx_hash}
    )
    return output.Result(
        payload={"from": wallet.address, "cancelled": options.txhash, "txHash": tx_hash},
        text=f"Transaction cancelled\n{lines}",
    )


def _price(options: argparse.Namespace) -> int | None:
    return flags.send_options(options).get("gas_price")
