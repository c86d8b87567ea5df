"""Several nodes: who is believed when they lag, lie or fail."""

from __future__ import annotations

import json

import pytest

from iexec_lite.errors import ConfigurationError, TransportError, Web3ProviderCallError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.net.http import Response
from iexec_lite.net.quorum import QuorumRpc, connect
from iexec_lite.net.rpc import Rpc, RpcError

DOWN = object()


class Nodes:
    """A transport to nodes, told apart by port: ``answers[port]`` maps method to result."""

    def __init__(self, *answers):
        self.answers = dict(enumerate(answers, start=1))
        self.asked = []

    @property
    def urls(self):
        return [f"http://127.0.0.1:{port}/" for port in self.answers]

    def request(self, method, url, *, body=None, **_):
        port = int(url.split(":")[2].strip("/"))
        request = json.loads(body)
        many = isinstance(request, list)
        items = [self.one(port, item) for item in (request if many else [request])]
        return Response(200, {}, json.dumps(items if many else items[0]).encode(), url)

    def one(self, port, item):
        self.asked.append((port, item["method"], item["params"]))
        result = self.answers[port].get(item["method"], DOWN)
        if callable(result):
            result = result(*item["params"])
        if result is DOWN:
            raise TransportError("down", retryable=True)
        kind = "error" if isinstance(result, dict) and "code" in result else "result"
        return {"jsonrpc": "2.0", "id": item["id"], kind: result}


def rpc(*answers, quorum=2):
    nodes = Nodes(*answers)
    made = QuorumRpc(nodes.urls, quorum=quorum, http=nodes)
    made.nodes = nodes
    return made


def same(method, *results):
    return [{method: result} for result in results]


@pytest.mark.parametrize(
    ("results", "expected", "asked"),
    [
        (("0x1", "0x1", "0x9"), "0x1", 2),
        (("0x9", "0x1", "0x1"), "0x1", 3),
        ((DOWN, "0x1", "0x1"), "0x1", 3),
        (("0x1", DOWN, "0x1"), "0x1", 3),
        ((None, None, "0x1"), None, 2),
    ],
)
def test_two_of_three(results, expected, asked):
    node = rpc(*same("eth_getCode", *results))
    assert node.request("eth_getCode", ["0xaa", "0x5"]) == expected
    assert len(node.nodes.asked) == asked


def test_disagreement_is_an_error_that_may_pass():
    node = rpc(*same("eth_getCode", "0x1", "0x2", "0x3"))
    with pytest.raises(Web3ProviderCallError) as bad:
        node.request("eth_getCode", ["0xaa", "0x5"])
    assert str(bad.value) == "the nodes disagree on eth_getCode: no 2 of 3 say the same"
    assert bad.value.retryable


def test_too_few_nodes_answer():
    with pytest.raises(TransportError):
        rpc(*same("eth_getCode", DOWN, "0x1", DOWN)).request("eth_getCode", ["0xaa", "0x5"])


def test_latest_is_a_block_that_enough_nodes_have():
    node = rpc(
        *({"eth_blockNumber": head, "eth_call": lambda _, block: block} for head in ("0x9", "0x7"))
    )
    assert node.request("eth_call", [{}, "latest"]) == "0x7"
    three = rpc(
        *(
            {"eth_blockNumber": head, "eth_call": lambda _, block: block}
            for head in ("0x9", "0x1", "0x8")
        )
    )
    assert three.batch([("eth_call", [{}, "latest"]), ("eth_blockNumber", [])]) == ["0x8", "0x8"]


def test_prices_and_estimates_are_chosen():
    node = rpc(
        {"eth_gasPrice": "0x1", "eth_estimateGas": "0x5", "eth_getTransactionCount": "0x3"},
        {"eth_gasPrice": "0x3", "eth_estimateGas": "0x7", "eth_getTransactionCount": "0x4"},
    )
    calls = [
        ("eth_gasPrice", []),
        ("eth_estimateGas", [{}]),
        ("eth_getTransactionCount", ["0xaa", "pending"]),
    ]
    assert node.batch(calls) == ["0x1", "0x7", "0x4"]


def test_a_receipt_counts_when_enough_nodes_have_it():
    receipt = {"transactionHash": "0xa", "blockHash": "0xb", "status": "0x1", "logs": []}
    more = {**receipt, "extra": 1}
    forged = {**receipt, "logs": [{"address": "0x1", "topics": [], "data": "0x"}]}
    method = "eth_getTransactionReceipt"
    assert rpc(*same(method, receipt, more)).request(method, ["0xa"]) == receipt
    for others in ((None, None), (None, forged)):
        assert rpc(*same(method, receipt, *others)).request(method, ["0xa"]) is None
    log = {"address": "0x1", "topics": ["0x2"], "data": "0x3"}
    receipt |= {"blockNumber": "0x5", "logs": [log]}
    own = {**receipt, "logs": [{**log, "logIndex": "0x9"}]}
    assert rpc(*same(method, receipt, own)).request(method, ["0xa"]) == receipt
    for field in ("transactionHash", "blockHash", "blockNumber", "status"):
        forged = {**receipt, field: "0x9"}
        assert rpc(*same(method, receipt, forged)).request(method, ["0xa"]) is None
    for field in log:
        forged = {**receipt, "logs": [{**log, field: "0x9"}]}
        assert rpc(*same(method, receipt, forged)).request(method, ["0xa"]) is None
    assert rpc(*same(method, receipt, {**receipt, "logs": "none"})).request(method, ["0xa"]) is None


def test_blocks_agree_by_what_we_use():
    block = {
        **{"hash": "0xa", "number": "0x1", "timestamp": "0x5", "gasLimit": "0x9"},
        "baseFeePerGas": "0x7",
    }
    for method in ("eth_getBlockByNumber", "eth_getBlockByHash"):
        agreed = rpc(*same(method, block, {**block, "own": 1})).request(method, ["0x1", False])
        assert agreed == block
        for field in block:
            with pytest.raises(Web3ProviderCallError, match=f"disagree on {method}"):
                rpc(*same(method, block, {**block, field: "0x6"})).request(method, ["0x1", False])


def test_agreed_errors_are_errors():
    refusal = {"code": 3, "message": "execution reverted"}
    node = rpc(*same("eth_call", refusal, {**refusal, "message": "reverted, says another"}))
    [result] = node.batch([("eth_call", [{}, "0x1"])])
    assert isinstance(result, RpcError)
    with pytest.raises(RpcError):
        node.request("eth_call", [{}, "0x1"])


def test_errors_that_differ_are_no_answer():
    reverted = {"code": 3, "message": "execution reverted", "data": "0x"}
    other = {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}
    with pytest.raises(Web3ProviderCallError, match="the nodes disagree on eth_call"):
        rpc(*same("eth_call", reverted, other)).request("eth_call", [{}, "0x1"])


def test_a_signed_transaction_goes_to_all():
    good = to_hex(keccak(b"raw"))
    node = rpc(
        *same("eth_sendRawTransaction", DOWN, {"code": -1, "message": "already known"}, good)
    )
    assert node.send_raw(b"raw") == good
    assert [port for port, *_ in node.nodes.asked] == [1, 2, 3]
    with pytest.raises(TransportError):
        rpc(
            *same("eth_sendRawTransaction", {"code": -1, "message": "nonce too low"}, DOWN)
        ).send_raw(b"raw")


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        (("insufficient funds", "already known"), "already_known"),
        (("insufficient funds", "internal error"), "other"),
        ((DOWN, "already known"), "already_known"),
        (("insufficient funds", "nonce too low"), "insufficient_funds"),
        (("nonce too low", "always failing transaction"), "estimate"),
        (("nonce too low", "internal error"), "other"),
        (("already known", DOWN), "already_known"),
        (("nonce too low", "execution reverted"), "estimate"),
    ],
)
def test_the_least_sure_refusal_speaks_for_all(messages, kind):
    """One node that has the transaction outweighs any number that refuse it."""
    answers = [m if m is DOWN else {"code": -32000, "message": m} for m in messages]
    with pytest.raises(RpcError) as caught:
        rpc(*same("eth_sendRawTransaction", *answers)).send_raw(b"raw")
    assert caught.value.kind == kind


def test_one_node_that_answers_nonsense_stops_nobody():
    node = rpc(*same("eth_blockNumber", "0xzz", "0x5", "0x5"))
    assert node.request("eth_blockNumber") == "0x5"
    node = rpc(*same("eth_gasPrice", "nonsense", "0x5", "0x7"))
    assert node.request("eth_gasPrice") == "0x5"


def test_other_writes_go_to_the_first_node_only():
    node = rpc(*same("evm_mine", "0x0", "0x0"))
    assert node.request("evm_mine") == "0x0"
    assert [port for port, *_ in node.nodes.asked] == [1]


def test_a_batch_with_a_write_in_it_goes_to_the_first_node_only():
    answers = {"eth_blockNumber": "0x1", "evm_mine": "0x0"}
    node = rpc(answers, answers)
    assert node.batch([("eth_blockNumber", []), ("evm_mine", [])]) == ["0x1", "0x0"]
    assert [port for port, *_ in node.nodes.asked] == [1, 1]
    assert node.batch([]) == []


def test_one_of_many_prices():
    """What honest nodes tell differently: the middle one of prices, the highest of estimates."""
    prices = ("0x1", "0x9", "0x5")
    for method in ("eth_gasPrice", "eth_maxPriorityFeePerGas"):
        node = rpc(*same(method, *prices), quorum=3)
        assert node.request(method) == "0x5"
    node = rpc(*same("eth_estimateGas", *prices), quorum=3)
    assert node.request("eth_estimateGas", [{}]) == "0x9"
    with pytest.raises(Web3ProviderCallError, match="disagree on eth_gasPrice"):
        rpc(*same("eth_gasPrice", "0x1", "nonsense")).request("eth_gasPrice")


def test_prices_may_be_nothing():
    assert rpc(*same("eth_gasPrice", "0x0", "0x5")).request("eth_gasPrice") == "0x0"
    assert rpc(*same("eth_gasPrice", "0x0", "0x1")).request("eth_gasPrice") == "0x0"


def test_a_head_that_enough_nodes_have_though_one_talks_nonsense():
    for heads in (("0xzz", "0x5", "0x7"), ("0x5", "0xzz", "0x7"), ("0x7", "0x5", None)):
        assert rpc(*same("eth_blockNumber", *heads)).request("eth_blockNumber") == "0x5"


def test_a_node_that_is_silent_leaves_more_open_than_one_that_refuses():
    internal = {"code": -32603, "message": "internal error"}
    with pytest.raises(TransportError):
        rpc(*same("eth_sendRawTransaction", internal, DOWN)).send_raw(b"raw")
    reverted = {"code": 3, "message": "reverted", "data": "0x08c379a0"}
    low = {"code": -32000, "message": "nonce too low"}
    with pytest.raises(RpcError) as caught:
        rpc(*same("eth_sendRawTransaction", low, reverted)).send_raw(b"raw")
    assert caught.value.kind == "revert"


def test_a_head_that_cannot_be_had():
    refusal = {"code": -32000, "message": "syncing"}
    with pytest.raises(RpcError, match="syncing"):
        rpc(*same("eth_blockNumber", refusal, refusal)).request("eth_call", [{}, "latest"])
    with pytest.raises(Web3ProviderCallError, match="disagree on eth_blockNumber"):
        rpc(*same("eth_blockNumber", refusal, "0x5")).request("eth_blockNumber")


def test_all_nodes_must_be_on_one_chain():
    assert rpc(*same("eth_chainId", "0x1", DOWN, "0x1")).chain_id() == 1
    with pytest.raises(ConfigurationError, match=r"different chains: \[1, 5\]"):
        rpc(*same("eth_chainId", "0x1", "0x1", "0x5")).chain_id()
    with pytest.raises(TransportError):
        rpc(*same("eth_chainId", DOWN, DOWN)).chain_id()


@pytest.mark.parametrize("quorum", [0, 3, True, -1])
def test_an_impossible_quorum(quorum):
    with pytest.raises(
        ConfigurationError, match=f"^a quorum of {quorum} is not possible with 2 nodes$"
    ):
        QuorumRpc(["http://127.0.0.1:1/", "http://127.0.0.1:2/"], quorum=quorum)


def test_a_quorum_of_one_takes_the_first_answer():
    assert rpc(*same("eth_blockNumber", "0x1", "0x2"), quorum=1).request("eth_blockNumber") == "0x1"


def test_the_same_node_twice_is_one_witness():
    with pytest.raises(ConfigurationError, match="quorum of 2"):
        QuorumRpc(["http://127.0.0.1:1/"] * 2, quorum=2)


def test_connect():
    urls = ["http://127.0.0.1:1/", "http://127.0.0.1:2/"]
    assert type(connect(urls)) is Rpc
    made = connect(urls, quorum=2)
    assert repr(made) == "QuorumRpc(http://127.0.0.1:1, http://127.0.0.1:2)"
    made.close()


@pytest.mark.parametrize("field", ["from", "nonce", "to", "value", "input", "blockHash"])
def test_nodes_must_agree_on_what_was_sent(field):
    sent = {"hash": "0xaa", "from": "0x1", "nonce": "0x0", "to": "0x2", "value": "0x0"}
    other = {**sent, field: "0x9"}
    node = rpc(*same("eth_getTransactionByHash", sent, other))
    assert node.request("eth_getTransactionByHash", ["0xaa"]) is None
    node = rpc(*same("eth_getTransactionByHash", sent, {**sent, "more": "0x9"}))
    assert node.request("eth_getTransactionByHash", ["0xaa"]) == sent
