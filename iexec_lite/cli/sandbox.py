"""``iexec-lite sandbox up | down | status | demo``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TextIO

from . import output
from .parser import Group

if TYPE_CHECKING:
    from ..sandbox.progress import Progress

__all__ = ["register"]

FLAVOURS = ("token", "native", "enterprise")
GENERATIONS = (5, 6)


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
    group.command("status", show_status, "is it running, and where", example="sandbox status --raw")
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
    return output.Result(
        payload=status.to_dict(), text=f"{output.render(status.to_dict())}\n{hint}"
    )


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
    hint = "" if status.running else "\nStart it with: iexec-lite sandbox up"
    return output.Result(payload=status.to_dict(), text=output.render(status.to_dict()) + hint)


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
