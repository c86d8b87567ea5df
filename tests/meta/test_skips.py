"""Skips are data with a reason: every skip or expected failure in the tests says why."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MARKS = {"skip", "skipif", "xfail", "importorskip"}


def unexplained_skips(folder: Path) -> list[str]:
    """Calls and marks that leave tests out without a text of at least three words."""
    bad = []
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) in MARKS:
                given = [*node.args, *(k.value for k in node.keywords)]
                if not any(_explains(part) for child in given for part in ast.walk(child)):
                    bad.append(f"{path.name}:{node.lineno}")
            elif (
                isinstance(node, ast.Attribute)
                and node.attr in MARKS - {"importorskip"}
                and ast.unparse(node.value) == "pytest.mark"
                and id(node) not in called
            ):
                bad.append(f"{path.name}:{node.lineno}")
    return bad


def _explains(node: ast.AST) -> bool:
    """A text of three words or more, or one put together at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return len(node.value.split()) >= 3
    return isinstance(node, ast.JoinedStr) and len(node.values) > 1


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_every_skip_says_why(tmp_path: Path) -> None:
    assert unexplained_skips(TESTS) == []
    (tmp_path / "test_x.py").write_text(
        "import pytest\n@pytest.mark.skip\ndef test_a(): ...\n"
        "@pytest.mark.skipif(True, reason='x')\ndef test_b(): ...\n"
        "def test_c():\n    pytest.skip()\n"
    )
    assert len(unexplained_skips(tmp_path)) == 3
