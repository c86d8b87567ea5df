"""The oracle answers, and its absence is noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..node import node_program, npm_folder
from . import conftest

PINNED = {"iexec": "6.0.1", "ethers": "ethers/5.3.1", "typed": "ethers/5.8.0"}


def test_versions(oracle: Any) -> None:
    found = oracle.ask("versions")
    assert {name: found[name] for name in PINNED} == PINNED


def test_refusals_are_told(oracle: Any) -> None:
    assert oracle.ask("encodeTag", names=["tee"]).endswith("01")
    with pytest.raises(Exception, match="Unknown tag foo"):
        oracle.ask("encodeTag", names=["foo"])
    with pytest.raises(Exception, match="no such operation"):
        oracle.ask("toString")
    with pytest.raises(AssertionError, match="Unknown tag foo"):
        oracle.values("encodeTag", [{"names": []}, {"names": ["foo"]}])


def test_silence_ends(oracle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog kills node itself: a question without an answer fails and does not hang."""
    node, packages = node_program(), npm_folder()
    assert node
    assert packages
    monkeypatch.setattr(conftest, "PATIENCE", 1)
    silent = conftest.Oracle(node, packages)
    with pytest.raises(AssertionError, match="did not answer in time"):
        silent.ask("hang")
    silent.close()


@pytest.mark.parametrize("ci", ["", "1"])
def test_missing_packages_are_counted(ci: str, tmp_path: Path) -> None:
    """Without packages: left out and counted; in CI: failed."""
    target = Path(__file__).with_name("test_guard.py")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"{target}::test_versions",
        ],
        env={**os.environ, "IEXEC_LITE_NPM": str(tmp_path), "CI": ci},
        cwd=target.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == (1 if ci else 0)
    assert ("1 error" if ci else "1 tests left out for want of node") in run.stdout
