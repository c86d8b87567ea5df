"""A signer that sends by itself, beside a node that lags, hides and contradicts itself.

What wallets do is tested on a real node (tests/stack/test_signers.py); here is what such a node
cannot be made to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.errors import (
    OutcomeUnknownError,
    TransportError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.eth.transaction import Transaction
from iexec_lite.net.rpc import OTHER_NODE
from iexec_lite.protocol.chains import Chain
from iexec_lite.sdk.entrusted import Asked, find
from iexec_lite.sdk.fees import Quote
from iexec_lite.sdk.journal import FAILED, SETTLED, UNKNOWN, MemoryJournal
from iexec_lite.sdk.transactions import Intent, Sent, Transactions

KEY = KeySigner.from_key("0x" + "11" * 32)
TO = "0x" + "22" * 20
COSTS = Quote(gas=30_000, gas_price=9)


class Node:
    """A chain in memory. ``hidden`` methods answer None, ``deaf`` ones not at all."""

    label = "http://n"

    def __init__(self) -> None:
        self.head = 100
        self.blocks: dict[int, list[dict[str, Any]]] = {}
        self.hidden: set[str] = set()
        self.deaf: set[str] = set()
        self.asked: list[str] = []

    def chain_id(self) -> int:
        return 4242

    def batch(self, calls: Any) -> list[Any]:
        return [self.request(method, params) for method, params in calls]

    def request(self, method: str, params: Any = ()) -> Any:
        self.asked.append(method)
        if method in self.deaf:
            raise TransportError("http://n cannot be reached", retryable=True)
        return None if method in self.hidden else getattr(self, method)(*params)

    def eth_chainId(self) -> str:
        return hex(4242)

    def eth_blockNumber(self) -> str:
        return hex(self.head)

    def eth_getTransactionCount(self, address: str, block: str) -> str:
        upto = self.head if block in ("latest", "pending") else int(block, 16)
        return hex(sum(len(txs) for number, txs in self.blocks.items() if number <= upto))

    def eth_getBlockByNumber(self, block: str, full: bool) -> Any:
        assert full
        txs = [] if block == "pending" else self.blocks.get(int(block, 16), [])
        return {"number": block, "transactions": txs}

    def eth_getTransactionByHash(self, tx_hash: str) -> Any:
        found = (tx for txs in self.blocks.values() for tx in txs if tx["hash"] == tx_hash)
        return next(found, None)

    def eth_getTransactionReceipt(self, tx_hash: str) -> Any:
        for number, txs in self.blocks.items():
            if tx_hash in [tx["hash"] for tx in txs]:
                done = {"blockNumber": hex(number), "status": "0x1", "logs": []}
                return {"transactionHash": tx_hash, **done}
        return None

    def mine(self, tx_hash: str, **fields: Any) -> None:
        self.head += 1
        nonce = self.eth_getTransactionCount("", "latest")
        usual = {"hash": tx_hash, "from": KEY.address.lower(), "nonce": nonce, "to": TO}
        self.blocks[self.head] = [{**usual, "value": "0x1", "input": "0x", **fields}]


class Signer:
    """Answers with ``hash``, after ``sending`` has been called."""

    address = KEY.address
    sign_message = KEY.sign_message
    sign_typed_data = KEY.sign_typed_data

    def __init__(self) -> None:
        self.asked: list[Transaction] = []
        self.sending: Callable[[], object] = lambda: None
        self.answer: Any = b"\xaa" * 32

    def send_transaction(self, transaction: Transaction) -> Any:
        self.asked.append(transaction)
        self.sending()
        return self.answer


A, B = "0x" + "aa" * 32, "0x" + "bb" * 32


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def signer() -> Signer:
    return Signer()


class Bench:
    def __init__(self, node: Node, signer: Signer) -> None:
        self.now = 0.0
        self.then: Callable[[], object] = lambda: None
        self.transactions = Transactions(
            node, Chain(id=4242), signer, journal=MemoryJournal(), timeout=60,
            sleep=self.sleep, clock=lambda: self.now,
        )  # fmt: skip

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.then()

    def send(self, **options: Any) -> Sent:
        intent = Intent(chain_id=4242, sender=KEY.address, operation="test")
        return self.transactions.send(intent, TO, value=1, quote=COSTS, **options)

    @property
    def states(self) -> list[str]:
        return [entry.state for entry in self.transactions.account.entries()]


@pytest.fixture
def bench(node: Node, signer: Signer) -> Bench:
    return Bench(node, signer)


def test_the_plain_way(node: Node, signer: Signer, bench: Bench) -> None:
    signer.sending = lambda: node.mine(A)
    assert bench.send(note={"salt": 1}).note == {"salt": 1}
    [asked] = signer.asked
    assert (asked.nonce, asked.value, asked.chain_id, asked.gas_price) == (0, 1, 4242, 9)
    assert (bench.states, bench.now) == ([SETTLED], 0.0)


def test_our_node_hears_of_it_later(node: Node, bench: Bench) -> None:
    bench.then = lambda: node.mine(A) if bench.now > 5 and not node.blocks else None
    assert bench.send().tx_hash == A
    assert bench.states == [SETTLED]


def test_mined_but_not_to_be_looked_at(node: Node, signer: Signer, bench: Bench) -> None:
    """Until it was seen, it is not known to be ours."""
    signer.sending = lambda: node.mine(A)
    for quiet in (node.hidden, node.deaf):
        quiet.add("eth_getTransactionByHash")
        with pytest.raises(OutcomeUnknownError, match="does not show what it is") as caught:
            bench.send()
        assert caught.value.tx_hash == A
        quiet.clear()
    assert bench.send().resumed
    assert (bench.states, len(signer.asked)) == ([SETTLED], 1)


@pytest.mark.parametrize("answer", [None, A, b"", b"\xaa" * 31, b"\xaa" * 33, 5])
def test_an_answer_that_is_no_hash(answer: Any, node: Node, signer: Signer, bench: Bench) -> None:
    signer.answer = answer
    signer.sending = lambda: node.mine(B)
    assert bench.send().tx_hash == B
    assert (len(signer.asked), bench.now) == (1, 0)  # nothing is waited for under such a hash


def test_nobody_can_look(node: Node, signer: Signer, bench: Bench) -> None:
    signer.answer = None
    signer.sending = lambda: node.deaf.add("eth_blockNumber")
    with pytest.raises(OutcomeUnknownError) as caught:
        bench.send()
    assert isinstance(caught.value.cause, Web3ProviderCallError)  # why we had to look
    with pytest.raises(OutcomeUnknownError) as caught:
        bench.send()
    assert isinstance(caught.value.cause, TransportError)
    assert (bench.states, len(signer.asked)) == ([UNKNOWN], 1)


@pytest.mark.parametrize("error", [Web3ProviderSendError("no"), OutcomeUnknownError("who knows")])
def test_only_a_certain_error_is_one(error: Exception, signer: Signer, bench: Bench) -> None:
    def refuse() -> None:
        raise error

    signer.sending = refuse
    with pytest.raises(Web3ProviderSendError) as caught:
        bench.send()
    certain = type(error) is Web3ProviderSendError
    assert (caught.value is error) == certain
    assert bench.states == [FAILED if certain else UNKNOWN]


def test_a_nonce_that_went_elsewhere_unseen(node: Node, bench: Bench) -> None:
    """The hash was never seen: nobody knows which nonce it has, so nothing is certain."""
    bench.then = lambda: node.mine(B, value="0x9") if not node.blocks else None
    with pytest.raises(OutcomeUnknownError, match=f"nonce 0 went to another transaction, {B}") as e:
        bench.send()
    assert e.value.tx_hash == A
    assert bench.states == [UNKNOWN]


def test_a_wallet_that_sends_it_anew_at_another_price(
    node: Node, signer: Signer, bench: Bench
) -> None:
    signer.sending = lambda: None
    bench.then = lambda: node.mine(B) if not node.blocks else None
    sent = bench.send()
    assert sent.tx_hash == B
    assert bench.now > 0  # it was waited for
    assert bench.states == [SETTLED]


def test_a_node_that_contradicts_itself(node: Node, signer: Signer, bench: Bench) -> None:
    signer.sending = lambda: node.mine(A)
    node.hidden.add("eth_getTransactionReceipt")
    with pytest.raises(OutcomeUnknownError, match="contradicts itself") as caught:
        bench.send()
    assert caught.value.tx_hash == A
    node.hidden.clear()
    assert bench.send().resumed


def test_another_transaction_under_the_hash(node: Node, signer: Signer, bench: Bench) -> None:
    """A node that answers for another hash has not shown ours."""
    signer.sending = lambda: node.mine(A)
    node.eth_getTransactionByHash = lambda _: {**node.blocks[101][0], "hash": B}  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError, match="does not show what it is"):
        bench.send()


@pytest.mark.parametrize("which", range(12))
def test_found_among_many_blocks(node: Node, which: int) -> None:
    since = node.head
    for number in range(12):
        node.mine("0x" + f"{number:064x}")
        node.head += number % 5
    asked = Asked(sender=KEY.address, nonce=which, to=TO, value=1, data=b"", since=since)
    node.asked.clear()
    found = find(node, asked)  # type: ignore[arg-type]
    assert found is not None
    assert found["hash"] == "0x" + f"{which:064x}"
    assert node.asked.count("eth_getBlockByNumber") == 1
    assert node.asked.count("eth_getTransactionCount") <= 7
    later = Asked(sender=KEY.address, nonce=12, to=TO, value=1, data=b"", since=since)
    assert find(node, later) is None  # type: ignore[arg-type]


JUNK = ({"transactions": None}, {"transactions": ["0x", {}]})


@pytest.mark.parametrize("junk", [None, 5, {}, *JUNK])
def test_blocks_that_are_none(node: Node, junk: object) -> None:
    node.eth_getBlockByNumber = lambda *_: junk  # type: ignore[method-assign]
    asked = Asked(sender=KEY.address, nonce=0, to=None, value=0, data=b"", since=1)
    assert find(node, asked) is None  # type: ignore[arg-type]


def test_what_was_asked_comes_back_from_the_journal() -> None:
    account = MemoryJournal().account(1, KEY.address)
    for to in (TO, None):
        asked = Asked(sender=KEY.address, nonce=3, to=to, value=2**200, data=b"\x01", since=7)
        entry = account.add("k", {"sender": KEY.address, "asked": asked.to_dict()}, 3)
        assert Asked.of(entry) == asked
        usual = {"from": KEY.address, "nonce": "0x3", "value": hex(2**200), "input": "0x01"}
        assert asked.differences({**usual, "to": to}) == []
        assert asked.differences({**usual, "to": KEY.address}) == ["receiver"]
        receiver = ["receiver"] if to else []
        assert asked.differences({}) == ["account", "nonce", *receiver, "value", "data"]
    assert to_hex(asked.data) == "0x01"


def test_a_wallets_own_nonce_leaves_no_gap(node: Node, signer: Signer, bench: Bench) -> None:
    """It waits under nonce 9: the one it was asked for is still the next."""
    waiting = {"hash": A, "from": KEY.address.lower(), "nonce": "0x9", "to": TO, "value": "0x1"}
    node.eth_getTransactionByHash = lambda _: {**waiting, "input": "0x"}  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError, match="asked for: nonce differ"):
        bench.send()
    node.eth_getTransactionByHash = lambda tx_hash: (  # type: ignore[method-assign]
        {**waiting, "input": "0x"} if tx_hash == A else Node.eth_getTransactionByHash(node, tx_hash)
    )
    signer.answer, signer.sending = b"\xbb" * 32, lambda: node.mine(B)
    assert bench.send(new=True).tx_hash == B
    assert [asked.nonce for asked in signer.asked] == [0, 0]


# --- what is said, and how often it is looked for ----------------------------------------------

INTENT = {"chainId": 4242, "sender": KEY.address.lower(), "operation": "test", "arguments": {}}


def told(why: str, found: str | None = None, **more: Any) -> dict[str, Any]:
    """The whole error that leaves the rest to a person."""
    details: dict[str, Any] = {"nonce": 0, "intent": INTENT}
    return {
        "name": "OutcomeUnknownError",
        "code": "outcome_unknown",
        "message": f"'test' was handed to the signer, and {why}. The same call again looks on "
        "chain and asks nobody; new=True starts another",
        "details": details if found is None else {**details, "found": found},
        **more,
    }


def unknown(bench: Bench) -> OutcomeUnknownError:
    with pytest.raises(OutcomeUnknownError) as caught:
        bench.send()
    return caught.value


def test_a_lost_answer_is_looked_for_four_times(
    node: Node, signer: Signer, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """The wallet's node may be ahead of ours; a person may still be reading its question."""
    caplog.set_level("DEBUG", "iexec_lite")
    signer.answer = None
    looks: list[float] = []
    node.eth_blockNumber = lambda: looks.append(bench.now) or hex(node.head)  # type: ignore[method-assign,func-returns-value]
    error = unknown(bench)
    why = (
        "nobody knows whether it was sent: no transaction with nonce 0 is to be seen yet, but it "
        "may still be approved in the wallet"
    )
    assert error.to_dict() == told(why, retryable=True)
    assert str(error.cause) == "the signer gave no hash of 32 bytes for what it sent"
    assert "the answer of the signer is lost: Web3ProviderCallError" in caplog.messages
    assert looks[0] == 0  # before it was handed over
    assert looks[1:] == [pytest.approx(each) for each in (0, 0.2, 0.8, 2.3)]
    node.mine(A)
    assert bench.send().tx_hash == A


def test_who_cannot_look_says_why(
    node: Node, signer: Signer, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "iexec_lite")
    signer.answer = None
    unknown(bench)
    node.deaf.add("eth_blockNumber")
    error = unknown(bench)
    assert str(error.cause) == "http://n cannot be reached"
    assert caplog.messages.count("looking for nonce 0: transport") == 4
    assert error.tx_hash is None


@pytest.mark.parametrize("after", [0.2, 0.7, 2.0])
def test_it_is_found_at_each_of_the_looks(
    node: Node, signer: Signer, bench: Bench, after: float
) -> None:
    signer.answer = None
    bench.then = lambda: node.mine(A) if bench.now >= after and not node.blocks else None
    assert bench.send().tx_hash == A


def test_what_waits_is_found_too(node: Node, signer: Signer, bench: Bench) -> None:
    """Among others of the block that a node makes: of another account, and of another nonce."""
    signer.answer = None
    usual = {"from": KEY.address.lower(), "to": TO, "value": "0x1", "input": "0x"}
    listed = [
        {**usual, "hash": "0x01", "nonce": "0x0", "from": TO},
        {**usual, "hash": "0x02", "nonce": "0x1"},
        {**usual, "hash": A, "nonce": "0x0"},
    ]
    asked: list[object] = []
    node.eth_getBlockByNumber = lambda *params: (  # type: ignore[method-assign]
        asked.append(params) or {"transactions": listed}  # type: ignore[func-returns-value]
    )
    bench.then = lambda: node.mine(A) if not node.blocks else None
    assert bench.send().tx_hash == A
    assert asked == [("pending", True)]


def test_the_count_of_each_block_is_asked_for_the_sender(node: Node) -> None:
    for number in range(3):
        node.mine("0x" + f"{number:064x}")
    asked: list[tuple[str, str]] = []
    real = node.eth_getTransactionCount
    node.eth_getTransactionCount = lambda *params: asked.append(params) or real(*params)  # type: ignore[method-assign,func-returns-value]
    found = find(node, Asked(sender=KEY.address, nonce=1, to=TO, value=1, data=b"", since=100))  # type: ignore[arg-type]
    assert found is not None
    assert asked == [(KEY.address, block) for block in ("0x67", "0x65", "0x66")]


@pytest.mark.parametrize("method", ["eth_blockNumber", "eth_getTransactionCount"])
def test_where_to_look_must_be_a_number(
    node: Node, signer: Signer, bench: Bench, method: str
) -> None:
    signer.answer = None
    unknown(bench)
    node.hidden.add(method)
    text = f"the node gave no 0x hex number for {method}{OTHER_NODE}"
    assert str(unknown(bench).cause) == text


def test_a_nonce_that_went_elsewhere_is_told_with_its_hash(
    node: Node, signer: Signer, bench: Bench
) -> None:
    signer.answer = None
    signer.sending = lambda: node.mine(B, value="0x9")
    why = f"nobody knows whether it was sent: nonce 0 went to another transaction, {B}"
    assert unknown(bench).to_dict() == told(why, B)
    assert bench.now == 0  # it will not become another


def test_what_another_entry_sent_is_not_this_ones(node: Node, signer: Signer, bench: Bench) -> None:
    """Alike in everything: whoever counted it for both would have bought once and paid for two."""
    signer.sending = lambda: node.mine(A)
    bench.send()
    account = bench.transactions.account
    [first] = account.entries()
    lost = account.add(first.key, first.intent, 0)
    account.leave(lost)
    why = f"nobody knows whether it was sent: nonce 0 went to another transaction, {A}"
    assert unknown(bench).to_dict() == told(why, A)
    assert len(signer.asked) == 1


def test_ours_was_seen_and_then_another_was_mined(node: Node, signer: Signer, bench: Bench) -> None:
    """Now it is certain that ours can never be: the same call may begin anew."""
    waiting = {"hash": A, "from": KEY.address.lower(), "nonce": "0x0", "to": TO, "value": "0x1"}
    node.eth_getTransactionByHash = lambda _: {**waiting, "input": "0x"}  # type: ignore[method-assign]
    bench.then = lambda: node.mine(B, value="0x9") if not node.blocks else None
    with pytest.raises(Web3ProviderCallError) as caught:
        bench.send()
    assert caught.value.details == {"replaced": True}
    assert str(caught.value) == (
        f"transaction was replaced: another one of {KEY.address} has nonce 0"
    )
    assert isinstance(caught.value.cause, OutcomeUnknownError)
    assert bench.states == [FAILED]


def test_what_is_mined_unseen_is_told_with_its_hash(
    node: Node, signer: Signer, bench: Bench
) -> None:
    signer.sending = lambda: node.mine(A)
    node.deaf.add("eth_getTransactionByHash")
    error = unknown(bench)
    why = f"{A} is mined, but the node does not show what it is"
    assert error.to_dict() == told(why, retryable=True, txHash=A)
    assert str(error.cause) == "http://n cannot be reached"
    assert node.asked.count("eth_getTransactionByHash") == 8  # before the receipt, and after
    assert bench.now == pytest.approx(2 * (0.2 + 0.6 + 1.5))


def test_what_differs_is_named(node: Node, signer: Signer, bench: Bench) -> None:
    signer.sending = lambda: node.mine(A, value="0x9", input="0x12")
    error = unknown(bench)
    why = f"the signer sent {A}, which is not what it was asked for: value, data differ"
    assert error.to_dict() == told(why, txHash=A)
    assert error.cause is None


def test_a_contradiction_is_told_with_both(node: Node, signer: Signer, bench: Bench) -> None:
    signer.sending = lambda: node.mine(A)
    node.hidden.add("eth_getTransactionReceipt")
    error = unknown(bench)
    assert error.to_dict() == told("the node contradicts itself about it", txHash=A)
    assert isinstance(error.cause, Web3ProviderCallError)


def test_what_happens_is_logged(node: Node, bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "iexec_lite")
    bench.then = lambda: node.mine(B) if not node.blocks else None
    bench.send()
    assert caplog.messages == [
        f"sent {A}",
        f"{B} has taken the place of {A}",
        f"confirmed {B}",
    ]


def test_ours_was_seen_and_what_took_its_nonce_is_not(
    node: Node, signer: Signer, bench: Bench
) -> None:
    """It may have been ours at another price."""
    waiting = {"hash": A, "from": KEY.address.lower(), "nonce": "0x0", "to": TO, "value": "0x1"}
    node.eth_getTransactionByHash = lambda _: {**waiting, "input": "0x"}  # type: ignore[method-assign]
    node.hidden.add("eth_getBlockByNumber")
    bench.then = lambda: node.mine(B, value="0x9") if not node.blocks else None
    error = unknown(bench)
    why = (
        "nobody knows whether it was sent: no transaction with nonce 0 is to be seen yet, but it "
        "may still be approved in the wallet"
    )
    assert error.to_dict() == told(why, retryable=True, txHash=A)
    assert bench.states == [UNKNOWN]


def test_nodes_write_addresses_and_data_in_their_ways() -> None:
    asked = Asked(sender=KEY.address, nonce=3, to=KEY.address, value=1, data=b"\xab", since=7)
    usual = {"from": KEY.address, "nonce": "0x3", "to": KEY.address, "value": "0x1"}
    assert asked.differences({**usual, "input": "0xAB"}) == []
    assert asked.differences({**usual, "to": KEY.address.lower(), "data": "0xab"}) == []
    assert asked.differences({**usual, "input": "0x", "data": "0xab"}) == ["data"]


def test_without_a_head_nobody_is_asked(node: Node, signer: Signer, bench: Bench) -> None:
    """Where to look for it later would not be known."""
    node.hidden.add("eth_blockNumber")
    with pytest.raises(Web3ProviderCallError) as caught:
        bench.send()
    text = f"the node gave no 0x hex number for eth_blockNumber{OTHER_NODE}"
    assert (str(caught.value), signer.asked, bench.states) == (text, [], [])
