"""eRLC and its KYC on the real contracts: who may hold it, pay with it, turn it into RLC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import ConfigurationError, MarketCallError, MatchError, StateError
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.contracts import Method
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import NO_KYC, twin_of
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.local import record_path, sandbox_chain, sandbox_records

PEOPLE = accounts.addresses()
STRANGER = PEOPLE[NO_KYC]
REVOKE = Method("revokeKYC(address[] accounts)")
Client = Callable[..., IExec]


def refused(person: str) -> Any:
    return pytest.raises(StateError, match=f"{person} is not authorized to interact with eRLC")


def revoke(sandbox: Sandbox, client: Client, person: str) -> None:
    context = client(sandbox, "admin")._context
    context.send("revoke", {"person": person}, context.token, REVOKE.encode([person]))


@pytest.mark.witness("view: eRLC membership", by="contracts")
def test_who_is_known(enterprise_sandbox: Sandbox, sandbox: Sandbox, client: Client) -> None:
    wallet = client(enterprise_sandbox, "requester").wallet
    assert wallet.is_authorized(PEOPLE["requester"].lower())
    assert wallet.is_authorized(str(enterprise_sandbox.chain.hub))
    assert not wallet.is_authorized(STRANGER)
    with pytest.raises(StateError, match="Cannot check authorized eRLC holders"):
        client(sandbox, "requester").wallet.is_authorized(STRANGER)


def test_sending(enterprise_sandbox: Sandbox, client: Client) -> None:
    requester = client(enterprise_sandbox, "requester").wallet
    before = requester.check_balances(PEOPLE["worker-1"]).nrlc
    requester.send_rlc("1 RLC", PEOPLE["worker-1"])
    assert requester.check_balances(PEOPLE["worker-1"]).nrlc - before == 10**9
    with refused(STRANGER):
        requester.send_rlc(1, STRANGER)
    with refused(STRANGER):
        client(enterprise_sandbox, NO_KYC).wallet.send_rlc(0, PEOPLE["requester"])


def test_account(enterprise_sandbox: Sandbox, client: Client) -> None:
    account = client(enterprise_sandbox, "requester").account
    assert account.deposit("3 RLC").amount == 3 * 10**9
    assert account.withdraw("1 RLC").amount == 10**9
    assert account.check_balance(PEOPLE["requester"]).stake == 2 * 10**9
    for call in ("deposit", "withdraw"):
        with refused(STRANGER):
            getattr(client(enterprise_sandbox, NO_KYC).account, call)(1)
    revoke(enterprise_sandbox, client, PEOPLE["requester"])
    with refused(PEOPLE["requester"]):
        account.withdraw(1)


def test_a_purchase_to_its_end(enterprise_sandbox: Sandbox, client: Client, buy: Any) -> None:
    match = buy(enterprise_sandbox)
    assert enterprise_sandbox.worker.run_once() == 1
    iexec = client(enterprise_sandbox, "requester")
    assert iexec.task.show(match.taskids[0]).status_name == "COMPLETED"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("requester", "requester"),
        ("app-provider", "app owner"),
        ("dataset-provider", "dataset owner"),
        ("workerpool-owner", "workerpool owner"),
    ],
)
def test_all_four_need_a_kyc(
    enterprise_sandbox: Sandbox, client: Client, name: str, words: str, buy: Any
) -> None:
    seller = client(enterprise_sandbox, "dataset-provider")
    dataset = seller.dataset.deploy_dataset(
        {
            "owner": PEOPLE["dataset-provider"],
            "name": "data",
            "multiaddr": "/ipfs/Qm",
            "checksum": "0x" + "0a" * 32,
        }
    ).address
    orders = buy(enterprise_sandbox, dataset=dataset, match=False)
    revoke(enterprise_sandbox, client, PEOPLE[name])
    with pytest.raises(MatchError, match=f"{words} {PEOPLE[name]} is not authorized"):
        client(enterprise_sandbox, "worker-1").order.match_orders(**orders, check_request=False)


def test_the_marketplace_asks_too(enterprise_sandbox: Sandbox, client: Client) -> None:
    iexec = client(enterprise_sandbox, "workerpool-owner")
    pool = iexec.workerpool.deploy_workerpool(
        {"owner": PEOPLE["workerpool-owner"], "description": "pool"}
    ).address
    order = iexec.order.sign_workerpoolorder(iexec.order.create_workerpoolorder(pool, 0))
    revoke(enterprise_sandbox, client, PEOPLE["workerpool-owner"])
    with pytest.raises(MarketCallError, match="is not authorized by eRLC"):
        iexec.order.publish_workerpoolorder(order)


# --- RLC and eRLC -------------------------------------------------------------------------------


@pytest.mark.witness("calldata: eRLC wrap and unwrap", by="contracts")
def test_wrap_and_unwrap(enterprise_sandbox: Sandbox, client: Client) -> None:
    chain = enterprise_sandbox.chain
    conf = {"hub_address": str(chain.hub)}
    me = PEOPLE["requester"]
    with IExec(twin_of(chain), accounts.signer("requester"), enterprise_swap_conf=conf) as standard:
        enterprise = client(enterprise_sandbox, "requester")

        def balances() -> tuple[int, int]:
            found = standard.wallet.check_balances(me), enterprise.wallet.check_balances(me)
            return found[0].nrlc, found[1].nrlc

        rlc, erlc = balances()
        standard.wallet.wrap_enterprise_rlc("5 RLC")
        assert balances() == (rlc - 5 * 10**9, erlc + 5 * 10**9)
        enterprise.wallet.unwrap_enterprise_rlc("2 RLC")
        assert balances() == (rlc - 3 * 10**9, erlc + 3 * 10**9)
        with pytest.raises(StateError, match="Amount to wrap exceed wallet balance"):
            standard.wallet.wrap_enterprise_rlc(rlc)
        with pytest.raises(StateError, match="Amount to unwrap exceed wallet balance"):
            enterprise.wallet.unwrap_enterprise_rlc(2 * erlc)
        with pytest.raises(StateError, match="Unable to unwrap eRLC into RLC"):
            standard.wallet.unwrap_enterprise_rlc(1)
        with pytest.raises(StateError, match="Unable to wrap RLC into eRLC"):
            enterprise.wallet.wrap_enterprise_rlc(1)
    with (
        IExec(twin_of(chain), accounts.signer(NO_KYC), enterprise_swap_conf=conf) as stranger,
        refused(STRANGER),
    ):
        stranger.wallet.wrap_enterprise_rlc(1)
    with refused(STRANGER):
        client(enterprise_sandbox, NO_KYC).wallet.unwrap_enterprise_rlc(1)


def test_no_twin(sandbox: Sandbox, native_sandbox: Sandbox, client: Client) -> None:
    with pytest.raises(ConfigurationError, match="enterpriseSwapConf option not set"):
        client(sandbox, "requester").wallet.wrap_enterprise_rlc(1)
    with pytest.raises(StateError, match="Unable to wrap"):
        client(native_sandbox, "requester").wallet.wrap_enterprise_rlc(1)
    for conf in ({}, {"hub": "0x"}, "0x", {"hub_address": "0x", "more": 1}):
        with pytest.raises(ConfigurationError, match="enterprise_swap_conf is"):
            IExec(sandbox.chain, enterprise_swap_conf=conf)  # type: ignore[arg-type]


def test_the_twins_are_found_by_name(
    enterprise_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    chain, home = enterprise_sandbox.chain, tmp_path / "home"
    monkeypatch.setenv("IEXEC_LITE_HOME", str(home))
    with pytest.raises(ConfigurationError, match="No sandbox is running"):
        sandbox_chain()
    home.mkdir()
    (home / "sandbox").symlink_to(enterprise_sandbox.folder)
    assert sandbox_chain() == chain
    assert sandbox_chain("sandbox-standard") == twin_of(chain)
    assert set(sandbox_records()) == {"sandbox", "sandbox-standard"}
    with pytest.raises(
        ConfigurationError,
        match=r"has no chain 'sandbox-other', only sandbox, sandbox-standard: .*--bridge",
    ):
        sandbox_chain("sandbox-other")
    with pytest.raises(ConfigurationError, match="has no chain"):
        sandbox_chain("sandbox-../../x")
    assert record_path(home, "sandbox").name == "chain.json"
    with IExec("sandbox-standard", accounts.signer("requester")) as standard:
        standard.wallet.wrap_enterprise_rlc(1)  # the record names the twin


def test_sweep_of_erlc(enterprise_sandbox: Sandbox, client: Client) -> None:
    requester = client(enterprise_sandbox, "requester").wallet
    with refused(STRANGER):
        requester.sweep(STRANGER)
    swept = requester.sweep(PEOPLE["worker-1"])
    assert swept.errors == ()
    assert requester.check_balances(PEOPLE["requester"]).nrlc == 0


def test_everybody_has_what_the_table_says(enterprise_sandbox: Sandbox, client: Client) -> None:
    wallet = client(enterprise_sandbox, "admin")
    for name, address in PEOPLE.items():
        balance = wallet.wallet.check_balances(address).nrlc
        assert (balance > 0) == (name != NO_KYC)
    token = enterprise_sandbox.chain.token
    supply = Method("totalSupply() view returns (uint256)")
    total = wallet._context.read(str(token), supply)
    assert total == 40_000_000 * 10**9


def test_a_new_account_is_unknown(enterprise_sandbox: Sandbox, client: Client) -> None:
    somebody = KeySigner.from_key(random_bytes(32)).address
    with refused(somebody):
        client(enterprise_sandbox, "requester").wallet.send_rlc(1, somebody)
