"""Completion without shtab, and the tree that it is made from."""

from __future__ import annotations

import argparse
import sys
from types import SimpleNamespace

import pytest

from iexec_lite.cli import completion, dispatch

from .conftest import Run


def test_without_shtab(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    done = run("completion", "bash", "--raw")
    assert done.status == 1
    assert done.json["error"]["message"] == (
        "completion needs shtab: install the completion extra "
        "(pip install 'iexec-lite[completion]')"
    )


@pytest.fixture
def shtab(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What was given to shtab, which gives a script."""
    found = SimpleNamespace(FILE="a file", DIRECTORY="a folder", asked=[])

    def complete(tree: argparse.ArgumentParser, shell: str) -> str:
        found.asked.append((tree, shell))
        return "# a script\n\n"

    found.complete = complete
    monkeypatch.setitem(sys.modules, "shtab", found)
    return found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(run: Run, shtab: SimpleNamespace, shell: str) -> None:
    assert run("completion", shell).out == "# a script\n"
    document = run("completion", shell, "--raw").json
    assert document == {"ok": True, "shell": shell, "script": "# a script\n"}
    assert [shell for _, shell in shtab.asked] == [shell, shell]


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    [found] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


def test_what_is_completed(run: Run, shtab: SimpleNamespace) -> None:
    """Groups, commands and options with their help; paths; names of chains."""
    run("completion", "bash")
    [(tree, _)] = shtab.asked
    assert tree.prog == "iexec-lite"
    assert [option for a in tree._actions for option in a.option_strings] == [
        *("-h", "--help", "--version", "-V")
    ]
    groups = below(tree)
    assert list(groups) == list(dispatch.GROUPS)
    [listed] = [a for a in tree._actions if isinstance(a, argparse._SubParsersAction)]
    assert {a.dest: a.help for a in listed._choices_actions} == dispatch.GROUPS
    commands = below(groups["wallet"])
    known = dispatch.load("wallet").commands
    assert list(commands) == list(known)
    [listed] = [a for a in groups["wallet"]._actions if isinstance(a, argparse._SubParsersAction)]
    assert {a.dest: a.help for a in listed._choices_actions} == {
        name: command.description for name, command in known.items()
    }
    options = commands["import"]._option_string_actions
    assert set(options) == set(known["import"]._option_string_actions)
    assert options["--password-file"].complete == "a file"
    assert options["--keystoredir"].complete == "a folder"
    assert not hasattr(options["--password"], "complete")
    chains = commands["show"]._option_string_actions["--chain"].choices
    assert {"mainnet", "bellecour", "arbitrum-mainnet", "sandbox"} <= set(chains)
    assert "--skip-wallet" in groups["init"]._option_string_actions


def test_every_command_is_in_the_tree() -> None:
    tree = completion.tree()
    for name in dispatch.GROUPS:
        for command in dispatch.load(name).commands:
            words = [name, command] if command else [name]
            with pytest.raises(SystemExit) as stop:  # its help, and nothing else
                tree.parse_args([*words, "--help"])
            assert stop.value.code == 0
    with pytest.raises(SystemExit) as stop:
        tree.parse_args(["wallet", "nonsense"])
    assert stop.value.code == 2
