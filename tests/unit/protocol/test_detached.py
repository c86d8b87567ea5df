"""Signing elsewhere: documents that go out, signatures that come back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from iexec_lite.errors import SignatureError, ValidationError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.eip712 import Domain
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.authorization import MARKET, new_challenge, web3_secret_digest
from iexec_lite.protocol.detached import (
    SignedRequest,
    SigningRequest,
    order_request,
    requested_order,
    signed_order,
)

KEY = KeySigner.from_key("0x" + "11" * 32)
OTHER = KeySigner.from_key("0x" + "22" * 32)
HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
RESOURCE = "0x607F4C5BB672230e8672085532f7e901544a7375"
DOMAIN = orders.domain(134, HUB)
SALT = bytes([0x22]) * 32

ORDERS = [
    orders.create_apporder(app=RESOURCE, appprice="1 RLC", volume=10, tag=["tee"]),
    orders.create_datasetorder(dataset=RESOURCE),
    orders.create_workerpoolorder(workerpool=RESOURCE, category=5, workerpoolprice=15, volume=3),
    orders.create_requestorder(
        app=RESOURCE, category=5, requester=KEY.address, params="héllo", result_proxy="https://x.y"
    ),
]


def carried(document: dict[str, Any]) -> dict[str, Any]:
    """As it arrives on the other machine."""
    return json.loads(json.dumps(document))


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_an_order_signed_elsewhere_is_the_order_signed_here(order: orders.Order) -> None:
    request = order_request(order, KEY.address, DOMAIN, salt=SALT)
    signed = SigningRequest.from_dict(carried(request.to_dict())).sign(KEY)
    back = SignedRequest.from_dict(carried(signed.to_dict()))
    assert signed_order(back, DOMAIN) == orders.sign_order(order, KEY, DOMAIN, salt=SALT)
    assert request.what in ("sign an apporder", f"sign a {order.name}")
    assert request.summary == f"{order.solidity} for 'iExecODB' version '5.0.0' on chain 134"


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_documents_say_what_they_are(order: orders.Order) -> None:
    """Another version reads them: this text does not change."""
    request = order_request(order, KEY.address, DOMAIN, salt=SALT)
    assert request.to_dict()["format"] == "iexec_lite signing request 1"


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_what_a_request_is_about(order: orders.Order) -> None:
    request = order_request(order, KEY.address, DOMAIN, salt=SALT)
    assert requested_order(request) == (order.salted(SALT), HUB)
    foreign = order_request(order, KEY.address, Domain("other", "5.0.0", 134, bytes(20)))
    assert requested_order(foreign) is None
    for other in (message_request(), challenge_request()):
        assert requested_order(other) is None


def test_each_request_has_a_salt_of_its_own() -> None:
    first, second = (order_request(ORDERS[0], KEY.address, DOMAIN) for _ in range(2))
    assert first.digest != second.digest


def test_a_request_order_is_for_its_requester() -> None:
    with pytest.raises(ValidationError, match="must be the requester"):
        order_request(ORDERS[3], OTHER.address, DOMAIN)


def message_request() -> SigningRequest:
    digest = web3_secret_digest(RESOURCE, "s3cr3t")
    return SigningRequest(what="push a secret", address=KEY.address, chain_id=134, payload=digest)


def challenge_request() -> SigningRequest:
    data = new_challenge(MARKET, 134, "Sign this message")
    return SigningRequest(what="log in", address=KEY.address, chain_id=134, payload=data)


@pytest.mark.parametrize("request_", [message_request(), challenge_request()])
def test_messages_and_challenges_travel_likewise(request_: SigningRequest) -> None:
    document = carried(request_.to_dict())
    assert "s3cr3t" not in json.dumps(document)
    signed = SigningRequest.from_dict(document).sign(KEY)
    expected = (
        KEY.sign_message(request_.payload)
        if isinstance(request_.payload, bytes)
        else KEY.sign_typed_data(request_.payload)
    )
    assert SignedRequest.from_dict(carried(signed.to_dict())).signature == expected
    assert request_.signed(to_hex(expected)) == signed


def test_forms_of_wallets_are_mended() -> None:
    request = challenge_request()
    expected = request.sign(KEY).signature
    from_zero = expected[:64] + bytes((expected[64] - 27,))
    s = bytes((expected[32] | (expected[64] - 27) << 7,)) + expected[33:64]
    assert request.signed(from_zero).signature == expected
    assert request.signed(expected[:32] + s).signature == expected


def test_another_key_is_refused() -> None:
    request = challenge_request()
    with pytest.raises(SignatureError, match=r"the wallet is 0x"):
        request.sign(OTHER)
    assert isinstance(request.payload, object)
    with pytest.raises(SignatureError, match="not by"):
        request.signed(OTHER.sign_typed_data(request.payload))  # type: ignore[arg-type]


def planted(change: Any) -> dict[str, Any]:
    document = carried(order_request(ORDERS[0], KEY.address, DOMAIN, salt=SALT).to_dict())
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["typedData"]["message"].update(appprice="0"), "do not sign it"),
        (lambda d: d.update(digest="0x" + "00" * 32), "do not sign it"),
        (lambda d: d.update(chainId=1), "for chain 1"),
        (lambda d: d.update(format="other"), "format"),
        (lambda d: d.update(message="0x00"), "either"),
        (lambda d: d.pop("typedData"), "either"),
        (lambda d: d.update(what="two\nlines"), "one line"),
        (lambda d: d.update(what=None), "one line"),
        (lambda d: d.update(address="0x00"), "address"),
        (lambda d: d.update(chainId="x"), "chainId"),
    ],
)
def test_documents_that_contradict_themselves(change: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SigningRequest.from_dict(planted(change))


@pytest.mark.parametrize("value", [None, [], "text", {}])
def test_what_is_no_document(value: Any) -> None:
    with pytest.raises(ValidationError, match="not a signing request"):
        SigningRequest.from_dict(value)


def test_the_summary_is_told_from_the_payload() -> None:
    lying = planted(lambda d: d.update(what="log in", summary="Challenge for 'iExec Gateway'"))
    assert SigningRequest.from_dict(lying).summary.startswith("AppOrder for 'iExecODB'")


def test_unsigned_or_wrongly_signed_documents() -> None:
    request = challenge_request()
    with pytest.raises(ValidationError, match="not signed yet"):
        SignedRequest.from_dict(request.to_dict())
    document = request.sign(KEY).to_dict()
    wrong = {**document, "signature": "0x" + "11" * 65}
    with pytest.raises(SignatureError):
        SignedRequest.from_dict(wrong)


def test_an_order_of_another_hub_or_no_order() -> None:
    signed = order_request(ORDERS[0], KEY.address, DOMAIN).sign(KEY)
    with pytest.raises(ValidationError, match="another hub or chain"):
        signed_order(signed, orders.domain(134, RESOURCE))
    with pytest.raises(ValidationError, match="is no order"):
        signed_order(challenge_request().sign(KEY), DOMAIN)
    with pytest.raises(ValidationError, match="is no order"):
        signed_order(message_request().sign(KEY), DOMAIN)


def test_an_order_for_no_hub_is_no_order() -> None:
    payload = orders.typed_data(ORDERS[0].salted(SALT), Domain("iExecODB", "5.0.0", 134))
    request = SigningRequest(what="x", address=KEY.address, chain_id=134, payload=payload)
    assert requested_order(request) is None


@pytest.mark.parametrize("payload", ["text", None, {"types": {}}])
def test_a_payload_is_typed_data_or_bytes(payload: Any) -> None:
    with pytest.raises(ValidationError, match="payload: typed data, or the bytes of a message"):
        SigningRequest(what="x", address=KEY.address, chain_id=134, payload=payload)


def test_the_longest_line_of_text() -> None:
    for length in (500, 501):
        fields = {"what": "x" * length, "address": KEY.address, "chain_id": 134, "payload": b"x"}
        if length == 500:
            assert SigningRequest(**fields).what == "x" * 500  # type: ignore[arg-type]
        else:
            with pytest.raises(ValidationError, match="at most 500 characters"):
                SigningRequest(**fields)  # type: ignore[arg-type]


def test_requests_compare_and_copy() -> None:
    request = challenge_request()
    assert copy.deepcopy(request) == request
    assert request.sign(KEY) != request
