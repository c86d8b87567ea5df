"""What a transaction may cost: what the node is asked, both sides of each bound, each refusal."""

from __future__ import annotations

import pytest

from iexec_lite.errors import (
    TransportError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.net.rpc import OTHER_NODE, Rpc
from iexec_lite.net.rpc_error import RpcError
from iexec_lite.sdk.fees import Quote, quote, reason_of, refused

from .test_transactions import REVERT, TO, WHO, Node, error

GWEI = 10**9
NOT_FOUND = "processing response error: header not found (if it stays so, use another node)"


@pytest.fixture
def node():
    made = Node()
    made.base_fee = None  # a chain without, until a test says otherwise
    return made


@pytest.fixture
def cost(node):
    rpc = Rpc("http://127.0.0.1:1/", http=node)
    return lambda data=b"\1", **given: quote(rpc, WHO, TO, data, 5, **given)


def answers(node, **results):
    """What the node says to ``eth_…`` from now on."""
    for method, result in results.items():
        setattr(node, f"eth_{method}", lambda *_, result=result: result)


def block(node, **fields):
    real = Node.eth_getBlockByNumber
    node.eth_getBlockByNumber = lambda *params: {**real(node, *params), **fields}


def test_what_is_asked(node, cost):
    asked = []
    node.eth_estimateGas = lambda fields: asked.append(fields) or hex(100_000)
    node.eth_getBlockByNumber = lambda *params: asked.append(params) or {"gasLimit": "0x1c9c380"}
    assert cost() == Quote(gas=125_000, gas_price=7 * GWEI)
    assert asked == [("latest", False), {"from": WHO, "to": TO, "data": "0x01", "value": "0x5"}]
    assert node.methods == [
        *("eth_getBlockByNumber", "eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_estimateGas")
    ]


def test_gas_that_is_given_is_not_estimated(node, cost):
    assert cost(gas=123) == Quote(gas=123, gas_price=7 * GWEI)
    assert cost(gas=0, gas_price=0) == Quote(gas=0, gas_price=0)
    assert "eth_estimateGas" not in node.methods


@pytest.mark.parametrize(
    ("quoted", "cost"),
    [
        (Quote(gas=3, gas_price=5), 15),
        (Quote(gas=3, gas_price=0, max_fee_per_gas=9), 0),
        (Quote(gas=3, max_fee_per_gas=7, max_priority_fee_per_gas=2), 21),
        (Quote(gas=3), 0),
    ],
)
def test_the_most_that_gas_may_cost(quoted, cost):
    assert quoted.max_cost == cost


# --- bounds: what only a broken or hostile node would say ------------------------------------


def refusal(cost, **given):
    with pytest.raises(Web3ProviderSendError) as caught:
        cost(**given)
    assert caught.value.tx_hash is None
    return str(caught.value)


@pytest.mark.parametrize("dynamic", [False, True])
def test_the_highest_price_that_is_believed(node, cost, dynamic):
    """20,000 gwei is more than any chain of ours ever had."""
    most = 20_000 * GWEI
    node.base_fee = most // 2 - GWEI if dynamic else None
    answers(node, gasPrice=hex(most), maxPriorityFeePerGas=hex(2 * GWEI))
    found = cost(gas=21_000)
    assert (found.max_fee_per_gas if dynamic else found.gas_price) == most
    answers(node, gasPrice=hex(most + 1), maxPriorityFeePerGas=hex(2 * GWEI + 1))
    assert refusal(cost, gas=21_000) == (
        "the node suggests 20000 gwei per gas, which cannot be right: check the node, or give "
        "gas_price="
    )
    assert cost(gas=21_000, gas_price=most + 1).gas_price == most + 1


def test_the_highest_cost_that_is_believed(node, cost):
    answers(node, gasPrice=hex(1000 * GWEI))
    assert cost(gas=10**7).max_cost == 10 * 10**18
    assert refusal(cost, gas=10**7 + 1) == (
        "the node suggests 10000001 gas that may cost 10000001000000000000 wei, which cannot be "
        "right: check the node, or give gas_price="
    )
    assert cost(gas=10**7 + 1, gas_price=1000 * GWEI).gas == 10**7 + 1


def test_the_most_gas_that_is_believed(node, cost):
    """Arbitrum names 2**50 as the limit of a block."""
    block(node, gasLimit=hex(2**50))
    answers(node, estimateGas=hex(100_000_000))
    assert cost(gas_price=1).gas == 125_000_000
    answers(node, estimateGas=hex(100_000_001))
    assert refusal(cost, gas_price=1) == (
        "the node estimates 100000001 gas, which cannot be right: check the node"
    )


def test_what_fills_a_block_fits_and_no_more(node, cost):
    answers(node, estimateGas=hex(30_000_000))
    assert cost().gas == 30_000_000
    answers(node, estimateGas=hex(30_000_001))
    assert refusal(cost) == (
        "the transaction needs 30000001 gas, but a block of this chain holds 30000000"
    )


@pytest.mark.parametrize(
    ("estimate", "data", "gas"),
    [
        (21_000, b"", 21_000),  # a plain transfer costs exactly this
        (21_001, b"", 26_251),
        (20_999, b"", 26_248),
        (21_000, b"\0", 26_250),
        (24_000_000, b"\1", 30_000_000),
        (23_999_999, b"\1", 29_999_998),
    ],
)
def test_a_quarter_more_gas_than_estimated(node, cost, estimate, data, gas):
    answers(node, estimateGas=hex(estimate))
    assert cost(data).gas == gas


# --- answers that are none -------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "0x1", []])
def test_no_latest_block(node, cost, answer):
    answers(node, getBlockByNumber=answer)
    with pytest.raises(Web3ProviderCallError) as caught:
        cost()
    assert caught.value.to_dict() == {
        "name": "Web3ProviderCallError",
        "code": "web3_call",
        "message": "the node has no latest block",
        "retryable": True,
    }


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_gasPrice"])
def test_an_error_instead_of_block_or_price(node, cost, method):
    node.faults[method] = [error("header not found")]
    with pytest.raises(RpcError) as caught:
        cost()
    assert str(caught.value) == NOT_FOUND


def test_an_error_for_what_is_not_needed(node, cost):
    node.faults = {
        method: [error("method not found", -32601)] * 9
        for method in ("eth_gasPrice", "eth_maxPriorityFeePerGas")
    }
    assert cost(gas_price=3) == Quote(gas=125_000, gas_price=3)
    node.base_fee = 10
    dynamic = Quote(gas=125_000, max_fee_per_gas=20 + GWEI, max_priority_fee_per_gas=GWEI)
    assert cost() == dynamic


@pytest.mark.parametrize(
    ("method", "base_fee", "name"),
    [
        ("estimateGas", None, "eth_estimateGas"),
        ("gasPrice", None, "eth_gasPrice"),
        ("maxPriorityFeePerGas", "0x1", "eth_maxPriorityFeePerGas"),
    ],
)
def test_an_answer_that_is_no_number_is_named(node, cost, method, base_fee, name):
    if base_fee:
        block(node, baseFeePerGas=base_fee)
    answers(node, **{method: "12"})
    with pytest.raises(Web3ProviderCallError) as caught:
        cost()
    assert str(caught.value) == f"the node gave no 0x hex number for {name}{OTHER_NODE}"


@pytest.mark.parametrize("name", ["gasLimit", "baseFeePerGas"])
def test_a_block_with_a_field_that_is_no_number(node, cost, name):
    block(node, **{name: 12})
    with pytest.raises(Web3ProviderCallError) as caught:
        cost()
    assert str(caught.value) == f"the node gave no 0x hex number for {name}{OTHER_NODE}"


def test_an_estimate_that_got_lost(node):
    """An answer of the batch may be any error."""
    fault = TransportError("cut")

    class Cut:
        def batch(self, calls):
            return [{"gasLimit": "0x1c9c380"}, "0x1", "0x1", fault]

    with pytest.raises(TransportError) as caught:
        quote(Cut(), WHO, TO, b"", 0)
    assert caught.value is fault


# --- refusals in words -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, None),
        (b"", None),
        (b"\x01\x02\x03\x04", None),
        (
            bytes.fromhex(REVERT[2:]),
            "iExecV5-matchOrders-0x14 (the app order is restricted to another workerpool)",
        ),
        (
            bytes.fromhex("08c379a0" + f"{32:064x}{3:064x}" + b"a\x1bb".hex().ljust(64, "0")),
            "a b",  # made safe for a terminal
        ),
    ],
)
def test_the_reason_of_a_revert(data, reason):
    assert reason_of(RpcError(3, "execution reverted", data)) == reason


def test_a_refusal_says_why_and_that_nothing_was_sent(node, cost):
    node.faults["eth_estimateGas"] = [error("execution reverted", 3, data=REVERT)]
    with pytest.raises(Web3ProviderSendError) as caught:
        cost()
    assert caught.value.to_dict() == {
        "name": "Web3ProviderSendError",
        "code": "web3_send",
        "message": "cannot estimate gas; transaction may fail or may require manual gas limit: "
        "iExecV5-matchOrders-0x14 (the app order is restricted to another workerpool)",
        "details": {
            "rpcCode": 3,
            "nodeMessage": "execution reverted",
            "method": "eth_estimateGas",
            "data": REVERT,
        },
    }
    assert isinstance(caught.value.cause, RpcError)


def test_a_refusal_without_a_reason_is_in_the_nodes_words():
    busy = RpcError(-32005, "rate limit")
    found = refused(busy)
    assert (str(found), found.retryable, found.cause) == (busy.message, True, busy)
    assert not refused(RpcError(-32000, "insufficient funds")).retryable
