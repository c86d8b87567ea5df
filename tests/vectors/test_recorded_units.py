"""Amounts against the recorded answers of the JavaScript SDK."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.protocol.columns import UINT256
from iexec_lite.protocol.units import format_eth, format_rlc, parse_eth, parse_rlc

SUITE = "units"


def rlc(case: dict[str, Any]) -> object:
    return str(parse_rlc(case["value"], case["unit"]))


def eth(case: dict[str, Any]) -> object:
    return str(parse_eth(case["value"], case["unit"]))


def uint256(case: dict[str, Any]) -> object:
    return str(UINT256["column"].parse(case["value"]))


TABLE = {
    "rlc": (rlc, "amount"),
    "amount": (rlc, "amount"),
    "eth": (eth, "amount"),
    "wei": (eth, "amount"),
    "formatRlc": (lambda case: format_rlc(case["value"]), "text"),
    "formatEth": (lambda case: format_eth(case["value"]), "text"),
    "uint256": (uint256, "integer"),
}


@pytest.mark.witness("amount", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
