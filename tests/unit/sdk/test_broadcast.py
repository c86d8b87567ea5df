"""Offering the same bytes: how often, what is asked in between, and what is said at the end."""

from __future__ import annotations

import pytest

from iexec_lite.errors import OutcomeUnknownError, TransportError, Web3ProviderSendError
from iexec_lite.eth.codec import to_hex
from iexec_lite.net.rpc import Rpc
from iexec_lite.sdk.broadcast import Broadcast, NonceTaken

from .test_replacement import offer
from .test_transactions import CUT, DEAF, SIGNER, Node, error

SEND = "eth_sendRawTransaction"
LOOK = ["eth_getTransactionReceipt", "eth_getTransactionByHash"]


@pytest.fixture
def signed():
    return SIGNER.sign_transaction(offer(gas_price=1))


@pytest.fixture
def node():
    return Node()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def broadcast(node, pauses):
    return Broadcast(Rpc("http://127.0.0.1:1/", http=node), pauses.append)


@pytest.fixture
def send(broadcast, signed):
    return lambda in_doubt=False: broadcast.send(to_hex(signed.hash), signed.raw, in_doubt=in_doubt)


def test_what_is_taken_is_offered_once(node, send, signed, pauses, caplog):
    caplog.set_level("DEBUG", "iexec_lite")
    send()
    assert (node.methods, node.raws, pauses) == ([SEND], [to_hex(signed.raw)], [])
    assert f"sent {to_hex(signed.hash)}" in caplog.messages


@pytest.mark.parametrize("message", ["already known", "known transaction: 12", "AlreadyKnown"])
def test_what_is_known_is_not_looked_for(node, send, signed, pauses, caplog, message):
    caplog.set_level("DEBUG", "iexec_lite")
    node.faults[SEND] = [error(message)]
    send()
    assert (node.methods, pauses) == ([SEND], [])
    assert f"sending {to_hex(signed.hash)}: already_known" in caplog.messages


def test_a_lost_answer_is_looked_for_before_it_is_repeated(node, send, signed, pauses, caplog):
    caplog.set_level("DEBUG", "iexec_lite")
    node.faults[SEND] = [CUT]
    send()
    assert (node.methods, pauses) == ([SEND, *LOOK], [])
    assert f"sending {to_hex(signed.hash)}: {TransportError.code}" in caplog.messages


def test_it_is_offered_four_times_in_longer_and_longer_pauses(node, send, signed, pauses):
    node.faults[SEND] = [DEAF, DEAF, DEAF, error("upstream failed")]
    with pytest.raises(OutcomeUnknownError) as caught:
        send()
    assert node.methods == [SEND, *LOOK] * 4
    assert pauses == [0.5, 1.0, 2.0]  # and none before the end
    tx_hash = to_hex(signed.hash)
    cause = "processing response error: upstream failed (if it stays so, use another node)"
    assert caught.value.to_dict() == {
        "name": "OutcomeUnknownError",
        "code": "outcome_unknown",
        "message": f"transaction {tx_hash} was signed, but whether a node has it is unknown: "
        f"{cause}. The same call again resumes it",
        "retryable": True,
        "txHash": tx_hash,
    }
    assert str(caught.value.cause) == cause


@pytest.mark.parametrize("at", range(4))
def test_each_of_the_four_may_be_the_one(node, send, at):
    node.faults[SEND] = [DEAF] * at
    send()
    assert len(node.mined) == 1
    assert node.methods.count(SEND) == at + 1


@pytest.mark.parametrize("message", ["nonce too low", "replacement transaction underpriced"])
def test_a_nonce_that_is_taken_is_told_when_the_bytes_are_nowhere(node, send, pauses, message):
    """Nodes behind one name may lag: it is looked for three times."""
    node.faults[SEND] = [error(message)]
    with pytest.raises(NonceTaken) as caught:
        send()
    assert caught.value.__cause__.node_message == message
    assert node.methods == [SEND, *LOOK * 3]
    assert len(pauses) == 2


def test_a_nonce_that_is_taken_by_the_same_bytes_is_success(node, send, signed, pauses):
    node.eth_sendRawTransaction(to_hex(signed.raw))
    node.faults[LOOK[0]] = [{"result": None}]
    node.faults[LOOK[1]] = [{"result": None}]
    send()
    assert node.methods == [SEND, *LOOK * 2]
    assert len(pauses) == 1


def test_a_nonce_too_low_in_doubt_is_for_who_waits(node, send):
    node.faults[SEND] = [error("nonce too low")]
    send(in_doubt=True)
    assert node.methods == [SEND, *LOOK * 3]


def test_too_low_a_price_in_doubt_is_offered_on(node, send, pauses):
    node.faults[SEND] = [error("replacement transaction underpriced")]
    send(in_doubt=True)
    assert len(node.mined) == 1
    assert pauses[-1] == 0.5


@pytest.mark.parametrize("message", ["nonce too low", "replacement transaction underpriced"])
def test_where_nobody_can_look_nothing_is_certain(node, send, message):
    node.faults[SEND] = [error(message)] * 4
    node.faults[LOOK[0]] = [DEAF] * 4
    if message == "nonce too low":
        send()
        assert node.methods == [SEND, LOOK[0]]
    else:
        with pytest.raises(OutcomeUnknownError, match="replacement fee too low"):
            send()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            "insufficient funds for gas * price + value",
            "insufficient funds for intrinsic transaction cost: the account needs more of the "
            "chain's coin",
        ),
        (
            "intrinsic gas too low",
            "processing response error: intrinsic gas too low (the node does not take this, see "
            "its words)",
        ),
    ],
)
def test_a_refusal_is_one_only_without_doubt(node, send, pauses, message, text):
    node.faults[SEND] = [error(message)]
    with pytest.raises(Web3ProviderSendError) as caught:
        send()
    assert type(caught.value) is Web3ProviderSendError
    assert str(caught.value) == text
    assert caught.value.details["nodeMessage"] == message
    assert (node.methods, pauses) == ([SEND, *LOOK], [])
    node.faults[SEND] = [error(message)] * 4
    with pytest.raises(OutcomeUnknownError):
        send(in_doubt=True)


def test_once_more_whatever_the_node_says(node, broadcast, signed, pauses, caplog):
    caplog.set_level("DEBUG", "iexec_lite")
    node.faults[SEND] = [error("already known"), DEAF]
    for _ in range(3):
        broadcast.again(signed.raw)
    assert node.methods == [SEND] * 3
    said = [each for each in caplog.messages if each.startswith("offered again")]
    assert said == ["offered again: already_known", f"offered again: {TransportError.code}"]
    assert len(node.mined) == 1


def test_whether_it_has_arrived(node, broadcast, signed, pauses):
    tx_hash = to_hex(signed.hash)
    assert broadcast.has_arrived(tx_hash) is False
    assert broadcast.has_arrived(tx_hash, (1, 2)) is False
    assert pauses == [1, 2]
    node.faults[LOOK[1]] = [error("header not found")]
    assert broadcast.has_arrived(tx_hash, (3,)) is None
    node.faults[LOOK[0]] = [DEAF]
    assert broadcast.has_arrived(tx_hash, (3,)) is None
    node.eth_sendRawTransaction(to_hex(signed.raw))
    assert broadcast.has_arrived(tx_hash, (3,)) is True
    assert pauses == [1, 2]


def test_a_refusal_by_the_next_node_is_not_certain(node, signed, pauses):
    """The first took it, and its answer was lost: a new call would buy twice."""
    node.automine = False
    rpc = Rpc(["http://127.0.0.1:1/", "http://127.0.0.1:2/"], http=node)
    node.faults[SEND] = [CUT, error("insufficient funds")] * 4
    node.faults[LOOK[0]] = node.faults[LOOK[1]] = [{"result": None}] * 99
    with pytest.raises(OutcomeUnknownError, match="insufficient funds for intrinsic"):
        Broadcast(rpc, pauses.append).send(to_hex(signed.hash), signed.raw, in_doubt=False)
    assert list(node.pool) == [to_hex(signed.hash)]
