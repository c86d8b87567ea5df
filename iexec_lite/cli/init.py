"""``iexec-lite init`` (cli.md §8.1)."""

from __future__ import annotations

import argparse

from . import flags, output, project, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The options of ``init``, a group without commands."""
    parser = group.command(
        "",
        init,
        "start a project: iexec.json, chain.json and a wallet",
        example="init --chain arbitrum-mainnet",
    )
    wallets.add_create_options(parser)
    flags.add_force(parser)
    parser.add_argument(
        "--chain", metavar="NAME", help="the project's chain (default: the test network)"
    )
    parser.add_argument(
        "--skip-wallet", action="store_true", help="write the project files, create no wallet"
    )


def init(options: argparse.Namespace) -> output.Result:
    """Write iexec.json and chain.json, create a wallet; nothing before everything was asked.

    Unlike V6, ``--raw`` alone replaces no file that somebody has edited: it keeps it, as a refusal
    of the question does.
    """
    contents = {
        project.CONFIG_FILE: project.CONFIG_TEMPLATE,
        project.CHAIN_FILE: _chain_file(options),
    }
    written = [name for name in contents if project.may_write(name, contents[name], options)]
    place = None if options.skip_wallet else wallets.prepare(options)
    for name in written:
        project.save(name, contents[name])
    lines = [
        f"{name}:\n{output.render(contents[name], 2)}"
        if name in written
        else f"{name} was kept as it is"
        for name in contents
    ]
    payload: dict[str, object] = {}
    if place is not None:
        created = wallets.create(wallets.new_key(), place)
        payload = {"walletAddress": created.address, "walletFile": created.file_name}
        lines.append(created.text)
    if project.CONFIG_FILE in written:
        payload["configFile"] = project.CONFIG_FILE
    payload["chainConfigFile"] = project.CHAIN_FILE if project.CHAIN_FILE in written else ""
    return output.Result(payload=payload, text="\n".join([*lines, "iExec project is ready"]))


def _chain_file(options: argparse.Namespace) -> dict[str, object]:
    """The new chain.json; ``--chain``, which V6 ignored, is its default."""
    from ..protocol import chains

    content = chains.new_chain_file()
    if options.chain is None:
        return content
    return {**content, "default": project.selected_chain(options, content).chain.name}
