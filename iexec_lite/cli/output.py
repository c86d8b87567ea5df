"""What a command shows: one JSON document with ``--raw``, else lines for people (cli.md §1).

Human results go to stdout; progress, warnings and errors to stderr. Raw success goes to stdout, raw
failure to stderr. Colour only on a terminal and without ``NO_COLOR``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from ..errors import EXIT_FAILURE, IExecError

__all__ = ["Result", "fail", "info", "render", "show", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a handler returns.

    ``payload`` is the raw JSON after ``"ok"``; ``text`` what a person reads; ``failures`` the parts
    that did not work, one text each (then the command fails as a whole).
    """

    payload: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    failures: Sequence[str] = ()


def show(result: Result, *, raw: bool, quiet: bool) -> int:
    """Print a result; returns the exit status."""
    ok = not result.failures
    if raw:
        document: dict[str, object] = {"ok": ok, **result.payload}
        if not ok:
            document["fail"] = list(result.failures)
        print(_json(document), file=sys.stdout if ok else sys.stderr)
    else:
        if result.text and not (quiet and ok):
            print(result.text)
        for failure in result.failures:
            print(_mark("✖", "31", sys.stderr) + failure, file=sys.stderr)
    sys.stdout.flush()
    return 0 if ok else EXIT_FAILURE


def fail(error: IExecError, *, command: str, raw: bool) -> None:
    """Print a failure on stderr."""
    if raw:
        document = {"ok": False, "command": command, "error": error.to_dict()}
        print(_json(document), file=sys.stderr)
        return
    name = type(error).__name__
    mark = _mark("✖", "31", sys.stderr)
    named = "" if name in ("IExecError", "UsageError") else f"{name}: "
    print(f"{mark}{command} failed: {named}{error.message}", file=sys.stderr)


def info(text: str, *, quiet: bool = False) -> None:
    """A line of information on stderr."""
    if not quiet:
        print(_mark("ℹ", "34", sys.stderr) + text, file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr."""
    print(_mark("⚠", "33", sys.stderr) + text, file=sys.stderr)


def render(value: object, indent: int = 0) -> str:
    """A JSON value as aligned ``key: value`` lines."""
    pad = " " * indent
    if isinstance(value, Mapping):
        width = max((len(str(key)) for key in value), default=0) + 1
        lines = []
        for key, item in value.items():
            if isinstance(item, (Mapping, list, tuple)) and item:
                lines += [f"{pad}{key}:", render(item, indent + 2)]
            else:
                lines.append(f"{pad}{str(key) + ':':<{width}} {_scalar(item)}")
        return "\n".join(lines)
    if isinstance(value, (list, tuple)):
        return "\n".join(
            f"{pad}-\n{render(item, indent + 2)}"
            if isinstance(item, (Mapping, list, tuple))
            else f"{pad}- {_scalar(item)}"
            for item in value
        )
    return pad + _scalar(value)


def _scalar(value: object) -> str:
    if value is None or value in ({}, [], ()):
        return "(none)"
    return str(value) if not isinstance(value, bool) else ("yes" if value else "no")


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _mark(symbol: str, colour: str, stream: TextIO) -> str:
    if "NO_COLOR" not in os.environ and stream.isatty():
        return f"\x1b[{colour}m{symbol}\x1b[0m "
    return f"{symbol} "
