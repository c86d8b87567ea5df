"""The public names of ``iexec_lite``: what a type checker is told is what a program gets."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

import iexec_lite


def told() -> dict[str, str]:
    """Name → module, of the imports that only type checkers see."""
    with open(iexec_lite.__file__, encoding="utf-8") as file:
        body = ast.parse(file.read()).body
    (block,) = (each for each in body if isinstance(each, ast.If))
    return {
        alias.name: f"iexec_lite.{each.module}" if each.module else "iexec_lite"
        for each in block.body
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }


TOLD = told()


def test_type_checkers_are_told_of_every_public_name() -> None:
    assert sorted([*TOLD, "__version__"]) == sorted(iexec_lite.__all__)


@pytest.mark.parametrize("name", TOLD)
def test_each_is_what_it_is_said_to_be(name: str) -> None:
    kept = vars(iexec_lite).pop(name, None)  # as if nobody had asked for it yet
    found = getattr(iexec_lite, name)
    if TOLD[name] == "iexec_lite":
        assert found is import_module(f"iexec_lite.{name}")
    else:
        assert found is getattr(import_module(TOLD[name]), name)
        assert vars(iexec_lite)[name] is found  # found once
    assert kept in (None, found)
    assert name in dir(iexec_lite)


def test_another_name_is_none_of_ours() -> None:
    with pytest.raises(AttributeError) as caught:
        iexec_lite.web3  # noqa: B018
    assert str(caught.value) == "module 'iexec_lite' has no attribute 'web3'"
    assert "import_module" in dir(iexec_lite)  # all that is there


def test_the_import_loads_nothing_of_it() -> None:
    code = "import sys, iexec_lite; print(*sorted(n for n in sys.modules if n[:5] == 'iexec'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["iexec_lite"]
