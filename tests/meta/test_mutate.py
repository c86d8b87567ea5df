"""The mutation run tells a change that a test sees from one that none sees."""

from __future__ import annotations

import os

import pytest

from .conftest import load

pytestmark = pytest.mark.skipif(os.name != "posix", reason="mutants are tried in forks")
if os.name == "posix":
    mutate = load("tools/mutate.py")

SOURCE = '''"""Doc."""
def f(a, b):
    """Doc."""
    if a < b and not b:
        raise ValueError
    return a + 1
'''


def test_mutants() -> None:
    found = [text for text, _ in mutate.mutants(SOURCE)]
    assert "line 4: a < b → a <= b" in found
    assert "line 6: a + 1 → a - 1" in found
    assert "line 4: not b → b" in found
    assert "line 5: raise ValueError → pass" in found
    assert not any("Doc" in text for text in found)
    at = found.index("line 6: a + 1 → a - 1")
    (changed,) = (text for _, text in mutate.mutants(SOURCE, at) if text)
    assert "return a - 1" in changed
    assert "if a < b and (not b):" in changed


def test_a_seen_change_is_told_from_an_unseen_one() -> None:
    module, tests = "eth/rlp.py", ["tests/unit/eth/test_rlp.py"]
    assert mutate.survives(module, mutate.unchanged(module), tests)
    assert not mutate.survives(module, mutate.made(module, 40), tests)


def test_what_must_be_whole_is_found() -> None:
    modules = {module for module, _, _ in mutate.chosen([], 0, "1")}
    assert {
        "eth/abi.py",
        "eth/abi_decode.py",
        "eth/eip712_types.py",
        "protocol/orders.py",
    } <= modules
    assert not modules & set(mutate.elsewhere())
