"""Test money from the sandbox's faucet, on every kind of chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import ApiCallError, ConfigurationError, ValidationError
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import grant_kyc, twin_of
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
RLC = 10**9


@pytest.fixture
def newcomer() -> str:
    return KeySigner.from_key(random_bytes(32)).address


def test_ether_and_rlc(sandbox: Sandbox, newcomer: str) -> None:
    with IExec(sandbox.chain) as reader:
        (ether,) = reader.wallet.get_eth(newcomer.lower())
        (rlc,) = reader.wallet.get_rlc(newcomer)
        found = reader.wallet.check_balances(newcomer)
        receipt = sandbox.node.rpc.request("eth_getTransactionReceipt", (ether.response["txHash"],))
    assert (found.wei, found.nrlc) == (10**18, 100 * RLC)
    assert receipt["from"] == accounts.addresses()["admin"].lower()
    assert rlc.to_dict() == {
        "name": "sandbox faucet",
        "response": {
            "ok": True,
            "message": f"Sent 100 RLC to {newcomer}",
            "txHash": rlc.response["txHash"],
        },
    }
    assert ether.response["message"] == f"Sent 1 ether to {newcomer}"


def test_again_and_beside_other_work_of_admin(
    sandbox: Sandbox, client: Client, newcomer: str
) -> None:
    admin = client(sandbox, "admin").wallet
    for _ in range(2):
        assert admin.get_rlc(newcomer)[0].response["ok"] is True
        admin.send_rlc(1, newcomer)
    assert admin.check_balances(newcomer).nrlc == 200 * RLC + 2


def test_native(native_sandbox: Sandbox, newcomer: str) -> None:
    with IExec(native_sandbox.chain) as reader:
        assert reader.wallet.get_rlc(newcomer)[0].response["ok"] is True
        assert reader.wallet.check_balances(newcomer).nrlc == 100 * RLC
        with pytest.raises(ConfigurationError, match="No ETH faucet on chain sandbox: its coin is"):
            reader.wallet.get_eth(newcomer)


def test_enterprise(enterprise_sandbox: Sandbox, newcomer: str) -> None:
    """eRLC for who may hold it; ether, and the RLC of the other hub, for everybody."""
    chain = enterprise_sandbox.chain
    with IExec(chain) as reader, IExec(twin_of(chain)) as twin:
        (refused,) = reader.wallet.get_rlc(newcomer)
        assert refused.response["ok"] is False
        assert f"{newcomer} is not authorized to interact with eRLC" in str(
            refused.response["error"]
        )
        assert reader.wallet.get_eth(newcomer)[0].response["ok"] is True
        assert twin.wallet.get_rlc(newcomer)[0].name == "sandbox-standard faucet"
        assert twin.wallet.check_balances(newcomer).nrlc == 100 * RLC
        assert reader.wallet.check_balances(newcomer).nrlc == 0
        grant_kyc(enterprise_sandbox.node.rpc, chain, newcomer)
        (paid,) = reader.wallet.get_rlc(newcomer)
        assert paid.response["message"] == f"Sent 100 eRLC to {newcomer}"
        assert reader.wallet.check_balances(newcomer).nrlc == 100 * RLC


def test_wrong_addresses_and_names(sandbox: Sandbox, newcomer: str) -> None:
    with IExec(sandbox.chain) as reader:
        for call in (reader.wallet.get_eth, reader.wallet.get_rlc):
            with pytest.raises(ValidationError, match="is not a valid ethereum address"):
                call(newcomer[:-1])
    with IExec(replace(sandbox.chain, name="other")) as reader:
        answer = reader.wallet.get_rlc(newcomer)[0].response
        assert answer == {"ok": False, "error": "No faucet on chain other"}
    gone = f"{sandbox.chain.host}/nothing"
    with IExec(replace(sandbox.chain, faucet=gone)) as reader, pytest.raises(ApiCallError):
        reader.wallet.get_rlc(newcomer)
