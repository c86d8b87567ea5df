"""EIP-712 documents against ethers."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import PrivateKey, public_key_to_address, recover_public_key
from iexec_lite.eth.eip712 import TypedData, hash_typed_data

SUITE = "typed"


def document(case: dict[str, Any]) -> object:
    typed = TypedData.from_dict(case["document"])
    if "digest" in case:
        assert typed.struct.encoded_type == case["encodedType"]
        assert to_hex(typed.domain.separator) == case["separator"]
        assert to_hex(typed.struct.hash(typed.message)) == case["structHash"]
        assert TypedData.from_dict(typed.to_dict()).digest == typed.digest
        assert hash_typed_data(case["document"]) == hash_typed_data(typed) == typed.digest
        signature = PrivateKey(from_hex(case["key"])).sign(typed.digest)
        assert to_hex(signature) == case["signature"]
        signer = public_key_to_address(recover_public_key(typed.digest, signature))
        assert checksum_address(signer) == case["address"]
    return to_hex(typed.digest)


GROUPS = ("random", "order", "operation", "challenge", "document")
TABLE = dict.fromkeys(GROUPS, (document, "digest"))


@pytest.mark.witness(
    "EIP-712 document", "EIP-712 digest of an order operation", "market: challenge", by="recorded"
)
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
