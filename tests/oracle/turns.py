"""Two command lines that take turns in one folder: ``iexec`` (6 or 9) and ``iexec-lite``."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..node import flags, node_program, npm_folder

LIMIT = 120  # seconds for one command

# Where the documents of a command that only reads may differ: what is done to that of V6 before
# the two are compared to the letter, and why.
MENDED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "task show": (
        "contributors are an array, as the documents say (cli.md B6)",
        lambda v6: {
            **v6,
            "task": {**v6["task"], "contributors": [*v6["task"]["contributors"].values()]},
        },
    ),
    "info": (
        "V6 tells the version of a package inside itself; here it is that of the chain's contracts",
        lambda v6: {**v6, "pocoVersion": "5"},
    ),
    "storage check": (
        "the key that V6 misspells is there with its right name too (cli.md §8.12)",
        lambda v6: {"isInitialized": v6["isInitilized"], **v6},
    ),
}


@dataclass(frozen=True)
class Cli:
    """One of the two. Every command is given with ``--raw``, and nobody sits at a terminal."""

    name: str
    start: Callable[[list[str]], list[str]]
    env: dict[str, str]
    folder: Path

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.start(shlex.split(line)), "--raw"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def __call__(self, line: str) -> Any:
        """The document of a command that succeeds, without its ``ok``."""
        done = self.run(line)
        assert done.returncode == 0, f"{self.name} {line}: {done.stdout}{done.stderr}"
        document = json.loads(done.stdout.splitlines()[-1])  # node may announce its flag before
        assert document.pop("ok") is True
        return document

    def refused(self, line: str) -> Any:
        """What is wrong, of a command that fails: its message, or the list of what did not work.

        V6 exits 0 where a part of a command failed (cli.md B1).
        """
        done = self.run(line)
        document = json.loads(done.stderr.splitlines()[-1])
        assert document["ok"] is False
        assert done.returncode == 1 or self.name == "iexec"
        return document["fail"] if "fail" in document else document["error"]["message"]


class Team:
    """Both in one folder: ``first`` begins, ``second`` goes on with what is there."""

    def __init__(
        self,
        folder: Path,
        env: dict[str, str],
        *,
        first: str = "iexec",
        commands: str = "iexec/dist/cli/cmd",
    ) -> None:
        self.folder = folder
        self.js = Cli("iexec", partial(_javascript, commands), env, folder)
        self.py = Cli("iexec-lite", _python, env, folder)
        both = [self.js, self.py]
        self.first, self.second = both if first == self.js.name else reversed(both)

    def same(self, line: str) -> Any:
        """What both answer to a command that changes nothing."""
        with ThreadPoolExecutor(2) as pool:
            ours, v6 = pool.map(lambda cli: cli(line), (self.py, self.js))
        for command, (_, change) in MENDED.items():
            if line.startswith(command):
                assert json.dumps(ours) != json.dumps(v6), f"{line}: nothing to mend"
                v6 = change(v6)
        assert json.dumps(ours) == json.dumps(v6), line
        return ours

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text("utf-8"))

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """As a person with an editor."""
        content = self.read(name)
        change(content)
        (self.folder / name).write_text(json.dumps(content, indent=2), "utf-8")


def _python(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "iexec_lite", *words]


def _javascript(folder: str, words: list[str]) -> list[str]:
    node, packages = node_program(), npm_folder()
    assert node
    assert packages
    commands = packages / folder
    decrypts = {"decrypt", "--decrypt"} & set(words)
    # The script of the group itself: iexec.js would only start a second node with it.
    script, rest = commands / f"iexec-{words[0]}.js", words[1:]
    if not script.exists():
        script, rest = commands / "iexec.js", words
    return [node, *(flags(node) if decrypts else []), str(script), *rest]
