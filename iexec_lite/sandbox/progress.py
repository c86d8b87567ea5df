"""How long work tells where it is: steps, and bytes of a download.

``Progress`` itself says nothing; ``TerminalProgress`` writes to a stream (stderr), with a counter
that rewrites its line on a terminal only.
"""

from __future__ import annotations

from typing import TextIO

__all__ = ["Progress", "TerminalProgress"]

MEGABYTE = 1_000_000


class Progress:
    """Listens to a job. This one keeps silent; override what should be seen."""

    def step(self, text: str) -> None:
        """Something begins or was done."""

    def amount(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` bytes of ``label``; the last call has ``done == total``."""


class TerminalProgress(Progress):
    """Writes steps as lines; downloads as one counter line (on a terminal) or start and end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._last = -1

    def step(self, text: str) -> None:
        """One line."""
        self._write(f"{text}\n")

    def amount(self, label: str, done: int, total: int) -> None:
        """Rewrites its line on a terminal; elsewhere writes at the start and at the end only."""
        finished = done >= total
        if not self._live and self._last >= 0 and not finished:
            return
        percent = 100 * done // max(total, 1)
        if percent == self._last and not finished:
            return
        self._last = -1 if finished else percent
        text = f"{label}: {done / MEGABYTE:.1f} of {total / MEGABYTE:.1f} MB ({percent} %)"
        end = "\n" if finished or not self._live else ""
        self._write(("\r" if self._live else "") + text + end)

    def _write(self, text: str) -> None:
        """What the stream cannot encode (an ASCII pipe, an old console) becomes ``?``."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()
