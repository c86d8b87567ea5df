"""Keystores against files that ethers wrote or opened."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth import keystore
from iexec_lite.eth.codec import checksum_address, from_hex, to_hex

SUITE = "keystores"


def encrypt(case: dict[str, Any]) -> object:
    return keystore.encrypt(
        from_hex(case["key"]),
        case["password"],
        n=case["n"],
        r=case["r"],
        p=case["p"],
        salt=from_hex(case["salt"]),
        iv=from_hex(case["iv"]),
        uuid=from_hex(case["uuid"]),
    )


def decrypt(case: dict[str, Any]) -> object:
    key = keystore.decrypt(case["keystore"], case["password"])
    assert checksum_address(key.address) == case.get("address", checksum_address(key.address))
    return to_hex(key.secret)


TABLE = {"encrypt": (encrypt, "keystore"), "decrypt": (decrypt, "key")}


@pytest.mark.witness("keystore", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
