"""Personal messages and SMS challenges against ethers and the JavaScript SDK."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import address_to_bytes, from_hex, to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.eth.signer import KeySigner, hash_message, recover_address, verify_digest

SUITE = "messages"
SMS_DOMAIN = keccak(b"IEXEC_SMS_DOMAIN")


def personal(case: dict[str, Any]) -> object:
    signer = KeySigner.from_key(case["key"])
    message = from_hex(case["message"])
    signature = signer.sign_message(message)
    digest = hash_message(message)
    assert to_hex(digest) == case["digest"]
    assert signer.address == case["address"]
    verify_digest(case["address"], digest, signature)
    for form in (case["signature"], case["compact"]):
        assert recover_address(digest, from_hex(form)) == case["address"]
    return to_hex(signature)


def sms(case: dict[str, Any], *parts: bytes) -> object:
    """The challenge by the formula of services.md §2.2, signed as 32 raw bytes."""
    challenge = keccak(b"".join((SMS_DOMAIN, *parts)))
    assert to_hex(challenge) == case["challenge"]
    return to_hex(KeySigner.from_key(case["key"]).sign_message(challenge))


def sms_web3(case: dict[str, Any]) -> object:
    return sms(case, address_to_bytes(case["address"]), keccak(case["value"].encode()))


def sms_web2(case: dict[str, Any]) -> object:
    owner = address_to_bytes(case["owner"])
    return sms(case, owner, keccak(case["name"].encode()), keccak(case["value"].encode()))


def recover(case: dict[str, Any]) -> object:
    return recover_address(from_hex(case["digest"]), from_hex(case["signature"]))


TABLE = {
    "personal": (personal, "signature"),
    "smsWeb3": (sms_web3, "signature"),
    "smsWeb2": (sms_web2, "signature"),
    "recover": (recover, None),
}


@pytest.mark.witness("personal message (EIP-191)", "sms: digest *", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
