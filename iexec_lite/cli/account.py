"""``iexec-lite account``: RLC on the hub, and who else may take of it (cli.md §8.3; today.md §4.1).

An amount may have its unit behind it or, as today's SDK wants it of ``approve``, at the end.
"""

from __future__ import annotations

import argparse

from ..errors import ConfigurationError, ValidationError
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
    approve = group.command(
        "approve",
        make_approval,
        "let somebody take up to an amount of your account",
        arguments="AMOUNT SPENDER [UNIT]",
        example="account approve 5 RLC 0x…",
    )
    revoke = group.command(
        "revoke",
        make_revocation,
        "let somebody take nothing of your account any more",
        arguments="SPENDER",
        example="account revoke 0x…",
    )
    allowance = group.command(
        "allowance",
        show_allowance,
        "how much somebody may take of an account",
        arguments="SPENDER",
        example="account allowance 0x…",
    )
    allowance.add_argument("--user", metavar="ADDRESS", help="whose account (default: yours)")
    for parser in (deposit, withdraw, approve):
        flags.add_amount(parser, "in nRLC, or RLC (default: nRLC)")
    for parser in (approve, revoke, allowance):
        parser.add_argument("spender", metavar="SPENDER", help="address of who may take it")
    approve.add_argument("unit", nargs="?", metavar="UNIT", help="of the amount")
    for parser in (deposit, withdraw, approve, revoke):
        flags.add_transaction(parser)
    for parser in (deposit, withdraw, show, approve, revoke, allowance):
        wallets.add_load_options(parser)
        flags.add_node(parser)
    for parser in (deposit, withdraw, show):
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


# -- allowance --------------------------------------------------------------------------------


def make_approval(options: argparse.Namespace) -> output.Result:
    """Let a spender take of the account; replaces what was approved before."""
    given = options.amount
    if options.unit is not None:
        if " " in given:
            raise ValidationError(f"the amount {given} has its unit: there is no other at the end")
        given = f"{given} {options.unit}"
    selection = project.selected_chain(options)
    nrlc = flags.nrlc(given, selection.chain)
    with project.connect(selection, options, wallets.require(options)) as client:
        tx_hash = client.account.approve(nrlc, options.spender, new=options.new)
    amount = text.rlc(nrlc, selection.chain.symbol)
    return _sent(f"Approved {options.spender} to spend {amount} from your iExec account", tx_hash)


def make_revocation(options: argparse.Namespace) -> output.Result:
    """Take an approval back."""
    selection = project.selected_chain(options)
    with project.connect(selection, options, wallets.require(options)) as client:
        tx_hash = client.account.revoke_approval(options.spender, new=options.new)
    return _sent(f"Revoked {options.spender} to use your iExec account", tx_hash)


def _sent(told: str, tx_hash: str) -> output.Result:
    lines = f"{told}\n{output.render({'transaction': tx_hash})}"
    return output.Result(payload={"txHash": tx_hash}, text=lines)


def show_allowance(options: argparse.Namespace) -> output.Result:
    """What a spender may take of an account; needs no password."""
    user = options.user
    if user is None:
        wallet = wallets.find(options)
        if wallet is None:
            raise ConfigurationError("Missing option --user <address> or wallet")
        user = wallet.address
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        nrlc = client.account.check_allowance(user, options.spender)
    amount = text.rlc(nrlc, selection.chain.symbol)
    shown = {"account": user, "spender": options.spender, "allowance": amount}
    return output.Result(payload={"amount": str(nrlc)}, text=output.render(shown))
