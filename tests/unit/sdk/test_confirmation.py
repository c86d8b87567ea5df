"""Waiting for a receipt, poll by poll: what is asked, when it ends, and what is said then."""

from __future__ import annotations

import itertools

import pytest

from iexec_lite.errors import (
    OutcomeUnknownError,
    TransportError,
    Web3ProviderCallError,
)
from iexec_lite.net.rpc import OTHER_NODE, Rpc
from iexec_lite.net.rpc_error import RpcError
from iexec_lite.sdk.confirmation import is_known, receipt_of, wait_for_receipt

from .test_transactions import DEAF, WHO, Clock, Node, error

HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
ANOTHER = "the node answered the receipt of another transaction"
UNUSABLE = "the node answered a receipt without usable status and logs"
NO_NUMBER = "the node gave no 0x hex number for {}" + OTHER_NODE


def mined(tx_hash=HASH, block=101, **more):
    usual = {"transactionHash": tx_hash, "blockNumber": hex(block), "status": "0x1", "logs": []}
    return {**usual, **more}


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def rpc(node):
    return Rpc("http://127.0.0.1:1/", http=node)


@pytest.fixture
def clock():
    made = Clock()
    made.now = 5000.0  # a monotonic clock begins anywhere
    return made


class Wait:
    """A wait for ``HASH`` with nonce 0; ``resent`` has the times, in seconds from the start."""

    def __init__(self, rpc, clock):
        self.rpc, self.clock, self.start = rpc, clock, clock.now
        self.pauses, self.resent, self.line = [], [], [HASH]

    @property
    def time(self):
        return self.clock.now - self.start

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.clock.sleep(seconds)

    def __call__(self, *, confirms=1, timeout=None, patience=300.0):
        return wait_for_receipt(
            self.rpc,
            HASH,
            0,
            WHO,
            confirms=confirms,
            timeout=timeout,
            patience=patience,
            resend=lambda: self.resent.append(self.time),
            others=lambda: self.line,
            sleep=self.sleep,
            clock=self.clock,
        )


@pytest.fixture
def wait(rpc, clock):
    return Wait(rpc, clock)


# --- what counts as a receipt ----------------------------------------------------------------


@pytest.mark.parametrize("status", ["0x0", "0x1"])
def test_a_receipt_is_one_whatever_its_status_and_letter_case(status):
    answer = mined(HASH.upper().replace("X", "x"), status=status)
    assert receipt_of(answer, HASH) is answer


@pytest.mark.parametrize("answer", [None, mined(blockNumber=None), {"transactionHash": HASH}])
def test_what_is_not_mined_has_none(answer):
    assert receipt_of(answer, HASH) is None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("0x", ANOTHER),
        ([mined()], ANOTHER),
        (mined(OTHER), ANOTHER),
        (mined(transactionHash=None), ANOTHER),
        (mined(blockNumber="1"), NO_NUMBER.format("blockNumber")),
        (mined(status=None), NO_NUMBER.format("status")),
        (mined(status="0x2"), UNUSABLE),
        (mined(logs=None), UNUSABLE),
    ],
)
def test_an_answer_that_is_no_receipt(answer, text):
    with pytest.raises(Web3ProviderCallError) as caught:
        receipt_of(answer, HASH)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("receipt", "found", "known"),
    [
        (None, None, False),
        (mined(), None, True),
        (mined(blockNumber=None), None, True),
        (None, {"hash": HASH.upper()}, True),
        (mined(OTHER), {"hash": OTHER}, False),
        ({"hash": HASH}, {"transactionHash": HASH}, False),
        ("0x", 5, False),
    ],
)
def test_a_transaction_is_known_by_receipt_or_hash(node, rpc, receipt, found, known):
    node.faults = {
        "eth_getTransactionReceipt": [{"result": receipt}],
        "eth_getTransactionByHash": [{"result": found}],
    }
    assert is_known(rpc, HASH) is known
    assert node.methods == ["eth_getTransactionReceipt", "eth_getTransactionByHash"]


@pytest.mark.parametrize("method", ["eth_getTransactionReceipt", "eth_getTransactionByHash"])
def test_a_node_that_cannot_say_is_not_a_no(node, rpc, method):
    node.faults[method] = [error("header not found")]
    with pytest.raises(RpcError) as caught:
        is_known(rpc, HASH)
    assert caught.value.node_message == "header not found"


# --- how it is waited for --------------------------------------------------------------------


def test_what_is_there_is_asked_for_once(node, wait):
    node.mined[HASH] = mined()
    assert wait() == mined()
    assert (node.methods, wait.pauses) == (["eth_getTransactionReceipt"], [])


def test_the_nonce_is_asked_before_the_receipt_once_the_pauses_are_long(node, wait):
    """After it, a transaction mined in between would look replaced."""
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=20)
    first = node.methods.index("eth_getTransactionCount")
    assert set(node.methods[:first]) == {"eth_getTransactionReceipt"}
    asked = ["eth_getTransactionCount", "eth_getTransactionReceipt"]
    assert node.methods[first:] == asked * (len(node.methods[first:]) // 2)
    assert sum(wait.pauses[:first]) < 1


def test_the_node_is_asked_for_the_latest_nonce_of_the_sender(node, wait):
    asked = []
    node.eth_getTransactionCount = lambda *params: asked.append(params) or "0x0"
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=5)
    assert set(asked) == {(WHO, "latest")}


def test_pauses_grow_to_their_longest(wait):
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=60)
    growing = [pause for pause in wait.pauses if pause < 1.5]
    assert wait.pauses == growing + [1.5] * (len(wait.pauses) - len(growing))
    for one, two in itertools.pairwise(growing):
        assert two == pytest.approx(1.4 * one)


@pytest.mark.parametrize(("confirms", "head"), [(2, 102), (3, 103), (10, 110)])
def test_deep_enough_is_counted_from_its_own_block(node, wait, clock, confirms, head):
    node.mined[HASH] = mined(block=101)
    node.head = 101
    clock.then = lambda: setattr(node, "head", node.head + 1)
    assert wait(confirms=confirms) == mined(block=101)
    assert node.head == head
    assert set(node.methods) >= {"eth_getTransactionReceipt", "eth_blockNumber"}


def test_without_confirmations_no_head_is_asked_for(node, wait, clock):
    clock.then = lambda: node.mined.update({HASH: mined()})
    wait()
    assert "eth_blockNumber" not in node.methods


def unknown(why):
    return (
        f"the outcome of transaction {HASH} is unknown: {why}; it may still be mined. "
        "The same call again resumes it"
    )


@pytest.mark.parametrize(("timeout", "shown"), [(0, "0 s"), (0.5, "0.5 s"), (60.0, "60 s")])
def test_an_end_by_time_is_told_whole(wait, timeout, shown):
    with pytest.raises(OutcomeUnknownError) as caught:
        wait(timeout=timeout)
    assert caught.value.to_dict() == {
        "name": "OutcomeUnknownError",
        "code": caught.value.code,
        "message": unknown(f"not confirmed within {shown}"),
        "retryable": True,
        "txHash": HASH,
    }
    assert caught.value.cause is None
    assert timeout <= wait.time < timeout + 1.5


def test_time_is_up_at_its_very_end(wait, clock):
    clock.then = lambda: setattr(clock, "now", wait.start + 60)
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=60)
    assert len(wait.pauses) == 1


def test_without_a_timeout_it_waits_for_days(node, wait, clock):
    def step():
        clock.now += 3600
        if wait.time > 3 * 24 * 3600:
            node.mined[HASH] = mined()

    clock.then = step
    assert wait() == mined()


@pytest.mark.parametrize(
    ("method", "fault", "cause"),
    [
        ("eth_getTransactionReceipt", DEAF, "http://n cannot be reached"),
        (
            "eth_getTransactionReceipt",
            error("header not found"),
            "processing response error: header not found (if it stays so, use another node)",
        ),
        (
            "eth_blockNumber",
            error("header not found"),
            "processing response error: header not found (if it stays so, use another node)",
        ),
        ("eth_blockNumber", {"result": None}, NO_NUMBER.format("eth_blockNumber")),
        (
            "eth_getTransactionCount",
            error("header not found"),
            "processing response error: header not found (if it stays so, use another node)",
        ),
        ("eth_getTransactionCount", {"result": "7"}, NO_NUMBER.format("eth_getTransactionCount")),
    ],
)
def test_patience_ends_with_the_last_cause(node, wait, clock, method, fault, cause):
    node.mined[HASH] = mined()
    node.head = 90  # a node that lags: nothing is deep yet
    node.faults[method] = [fault] * 999
    with pytest.raises(OutcomeUnknownError) as caught:
        wait(confirms=2, patience=30)
    assert caught.value.message == unknown("no usable answer about it for 30 s")
    assert (caught.value.tx_hash, caught.value.retryable) == (HASH, True)
    assert str(caught.value.cause) == cause
    assert 30 <= wait.time < 33


def test_each_good_answer_gives_new_patience(node, wait, clock):
    """Deaf for 29 s at a time, five times over."""
    until = [clock.now + 29]

    def silent():
        if clock.now < until[0]:
            return error("header not found")
        until[0] = clock.now + 29
        return {"result": mined() if wait.time > 140 else None}

    node.faults["eth_getTransactionReceipt"] = [silent] * 999
    assert wait(patience=33) == mined()


def test_patience_of_none_ends_at_the_first_fault(node, wait, caplog):
    caplog.set_level("DEBUG", "iexec_lite")
    node.faults["eth_getTransactionReceipt"] = [DEAF]
    with pytest.raises(OutcomeUnknownError, match="no usable answer about it for 0 s"):
        wait(patience=0)
    assert wait.pauses == []
    assert f"waiting for {HASH}: {TransportError.code}" in caplog.messages


# --- offered again ---------------------------------------------------------------------------


def test_what_is_not_mined_is_offered_again_now_and_then(wait, caplog):
    caplog.set_level("DEBUG", "iexec_lite")
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=50)
    for before, after in itertools.pairwise([0, *wait.resent]):
        assert 15 <= after - before < 16.5
    assert len(wait.resent) == 3
    assert caplog.messages == [f"offering {HASH} again"] * 3


def test_it_is_offered_again_at_the_very_time(wait, clock):
    times = iter([14.9, 15, 29.9, 30, 31])
    clock.sleep = lambda _: setattr(clock, "now", wait.start + next(times))
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=31)
    assert wait.resent == [15, 30]


def test_what_a_reorganisation_took_back_is_offered_at_once_and_once(node, wait, clock):
    steps = iter([lambda: node.mined.update({HASH: mined()}), node.mined.clear])
    clock.then = lambda: [step() for step in itertools.islice(steps, 1)]
    with pytest.raises(OutcomeUnknownError):
        wait(confirms=9, timeout=10)
    assert wait.resent == [pytest.approx(sum(wait.pauses[:2]))]


def test_what_is_mined_is_not_offered_again(node, wait):
    node.mined[HASH] = mined()
    with pytest.raises(OutcomeUnknownError):
        wait(confirms=99, timeout=60)
    assert wait.resent == []


# --- its nonce went elsewhere ----------------------------------------------------------------


def replaced(caught):
    assert caught.value.to_dict() == {
        "name": "Web3ProviderCallError",
        "code": caught.value.code,
        "message": f"transaction was replaced: another one of {WHO} has nonce 0",
        "details": {"replaced": True},
        "txHash": HASH,
    }


@pytest.mark.parametrize("deaf", [False, True])
def test_replaced_is_said_ten_seconds_after_the_first_sign(node, wait, clock, deaf):
    """However long it has been waited before, and whether the node had answered."""
    signs = []

    def receipt():
        return error("header not found") if deaf and not signs else {"result": None}

    def count(address, block):
        if wait.time > 100:
            signs.append(wait.time)
        return "0x1" if signs else "0x0"

    node.faults["eth_getTransactionReceipt"] = [receipt] * 999
    node.eth_getTransactionCount = count
    with pytest.raises(Web3ProviderCallError) as caught:
        wait()
    replaced(caught)
    assert 10 <= wait.time - signs[0] < 13


@pytest.mark.parametrize("used", ["0x0", "0x1"])
def test_the_nonce_itself_is_free_until_it_is_counted(node, wait, used):
    node.eth_getTransactionCount = lambda *_: used
    expected = OutcomeUnknownError if used == "0x0" else Web3ProviderCallError
    with pytest.raises(expected):
        wait(timeout=60)


@pytest.mark.parametrize(("step", "signs"), [(3600, 4), (4, 4), (2.5, 5), (2, 6)])
def test_replaced_needs_four_signs_and_ten_seconds(node, wait, clock, step, signs):
    """A machine that slept an hour has not heard more."""
    counted = []
    clock.now = 0.0  # so that no fraction of a second remains
    clock.sleep = lambda _: setattr(clock, "now", clock.now + (step if counted else 1))
    node.eth_getTransactionCount = lambda *_: counted.append(1) or "0x1"
    with pytest.raises(Web3ProviderCallError) as caught:
        wait()
    replaced(caught)
    assert len(counted) == signs


def test_one_that_lags_begins_the_count_anew(node, wait, clock):
    counted = []

    def count(address, block):
        counted.append(1)
        return "0x0" if len(counted) == 4 else "0x1"

    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + (60 if counted else seconds))
    node.eth_getTransactionCount = count
    with pytest.raises(Web3ProviderCallError) as caught:
        wait()
    replaced(caught)
    assert len(counted) == 8


# --- another of the line is mined ------------------------------------------------------------


def test_what_was_mined_in_its_place_is_what_comes_back(node, wait, clock, caplog):
    caplog.set_level("INFO", "iexec_lite")
    wait.line = [HASH, OTHER]

    def step():
        if wait.time > 5:
            node.mined[OTHER] = mined(OTHER)

    clock.then = step
    assert wait() == mined(OTHER)
    assert caplog.messages == [f"{OTHER} was mined in the place of {HASH}"]
    assert wait.time < 8


def test_the_others_are_asked_for_only_when_the_nonce_is_used(node, wait):
    asked = []
    node.eth_getTransactionReceipt = asked.append
    wait.line = [HASH, OTHER]
    with pytest.raises(OutcomeUnknownError):
        wait(timeout=30)
    assert set(asked) == {HASH}


def test_a_fault_about_the_others_is_waited_out(node, wait, caplog):
    """Not to be seen is not to be gone."""
    caplog.set_level("DEBUG", "iexec_lite")
    wait.line = [HASH, OTHER, "0x" + "ef" * 32]
    node.eth_getTransactionCount = lambda *_: "0x1"
    asked = []

    def receipt(tx_hash):
        asked.append(tx_hash)
        if tx_hash == OTHER and wait.time < 100:
            raise KeyError("header not found")
        return mined(OTHER) if tx_hash == OTHER else None

    node.eth_getTransactionReceipt = receipt
    assert wait() == mined(OTHER)
    assert f"waiting for {HASH}: {RpcError.code}" in caplog.messages
    assert asked[-1] == OTHER
    assert 100 <= wait.time < 104


def test_one_in_its_place_that_is_taken_back_is_offered_at_once(node, wait, clock):
    """Then it counts from the beginning whether the nonce is lost."""
    wait.line = [HASH, OTHER]
    node.mined[OTHER] = mined(OTHER)
    counted = []

    def count(address, block):
        counted.append(wait.time)
        if len(counted) == 2:
            node.mined.clear()
        return "0x1"

    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + (4 if counted else seconds))
    node.eth_getTransactionCount = count
    with pytest.raises(Web3ProviderCallError) as caught:
        wait(confirms=9)
    replaced(caught)
    assert wait.resent[0] == counted[1]
    assert len(counted) == 5
