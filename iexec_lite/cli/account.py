"""``iexec-lite account deposit | withdraw | show`` (cli.md §8.3)."""

from __future__ import annotations

import argparse

from . import flags, output, project, text, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    deposit = group.command(
        "deposit",
        make_deposit,
        "move RLC from your wallet to your account",
        arguments="AMOUNT [UNIT]",
        example="account deposit 5 RLC",
    )
    withdraw = group.command(
        "withdraw",
        make_withdrawal,
        "move RLC from your account back to your wallet",
        arguments="AMOUNT [UNIT]",
        example="account withdraw 5 RLC",
    )
    show = group.command(
        "show",
        show_account,
        "what is staked, and what of it is locked in deals",
        arguments="[ADDRESS]",
        example="account show",
    )
    show.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="any address (default: your wallet)"
    )
    for parser in (deposit, withdraw):
        flags.add_amount(parser, "in nRLC, or RLC (default: nRLC)")
        flags.add_transaction(parser)
    for parser in (deposit, withdraw, show):
        wallets.add_load_options(parser)
        flags.add_node(parser)
        flags.add_ignored_force(parser)


def make_deposit(options: argparse.Namespace) -> output.Result:
    """RLC from the wallet to the account."""
    return _move(options, "deposit", "Deposited {} to your iExec account")


def make_withdrawal(options: argparse.Namespace) -> output.Result:
    """RLC from the account to the wallet."""
    return _move(options, "withdraw", "{} withdrawn from your iExec account")


def _move(options: argparse.Namespace, method: str, told: str) -> output.Result:
    selection = project.selected_chain(options)
    nrlc = flags.nrlc(options.amount, selection.chain)
    with project.connect(selection, options, wallets.require(options)) as client:
        moved = getattr(client.account, method)(nrlc, new=options.new)
    what = told.format(text.rlc(moved.amount, selection.chain.symbol))
    return output.Result(
        payload=moved.to_dict(),
        text=f"{what}\n{output.render({'transaction': moved.tx_hash})}",
    )


def show_account(options: argparse.Namespace) -> output.Result:
    """Stake and locked amount of an address."""
    address = options.address
    if address is None:
        address = wallets.to_show(options).address
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        balance = client.account.check_balance(address)
    symbol = selection.chain.symbol
    shown = {
        "address": address,
        "stake": text.rlc(balance.stake, symbol),
        "locked": text.rlc(balance.locked, symbol),
    }
    return output.Result(payload={"balance": balance.to_dict()}, text=output.render(shown))
