"""The JavaScript peers in one long-lived process, and the node that answers all alike."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.node import flags, node_program

from .measure import Effort, Take

SCRIPT = Path(__file__).with_name("peers.js")


class Script:
    """A run of peers.js, asked line by line."""

    def __init__(self, *arguments: str) -> None:
        program = node_program()
        assert program is not None
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [program, str(SCRIPT), *arguments], stdin=pipe, stdout=pipe, text=True
        )

    def ask(self, **question: object) -> object:
        """The value that a question is answered with."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> object:
        """The next line's value."""
        assert self._process.stdout is not None
        found = json.loads(self._process.stdout.readline())
        if "error" in found:
            raise RuntimeError(found["error"])
        return found["value"]

    def __enter__(self) -> Script:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def per_second(self, name: str) -> Take:
        """How often a second the script does ``name``."""

        def take(effort: Effort) -> float:
            return float(str(self.ask(op=name, seconds=effort.seconds)))

        return take


def once(name: str, given: Mapping[str, object]) -> list[str]:
    """The command that does ``name`` of peers.js once, and prints the seconds it took."""
    node = str(node_program())
    return [node, *flags(node), str(SCRIPT), "once", name, json.dumps(given)]
