"""Completion without shtab, and the tree that it is made from."""

from __future__ import annotations

import sys

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
