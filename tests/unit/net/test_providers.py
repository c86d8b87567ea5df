"""Public nodes with the user's keys: a loopback server stands for them (chain.md §1.5)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable

import pytest

from iexec_lite import IExec, utils
from iexec_lite.errors import ConfigurationError, IExecError, ValidationError, Web3ProviderCallError
from iexec_lite.protocol.chains import CHAINS, Providers, node_urls
from iexec_lite.sdk.client import SigningProvider

from .conftest import Call, Serve, Server

KEY = "0x" + "11" * 32
WHO = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
INFURA, SECRET, ALCHEMY = "infura-key-1", "infura/s3cr3t", "alchemy-key-2"
KEYS = {"infura": {"projectId": INFURA, "projectSecret": SECRET}, "alchemy": ALCHEMY}
Answer = Callable[[str, str], object]


@pytest.fixture
def nodes(serve: Serve) -> Callable[..., tuple[IExec, Server]]:
    """A client of "mainnet" whose public nodes are all one loopback server, told apart by path."""

    def start(answer: Answer, providers: dict[str, object] = KEYS) -> tuple[IExec, Server]:
        def reply(call: Call) -> None:
            asked = json.loads(call.data)
            many = isinstance(asked, list)
            found = []
            for item in asked if many else [asked]:
                result = answer(call.path.split("/")[1], item["method"])
                if isinstance(result, int):
                    call.reply(result)
                    return
                body = result if isinstance(result, dict) else {"result": result}
                found.append({"jsonrpc": "2.0", "id": item["id"], **body})
            call.reply_json(found if many else found[0])

        server = serve(reply)
        table = {name: {"mainnet": f"{server.url}/{name}/"} for name in ("infura", "alchemy")}
        urls, quorum = node_urls("mainnet", Providers.from_dict(providers), table=table)
        signer = utils.get_signer_from_private_key("mainnet", KEY, providers=KEYS).signer
        chain = CHAINS["mainnet"]
        return IExec(SigningProvider(chain, signer, urls=urls, quorum=quorum)), server

    return start


def asked(server: Server) -> list[str]:
    return [path.split("/")[1] for _, path, _, _ in server.calls]


def honest(node: str, method: str) -> object:
    return {"eth_chainId": "0x1", "eth_blockNumber": "0x10", "eth_getBalance": "0x5"}[method]


def test_the_urls_of_the_signer() -> None:
    provider = utils.get_signer_from_private_key("mainnet", KEY, providers=KEYS)
    assert provider.urls == (
        "https://:infura%2Fs3cr3t@mainnet.infura.io/v3/infura-key-1",
        "https://eth-mainnet.g.alchemy.com/v2/alchemy-key-2",
    )
    assert provider.quorum == 2
    assert repr(provider) == f"SigningProvider(address='{WHO}')"
    one = utils.get_signer_from_private_key(1, KEY, providers={"infura": INFURA})
    assert (one.urls, one.quorum) == (("https://mainnet.infura.io/v3/infura-key-1",), 1)
    own = utils.get_signer_from_private_key("https://n.example/k", KEY, providers=KEYS)
    assert (own.urls, own.quorum) == (("https://n.example/k",), 1)
    named = utils.get_signer_from_private_key("bellecour", KEY, providers=KEYS)
    assert named.urls == (CHAINS["bellecour"].host,)
    assert utils.get_signer_from_private_key("bellecour", KEY).urls == ()


@pytest.mark.parametrize(
    ("host", "providers", "text"),
    [
        ("mainnet", {"infura": INFURA, "quorum": 2}, r"1 node\(s\) available, 2 needed"),
        ("mainnet", {**KEYS, "quorum": 3}, r"2 node\(s\) available, 3 needed"),
        ("mainnet", {}, r"0 node\(s\) available"),
        ("mainnet", {"etherscan": "etherscan-key"}, "Etherscan is no JSON-RPC node"),
        ("https://n.example", {"quorum": 2}, "invalid quorum 2: .* from 1 to the 1 given"),
        ("wss://n.example", KEYS, "WebSocket"),
        ("mainnet", {"infura": 12345}, "providers.infura must be a `string` type"),
        ("mainnet", {"infra": "infura-key-1"}, 'Unknown key "infra" in providers'),
        ("mainnet", {"infura": {"projectSecret": SECRET}}, "projectId is a required field"),
        ("nowhere", KEYS, "nowhere"),
    ],
)
def test_refused(host: str, providers: dict[str, object], text: str) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match=text) as caught:
        utils.get_signer_from_private_key(host, KEY, providers=providers)
    for key in (INFURA, SECRET, ALCHEMY, "etherscan-key", "12345"):
        assert key not in str(caught.value)


def test_both_must_agree(nodes: Callable[..., tuple[IExec, Server]]) -> None:
    iexec, server = nodes(honest, {**KEYS, "quorum": 2})
    with iexec:
        assert iexec.chain.id == 1
        quantity = iexec._context.node.request("eth_getBalance", (WHO, "latest"))
    assert quantity == "0x5"
    assert {"infura", "alchemy"} == set(asked(server))
    paths = {path for _, path, _, _ in server.calls}
    assert paths == {"/infura/infura-key-1", "/alchemy/alchemy-key-2"}
    for _, path, headers, _ in server.calls:
        basic = "Basic " + base64.b64encode(b":" + SECRET.encode()).decode()
        assert headers.get("authorization") == (basic if "infura" in path else None)

    def lying(node: str, method: str) -> object:
        return "0x6" if (node, method) == ("alchemy", "eth_getBalance") else honest(node, method)

    iexec, _ = nodes(lying, {**KEYS, "quorum": 2})
    with iexec, pytest.raises(Web3ProviderCallError, match="no 2 of 2 say the same"):
        iexec._context.node.request("eth_getBalance", (WHO, "latest"))


def test_one_stands_in_for_another(nodes: Callable[..., tuple[IExec, Server]]) -> None:
    def half(node: str, method: str) -> object:
        return 500 if node == "infura" else honest(node, method)

    iexec, server = nodes(half, {**KEYS, "quorum": 1})
    with iexec:
        assert iexec._context.node.request("eth_getBalance", (WHO, "latest")) == "0x5"
    assert asked(server)[-2:] == ["infura", "alchemy"]
    iexec, _ = nodes(half, {**KEYS, "quorum": 2})
    with iexec, pytest.raises(Web3ProviderCallError, match="HTTP status 500"):
        iexec._context.node.request("eth_getBalance", (WHO, "latest"))


def test_a_node_of_another_chain_is_noticed(nodes: Callable[..., tuple[IExec, Server]]) -> None:
    def mixed(node: str, method: str) -> object:
        return "0x5" if node == "alchemy" and method == "eth_chainId" else honest(node, method)

    iexec, _ = nodes(mixed)
    with iexec, pytest.raises(ConfigurationError, match=r"different chains: \[1, 5\]"):
        _ = iexec._context.node


def test_several_urls(serve: Serve) -> None:
    def reply(call: Call) -> None:
        item = json.loads(call.data)
        call.reply_json({"jsonrpc": "2.0", "id": item["id"], "result": honest("", item["method"])})

    urls = [serve(reply).url, serve(reply).url]
    for quorum in (None, 1, 2):
        with IExec(urls, quorum=quorum) as iexec:
            assert iexec.chain.name == "mainnet"
    with IExec(tuple(urls), KEY, chain="mainnet", quorum=2) as iexec:
        assert iexec._context.node.request("eth_getBalance", (WHO, "latest")) == "0x5"


@pytest.mark.parametrize("status", [401, 500])
def test_no_key_is_ever_shown(
    nodes: Callable[..., tuple[IExec, Server]], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def echoing(node: str, method: str) -> object:
        if method == "eth_chainId":
            return honest(node, method)
        words = f"bad key {ALCHEMY}" if node == "alchemy" else f"bad key {INFURA} {SECRET}"
        return {"error": {"code": -32000, "message": words}} if status == 401 else status

    iexec, _ = nodes(echoing, {**KEYS, "quorum": 2})
    rpc = iexec._context.node
    with iexec, pytest.raises(IExecError) as caught:
        rpc.request("eth_getBalance", (WHO, "latest"))
    texts = [repr(iexec), repr(rpc), repr(iexec.chain), caplog.text]
    error: BaseException | None = caught.value
    while error is not None:
        texts += [repr(error), str(getattr(error, "details", ""))]
        error = error.__cause__ or error.__context__
    for key in (INFURA, ALCHEMY, SECRET, "infura%2Fs3cr3t"):
        assert key not in " ".join(texts)
