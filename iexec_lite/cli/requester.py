"""``iexec-lite requester push-secret | check-secret``: secrets for your tasks (today.md §4.1).

A task gets those that its request names: ``app run --secret 1=NAME``.
"""

from __future__ import annotations

import argparse

from ..errors import ConfigurationError, StateError
from . import flags, output, project, secret_values, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    pushing = group.command(
        "push-secret",
        push_secret,
        "give a secret of yours to the SMS, once and for all, under a name",
        arguments="NAME",
        example="requester push-secret login",
    )
    secret_values.add_options(pushing)
    checking = group.command(
        "check-secret",
        check_secret,
        "whether somebody has a secret of this name",
        arguments="NAME [ADDRESS]",
        example="requester check-secret login",
    )
    for parser in (pushing, checking):
        parser.add_argument("name", metavar="NAME", help="1 to 64 letters, digits, - and _")
        wallets.add_load_options(parser)
        flags.add_node(parser)
    checking.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="whose (default: your wallet's)"
    )


def push_secret(options: argparse.Namespace) -> output.Result:
    """Set a secret of the wallet, which no later call can change."""
    name, wallet = options.name, wallets.require(options)
    selection = project.selected_chain(options)
    selection.require("sms")
    with project.connect(selection, options, wallet) as client:
        # before the secret is asked for
        if client.secrets.check_requester_secret_exists(wallet.address, name):
            raise StateError(f'Secret "{name}" already exists for {wallet.address}')
        client.secrets.push_requester_secret(name, secret_values.read(options))
    lines = [
        f'Secret "{name}" successfully pushed for {wallet.address}',
        f"Give it to a task: iexec-lite app run APP --secret 1={name}",
    ]
    return output.Result(payload={"isPushed": True, "name": name}, text="\n".join(lines))


def check_secret(options: argparse.Namespace) -> output.Result:
    """Whether an address has a secret of this name; needs no password."""
    name, address = options.name, options.address
    if address is None:
        wallet = wallets.find(options)
        if wallet is None:
            raise ConfigurationError("Missing ADDRESS or wallet")
        address = wallet.address
    selection = project.selected_chain(options)
    selection.require("sms")
    with project.connect(selection, options) as client:
        known = client.secrets.check_requester_secret_exists(address, name)
    said = f'{"Secret" if known else "No secret"} "{name}" found for {address}'
    return output.Result(payload={"isSet": known, "name": name}, text=said)
