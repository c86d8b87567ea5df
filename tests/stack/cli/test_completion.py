"""``iexec-lite completion``: the script of each shell, in that shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from . import coverage
from .machine import Machine

# The line up to the cursor → some of what the shell offers there.
OFFERS = {
    "": {"wallet", "order", "sandbox", "completion"},
    "wal": {"wallet"},
    "wallet ": {"create", "import", "show"},
    "wallet show --wallet-": {"--wallet-file", "--wallet-address"},
    "sandbox up --flavour ": {"token", "native", "enterprise"},
    "wallet show --chain belle": {"bellecour"},
    "wallet show --chain sand": {"sandbox"},
    "wallet show --keystoredir key": {"keys"},
    "wallet import --private-key-file key": {"key.txt"},
    "completion ": {"bash", "zsh", "fish"},
}


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """No sandbox: completion contacts nobody."""
    home = str(tmp_path_factory.mktemp("home"))
    env = {**os.environ, **dict.fromkeys(("HOME", "USERPROFILE", "IEXEC_LITE_HOME"), home)}
    return Machine(env, request.config.stash[coverage.FOLDER])


def have(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed on this machine")
    return found


def run(shell: str, script: str, *words: str, folder: Path) -> str:
    command = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [have(shell), *command, "-c", script, *words],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "key.txt").touch()
    return tmp_path


BASH = """
source "$0"
read -ra COMP_WORDS <<< "iexec-lite $1"
[[ -z $1 || $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
complete -p iexec-lite | grep -q -- "-F _shtab_iexec_lite"
_shtab_iexec_lite
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("line", OFFERS)
def test_bash(machine: Machine, folder: Path, line: str) -> None:
    script = folder / "script"
    script.write_text(machine.shown("completion", "bash", folder=folder), "utf-8")
    offered = {
        word.rstrip("/") for word in run("bash", BASH, str(script), line, folder=folder).split()
    }
    assert offered >= OFFERS[line]
    if line.strip() and not line.endswith(" "):
        assert all(word.startswith(line.rsplit(maxsplit=1)[-1]) for word in offered)


def test_fish(machine: Machine, folder: Path) -> None:
    have("fish")
    script = folder / "script"
    script.write_text(machine.shown("completion", "fish", folder=folder), "utf-8")
    for line, wanted in OFFERS.items():
        words = f"source {script}; complete -C 'iexec-lite {line}'"
        lines = run("fish", words, folder=folder).splitlines()
        offered = {each.split("\t")[0].rstrip("/") for each in lines}
        assert offered >= wanted, line


def test_zsh(machine: Machine, folder: Path) -> None:
    """It parses, and zsh knows that it completes our command."""
    have("zsh")
    script = folder / "script"
    script.write_text(machine.shown("completion", "zsh", folder=folder), "utf-8")
    words = f'autoload -Uz compinit; compinit -D -u; eval "$(<{script})"; print $_comps[iexec-lite]'
    assert run("zsh", words, folder=folder) == "_shtab_iexec_lite\n"
    run("zsh", f"zsh -n {script}", folder=folder)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command(machine: Machine, tmp_path: Path, shell: str) -> None:
    document = machine.raw("completion", shell, folder=tmp_path)
    assert document["shell"] == shell
    script = document["script"]
    assert script == machine.shown("completion", shell, folder=tmp_path)
    assert [name for name in coverage.commands() if name.split()[-1] not in script] == []


def test_another_shell(machine: Machine, tmp_path: Path) -> None:
    told = machine.message("completion", "cmd.exe", folder=tmp_path)
    assert "choose from" in told
    assert "missing required argument" in machine.message("completion", folder=tmp_path)
