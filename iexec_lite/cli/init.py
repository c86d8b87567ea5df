"""``iexec-lite init`` (cli.md §8.1)."""

from __future__ import annotations

import argparse

from . import output, project, wallets

__all__ = ["register"]


def register(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """The options of ``init``, a command without subcommands."""
    parser.epilog = "example:\n  iexec-lite init --skip-wallet"
    for action in shared._actions:
        parser._add_action(action)
    wallets.add_create_options(parser)
    project.add_force_option(parser)
    parser.add_argument("--chain", help=argparse.SUPPRESS)
    parser.add_argument(
        "--skip-wallet", action="store_true", help="write the project files, create no wallet"
    )
    parser.set_defaults(handler=init)


def init(options: argparse.Namespace) -> output.Result:
    """Write iexec.json and chain.json, then create a wallet."""
    options.force = options.force or options.raw
    config = project.create(project.CONFIG_FILE, project.CONFIG_TEMPLATE, options)
    chain = project.create(project.CHAIN_FILE, project.CHAIN_TEMPLATE, options)
    payload: dict[str, object] = {}
    lines = []
    if not options.skip_wallet:
        created = wallets.create(wallets.new_key(), options)
        payload = {"walletAddress": created.address, "walletFile": created.file_name}
        lines += [
            f"Your wallet address is {created.address} wallet saved in {created.file_name}",
            "You must backup your wallet file in a safe place!",
        ]
    if config:
        payload["configFile"] = project.CONFIG_FILE
        lines.append(f"{project.CONFIG_FILE} describes what you publish")
    payload["chainConfigFile"] = project.CHAIN_FILE if chain else ""
    if chain:
        default = project.CHAIN_TEMPLATE["default"]
        lines.append(f"{project.CHAIN_FILE} names the chains, the default is {default}")
    lines.append("iExec project is ready")
    return output.Result(payload=payload, text="\n".join(lines))
