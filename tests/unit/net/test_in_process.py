"""A node that is a function: its answers, its errors, and what of them is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import TransportError
from iexec_lite.net.in_process import URL, InProcess
from iexec_lite.net.rpc import Rpc, RpcError

from .conftest import Call, Serve

REVERT = "0x08c379a0" + f"{32:064x}{2:064x}" + b"no".hex().ljust(64, "0")


def rpc(call: Any) -> Rpc:
    return Rpc(URL, http=InProcess(call))


class ProviderError(Exception):
    code = 3
    message = "execution reverted"
    data = REVERT


def test_single_and_batch() -> None:
    asked = []

    def call(method: str, params: Any) -> object:
        asked.append((method, params))
        if method == "eth_call":
            raise ProviderError
        return "0x7"

    node = rpc(call)
    assert node.chain_id() == 7
    first, second = node.batch([("eth_blockNumber", ()), ("eth_call", ({}, "latest"))])
    assert first == "0x7"
    assert (second.kind, second.reason) == ("revert", "no")
    assert asked[-1] == ("eth_call", [{}, "latest"])


def test_another_connection_is_such_a_function(serve: Serve) -> None:
    def answer(call: Call) -> None:
        asked = json.loads(call.data)
        error = {"code": -32000, "message": "nonce too low", "data": "0x1234"}
        call.reply_json({"jsonrpc": "2.0", "id": asked["id"], "error": error})

    node = rpc(Rpc(serve(answer).url).request)
    for found in node.batch([("eth_gasPrice", ()), ("eth_blockNumber", ())]):
        assert isinstance(found, RpcError)
        assert (found.rpc_code, found.node_message, found.data) == (
            -32000,
            "nonce too low",
            b"\x12\x34",
        )
    with pytest.raises(TransportError):
        rpc(Rpc("http://127.0.0.1:1").request).request("eth_sendTransaction")


@pytest.mark.parametrize("fault", [ValueError("https://x.org/s3cr3t"), KeyError("s3cr3t")])
def test_other_exceptions_are_not_quoted(fault: Exception) -> None:
    def call(method: str, params: Any) -> object:
        raise fault

    with pytest.raises(TransportError) as caught:
        rpc(call).request("eth_chainId")
    assert str(caught.value) == f"the provider function failed: {type(fault).__name__}"
    assert caught.value.cause is fault
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_an_answer_that_is_no_json(value: object) -> None:
    with pytest.raises(TransportError) as caught:
        rpc(lambda method, params: value).request("eth_chainId")
    assert str(caught.value) == "the provider function gave what is no JSON"
    assert isinstance(caught.value.cause, TypeError)


def test_answers_are_those_of_json_rpc() -> None:
    """JSON-RPC 2.0, section 5: ``jsonrpc``, ``id`` and one of ``result`` and ``error``."""

    class Rejected(Exception):
        code = "ACTION_REJECTED"

    def call(method: str, params: Any) -> object:
        if method == "eth_call":
            raise ProviderError
        if method == "personal_sign":
            raise Rejected("no, thank you")
        return [method, params]

    transport = InProcess(call)
    methods = ("eth_x", "eth_call", "personal_sign")
    asked = [{"id": i, "method": method, "params": [1]} for i, method in enumerate(methods, 7)]
    answers = [
        {"jsonrpc": "2.0", "id": 7, "result": ["eth_x", [1]]},
        {
            "jsonrpc": "2.0",
            "id": 8,
            "error": {"code": 3, "message": "execution reverted", "data": REVERT},
        },
        {
            "jsonrpc": "2.0",
            "id": 9,
            "error": {"code": 0, "message": "no, thank you (ACTION_REJECTED)", "data": None},
        },
    ]
    batch = transport.request("POST", URL, body=json.dumps(asked).encode())
    assert (batch.status, batch.headers, batch.host) == (200, {}, "https://in-process")
    assert batch.json() == answers
    for item, answer in zip(asked, answers, strict=True):
        assert transport.request("POST", URL, body=json.dumps(item).encode()).json() == answer


def test_as_a_provider() -> None:
    with IExec(lambda method, params: "0x86") as iexec:
        assert iexec.chain.name == "bellecour"
        assert iexec.network.get_network().chain_id == 134
