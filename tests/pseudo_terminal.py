"""A program at a pseudo-terminal, with a person before it."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class PseudoTerminal:
    """Read what appears, answer, see how it ends; with ``piped`` stdout goes elsewhere."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        *,
        piped: bool = False,
        limit: float = 30,
    ) -> None:
        self.limit = limit  # seconds for what is waited for
        self.master, slave = os.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=slave,
            stdout=subprocess.PIPE if piped else slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""
        self._position = 0  # where the last text that was waited for ends

    def __enter__(self) -> PseudoTerminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.master)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def read(self, until: str | None = None) -> str:
        """What appears up to a text, or to the end."""
        end = time.monotonic() + self.limit
        start = self._position
        while until is None or until not in self.seen[start:]:
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"{until!r} does not come: {self.seen!r}")
            try:
                data = os.read(self.master, 4096)
            except OSError:  # Linux: everybody has closed the other side
                data = b""
            if not data:
                assert until is None, f"{until!r} did not come: {self.seen!r}"
                break
            self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        found = len(self.seen) if until is None else self.seen.index(until, start) + len(until)
        self._position = found
        return self.seen[start:found]

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type ``text``."""
        self.read(question)  # which getpass shows once it has dropped what was typed before
        os.write(self.master, text.encode())

    def end(self) -> tuple[int, str]:
        """Exit status, and all that was on the terminal."""
        self.read()
        return self.process.wait(30), self.seen
