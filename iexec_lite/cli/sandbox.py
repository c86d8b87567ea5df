"""``iexec-lite sandbox up | down | status | demo``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TextIO

from . import output

if TYPE_CHECKING:
    from ..sandbox.progress import Progress

__all__ = ["register"]

FLAVOURS = ("token", "native")


def register(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """The commands of the group."""
    parser.epilog = "example:\n  iexec-lite sandbox demo"
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    up = commands.add_parser("up", parents=[shared], help="start a local iExec in the background")
    _add_flavour(up)
    up.add_argument(
        "--port", type=_port, help="port of the node on 127.0.0.1 (default: a free one)"
    )
    up.add_argument("--fresh", action="store_true", help="forget the chain and files of last time")
    up.set_defaults(handler=start)

    down = commands.add_parser("down", parents=[shared], help="stop it; its data is kept")
    down.set_defaults(handler=stop)

    status = commands.add_parser("status", parents=[shared], help="is it running, and where")
    status.set_defaults(handler=show_status)

    demo = commands.add_parser(
        "demo", parents=[shared], help="a whole purchase in a sandbox of its own, step by step"
    )
    _add_flavour(demo)
    demo.set_defaults(handler=run_demo)


def _add_flavour(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--flavour",
        choices=FLAVOURS,
        default="token",
        help="RLC as a token of the chain (default), or as the chain's own coin",
    )


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def start(options: argparse.Namespace) -> output.Result:
    """Start it, or say that it runs already."""
    from ..sandbox import commands

    status = commands.up(
        options.flavour, options.port, fresh=options.fresh, progress=_progress(options)
    )
    hint = 'Use it as network "sandbox"; stop it with: iexec-lite sandbox down'
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
    """The whole main job, told step by step; the story is not for --raw."""
    from ..sandbox import commands

    result = commands.demo(options.flavour, progress=_progress(options, sys.stdout))
    return output.Result(payload={"result": result.decode("utf-8", "replace")})


def _progress(options: argparse.Namespace, stream: TextIO | None = None) -> Progress:
    from ..sandbox.progress import Progress, TerminalProgress

    silent = options.raw or options.quiet
    return Progress() if silent else TerminalProgress(stream or sys.stderr)
