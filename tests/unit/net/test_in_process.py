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

    with pytest.raises(TransportError, match=f"failed: {type(fault).__name__}") as caught:
        rpc(call).request("eth_chainId")
    assert caught.value.cause is fault
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_an_answer_that_is_no_json(value: object) -> None:
    with pytest.raises(TransportError, match="no JSON"):
        rpc(lambda method, params: value).request("eth_chainId")


def test_as_a_provider() -> None:
    with IExec(lambda method, params: "0x86") as iexec:
        assert iexec.chain.name == "bellecour"
        assert iexec.network.get_network().chain_id == 134
