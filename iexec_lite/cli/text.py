"""How values look to a person: amounts with units, times in words, tables that fit the terminal.

Everything here is text for stdout; ``--raw`` never passes here.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import terminal
from .output import render

if TYPE_CHECKING:
    from ..protocol.rules import Rules

__all__ = [
    "NONE",
    "address",
    "away",
    "bars",
    "duration",
    "moment",
    "rlc",
    "size",
    "stamp",
    "table",
    "tag_names",
]

NONE = "none"

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_NUMBER = re.compile(r"(?:-?[\d.]+(?: [A-Za-z%]+)?)?\Z")  # or nothing; an amount has a unit


def rlc(nrlc: int, symbol: str = "RLC") -> str:
    """``1500000000`` → ``1.5 RLC``; ``symbol`` is that of the chain."""
    from ..protocol.units import format_rlc

    return f"{format_rlc(nrlc)} {symbol}"


def address(value: str) -> str:
    """An address in full; ``none`` for the zero address, which stands for nobody."""
    return NONE if int(value, 16) == 0 else value


def tag_names(tag: str, rules: Rules) -> str:
    """``tee, gpu``; a bit without a name by its number; ``none``."""
    from ..protocol.tag import bit_name, to_mask

    mask = to_mask(tag)
    names = [bit_name(bit, rules) for bit in range(256) if mask >> bit & 1]
    return ", ".join(names) or NONE


def duration(seconds: float) -> str:
    """``2 hours``, ``1 minute``: the greatest unit that fits, rounded down."""
    for name, length in _UNITS:
        count = int(abs(seconds) // length)
        if count or length == 1:
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError


def moment(seconds: int, now: float) -> str:
    """Seconds since 1970 as ``2026-11-28 09:30:00 UTC (in 2 hours)``."""
    try:
        at = datetime.fromtimestamp(seconds, timezone.utc)
    except (OverflowError, ValueError, OSError):  # beyond the year 9999: only a node says such
        return f"{seconds} seconds after 1970"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC ({away(seconds, now)})"


def stamp(value: str, now: float) -> str:
    """A time of somebody else's (ISO 8601, their word only) as :func:`moment`."""
    try:
        at = datetime.fromisoformat(value.replace("Z", "+00:00"))
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
        return moment(int(at.timestamp()), now)
    except (ValueError, OverflowError):
        return value


def away(seconds: int, now: float) -> str:
    """Seconds since 1970 as ``in 2 hours`` or ``1 minute ago``."""
    left = seconds - now
    return f"in {duration(left)}" if left >= 1 else f"{duration(left)} ago"


def size(count: int) -> str:
    """Bytes as ``12.3 MB``."""
    value, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of the same keys under a head line; too wide for the terminal, as a record per row.

    Columns that are empty in every row are left out. Numbers are aligned to the right.
    """
    if not rows:
        return ""
    names = [name for name in rows[0] if any(str(row[name]) for row in rows)]
    cells = [[terminal.one_line(str(row[name])) for name in names] for row in rows]
    widths = [max(map(terminal.columns, c)) for c in zip(names, *cells, strict=True)]
    right = [all(map(_NUMBER.match, column)) for column in zip(*cells, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > _width():
        kept = ({name: row[name] for name in names if str(row[name])} for row in rows)
        return "\n\n".join(render(row) for row in kept)
    return "\n".join(
        "  ".join(map(_aligned, line, widths, right)).rstrip() for line in (names, *cells)
    )


def _aligned(text: str, wide: int, right: bool) -> str:
    gap = " " * (wide - terminal.columns(text))
    return gap + text if right else text + gap


def bars(rows: Sequence[tuple[str, int]]) -> str:
    """A bar per row: its label, a bar in proportion to its number, the number."""
    if not rows:
        return ""
    greatest = max(number for _, number in rows)
    labels = [terminal.one_line(label) for label, _ in rows]
    wide = max(map(terminal.columns, labels))
    digits = max(len(str(number)) for _, number in rows)
    room = max(8, min(60, _width() - wide - digits - 4))
    block = "█" if terminal.carries("█", sys.stdout) else "#"
    # One at least for what is there at all; integers, as a volume may pass what a float holds.
    return "\n".join(
        f"{_aligned(label, wide, True)}  "
        f"{block * (max(1, number * room // greatest) if number else 0)} {number}"
        for label, (_, number) in zip(labels, rows, strict=True)
    )


def _width() -> int:
    """Columns of the terminal; a file or a pipe takes any line."""
    if "COLUMNS" in os.environ or terminal.is_terminal(sys.stdout):
        return shutil.get_terminal_size().columns
    return 1 << 20
