"""Whether a hub matches what comes with a deposit: found out by a call that moves nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import Web3ProviderCallError
from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex
from iexec_lite.net.http import Response
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.rules import V9
from iexec_lite.sdk.buying import NO_FUNCTION, matches_on_deposit

KEY = "0x" + "11" * 32
ME = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
HUB_ADDRESS, TOKEN = "0x" + "44" * 20, "0x" + "55" * 20
UNSUPPORTED = (
    "0x"
    + (
        abi.error("UnsupportedOperation(bytes4 selector)").selector + NO_FUNCTION.ljust(32, b"\0")
    ).hex()
)


class Node:
    """Answers ``token()``; what else it is called for is kept and gets ``answer``."""

    def __init__(self, answer: Mapping[str, object]) -> None:
        self.answer, self.asked = answer, []

    def request(self, method: str, url: str, *, body: bytes = b"", **_: object) -> Response:
        asked = json.loads(body)
        many = isinstance(asked, list)
        answers = [self.one(each) for each in (asked if many else [asked])]
        return Response(200, {}, json.dumps(answers if many else answers[0]).encode())

    def one(self, asked: dict[str, Any]) -> dict[str, Any]:
        said: Mapping[str, object] = {"result": hex(4242)}
        if asked["method"] == "eth_call":
            call = asked["params"][0]
            said = {"result": "0x" + TOKEN[2:].rjust(64, "0")}
            if call["data"][:10] != "0x" + HUB.token.selector.hex():
                assert asked["params"][1] == "latest"
                self.asked.append(call)
                said = self.answer
        return {"jsonrpc": "2.0", "id": asked["id"], **said}


def asked(answer: Mapping[str, object], **options: Any) -> tuple[IExec, Node]:
    chain = Chain(id=4242, name="test", hub=HUB_ADDRESS, rules=V9, **options)
    iexec, node = IExec("http://127.0.0.1:1", KEY, chain=chain), Node(answer)
    iexec._context.once("http", lambda: node)
    return iexec, node


def revert(data: str) -> dict[str, object]:
    return {"error": {"code": 3, "message": "execution reverted", "data": data}}


@pytest.mark.parametrize(
    ("answer", "can"),
    [
        (revert(UNSUPPORTED), True),
        ({"result": "0x" + "1".rjust(64, "0")}, False),  # older hubs take anything
        (revert("0x"), False),
        (revert("0x74a0583f"), False),
        (revert(UNSUPPORTED[:10]), False),
        ({"error": {"code": -32000, "message": "no"}}, False),
    ],
)
def test_the_hub_is_asked_once(answer: dict[str, object], can: bool) -> None:
    iexec, node = asked(answer)
    assert matches_on_deposit(iexec._context) is can
    assert matches_on_deposit(iexec._context) is can
    (call,) = node.asked
    assert (call["from"], call["to"]) == (TOKEN, HUB_ADDRESS)
    decoded = HUB.receiveApproval.decode_input(from_hex(call["data"]))
    assert decoded == (ME, 0, TOKEN, NO_FUNCTION)


def test_a_busy_node_is_no_answer() -> None:
    iexec, _ = asked({"error": {"code": -32005, "message": "rate limit"}})
    with pytest.raises(Web3ProviderCallError) as caught:
        matches_on_deposit(iexec._context)
    assert caught.value.retryable


@pytest.mark.parametrize("options", [{"native": True}, {"flavour": "enterprise"}])
def test_where_there_is_nothing_to_ask(options: dict[str, Any]) -> None:
    iexec, node = asked(revert(UNSUPPORTED), **options)
    assert matches_on_deposit(iexec._context) is False
    assert not node.asked
