"""What is going on, for people, while a command waits or moves many bytes: one line on stderr.

On a terminal the line is drawn over until the block ends, and leaves nothing behind; elsewhere a
line is written when something changed. Silent with ``--raw`` and ``--quiet``.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable

from . import output, terminal
from .text import size

__all__ = ["Progress", "bar"]

PAUSE = 0.1  # seconds between two drawings of a number that runs
SECOND = 1.0  # seconds between two drawings of a text that tells a time
LONGEST_BAR, SHORTEST_BAR = 30, 5  # characters


class Progress:
    """``with Progress(options) as progress:`` then :meth:`say` or :meth:`amount`, again and again.

    ``clock`` is for tests.
    """

    def __init__(
        self, options: argparse.Namespace, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._clock = clock
        self._redraws = not (options.raw or options.quiet) and terminal.redraws(sys.stderr)
        self._last: object = None  # what was told last
        self._label = ""
        self._start = self._drawn = 0.0
        self._text: Callable[[], str] = str
        self._ended = threading.Event()
        self._ticks = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with terminal.taken_away():
            pass

    def say(self, text: Callable[[], str]) -> None:
        """What is so now. On a terminal ``text`` is asked again each second: it may tell a time."""
        if not self._redraws:
            words = text()
            self._tell(words, words)
            return
        self._text = text
        if not self._ticks:
            self._ticks = True
            threading.Thread(target=self._tick, daemon=True).start()
        terminal.draw(text())

    def _tick(self) -> None:
        while not self._ended.wait(SECOND):
            terminal.draw(self._text(), lambda: not self._ended.is_set())

    def amount(self, label: str, done: int, total: int | None = None) -> None:
        """``done`` bytes of ``total``, if that is known, of the job ``label``."""
        now = self._clock()
        if label != self._label:
            self._label, self._start, self._drawn = label, now, -PAUSE
        if self._redraws:
            if now - self._drawn >= PAUSE or done == total:
                self._drawn = now
                speed = done / (now - self._start) if now - self._start >= PAUSE else None
                terminal.draw(bar(label, done, total, speed, terminal.width(sys.stderr) - 1))
            return
        # A line for each quarter; where the whole is unknown, for ten times as much as before.
        reached = done * 4 // total if total else len(str(done // 10**7))
        self._tell((label, reached), f"{label}: {_counted(done, total)}")

    def _tell(self, what: object, text: str) -> None:
        if what != self._last:
            self._last = what
            output.info(text, self._options)


def bar(label: str, done: int, total: int | None, speed: float | None, room: int) -> str:
    """One line of at most ``room`` columns or of what cannot be left out: bar, per cent, speed."""
    rate = "" if speed is None else f"  {size(int(speed))}/s"
    if not total:
        return f"{label}  {_counted(done, None)}{rate}"
    text = f"{_counted(done, total)}{rate}"
    length = min(LONGEST_BAR, room - terminal.columns(label) - len(text) - 4)
    if length < SHORTEST_BAR:
        return f"{label}  {text}"
    full, empty = ("█", "░") if terminal.carries("█░", sys.stderr) else ("#", "-")
    filled = min(length, done * length // total)
    return f"{label}  {full * filled}{empty * (length - filled)}  {text}"


def _counted(done: int, total: int | None) -> str:
    if not total:
        return size(done)
    return f"{min(100, done * 100 // total)} %  {size(done)} of {size(total)}"
