"""Temporary folders go, whenever the signal comes."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.sandbox.folders import temporary_folder


def test_it_goes_though_its_removal_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, asked = shutil.rmtree, []

    def interrupted(path: Path, **options: Any) -> None:
        asked.append(path)
        if len(asked) == 1:
            raise KeyboardInterrupt
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder("x-", tmp_path) as folder:
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    assert asked == [folder, folder]


def test_it_goes_though_its_making_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp

    def interrupted(**options: Any) -> str:
        made = make(**options)
        signal.raise_signal(signal.SIGINT)
        assert Path(made).is_dir()
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", interrupted)
    with pytest.raises(KeyboardInterrupt), temporary_folder("x-", tmp_path):
        raise AssertionError("the signal acts before the block")
    assert list(tmp_path.iterdir()) == []
