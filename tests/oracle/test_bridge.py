"""The JavaScript SDK V6 over our bridge, both ways: its limits, its events, its refusals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import StateError
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.bridge import LEAST, MOST
from iexec_lite.sandbox.stack import Sandbox

from .conftest import js_chain

ME = accounts.addresses()["requester"]
RLC = 10**9
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def pair(_oracle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox | None]:
    if isinstance(_oracle, str):
        yield None
        return
    with Sandbox(tmp_path_factory.mktemp("bridge"), fresh=True, bridge=True) as sandbox:
        yield sandbox


@pytest.fixture
def ends(oracle: Any, pair: Sandbox | None) -> Iterator[tuple[Sandbox, Sandbox]]:
    """The token and the native chain, and somebody who carries between them."""
    assert pair is not None
    assert pair.bridge is not None
    assert pair.bridged is not None
    bridge, stop = pair.bridge, threading.Event()

    def carry() -> None:
        while not stop.wait(0.05):
            bridge.run_once()

    thread = threading.Thread(target=carry)
    thread.start()
    yield pair, pair.bridged
    stop.set()
    thread.join()


@pytest.fixture
def js(oracle: Any) -> Ask:
    """``js(here, there, "wallet.bridgeToSidechain", …)``."""

    def ask(here: Sandbox, there: Sandbox, method: str, *args: Any) -> Any:
        module, _, function = method.partition(".")
        bridged = {
            "rpcURL": there.node.url,
            "chainId": str(there.chain.id),
            "hubAddress": there.chain.hub,
            "bridgeAddress": there.chain.bridge_contract,
        }
        chain = {
            **js_chain(here, "requester"),
            "bridge": here.chain.bridge_contract,
            "bridged": bridged,
        }
        return oracle.ask("onChain", chain=chain, module=module, method=function, args=list(args))

    return ask


@pytest.mark.witness("transfer to the bridge", "events of the bridge", by="js")
def test_both_ways(ends: tuple[Sandbox, Sandbox], js: Ask) -> None:
    """What JavaScript sends is paid out by our relay, and JavaScript sees it by our event."""
    token, native = ends
    for here, there, method in (
        (token, native, "wallet.bridgeToSidechain"),
        (native, token, "wallet.bridgeToMainchain"),
    ):
        before = js(here, there, "wallet.checkBridgedBalances", ME)
        found = js(here, there, method, 5 * RLC)
        assert set(found) == {"sendTxHash", "receiveTxHash"}
        with IExec(there.chain) as other:
            after = other.wallet.check_balances(ME)
            assert after.nrlc == int(before["nRLC"]) + 5 * RLC
        assert js(here, there, "wallet.checkBridgedBalances", ME)["nRLC"] == str(after.nrlc)
        conf = {
            "rpc_url": there.node.url,
            "chain_id": there.chain.id,
            "bridge_address": there.chain.bridge_contract,
        }
        with IExec(here.chain, bridged_network_conf=conf) as ours:  # sees the same by itself
            seen = ours.wallet.wait_for_bridge(found["sendTxHash"])
            assert seen.to_dict() == found
        receipt = there.node.rpc.request("eth_getTransactionReceipt", (found["receiveTxHash"],))
        assert receipt["status"] == "0x1"


@pytest.mark.witness("view: bridge limits", by="js")
def test_both_refuse_the_same(ends: tuple[Sandbox, Sandbox], js: Ask) -> None:
    token, native = ends
    for here, there, name, ours in (
        (token, native, "bridgeToSidechain", "bridge_to_sidechain"),
        (native, token, "bridgeToMainchain", "bridge_to_mainchain"),
    ):
        conf = {
            "rpc_url": there.node.url,
            "chain_id": there.chain.id,
            "bridge_address": there.chain.bridge_contract,
        }
        with IExec(here.chain, accounts.signer("requester"), bridged_network_conf=conf) as iexec:
            for amount, text in (
                (LEAST - 1, r"Minimum amount allowed to bridge is 1\.0 RLC"),
                (MOST + 1, r"Maximum amount allowed to bridge is 100000\.0 RLC"),
                (10**17, "Amount to bridge exceed wallet balance"),
            ):
                with pytest.raises(Exception, match=text):
                    js(here, there, f"wallet.{name}", amount)
                with pytest.raises(StateError, match=text):
                    getattr(iexec.wallet, ours)(amount)


def test_the_bridged_account(ends: tuple[Sandbox, Sandbox], js: Ask) -> None:
    token, native = ends
    with IExec(native.chain, accounts.signer("requester")) as iexec:
        iexec.account.deposit("2 RLC")
    found = js(token, native, "account.checkBridgedBalance", ME)
    with IExec(native.chain) as iexec:
        assert found == iexec.account.check_balance(ME).to_dict()
