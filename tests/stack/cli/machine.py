"""A person's machine: the command line in processes of its own, at a pipe or at a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iexec_lite import Chain

from ...pseudo_terminal import PseudoTerminal
from . import coverage

ROOT = Path(__file__).resolve().parents[3]
TERMINAL = {"NO_COLOR": "1", "TERM": "dumb"}
LIMIT = 120  # seconds for one command


@dataclass(frozen=True)
class Machine:
    """Somebody's home and environment; ``record`` is where :mod:`coverage` notes what was run."""

    env: dict[str, str]
    record: Path

    def run(
        self,
        *words: str,
        folder: Path,
        path: str = "",
        stdin: str | None = None,
        env: Mapping[str, str] = {},
    ) -> subprocess.CompletedProcess[str]:
        """A command in a folder; ``path`` goes before everything on the import path."""
        done = subprocess.run(
            [sys.executable, "-m", "iexec_lite", *words],
            cwd=folder,
            env={**self._environment(path), **env},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        coverage.note(self.record, words, done.returncode)
        return done

    def shown(self, *words: str, folder: Path, **options: Any) -> str:
        """What a command that succeeds shows a person as its result."""
        done = self.run(*words, folder=folder, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str, folder: Path, **options: Any) -> str:
        """What a person is told by a command that fails: its stderr."""
        done = self.run(*words, folder=folder, **options)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def raw(self, *words: str, folder: Path, **options: Any) -> Any:
        """The document of a command that succeeds."""
        done = self.run(*words, "--raw", folder=folder, **options)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert done.stdout.count("\n") == 1
        document = json.loads(done.stdout)
        assert document["ok"] is True
        return document

    def failure(self, *words: str, folder: Path, **options: Any) -> Any:
        """The document of a command that fails."""
        done = self.run(*words, "--raw", folder=folder, **options)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        assert done.stderr.count("\n") == 1
        document = json.loads(done.stderr)
        assert document["ok"] is False
        return document

    def message(self, *words: str, folder: Path, **options: Any) -> str:
        """The message of a command that fails as a whole."""
        return str(self.failure(*words, folder=folder, **options)["error"]["message"])

    def terminal(self, *words: str, folder: Path, env: Mapping[str, str] = {}) -> Terminal:
        """A command at a pseudo-terminal."""
        return Terminal(self, words, folder, {**self._environment(), **TERMINAL, **env})

    def chain(self) -> Chain:
        """What ``--chain sandbox`` stands for."""
        file = Path(self.env["IEXEC_LITE_HOME"], "sandbox", "chain.json")
        return Chain.from_dict(json.loads(file.read_text("utf-8")))

    def _environment(self, path: str = "") -> dict[str, str]:
        return {**self.env, "PYTHONPATH": os.pathsep.join(filter(None, [path, str(ROOT)]))}


class Terminal(PseudoTerminal):
    """A command with a person before it, who ends an answer with the enter key."""

    def __init__(
        self, machine: Machine, words: tuple[str, ...], folder: Path, env: Mapping[str, str]
    ) -> None:
        self._machine, self._words = machine, words
        super().__init__([sys.executable, "-m", "iexec_lite", *words], folder, env, limit=LIMIT)

    def __enter__(self) -> Terminal:
        return self

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type ``text`` and a line end."""
        super().answer(question, f"{text}\n")

    def interrupt(self) -> None:
        """Press Ctrl-C until it ends: one may come just before the wait for an answer begins."""
        end = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < end, f"{self._words} cannot be interrupted"
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)

    def end(self) -> tuple[int, str]:
        """Exit status, and all that was on the terminal."""
        status, seen = super().end()
        coverage.note(self._machine.record, self._words, status)
        return status, seen


_CHANGING = (
    (re.compile(r"0x[0-9a-fA-F]{64}(?![0-9a-fA-F])"), "hash"),
    (re.compile(r"0x[0-9a-fA-F]{40}(?![0-9a-fA-F])"), "address"),
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "url"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "time"),
    (re.compile(r"(?:in )?\d+ (?:day|hour|minute|second)s?(?: ago)?"), "duration"),
)
_FIXED = {"0x" + "0" * 40, "0x" + "0" * 64}


def normal(text: str, folder: Path) -> str:
    """A text with what changes from run to run named in the order it appears: ``<address 1>``."""
    text = text.replace(str(folder), "<folder>")
    for pattern, kind in _CHANGING:
        seen: dict[str, int] = {}

        def name(match: re.Match[str], seen: dict[str, int] = seen, kind: str = kind) -> str:
            found = match[0]
            if found in _FIXED:
                return found
            return f"<{kind} {seen.setdefault(found, len(seen) + 1)}>"

        text = pattern.sub(name, text)
    return text
