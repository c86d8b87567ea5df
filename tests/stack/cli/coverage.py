"""Every command of the command line must be seen to work and to fail, and every option to be used.

The commands and options are those of the parsers, so a new one counts from its first day. Each
command must have succeeded for a person and with ``--raw``, and failed with ``--raw``; each option
must have been part of a command that succeeded: the shared ones of any, the others of their own.
What was run is written line by line into a folder, one file per process.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import dispatch

FOLDER: pytest.StashKey[Path] = pytest.StashKey()

# Options that are declared once for many commands (flags.py, wallets.py).
SHARED = {
    *("--raw", "--quiet", "--chain", "--allow-plain-http", "--force"),
    *("--gas-price", "--confirms", "--new"),
    *("--password", "--password-file", "--keystoredir", "--wallet-file", "--wallet-address"),
}
# What cannot be shown, and why not: (command, what) → reason.
EXEMPT: dict[tuple[str, str], str] = {}


def note(folder: Path, words: Sequence[str], status: int) -> None:
    """Write down that a command was run, and how it ended."""
    with (folder / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps([list(words), status]) + "\n")


def commands() -> dict[str, tuple[set[str], set[str]]]:
    """``wallet show`` → its names as words, and its options but for help."""
    found = {}
    for name in dispatch.GROUPS:
        group = dispatch.load(name)
        for command, options in group.commands.items():
            names = {command, *(a for a, own in group.aliases.items() if own == command)}
            flags = {a.option_strings[-1] for a in options._actions if a.option_strings}
            found[f"{name} {command}".strip()] = names, flags - {"--help"}
    return found


def lacking(
    runs: Iterable[tuple[Sequence[str], int]],
    known: Mapping[str, tuple[set[str], set[str]]],
    exempt: Mapping[tuple[str, str], str] = EXEMPT,
) -> list[str]:
    """What a run did not show, one line each; also exemptions that nobody needs."""
    seen: dict[str, set[str]] = {command: set() for command in known}
    shared: set[str] = set()
    for words, status in runs:
        command = _command(words, known)
        if command is None:
            continue
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        raw = "--raw" in options
        seen[command].add(("raw " if raw else "human ") + ("success" if status == 0 else "failure"))
        if status == 0:
            seen[command] |= options
            shared |= options & SHARED
    bad = []
    for command, (_, options) in known.items():
        wanted = ["raw success", "human success", "raw failure", *sorted(options - SHARED)]
        for what in wanted:
            if (what in seen[command]) == ((command, what) in exempt):
                why = "exempt, yet seen" if what in seen[command] else "never seen"
                bad.append(f"{command}: {what} {why}")
    used = {option for _, options in known.values() for option in options & SHARED}
    bad += [f"no command that succeeded had {option}" for option in sorted(used - shared)]
    bad += [f"{command}: exempt, but not there" for command, _ in exempt if command not in known]
    return bad


def _command(words: Sequence[str], known: Mapping[str, Any]) -> str | None:
    """Which command these words are of, aliases too."""
    plain = [word for word in words if word not in ("--raw", "--quiet")]
    if plain[:1] and plain[0] in known:
        return plain[0]
    for command, (names, _) in known.items():
        if plain[:1] == [command.split()[0]] and plain[1:2] and plain[1] in names:
            return command
    return None


class CliCoverage:
    """The pytest plugin; ``is_whole()`` tells whether all tests of the folder were run."""

    def __init__(self, config: pytest.Config, is_whole: Any) -> None:
        self._worker = hasattr(config, "workerinput")
        self._is_whole = is_whole
        self._bad: list[str] = []
        folder = config.rootpath / ".tox" / "cli-coverage"
        if not self._worker:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        config.stash[FOLDER] = folder

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._worker or exitstatus or not self._is_whole():
            return
        runs = []
        for file in session.config.stash[FOLDER].glob("*.jsonl"):
            runs += [tuple(json.loads(line)) for line in file.read_text("utf-8").splitlines()]
        self._bad = lacking(runs, commands())
        if self._bad:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._bad:
            terminalreporter.section("commands that the tests of this folder do not show")
            for line in self._bad:
                terminalreporter.line(line)
