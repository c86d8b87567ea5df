"""Deal and task ids, addresses and keys against ethers and the JavaScript SDK."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.columns import address_from_int, parse_address, parse_uint
from iexec_lite.protocol.ids import deal_id, task_id

SUITE = "ids"


def key(case: dict[str, Any]) -> object:
    signer = KeySigner.from_key(case["key"])
    if "publicKey" in case:
        public = PrivateKey(from_hex(case["key"])).public_key
        assert to_hex(b"\x04" + public) == case["publicKey"]
        assert checksum_address(PrivateKey(from_hex(case["key"])).address) == signer.address
    return signer.address


TABLE = {
    "deal": (lambda case: deal_id(case["hash"], parse_uint(case["index"])), "dealid"),
    "task": (lambda case: task_id(case["dealid"], parse_uint(case["index"])), "taskid"),
    "address": (lambda case: parse_address(case["text"]), "address"),
    "tokenAddress": (lambda case: address_from_int(int(case["id"])), "address"),
    "key": (key, "address"),
}


@pytest.mark.witness("deal id", "task id", "address", "address of *", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
