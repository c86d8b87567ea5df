"""ABI coding of random types against ethers."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex, to_hex

SUITE = "abi"


@pytest.mark.witness("ABI coding", by="recorded")
def test_recorded(recorded: Any, forms: Any) -> None:
    def encode(case: dict[str, Any]) -> object:
        kinds = tuple(abi.parse_type(text) for text in case["types"])
        return to_hex(abi.encode(case["types"], forms.row(kinds, case["values"])))

    def decode(case: dict[str, Any]) -> object:
        kinds = tuple(abi.parse_type(text) for text in case["types"])
        found = abi.decode(case["types"], from_hex(case["data"]))
        return [forms.plain(*each) for each in zip(kinds, found, strict=True)]

    def code(case: dict[str, Any]) -> object:
        assert decode(case) == case["values"]
        return encode(case)

    recorded.run(
        {
            "code": (code, "data"),
            "encode": (encode, None),
            "decode": (decode, None),
            "type": (lambda case: abi.parse_type(case["type"]), None),
        }
    )
