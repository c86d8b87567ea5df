"""The mutation run tells a change that a test sees from one that none sees."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import ROOT, load

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


TRY = """
import os, sys
sys.path[:0] = [".", "tools"]
import mutate
module, tests = "eth/rlp.py", ["tests/unit/eth/test_rlp.py"]
for source in (mutate.unchanged(module), mutate.made(module, 40)):
    print(mutate.survives(module, source, tests), flush=True)
"""


def test_a_seen_change_is_told_from_an_unseen_one() -> None:
    """In a process of its own: pytest in pytest would see the modules that are loaded here."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    words = [sys.executable, "-c", TRY]
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_what_must_be_whole_is_found() -> None:
    modules = {module for module, _, _ in mutate.chosen([], 0, "1")}
    assert {
        "eth/abi.py",
        "eth/abi_decode.py",
        "eth/eip712_types.py",
        "protocol/orders.py",
    } <= modules
    assert not modules & set(mutate.elsewhere())
