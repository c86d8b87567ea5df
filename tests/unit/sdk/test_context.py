"""What a client refuses before anything is contacted, and whom it asks before it signs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ConfigurationError,
    SignatureError,
    StateError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.http import Response
from iexec_lite.net.rpc import OTHER_NODE
from iexec_lite.protocol import contracts, orders
from iexec_lite.protocol.chains import CHAINS, Chain
from iexec_lite.sdk.client import SigningProvider

KEY = "0x" + "11" * 32
NODE = "http://127.0.0.1:1"
APP, HUB = "0x" + "22" * 20, "0x" + "44" * 20


class Block:
    """A result that is no error, whatever it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Node:
    """A transport: ``answers`` maps a method to its result, or to the text of an error."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"eth_chainId": hex(31337), **answers}
        self.asked: list[str] = []
        self.params: list[Any] = []
        self.urls: list[str] = []

    def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> Response:
        asked = json.loads(body or b"")
        items = asked if isinstance(asked, list) else [asked]
        self.urls.append(url)
        answers = []
        for item in items:
            self.asked.append(item["method"])
            self.params.append(item["params"])
            found = self.answers[item["method"]]
            result = {"error": found} if isinstance(found, dict) else {"result": found}
            if isinstance(found, Block):
                result = {"result": found.value}
            answers.append({"jsonrpc": "2.0", "id": item["id"], **result})
        value = answers if isinstance(asked, list) else answers[0]
        return Response(200, {}, json.dumps(value).encode(), "http://n")

    def close(self) -> None:
        pass


def client(node: Node, *arguments: Any, **options: Any) -> IExec:
    iexec = IExec(*arguments, **options)
    iexec._context._made["http"] = node
    return iexec


GAS = "Invalid gasPrice option: gas_price is wei, an integer >= 0"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"gas_price": -1}, GAS),
        ({"gas_price": True}, GAS),
        ({"gas_price": "5 gwei"}, GAS),
        (
            {"get_transaction_count": 7},
            "Invalid getTransactionCount option, must be a function",
        ),
        ({"confirms": 0}, "invalid confirms 0: it must be an integer >= 1"),
        ({"confirms": 1.0}, "invalid confirms 1.0: it must be an integer >= 1"),
        ({"confirms": True}, "invalid confirms True: it must be an integer >= 1"),
        ({"timeout": 0}, "invalid timeout 0: it is a number of seconds above 0"),
        ({"timeout": float("inf")}, "invalid timeout inf: it is a number of seconds above 0"),
        ({"timeout": float("nan")}, "invalid timeout nan: it is a number of seconds above 0"),
        ({"timeout": True}, "invalid timeout True: it is a number of seconds above 0"),
        ({"timeout": "30"}, "invalid timeout '30': it is a number of seconds above 0"),
        ({"flavour": "gold"}, "invalid flavour 'gold': it is 'standard' or 'enterprise'"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        IExec(NODE, KEY, **options)
    assert caught.value.message == text


@pytest.mark.parametrize("options", [{"gas_price": 0}, {"confirms": 1}, {"timeout": 1e-9}])
def test_options_at_the_edge(options: dict[str, Any]) -> None:
    IExec(NODE, KEY, **options).close()


@pytest.mark.parametrize(
    ("url", "interval"),
    [
        ("http://127.0.0.1:8545", 0.2),
        ("http://localhost:8545", 0.2),
        ("http://[::1]:8545", 0.2),
        ("https://node.org", 5.0),
        ("https://localhost.org", 5.0),
    ],
)
def test_public_nodes_are_spared(url: str, interval: float) -> None:
    with IExec(url) as iexec:
        assert iexec._context.interval == interval


def test_a_quorum_of_nodes_is_asked() -> None:
    node = Node(eth_getBalance="0x7", eth_blockNumber="0x1")
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    provider = SigningProvider(31337, KeySigner.from_key(KEY), urls=urls, quorum=2)
    iexec = client(node, provider, is_native=True)
    assert iexec.wallet.check_balances(APP).wei == 7
    assert set(node.urls) == set(urls)
    assert node.asked.count("eth_getBalance") == 2


def test_one_of_several_nodes_is_enough_unless_a_quorum_is_asked_for() -> None:
    node = Node(eth_getBalance="0x7", eth_blockNumber="0x1")
    urls = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    iexec = client(node, list(urls), chain=Chain(id=31337, hub=HUB), is_native=True)
    assert iexec.wallet.check_balances(APP).wei == 7
    assert node.asked.count("eth_getBalance") == 1


# --- before a signature ---------------------------------------------------------------------------


def test_another_chain_than_the_records() -> None:
    iexec = client(Node(), NODE, KEY, chain=134)
    order = iexec.order.create_requestorder(APP, 0)
    with pytest.raises(ConfigurationError) as caught:
        iexec.order.sign_requestorder(order, check_request=False)
    assert caught.value.message == (
        "The node is on chain 31337, but bellecour is chain 134: check the URL or the chain name"
    )


def test_nothing_is_sent_to_another_chain() -> None:
    node = Node()
    iexec = client(node, NODE, KEY, chain=134)
    with pytest.raises(ConfigurationError, match="but bellecour is chain 134"):
        iexec.account.approve(1, APP)
    assert node.asked == ["eth_chainId"]
    iexec = client(node, NODE, KEY, chain=134)
    for replace in (iexec.wallet.speed_up_transaction, iexec.wallet.cancel_transaction):
        with pytest.raises(ConfigurationError, match="but bellecour is chain 134"):
            replace("0x" + "11" * 32)


def test_nothing_is_sent_that_the_state_forbids() -> None:
    node = Node(eth_call="0x" + "00" * 64)  # an empty account
    iexec = client(node, NODE, KEY, hub_address=HUB, chain=31337)
    with pytest.raises(StateError, match="Withdraw amount exceed account balance"):
        iexec.account.withdraw(1)
    assert set(node.asked) == {"eth_chainId", "eth_call"}


def test_a_name_that_stands_for_nothing() -> None:
    with IExec.offline(KEY, chain=134) as iexec, pytest.raises(ValidationError) as caught:
        iexec._context.resolve("alice.eth", "to")
    assert caught.value.message.startswith("to: ")
    assert "an offline client can ask nobody" in caught.value.message


def test_a_hub_of_ones_own_is_asked_once() -> None:
    domain = orders.domain(31337, HUB)
    node = Node(eth_call=to_hex(domain.separator))
    iexec = client(node, NODE, KEY, hub_address=HUB, result_proxy_url="https://p.org")
    order = iexec.order.create_requestorder(APP, 0)
    first = iexec.order.sign_requestorder(order, check_request=False)
    iexec.order.sign_requestorder(order, check_request=False)
    assert node.asked == ["eth_chainId", "eth_call"]
    orders.verify_order(first, domain, iexec.wallet.get_address())


def test_only_the_owner_signs() -> None:
    node = Node(eth_chainId=hex(134), eth_call="0x" + "00" * 12 + APP[2:])
    iexec = client(node, NODE, KEY, chain=134)
    order = iexec.order.create_workerpoolorder(APP, 0)
    with pytest.raises(SignatureError) as caught:
        iexec.order.sign_workerpoolorder(order)
    assert caught.value.message == (
        f"Invalid order signer, must be the resource owner (expected {APP}, the wallet is "
        f"{iexec.wallet.get_address()})"
    )


def test_the_hub_of_another_chain_is_asked_too() -> None:
    node = Node(eth_call="0x" + "11" * 32)
    hub = CHAINS["bellecour"].hub
    iexec = client(node, NODE, KEY, hub_address=hub, chain=31337)
    with pytest.raises(ConfigurationError, match=f"{hub} is not the iExec hub of chain 31337"):
        _ = iexec._context.domain


def test_a_hub_that_everybody_knows_is_not() -> None:
    node = Node(eth_chainId=hex(134))
    iexec = client(node, NODE, KEY, chain="bellecour")
    order = iexec.order.create_requestorder(APP, 0)
    iexec.order.sign_requestorder(order, check_request=False)
    assert node.asked == ["eth_chainId"]
    assert CHAINS["bellecour"].hub == iexec.hub.get_hub_address()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            "0x",
            f" (eip712domain_separator of {HUB}: no such contract answers; check the address and "
            "the chain)",
        ),
        ("0x" + "11" * 32, ", its orders have another domain"),
        (
            {"code": 3, "message": "execution reverted", "data": "0x"},
            f" (eip712domain_separator of {HUB}: call revert exception (execution reverted): "
            "check the address, the arguments and the chain)",
        ),
    ],
)
def test_what_is_no_hub(answer: Any, why: str) -> None:
    iexec = client(Node(eth_call=answer), NODE, KEY, hub_address=HUB, chain=31337)
    order = {**iexec.order.create_apporder(APP).to_dict(), "salt": "0x" + "00" * 32}
    with pytest.raises(ConfigurationError) as caught:
        iexec.order.hash_apporder(order)
    assert caught.value.message == (
        f"{HUB} is not the iExec hub of chain 31337{why}: check hub_address"
    )


def test_a_busy_node_does_not_speak_against_the_hub() -> None:
    answer = {"code": -32005, "message": "rate limit"}
    iexec = client(Node(eth_call=answer), NODE, KEY, hub_address=HUB, chain=31337)
    order = {**iexec.order.create_apporder(APP).to_dict(), "salt": "0x" + "00" * 32}
    with pytest.raises(Web3ProviderCallError, match="rate limit") as caught:
        iexec.order.hash_apporder(order)
    assert caught.value.retryable


def test_nobody_is_asked_off_line() -> None:
    iexec = IExec.offline(KEY, chain="bellecour")
    order = iexec.order.create_requestorder(APP, 0)
    assert iexec.order.sign_requestorder(order).requester == iexec.wallet.get_address()


# --- reads ----------------------------------------------------------------------------------------


def test_a_failed_read_says_what_was_asked_of_whom() -> None:
    error = {"code": 3, "message": "execution reverted: no", "data": "0x"}
    iexec = client(Node(eth_call=error), NODE, chain=31337, hub_address=HUB)
    with pytest.raises(Web3ProviderCallError, match=f"^countCategory of {HUB}: ") as caught:
        iexec.hub.count_category()
    assert caught.value.details["rpcCode"] == 3
    assert isinstance(caught.value.cause, Web3ProviderCallError)


NO_TIME = f"the node gave no 0x hex number for timestamp{OTHER_NODE}"


@pytest.mark.parametrize(
    ("block", "text", "retryable"),
    [
        ({}, NO_TIME, False),
        ({"timestamp": "soon"}, NO_TIME, False),
        (None, "The node has no latest block", True),
        ("0x1", "The node has no latest block", True),
    ],
)
def test_a_block_without_a_time(block: Any, text: str, retryable: bool) -> None:
    node = Node(eth_call="0x" + f"{5:064x}", eth_getBlockByNumber=Block(block))
    iexec = client(node, NODE, chain=31337, hub_address=HUB)
    with pytest.raises(Web3ProviderCallError) as caught:
        iexec._context.block_time()
    assert (caught.value.message, caught.value.retryable) == (text, retryable)
    assert node.params[-1] == ["latest", False]  # without its transactions
    if block == {}:
        with pytest.raises(Web3ProviderCallError) as caught:
            iexec._context.read_now([(HUB, contracts.HUB.countCategory, ())])
        assert caught.value.message == text


def test_a_head_that_is_no_number() -> None:
    with client(Node(eth_blockNumber="ten"), NODE, chain=31337, confirms=2) as iexec:
        with pytest.raises(Web3ProviderCallError) as caught:
            iexec._context.settled_block()
        text = f"the node gave no 0x hex number for eth_blockNumber{OTHER_NODE}"
        assert caught.value.message == text


def test_a_client_is_closed_where_its_block_ends() -> None:
    with IExec(NODE, chain=31337, hub_address=HUB) as iexec:
        pass
    with pytest.raises(TransportError, match=r"^this client is closed; build a new client$"):
        iexec.hub.count_category()


def test_without_a_marketplace() -> None:
    with IExec(NODE, chain=Chain(id=31337, hub=HUB, iexec_gateway=None)) as iexec:
        with pytest.raises(ConfigurationError) as caught:
            iexec.orderbook.fetch_app_orderbook(APP)
        assert caught.value.message == (
            "iexec_gateway_url option not set and no default value for your chain 31337"
        )


def test_a_closed_client() -> None:
    iexec = IExec(NODE, chain=31337, hub_address=HUB, iexec_gateway_url="http://m")
    iexec.close()
    iexec.close()
    for call in (iexec.hub.count_category, lambda: iexec.orderbook.fetch_apporder("0x" + "1" * 64)):
        with pytest.raises(TransportError) as caught:
            call()
        assert caught.value.message == "this client is closed; build a new client"


def test_closing_closes_the_other_end_too() -> None:
    conf = {"rpc_url": "http://b", "chain_id": 7, "bridge_address": HUB}
    iexec = IExec(NODE, chain=Chain(id=31337, hub=HUB), bridged_network_conf=conf)
    there = iexec._context.bridged
    iexec.close()
    late = IExec(NODE, chain=Chain(id=31337, hub=HUB), bridged_network_conf=conf)
    late.close()
    for call in (
        lambda: there.rpc,
        lambda: iexec.wallet.check_bridged_balances(APP),
        lambda: late._context.bridged,
    ):
        with pytest.raises(TransportError, match=r"^this client is closed"):
            call()


def test_the_other_end_is_read() -> None:
    conf = {"rpc_url": "http://b", "chain_id": 7, "bridge_address": HUB}
    node = Node(eth_chainId=hex(7), eth_getBalance=hex(5 * 10**18))
    with IExec(NODE, chain=Chain(id=31337, hub=HUB), bridged_network_conf=conf) as iexec:
        iexec._context.bridged._made["http"] = node
        assert iexec.wallet.check_bridged_balances(APP).nrlc == 5 * 10**9
    assert set(node.urls) == {"http://b"}


def test_the_time_of_the_chain() -> None:
    node = Node(eth_getBlockByNumber=Block({"timestamp": "0x64"}))
    with client(node, NODE, chain=31337, hub_address=HUB) as iexec:
        assert iexec.network.get_block_time() == 100


@pytest.mark.parametrize(
    ("chain", "conf", "known"),
    [
        (CHAINS["mainnet"], None, True),
        (Chain(id=31337), None, False),
        (Chain(id=31337), {}, True),
    ],
)
def test_whether_the_other_end_is_known(chain: Chain, conf: Any, known: bool) -> None:
    with IExec(NODE, chain=chain, bridged_network_conf=conf) as iexec:
        assert iexec._context.has_bridged is known


@pytest.mark.parametrize(("confirms", "head", "block"), [(1, 10, "latest"), (3, 10, 8), (3, 1, 0)])
def test_what_is_taken_as_final(confirms: int, head: int, block: object) -> None:
    node = Node(eth_blockNumber=hex(head))
    with client(node, NODE, chain=Chain(id=31337), confirms=confirms) as iexec:
        assert iexec._context.settled_block() == block
    assert ("eth_blockNumber" in node.asked) is (confirms > 1)


@pytest.mark.parametrize(
    ("native", "token", "text"),
    [
        (
            True,
            "55" * 20,
            f"RLC is the token 0x{'55' * 20} here, not the chain's coin: is_native must be False",
        ),
        (False, "00" * 20, "RLC is the chain's coin here: is_native must be True"),
        (True, "00" * 20, ""),
        (False, "55" * 20, ""),
    ],
)
def test_the_kind_of_money_is_compared(native: bool, token: str, text: str) -> None:
    node = Node(eth_call="0x" + token.rjust(64, "0"))
    record = Chain(id=31337, hub=HUB, native=native)
    with client(node, NODE, chain=record) as iexec:
        if not text:
            assert iexec._context.token == f"0x{token}"
            return
        with pytest.raises(ConfigurationError) as caught:
            _ = iexec._context.token
        assert caught.value.message == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("0x12", f"token of {HUB}: its answer cannot be decoded: "),
        ("0x", f"token of {HUB}: no such contract answers; check the address and the chain"),
    ],
)
def test_answers_that_are_none(answer: str, text: str) -> None:
    with client(Node(eth_call=answer), NODE, chain=Chain(id=31337, hub=HUB)) as iexec:
        with pytest.raises(Web3ProviderCallError) as caught:
            _ = iexec._context.token
        assert caught.value.message.startswith(text)


def test_a_call_that_was_not_made_is_not_unfinished() -> None:
    with client(Node(), NODE, KEY, chain=Chain(id=31337, hub=HUB)) as iexec:
        context = iexec._context
        assert context.unfinished("deposit", {"amount": "1"}) is False
        intent = context._intent("deposit", {"amount": "1"})
        account = context.transactions.account
        account.leave(account.add(intent.key, intent.to_dict(), 0))
        assert context.unfinished("deposit", {"amount": "1"}) is True
        assert context.unfinished("deposit", {"amount": "2"}) is False
