"""Each promise of docs/security.md names the tests that hold it, and these exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from .conftest import ROOT

PAGE = ROOT / "docs" / "security.md"
SECTIONS = {
    "node",
    "marketplace",
    "gateway",
    "file",
    "machine",
    "moment",
}  # last words: against whom
NOT_PROMISED = ("audited", "constant time", "wiped", "without isolation")


@cache
def defined(path: Path) -> set[str]:
    """The tests of a file."""
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {
        n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name[:5] == "test_"
    }


def broken(page: str) -> list[str]:
    """Promises without a test, tests that are not there, readers and limits that are not named."""
    bad = []
    promised = page.partition("## Promised\n")[2].partition("\n## ")[0]
    for row in re.findall(r"(?m)^\| (?!promise|---)(.+) \|$", promised):
        promise, _, tests = row.rpartition(" | ")
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
        if not named:
            bad.append(f"no test: {promise}")
        bad += [
            f"not there: {file}::{test}" for file, test in named if test not in defined(ROOT / file)
        ]
    found = {title.split()[-1] for title in re.findall(r"(?m)^### (.+)$", promised)}
    bad += [f"nothing about {word}" for word in sorted(SECTIONS - found)]
    limits = page.partition("## Not promised\n")[2].partition("\n## ")[0]
    return bad + [f"not said: {words}" for words in NOT_PROMISED if words not in limits]


def test_every_promise_has_its_tests() -> None:
    page = PAGE.read_text("utf-8")
    assert broken(page) == []
    planted = page.replace("::test_limits`", "::test_limit`").replace("### A hostile file", "### X")
    planted = planted.replace("cannot be wiped", "can be wiped?").replace("wiped", "x")
    planted = re.sub(r"(\| Nothing beyond[^|]+\| )", r"| A new promise. | because |\n\1", planted)
    assert len(broken(planted)) == 4
