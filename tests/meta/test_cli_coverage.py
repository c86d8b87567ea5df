"""The judge of the command line's tests sees what is missing: planted violations."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import load


@pytest.fixture(scope="module")
def coverage() -> Any:
    return load("tests/stack/cli/coverage.py")


KNOWN = {
    "info": ({""}, {"--raw", "--chain"}),
    "wallet get-ether": ({"get-ether", "getETH"}, {"--raw", "--to"}),
}
GOOD = [
    (["info"], 0),
    (["info", "--raw", "--chain=x"], 0),
    (["--raw", "info", "--chain", "y"], 1),
    (["wallet", "getETH", "--to", "x"], 0),
    (["wallet", "--quiet", "get-ether", "--raw"], 0),
    (["wallet", "get-ether", "--raw"], 1),
]


@pytest.mark.parametrize(
    ("left_out", "found"),
    [
        (None, []),
        (0, ["info: human success never seen"]),
        (1, ["info: raw success never seen", "no command that succeeded had --chain"]),
        (2, ["info: raw failure never seen"]),
        (3, ["wallet get-ether: human success never seen", "wallet get-ether: --to never seen"]),
        (4, ["wallet get-ether: raw success never seen"]),
        (5, ["wallet get-ether: raw failure never seen"]),
    ],
)
def test_judge(coverage: Any, left_out: int | None, found: list[str]) -> None:
    runs = [run for number, run in enumerate(GOOD) if number != left_out]
    assert coverage.lacking(runs, KNOWN, {}) == found


def test_exemptions(coverage: Any) -> None:
    exempt = {("info", "raw failure"): "cannot fail"}
    assert coverage.lacking(GOOD[:2] + GOOD[3:], KNOWN, exempt) == []
    assert coverage.lacking(GOOD, KNOWN, exempt) == ["info: raw failure exempt, yet seen"]
    gone = {("gone", "raw failure"): "x"}
    assert coverage.lacking(GOOD, KNOWN, gone) == ["gone: exempt, but not there"]
    assert all(coverage.EXEMPT.values())


def test_commands_are_those_of_the_parsers(coverage: Any) -> None:
    known = coverage.commands()
    assert known["wallet create"][1] >= {"--raw", "--password", "--unencrypted"}
    assert "--help" not in known["init"][1]
