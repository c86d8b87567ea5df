"""Tags against the recorded answers of both generations of the JavaScript SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.protocol.rules import V6, V9, Rules
from iexec_lite.protocol.tag import decode_tag, encode_tag, missing_bits, parse_tag, sum_tags

SUITE = "tags"

Compute = Callable[[dict[str, Any]], object]


def computing(rules: Rules) -> dict[str, tuple[Compute, str]]:
    base = rules.tag_number_base

    def missing(case: dict[str, Any]) -> object:
        return [bit + base for bit in missing_bits(case["tag"], case["required"])]

    def parse(case: dict[str, Any]) -> object:
        return parse_tag(case["value"], rules, use=case.get("mode"))

    return {
        "encode": (lambda case: encode_tag(case["names"], rules), "tag"),
        "decode": (lambda case: decode_tag(case["tag"], rules), "names"),
        "sum": (lambda case: sum_tags(case["tags"]), "tag"),
        "missing": (missing, "bits"),
        "parse": (parse, "tag"),
    }


TABLE = {
    f"{name}{digit}": line
    for digit, rules in ((6, V6), (9, V9))
    for name, line in computing(rules).items()
}


@pytest.mark.witness("tag", "tag of today's networks", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
