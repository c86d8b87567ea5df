"""``iexec-lite wallet create | import | show`` (cli.md §8.2)."""

from __future__ import annotations

import argparse
import sys

from ..errors import ConfigurationError, ValidationError
from . import output, project, wallets

__all__ = ["register"]


def register(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """The commands of the group."""
    parser.epilog = "example:\n  iexec-lite wallet create --password-file secret.txt"
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    create = commands.add_parser("create", parents=[shared], help="a new random key")
    wallets.add_create_options(create)
    project.add_force_option(create)
    create.add_argument("--chain", help=argparse.SUPPRESS)
    create.set_defaults(handler=create_wallet)

    imported = commands.add_parser("import", parents=[shared], help="a key you have")
    imported.add_argument("private_key", nargs="?", metavar="PRIVATE_KEY", help="64 hex digits")
    imported.add_argument(
        "--private-key-file", metavar="FILE", help="read the key from FILE, - for standard input"
    )
    wallets.add_create_options(imported)
    project.add_force_option(imported)
    imported.add_argument("--chain", help=argparse.SUPPRESS)
    imported.set_defaults(handler=import_wallet)

    show = commands.add_parser("show", parents=[shared], help="address and balances")
    show.add_argument("address", nargs="?", help="any address (default: your wallet)")
    show.add_argument("--show-private-key", action="store_true", help="show the key in clear")
    wallets.add_load_options(show)
    project.add_chain_option(show)
    show.set_defaults(handler=show_wallet)


def create_wallet(options: argparse.Namespace) -> output.Result:
    """A new random key in a wallet file."""
    return _created(wallets.create(wallets.new_key(), options))


def import_wallet(options: argparse.Namespace) -> output.Result:
    """A given key in a wallet file."""
    from ..eth.crypto import PrivateKey

    given = options.private_key
    if (given is None) == (options.private_key_file is None):
        raise ConfigurationError("give the key either as PRIVATE_KEY or with --private-key-file")
    if given is None:
        given = _read_key(options.private_key_file)
    else:
        output.warn("A key on the command line may be seen by others: prefer --private-key-file")
    digits = given.strip().removeprefix("0x").removeprefix("0X")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(digits) != 64 or len(secret) != 32:
        raise ValidationError(
            f"invalid private key: it has 64 hex digits, with or without 0x; got {len(digits)} "
            "characters"
        )
    return _created(wallets.create(PrivateKey(secret), options))


def show_wallet(options: argparse.Namespace) -> output.Result:
    """Address and balances; with ``--show-private-key`` also the key."""
    from ..protocol.units import format_eth, format_rlc
    from ..sdk.client import IExec

    wallet: dict[str, object] = {}
    if options.address is None and options.show_private_key:
        wallet = wallets.plain_wallet(wallets.load_key(options))
        address = str(wallet["address"])
    elif options.address is None:
        found = wallets.load_address(options)
        if found is None:
            raise ConfigurationError(
                "Failed to load wallet address from keystore: Wallet file not found; "
                '"iexec-lite wallet create" makes one'
            )
        address, wallet = found, {"address": found}
    else:
        address = options.address
    chain = project.selected_chain(options)
    output.info(f"Using chain {chain.name} [chainId: {chain.id}]", quiet=options.quiet)
    with IExec(chain) as client:
        balances = client.wallet.check_balances(address)
    balance = {
        "ether": format_eth(balances.wei),
        "RLC": format_rlc(balances.nrlc),
        "nRLC": str(balances.nrlc),
        "wei": str(balances.wei),
    }
    if chain.native:
        balance = {key: balance[key] for key in ("RLC", "nRLC")}
    payload: dict[str, object] = {"balance": balance}
    if wallet:
        payload["wallet"] = wallet
    shown: dict[str, object] = {**wallet, "address": address}
    shown |= {unit: balance[unit] for unit in ("ether", "RLC") if unit in balance}
    text = output.render(shown)
    return output.Result(payload=payload, text=text)


def _read_key(name: str) -> str:
    if name == "-":
        return sys.stdin.readline()
    with open(name, encoding="utf-8") as file:
        return file.read(256)


def _created(created: wallets.Created) -> output.Result:
    return output.Result(
        payload={
            "wallet": created.wallet,
            "fileName": created.file_name,
            "address": created.address,
        },
        text=f"Your wallet address is {created.address}\nWallet saved in {created.file_name}\n"
        "You must backup your wallet file in a safe place!",
    )
