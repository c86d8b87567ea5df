"""Why a mined transaction failed: the call that asks again, and what is made of its answer."""

from __future__ import annotations

import pytest

from iexec_lite.frozen import replace
from iexec_lite.net.rpc import Rpc
from iexec_lite.net.rpc_error import RpcError
from iexec_lite.sdk.journal import SENT, Entry
from iexec_lite.sdk.replay import why_failed

from .test_replacement import offer
from .test_transactions import DEAF, REVERT, SIGNER, TO, WHO, Node, error

HASH = "0x" + "ab" * 32
RECEIPT = {"transactionHash": HASH, "blockNumber": "0x65", "status": "0x0", "logs": []}
CODE = "iExecV5-matchOrders-0x14 (the app order is restricted to another workerpool)"


@pytest.fixture
def node():
    return Node()


def entry(**more):
    return Entry(id=1, key="k", nonce=0, state=SENT, tx_hash=HASH, **{"intent": {}, **more})


def replayed(node, sent):
    asked = []
    node.eth_call = lambda *params: asked.append(params) or "0x"
    found = why_failed(Rpc("http://127.0.0.1:1/", http=node), WHO, sent, RECEIPT)
    assert str(found) == "transaction failed"
    [(fields, block)] = asked
    assert block == "0x65"
    return fields


def test_what_we_signed_is_asked_again_with_its_gas(node):
    call = replace(offer(gas_price=1), to=bytes.fromhex(TO[2:]), gas=77, value=5, data=b"\1\2")
    fields = {"from": WHO, "to": TO, "gas": "0x4d", "value": "0x5", "data": "0x0102"}
    assert replayed(node, entry(raw=SIGNER.sign_transaction(call).raw)) == fields
    creation = replace(call, to=None)
    del fields["to"]
    assert replayed(node, entry(raw=SIGNER.sign_transaction(creation).raw)) == fields


def test_what_a_wallet_sent_is_asked_again_as_it_was_asked_for(node):
    asked = {"to": TO, "value": "5", "data": "0x0102", "since": 1}
    sent = entry(intent={"sender": WHO, "asked": asked})
    assert replayed(node, sent) == {"from": WHO, "to": TO, "value": "0x5", "data": "0x0102"}


@pytest.mark.parametrize(
    ("said", "text", "cause"),
    [
        (error("execution reverted", 3, data=REVERT), f"transaction failed: {CODE}", RpcError),
        (error("execution reverted", 3, data="0x"), "transaction failed", RpcError),
        (error("header not found"), "transaction failed", RpcError),
        (DEAF, "transaction failed", type(None)),
        ({"result": "0x"}, "transaction failed", type(None)),
    ],
)
def test_what_is_said_of_it(node, said, text, cause):
    node.faults["eth_call"] = [said]
    raw = SIGNER.sign_transaction(offer(gas_price=1)).raw
    found = why_failed(Rpc("http://127.0.0.1:1/", http=node), WHO, entry(raw=raw), RECEIPT)
    assert found.to_dict() == {
        "name": "Web3ProviderCallError",
        "code": "web3_call",
        "message": text,
        "details": {"receipt": RECEIPT},
        "txHash": HASH,
    }
    assert type(found.cause) is cause
