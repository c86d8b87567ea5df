"""The bridge between two chains in memory: limits, blocks and logs, and what pays what out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import (
    BridgeError,
    ConfigurationError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
)
from iexec_lite.eth.codec import to_hex
from iexec_lite.net.rpc import OTHER_NODE
from iexec_lite.protocol.chains import CHAINS, Chain
from iexec_lite.protocol.contracts import BRIDGE, TOKEN
from iexec_lite.protocol.units import shown
from iexec_lite.sdk import bridge
from iexec_lite.sdk.wallet import Wallet

from .hub import BRIDGE_ADDRESS, ME, OTHER, Context
from .hub import TOKEN as TOKEN_ADDRESS

RLC, WEI = 10**9, 10**18
AWAY = "0x" + "77" * 20  # the bridge on the other chain
SENT = f"0x{1:064x}"
PAID = "0x" + "9a" * 32


def word(value: int | str) -> str:
    number = int(value, 16) if isinstance(value, str) else value
    return f"0x{number:064x}"


def payment(
    native: bool, *, to: str = ME, value: int = 5 * RLC, of: str = SENT, by: str = AWAY
) -> dict[str, Any]:
    """A log of the other side: paid so much (nRLC, or wei where the coin is RLC)."""
    event = BRIDGE.AffirmationCompleted if native else BRIDGE.RelayedMessage
    data = to_hex(bytes.fromhex(word(to)[2:] + word(value)[2:] + of[2:]))
    return {"address": by, "topics": [event.topic], "data": data, "transactionHash": PAID}


def paid_in(value: int, to: str = BRIDGE_ADDRESS, by: str = TOKEN_ADDRESS) -> dict[str, Any]:
    """A log of the token: so much came to the bridge here."""
    topics = [TOKEN.Transfer.topic, word(OTHER), word(to)]
    return {"address": by, "topics": topics, "data": word(value)}


class Chains:
    """Two chains of which the first has a bridge to the second; blocks are ten seconds long."""

    def __init__(self, *, native: bool) -> None:
        self.here = Context(bridge_contract=BRIDGE_ADDRESS, native=native)
        self.there = Context(bridge_contract=AWAY, native=not native)
        self.here.has_bridged, self.here.bridged = True, self.there  # type: ignore[attr-defined]
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.queries: list[dict[str, Any]] = []
        unit = WEI if native else RLC
        limits = {BRIDGE.minPerTx: 2, BRIDGE.maxPerTx: 9, BRIDGE.dailyLimit: 20}
        self.here.answers |= {each.name: amount * unit for each, amount in limits.items()}
        self.here.answers |= {
            BRIDGE.getCurrentDay.name: 10,
            BRIDGE.withinLimit.name: True,
            BRIDGE.totalSpentPerDay.name: 18 * WEI,
            TOKEN.balanceOf.name: 8 * RLC,
        }
        self.here.methods["eth_getBalance"] = hex(8 * WEI)
        self.blocks(self.here, 864_000, 3000)
        self.blocks(self.there, 0, 500)

    def blocks(self, context: Context, first: int, count: int) -> None:
        """Blocks from 0; the time of the first of them."""
        context.methods |= {
            "eth_blockNumber": hex(count - 1),
            "eth_getBlockByNumber": lambda number, full: {
                (False, True): {"timestamp": hex(first + 10 * int(number, 16))}
            }.get((full, int(number, 16) < count)),
            "eth_getLogs": self._find,
        }

    def _find(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        self.queries.append(query)
        return self.logs.get(query["address"], [])


@pytest.fixture
def out() -> Chains:
    """From where RLC is a token."""
    return Chains(native=False)


@pytest.fixture
def back() -> Chains:
    """From where RLC is the coin."""
    return Chains(native=True)


def send(chains: Chains, nrlc: int = 5 * RLC, **more: Any) -> Any:
    move = bridge.to_mainchain if chains.here.chain.native else bridge.to_sidechain
    return move(chains.here, nrlc, **{"timeout": 0, "new": False, **more})  # type: ignore[arg-type]


# ---- to and fro ----------------------------------------------------------------------------------


def test_out(out: Chains) -> None:
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    found = send(out)
    assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, PAID)
    data = TOKEN.transfer.encode(BRIDGE_ADDRESS, 5 * RLC)
    expect = {"expect": [(TOKEN.Transfer, TOKEN_ADDRESS)], "new": False}
    amount = {"amount": str(5 * RLC)}
    assert out.here.sent == [("bridgeToSidechain", amount, TOKEN_ADDRESS, data, expect)]


def test_back(back: Chains) -> None:
    back.logs[AWAY] = [payment(False)]
    found = send(back, new=True)
    assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, PAID)
    amount, value = {"amount": str(5 * RLC)}, {"value": 5 * WEI, "new": True}
    assert back.here.sent == [("bridgeToMainchain", amount, BRIDGE_ADDRESS, b"", value)]


def test_the_wallet_goes_over_the_bridge(out: Chains, back: Chains) -> None:
    for chains, move in ((out, "bridge_to_sidechain"), (back, "bridge_to_mainchain")):
        unit = RLC if chains is back else WEI
        chains.logs[AWAY] = [payment(chains is out, value=5 * unit)]
        wallet = Wallet(chains.here)  # type: ignore[arg-type]
        found = getattr(wallet, move)("5 RLC", timeout=0, new=True)
        assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, PAID)
        assert chains.here.sent[0][1] == {"amount": str(5 * RLC)}
        assert chains.here.sent[0][4]["new"] is True
        known(chains)
        found = wallet.wait_for_bridge(SENT, timeout=0)
        assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, PAID)


def test_what_is_paid_is_looked_for_from_where_it_was_sent(out: Chains) -> None:
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    send(out)
    (query,) = (each for each in out.queries if each["address"] == AWAY)
    assert (query["fromBlock"], query["toBlock"]) == (hex(499), hex(499))
    assert query["topics"] == [BRIDGE.AffirmationCompleted.topic]


def test_where_the_other_side_is_not_known(out: Chains) -> None:
    out.here.has_bridged = False  # type: ignore[attr-defined]
    found = send(out)
    assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, None)


@pytest.mark.parametrize(
    ("native", "text"),
    [(True, "Current chain is a sidechain"), (False, "Current chain is a mainchain")],
)
def test_the_wrong_way(native: bool, text: str) -> None:
    chains = Chains(native=native)
    move = bridge.to_sidechain if native else bridge.to_mainchain
    with pytest.raises(StateError) as caught:
        move(chains.here, 5 * RLC, timeout=0, new=False)  # type: ignore[arg-type]
    assert caught.value.message == text


def test_without_a_bridge(out: Chains, back: Chains) -> None:
    for chains in (out, back):
        known(chains)
        object.__setattr__(chains.here.chain, "bridge_contract", None)
        for move in (send, wait):
            with pytest.raises(ConfigurationError, match=r"^bridge_address is not given"):
                move(chains)
    assert out.here.sent == back.here.sent == []


def test_what_is_paid_is_looked_for_everywhere_if_nobody_knows_since_when(out: Chains) -> None:
    """A call that did not know the other side has sent: its note is empty."""
    send_, out.here.send = out.here.send, lambda *a, note, **k: send_(*a, note={}, **k)  # type: ignore
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    assert send(out).receive_tx_hash == PAID
    (query,) = (each for each in out.queries if each["address"] == AWAY)
    assert query["fromBlock"] == "0x0"


# ---- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("nrlc", "text"),
    [
        (2 * RLC - 1, "Minimum amount allowed to bridge is 2.0 RLC"),
        (9 * RLC + 1, "Maximum amount allowed to bridge is 9.0 RLC"),
    ],
)
def test_one_transfer_is_limited(native: bool, nrlc: int, text: str) -> None:
    chains = Chains(native=native)
    chains.here.answers[TOKEN.balanceOf.name] = 99 * RLC
    chains.here.methods["eth_getBalance"] = hex(99 * WEI)
    with pytest.raises(StateError) as caught:
        send(chains, nrlc)
    assert caught.value.message == text
    assert chains.here.sent == []
    chains.logs[AWAY] = [payment(not native, value=2 * (RLC if native else WEI))]
    send(chains, 2 * RLC)
    chains.logs[AWAY] = [payment(not native, value=9 * (RLC if native else WEI), of=word(2))]
    send(chains, 9 * RLC)


def test_no_more_than_the_wallet_holds(out: Chains, back: Chains) -> None:
    for chains in (out, back):
        with pytest.raises(StateError, match="Amount to bridge exceed wallet balance"):
            send(chains, 8 * RLC + 1)


def test_a_day_is_limited(out: Chains) -> None:
    """By what came to the bridge since the day began, whoever sent it."""
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    others = [paid_in(99 * RLC, to=OTHER), paid_in(99 * RLC, by=OTHER)]
    out.logs[TOKEN_ADDRESS] = [*others, paid_in(RLC)]  # in each of three windows
    out.here.answers[BRIDGE.dailyLimit.name] = 8 * RLC
    send(out)
    queries = [each for each in out.queries if each["address"] == TOKEN_ADDRESS]
    ends = [(int(each["fromBlock"], 16), int(each["toBlock"], 16)) for each in queries]
    assert ends == [(0, 999), (1000, 1999), (2000, 2999)]
    assert queries[0]["topics"] == [TOKEN.Transfer.topic, None, word(BRIDGE_ADDRESS)]
    out.here.answers[BRIDGE.dailyLimit.name] = 8 * RLC - 1
    with pytest.raises(StateError) as caught:
        send(out)
    assert caught.value.message == (
        "Amount to bridge would exceed bridge daily limit. "
        "3.0/7.999999999 RLC already bridged today."
    )
    assert caught.value.details == {"spent": str(3 * RLC), "limit": str(8 * RLC - 1)}


@pytest.mark.parametrize(("begin", "first"), [(864_000, 0), (863_000, 100), (840_000, 2400)])
def test_a_day_begins_with_its_first_block(out: Chains, begin: int, first: int) -> None:
    out.blocks(out.here, begin, 3000)
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    send(out)
    query = next(each for each in out.queries if each["address"] == TOKEN_ADDRESS)
    assert int(query["fromBlock"], 16) == first


def test_a_day_without_a_block_has_spent_nothing(out: Chains) -> None:
    out.blocks(out.here, 0, 3000)
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    out.logs[TOKEN_ADDRESS] = [paid_in(99 * RLC)]
    assert send(out).receive_tx_hash == PAID


def test_a_day_is_limited_on_the_way_back(back: Chains) -> None:
    back.here.answers[BRIDGE.withinLimit.name] = lambda to, block, wei: wei != 5 * WEI
    back.here.answers[BRIDGE.totalSpentPerDay.name] = lambda to, block, day: day * WEI
    with pytest.raises(StateError) as caught:
        send(back)
    assert caught.value.details == {"spent": str(10 * RLC), "limit": str(20 * RLC)}
    back.logs[AWAY] = [payment(False, value=6 * RLC)]
    assert send(back, 6 * RLC).receive_tx_hash == PAID


@pytest.mark.parametrize("timeout", [-1, "1", True, float("nan"), None])
def test_a_timeout_that_is_none(out: Chains, timeout: Any) -> None:
    known(out)
    for call in (send, wait):
        with pytest.raises(ValidationError) as caught:
            call(out, timeout=timeout)
        text = f"timeout must be a number of seconds from 0, got {shown(timeout)}"
        assert caught.value.message == text
    assert out.here.sent == out.queries == []


@pytest.mark.parametrize("native", [False, True])
def test_a_node_that_answers_nonsense(native: bool) -> None:
    chains = Chains(native=native)
    chains.here.methods["eth_blockNumber"] = chains.there.methods["eth_blockNumber"] = "five"
    with pytest.raises(Web3ProviderCallError) as caught:
        send(chains)
    assert caught.value.message == f"the node gave no 0x hex number for eth_blockNumber{OTHER_NODE}"


# ---- what is seen of the other side --------------------------------------------------------------


def test_payments_of_others_are_not_ours(out: Chains) -> None:
    out.logs[AWAY] = [
        payment(True, value=5 * WEI, of=word(99)),
        payment(True, value=5 * WEI, by=OTHER),
    ]
    with pytest.raises(BridgeError) as caught:
        send(out)
    assert caught.value.message == failed("the other side has not paid within 0 s")
    assert caught.value.send_tx_hash == SENT


def failed(why: str) -> str:
    return (
        f"Failed to get bridged chain confirmation for transaction {SENT}: {why}. Nothing is lost: "
        f"the same call, or wait_for_bridge('{SENT}'), goes on waiting"
    )


@pytest.mark.parametrize(
    ("log", "paid", "to"),
    [
        (payment(True, value=4 * WEI), "4.0", ME),
        (payment(True, value=5 * WEI, to=OTHER), "5.0", OTHER),
    ],
)
def test_a_payment_that_is_wrong(out: Chains, log: dict[str, Any], paid: str, to: str) -> None:
    out.logs[AWAY] = [log]
    with pytest.raises(BridgeError) as caught:
        send(out)
    assert caught.value.message == failed(
        f"the other side paid {paid} RLC to {to}, not 5.0 RLC to {ME}: ask who runs the bridge"
    )
    cause = caught.value.__cause__
    assert isinstance(cause, StateError)
    assert cause.details == {"paid": paid[0] + "0" * 9, "recipient": to}


def test_it_is_waited_for(out: Chains) -> None:
    heads = iter([hex(499), hex(499), hex(500), hex(520)])
    out.there.methods["eth_blockNumber"] = lambda: next(heads)
    found = iter([[], [], [payment(True, value=5 * WEI)]])
    queries: list[tuple[int, int]] = []

    def logs(query: dict[str, Any]) -> Any:
        queries.append((int(query["fromBlock"], 16), int(query["toBlock"], 16)))
        return next(found)

    out.there.methods["eth_getLogs"] = logs
    assert send(out, timeout=60).receive_tx_hash == PAID
    assert queries == [(499, 499), (500, 500), (501, 520)]  # no block is asked for twice


def test_only_what_is_deep_enough_is_seen(out: Chains) -> None:
    out.there.settled = 600
    out.logs[AWAY] = [payment(True, value=5 * WEI)]
    send(out)
    (query,) = (each for each in out.queries if each["address"] == AWAY)
    assert (query["fromBlock"], query["toBlock"]) == (hex(499), hex(600))


def test_a_node_without_logs(out: Chains) -> None:
    out.there.methods["eth_getLogs"] = None
    out.there.methods["eth_blockNumber"] = hex(499)
    logs = bridge._logs(out.there, AWAY, [], 0, 0)  # type: ignore[arg-type]
    with pytest.raises(Web3ProviderCallError) as caught:
        list(logs)
    assert (caught.value.message, caught.value.retryable) == ("eth_getLogs gave no list", True)


# ---- a transfer of which the transaction is known ------------------------------------------------


def known(chains: Chains, **changes: Any) -> None:
    """A mined transaction that has sent 5 RLC, in block 200."""
    token = TOKEN.transfer.encode(BRIDGE_ADDRESS, 5 * RLC)
    transaction = {
        **{"hash": SENT, "from": ME, "to": TOKEN_ADDRESS, "input": to_hex(token), "value": "0x0"},
        **({"to": BRIDGE_ADDRESS, "value": hex(5 * WEI)} if chains.here.chain.native else {}),
    }
    receipt = {"status": changes.pop("status", "0x1"), "blockNumber": hex(200)}
    chains.here.methods |= {
        "eth_getTransactionByHash": {**transaction, **changes},
        "eth_getTransactionReceipt": receipt,
    }
    chains.blocks(chains.here, 0, 3000)


def wait(chains: Chains, timeout: Any = 0) -> Any:
    return bridge.wait(chains.here, SENT, timeout=timeout)  # type: ignore[arg-type]


@pytest.mark.parametrize("native", [False, True])
def test_waiting_for_a_known_transfer(native: bool) -> None:
    chains = Chains(native=native)
    known(chains)
    chains.blocks(chains.there, 9, 500)
    chains.logs[AWAY] = [payment(not native, value=5 * (RLC if native else WEI))]
    found = wait(chains)
    assert (found.send_tx_hash, found.receive_tx_hash) == (SENT, PAID)
    # from a quarter of an hour before it was sent, as clocks differ
    (query,) = (each for each in chains.queries if each["address"] == AWAY)
    assert int(query["fromBlock"], 16) == (2000 - 900) // 10  # it came at second 1109


@pytest.mark.parametrize(
    ("native", "changes"),
    [
        (False, {"status": "0x0"}),
        (False, {"to": OTHER}),
        (False, {"input": to_hex(TOKEN.transfer.encode(OTHER, 5 * RLC))}),
        (False, {"input": to_hex(TOKEN.approve.encode(BRIDGE_ADDRESS, 5 * RLC))}),
        (False, {"input": "0x"}),
        (False, {"input": to_hex(TOKEN.transfer.encode(BRIDGE_ADDRESS, 5 * RLC) + b"\0")}),
        (True, {"to": OTHER}),
        (True, {"status": "0x0"}),
    ],
)
def test_a_transaction_that_sent_nothing(native: bool, changes: dict[str, Any]) -> None:
    chains = Chains(native=native)
    known(chains, **changes)
    with pytest.raises(StateError) as caught:
        wait(chains)
    assert caught.value.message == (
        f"transaction {SENT} has sent nothing to the bridge {BRIDGE_ADDRESS}"
    )


def test_a_transaction_that_is_not_there(out: Chains) -> None:
    known(out)
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        kept, out.here.methods[method] = out.here.methods[method], None
        with pytest.raises(StateError, match=f"{SENT} is not mined on chain 4242"):
            wait(out)
        out.here.methods[method] = kept
    known(out, hash=word(5))
    with pytest.raises(Web3ProviderCallError, match=f"has given another transaction than {SENT}$"):
        wait(out)
    with pytest.raises(ValidationError, match=r"^send_tx_hash: 0x12 is not"):
        bridge.wait(out.here, "0x12", timeout=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "name", "given", "text"),
    [
        ("Hash", "input", "five", "no 0x hex data for input"),
        ("Hash", "from", "alice.eth", "no 0x hex data for from"),  # a name is not looked up
        ("Hash", "from", ME[:-2], "19 bytes for from instead of 20"),
        ("Receipt", "blockNumber", "five", "no 0x hex number for blockNumber"),
    ],
)
def test_a_transaction_that_is_nonsense(
    out: Chains, where: str, name: str, given: str, text: str
) -> None:
    known(out)
    (method,) = (each for each in out.here.methods if each.endswith(where))
    out.here.methods[method] = {**out.here.methods[method], name: given}
    with pytest.raises(Web3ProviderCallError) as caught:
        wait(out)
    assert caught.value.message == f"the node gave {text}{OTHER_NODE}"


@pytest.mark.parametrize(
    ("block", "text", "retryable"),
    [
        (None, "the node has no block 200", True),
        ({}, f"the node gave no 0x hex number for timestamp{OTHER_NODE}", False),
    ],
)
def test_a_block_that_is_not_there(out: Chains, block: Any, text: str, retryable: bool) -> None:
    known(out)
    out.here.methods["eth_getBlockByNumber"] = block
    with pytest.raises(Web3ProviderCallError) as caught:
        wait(out)
    assert (caught.value.message, caught.value.retryable) == (text, retryable)


# ---- the other end -------------------------------------------------------------------------------


def test_the_other_end_of_a_known_chain() -> None:
    found = bridge.bridged_chain(CHAINS["mainnet"], None)
    assert (found.name, found.id, found.native) == ("bellecour", 134, True)
    assert found.bridge_contract == CHAINS["bellecour"].bridge_contract
    given = {
        "rpc_url": "https://n.org",
        "bridge_address": AWAY,
        "hub_address": OTHER,
        "chain_id": 1,
    }
    found = bridge.bridged_chain(CHAINS["bellecour"], given)
    assert (found.host, found.bridge_contract, found.hub) == ("https://n.org", AWAY, OTHER)
    assert (found.name, found.native) == ("mainnet", False)


def test_the_other_end_of_another_chain() -> None:
    here = Chain(id=4242, name="test", hub=OTHER, native=True)
    given: dict[str, Any] = {"chain_id": "7", "rpc_url": "http://n", "bridge_address": AWAY}
    found = bridge.bridged_chain(here, given)
    assert (found.id, found.native, found.host) == (7, False, "http://n")
    for name, what, where in (
        ("chain_id", "chainId", "your chain 4242"),
        ("rpc_url", "rpcURL", "bridged chain 7"),
        ("bridge_address", "bridgeAddress", "bridged chain 7"),
    ):
        rest = {key: value for key, value in given.items() if key != name}
        with pytest.raises(ConfigurationError) as caught:
            bridge.bridged_chain(here, rest)
        assert caught.value.message == (
            f"Missing {what} in bridgedNetworkConf and no default value for {where}"
        )
    with pytest.raises(ConfigurationError, match="Missing rpcURL"):
        bridge.bridged_chain(here, {**given, "rpc_url": "ws://n"})


def test_the_other_end_known_by_name_alone() -> None:
    here = Chain(id=4242, name="test", hub=OTHER, bridged_chain="bellecour", flavour="enterprise")
    found = bridge.bridged_chain(here, None)
    assert (found.id, found.native) == (134, True)  # of an enterprise chain nothing follows
    nowhere = Chain(id=4242, name="test", hub=OTHER)
    with pytest.raises(ConfigurationError, match=r"^Missing chainId in bridged"):
        bridge.bridged_chain(nowhere, {})


def test_another_chain_than_the_known_one_takes_nothing_of_it() -> None:
    given = {"chain_id": 7, "rpc_url": "http://n", "bridge_address": AWAY}
    found = bridge.bridged_chain(CHAINS["mainnet"], given)
    assert (found.id, found.hub, found.native) == (7, None, True)


def test_the_other_end_in_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("IEXEC_LITE_HOME", raising=False)
    folder = tmp_path / "iexec-lite" / "sandbox"
    folder.mkdir(parents=True)
    side = Chain(id=31338, name="sandbox-side", hub=OTHER, host="http://s", bridge_contract=AWAY)
    (folder / "side.chain.json").write_text(json.dumps(side.to_dict()), "utf-8")
    here = Chain(id=31337, name="sandbox", hub=OTHER, bridged_chain="sandbox-side")
    found = bridge.bridged_chain(here, None)
    assert (found.id, found.host, found.bridge_contract) == (31338, "http://s", AWAY)
