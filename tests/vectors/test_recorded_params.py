"""The params of request orders against both generations of the JavaScript SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.protocol.params import check_params, create_params
from iexec_lite.protocol.rules import V6, V9, Rules

SUITE = "params"

Compute = Callable[[dict[str, Any]], object]


def creating(rules: Rules) -> Compute:
    def create(case: dict[str, Any]) -> object:
        return create_params(
            case["params"],
            rules=rules,
            tee=case["tee"],
            callback=case["callback"],
            result_proxy=case.get("proxy"),
        )

    return create


def checking(rules: Rules) -> Compute:
    def check(case: dict[str, Any]) -> object:
        check_params(case["text"], rules=rules, tee=case["tee"], callback=case["callback"])
        return True

    return check


TABLE = {
    "create6": (creating(V6), "text"),
    "create9": (creating(V9), "text"),
    "check6": (checking(V6), "accepted"),
    "check9": (checking(V9), "accepted"),
}


@pytest.mark.witness("params", "params of today's networks", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
