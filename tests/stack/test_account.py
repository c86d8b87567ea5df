"""Stakes on the hub: deposit and withdraw, and a deposit whose outcome was not seen at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iexec_lite import IExec
from iexec_lite.errors import OutcomeUnknownError, StateError, ValidationError
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.file_journal import FileJournal

Client = Callable[..., IExec]
RLC = 10**9


def count(iexec: IExec) -> int:
    """How many transactions the wallet has sent or is sending."""
    asked = (iexec.wallet.get_address(), "pending")
    return int(iexec._context.rpc.request("eth_getTransactionCount", asked), 16)


@pytest.mark.witness("calldata: deposit *", "calldata: withdraw", "view: account", by="contracts")
def test_deposit_and_withdraw(any_sandbox: Sandbox, client: Client) -> None:
    me = client(any_sandbox, "requester")
    person = me.wallet.get_address()
    wallet, sent = me.wallet.check_balances(person).nrlc, count(me)
    found = me.account.deposit("5.5 RLC")
    assert (found.amount, count(me)) == (5_500_000_000, sent + 1)  # one transaction
    assert found.to_dict() == {"amount": "5500000000", "txHash": found.tx_hash}
    assert me.account.check_balance(person).to_dict() == {"stake": "5500000000", "locked": "0"}
    assert me.wallet.check_balances(person).nrlc == wallet - 5_500_000_000
    assert me.account.withdraw(1).amount == 1
    assert me.account.withdraw("5 RLC").amount == 5 * RLC
    assert me.account.check_balance(person).stake == 499_999_999
    assert me.wallet.check_balances(person).nrlc == wallet - 499_999_999
    with IExec(any_sandbox.chain) as reader:
        assert reader.account.check_balance(person).stake == 499_999_999


def test_refusals(any_sandbox: Sandbox, client: Client, buy: Callable[..., object]) -> None:
    me = client(any_sandbox, "requester")
    buy(any_sandbox)
    person = me.wallet.get_address()
    balance, wallet, sent = (
        me.account.check_balance(person),
        me.wallet.check_balances(person).nrlc,
        count(me),
    )
    assert balance.locked == 2000  # in the deal; it cannot be withdrawn
    with pytest.raises(StateError, match="Withdraw amount exceed account balance"):
        me.account.withdraw(balance.stake + 1)
    with pytest.raises(StateError, match="Deposit amount exceed wallet balance"):
        me.account.deposit(wallet + 1)
    for move in (me.account.deposit, me.account.withdraw):
        for amount in (0, "0 RLC", -1, "0.5", "1 rlc", True, 1.0):
            with pytest.raises(ValidationError):
                move(amount)  # type: ignore[arg-type]
    assert count(me) == sent


@contextmanager
def unmined(sandbox: Sandbox, iexec: IExec) -> Iterator[None]:
    """No block is made, and the client soon gives up waiting."""
    rpc = sandbox.node.rpc
    rpc.request("evm_setAutomine", (False,))
    iexec._context.transactions.timeout = 0.3
    try:
        with pytest.raises(OutcomeUnknownError, match="The same call again resumes it"):
            yield
    finally:
        rpc.request("evm_setAutomine", (True,))


def test_a_deposit_is_resumed_not_repeated(any_sandbox: Sandbox, client: Client) -> None:
    """Even of all the wallet has, when what is left would not suffice for the same again."""
    me = client(any_sandbox, "requester")
    person = me.wallet.get_address()
    amount = me.wallet.check_balances(person).nrlc
    with unmined(any_sandbox, me):
        me.account.deposit(amount)
    any_sandbox.node.mine()
    assert me.account.check_balance(person).stake == amount
    sent = count(me)
    me.account.deposit(amount)
    assert (me.account.check_balance(person).stake, count(me)) == (amount, sent)
    with pytest.raises(StateError, match="Deposit amount exceed wallet balance"):
        me.account.deposit(amount)  # this one is meant anew


def test_it_is_resumed_by_another_process(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    first = client(sandbox, "requester", journal=journal)
    first.account.deposit(RLC)
    with unmined(sandbox, first):
        first.account.withdraw(RLC)
    journal.close()  # as the end of the process does
    sandbox.node.mine()
    second = client(sandbox, "requester", journal=FileJournal(tmp_path / "journal"))
    sent = count(second)
    second.account.withdraw(RLC)
    assert count(second) == sent
    with pytest.raises(StateError, match="Withdraw amount exceed account balance"):
        second.account.withdraw(RLC)


def test_or_meant_anew(sandbox: Sandbox, client: Client) -> None:
    me = client(sandbox, "requester")
    with unmined(sandbox, me):
        me.account.deposit(RLC)
    sandbox.node.mine()
    me.account.deposit(RLC, new=True)
    assert me.account.check_balance(accounts.addresses()["requester"]).stake == 2 * RLC
