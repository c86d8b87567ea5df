"""Speeding up and cancelling against a scripted node: races, refusals, death at each point.

While a call waits, ``clock.then`` is what happens meanwhile, such as another call that replaces.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    SignatureError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.eth.transaction import Transaction, parse
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.chains import Chain
from iexec_lite.sdk.fees import Quote
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.journal import FAILED, INTENDED, SENT, SETTLED, UNKNOWN, MemoryJournal
from iexec_lite.sdk.lines import pending
from iexec_lite.sdk.replacement import Replacement, raised
from iexec_lite.sdk.transactions import Intent, Transactions

from .test_transactions import CHAIN, DEAF, KEY, SIGNER, TO, WHO, Clock, Node, intent, states

GWEI = 10**9
OTHER_HASH = "0x" + "ab" * 32


class Market(Node):
    """A node that mines when told to, and takes a second transaction of a nonce for 10 % more."""

    def __init__(self):
        super().__init__()
        self.automine = False

    def eth_sendRawTransaction(self, raw):
        new = parse(bytes.fromhex(raw[2:])).transaction
        for tx_hash, other in list(self.pool.items()):
            old = parse(bytes.fromhex(other[2:])).transaction
            if old.nonce == new.nonce and other != raw:
                if any(10 * b < 11 * a for a, b in zip(fees(old), fees(new), strict=True)):
                    self.raws.append(raw)
                    raise KeyError("replacement transaction underpriced")
                del self.pool[tx_hash]
        return super().eth_sendRawTransaction(raw)


def fees(transaction):
    if transaction.gas_price is not None:
        return transaction.gas_price, transaction.gas_price
    return transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas


@pytest.fixture
def node():
    return Market()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "file"])
def journal(request, tmp_path):
    made = MemoryJournal() if request.param == "memory" else FileJournal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def sender(node, journal, clock):
    def make(chain=CHAIN, signer=SIGNER, **options):
        rpc = Rpc("http://127.0.0.1:1/", http=node)
        defaults = {"journal": journal, "sleep": clock.sleep, "clock": clock, "timeout": 60}
        return Transactions(rpc, chain, signer, **{**defaults, **options})

    return make


def speed_up(transactions, tx_hash, **options):
    return Replacement(transactions, tx_hash, cancel=False, **options).send()


def cancel(transactions, tx_hash, **options):
    return Replacement(transactions, tx_hash, cancel=True, **options).send()


def give_up(transactions, *what, **options):
    """A call whose outcome stays unknown: the hash of what it sent."""
    with pytest.raises(OutcomeUnknownError) as caught:
        transactions.send(intent(), TO, b"\x01", value=5, note={"order": 1}, **options)
    return caught.value.tx_hash


def refuses(act, text, tx_hash=None):
    """A refusal, told whole and with the hash of what stands in the way."""
    with pytest.raises(StateError) as caught:
        act()
    assert (str(caught.value), caught.value.tx_hash) == (text, tx_hash)


def meanwhile(clock, *steps):
    """Each pause takes the next step; a step may pause itself."""
    left = list(steps)

    def then():
        if left:
            left.pop(0)()

    clock.then = then


def last_hash(transactions):
    return transactions.account.entries()[-1].tx_hash


# --- sped up -------------------------------------------------------------------------------------


def test_who_waits_gets_the_result_of_what_was_sped_up(sender, node, clock):
    transactions, other, found = sender(), sender(), []
    meanwhile(
        clock,
        lambda: found.append(speed_up(other, last_hash(other))),
        node.mine,
    )
    sent = transactions.send(intent(), TO, b"\x01\x02", value=5, note={"order": 1})
    first, second = (each.transaction for each in node.sent)
    assert (sent.tx_hash, sent.resumed, sent.note) == (found[0], False, {"order": 1})
    assert sent.receipt["transactionHash"] == found[0] == to_hex(node.sent[1].hash)
    for name in ("nonce", "to", "value", "data", "gas", "chain_id"):
        assert getattr(first, name) == getattr(second, name)
    assert all(8 * b >= 9 * a for a, b in zip(fees(first), fees(second), strict=True))
    assert list(node.mined) == [found[0]]
    assert states(transactions) == [FAILED, SETTLED]


def test_a_left_one_is_sped_up_and_its_call_finds_it_once(sender, node, clock):
    """Nobody waits: the result stays for the call that meant it, which does not send again."""
    transactions = sender()
    first = give_up(transactions)
    meanwhile(clock, node.mine)
    second = speed_up(transactions, first)
    assert second != first
    assert states(transactions) == [FAILED, SENT]
    [left] = pending(transactions.account)
    assert (left.tx_hash, left.replaces, left.live) == (second, first, False)
    assert speed_up(transactions, first) == second
    refuses(
        lambda: speed_up(transactions, second),
        f"transaction {second} is mined: too late to be sped up",
        second,
    )
    sent = transactions.send(intent(), TO, b"other salt")
    assert (sent.tx_hash, sent.resumed, sent.note) == (second, True, {"order": 1})
    assert states(transactions) == [FAILED, SETTLED]
    assert len(node.mined) == 1
    meanwhile(clock, node.mine)
    assert not transactions.send(intent(), TO).resumed
    assert [each.transaction.nonce for each in node.sent] == [0, 0, 1]


def test_two_equal_sends_are_still_two(sender, node, clock):
    """The second begins when what was sped up is mined, and the first has not seen it yet."""
    transactions, found = sender(), []

    def another():
        clock.then = node.mine
        found.append(sender().send(intent(), TO))

    meanwhile(clock, lambda: speed_up(sender(), last_hash(transactions)), node.mine)
    steps = clock.then

    def then():
        steps()
        if len(node.mined) == 1 and transactions.account.entries()[-1].live is False:
            another()

    clock.then = then
    first = transactions.send(intent(), TO)
    assert [each.resumed for each in (first, *found)] == [False, False]
    assert first.tx_hash != found[0].tx_hash
    assert [each.transaction.nonce for each in node.sent] == [0, 0, 1]
    assert states(transactions) == [FAILED, SETTLED, SETTLED]


def test_the_first_is_mined_after_all(sender, node, clock):
    transactions, found = sender(), []

    def late():
        def mined_first(raw=None):
            node.mine()
            return {"error": {"code": -32000, "message": "nonce too low"}}

        node.faults["eth_sendRawTransaction"] = [mined_first]
        found.append(speed_up(sender(), last_hash(transactions)))

    meanwhile(clock, late)
    sent = transactions.send(intent(), TO)
    assert [sent.tx_hash] == found == list(node.mined)
    assert states(transactions) == [SETTLED, FAILED]


def test_sped_up_twice(sender, node, clock):
    transactions, hashes = sender(), []

    def step():
        with pytest.raises(OutcomeUnknownError):
            speed_up(sender(timeout=0), hashes[-1] if hashes else last_hash(transactions))
        hashes.append(last_hash(transactions))

    meanwhile(clock, step, step, node.mine)
    sent = transactions.send(intent(), TO)
    assert sent.tx_hash == hashes[1]
    assert states(transactions) == [FAILED, FAILED, SETTLED]
    assert len(node.mined) == 1
    assert len(node.sent) == 3


def test_another_price_replaces_what_is_left(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    with pytest.raises(OutcomeUnknownError):
        speed_up(transactions, first)
    with pytest.raises(OutcomeUnknownError):  # the same call: nothing is signed
        speed_up(transactions, first)
    assert len(node.sent) == 2
    meanwhile(clock, node.mine)
    third = speed_up(transactions, first, gas_price=50 * GWEI)
    assert node.sent[2].transaction.gas_price == 50 * GWEI
    assert transactions.send(intent(), TO).tx_hash == third
    assert states(transactions) == [FAILED, FAILED, SETTLED]


def test_what_comes_after_sees_what_was_mined(sender, node, clock):
    transactions, seen = sender(), []
    meanwhile(clock, lambda: speed_up(sender(), last_hash(transactions)), node.mine)

    def finish(tx_hash, note):
        seen.append((tx_hash, note))
        if len(seen) == 1:
            raise StateError("not yet")

    with pytest.raises(StateError, match="not yet"):
        transactions.send(intent(), TO, note={"a": 1}, finish=finish)
    sent = transactions.send(intent(), TO, finish=finish)
    assert seen == [(sent.tx_hash, {"a": 1})] * 2
    assert (sent.resumed, list(node.mined)) == (True, [sent.tx_hash])
    assert states(transactions) == [FAILED, SETTLED]


def test_a_sped_up_one_that_reverts(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    node.status = "0x0"
    meanwhile(clock, node.mine)
    with pytest.raises(Web3ProviderCallError, match="transaction failed") as caught:
        speed_up(transactions, first)
    assert caught.value.tx_hash != first
    assert states(transactions) == [FAILED, FAILED]
    assert transactions.unfinished(intent()) is None


def test_a_stranger_takes_the_nonce(sender, node, clock):
    """Another program with the same key: nothing of the line can happen any more."""
    transactions = sender()
    first = give_up(transactions)
    meanwhile(clock, lambda: (node.pool.clear(), node.mined.update({OTHER_HASH: {}})))
    with pytest.raises(Web3ProviderCallError, match="was replaced"):
        speed_up(transactions, first)
    assert states(transactions) == [FAILED, FAILED]


def test_another_entry_with_the_nonce_is_not_ruled_out_by_a_guess(sender, node, clock):
    """A left one that no node knew gave its nonce to another, and was mined after all."""
    transactions = sender()
    first = give_up(transactions)
    raw = node.pool.pop(first)

    def back():
        node.pool.clear()
        node.pool[first] = raw
        node.mine()

    meanwhile(clock, back)
    with pytest.raises(Web3ProviderCallError, match="was replaced"):
        transactions.send(intent("other"), TO)
    assert states(transactions) == [UNKNOWN, FAILED]
    assert transactions.send(intent(), TO).tx_hash == first


def test_a_reorganisation_puts_the_first_back(sender, node, clock):
    transactions, found = sender(confirms=3), {}

    def impatient():
        with pytest.raises(OutcomeUnknownError):
            speed_up(sender(timeout=0), found["first"])

    def reorganise():
        [(second, _)] = node.mined.items()
        del node.mined[second]
        node.pool = {found["first"]: node.raws[0]}
        node.mine()

    def step():
        node.head += 1

    meanwhile(
        clock,
        lambda: found.update(first=last_hash(transactions)),
        impatient,
        node.mine,
        *[lambda: None] * 8,
        reorganise,
        *[step] * 4,
    )
    sent = transactions.send(intent(), TO)
    assert sent.tx_hash == found["first"]
    assert states(transactions) == [SETTLED, FAILED]


# --- cancelled -----------------------------------------------------------------------------------


def test_cancelled_while_somebody_waits(sender, node, clock):
    transactions, found = sender(), []
    meanwhile(clock, lambda: found.append(cancel(sender(), last_hash(transactions))), node.mine)
    with pytest.raises(Web3ProviderCallError) as caught:
        transactions.send(intent(), TO, b"\x01", value=5)
    first = to_hex(node.sent[0].hash)
    assert caught.value.to_dict() == {
        "name": "Web3ProviderCallError",
        "code": "web3_call",
        "message": f"transaction {first} was cancelled by {found[0]}: nothing was done",
        "details": {"replaced": True, "cancelled": first},
        "txHash": found[0],
    }
    nothing = node.sent[1].transaction
    assert (to_hex(nothing.to), nothing.value, nothing.data) == (WHO.lower(), 0, b"")
    assert (nothing.nonce, nothing.gas) == (0, 125_000)  # as the node estimates, not 21000
    assert states(transactions) == [FAILED, SETTLED]
    meanwhile(clock, node.mine)
    again = transactions.send(intent(), TO, b"\x01", value=5)
    assert not again.resumed
    assert node.sent[2].transaction.nonce == 1
    assert [entry.key for entry in transactions.account.entries()][1] != intent().key


def test_a_left_one_is_cancelled(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    meanwhile(clock, node.mine)
    assert list(node.mined) == [] != cancel(transactions, first)
    assert states(transactions) == [FAILED, SETTLED]
    done = last_hash(transactions)
    refuses(
        lambda: cancel(transactions, first),
        f"transaction {done} is mined in the place of {first}: too late to be cancelled",
        done,
    )
    assert pending(transactions.account) == []
    assert transactions.unfinished(intent()) is None


def test_the_gas_of_nothing_is_estimated_as_it_is_sent(sender, node):
    """To oneself: an account with code may need more than a plain transfer."""
    transactions = sender()
    first = give_up(transactions)
    asked = []
    node.eth_estimateGas = lambda fields: asked.append(fields) or hex(30_000)
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), first)
    assert asked == [{"from": WHO, "to": WHO.lower(), "data": "0x", "value": "0x0"}]
    assert node.sent[1].transaction.gas == 37_500


def test_too_late_to_cancel(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)

    def mined_first():
        node.mine()
        return {"error": {"code": -32000, "message": "nonce too low"}}

    node.faults["eth_sendRawTransaction"] = [mined_first]
    refuses(
        lambda: cancel(transactions, first),
        f"transaction {first} is mined: too late to be cancelled",
        first,
    )
    assert states(transactions) == [UNKNOWN, FAILED]
    signed = len(node.sent)
    with pytest.raises(StateError, match="too late to be cancelled"):  # seen before it is signed
        cancel(transactions, first)
    assert len(node.sent) == signed
    assert transactions.send(intent(), TO).tx_hash == first


def test_a_sped_up_one_is_cancelled_and_the_cancellation_sped_up(sender, node, clock):
    transactions, impatient = sender(), sender(timeout=0)
    first = give_up(transactions)
    with pytest.raises(OutcomeUnknownError):
        speed_up(impatient, first)
    second = last_hash(transactions)
    with pytest.raises(OutcomeUnknownError):
        cancel(impatient, second)
    third = last_hash(transactions)
    for tx_hash in (first, second):
        refuses(
            lambda tx_hash=tx_hash: speed_up(transactions, tx_hash),
            f"transaction {tx_hash} is being cancelled by {third}: that one can be sped up",
            third,
        )
    refuses(
        lambda: cancel(transactions, third),
        f"transaction {third} is a cancellation itself: it can be sped up",
        third,
    )
    meanwhile(clock, node.mine)
    fourth = speed_up(transactions, third)
    assert node.sent[3].transaction.data == b""
    assert states(transactions) == [FAILED, FAILED, FAILED, SETTLED]
    assert list(node.mined) == [fourth]
    prices = [fees(each.transaction) for each in node.sent]
    assert prices == sorted(prices)


def test_the_waiting_call_writes_down_a_cancellation_whose_caller_died(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), first)
    node.mine()
    with pytest.raises(Web3ProviderCallError, match="was cancelled by"):
        transactions.send(intent(), TO)
    assert states(transactions) == [FAILED, SETTLED]


def test_cancelled_while_it_is_sped_up(sender, node, clock):
    transactions, found = sender(), []
    first = give_up(transactions)

    def stop():
        with pytest.raises(OutcomeUnknownError):
            cancel(sender(timeout=0), last_hash(transactions))
        found.append(last_hash(transactions))

    meanwhile(clock, stop, node.mine)
    with pytest.raises(Web3ProviderCallError) as caught:
        speed_up(transactions, first)
    second = to_hex(node.sent[1].hash)
    assert str(caught.value) == (
        f"transaction {second} was cancelled by {found[0]}: nothing was done"
    )
    assert states(transactions) == [FAILED, FAILED, SETTLED]


def test_a_cancellation_is_sped_up_and_resumed(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), first)
    second = last_hash(transactions)
    with pytest.raises(OutcomeUnknownError):
        speed_up(sender(timeout=0), second)
    meanwhile(clock, node.mine)
    assert speed_up(transactions, second) == last_hash(transactions)
    assert len(node.sent) == len(transactions.account.entries()) == 3


# --- unknown, died -------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [speed_up, cancel])
def test_lost_on_the_way_and_called_again(sender, node, clock, act):
    """Signed and written down, but no node heard of it: the same bytes go, none are signed."""
    transactions = sender()
    first = give_up(transactions)
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    with pytest.raises(OutcomeUnknownError):
        act(transactions, first)
    assert states(transactions) == [UNKNOWN, UNKNOWN]
    assert len(node.sent) == 1
    meanwhile(clock, node.mine)
    assert act(transactions, first) == last_hash(transactions)
    assert len(transactions.account.entries()) == len(node.sent) == 2


def test_lost_on_the_way_and_the_first_call_made_again(sender, node, clock):
    """It waits for both, and offers what pays more."""
    transactions = sender()
    first = give_up(transactions)
    node.faults["eth_sendRawTransaction"] = [DEAF] * 4
    with pytest.raises(OutcomeUnknownError):
        speed_up(transactions, first)

    def mine():
        if len(node.sent) == 2:
            node.mine()

    clock.then = mine
    sent = transactions.send(intent(), TO)
    assert (sent.tx_hash, sent.resumed) == (last_hash(transactions), True)
    assert states(transactions) == [FAILED, SETTLED]
    assert len(node.mined) == 1


def test_an_unknown_outcome_is_of_what_the_nodes_have(sender, node):
    """The dearer one, where it has driven out the first; else the first."""
    transactions = sender()
    first = give_up(transactions)
    raw = node.pool[first]
    with pytest.raises(OutcomeUnknownError):
        speed_up(transactions, first)
    second = last_hash(transactions)
    assert (list(node.pool), give_up(transactions)) == ([second], second)
    node.pool[first] = raw  # of another node behind the same name
    assert give_up(transactions) == first
    assert len(node.sent) == 2


def test_what_was_cancelled_rules_out_whatever_had_its_nonce(sender, node):
    """Also an entry of another call, whose bytes no node knew when it was given on."""
    transactions = sender()
    give_up(transactions)
    node.pool.clear()
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent("other"), TO)
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), last_hash(transactions))
    node.mine()
    assert states(transactions) == [UNKNOWN] * 3
    with pytest.raises(Web3ProviderCallError, match="was cancelled by"):
        transactions.send(intent("other"), TO)
    assert states(transactions) == [FAILED, FAILED, SETTLED]


DEATH = f"""
import os, sys
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.chains import Chain
from iexec_lite.sdk.fees import Quote
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.replacement import Replacement
from iexec_lite.sdk.transactions import Intent, Transactions

class Rpc:
    label, sent = "node", 0
    def chain_id(self): return 4242
    def request(self, method, params=()): raise SystemExit("not asked: " + method)
    def batch(self, asked):
        said = {{"eth_chainId": hex(4242), "eth_getTransactionCount": "0x0",
                "eth_getBlockByNumber": {{"gasLimit": hex(30000000)}}, "eth_gasPrice": "0x1",
                "eth_estimateGas": hex(21000)}}
        return [said.get(method) for method, _ in asked]
    def send_raw(self, raw):
        self.sent += 1
        if self.sent > 1:
            os._exit(9)

where, what = sys.argv[1:]
signer = KeySigner.from_key({KEY!r})
transactions = Transactions(Rpc(), Chain(id=4242), signer, journal=FileJournal(where), timeout=0)
try:
    transactions.send(
        Intent(chain_id=4242, sender=signer.address, operation="deposit", arguments={{}}),
        {TO!r}, b"salt", quote=Quote(gas=100000, gas_price=10**10), note={{"order": 1}})
except Exception:
    pass
[entry] = transactions.account.entries()
Replacement(transactions, entry.tx_hash, cancel=what == "cancel").send()
"""


@pytest.mark.parametrize("what", ["speed-up", "cancel"])
@pytest.mark.parametrize("again", ["replacement", "first"])
def test_death_between_journal_and_send(node, clock, tmp_path, what, again):
    """Killed before any node heard of the replacement; the first may be with the nodes, or not."""
    died = subprocess.run(
        [sys.executable, "-c", DEATH, str(tmp_path), what], capture_output=True, check=False
    )
    assert died.returncode == 9, died.stderr
    journal = FileJournal(tmp_path)
    rpc = Rpc("http://127.0.0.1:1/", http=node)
    transactions = Transactions(
        rpc, CHAIN, SIGNER, journal=journal, sleep=clock.sleep, clock=clock, timeout=60
    )
    first, second = transactions.account.entries()
    assert (first.state, second.state, second.live) == (UNKNOWN, INTENDED, False)
    clock.then = node.mine
    if again == "first":
        sent = transactions.send(intent(), TO)
        assert (sent.resumed, sent.note) == (True, {"order": 1})
        expected = first if what == "cancel" else second
        assert sent.tx_hash == expected.tx_hash
    else:
        act = cancel if what == "cancel" else speed_up
        assert act(transactions, first.tx_hash) == second.tx_hash
        if what == "speed-up":
            assert transactions.send(intent(), TO).tx_hash == second.tx_hash
    assert len(node.mined) == len(node.sent) == 1
    assert pending(transactions.account) == []
    journal.close()


def test_a_result_that_is_held_is_ours_whoever_sent_it(node, clock, tmp_path):
    """What another process sent in the place of ours is done only when our person saw it."""
    ours, theirs = FileJournal(tmp_path, hold=True), FileJournal(tmp_path)
    rpc = Rpc("http://127.0.0.1:1/", http=node)
    options = {"sleep": clock.sleep, "clock": clock, "timeout": 60}
    transactions = Transactions(rpc, CHAIN, SIGNER, journal=ours, **options)
    other = Transactions(rpc, CHAIN, SIGNER, journal=theirs, **options)
    meanwhile(clock, lambda: speed_up(other, last_hash(other)), node.mine)
    sent = transactions.send(intent(), TO)
    assert states(transactions) == [FAILED, SETTLED]
    entry = other.account.entries()[-1]
    assert (entry.tx_hash, entry.state, entry.live) == (sent.tx_hash, SENT, True)
    other.account.leave(entry)
    assert other.unfinished(intent()) is None
    ours.close()  # died before it was shown
    assert other.send(intent(), TO).tx_hash == sent.tx_hash
    assert states(other) == [FAILED, SETTLED]
    theirs.close()


def test_what_is_finished_stays_so(journal):
    """Another call may see the end first."""
    account = journal.account(1, WHO)
    for state in (SETTLED, FAILED):
        entry = account.add("k", intent().to_dict(), 1, tx_hash=OTHER_HASH, raw=b"x")
        account.update(entry, state=state)
        assert account.update(entry, state=UNKNOWN, note={"a": 1}).state == state
        assert account.entries()[-1].note == {"a": 1}
    assert account.update(entry, state=SETTLED).state == SETTLED


# --- refused -------------------------------------------------------------------------------------


def test_unknown_mined_and_failed(sender, node, clock):
    transactions = sender()
    for act in (speed_up, cancel):
        refuses(
            lambda act=act: act(transactions, OTHER_HASH),
            f"no transaction {OTHER_HASH} of {WHO} on test is in this journal: only what was sent "
            "with it can be replaced",
        )
    meanwhile(clock, node.mine)
    mined = transactions.send(intent(), TO).tx_hash
    refuses(
        lambda: speed_up(transactions, mined),
        f"transaction {mined} is mined: too late to be sped up",
        mined,
    )
    node.faults["eth_sendRawTransaction"] = [
        {"error": {"code": -32000, "message": "insufficient funds for gas"}}
    ]
    with pytest.raises(Web3ProviderSendError):
        transactions.send(intent(), TO)
    failed = last_hash(transactions)
    refuses(
        lambda: cancel(transactions, failed),
        f"transaction {failed} has failed and cannot be mined any more: there is nothing to "
        "replace",
        failed,
    )
    assert len(node.sent) == 1


def test_settled_by_the_journal_though_the_node_forgot(sender, node, clock):
    transactions = sender()
    meanwhile(clock, node.mine)
    mined = transactions.send(intent(), TO).tx_hash
    node.mined.clear()
    with pytest.raises(StateError, match=f"{mined} is mined"):
        cancel(transactions, mined)
    assert len(node.sent) == 1


def test_a_nonce_that_was_given_to_another(sender, node, clock):
    """What replaced the first would rule out the other, which nobody has asked for."""
    transactions = sender()
    first = give_up(transactions)
    node.pool.clear()
    with pytest.raises(OutcomeUnknownError) as caught:
        transactions.send(intent("other"), TO)
    for act in (speed_up, cancel):
        refuses(
            lambda act=act: act(transactions, first),
            f"no node had transaction {first} when its nonce was given to another, "
            f"{caught.value.tx_hash}: wait for that one, or replace it",
            caught.value.tx_hash,
        )
    meanwhile(clock, node.mine)
    assert speed_up(transactions, caught.value.tx_hash) == last_hash(transactions)
    assert len(node.mined) == 1


def test_somebody_works_on_it(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    again = sender()

    def at_the_same_time():
        refuses(
            lambda: speed_up(again, first),
            f"{last_hash(again)} is on its way in the place of {first}, and somebody waits for it: "
            "that one can be sped up",
            last_hash(again),
        )

    meanwhile(clock, at_the_same_time, node.mine)
    assert speed_up(transactions, first) == last_hash(transactions)
    assert len(node.sent) == 2


def test_wallets_and_prescribed_prices(sender, node):
    class Wallet:
        address = WHO
        sign_message = sign_typed_data = len

        def send_transaction(self, transaction):
            raise AssertionError

    with pytest.raises(ConfigurationError) as caught:
        speed_up(sender(signer=Wallet()), OTHER_HASH)
    assert str(caught.value) == (
        "this wallet sends by itself: speed up or cancel the transaction in the wallet"
    )
    free = Chain(id=4242, name="side", hub="0x" + "33" * 20, use_gas=False)
    for act in (speed_up, cancel):
        refuses(
            lambda act=act: act(sender(chain=free), OTHER_HASH),
            "the price of gas on side is 0 wei for everybody: there is nothing to raise, wait for "
            "the transaction",
        )
    transactions = sender()
    asked = {"to": TO, "value": "0", "data": "0x", "since": 1}
    transactions.account.add(
        intent().key, {**intent().to_dict(), "asked": asked}, 5, tx_hash=OTHER_HASH
    )
    refuses(
        lambda: cancel(transactions, OTHER_HASH),
        f"transaction {OTHER_HASH} was sent by a wallet: speed up or cancel it there",
        OTHER_HASH,
    )
    assert node.raws == []


def test_another_chain_or_signature_sends_nothing(sender, node):
    transactions = sender()
    first = give_up(transactions)

    class Liar:
        address = WHO
        sign_message = sign_typed_data = len

        def sign_transaction(self, transaction):
            return node.sent[0]

    with pytest.raises(SignatureError, match="another transaction"):
        cancel(sender(signer=Liar()), first)
    with pytest.raises(OutcomeUnknownError):
        speed_up(sender(timeout=0), first)
    node.pool.clear()
    node.chain_id = 1
    with pytest.raises(ConfigurationError):  # nor is anything resumed
        speed_up(sender(), first)
    assert node.pool == {}
    node.chain_id = CHAIN.id
    transactions.account.update(transactions.account.entries()[-1], state=FAILED)
    node.chain_id = 1  # another node, since the client began
    with pytest.raises(ConfigurationError, match=r"on chain 1, .* nothing was signed"):
        speed_up(transactions, first)
    assert len(transactions.account.entries()) == len(node.sent) == 2


def test_an_entry_of_another_key_is_not_signed_again(sender, node, journal):
    """A journal that somebody edited."""
    other = KeySigner.from_key("0x" + "12" * 32)
    signed = other.sign_transaction(
        Transaction(
            nonce=0, gas=21000, to=b"\x22" * 20, value=1, data=b"", chain_id=4242, gas_price=1
        )
    )
    transactions = sender()
    tx_hash = to_hex(signed.hash)
    account = transactions.account
    account.add(intent().key, intent().to_dict(), 0, tx_hash=tx_hash, raw=signed.raw)
    refuses(
        lambda: speed_up(transactions, tx_hash),
        f"transaction {tx_hash} is of another account or chain",
    )
    assert node.raws == []


def test_refusals_of_the_node_leave_the_first_alone(sender, node, clock):
    transactions = sender()
    first = give_up(transactions)
    funds = (
        "insufficient funds for intrinsic transaction cost: the account needs more of the chain's "
        "coin"
    )
    price = f"the node wants more for a replacement of {first}: offer a higher gas_price"
    for message, text, retryable in (
        ("insufficient funds for gas * price + value", funds, False),
        ("replacement transaction underpriced", price, True),
    ):
        node.faults["eth_sendRawTransaction"] = [{"error": {"code": -32000, "message": message}}]
        with pytest.raises(Web3ProviderSendError) as caught:
            speed_up(transactions, first)
        assert (str(caught.value), caught.value.retryable) == (text, retryable)
        assert caught.value.cause.node_message == message
    assert states(transactions) == [UNKNOWN, FAILED, FAILED]
    node.mine()
    assert transactions.send(intent(), TO).tx_hash == first


def test_what_was_mined_in_its_place_cannot_be_cancelled(sender, node, clock):
    """By the journal: who meant it has not looked yet, and the node may lag."""
    transactions = sender()
    first = give_up(transactions)
    meanwhile(clock, node.mine)
    second = speed_up(transactions, first)
    node.mined.clear()
    refuses(
        lambda: cancel(transactions, first),
        f"transaction {second} has taken the place of {first}",
        second,
    )
    assert len(node.sent) == 2


@pytest.mark.parametrize("act", [speed_up, cancel])
def test_the_chain_is_looked_at_before_anything_is_signed(sender, node, act):
    transactions = sender()
    first = give_up(transactions)
    before = len(node.methods)
    with pytest.raises(OutcomeUnknownError):
        act(sender(timeout=0), first)
    prices = ["eth_getBlockByNumber", "eth_gasPrice", "eth_maxPriorityFeePerGas"]
    assert node.methods[before:] == [
        "eth_chainId",
        *prices,
        *(["eth_estimateGas"] if act is cancel else []),  # of the same bytes the gas is known
        *("eth_chainId", "eth_getTransactionReceipt"),
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
    ]


@pytest.mark.parametrize("act", [speed_up, cancel])
@pytest.mark.parametrize(
    ("method", "fault", "text"),
    [
        ("eth_chainId", {"result": "5"}, "the node gave no 0x hex number for eth_chainId;"),
        ("eth_chainId", {"error": {"code": 1, "message": "down"}}, "response error: down"),
        (
            "eth_getTransactionReceipt",
            {"error": {"code": 1, "message": "down"}},
            "response error: down",
        ),
        ("eth_getTransactionReceipt", {"result": "0x"}, "the receipt of another transaction"),
    ],
)
def test_what_cannot_be_looked_at_is_not_replaced(sender, node, act, method, fault, text):
    transactions = sender()
    first = give_up(transactions)
    node.faults[method] = [fault] * 9
    with pytest.raises(Web3ProviderCallError, match=text):
        act(transactions, first)
    assert len(node.sent) == 1


def test_an_entry_of_another_chain_is_not_signed_again(sender, node):
    signed = SIGNER.sign_transaction(
        Transaction(nonce=0, gas=21000, to=b"\x22" * 20, value=1, data=b"", chain_id=1, gas_price=1)
    )
    transactions = sender()
    tx_hash = to_hex(signed.hash)
    transactions.account.add(intent().key, intent().to_dict(), 0, tx_hash=tx_hash, raw=signed.raw)
    refuses(
        lambda: speed_up(transactions, tx_hash),
        f"transaction {tx_hash} is of another account or chain",
    )
    assert node.raws == []


def test_how_long_it_is_waited_for(sender, node, clock):
    """As of the client, or as the call says; and then as an outcome that is unknown."""
    transactions = sender()
    first = give_up(transactions)
    for given, lasts in ((7, 7), (None, 60), (0, 0)):
        begun = clock.now
        with pytest.raises(OutcomeUnknownError, match=f"not confirmed within {lasts} s"):
            Replacement(transactions, first, cancel=False).send(given)
        assert lasts <= clock.now - begun < lasts + 1.6
    assert len(node.sent) == 2


def test_what_happens_is_logged(sender, node, clock, caplog):
    transactions = sender()
    first = give_up(transactions)
    caplog.set_level("INFO", "iexec_lite")
    caplog.clear()
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), first)
    second = last_hash(transactions)
    assert caplog.messages == [f"sent {second}"]
    caplog.clear()
    meanwhile(clock, node.mine)
    cancel(transactions, first)
    assert caplog.messages == [
        f"resuming transaction {second} of an earlier call",
        f"confirmed {second}",
    ]


def test_as_users_see_what_is_pending(sender, node):
    transactions = sender()
    first = give_up(transactions)
    with pytest.raises(OutcomeUnknownError):
        speed_up(transactions, first)
    with pytest.raises(OutcomeUnknownError):
        cancel(sender(timeout=0), first)
    created = [int(entry.created) for entry in transactions.account.entries()]
    common = {"nonce": 0, "state": "unknown", "live": False}
    means = {"operation": "deposit", "arguments": {}}
    nothing = {"operation": "cancelTransaction", "arguments": {"txHash": first}}
    hashes = [to_hex(each.hash) for each in node.sent]
    assert [each.to_dict() for each in pending(transactions.account)] == [
        {"txHash": first, **common, **means, "created": created[0]},
        {"txHash": hashes[1], **common, **means, "created": created[1], "replaces": first},
        {"txHash": hashes[2], **common, **nothing, "created": created[2], "replaces": first},
    ]


# --- prices --------------------------------------------------------------------------------------


def offer(**prices):
    common = {"nonce": 0, "gas": 1, "to": None, "value": 0, "data": b"", "chain_id": 1}
    return Transaction(**common, **prices)


DYNAMIC = {"max_fee_per_gas": 100, "max_priority_fee_per_gas": 8}


@pytest.mark.parametrize(
    ("now", "rivals", "expected"),
    [
        ({"gas_price": 5}, [{"gas_price": 100}], {"gas_price": 113}),
        ({"gas_price": 500}, [{"gas_price": 100}], {"gas_price": 500}),
        ({"gas_price": 0}, [{"gas_price": 0}], {"gas_price": 1}),
        ({"gas_price": 5}, [{"gas_price": 100}, {"gas_price": 200}], {"gas_price": 225}),
        ({"gas_price": 5}, [DYNAMIC], {"gas_price": 113}),
        (
            {"max_fee_per_gas": 1, "max_priority_fee_per_gas": 1},
            [DYNAMIC],
            {"max_fee_per_gas": 113, "max_priority_fee_per_gas": 9},
        ),
        (
            {"max_fee_per_gas": 900, "max_priority_fee_per_gas": 1},
            [DYNAMIC],
            {"max_fee_per_gas": 900, "max_priority_fee_per_gas": 9},
        ),
        (
            {"max_fee_per_gas": 150, "max_priority_fee_per_gas": 120},
            [DYNAMIC],
            {"max_fee_per_gas": 150, "max_priority_fee_per_gas": 120},
        ),
        (
            {"max_fee_per_gas": 1, "max_priority_fee_per_gas": 120},
            [DYNAMIC],
            {"max_fee_per_gas": 120, "max_priority_fee_per_gas": 120},
        ),
        ({"gas_price": 0}, [{"gas_price": 8}], {"gas_price": 9}),
        ({"gas_price": 0}, [{"gas_price": 16}], {"gas_price": 18}),
        ({"gas_price": 0}, [{"gas_price": 17}], {"gas_price": 20}),
        (
            {"max_fee_per_gas": 150, "max_priority_fee_per_gas": 1},
            [{"gas_price": 160}],
            {"max_fee_per_gas": 180, "max_priority_fee_per_gas": 180},
        ),
    ],
)
def test_prices(now, rivals, expected):
    found = raised(Quote(gas=1, **now), [offer(**each) for each in rivals], None)
    assert found == Quote(gas=1, **expected)


def test_the_users_price(sender, node, clock):
    transactions = sender(gas_price=10 * GWEI)
    first = give_up(transactions)
    with pytest.raises(ValidationError) as caught:
        speed_up(transactions, first, gas_price=11_249_999_999)
    assert str(caught.value) == (
        "gas_price 11249999999 wei is too low to replace a transaction: at least 11250000000 wei"
    )
    assert len(transactions.account.entries()) == 1
    meanwhile(clock, node.mine)
    speed_up(transactions, first, gas_price=11_250_000_000)
    assert node.sent[1].transaction.gas_price == 11_250_000_000


def test_the_price_of_the_client_is_raised(sender, node, clock):
    transactions = sender(gas_price=10 * GWEI)
    first = give_up(transactions)
    meanwhile(clock, node.mine)
    speed_up(transactions, first)
    assert node.sent[1].transaction.gas_price == 11_250_000_000


# --- as users call it ----------------------------------------------------------------------------


def test_the_wallet(node):
    iexec = IExec("http://127.0.0.1:1", KEY, chain=CHAIN)
    iexec._context.once("http", lambda: node)
    assert iexec.wallet.pending_transactions() == []
    with pytest.raises(ValidationError, match="tx_hash"):
        iexec.wallet.speed_up_transaction("0x12")
    with pytest.raises(ValidationError, match="-1 is not a valid amount"):
        iexec.wallet.cancel_transaction(OTHER_HASH, gas_price=-1)
    with pytest.raises(StateError, match="no transaction"):
        iexec.wallet.cancel_transaction(OTHER_HASH.upper().replace("X", "x"), gas_price="3 gwei")
    account = iexec._context.transactions.account
    what = Intent(chain_id=4242, sender=WHO, operation="sendETH", arguments={"amount": "5"})
    account.add(what.key, what.to_dict(), 7, tx_hash=OTHER_HASH, raw=b"x")
    [found] = iexec.wallet.pending_transactions()
    assert found.to_dict() == {
        "txHash": OTHER_HASH,
        "nonce": 7,
        "operation": "sendETH",
        "arguments": {"amount": "5"},
        "state": INTENDED,
        "created": found.created,
        "live": True,
    }
