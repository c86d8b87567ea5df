"""RLC over the bridge between two real chains: both ways, limits, and an other side that hangs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import (
    BridgeError,
    ConfigurationError,
    IExecError,
    StateError,
    ValidationError,
)
from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.net.rpc import Rpc, quantity
from iexec_lite.protocol.contracts import BRIDGE, TOKEN, Method
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.bridge import DAILY, LEAST, MOST, VALIDATOR, Bridge
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.file_journal import FileJournal

ROOT = Path(__file__).resolve().parents[2]
ME, OTHER = (accounts.addresses()[name] for name in ("requester", "worker-1"))
RLC = 10**9
Client = Callable[..., IExec]


@pytest.fixture(scope="session")
def pair_of_chains(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("bridge")
    with Sandbox(folder, kit=kit, fresh=True, bridge=True) as sandbox:
        yield sandbox


@pytest.fixture
def token(pair_of_chains: Sandbox) -> Iterator[Sandbox]:
    """The token chain; ``.bridged`` is the native one, ``.bridge`` what carries between them."""
    sandbox = pair_of_chains
    assert sandbox.bridged
    assert sandbox.bridge
    nodes = [sandbox.node.rpc, sandbox.bridged.node.rpc]
    kept = [rpc.request("evm_snapshot") for rpc in nodes]
    sandbox.bridge.reset()
    yield sandbox
    for rpc, snapshot in zip(nodes, kept, strict=True):
        assert rpc.request("evm_revert", (snapshot,)) is True


@pytest.fixture
def native(token: Sandbox) -> Sandbox:
    assert token.bridged
    return token.bridged


def conf(other: Sandbox, **changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "rpc_url": other.node.url,
        "chain_id": other.chain.id,
        "hub_address": other.chain.hub,
        "bridge_address": other.chain.bridge_contract,
    }
    return {**found, **changes}


@pytest.fixture
def rich(token: Sandbox, native: Sandbox, client: Client) -> IExec:
    """The requester on the token chain."""
    return client(token, "requester", bridged_network_conf=conf(native))


@pytest.fixture
def back(token: Sandbox, native: Sandbox, client: Client) -> IExec:
    """The requester on the native chain."""
    return client(native, "requester", bridged_network_conf=conf(token))


@pytest.fixture
def relay(token: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The validators work whenever somebody asks for logs; ``relay[0] = False`` stops them."""
    works = [True]
    request = Rpc.request
    bridge = token.bridge
    assert bridge

    def asking(self: Rpc, method: str, params: Any = ()) -> Any:
        if method == "eth_getLogs" and works[0]:
            works[0] = False  # not while they ask themselves
            bridge.run_once()
            works[0] = True
        return request(self, method, params)

    monkeypatch.setattr(Rpc, "request", asking)
    return works


def balances(rich: IExec) -> tuple[int, int]:
    """nRLC of the requester on the token chain, and on the other."""
    here = rich.wallet.check_balances(ME).nrlc
    return here, rich.wallet.check_bridged_balances(ME).nrlc


# --- both ways ----------------------------------------------------------------------------------


def test_to_the_sidechain_and_back(
    rich: IExec, back: IExec, native: Sandbox, token: Sandbox, relay: Any
) -> None:
    before = balances(rich)
    there = rich.wallet.bridge_to_sidechain("7 RLC")
    assert balances(rich) == (before[0] - 7 * RLC, before[1] + 7 * RLC)
    home = back.wallet.bridge_to_mainchain("3 RLC")
    assert balances(rich) == (before[0] - 4 * RLC, before[1] + 4 * RLC)
    for sandbox, tx_hash in (
        (token, there.send_tx_hash),
        (native, there.receive_tx_hash),
        (native, home.send_tx_hash),
        (token, home.receive_tx_hash),
    ):
        receipt = sandbox.node.rpc.request("eth_getTransactionReceipt", (tx_hash,))
        assert receipt["status"] == "0x1"
    assert list(there.to_dict()) == ["sendTxHash", "receiveTxHash"]


def test_balances_on_the_other_side(rich: IExec, back: IExec, native: Sandbox) -> None:
    assert rich.wallet.check_bridged_balances(ME) == back.wallet.check_balances(ME)
    back.account.deposit("2 RLC")
    assert rich.account.check_bridged_balance(ME) == back.account.check_balance(ME)
    assert rich.account.check_bridged_balance(ME).stake == 2 * RLC


def test_nobody_knows_the_other_side(token: Sandbox, client: Client) -> None:
    """It is sent, and not waited for; what needs the other side says so."""
    chain = token.chain.with_overrides(bridged_chain=None, bridged_chain_id=None)
    with IExec(chain, accounts.signer("requester")) as iexec:
        sent = iexec.wallet.bridge_to_sidechain("1 RLC")
        assert sent.receive_tx_hash is None
        assert list(sent.to_dict()) == ["sendTxHash"]
        for call in (iexec.wallet.check_bridged_balances, iexec.account.check_bridged_balance):
            with pytest.raises(ConfigurationError, match="Missing chainId in bridgedNetworkConf"):
                call(ME)


# --- what is refused before ---------------------------------------------------------------------


def test_directions_and_options(
    token: Sandbox, native: Sandbox, rich: IExec, back: IExec, client: Client
) -> None:
    with pytest.raises(StateError, match="Current chain is a mainchain"):
        rich.wallet.bridge_to_mainchain(RLC)
    with pytest.raises(StateError, match="Current chain is a sidechain"):
        back.wallet.bridge_to_sidechain(RLC)
    lone = token.chain.with_overrides(bridge_contract=None, bridged_chain=None)
    with (
        IExec(lone, accounts.signer("requester")) as iexec,
        pytest.raises(ConfigurationError, match="bridge_address option not set"),
    ):
        iexec.wallet.bridge_to_sidechain(RLC)
    for changes, what in (
        ({"rpc_url": None}, "rpcURL"),
        ({"bridge_address": None}, "bridgeAddress"),
    ):
        iexec = client(token, "requester", bridged_network_conf=conf(native, **changes))
        with pytest.raises(ConfigurationError, match=f"Missing {what} in bridgedNetworkConf"):
            iexec.wallet.bridge_to_sidechain(RLC)
    for wrong in ({"url": "x"}, "text"):
        with pytest.raises(ConfigurationError, match="bridged_network_conf has the members"):
            IExec(token.chain, bridged_network_conf=wrong)  # type: ignore[arg-type]
    wrong_chain = client(
        token, "requester", bridged_network_conf=conf(native, chain_id=token.chain.id)
    )
    with pytest.raises(ConfigurationError, match="The node is on chain"):
        wrong_chain.wallet.bridge_to_sidechain(RLC)
    with pytest.raises(ValidationError, match="timeout"):
        rich.wallet.bridge_to_sidechain(RLC, timeout=-1)
    with pytest.raises(ValidationError, match="timeout"):
        rich.wallet.wait_for_bridge("0x" + "12" * 32, timeout=float("nan"))


@pytest.mark.parametrize("side", ["token", "native"])
def test_limits_of_one_transfer(side: str, rich: IExec, back: IExec) -> None:
    send = rich.wallet.bridge_to_sidechain if side == "token" else back.wallet.bridge_to_mainchain
    with pytest.raises(StateError, match=r"Minimum amount allowed to bridge is 1\.0 RLC"):
        send(LEAST - 1)
    with pytest.raises(StateError, match=r"Maximum amount allowed to bridge is 100000\.0 RLC"):
        send(MOST + 1)
    with pytest.raises(StateError, match="Amount to bridge exceed wallet balance"):
        send(10**18)


def new_day(sandbox: Sandbox) -> None:
    """The chain's next midnight, UTC: so no test runs into one."""
    rpc = sandbox.node.rpc
    now = quantity(rpc.request("eth_getBlockByNumber", ("latest", False))["timestamp"])
    rpc.request("evm_setNextBlockTimestamp", ((now // 86_400 + 1) * 86_400,))
    rpc.request("evm_mine")


def test_todays_limit_counts_this_one(rich: IExec, token: Sandbox, relay: Any) -> None:
    """What came yesterday does not count, but it does count whoever sent it."""
    rich.wallet.bridge_to_sidechain(MOST)
    new_day(token)
    assert token.chain.bridge_contract
    with IExec(token.chain, accounts.signer("admin")) as admin:
        admin.wallet.send_rlc(DAILY - 50_000 * RLC, token.chain.bridge_contract)
    with pytest.raises(StateError, match=r"daily limit\. 250000\.0/300000\.0 RLC already bridged"):
        rich.wallet.bridge_to_sidechain(50_000 * RLC + 1)
    rich.wallet.bridge_to_sidechain(50_000 * RLC)  # just what is left


def test_todays_limit_of_the_other_way(back: IExec, native: Sandbox) -> None:
    new_day(native)
    for _ in range(3):
        with pytest.raises(BridgeError):
            back.wallet.bridge_to_mainchain(MOST, timeout=0, new=True)
    with pytest.raises(StateError, match=r"daily limit\. 300000\.0/300000\.0 RLC already bridged"):
        back.wallet.bridge_to_mainchain(LEAST, timeout=0)


# --- what can go wrong after --------------------------------------------------------------------


def count(sandbox: Sandbox, address: str = ME) -> int:
    found = sandbox.node.rpc.request("eth_getTransactionCount", (address, "latest"))
    return quantity(found)


def test_a_silent_other_side(rich: IExec, token: Sandbox, relay: list[bool]) -> None:
    """The time-out loses nothing: the same call waits again and sends nothing."""
    relay[0] = False
    before = balances(rich)
    with pytest.raises(BridgeError, match="has not paid within 0 s") as caught:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    sent, tx_hash = count(token), caught.value.send_tx_hash
    assert caught.value.tx_hash == tx_hash
    assert isinstance(caught.value.cause, StateError)
    with pytest.raises(BridgeError) as again:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    assert again.value.send_tx_hash == tx_hash
    relay[0] = True
    done = rich.wallet.bridge_to_sidechain("5 RLC")
    assert done.send_tx_hash == tx_hash
    assert done.receive_tx_hash is not None
    assert count(token) == sent
    assert balances(rich) == (before[0] - 5 * RLC, before[1] + 5 * RLC)
    another = rich.wallet.bridge_to_sidechain("5 RLC")  # the first is settled
    assert another.send_tx_hash != tx_hash


def test_another_process_goes_on_waiting(
    token: Sandbox, native: Sandbox, tmp_path: Path, relay: list[bool]
) -> None:
    relay[0] = False
    options = {"bridged_network_conf": conf(native)}
    sent = []
    for timeout in (0, 60):  # a new client each: what is known is in the file, not in the process
        journal = FileJournal(tmp_path)
        with IExec(token.chain, accounts.signer("requester"), journal=journal, **options) as iexec:
            if timeout:
                relay[0] = True
                done = iexec.wallet.bridge_to_sidechain("5 RLC", timeout=timeout)
                assert done.send_tx_hash == sent[0]
                assert done.receive_tx_hash is not None
            else:
                with pytest.raises(BridgeError) as caught:
                    iexec.wallet.bridge_to_sidechain("5 RLC", timeout=timeout)
                sent.append(caught.value.send_tx_hash)
        journal.close()


def test_waiting_for_a_transaction(
    rich: IExec, back: IExec, token: Sandbox, native: Sandbox, client: Client, relay: list[bool]
) -> None:
    """Without key and journal, knowing the hash alone."""
    relay[0] = False
    hashes = []
    for send in (rich.wallet.bridge_to_sidechain, back.wallet.bridge_to_mainchain):
        with pytest.raises(BridgeError) as caught:
            send("2 RLC", timeout=0)
        hashes.append(caught.value.send_tx_hash)
    relay[0] = True
    for here, there, tx_hash in ((token, native, hashes[0]), (native, token, hashes[1])):
        with IExec(here.chain, bridged_network_conf=conf(there)) as iexec:
            done = iexec.wallet.wait_for_bridge(tx_hash)
            assert done.receive_tx_hash is not None
            with pytest.raises(StateError, match="is not mined"):
                iexec.wallet.wait_for_bridge("0x" + "11" * 32)
    other = rich.wallet.send_rlc(1, OTHER)
    with pytest.raises(StateError, match="sent nothing to the bridge"):
        rich.wallet.wait_for_bridge(other)
    other = back.wallet.send_rlc(1, OTHER)
    with pytest.raises(StateError, match="sent nothing to the bridge"):
        back.wallet.wait_for_bridge(other)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": None},
        {"input": None},
        {"input": "0xzz"},
        {"input": 5},
        {"from": None},
        {"hash": "0x" + "22" * 32},
    ],
)
def test_a_node_that_gives_nonsense(
    rich: IExec, relay: Any, monkeypatch: Any, changes: dict[str, object]
) -> None:
    tx_hash = rich.wallet.bridge_to_sidechain("2 RLC").send_tx_hash
    request = Rpc.request

    def lying(self: Rpc, method: str, params: Any = ()) -> Any:
        found = request(self, method, params)
        return {**found, **changes} if method == "eth_getTransactionByHash" else found

    monkeypatch.setattr(Rpc, "request", lying)
    with pytest.raises(IExecError):
        rich.wallet.wait_for_bridge(tx_hash, timeout=0)


def pay(native: Sandbox, contract: str, recipient: str, wei: int, tx_hash: str) -> None:
    """Pay out as the validators would."""
    assert native.bridge is None
    from iexec_lite.sandbox.bridge import _sender, _step

    method = Method("executeAffirmation(address recipient, uint256 value, bytes32 source)")
    call = method.encode(recipient, wei, tx_hash)
    _sender(native).send(_step(native, VALIDATOR, f"pay {tx_hash}"), contract, call)


def test_events_of_others_are_not_ours(
    rich: IExec, native: Sandbox, token: Sandbox, relay: list[bool]
) -> None:
    """A contract that says the same, at another address, proves nothing."""
    relay[0] = False
    with pytest.raises(BridgeError) as caught:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    tx_hash = caught.value.send_tx_hash
    code = native.node.rpc.request("eth_getCode", (str(native.chain.bridge_contract), "latest"))
    liar = "0x" + "ab" * 20
    native.node.set_code(liar, code)  # its owner is in its code
    native.node.set_balances({liar: 10**20})
    pay(native, liar, ME, 5 * 10**18, tx_hash)
    assert len(native.node.rpc.request("eth_getLogs", ({"address": liar},))) == 1
    with pytest.raises(BridgeError):
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)


def test_hostile_logs(rich: IExec, native: Sandbox, relay: list[bool], monkeypatch: Any) -> None:
    """A node that sends the event of another contract, or of another transfer, as the answer."""
    relay[0] = False
    with pytest.raises(BridgeError) as caught:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    tx_hash, request = caught.value.send_tx_hash, Rpc.request
    event = BRIDGE.AffirmationCompleted
    bridge = str(native.chain.bridge_contract)
    types = ["address", "uint256", "bytes32"]

    def log(address: str, source: str, topic: str = event.topic) -> dict[str, Any]:
        data = abi.encode(types, [from_hex(ME), 5 * 10**18, from_hex(source)])
        return {
            "address": address,
            "topics": [topic],
            "data": to_hex(data),
            "transactionHash": "0x" + "22" * 32,
        }

    lies = [
        [log("0x" + "ab" * 20, tx_hash)],
        [log(bridge, "0x" + "33" * 32)],
        [log(bridge, tx_hash, TOKEN.Transfer.topic)],
    ]
    for lie in lies:
        monkeypatch.setattr(
            Rpc,
            "request",
            lambda self, method, params=(), lie=lie: (
                lie if method == "eth_getLogs" else request(self, method, params)
            ),
        )
        with pytest.raises(BridgeError, match="has not paid"):
            rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)


def test_a_wrong_amount_is_told(rich: IExec, native: Sandbox, relay: list[bool]) -> None:
    relay[0] = False
    with pytest.raises(BridgeError) as caught:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    bridge = str(native.chain.bridge_contract)
    pay(native, bridge, ME, 4 * 10**18, caught.value.send_tx_hash)
    with pytest.raises(BridgeError, match=r"paid 4\.0 RLC to .*, not 5\.0 RLC to"):
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)


def test_the_other_node_is_cut(
    rich: IExec, native: Sandbox, relay: list[bool], monkeypatch: Any
) -> None:
    """What may pass is waited out."""
    request, left = Rpc.request, [3]

    def cutting(self: Rpc, method: str, params: Any = ()) -> Any:
        if method == "eth_getLogs" and self.label in native.node.url and left[0]:
            left[0] -= 1
            raise ConnectionCut("cut", retryable=True)
        return request(self, method, params)

    from iexec_lite.errors import TransportError as ConnectionCut

    monkeypatch.setattr(Rpc, "request", cutting)
    assert rich.wallet.bridge_to_sidechain("5 RLC").receive_tx_hash is not None
    assert left == [0]


# --- who carries ----------------------------------------------------------------------------------


def test_nothing_is_paid_twice(rich: IExec, token: Sandbox, native: Sandbox) -> None:
    """A relay that starts over sees everything again."""
    with pytest.raises(BridgeError) as caught:
        rich.wallet.bridge_to_sidechain("5 RLC", timeout=0)
    assert token.bridge
    assert token.bridge.run_once() == 1
    before = rich.wallet.check_bridged_balances(ME)
    again = Bridge(token, native)
    assert again.run_once() == 0
    assert rich.wallet.check_bridged_balances(ME) == before
    with pytest.raises(Exception, match="paid-before"):
        pay(native, str(native.chain.bridge_contract), ME, 1, caught.value.send_tx_hash)


def test_a_payment_that_is_refused_does_not_block(
    rich: IExec, token: Sandbox, native: Sandbox
) -> None:
    native.node.set_balances({str(native.chain.bridge_contract): 3 * 10**18})
    for amount in ("5 RLC", "2 RLC"):
        with pytest.raises(BridgeError):
            rich.wallet.bridge_to_sidechain(amount, timeout=0)
    assert token.bridge
    assert token.bridge.run_once() == 1


def test_records_name_each_other(token: Sandbox, native: Sandbox) -> None:
    assert token.chain.bridged_chain == native.chain.name == "sandbox-native"
    assert native.chain.bridged_chain == token.chain.name == "sandbox"
    assert (token.chain.bridged_chain_id, native.chain.bridged_chain_id) == (
        native.chain.id,
        token.chain.id,
    )


def test_the_bytecode_is_that_of_the_source() -> None:
    modules = Path(os.environ.get("IEXEC_LITE_NPM") or ROOT / ".tox" / "npm" / "node_modules")
    done = subprocess.run(
        ["node", str(ROOT / "tools" / "compile_bridges.js")],
        capture_output=True,
        check=True,
        env={**os.environ, "IEXEC_LITE_NPM": str(modules)},
    )
    kept = ROOT / "iexec_lite" / "sandbox" / "contracts" / "bridges.json"
    assert json.loads(done.stdout) == json.loads(kept.read_text("utf-8"))
