"""``iexec-lite wallet``: keys, balances and test money (cli.md §8.2).

What moves money is in ``transfers.py``, what is on its way in ``pending.py``.
"""

from __future__ import annotations

import argparse

from ..errors import ConfigurationError
from . import flags, output, pending, project, prompts, transfers, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    create = group.command(
        "create", create_wallet, "a new random key", example="wallet create --password-file pw.txt"
    )
    imported = group.command(
        "import",
        import_wallet,
        "a key you have",
        arguments="[PRIVATE_KEY]",
        example="wallet import --private-key-file key.txt --password-file pw.txt",
    )
    imported.add_argument("private_key", nargs="?", metavar="PRIVATE_KEY", help="64 hex digits")
    imported.add_argument(
        "--private-key-file",
        metavar="FILE",
        help="read the key from the first line of FILE, - for standard input",
    )
    for parser in (create, imported):
        wallets.add_create_options(parser)
        flags.add_force(parser)
        flags.add_ignored_chain(parser)

    show = group.command(
        "show",
        show_wallet,
        "address and balances",
        arguments="[ADDRESS]",
        example="wallet show --chain arbitrum-mainnet",
    )
    show.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="any address (default: your wallet)"
    )
    show.add_argument("--show-private-key", action="store_true", help="show the key in clear")
    ether = group.command(
        "get-ETH",
        get_ether,
        "ask the network's faucets for test ether",
        example="wallet get-ETH --chain sandbox",
        aliases=["get-ether", "getETH"],
    )
    rlc = group.command(
        "get-RLC",
        get_rlc,
        "ask the network's faucets for test RLC",
        example="wallet get-RLC --chain sandbox",
        aliases=["getRLC"],
    )
    for parser in (show, ether, rlc):
        wallets.add_load_options(parser)
        flags.add_node(parser)
        flags.add_ignored_force(parser)
    transfers.register(group)
    pending.register(group)


def create_wallet(options: argparse.Namespace) -> output.Result:
    """A new random key in a wallet file."""
    place = wallets.prepare(options)
    return _created(wallets.create(wallets.new_key(), place))


def import_wallet(options: argparse.Namespace) -> output.Result:
    """A given key in a wallet file."""
    given, file = options.private_key, options.private_key_file
    if (given is None) == (file is None):
        raise ConfigurationError("give the key either as PRIVATE_KEY or with --private-key-file")
    if given is None:
        given = prompts.read_secret(file, "--private-key-file")
    else:
        output.warn(
            "A key on the command line may be seen by others: prefer --private-key-file", options
        )
    key = wallets.parse_key(given.strip())
    return _created(wallets.create(key, wallets.prepare(options)))


def _created(created: wallets.Created) -> output.Result:
    return output.Result(
        payload={
            "wallet": created.wallet,
            "fileName": created.file_name,
            "address": created.address,
        },
        text=created.text,
    )


def show_wallet(options: argparse.Namespace) -> output.Result:
    """Address and balances; with ``--show-private-key`` also the key, which comes last."""
    from ..protocol.units import format_eth, format_rlc

    wallet = None
    if options.address is None:
        find = wallets.require if options.show_private_key else wallets.to_show
        wallet = find(options)
    selection = project.selected_chain(options)
    address = options.address if wallet is None else wallet.address
    with project.connect(selection, options) as client:
        balances = client.wallet.check_balances(address)
    balance = {"RLC": format_rlc(balances.nrlc), "nRLC": str(balances.nrlc)}
    if not selection.chain.native:
        balance = {"ether": format_eth(balances.wei), **balance, "wei": str(balances.wei)}
    payload: dict[str, object] = {"balance": balance}
    shown: dict[str, object] = {"address": address}
    if wallet is not None:
        if options.show_private_key:
            shown = wallets.plain_wallet(wallet.key)
        payload["wallet"] = dict(shown)
    if "ether" in balance:
        shown["ether"] = balance["ether"]
    shown[selection.chain.symbol] = balance["RLC"]
    return output.Result(payload=payload, text=output.render(shown))


def get_ether(options: argparse.Namespace) -> output.Result:
    """Test ether, of each faucet that there is."""
    return _ask_faucets(options, "get_eth")


def get_rlc(options: argparse.Namespace) -> output.Result:
    """Test RLC, of each faucet that there is."""
    return _ask_faucets(options, "get_rlc")


def _ask_faucets(options: argparse.Namespace, method: str) -> output.Result:
    """What the faucets answered; a faucet that says no is an answer too, as in V6."""
    address = wallets.require(options).address
    selection = project.selected_chain(options)
    output.info(f"Using wallet {address}", options)
    with project.connect(selection, options) as client:
        answers = getattr(client.wallet, method)(address)
    shown = {answer.name: answer.response for answer in answers}
    return output.Result(
        payload={"faucetsResponses": [answer.to_dict() for answer in answers]},
        text=output.render(shown),
    )
