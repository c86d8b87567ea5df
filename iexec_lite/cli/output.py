"""What a command shows: one JSON document with ``--raw``, else lines for people (cli.md §1).

Human results go to stdout; progress, warnings and errors to stderr. Raw success goes to stdout, raw
failure to stderr, and nothing else goes anywhere. Colour only on a terminal and without
``NO_COLOR``. Text may come from a node or a file: what would steer a terminal is shown escaped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from ..errors import EXIT_FAILURE, IExecError

__all__ = ["Result", "fail", "info", "narrate", "render", "show", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
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
        _write(_json(document), sys.stdout if ok else sys.stderr)
    else:
        if result.text:
            _write(result.text, sys.stdout)
        if not ok:
            lines = "".join(f"\n  - {failure}" for failure in result.failures)
            _marked("✖", "31", f"{result.title}:{lines}")
    return 0 if ok else EXIT_FAILURE


def fail(error: IExecError, *, command: str, raw: bool) -> None:
    """Print a failure on stderr; for people with its origin where ``DEBUG`` holds ``iexec``."""
    if raw:
        document = {"ok": False, "command": command, "error": error.to_dict()}
        _write(_json(document), sys.stderr)
        return
    name = type(error).__name__
    named = "" if name in ("IExecError", "UsageError") else f"{name}: "
    _marked("✖", "31", f'Command "{command}" failed: {named}{error.message}')
    if "iexec" in os.environ.get("DEBUG", ""):
        _write("".join(traceback.format_exception(error)), sys.stderr)


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
    log.handlers[:] = [h for h in log.handlers if type(h).__name__ != "Narrator"]
    if not options.raw:
        log.addHandler(Narrator())
    log.setLevel(logging.DEBUG if "iexec" in os.environ.get("DEBUG", "") else logging.INFO)


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
                lines.append(f"{pad}{str(key) + ':':<{width}} {_scalar(item)}".rstrip())
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
    return json.dumps(document, separators=(",", ":"))  # ASCII, so every stream can carry it


def _marked(symbol: str, colour: str, text: str) -> None:
    stream = sys.stderr
    if stream is not None and stream.isatty() and "NO_COLOR" not in os.environ:
        stream.write(f"\x1b[{colour}m{symbol}\x1b[0m ")
        _write(text, stream)
    else:
        _write(f"{symbol} {text}", stream)


def _write(text: str, stream: TextIO | None) -> None:
    """One text and a line end: printable, encodable, and out at once."""
    if stream is None:  # closed by whoever started us
        return
    shown = "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)
    encoding = stream.encoding or "utf-8"
    shown = shown.encode(encoding, "backslashreplace").decode(encoding)
    stream.write(f"{shown}\n")
    stream.flush()


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
