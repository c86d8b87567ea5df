"""``iexec-lite sandbox up | down | status | store | demo``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import ConfigurationError, SandboxError
from . import output, project
from .parser import Group

if TYPE_CHECKING:
    from ..sandbox.commands import Status
    from ..sandbox.progress import Progress

__all__ = ["register"]

FLAVOURS = ("token", "native", "enterprise")
GENERATIONS = (5, 6)
_START = "Start it with: iexec-lite sandbox up"


def register(group: Group) -> None:
    """The commands of the group."""
    up = group.command(
        "up", start, "start a local iExec in the background", example="sandbox up --port 8545"
    )
    up.add_argument(
        "--port", type=_port, help="port of the node on 127.0.0.1 (default: a free one)"
    )
    up.add_argument("--fresh", action="store_true", help="forget the chain and files of last time")
    up.add_argument(
        "--bridge", action="store_true", help="with a native chain too, and a bridge between them"
    )
    group.command("down", stop, "stop it; its data is kept", example="sandbox down")
    status = group.command(
        "status", show_status, "is it running, and where", example="sandbox status --raw"
    )
    for parser in (up, status):
        parser.add_argument(
            "--chain-json",
            action="store_true",
            help="put its chains into chain.json of this folder, which iexec reads too",
        )
    stored = group.command(
        "store",
        store_file,
        "put a file into its store, as one would on IPFS",
        arguments="FILE",
        example="sandbox store datasets/encrypted/data.csv.enc",
    )
    stored.add_argument("file", metavar="FILE", help="what workers and others shall find there")
    demo = group.command(
        "demo",
        run_demo,
        "a whole purchase in a sandbox of its own, step by step",
        example="sandbox demo",
    )
    for parser in (up, demo):
        parser.add_argument(
            "--flavour",
            choices=FLAVOURS,
            default="token",
            help="RLC as a token (default), as the chain's own coin, or eRLC with a KYC",
        )
        parser.add_argument(
            "--generation",
            type=int,
            choices=GENERATIONS,
            default=5,
            help="of contracts and services: 5, as SDK V6 knew them (default), or 6, today's",
        )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def start(options: argparse.Namespace) -> output.Result:
    """Start it, or say that it runs already."""
    from ..sandbox import commands

    if options.chain_json:
        _chain_file()  # one that cannot be used is told before anything starts
    status = commands.up(
        options.flavour,
        options.port,
        generation=options.generation,
        fresh=options.fresh,
        bridge=options.bridge,
        progress=_progress(options, sys.stderr),
    )
    names = " or ".join(f'"{name}"' for name in status.chains)
    hint = f"Use it as network {names}; stop it with: iexec-lite sandbox down"
    if not options.chain_json:
        entries = json.dumps(status.to_dict()["chainEntries"], indent=2)
        hint = f'For "chains" in chain.json (--chain-json puts it there):\n{entries}\n{hint}'
    return _shown(status, options, hint)


def stop(options: argparse.Namespace) -> output.Result:
    """Stop it, if it runs."""
    from ..sandbox import commands

    stopped = commands.down()
    text = "The sandbox is stopped, its data is kept" if stopped else "No sandbox was running"
    return output.Result(payload={"stopped": stopped}, text=text)


def show_status(options: argparse.Namespace) -> output.Result:
    """Whether it runs, and where."""
    from ..sandbox import commands

    status = commands.status()
    if not status.running and options.chain_json:
        raise SandboxError(f"No sandbox is running. {_START}")
    return _shown(status, options, "" if status.running else _START)


def _shown(status: Status, options: argparse.Namespace, hint: str) -> output.Result:
    """What runs; chain.json tells of it where that was asked for."""
    payload = status.to_dict()
    text = output.render({k: v for k, v in payload.items() if k != "chainEntries"})
    if options.chain_json:
        _save_chains(status)
        text += f"\n{project.CHAIN_FILE} has {' and '.join(status.chains)} now"
    return output.Result(payload=payload, text=f"{text}\n{hint}".rstrip("\n"))


def _chain_file() -> dict[str, Any]:
    from ..sdk.local import SANDBOX

    return project.load(project.CHAIN_FILE, missing={"default": SANDBOX, "chains": {}})


def _save_chains(status: Status) -> None:
    """Put the chains that run into chain.json; the rest of it is kept.

    So are keys in their entries of which the sandbox says nothing, unless they were of a sandbox of
    another kind. An entry of the same name that is another network is not replaced.
    """
    from ..sandbox.kinds import KINDS

    content = _chain_file()
    chains = project.member(content, "chains", project.CHAIN_FILE)
    rules = {str(kind.chain_id): kind.rules for kind in KINDS}
    for name, entry in status.chains.items():
        own = project.member(chains, name, f"chains of {project.CHAIN_FILE}")
        number = str(entry["id"])
        if str(own.get("id", number)) not in rules:
            raise ConfigurationError(
                f'"{name}" in {project.CHAIN_FILE} is another network (id {own["id"]}): rename it '
                "there, then run iexec-lite sandbox status --chain-json"
            )
        told = {*rules[number].chain_keys, *rules[number].retired_chain_keys}
        same = own.get("id", number) == number
        kept = {key: value for key, value in own.items() if same and key not in told}
        chains[name] = {**kept, **entry}
    project.save(project.CHAIN_FILE, {**content, "chains": chains})


def store_file(options: argparse.Namespace) -> output.Result:
    """Where the file can be found: the multiaddr of a dataset."""
    from ..sandbox import commands

    location = commands.store(Path(options.file))
    return output.Result(payload={"multiaddr": location}, text=f"multiaddr: {location}")


def run_demo(options: argparse.Namespace) -> output.Result:
    """The whole main job, told step by step on stdout: the story is the result."""
    from ..sandbox import commands

    progress = _progress(options, sys.stdout)
    result = commands.demo(options.flavour, generation=options.generation, progress=progress)
    text = result.decode("utf-8", "replace")
    return output.Result(payload={"result": text}, text=text if options.quiet else "")


def _progress(options: argparse.Namespace, stream: TextIO) -> Progress:
    from ..sandbox.progress import Progress, TerminalProgress

    silent = options.raw or options.quiet or stream is None
    return Progress() if silent else TerminalProgress(stream)
