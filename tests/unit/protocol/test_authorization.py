"""Challenges, authorizations and SMS digests, against the vectors of services.md §1.2, §2.2, §3."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.errors import SignatureError, ValidationError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.authorization import (
    MARKET,
    RESULT_PROXY,
    Authorization,
    app_secret_digest,
    login_service,
    new_challenge,
    read_challenge,
    web2_secret_digest,
    web3_secret_digest,
)

KEY = KeySigner.from_key("0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407")
DATASET = "0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1"
MARKET_TEXT = "Sign this message to log into iExec Gateway: abc"
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
    ],
    "Challenge": [{"name": "challenge", "type": "string"}],
}


def document(service: str, chain_id: Any, text: Any, **domain: Any) -> dict[str, Any]:
    return {
        "types": TYPES,
        "domain": {"name": service, "version": "1", "chainId": chain_id, **domain},
        "primaryType": "Challenge",
        "message": {"challenge": text},
    }


@pytest.mark.witness(
    "market: challenge", "market: authorization", "result proxy: challenge", by="recorded"
)
@pytest.mark.parametrize(
    ("service", "answer", "digest", "signature"),
    [
        (
            MARKET,
            {"ok": True, "data": document(MARKET, "133", MARKET_TEXT)},
            "0x321143d1257aaad06b9ec565730367e4fcf9e3e356516e7a36c7888792bf2940",
            "0x8fffeb2bca1f745a4190068b8fc0bfbe7fb9b7c662715414cdb22c400d47f0d0"
            "54f9b94c1127b1e6c38dff3de819f72b86ff56e62742171c0694c56b609877121c",
        ),
        (
            RESULT_PROXY,
            document(RESULT_PROXY, 133, "abc", verifyingContract=""),
            "0xf01134772bde1e25134a9113405e9f9874fa6446f99d0daf3d36791980e182ff",
            "0xdf5cb5bbfe990a4f33b0b41122bc8911e1e6cf97df67d8b14c7d94a00c64d5d7"
            "0bb0e771838ce8f50142bc38626b661f56a8c8e9fecd50b542905ffdddecd4ab1c",
        ),
    ],
)
def test_signed_challenge(service: str, answer: Any, digest: str, signature: str) -> None:
    challenge = read_challenge(answer, service, 133)
    found = Authorization.of(challenge, KEY.sign_typed_data(challenge), KEY.address)
    assert str(found) == f"{digest}_{signature}_{KEY.address}"
    assert Authorization.parse(str(found)) == found
    assert Authorization.parse(str(found).lower()).address == KEY.address
    assert signature[2:] not in repr(found)


def test_new_challenge_is_the_one_read() -> None:
    made = new_challenge(MARKET, 133, MARKET_TEXT)
    assert read_challenge(made.to_dict(), MARKET, 133) == made


@pytest.mark.parametrize(
    "answer",
    [
        document(RESULT_PROXY, "133", "abc"),
        document(MARKET, "134", "abc"),
        document(MARKET, "133", ""),
        document(MARKET, "133", "x" * 1025),
        document(MARKET, "133", "abc") | {"primaryType": "EIP712Domain"},
        {"ok": True},
        None,
        [],
        document(MARKET, "133", "abc") | {"message": {"challenge": "abc", "more": "x"}},
    ],
)
def test_what_is_no_challenge_of_the_service_is_refused(answer: Any) -> None:
    with pytest.raises(ValidationError):
        read_challenge(answer, MARKET, 133)


def test_which_service_a_login_is_for() -> None:
    for service in (MARKET, RESULT_PROXY):
        assert login_service(new_challenge(service, 134, "text")) == service
    assert login_service(new_challenge("iExec Gate", 134, "text")) is None
    assert login_service(new_challenge(MARKET, 134, "")) is None
    assert login_service(b"iExec Gateway") is None


def test_an_order_is_no_challenge() -> None:
    order = {
        "types": {"AppOrder": [{"name": "challenge", "type": "string"}]},
        "domain": {"name": MARKET, "version": "1", "chainId": 133},
        "primaryType": "AppOrder",
        "message": {"challenge": "abc"},
    }
    with pytest.raises(ValidationError, match="refusing to sign"):
        read_challenge(order, MARKET, 133)


@pytest.mark.parametrize("text", ["", "0x", "a_b_c", None, "0x" + "11" * 32])
def test_what_is_no_authorization_is_refused(text: Any) -> None:
    with pytest.raises(SignatureError):
        Authorization.parse(text)


def test_an_authorization_by_somebody_else_is_refused() -> None:
    challenge = new_challenge(MARKET, 133, MARKET_TEXT)
    good = str(Authorization.of(challenge, KEY.sign_typed_data(challenge), KEY.address))
    with pytest.raises(SignatureError):
        Authorization.parse(good.replace(KEY.address, DATASET))


@pytest.mark.parametrize(
    ("digest", "expected", "signature"),
    [
        (
            web3_secret_digest(DATASET, "foo"),
            "0x36412ccfbcf079fe5da5abbed209c7ead1a26da83c652afcf537d6b0784ae672",
            "0xc66719b539a75d7159dd7fe3a21a2ba549a616342e85201aa5e7767b70c96752"
            "19a81f9138996bba78eac49f0e316cebb0b36ca9871f17c9115ab5811e68c96f1c",
        ),
        (
            web2_secret_digest(KEY.address, "iexec-result-iexec-ipfs-token", "foo"),
            "0xfd8924c6320ed1e2e14f1de7f86e2f7f09dad22621e761a6a5861960374a18e1",
            "0x0202a51da23b4487f06185c97a5d8a01ac2364828110ce8206a5c301e4aa04e5"
            "1b3e13e9059247b5fa6313e846e996bc35f2b3ccad877f9d052b8feb4dd0aa621b",
        ),
    ],
)
def test_sms_digests(digest: bytes, expected: str, signature: str) -> None:
    assert to_hex(digest) == expected
    assert to_hex(KEY.sign_message(digest)) == signature


def test_app_secret_digest() -> None:
    expected = "0xd1df13db8767ef67f06c61eccf25dcd6a57124ab3ada39731888cd589a30a455"
    assert to_hex(app_secret_digest(DATASET, "foo")) == expected


@pytest.mark.parametrize("value", [b"foo", None, 1, "\ud800"])
def test_secrets_are_text(value: Any) -> None:
    with pytest.raises(ValidationError):
        web3_secret_digest(DATASET, value)
