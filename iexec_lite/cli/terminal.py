"""Text onto a terminal, a pipe or a file: harmless, encodable, and as wide as it looks.

One line of a terminal can be drawn over and over (progress); everything else that is written first
takes it away. This needs a carriage return and spaces only, no escape codes, so it works wherever
there are lines at all; a terminal that says it is dumb gets none. Text may come from a node or a
file: what would steer a terminal is shown escaped.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

__all__ = [
    "carries",
    "clip",
    "columns",
    "draw",
    "harmless",
    "has_colours",
    "is_terminal",
    "one_line",
    "redraws",
    "taken_away",
    "width",
    "write",
]

USUAL_WIDTH = 80  # columns, of a terminal that does not tell


# -- what a stream can do ---------------------------------------------------------------------


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees this stream at once, in lines and columns."""
    return stream is not None and stream.isatty()


def redraws(stream: TextIO | None) -> bool:
    """Whether a line on this stream can be drawn over."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def has_colours(stream: TextIO | None) -> bool:
    """Whether escape codes colour this stream, and nobody objects (https://no-color.org)."""
    modern = sys.platform != "win32" or "WT_SESSION" in os.environ or "TERM" in os.environ
    return redraws(stream) and modern and not os.environ.get("NO_COLOR")


def carries(text: str, stream: TextIO | None) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def width(stream: TextIO | None) -> int:
    """Columns of the terminal that a stream is."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
    except (OSError, ValueError):  # no terminal, or none that tells; ValueError: not even a file
        found = 0
    return found or USUAL_WIDTH


# -- what a text looks like -------------------------------------------------------------------


def one_line(text: str) -> str:
    """The text with everything escaped that is not a visible character or a space."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _code(c) for c in text)


def harmless(text: str) -> str:
    """The text with everything escaped that could steer a terminal, in as many lines."""
    return "".join(c if c.isprintable() or c in "\n\t" else _code(c) for c in text)


def _code(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def columns(text: str) -> int:
    """How many columns a line of visible characters takes: wide ones two, accents none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def clip(text: str, limit: int) -> str:
    """The text, or as much of its beginning as fits into so many columns, and dots."""
    if columns(text) <= limit:
        return text
    kept = text
    while kept and columns(kept) + 3 > limit:
        kept = kept[:-1]
    return (kept.rstrip() + "...")[:limit]


# -- writing ----------------------------------------------------------------------------------


class _Line:
    """The line on stderr that is drawn over; the lock keeps two threads from mixing theirs."""

    lock = threading.RLock()
    drawn = False


def write(text: str, stream: TextIO | None, *, mark: str = "", end: str = "\n") -> None:
    """One text and a line end, out at once. ``mark`` stands before it as it is (a colour)."""
    if stream is None:  # closed by whoever started us
        return
    encoding = stream.encoding or "utf-8"
    shown = harmless(text).encode(encoding, "backslashreplace").decode(encoding)
    with taken_away():
        stream.write(f"{mark}{shown}{end}")
        stream.flush()


def draw(text: str, wanted: Callable[[], bool] = lambda: True) -> None:
    """Show one line on the terminal of stderr in the place of the one drawn before.

    ``wanted`` is asked when nobody else writes: another thread may have ended the drawing.
    """
    stream = sys.stderr
    room = width(stream) - 1  # a full line would begin the next one
    shown = clip(one_line(text), room)
    if not carries(shown, stream):
        shown = shown.encode("ascii", "replace").decode("ascii")
    with _Line.lock:
        if not wanted():
            return
        _Line.drawn = True
        stream.write("\r" + shown + " " * (room - columns(shown)) + "\r")
        stream.flush()


@contextmanager
def taken_away() -> Iterator[None]:
    """The terminal without the line that is drawn over, for as long as something is written."""
    with _Line.lock:
        if _Line.drawn:
            _Line.drawn = False
            sys.stderr.write("\r" + " " * (width(sys.stderr) - 1) + "\r")
            sys.stderr.flush()
        yield
