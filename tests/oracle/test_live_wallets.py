"""What is asked of a wallet, beside what ethers asks it for V6."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from iexec_lite import KeySigner, RpcSigner
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.transaction import Transaction
from iexec_lite.protocol import orders

KEY = KeySigner.from_key("0x" + "11" * 32)
HASH = "0x" + "ab" * 32
HUB = "0x607F4C5BB672230e8672085532f7e901544a7375"


def lower(value: Any) -> Any:
    """Addresses in one letter case."""
    return json.loads(json.dumps(value).lower())


@pytest.mark.witness("wallet requests (RpcSigner)", by="js")
def test_the_requests_of_ethers(oracle: Any, make: Any) -> None:
    order = orders.create_workerpoolorder(workerpool=HUB, category=3, trust=2**200)
    signed = orders.sign_order(order, KEY, orders.domain(7, HUB))
    data = orders.typed_data(signed, orders.domain(7, HUB))
    document = data.to_dict()
    message, calldata = make.hex(32), make.hex(make.uint(7))
    answers = {"eth_chainId": "0x7", "eth_accounts": [KEY.address], "eth_sendTransaction": HASH}
    answers |= {"personal_sign": to_hex(KEY.sign_message(from_hex(message)))}
    answers |= {"eth_signTypedData_v4": signed.sign}
    asked: dict[str, Any] = {}

    def wallet(method: str, params: Sequence[object]) -> object:
        asked[method] = list(params)
        return answers[method]

    signer = RpcSigner(wallet)
    signer.sign_message(from_hex(message))
    signer.sign_typed_data(data)
    signer.send_transaction(
        Transaction(
            nonce=5, gas=90_000, to=from_hex(HUB), value=7, data=from_hex(calldata), chain_id=7,
            gas_price=9,
        )
    )  # fmt: skip
    types: Any = document["types"]
    seen = oracle.ask(
        "walletRequests",
        address=KEY.address,
        message=message,
        domain=document["domain"],
        types={name: fields for name, fields in types.items() if name != "EIP712Domain"},
        values=document["message"],
        transaction={
            **{"to": HUB, "value": 7, "data": calldata, "nonce": 5, "gasLimit": 90_000},
            **{"gasPrice": 9, "chainId": 7},
        },
        signature=signed.sign,
        hash=HASH,
    )
    theirs = {each["method"]: each["params"] for each in seen}
    assert lower(asked["personal_sign"]) == lower(theirs["personal_sign"])
    account, text = asked["eth_signTypedData_v4"]
    their_account, their_text = theirs["eth_signTypedData_v4"]
    assert lower(account) == lower(their_account)
    theirs_read = json.loads(their_text)
    theirs_read["domain"]["chainId"] = int(theirs_read["domain"]["chainId"])  # ethers: text
    assert lower(json.loads(text)) == lower(theirs_read)
    [fields], [their_fields] = asked["eth_sendTransaction"], theirs["eth_sendTransaction"]
    assert lower(fields) == lower({**their_fields, "chainId": "0x7"})
