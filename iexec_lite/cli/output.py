"""What a command shows: one JSON document with ``--raw``, else lines for people (cli.md §1).

Human results go to stdout; progress, warnings and errors to stderr. Raw success goes to stdout, raw
failure to stderr, and nothing else goes anywhere. Colour only on a terminal and without
``NO_COLOR``. How text gets onto a stream is the business of ``terminal``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from ..errors import EXIT_FAILURE, IExecError
from ..frozen import Frozen, field
from . import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["Result", "fail", "info", "narrate", "render", "show", "warn"]

_PLAIN = {"✖": "x", "⚠": "!", "ℹ": "i"}  # where the encoding has no such signs


class Result(Frozen):
    """What a handler returns.

    ``payload`` is the raw JSON after ``"ok"``; ``text`` what a person reads; ``failures`` the parts
    that did not work, one text each (then the command fails as a whole), under ``title``. With
    ``listed=False`` the payload tells of them already, and ``--raw`` does not list them again.
    """

    payload: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    failures: Sequence[str] = ()
    title: str = "Failed"
    listed: bool = True


def show(result: Result, *, raw: bool) -> int:
    """Print a result; returns the exit status."""
    ok = not result.failures
    if raw:
        document: dict[str, object] = {"ok": ok, **result.payload}
        if not ok and result.listed:
            document["fail"] = list(result.failures)
        terminal.write(_json(document), sys.stdout if ok else sys.stderr)
    else:
        if result.text:
            terminal.write(result.text, sys.stdout)
        if not ok:
            lines = "".join(f"\n  - {failure}" for failure in result.failures)
            _marked("✖", "31", f"{result.title}:{lines}")
    return 0 if ok else EXIT_FAILURE


def fail(error: IExecError, *, command: str, raw: bool) -> None:
    """Print a failure on stderr; for people with its origin where ``DEBUG`` holds ``iexec``."""
    if raw:
        document = {"ok": False, "command": command, "error": error.to_dict()}
        terminal.write(_json(document), sys.stderr)
        return
    name = type(error).__name__
    named = "" if name in ("IExecError", "UsageError") else f"{name}: "
    _marked("✖", "31", f'Command "{command}" failed: {named}{error.message}')
    if "iexec" in os.environ.get("DEBUG", ""):
        import traceback

        terminal.write("".join(traceback.format_exception(error)), sys.stderr)


def info(text: str, options: argparse.Namespace) -> None:
    """A line of information on stderr, for people who want it."""
    if not options.raw and not options.quiet:
        _marked("ℹ", "34", text)


def warn(text: str, options: argparse.Namespace) -> None:
    """A warning on stderr, for people."""
    if not options.raw:
        _marked("⚠", "33", text)


def narrate(options: argparse.Namespace) -> None:
    """Show what the library tells of its progress: what was sent, confirmed, resumed.

    Where ``DEBUG`` holds ``iexec`` also each request.
    """
    import logging

    class Narrator(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                warn(record.getMessage(), options)
            else:
                info(record.getMessage(), options)

    log = logging.getLogger("iexec_lite")
    log.handlers[:] = [h for h in log.handlers if h.name != "narrator"]
    # Without a handler, warnings would go to stderr as they are.
    handler = logging.NullHandler() if options.raw else Narrator()
    handler.name = "narrator"
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if "iexec" in os.environ.get("DEBUG", "") else logging.INFO)


def render(value: object, indent: int = 0) -> str:
    """A JSON value as aligned ``key: value`` lines.

    The lines of a text stand below each other, so that none looks like another key.
    """
    pad = " " * indent
    if isinstance(value, Mapping):
        keys = [f"{terminal.one_line(str(key))}:" for key in value]
        wide = max(map(terminal.columns, keys), default=0)
        lines = []
        for key, item in zip(keys, value.values(), strict=True):
            if isinstance(item, (Mapping, list, tuple)) and item:
                lines += [f"{pad}{key}", render(item, indent + 2)]
            else:
                gap = " " * (wide - terminal.columns(key) + 1)
                lines.append(f"{pad}{key}{gap}{_scalar(item, indent + wide + 1)}".rstrip())
        return "\n".join(lines)
    if isinstance(value, (list, tuple)):
        return "\n".join(
            f"{pad}-\n{render(item, indent + 2)}"
            if isinstance(item, (Mapping, list, tuple)) and item
            else f"{pad}- {_scalar(item, indent + 2)}"
            for item in value
        )
    return pad + _scalar(value, indent)


def _scalar(value: object, indent: int) -> str:
    if value is None or value in ({}, [], ()):
        return "(none)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("\n", "\n" + " " * indent)


def _json(document: Mapping[str, object]) -> str:
    import json

    return json.dumps(document, separators=(",", ":"))  # ASCII, so every stream can carry it


def _marked(symbol: str, colour: str, text: str) -> None:
    stream = sys.stderr
    mark = symbol if terminal.carries(symbol, stream) else _PLAIN[symbol]
    if terminal.has_colours(stream):
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    terminal.write(text, stream, mark=f"{mark} ")
