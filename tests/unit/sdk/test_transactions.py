"""Sending against a scripted node that loses answers, lags, reorganises and lies.

What a real node shows (mining, reverts, fees) is tested with one; here are the faults it cannot
show on demand.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
import subprocess
import sys
import threading

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    SignatureError,
    StateError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.eth.signer import KeySigner
from iexec_lite.eth.transaction import parse
from iexec_lite.net.http import Response
from iexec_lite.net.rpc import OTHER_NODE, Rpc
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sdk.fees import Quote, call_fields
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.journal import (
    FAILED,
    INTENDED,
    SENT,
    SETTLED,
    UNKNOWN,
    MemoryJournal,
)
from iexec_lite.sdk.transactions import Intent, Transactions

KEY = "0x" + "11" * 32
SIGNER = KeySigner.from_key(KEY)
WHO = SIGNER.address
TO = "0x" + "22" * 20
CHAIN = Chain(id=4242, name="test", hub="0x" + "33" * 20)
CUT = object()  # the answer is lost after the node has done its work
DEAF = object()  # the node never gets the request
REVERT = "0x08c379a0" + f"{32:064x}{24:064x}" + b"iExecV5-matchOrders-0x14".hex().ljust(64, "0")


class Node:
    """A transport with a little chain behind it. ``faults[method]`` lists what goes wrong next."""

    def __init__(self) -> None:
        self.chain_id = CHAIN.id
        self.base_fee: int | None = 10**9
        self.head = 100
        self.pool: dict[str, object] = {}
        self.mined: dict[str, dict[str, object]] = {}
        self.automine = True
        self.status = "0x1"
        self.logs: list[dict[str, object]] = []
        self.faults: dict[str, list[object]] = {}
        self.methods: list[str] = []
        self.raws: list[str] = []
        self.lock = threading.Lock()

    def request(self, method, url, *, body=None, **_):
        asked = json.loads(body)
        with self.lock:
            many = isinstance(asked, list)
            answers = [self.answer(item) for item in (asked if many else [asked])]
        return Response(200, {}, json.dumps(answers if many else answers[0]).encode(), "http://n")

    def answer(self, item):
        method = item["method"]
        self.methods.append(method)
        queue = self.faults.get(method)
        fault = queue.pop(0) if queue else None
        if fault is DEAF:
            raise TransportError("http://n cannot be reached", retryable=True)
        if callable(fault):
            fault = fault()
        if isinstance(fault, dict):
            return {"jsonrpc": "2.0", "id": item["id"], **fault}
        try:
            result = {"result": getattr(self, method)(*item["params"])}
        except KeyError as refusal:
            result = {"error": {"code": -32000, "message": str(refusal.args[0])}}
        if fault is CUT:
            raise TransportError("http://n closed the connection", retryable=True)
        return {"jsonrpc": "2.0", "id": item["id"], **result}

    def eth_chainId(self):
        return hex(self.chain_id)

    def eth_blockNumber(self):
        return hex(self.head)

    def eth_gasPrice(self):
        return hex(7 * 10**9)

    def eth_maxPriorityFeePerGas(self):
        return hex(3 * 10**9)

    def eth_estimateGas(self, fields):
        return hex(100_000)

    def eth_call(self, fields, block):
        return "0x"

    def eth_getBlockByNumber(self, which, full):
        block = {"number": hex(self.head), "gasLimit": hex(30_000_000), "timestamp": "0x1"}
        return block if self.base_fee is None else {**block, "baseFeePerGas": hex(self.base_fee)}

    def count(self, transactions):
        return len({parse(bytes.fromhex(raw[2:])).transaction.nonce for raw in transactions})

    def eth_getTransactionCount(self, address, block):
        return hex(len(self.mined) + (len(self.pool) if block == "pending" else 0))

    def eth_sendRawTransaction(self, raw):
        self.raws.append(raw)
        tx_hash = to_hex(keccak(bytes.fromhex(raw[2:])))
        if tx_hash in self.pool:
            raise KeyError("already known")
        if parse(bytes.fromhex(raw[2:])).transaction.nonce < len(self.mined):
            raise KeyError("nonce too low")
        self.pool[tx_hash] = raw
        if self.automine:
            self.mine()
        return tx_hash

    def eth_getTransactionReceipt(self, tx_hash):
        return self.mined.get(tx_hash)

    def eth_getTransactionByHash(self, tx_hash):
        return {"hash": tx_hash} if tx_hash in self.mined or tx_hash in self.pool else None

    def mine(self):
        self.head += 1
        for tx_hash in list(self.pool):
            del self.pool[tx_hash]
            self.mined[tx_hash] = {
                "transactionHash": tx_hash,
                "blockNumber": hex(self.head),
                "status": self.status,
                "logs": self.logs,
            }

    @property
    def sent(self):
        """The distinct transactions that arrived."""
        return [parse(bytes.fromhex(raw[2:])) for raw in dict.fromkeys(self.raws)]


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def journal():
    return MemoryJournal()


class Clock:
    """Time that passes by sleeping; ``then`` is called at each pause."""

    def __init__(self):
        self.now = 0.0
        self.then = lambda: None

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.then()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sender(node, journal, clock):
    def make(chain=CHAIN, signer=SIGNER, **options):
        rpc = Rpc("http://127.0.0.1:1/", http=node)
        defaults = {"journal": journal, "sleep": clock.sleep, "clock": clock}
        return Transactions(rpc, chain, signer, **{**defaults, **options})

    return make


def intent(operation="deposit", sender=WHO, chain_id=CHAIN.id, **arguments):
    return Intent(chain_id=chain_id, sender=sender, operation=operation, arguments=arguments)


def error(message, code=-32000, **more):
    return {"error": {"code": code, "message": message, **more}}


def states(transactions):
    return [entry.state for entry in transactions.account.entries()]


# --- the plain way ---------------------------------------------------------------------------


def test_send(sender, node):
    transactions = sender()
    sent = transactions.send(intent(), TO, b"\x01\x02", value=5)
    assert sent.receipt["blockNumber"] == "0x65"
    assert (sent.events, sent.resumed, sent.note) == ([], False, None)
    [signed] = node.sent
    assert to_hex(signed.hash) == sent.tx_hash
    assert to_hex(signed.sender) == WHO.lower()
    transaction = signed.transaction
    assert (to_hex(transaction.to), transaction.data, transaction.value) == (TO, b"\x01\x02", 5)
    assert (transaction.chain_id, transaction.nonce, transaction.gas) == (4242, 0, 125_000)
    [entry] = transactions.account.entries()
    assert (entry.state, entry.tx_hash, entry.raw) == (SETTLED, sent.tx_hash, signed.raw)
    assert entry.intent["operation"] == "deposit"


def test_few_round_trips(sender, node):
    transactions = sender()
    transactions.send(intent(), TO)
    assert node.methods == [
        "eth_chainId",
        *("eth_getBlockByNumber", "eth_gasPrice", "eth_maxPriorityFeePerGas", "eth_estimateGas"),
        *("eth_chainId", "eth_getTransactionCount"),  # the id again, just before it is signed
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
    ]


@pytest.mark.parametrize("own_nonces", [False, True])
def test_another_chain_midway_signs_nothing(sender, node, own_nonces):
    """The node is exchanged for another while the client lives."""
    options = {"get_transaction_count": lambda *_: len(node.raws)} if own_nonces else {}
    transactions = sender(**options)
    transactions.send(intent(), TO)
    node.chain_id = 1
    with pytest.raises(ConfigurationError) as caught:
        transactions.send(intent(), TO)
    assert str(caught.value) == (
        "the node http://127.0.0.1:1 is on chain 1, expected 4242 (test): nothing was signed"
    )
    assert len(transactions.account.entries()) == len(node.raws) == 1


def test_the_journal_is_written_before_the_send(sender, node, journal):
    transactions = sender()
    seen = []
    node.faults["eth_sendRawTransaction"] = [
        lambda: seen.extend((e.state, e.live, e.raw) for e in transactions.account.entries())
    ]
    transactions.send(intent(), TO)
    assert seen == [(INTENDED, True, bytes.fromhex(node.raws[0][2:]))]


def test_without_a_journal_nothing_is_sent(sender, node, journal, monkeypatch):
    transactions = sender()

    def full(*_, **__):
        raise StateError("the journal cannot be used")

    monkeypatch.setattr(type(transactions.account), "add", full)
    with pytest.raises(StateError):
        transactions.send(intent(), TO)
    assert node.raws == []


# --- fees ------------------------------------------------------------------------------------


def fees(node):
    transaction = node.sent[-1].transaction
    return (
        transaction.type,
        transaction.gas_price,
        transaction.max_fee_per_gas,
        transaction.max_priority_fee_per_gas,
    )


@pytest.mark.parametrize(
    ("base_fee", "options", "chain", "expected"),
    [
        (10**9, {}, {}, (2, None, 5 * 10**9, 3 * 10**9)),
        (0, {}, {}, (2, None, 3 * 10**9, 3 * 10**9)),
        (None, {}, {}, (0, 7 * 10**9, None, None)),
        (10**9, {"gas_price": 12}, {}, (0, 12, None, None)),
        (None, {"gas_price": 0}, {}, (0, 0, None, None)),
        (10**9, {}, {"use_gas": False}, (0, 0, None, None)),
        (10**9, {"gas_price": 12}, {"fixed_gas_price": 0}, (0, 0, None, None)),
    ],
)
def test_fee_modes(sender, node, base_fee, options, chain, expected):
    node.base_fee = base_fee
    sender(chain=CHAIN.with_overrides(**chain), **options).send(intent(), TO)
    assert fees(node) == expected


def test_no_priority_fee_from_the_node(sender, node):
    node.faults["eth_maxPriorityFeePerGas"] = [error("method not found", -32601)]
    sender().send(intent(), TO)
    assert fees(node) == (2, None, 3 * 10**9, 10**9)


@pytest.mark.parametrize("method", ["eth_maxPriorityFeePerGas", "eth_gasPrice"])
def test_a_mad_price_is_refused(sender, node, method):
    node.base_fee = 10**9 if method == "eth_maxPriorityFeePerGas" else None
    node.faults[method] = [{"result": hex(10**20)}, {"result": hex(10**20)}]
    transactions = sender()
    with pytest.raises(Web3ProviderSendError, match="gwei per gas, which cannot be right"):
        transactions.send(intent(), TO)
    assert node.raws == []
    sender(gas_price=10**15).send(intent(), TO)
    assert len(node.raws) == 1


@pytest.mark.parametrize("base_fee", [10**9, None])
def test_a_mad_cost_is_refused(sender, node, base_fee):
    """Each of gas and price may pass alone; together they would spend a fortune."""
    node.base_fee = base_fee
    node.faults["eth_estimateGas"] = [{"result": hex(20_000_000)}] * 2
    for method in ("eth_maxPriorityFeePerGas", "eth_gasPrice"):
        node.faults[method] = [{"result": hex(10**12)}] * 2
    with pytest.raises(Web3ProviderSendError, match=r"25000000 gas that may cost .* gas_price="):
        sender().send(intent(), TO, b"\1")
    assert node.raws == []
    sender(gas_price=10**12).send(intent(), TO, b"\1")
    assert len(node.raws) == 1


def test_mad_gas_is_refused_on_blocks_without_a_limit(sender, node):
    real = node.eth_getBlockByNumber
    node.eth_getBlockByNumber = lambda *a: {**real(*a), "gasLimit": hex(2**50)}
    node.faults["eth_estimateGas"] = [{"result": hex(2**49)}]
    with pytest.raises(Web3ProviderSendError, match="estimates 562949953421312 gas"):
        sender(gas_price=1).send(intent(), TO, b"\1")
    assert node.raws == []


@pytest.mark.parametrize(
    ("estimate", "data", "gas"),
    [(21000, b"", 21000), (21000, b"\1", 26250), (29_000_000, b"\1", 30_000_000)],
)
def test_gas_margin(sender, node, estimate, data, gas):
    node.faults["eth_estimateGas"] = [{"result": hex(estimate)}]
    sender().send(intent(), TO, data)
    assert node.sent[0].transaction.gas == gas


def test_more_gas_than_a_block_holds(sender, node):
    node.faults["eth_estimateGas"] = [{"result": hex(30_000_001)}]
    with pytest.raises(Web3ProviderSendError, match="30000001 gas"):
        sender().send(intent(), TO, b"\1")
    assert node.raws == []


def test_a_quote_is_used_as_it_is(sender, node):
    transactions = sender()
    quote = transactions.quote(TO, b"\1", value=3)
    assert quote == Quote(
        gas=125_000, max_fee_per_gas=5 * 10**9, max_priority_fee_per_gas=3 * 10**9
    )
    assert quote.max_cost == 125_000 * 5 * 10**9
    transactions.send(intent(), TO, quote=Quote(gas=30_000, gas_price=9))
    assert fees(node) == (0, 9, None, None)
    assert node.sent[0].transaction.gas == 30_000


# --- refused before anything is sent ---------------------------------------------------------


def test_a_call_that_would_revert(sender, node):
    node.faults["eth_estimateGas"] = [error("execution reverted", 3, data=REVERT)]
    transactions = sender()
    with pytest.raises(Web3ProviderSendError) as caught:
        transactions.send(intent(), TO, b"\1")
    assert caught.value.message == (
        "cannot estimate gas; transaction may fail or may require manual gas limit: "
        "iExecV5-matchOrders-0x14 (the app order is restricted to another workerpool)"
    )
    assert caught.value.tx_hash is None
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert (node.raws, states(transactions)) == ([], [])


def test_another_chain_signs_nothing(sender, node, monkeypatch):
    node.chain_id = 1
    signed = []
    monkeypatch.setattr(KeySigner, "sign_transaction", lambda *a: signed.append(a))
    transactions = sender()
    for call in (
        lambda: transactions.send(intent(), TO, quote=Quote(gas=21000, gas_price=1)),
        lambda: transactions.quote(TO),
    ):
        with pytest.raises(ConfigurationError, match="is on chain 1, expected 4242"):
            call()
    assert (signed, node.raws, states(transactions)) == ([], [], [])


@pytest.mark.parametrize("other", [{"chain_id": 1}, {"sender": TO}])
def test_an_intent_of_another_account(sender, node, other):
    with pytest.raises(ValidationError) as caught:
        sender().send(intent(**other), TO)
    which = f"{other.get('sender', WHO)} on chain {other.get('chain_id', 4242)}"
    assert str(caught.value) == (f"the intent is of {which}, but the signer is {WHO} on chain 4242")
    assert node.methods == []


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("insufficient funds for gas", "insufficient funds for intrinsic transaction cost"),
        ("intrinsic gas too low", "intrinsic gas too low"),
        ("max fee per gas less than block base fee", "less than block base fee"),
    ],
)
def test_certain_refusals(sender, node, message, text):
    node.faults["eth_sendRawTransaction"] = [error(message)]
    transactions = sender()
    with pytest.raises(Web3ProviderSendError, match=text) as caught:
        transactions.send(intent(), TO)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert states(transactions) == [FAILED]
    # The nonce is free again, and the same intent is a new one.
    assert not transactions.send(intent(), TO).resumed
    assert node.sent[0].transaction.nonce == 0


def test_a_creation_is_to_nobody():
    call = {"from": WHO, "data": "0x01", "value": "0x5"}
    assert call_fields(WHO, None, b"\x01", 5) == call
    assert call_fields(WHO, TO, b"\x01", 5) == {**call, "to": TO}


RETURNED_ANOTHER = "the signer returned another transaction: nothing was sent"


class Foreign:
    """A signer of another package, which says that it is the sender."""

    address = WHO

    def __init__(self, key):
        self.key = key

    def sign_message(self, message):
        return self.key.sign_message(message)

    def sign_typed_data(self, typed_data):
        return self.key.sign_typed_data(typed_data)

    def sign_transaction(self, transaction):
        return self.key.sign_transaction(transaction)


def test_a_signer_with_another_key(sender, node):
    assert sender(signer=Foreign(SIGNER)).send(intent(), TO).receipt["status"] == "0x1"
    sent = len(node.raws)
    with pytest.raises(SignatureError, match=f"^{RETURNED_ANOTHER}$"):
        sender(signer=Foreign(KeySigner.from_key("0x" + "77" * 32))).send(intent(), TO)
    assert len(node.raws) == sent


def test_a_signer_that_signs_something_else(sender, node):
    class Crooked:
        address = WHO

        def sign_message(self, message):
            return b""

        def sign_typed_data(self, typed_data):
            return b""

        def sign_transaction(self, transaction):
            import dataclasses

            return SIGNER.sign_transaction(dataclasses.replace(transaction, value=10**18))

    transactions = sender(signer=Crooked())
    with pytest.raises(SignatureError, match=f"^{RETURNED_ANOTHER}$"):
        transactions.send(intent(), TO)
    assert (node.raws, states(transactions)) == ([], [])


def test_a_signer_that_cannot_sign_transactions(sender, node):
    class Reader:
        address = WHO

        def sign_message(self, message):
            return b""

        def sign_typed_data(self, typed_data):
            return b""

    with pytest.raises(ConfigurationError) as caught:
        sender(signer=Reader()).send(intent(), TO)
    assert str(caught.value) == (
        "this signer cannot sign transactions, nor send them: use a key, a keystore or a wallet"
    )
    assert node.raws == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"confirms": 0}, "invalid confirms: it must be an integer of at least 1"),
        ({"confirms": True}, "invalid confirms: it must be an integer of at least 1"),
        ({"confirms": "2"}, "invalid confirms: it must be an integer of at least 1"),
        ({"gas_price": -1}, "Invalid gasPrice option, must be a number of wei"),
        ({"gas_price": True}, "Invalid gasPrice option, must be a number of wei"),
        ({"gas_price": 1.5}, "Invalid gasPrice option, must be a number of wei"),
        ({"get_transaction_count": 5}, "Invalid getTransactionCount option, must be a function"),
    ],
)
def test_bad_options(sender, options, text):
    with pytest.raises(ConfigurationError) as caught:
        sender(**options)
    assert str(caught.value) == text


# --- lost answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("automine", [True, False])
def test_the_answer_to_a_send_is_lost(sender, node, clock, automine):
    node.automine = automine
    clock.then = node.mine
    node.faults["eth_sendRawTransaction"] = [CUT]
    transactions = sender()
    sent = transactions.send(intent(), TO)
    assert sent.tx_hash in node.mined
    assert len(node.sent) == 1
    assert states(transactions) == [SETTLED]


def test_the_request_is_lost_and_the_same_bytes_go_again(sender, node):
    node.faults["eth_sendRawTransaction"] = [DEAF, DEAF]
    transactions = sender()
    sent = transactions.send(intent(), TO)
    assert sent.tx_hash in node.mined
    assert (len(node.mined), states(transactions)) == (1, [SETTLED])


@pytest.mark.parametrize("arrived", [True, False])
def test_everything_is_lost_and_then_resumed(sender, node, arrived):
    node.faults["eth_sendRawTransaction"] = [CUT if arrived else DEAF] + [DEAF] * 3
    node.faults["eth_getTransactionReceipt"] = [DEAF] * 4
    transactions = sender()
    with pytest.raises(OutcomeUnknownError, match="same call again resumes") as caught:
        transactions.send(intent(), TO, note={"order": "signed"})
    assert caught.value.tx_hash is not None
    assert caught.value.retryable
    assert states(transactions) == [UNKNOWN]
    waiting = transactions.unfinished(intent())
    assert (waiting.tx_hash, waiting.note) == (caught.value.tx_hash, {"order": "signed"})
    # Other bytes in the second call do not matter: the first ones are sent.
    sent = transactions.send(intent(), TO, b"other salt")
    assert (sent.tx_hash, sent.resumed) == (caught.value.tx_hash, True)
    assert sent.note == {"order": "signed"}
    assert (len(node.mined), states(transactions)) == (1, [SETTLED])
    assert transactions.unfinished(intent()) is None


@pytest.mark.parametrize("message", ["insufficient funds", "intrinsic gas too low"])
def test_a_refusal_of_what_is_resumed_is_not_certain(sender, node, message):
    """Any node may have had the bytes since the first call."""
    transactions = sender()
    for fault in (DEAF, error(message)):
        node.faults["eth_sendRawTransaction"] = [fault] * 4
        with pytest.raises(OutcomeUnknownError):
            transactions.send(intent(), TO)
        assert states(transactions) == [UNKNOWN]
    assert transactions.send(intent(), TO).resumed


def test_what_is_resumed_keeps_its_nonce(sender, node):
    """New bytes for it would be a second purchase."""
    transactions = sender(timeout=5)
    for faults in ([DEAF] * 4, [error("nonce too low")]):
        node.faults["eth_sendRawTransaction"] = faults
        with pytest.raises(OutcomeUnknownError):
            transactions.send(intent(), TO)
    assert len(transactions.account.entries()) == 1
    assert transactions.send(intent(), TO).resumed


def test_what_is_resumed_is_not_prepared(sender, node):
    """Data and note are made where something new is sent, and only there."""
    asked = []

    def prepare():
        asked.append(states(transactions))
        return b"made", {"made": len(asked)}

    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    transactions = sender()
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO, prepare)
    sent = transactions.send(intent(), TO, prepare)
    assert (sent.resumed, sent.note, asked) == (True, {"made": 1}, [[]])
    other = transactions.send(intent(), TO, prepare)
    assert (other.resumed, other.note, len(asked)) == (False, {"made": 2}, 2)
    assert [each.transaction.data for each in node.sent][-1] == b"made"


def test_what_must_not_be_resumed_is_left_alone(sender, node):
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    transactions = sender()
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO, note={"price": 7})
    seen = []

    def accept(note):
        seen.append(note)
        raise StateError("too dear")

    with pytest.raises(StateError, match="too dear"):
        transactions.send(intent(), TO, accept=accept)
    assert (seen, node.mined) == ([{"price": 7}], {})
    [entry] = transactions.account.entries()
    assert (entry.state, entry.live) == (UNKNOWN, False)
    assert transactions.send(intent(), TO, accept=lambda note: None).resumed


def test_already_known_is_success(sender, node):
    node.automine = False
    real = node.eth_sendRawTransaction

    def twice(raw):
        real(raw)
        node.mine()
        raise KeyError("already known")

    node.eth_sendRawTransaction = twice
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert states(transactions) == [SETTLED]


def test_already_known_is_believed_before_it_can_be_seen(sender, node):
    node.faults["eth_sendRawTransaction"] = [CUT, error("already known")]
    node.faults["eth_getTransactionReceipt"] = [{"result": None}] * 3
    node.faults["eth_getTransactionByHash"] = [{"result": None}] * 3
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert len(node.raws) == 1


@pytest.mark.parametrize("message", ["insufficient funds", "replacement transaction underpriced"])
def test_a_refusal_after_a_doubt_is_not_certain(sender, node, message):
    """The first try may have reached another node: saying "not sent" could buy twice."""
    node.faults["eth_sendRawTransaction"] = [DEAF, *[error(message)] * 3]
    transactions = sender()
    with pytest.raises(OutcomeUnknownError) as caught:
        transactions.send(intent(), TO)
    assert caught.value.tx_hash is not None
    assert states(transactions) == [UNKNOWN]


def test_nonce_too_low_after_a_doubt_is_waited_for(sender, node):
    def other_wallet():
        node.mined["0xother"] = {}
        return error("nonce too low")

    node.faults["eth_sendRawTransaction"] = [DEAF, other_wallet]
    transactions = sender()
    with pytest.raises(Web3ProviderCallError, match="transaction was replaced"):
        transactions.send(intent(), TO)
    assert (states(transactions), len(node.sent)) == ([FAILED], 0)


def test_nonce_too_low_with_the_receipt_there_is_success(sender, node):
    real = node.eth_sendRawTransaction

    def late(raw):
        real(raw)
        raise KeyError("nonce too low")

    node.eth_sendRawTransaction = late
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert states(transactions) == [SETTLED]


@pytest.mark.parametrize(
    "message",
    ["VM Exception while processing transaction: revert", "context deadline exceeded", ""],
)
def test_an_error_that_may_mean_anything_is_looked_into(sender, node, message):
    real = node.eth_sendRawTransaction

    def both(raw):
        real(raw)
        raise KeyError(message)

    node.eth_sendRawTransaction = both
    assert sender().send(intent(), TO).tx_hash in node.mined


def test_an_error_that_stays_doubtful_is_no_refusal(sender, node):
    node.faults["eth_sendRawTransaction"] = [error("upstream failed")] * 4
    transactions = sender()
    with pytest.raises(OutcomeUnknownError, match="upstream failed"):
        transactions.send(intent(), TO)
    assert states(transactions) == [UNKNOWN]


def test_a_node_that_reports_another_hash(sender, node):
    node.faults["eth_sendRawTransaction"] = [{"result": "0x" + "00" * 32}]
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert len(node.sent) == 1


def test_nonce_too_low_while_nobody_can_tell_signs_nothing_new(sender, node):
    """The bytes may be mined: a second nonce would buy twice."""
    real = node.eth_sendRawTransaction

    def late(raw):
        real(raw)
        raise KeyError("nonce too low")

    node.eth_sendRawTransaction = late
    node.faults["eth_getTransactionReceipt"] = [DEAF] * 3
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert (len(node.sent), states(transactions)) == (1, [SETTLED])


def test_nonce_too_low_from_a_node_that_lags_in_receipts(sender, node):
    real = node.eth_sendRawTransaction

    def late(raw):
        real(raw)
        raise KeyError("nonce too low")

    node.eth_sendRawTransaction = late
    node.faults["eth_getTransactionReceipt"] = [{"result": None}] * 2
    node.faults["eth_getTransactionByHash"] = [{"result": None}] * 2
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert len(node.sent) == 1


def test_a_refusal_of_the_second_node_is_not_certain(node, journal, clock):
    """The first node took it, its answer was lost, the second says that funds are missing."""
    node.automine = False
    rpc = Rpc(["http://127.0.0.1:1/", "http://127.0.0.1:2/"], http=node)
    node.faults["eth_sendRawTransaction"] = [CUT, *[error("insufficient funds")] * 3]
    node.faults["eth_getTransactionReceipt"] = [DEAF] * 99
    transactions = Transactions(
        rpc, CHAIN, SIGNER, journal=journal, sleep=clock.sleep, clock=clock, timeout=60
    )
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    assert states(transactions) == [UNKNOWN]


def test_junk_is_no_sign_of_arrival(sender, node, clock):
    node.faults["eth_sendRawTransaction"] = [DEAF, DEAF]
    other = {"hash": "0x" + "00" * 32}
    node.faults["eth_getTransactionByHash"] = [{"result": junk} for junk in (False, other)]
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert clock.now < 5, "offered again at once, not after a long wait for it"


@pytest.mark.parametrize("moment", ["sent", "settled"])
def test_a_journal_that_breaks_after_the_send_still_names_the_transaction(
    sender, node, journal, monkeypatch, moment, caplog
):
    transactions = sender()
    real = type(transactions.account).update

    def broken(self, entry, *, state=None, **more):
        if state != SENT or moment == "sent":
            raise StateError("the journal cannot be used")
        return real(self, entry, state=state, **more)

    monkeypatch.setattr(type(transactions.account), "update", broken)
    with pytest.raises(StateError) as caught:
        transactions.send(intent(), TO)
    assert caught.value.tx_hash in node.mined
    assert "the journal cannot be used" in caplog.messages
    monkeypatch.undo()
    assert transactions.send(intent(), TO).resumed
    assert len(node.mined) == 1


@pytest.mark.parametrize("count", [2**53 + 1, 2**63, 2**64 - 2])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_mad_nonce_is_refused(sender, node, tmp_path, count, on_disk):
    journal = FileJournal(tmp_path) if on_disk else MemoryJournal()
    node.faults["eth_getTransactionCount"] = [{"result": hex(count)}]
    with pytest.raises(Web3ProviderCallError) as caught:
        sender(journal=journal).send(intent(), TO)
    assert str(caught.value) == (
        f"http://127.0.0.1:1 gives the nonce {count:#x}, which cannot be right: check it"
    )
    with pytest.raises(ConfigurationError, match="getTransactionCount"):
        sender(journal=journal, get_transaction_count=lambda *_: count).send(intent(), TO)
    assert node.raws == []
    journal.close()


def test_a_receipt_that_lags_behind_the_nonce_is_not_a_replacement(sender, node, clock):
    """ "Replaced" lets the same call buy again, so it is not said after two seconds."""
    node.automine = False
    real = node.eth_getTransactionReceipt
    node.eth_getTransactionReceipt = lambda h: real(h) if clock.now > 8 else None
    clock.then = node.mine
    transactions = sender()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert states(transactions) == [SETTLED]


# --- nonces ----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["nonce too low", "replacement transaction underpriced"])
def test_a_nonce_that_somebody_else_took_first(sender, node, message):
    def other_wallet():
        node.mined["0xother"] = {}
        return error(message)

    node.faults["eth_sendRawTransaction"] = [other_wallet]
    transactions = sender()
    sent = transactions.send(intent(), TO)
    assert parse(bytes.fromhex(node.raws[-1][2:])).transaction.nonce == 1
    assert sent.tx_hash in node.mined
    assert states(transactions) == [FAILED, SETTLED]


@pytest.mark.parametrize("own_nonces", [False, True])
def test_a_nonce_that_is_always_taken(sender, node, clock, own_nonces):
    """The user's own source is not asked again: what it counts is not on the chain."""
    options = {"get_transaction_count": lambda *_: 0} if own_nonces else {}
    times, pauses = (1, [0.2]) if own_nonces else (4, [0.2, 0.4, 0.8, 1.6])
    node.faults["eth_sendRawTransaction"] = [error("nonce too low")] * 9
    slept = []
    clock.sleep = slept.append
    transactions = sender(**options)
    with pytest.raises(Web3ProviderSendError) as caught:
        transactions.send(intent(), TO)
    assert caught.value.to_dict() == {
        "name": "Web3ProviderSendError",
        "code": "web3_send",
        "message": f"nonce has already been used, {times} times over: another program sends with "
        f"{WHO}",
        "retryable": True,
    }
    assert states(transactions) == [FAILED] * times
    looking = [0.2, 0.6]  # whether the bytes arrived nevertheless
    assert slept == [each for pause in pauses for each in (*looking, pause)]


def test_a_lagging_node_does_not_make_old_bytes_count_twice(sender, node):
    transactions = sender()
    first = transactions.send(intent(), TO)
    node.faults["eth_getTransactionCount"] = [{"result": "0x0"}]
    second = transactions.send(intent(), TO)
    assert second.tx_hash != first.tx_hash
    assert len(node.mined) == 2


def test_the_users_own_nonces(sender, node):
    asked = []

    def count(address, block):
        asked.append((address, block))
        return 77

    node.automine = False
    transactions = sender(get_transaction_count=count, timeout=1)
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    assert asked == [(WHO, "pending")]
    assert node.sent[0].transaction.nonce == 77
    for junk in (-1, "5", None, True):
        with pytest.raises(ConfigurationError) as caught:
            sender(get_transaction_count=lambda *_, junk=junk: junk).send(intent("b"), TO)
        assert str(caught.value) == f"getTransactionCount gave {junk!r}, not a nonce"


@pytest.mark.parametrize("on_disk", [False, True])
def test_threads_get_distinct_nonces(node, tmp_path, on_disk):
    """Also from a node that does not count what is pending."""
    node.automine = False
    node.eth_getTransactionCount = lambda address, block: hex(len(node.mined))
    journal = FileJournal(tmp_path) if on_disk else MemoryJournal()
    transactions = Transactions(
        Rpc("http://127.0.0.1:1/", http=node), CHAIN, SIGNER, journal=journal
    )
    results, errors = [], []

    def work():
        try:
            results.append(transactions.send(intent(), TO).tx_hash)
        except Exception as problem:
            errors.append(problem)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(node.pool) < 8 and not errors:
        threading.Event().wait(0.005)
    with node.lock:
        node.mine()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(results)) == 8, "an identical intent beside a live one is a second one"
    assert sorted(signed.transaction.nonce for signed in node.sent) == list(range(8))
    assert states(transactions) == [SETTLED] * 8
    journal.close()


def test_a_left_transaction_that_no_node_has_gives_its_nonce_back(sender, node):
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    transactions = sender()
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent("first"), TO, b"\1")
    transactions.send(intent("second"), TO, b"\2")
    assert [signed.transaction.nonce for signed in node.sent] == [0]
    # The first one can never happen now, and says so by being free to start anew.
    assert states(transactions) == [FAILED, SETTLED]
    assert not transactions.send(intent("first"), TO, b"\1").resumed


def test_a_left_transaction_that_waits_keeps_its_nonce(sender, node, clock):
    node.automine = False
    node.eth_getTransactionCount = lambda address, block: "0x0"
    transactions = sender(timeout=1)
    for operation in ("first", "second"):
        with pytest.raises(OutcomeUnknownError):
            transactions.send(intent(operation), TO)
    assert [signed.transaction.nonce for signed in node.sent] == [0, 1]


def test_new_starts_another(sender, node, clock):
    node.automine = False
    transactions = sender(timeout=1)
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    node.automine = True
    sent = transactions.send(intent(), TO, new=True)
    assert not sent.resumed
    assert len(node.mined) == 2


# --- waiting ---------------------------------------------------------------------------------


def test_polling_is_fast_first_and_slow_later(sender, node, clock):
    pauses = []
    clock.sleep = lambda seconds: (
        pauses.append(seconds),
        setattr(clock, "now", clock.now + seconds),
    )
    node.automine = False
    with pytest.raises(OutcomeUnknownError, match="not confirmed within 60 s"):
        sender(timeout=60).send(intent(), TO)
    assert pauses[0] == pytest.approx(0.02)
    assert all(after - before > -1e-9 for before, after in itertools.pairwise(pauses))
    assert pauses[-1] == pytest.approx(1.5)


def test_confirmations_and_a_reorganisation(sender, node, clock):
    node.automine = False
    steps = iter(
        [
            node.mine,  # mined, one deep
            lambda: (node.pool.update(dict.fromkeys(node.mined, "")), node.mined.clear()),  # undone
            lambda: None,
            node.mine,  # again
            lambda: setattr(node, "head", node.head + 1),
            lambda: setattr(node, "head", node.head + 1),
        ]
    )

    def step():
        next(steps)()

    clock.then = step
    transactions = sender(confirms=3)
    sent = transactions.send(intent(), TO)
    assert sent.receipt["blockNumber"] == "0x66"
    assert node.head == 0x68
    assert node.raws == [node.raws[0]] * 2, "the same bytes were offered again"


def test_a_receipt_without_a_block_is_not_mined(sender, node):
    pending = {"transactionHash": None, "blockNumber": None}

    def early():
        pending["transactionHash"] = next(iter(node.mined))
        return {"result": pending}

    node.faults["eth_getTransactionReceipt"] = [early]
    assert sender().send(intent(), TO).receipt["status"] == "0x1"


def receipt(node, **changes):
    """That of the one transaction, otherwise than it should be."""
    (tx_hash,) = node.mined
    return {"result": {**node.mined[tx_hash], **changes}}


def test_faults_while_waiting_are_waited_out(sender, node):
    node.faults["eth_getTransactionReceipt"] = [
        DEAF,
        error("transaction indexing is in progress"),
        {"result": "nonsense"},
        {"result": {"transactionHash": "0xother", "blockNumber": "0x1", "status": "0x1"}},
        lambda: receipt(node, logs="none"),
        lambda: receipt(node, status="0x2"),
    ]
    assert sender().send(intent(), TO).receipt["status"] == "0x1"


def test_patience_ends(sender, node):
    node.faults["eth_getTransactionReceipt"] = [DEAF] * 1000
    transactions = sender(patience=30)
    with pytest.raises(OutcomeUnknownError, match="no usable answer about it for 30 s") as caught:
        transactions.send(intent(), TO)
    assert isinstance(caught.value.cause, TransportError)
    assert states(transactions) == [UNKNOWN]


def test_a_dropped_transaction_is_offered_again(sender, node, clock):
    node.automine = False

    def drop():
        if clock.now < 10:
            node.pool.clear()
        elif node.pool:
            node.mine()

    clock.then = drop
    assert sender().send(intent(), TO).receipt["status"] == "0x1"
    assert len(set(node.raws)) == 1
    assert len(node.raws) >= 2


def test_a_replaced_transaction_is_noticed(sender, node, clock):
    node.automine = False

    def replace():
        node.pool.clear()
        node.mined["0xother"] = {}

    clock.then = replace
    transactions = sender()
    with pytest.raises(Web3ProviderCallError, match="transaction was replaced") as caught:
        transactions.send(intent(), TO)
    assert caught.value.tx_hash is not None
    assert states(transactions) == [FAILED]


def test_an_interrupted_wait_can_be_resumed(sender, node, clock):
    node.automine = False

    def interrupt():
        raise KeyboardInterrupt

    clock.then = interrupt
    transactions = sender()
    with pytest.raises(KeyboardInterrupt):
        transactions.send(intent(), TO)
    assert states(transactions) == [UNKNOWN]
    node.mine()
    assert transactions.send(intent(), TO).resumed
    assert len(node.sent) == 1


# --- mined, but not well ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replay", "text"),
    [
        (
            error("execution reverted", 3, data=REVERT),
            "transaction failed: iExecV5-matchOrders-0x14 "
            "(the app order is restricted to another workerpool)",
        ),
        (error("execution reverted", 3), "transaction failed"),
        (None, "transaction failed"),
        (DEAF, "transaction failed"),
    ],
)
def test_status_zero(sender, node, replay, text):
    node.status = "0x0"
    node.faults["eth_call"] = [replay]
    transactions = sender()
    with pytest.raises(Web3ProviderCallError) as caught:
        transactions.send(intent(), TO, b"\1")
    assert caught.value.message == text
    assert caught.value.tx_hash in node.mined
    assert not isinstance(caught.value, Web3ProviderSendError)
    assert states(transactions) == [FAILED]
    node.status = "0x1"
    assert not transactions.send(intent(), TO, b"\1").resumed


def transfer(emitter, amount=5):
    return {
        "address": emitter,
        "topics": [HUB.Transfer.topic, "0x" + "00" * 32, "0x" + WHO[2:].lower().zfill(64)],
        "data": f"0x{amount:064x}",
    }


def test_expected_events_come_from_their_emitter(sender, node):
    node.logs = [transfer(TO, 1), transfer(CHAIN.hub, 2), transfer(CHAIN.hub, 3)]
    one = (HUB.Transfer, CHAIN.hub)
    for expect, values in (
        (one, [2, 3]),
        ([one], [2, 3]),
        ((one,), [2, 3]),
        ((one, (HUB.Transfer, TO)), [2, 3, 1]),
        ((*one, "Deposit"), [2, 3]),
        ((), []),
        (None, []),
    ):
        sent = sender().send(intent(), TO, expect=expect)
        assert [event["value"] for event in sent.events] == values


@pytest.mark.parametrize(
    ("expect", "text"),
    [
        ((HUB.Transfer, CHAIN.hub), "Transfer not confirmed"),
        ((HUB.Transfer, CHAIN.hub, "Deposit"), "Deposit not confirmed"),
    ],
)
def test_a_missing_event(sender, node, expect, text):
    node.logs = [transfer(TO)]
    transactions = sender()
    with pytest.raises(Web3ProviderCallError, match=f"^{text}$") as caught:
        transactions.send(intent(), TO, expect=[expect])
    assert caught.value.tx_hash in node.mined
    # Perhaps the node cut the receipt: the same call looks again, and sends nothing.
    assert states(transactions) == [UNKNOWN]
    node.mined[caught.value.tx_hash]["logs"] = [transfer(CHAIN.hub)]
    again = transactions.send(intent(), TO, expect=[expect])
    assert (again.resumed, again.tx_hash, len(node.raws)) == (True, caught.value.tx_hash, 1)
    assert states(transactions) == [SETTLED]


def test_a_damaged_event(sender, node):
    node.logs = [{**transfer(CHAIN.hub), "data": "0x05"}]
    with pytest.raises(Web3ProviderCallError, match="Transfer not confirmed: ") as caught:
        sender().send(intent(), TO, expect=(HUB.Transfer, CHAIN.hub))
    assert caught.value.tx_hash in node.mined


# --- death -----------------------------------------------------------------------------------


def test_death_between_journal_and_send(sender, node, clock, tmp_path):
    """A process is killed after it wrote down what it signed, before any node heard of it."""
    code = (
        "import os, signal, sys\n"
        "from iexec_lite.eth.signer import KeySigner\n"
        "from iexec_lite.protocol.chains import Chain\n"
        "from iexec_lite.sdk.fees import Quote\n"
        "from iexec_lite.sdk.file_journal import FileJournal\n"
        "from iexec_lite.sdk.transactions import Intent, Transactions\n"
        "class Rpc:\n"
        "    def chain_id(self): return 4242\n"
        "    def batch(self, _): return [hex(4242), '0x0']\n"
        "    def send_raw(self, raw):\n"
        "        print('dying', flush=True); os._exit(9)\n"
        f"signer = KeySigner.from_key({KEY!r})\n"
        "Transactions(Rpc(), Chain(id=4242), signer, journal=FileJournal(sys.argv[1])).send(\n"
        "    Intent(chain_id=4242, sender=signer.address, operation='deposit',\n"
        f"        arguments={{}}), {TO!r}, b'salt one',\n"
        "    quote=Quote(gas=100000, gas_price=1), note={'order': 1})"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (died.returncode, died.stdout.strip()) == (9, "dying"), died.stderr
    journal = FileJournal(tmp_path)
    transactions = sender(journal=journal)
    [entry] = transactions.account.entries()
    assert (entry.state, entry.live) == (INTENDED, False)
    sent = transactions.send(intent(), TO, b"salt two")
    assert (sent.tx_hash, sent.resumed, sent.note) == (entry.tx_hash, True, {"order": 1})
    assert node.sent[0].transaction.data == b"salt one"
    assert len(node.mined) == 1
    assert clock.now < 1, "it was sent at once, not after a long wait for it"
    journal.close()


def test_an_entry_of_a_wallet_without_a_hash_is_never_repeated(sender, node):
    transactions = sender()
    asked = {"to": TO, "value": "0", "data": "0x", "since": 1}
    entry = transactions.account.add(intent().key, {**intent().to_dict(), "asked": asked}, 5)
    transactions.account.leave(entry)
    with pytest.raises(OutcomeUnknownError, match="new=True") as caught:
        transactions.send(intent(), TO)
    assert caught.value.details == {"nonce": 5, "intent": intent().to_dict()}
    assert node.raws == []


# --- intents ---------------------------------------------------------------------------------


def test_equal_intents_have_equal_keys():
    one = Intent(chain_id=1, sender=WHO, operation="x", arguments={"a": 1, "b": [1, {"c": None}]})
    two = Intent(
        chain_id=1, sender=WHO.lower(), operation="x", arguments={"b": (1, {"c": None}), "a": 1}
    )
    assert one.key == two.key
    assert len(one.key) == 64
    assert pickle.loads(pickle.dumps(one)) == one
    others = [
        Intent(chain_id=2, sender=WHO, operation="x", arguments=one.arguments),
        Intent(chain_id=1, sender=TO, operation="x", arguments=one.arguments),
        Intent(chain_id=1, sender=WHO, operation="y", arguments=one.arguments),
        Intent(chain_id=1, sender=WHO, operation="x", arguments={"a": "1", "b": [1, {"c": None}]}),
        Intent(chain_id=1, sender=WHO, operation="x"),
    ]
    assert len({one.key, *(other.key for other in others)}) == 6


@pytest.mark.parametrize(
    ("junk", "why"),
    [
        (b"bytes", "Object of type bytes is not JSON serializable"),
        (float("nan"), "Out of range float values are not JSON compliant"),
        ({1, 2}, "Object of type set is not JSON serializable"),
    ],
)
def test_arguments_must_be_json(junk, why):
    with pytest.raises(ValidationError) as caught:
        Intent(chain_id=1, sender=WHO, operation="x", arguments={"a": junk})
    assert str(caught.value).startswith(f"the arguments of intent 'x' are not JSON: {why}")
    assert isinstance(caught.value.cause, (TypeError, ValueError))


@pytest.mark.parametrize("sender", ["", "0x12", WHO[:-1] + "z", WHO.swapcase()])
def test_an_intent_is_of_an_account(sender):
    with pytest.raises(ValidationError, match=r"\(sender\)"):
        Intent(chain_id=1, sender=sender, operation="x")


def test_an_intent_as_it_is_kept():
    """The key is in journals on disk: another would make a new version send once more."""
    what = Intent(chain_id=134, sender=WHO, operation="deposit", arguments={"b": 1, "a": "é"})
    assert what.to_dict() == {
        "chainId": 134,
        "sender": WHO.lower(),
        "operation": "deposit",
        "arguments": {"b": 1, "a": "é"},
    }
    text = (
        '{"arguments":{"a":"\\u00e9","b":1},"chainId":134,"operation":"deposit",'
        f'"sender":"{WHO.lower()}"}}'
    )
    assert what.key == hashlib.sha256(text.encode()).hexdigest()


def test_what_holds_a_signer_is_not_pickled(sender):
    with pytest.raises(TypeError, match=r"^what holds a signer cannot be pickled or copied$"):
        pickle.dumps(sender())


def test_sent_state_is_written(sender, node, clock):
    node.automine = False
    seen = []
    transactions = sender(timeout=0.01)
    clock.then = lambda: seen.append(states(transactions))
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    assert seen[0] == [SENT]


# --- what is told ------------------------------------------------------------------------------


def test_a_send_is_told_in_the_log(sender, caplog):
    caplog.set_level("INFO", "iexec_lite")
    tx_hash = sender().send(intent(), TO).tx_hash
    assert caplog.messages == [f"sent {tx_hash}", f"confirmed {tx_hash}"]


def test_a_resumed_one_is_told_in_the_log(sender, node, caplog):
    node.automine = False
    with pytest.raises(OutcomeUnknownError) as caught:
        sender(timeout=0).send(intent(), TO)
    node.mine()
    caplog.set_level("INFO", "iexec_lite")
    caplog.clear()
    sender().send(intent(), TO)
    tx_hash = caught.value.tx_hash
    assert caplog.messages == [
        f"resuming transaction {tx_hash} of an earlier call",
        f"confirmed {tx_hash}",
    ]


@pytest.mark.parametrize("method", ["eth_chainId", "eth_getTransactionCount"])
@pytest.mark.parametrize("own_nonces", [False, True])
def test_without_a_nonce_nothing_is_signed(sender, node, method, own_nonces):
    options = {"get_transaction_count": lambda *_: 0} if own_nonces else {}
    transactions = sender(**options)
    costs = Quote(gas=30_000, gas_price=1)
    if own_nonces and method == "eth_getTransactionCount":
        transactions.send(intent(), TO, quote=costs)
        assert method not in node.methods
        return
    transactions.check_chain()  # what it found is kept
    node.faults[method] = [error("header not found"), {"result": "1"}]
    with pytest.raises(Web3ProviderCallError, match="header not found"):
        transactions.send(intent(), TO, quote=costs)
    with pytest.raises(Web3ProviderCallError) as caught:
        transactions.send(intent(), TO, quote=costs)
    assert str(caught.value) == f"the node gave no 0x hex number for {method}{OTHER_NODE}"
    assert (node.raws, states(transactions)) == ([], [])


def test_the_highest_nonce(sender, node, clock):
    """Above it a journal on disk could not keep it."""
    node.faults["eth_getTransactionCount"] = [{"result": hex(2**53)}]
    node.automine = False
    for options in ({}, {"get_transaction_count": lambda *_: 2**53}):
        with pytest.raises(OutcomeUnknownError):
            sender(timeout=0, **options).send(intent(), TO, new=True)
    assert [each.transaction.nonce for each in node.sent] == [2**53]


@pytest.mark.parametrize("to", ["0x12", "nobody.eth"])
def test_a_receiver_that_is_none(sender, node, to):
    transactions = sender()
    with pytest.raises(ValidationError) as caught:
        transactions.send(intent(), to, quote=Quote(gas=21_000, gas_price=1))
    assert str(caught.value) == f"'{to}' is not a valid ethereum address (to)"
    assert (node.raws, states(transactions)) == ([], [])


def test_nothing_is_sent_along_unless_it_is_said(sender, node):
    estimated = []
    node.eth_estimateGas = lambda fields: estimated.append(fields) or hex(21_000)
    transactions = sender()
    transactions.quote(TO)
    transactions.send(intent(), TO)
    assert estimated == [{"from": WHO, "to": TO, "data": "0x", "value": "0x0"}] * 2
    assert (node.sent[0].transaction.value, node.sent[0].transaction.data) == (0, b"")


def test_on_another_chain_nothing_is_resumed(sender, node):
    """The same bytes may be valid there, where they were signed without a chain's id."""
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    with pytest.raises(OutcomeUnknownError):
        sender().send(intent(), TO)
    node.chain_id = 1
    with pytest.raises(ConfigurationError, match="on chain 1, expected 4242"):
        sender().send(intent(), TO)
    assert node.raws == []


def test_nonces_are_asked_for_the_sender_with_what_waits(sender, node):
    asked = []
    real = node.eth_getTransactionCount
    node.eth_getTransactionCount = lambda *params: asked.append(params) or real(*params)
    sender().send(intent(), TO)
    assert asked == [(WHO, "pending")]


def test_a_timeout_of_one_call_is_not_that_of_all(sender, node, clock):
    node.automine = False
    transactions = sender(timeout=100)
    for given, lasts in ((5, 5), (None, 100), (0, 0)):
        begun = clock.now
        with pytest.raises(OutcomeUnknownError, match=f"not confirmed within {lasts} s"):
            transactions.send(intent(), TO, timeout=given)
        assert lasts <= clock.now - begun < lasts + 1.6


def test_what_was_resumed_and_is_known_is_not_offered(sender, node):
    node.automine = False
    transactions = sender(timeout=0)
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError):
            transactions.send(intent(), TO)
    assert len(node.raws) == 1
    node.pool.clear()  # dropped
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    assert node.raws == node.raws[:1] * 2


def test_whose_price_counts(sender):
    """chain.md §1.3: what the chain prescribes beats the user's price."""
    chain = CHAIN.with_overrides(fixed_gas_price=9)
    assert sender(chain=chain, gas_price=5).quote(TO).gas_price == 9
    assert sender(chain=chain).quote(TO, gas_price=4).gas_price == 4
    assert sender(gas_price=5).quote(TO, b"\1", gas=70) == Quote(gas=70, gas_price=5)


# --- what else is in the journal ---------------------------------------------------------------


def test_what_waits_under_another_nonce_may_still_be_mined(sender, node):
    node.automine = False
    transactions = sender(timeout=0)
    for operation in ("first", "second"):
        with pytest.raises(OutcomeUnknownError):
            transactions.send(intent(operation), TO)
    asked = {"to": TO, "value": "0", "data": "0x", "since": 1}
    what = {**intent("third").to_dict(), "asked": asked}
    of_a_wallet = transactions.account.add(intent("third").key, what, 0)
    transactions.account.leave(of_a_wallet)
    [first, _] = list(node.pool)
    raw = node.pool.pop(first)
    waiting, node.pool = node.pool, {first: raw}
    node.mine()
    node.pool = waiting
    assert transactions.send(intent("first"), TO).tx_hash == first
    assert states(transactions) == [SETTLED, UNKNOWN, INTENDED]


def test_who_may_refuse_to_resume_gets_an_empty_note(sender, node):
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    transactions, seen = sender(), []
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(), TO)
    assert transactions.send(intent(), TO, accept=seen.append).note is None
    assert seen == [{}]


def test_nothing_comes_after_what_failed(sender, node):
    node.status = "0x0"
    seen = []
    with pytest.raises(Web3ProviderCallError, match=r"^transaction failed$"):
        sender().send(intent(), TO, b"\1", finish=lambda *given: seen.append(given))
    assert seen == []
    node.status = "0x1"
    sent = sender().send(intent(), TO, b"\1", finish=lambda *given: seen.append(given))
    assert seen == [(sent.tx_hash, {})]


def test_what_somebody_else_wrote_down_as_done_is_still_waited_for(sender, node, clock):
    """Its bytes are offered again, although nothing of it is pending by the journal."""
    node.automine = False
    transactions = sender()

    def step():
        [entry] = transactions.account.entries()
        transactions.account.update(entry, state=SETTLED)
        if len(node.raws) == 2:
            node.mine()

    clock.then = step
    node.pool = Dropping()
    assert transactions.send(intent(), TO).tx_hash in node.mined
    assert node.raws == node.raws[:1] * 2


class Dropping(dict):
    """A pool that forgets what comes first."""

    first = True

    def __setitem__(self, key, value):
        if self.first:
            self.first = False
        else:
            super().__setitem__(key, value)
