"""The contract artifacts that the tests of this folder compare with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VERSION = "5.3.0"
DEFAULT = Path(__file__).parents[2] / ".tox" / "npm" / "node_modules" / "@iexec" / "poco"


@pytest.fixture(scope="session")
def artifact() -> Callable[[str], list[dict[str, Any]]]:
    """Reads the ABI of a contract by name from npm ``@iexec/poco``."""
    folder = Path(os.environ.get("IEXEC_LITE_POCO", DEFAULT))
    if not folder.is_dir():
        want = f"needs npm @iexec/poco {VERSION}: run tools/npm_install.py, or set IEXEC_LITE_POCO"
        if os.environ.get("CI"):
            pytest.fail(want, pytrace=False)
        pytest.skip(f"{want} to its folder")
    found = json.loads((folder / "package.json").read_text("utf-8"))["version"]
    assert found == VERSION, f"these tests are written for @iexec/poco {VERSION}, not {found}"
    cache: dict[str, list[dict[str, Any]]] = {}

    def read(name: str) -> list[dict[str, Any]]:
        if name not in cache:
            text = (folder / "build" / "contracts" / f"{name}.json").read_text("utf-8")
            cache[name] = json.loads(text)["abi"]
        return cache[name]

    return read
