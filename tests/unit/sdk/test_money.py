"""Money that moves: what is sent where, what is checked before, on a hub in memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.net.rpc import OTHER_NODE
from iexec_lite.protocol.chains import CHAINS, Chain
from iexec_lite.protocol.contracts import ERLC, HUB, TOKEN
from iexec_lite.sdk.account import Account
from iexec_lite.sdk.wallet import Wallet

from .hub import HUB_ADDRESS, ME, OTHER, Context
from .hub import TOKEN as TOKEN_ADDRESS

NOBODY = "0x" + "00" * 20
RLC = 10**9
ONE, TWO = (f"0x{number:064x}" for number in (1, 2))
KYC = "is not authorized to interact with eRLC"


def chain(**options: Any) -> Context:
    """A chain on which the wallet holds 5 RLC and 3 ether, and has staked 7 RLC."""
    context = Context(**options)
    native = context.chain.native
    context.answers |= {
        TOKEN.balanceOf.name: 5 * RLC,
        HUB.viewAccount.name: {"stake": 7 * RLC, "locked": 2},
        HUB.allowance.name: lambda to, block, owner, spender: 9 if spender == OTHER else 0,
        ERLC.isKYC.name: True,
        HUB.token.name: "0x" + "88" * 20,
    }
    context.methods |= {
        "eth_getBalance": hex(5 * 10**18 if native else 3 * 10**18),
        "eth_getCode": "0x",
    }
    context.events = [{"from": NOBODY, "to": ME}]
    costs = SimpleNamespace(max_cost=10**18)
    context.quoted = []  # type: ignore[attr-defined]

    def quote(receiver: str, *, value: int) -> Any:
        context.quoted.append((receiver, value))  # type: ignore[attr-defined]
        return costs

    context.transactions = SimpleNamespace(quote=quote)  # type: ignore[attr-defined]
    context.enterprise_swap_hub = None  # type: ignore[attr-defined]
    return context


def wallet(context: Context) -> Wallet:
    return Wallet(context)  # type: ignore[arg-type]


def account(context: Context) -> Account:
    return Account(context)  # type: ignore[arg-type]


# ---- the wallet ----------------------------------------------------------------------------------


def test_balances() -> None:
    found = wallet(chain()).check_balances(ME)
    assert (found.wei, found.nrlc) == (3 * 10**18, 5 * RLC)
    context = chain()
    context.methods["eth_getBalance"] = lambda owner, block: hex((owner, block) == (ME, "latest"))
    assert wallet(context).check_balances(ME).wei == 1
    found = wallet(chain(native=True)).check_balances(ME)
    assert (found.wei, found.nrlc) == (5 * 10**18, 5 * RLC)


def test_ether() -> None:
    context = chain()
    assert wallet(context).send_eth("2 ether", OTHER, new=True) == ONE
    arguments = {"amount": str(2 * 10**18), "to": OTHER}
    more = {"value": 2 * 10**18, "new": True}
    assert context.sent == [("sendETH", arguments, OTHER, b"", more)]
    wallet(context).send_eth(3 * 10**18, OTHER)
    assert context.sent[-1][4]["new"] is False
    with pytest.raises(StateError, match=r"Amount to send exceed wallet balance \(3\d+1 wei want"):
        wallet(context).send_eth(3 * 10**18 + 1, OTHER)
    with pytest.raises(StateError) as caught:
        wallet(chain(native=True)).send_eth(1, OTHER)
    assert caught.value.message == "sendETH() is disabled on sidechain, use sendRLC()"


def test_rlc() -> None:
    context = chain()
    assert wallet(context).send_rlc("5 RLC", OTHER) == ONE
    arguments = {"amount": str(5 * RLC), "to": OTHER}
    data = TOKEN.transfer.encode(OTHER, 5 * RLC)
    more = {"expect": [(TOKEN.Transfer, TOKEN_ADDRESS)], "new": False}
    assert context.sent == [("sendRLC", arguments, TOKEN_ADDRESS, data, more)]
    with pytest.raises(StateError, match="Amount to send exceed wallet balance"):
        wallet(context).send_rlc(5 * RLC + 1, OTHER)
    context = chain(native=True)
    wallet(context).send_rlc(5 * RLC, OTHER)
    more = {"value": 5 * 10**18, "new": False}
    assert context.sent == [("sendRLC", arguments, OTHER, b"", more)]
    with pytest.raises(StateError, match="Amount to send exceed wallet balance"):
        wallet(context).send_rlc(5 * RLC + 1, OTHER)


@pytest.mark.parametrize("refused", [ME, OTHER])
def test_erlc_needs_a_kyc_of_both(refused: str) -> None:
    context = chain(flavour="enterprise")
    assert context.chain.enterprise
    assert wallet(context).is_authorized(OTHER) is True
    context.answers[ERLC.isKYC.name] = lambda to, block, person: person != refused
    for move in (wallet(context).send_rlc, lambda *_: wallet(context).sweep(OTHER)):
        with pytest.raises(StateError) as caught:
            move(1, OTHER)
        assert caught.value.message == f"{refused} {KYC}: its KYC has to be done first"
        assert caught.value.details == {"address": refused}
    assert context.sent == []
    with pytest.raises(StateError) as caught:
        wallet(chain()).is_authorized(OTHER)
    assert caught.value.message == "Cannot check authorized eRLC holders on current chain"


def test_nobody_can_be_paid() -> None:
    moves = wallet(chain())
    for move in (moves.send_eth, moves.send_rlc, lambda _, to: moves.sweep(to)):
        with pytest.raises(ValidationError, match="to is the zero address"):
            move(1, NOBODY)
    for move in (moves.send_eth, moves.send_rlc):
        with pytest.raises(ValidationError, match="is not a valid amount"):
            move(-1, OTHER)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda wallet, _: wallet.check_balances("0x1"), "address"),
        (lambda wallet, _: wallet.check_bridged_balances("0x1"), "address"),
        (lambda wallet, _: wallet.is_authorized("0x1"), "address"),
        (lambda wallet, _: wallet.get_eth("0x1"), "address"),
        (lambda wallet, _: wallet.send_eth(1, "0x1"), "to"),
        (lambda wallet, _: wallet.send_rlc(1, "0x1"), "to"),
        (lambda wallet, _: wallet.sweep("0x1"), "to"),
        (lambda _, account: account.check_balance("0x1"), "address"),
        (lambda _, account: account.check_bridged_balance("0x1"), "address"),
        (lambda _, account: account.check_allowance("0x1", ME), "owner"),
        (lambda _, account: account.check_allowance(ME, "0x1"), "spender"),
        (lambda _, account: account.approve(1, "0x1"), "spender"),
        (lambda _, account: account.revoke_approval("0x1"), "spender"),
    ],
)
def test_a_wrong_address_is_named(call: Any, name: str) -> None:
    context = chain()
    context.http = None  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match=rf"^{name}\b"):
        call(wallet(context), account(context))


def test_nothing_can_be_sent_too() -> None:
    """As JavaScript's SDK does: a transaction that moves nothing is one."""
    context = chain()
    wallet(context).send_eth(0, OTHER)
    wallet(context).send_rlc(0, OTHER)
    assert [each[1]["amount"] for each in context.sent] == ["0", "0"]


@pytest.mark.parametrize("verb", ["speed_up_transaction", "cancel_transaction"])
def test_a_wrong_hash_is_named(verb: str) -> None:
    with pytest.raises(ValidationError, match=r"^tx_hash: 0x12 is not a bytes32 hexstring$"):
        getattr(wallet(chain()), verb)("0x12")


def test_a_transaction_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Replacement:
        def __init__(self, transactions: Any, tx_hash: str, **how: Any) -> None:
            made.append((transactions, tx_hash, how))

        def send(self, timeout: float | None) -> str:
            made.append(timeout)
            return TWO

    monkeypatch.setattr("iexec_lite.sdk.replacement.Replacement", Replacement)
    context = chain()
    for verb, cancel in (("speed_up_transaction", False), ("cancel_transaction", True)):
        assert getattr(wallet(context), verb)(ONE, gas_price="2 gwei", timeout=7) == TWO
        how = {"cancel": cancel, "gas_price": 2 * 10**9}
        assert made == [(context.transactions, ONE, how), 7]  # type: ignore[attr-defined]
        made.clear()
        assert getattr(wallet(context), verb)(ONE) == TWO
        how = {"cancel": cancel, "gas_price": None}
        assert made == [(context.transactions, ONE, how), None]  # type: ignore[attr-defined]
        made.clear()


def test_faucets(monkeypatch: pytest.MonkeyPatch) -> None:
    context = chain(faucet="http://faucet")
    context.http = "pool"  # type: ignore[attr-defined]
    asked: list[Any] = []

    def ask(http: Any, faucet: Any, name: str, receiver: str) -> Any:
        asked.append((http, faucet.url.partition("?")[0], name, receiver))
        return {"ok": True}

    monkeypatch.setattr("iexec_lite.net.faucet.ask", ask)
    for coin in ("eth", "rlc"):
        (answer,) = getattr(wallet(context), f"get_{coin}")(OTHER)
        assert answer.response == {"ok": True}
        assert asked.pop() == ("pool", f"http://faucet/get{coin.upper()}", "test", OTHER)


# ---- sweep ---------------------------------------------------------------------------------------


def test_sweep() -> None:
    context = chain()
    found = wallet(context).sweep(OTHER)
    assert (found.send_erc20_tx_hash, found.send_native_tx_hash) == (ONE, TWO)
    assert found.errors == ()
    assert found.to_dict() == {"sendERC20TxHash": ONE, "sendNativeTxHash": TWO}
    (tokens, coin) = context.sent
    data = TOKEN.transfer.encode(OTHER, 5 * RLC)
    assert tokens[:4] == ("sweepERC20", {"to": OTHER}, TOKEN_ADDRESS, data)
    assert coin[:4] == ("sweepNative", {"to": OTHER}, OTHER, b"")
    assert coin[4]["value"] == 2 * 10**18  # all but what it may cost
    assert context.quoted == [(OTHER, 3 * 10**18 // 2)]  # type: ignore[attr-defined]


def test_sweep_where_rlc_is_the_coin() -> None:
    context = chain(native=True)
    found = wallet(context).sweep(OTHER, new=True)
    assert (found.send_erc20_tx_hash, found.send_native_tx_hash) == (None, ONE)
    assert context.sent[0][4]["value"] == 4 * 10**18


def test_sweep_without_tokens() -> None:
    context = chain()
    context.answers[TOKEN.balanceOf.name] = 0
    found = wallet(context).sweep(OTHER)
    assert (found.send_erc20_tx_hash, found.send_native_tx_hash) == (None, ONE)


@pytest.mark.parametrize("wei", [10**18, 10**18 - 1, 0])
def test_a_coin_that_its_fees_eat_up(wei: int) -> None:
    context = chain()
    context.methods["eth_getBalance"] = hex(wei)
    found = wallet(context).sweep(OTHER)
    assert (found.send_erc20_tx_hash, found.send_native_tx_hash) == (ONE, None)
    assert found.errors == (
        "Failed to transfer native token: Tx fees are greater than wallet balance "
        f"({10**18} wei, {wei} wei available)",
    )
    context.methods["eth_getBalance"] = hex(10**18 + 1)
    assert wallet(context).sweep(OTHER).errors == ()
    assert context.sent[-1][4]["value"] == 1


def test_no_sweep_to_a_contract() -> None:
    context = chain()
    context.methods["eth_getCode"] = "0x6000"
    with pytest.raises(StateError) as caught:
        wallet(context).sweep(OTHER)
    assert caught.value.message == f"Cannot sweep to a contract ({OTHER})"


def test_a_sweep_is_resumed() -> None:
    """The amount may be none any more: what is on its way has it."""
    context = chain()
    context.answers[TOKEN.balanceOf.name] = 0
    context.pending = {"sweepERC20", "sweepNative"}
    found = wallet(context).sweep(OTHER)
    assert (found.send_erc20_tx_hash, found.send_native_tx_hash) == (ONE, TWO)
    assert context.quoted == []  # type: ignore[attr-defined]
    context.sent.clear()
    wallet(context).sweep(OTHER, new=True)
    assert [each[0] for each in context.sent] == ["sweepNative"]
    assert context.quoted != []  # type: ignore[attr-defined]


@pytest.mark.parametrize("ended", ["sweepERC20", "sweepNative"])
def test_a_sweep_that_another_process_ended(ended: str) -> None:
    """Between the look at the journal and the send: what is resumed is no more, so all is asked."""
    context = chain()
    context.answers[TOKEN.balanceOf.name] = 0
    context.pending = {"sweepERC20", "sweepNative"}
    send = context.send

    def late(operation: str, *given: Any, **more: Any) -> Any:
        context.pending.discard(ended)
        return send(operation, *given, **more)

    context.send = late  # type: ignore[method-assign]
    text = "the sweep of an earlier call has just ended: look at the balance first"
    if ended == "sweepERC20":
        with pytest.raises(StateError) as caught:
            wallet(context).sweep(OTHER)
        assert caught.value.message == text
    else:
        context.pending = {"sweepNative"}
        found = wallet(context).sweep(OTHER)
        assert found.errors == (f"Failed to transfer native token: {text}",)
    assert context.sent == []


def test_a_sweep_whose_first_half_is_unknown() -> None:
    """Then the second is not begun, and the error is what it was."""
    context, lost = chain(), OutcomeUnknownError("no answer", tx_hash=ONE)
    context.refusals = [lost]
    with pytest.raises(OutcomeUnknownError) as caught:
        wallet(context).sweep(OTHER)
    assert (caught.value, context.sent) == (lost, [])


def test_what_a_sweep_asks_of_the_node() -> None:
    context = chain()
    asked: list[Any] = []
    for method in ("eth_getCode", "eth_getBalance"):
        context.methods[method] = lambda *given, found=context.methods[method]: (
            asked.append(given) or found
        )
    wallet(context).sweep(OTHER)
    assert asked[0] == (OTHER, "latest")
    assert set(asked[1:]) == {(ME, "latest")}
    context.methods["eth_getBalance"] = "much"
    found = wallet(context).sweep(OTHER)
    assert found.errors == (
        f"Failed to transfer native token: the node gave no 0x hex number for eth_getBalance"
        f"{OTHER_NODE}",
    )


def test_a_sweep_that_fails_at_its_first_half() -> None:
    context = chain()
    context.refusals = [Web3ProviderCallError("reverted", details={"a": "b"})]
    with pytest.raises(Web3ProviderSendError) as caught:
        wallet(context).sweep(OTHER)
    assert caught.value.message == "Failed to sweep ERC20, sweep aborted: reverted"
    assert (caught.value.details, context.sent) == ({"a": "b"}, [])


def test_a_sweep_whose_second_half_is_unknown() -> None:
    context = chain()
    send = context.send

    def lost(operation: str, *given: Any, **more: Any) -> Any:
        if operation == "sweepNative":
            raise OutcomeUnknownError("no answer", tx_hash=TWO)
        return send(operation, *given, **more)

    context.send = lost  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknownError) as caught:
        wallet(context).sweep(OTHER)
    assert caught.value.details["sendERC20TxHash"] == ONE


# ---- eRLC ----------------------------------------------------------------------------------------


def test_wrap() -> None:
    context, twin, erlc = chain(), "0x" + "99" * 20, "0x" + "88" * 20
    with pytest.raises(ConfigurationError) as caught:
        wallet(context).wrap_enterprise_rlc(1)
    assert caught.value.message == (
        "enterpriseSwapConf option not set and no default value for your chain 4242: give "
        "enterprise_swap_conf={'hub_address': …}"
    )
    context.enterprise_swap_hub = twin  # type: ignore[attr-defined]
    context.answers[HUB.token.name] = lambda to, *_: erlc if to == twin else OTHER
    assert wallet(context).wrap_enterprise_rlc("5 RLC") == ONE
    data = TOKEN.approveAndCall.encode(erlc, 5 * RLC, b"")
    expect = [(TOKEN.Transfer, TOKEN_ADDRESS), (ERLC.Transfer, erlc)]
    more = {"expect": expect, "new": False}
    amount = {"amount": str(5 * RLC)}
    assert context.sent == [("wrapEnterpriseRLC", amount, TOKEN_ADDRESS, data, more)]
    with pytest.raises(StateError, match="Amount to wrap exceed wallet balance"):
        wallet(context).wrap_enterprise_rlc(5 * RLC + 1)
    context.answers[ERLC.isKYC.name] = False
    with pytest.raises(StateError, match=KYC):
        wallet(context).wrap_enterprise_rlc(1)
    for other in (chain(native=True), chain(flavour="enterprise")):
        with pytest.raises(StateError, match=r"^Unable to wrap RLC into eRLC on current chain$"):
            wallet(other).wrap_enterprise_rlc(1)


def test_the_twin_of_a_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub of the other flavour is that of a network known by name, or of the sandbox."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("IEXEC_LITE_HOME", raising=False)
    folder = tmp_path / "iexec-lite" / "sandbox"
    folder.mkdir(parents=True)
    twin = Chain(id=4242, name="sandbox-twin", hub=OTHER, flavour="enterprise")
    (folder / "twin.chain.json").write_text(json.dumps(twin.to_dict()), "utf-8")
    erlc = "0x" + "88" * 20
    for name, hub in (("enterprise", CHAINS["enterprise"].hub), ("sandbox-twin", OTHER)):
        context = chain(enterprise_twin=name)
        context.answers[HUB.token.name] = lambda to, *_, hub=hub: erlc if to == hub else ME
        wallet(context).wrap_enterprise_rlc(1)
        assert context.sent[0][3] == TOKEN.approveAndCall.encode(erlc, 1, b"")


def test_unwrap() -> None:
    context = chain(flavour="enterprise")
    assert wallet(context).unwrap_enterprise_rlc("5 eRLC", new=True) == ONE
    more = {"expect": [(ERLC.Transfer, TOKEN_ADDRESS)], "new": True}
    data, amount = ERLC.withdraw.encode(5 * RLC), {"amount": str(5 * RLC)}
    assert context.sent == [("unwrapEnterpriseRLC", amount, TOKEN_ADDRESS, data, more)]
    with pytest.raises(StateError, match="Amount to unwrap exceed wallet balance"):
        wallet(context).unwrap_enterprise_rlc(5 * RLC + 1)
    context.answers[ERLC.isKYC.name] = False
    with pytest.raises(StateError, match=KYC):
        wallet(context).unwrap_enterprise_rlc(1)
    for other in (chain(native=True), chain(), chain(native=True, flavour="enterprise")):
        with pytest.raises(StateError, match=r"^Unable to unwrap eRLC into RLC on current chain$"):
            wallet(other).unwrap_enterprise_rlc(1)


# ---- the account ---------------------------------------------------------------------------------


def test_the_account() -> None:
    found = account(chain()).check_balance(ME)
    assert (found.stake, found.locked) == (7 * RLC, 2)
    assert account(chain()).check_allowance(ME, OTHER) == 9
    here, there = chain(), chain()
    there.answers[HUB.viewAccount.name] = {"stake": 1, "locked": 0}
    here.bridged = there  # type: ignore[attr-defined]
    assert account(here).check_bridged_balance(ME).stake == 1
    there.answers[TOKEN.balanceOf.name] = 4
    assert wallet(here).check_bridged_balances(ME).nrlc == 4


@pytest.mark.parametrize("native", [False, True])
def test_deposit(native: bool) -> None:
    context = chain(native=native)
    found = account(context).deposit("5 RLC", new=True)
    assert (found.amount, found.tx_hash) == (5 * RLC, ONE)
    to = HUB_ADDRESS if native else TOKEN_ADDRESS
    approve = TOKEN.approveAndCall.encode(HUB_ADDRESS, 5 * RLC, b"")
    data = HUB.deposit_native.encode() if native else approve
    more = {
        **{"value": 5 * 10**18 if native else 0, "expect": [(HUB.Transfer, HUB_ADDRESS)]},
        "new": True,
    }
    assert context.sent == [("deposit", {"amount": str(5 * RLC)}, to, data, more)]
    with pytest.raises(StateError, match="Deposit amount exceed wallet balance"):
        account(context).deposit(5 * RLC + 1)


@pytest.mark.parametrize("event", [{"from": ME, "to": ME}, {"from": NOBODY, "to": OTHER}])
def test_a_deposit_for_somebody_else(event: dict[str, str]) -> None:
    context = chain()
    context.events = [event]
    with pytest.raises(StateError, match="Deposit not confirmed: the hub credited") as caught:
        account(context).deposit(1)
    assert event["to"] in caught.value.message
    assert caught.value.tx_hash == ONE


def test_withdraw() -> None:
    context = chain()
    found = account(context).withdraw("7 RLC")
    assert (found.amount, found.tx_hash) == (7 * RLC, ONE)
    more = {"expect": [(HUB.Transfer, HUB_ADDRESS)], "new": False}
    data = HUB.withdraw.encode(7 * RLC)
    assert context.sent == [("withdraw", {"amount": str(7 * RLC)}, HUB_ADDRESS, data, more)]
    with pytest.raises(StateError) as caught:
        account(context).withdraw(7 * RLC + 1)
    assert caught.value.details == {"amount": str(7 * RLC + 1), "stake": str(7 * RLC)}
    assert caught.value.message == (
        f"Withdraw amount exceed account balance ({7 * RLC + 1} nRLC wanted, {7 * RLC} available)"
    )


@pytest.mark.parametrize("verb", ["deposit", "withdraw"])
def test_who_may_not_hold_erlc_moves_none(verb: str) -> None:
    context = chain(flavour="enterprise")
    context.answers[ERLC.isKYC.name] = False
    with pytest.raises(StateError, match=KYC):
        getattr(account(context), verb)(1)
    for amount in (0, "0 RLC"):
        with pytest.raises(ValidationError) as bad:
            getattr(account(context), verb)(amount)
        text = f"{verb.capitalize()} amount must be greater than 0, got {amount!r}"
        assert bad.value.message == text


def test_approvals() -> None:
    context = chain()
    assert account(context).approve("3 RLC", OTHER) == ONE
    assert account(context).revoke_approval(OTHER, new=True) == TWO
    expect = [(HUB.Approval, HUB_ADDRESS)]
    assert context.sent == [
        (
            *("approve", {"spender": OTHER, "amount": str(3 * RLC)}, HUB_ADDRESS),
            *(HUB.approve.encode(OTHER, 3 * RLC), {"expect": expect, "new": False}),
        ),
        (
            *("revokeApproval", {"spender": OTHER, "amount": "0"}, HUB_ADDRESS),
            *(HUB.approve.encode(OTHER, 0), {"expect": expect, "new": True}),
        ),
    ]
    for call, text in (
        (
            lambda: account(context).approve(0, OTHER),
            "Approve amount must be greater than 0, got 0: revoke_approval takes an approval back",
        ),
        (
            lambda: account(context).approve(1, NOBODY),
            "spender is the zero address, which can spend nothing",
        ),
    ):
        with pytest.raises(ValidationError) as caught:
            call()
        assert caught.value.message == text
