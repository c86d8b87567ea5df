"""Wallets on the real contracts: balances and transfers, exact to the last wei, both flavours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import StateError, ValidationError, Web3ProviderSendError
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.protocol.contracts import TOKEN
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
RLC = 10**9  # nRLC, and wei of one nRLC


def transaction(sandbox: Sandbox, tx_hash: str) -> tuple[dict[str, Any], dict[str, Any]]:
    rpc = sandbox.node.rpc
    return (
        rpc.request("eth_getTransactionByHash", (tx_hash,)),
        rpc.request("eth_getTransactionReceipt", (tx_hash,)),
    )


def gas_paid(sandbox: Sandbox, tx_hash: str) -> int:
    sent, receipt = transaction(sandbox, tx_hash)
    return int(sent["gasPrice"], 16) * int(receipt["gasUsed"], 16)


def count(iexec: IExec) -> int:
    """How many transactions the wallet has sent or is sending."""
    asked = (iexec.wallet.get_address(), "pending")
    return int(iexec._context.rpc.request("eth_getTransactionCount", asked), 16)


def test_balances(any_sandbox: Sandbox, client: Client) -> None:
    reader = IExec(any_sandbox.chain)
    person = accounts.addresses()["requester"]
    assert client(any_sandbox, "requester").wallet.get_address() == person
    found = reader.wallet.check_balances(person.lower())
    rpc = any_sandbox.node.rpc
    assert found.wei == int(rpc.request("eth_getBalance", (person, "latest")), 16)
    if any_sandbox.chain.native:
        assert found.nrlc == found.wei // RLC
    else:
        token = any_sandbox.deployment.token
        assert token is not None
        answer = rpc.call(token, TOKEN.balanceOf.encode(person))
        assert found.nrlc == TOKEN.balanceOf.decode(answer)
    assert found.to_dict() == {"wei": str(found.wei), "nRLC": str(found.nrlc)}
    nobody = reader.wallet.check_balances("0x" + "77" * 20)
    assert (nobody.wei, nobody.nrlc) == (0, 0)
    reader.close()


def test_send_eth(sandbox: Sandbox, client: Client) -> None:
    me, other = client(sandbox, "requester"), "0x" + "77" * 20
    before = me.wallet.check_balances(me.wallet.get_address())
    first = me.wallet.send_eth("0.5 ether", other)
    second = me.wallet.send_eth(3, other)
    paid = gas_paid(sandbox, first) + gas_paid(sandbox, second)
    assert me.wallet.check_balances(other).wei == 5 * 10**17 + 3
    after = me.wallet.check_balances(me.wallet.get_address())
    assert before.wei - after.wei == 5 * 10**17 + 3 + paid
    assert after.nrlc == before.nrlc
    assert transaction(sandbox, first)[1]["gasUsed"] == hex(21000)


def test_the_coin_of_a_native_chain_is_sent_as_rlc(native_sandbox: Sandbox, client: Client) -> None:
    me = client(native_sandbox, "requester")
    with pytest.raises(StateError, match=r"sendETH\(\) is disabled on sidechain, use sendRLC"):
        me.wallet.send_eth(1, "0x" + "77" * 20)


@pytest.mark.witness("calldata: transfer of RLC", by="contracts")
def test_send_rlc(any_sandbox: Sandbox, client: Client) -> None:
    me, other = client(any_sandbox, "requester"), "0x" + "77" * 20
    before = me.wallet.check_balances(me.wallet.get_address())
    tx_hash = me.wallet.send_rlc("1.5 RLC", other)
    me.wallet.send_rlc(7, other)
    after = me.wallet.check_balances(me.wallet.get_address())
    assert me.wallet.check_balances(other).nrlc == 1_500_000_007 == before.nrlc - after.nrlc
    sent, _ = transaction(any_sandbox, tx_hash)
    if any_sandbox.chain.native:
        assert (sent["value"], sent["gasPrice"]) == (hex(15 * 10**8 * RLC), "0x0")
    else:
        assert (sent["value"], sent["to"]) == ("0x0", any_sandbox.deployment.token.lower())  # type: ignore[union-attr]


def test_send_everything(any_sandbox: Sandbox, client: Client) -> None:
    """On a native chain gas costs nothing, so the last wei can go too."""
    me, other = client(any_sandbox, "requester"), "0x" + "77" * 20
    all_of_it = me.wallet.check_balances(me.wallet.get_address()).nrlc
    me.wallet.send_rlc(all_of_it, other)
    assert me.wallet.check_balances(me.wallet.get_address()).nrlc == 0
    assert me.wallet.check_balances(other).nrlc == all_of_it


def test_more_than_there_is(any_sandbox: Sandbox, client: Client) -> None:
    me, other = client(any_sandbox, "requester"), "0x" + "77" * 20
    have, before = me.wallet.check_balances(me.wallet.get_address()), count(me)
    with pytest.raises(StateError, match="Amount to send exceed wallet balance") as caught:
        me.wallet.send_rlc(have.nrlc + 1, other)
    assert caught.value.details == {"amount": str(have.nrlc + 1), "balance": str(have.nrlc)}
    if not any_sandbox.chain.native:
        with pytest.raises(StateError, match="Amount to send exceed wallet balance"):
            me.wallet.send_eth(have.wei + 1, other)
        # the fee is not the SDK's to foresee: the node refuses, and nothing is sent
        with pytest.raises(Web3ProviderSendError, match="insufficient funds"):
            me.wallet.send_eth(have.wei, other)
    for amount in (-1, "-1", "1.5", 1.0, True, "1 rlc", "", 2**256):
        with pytest.raises((ValidationError, StateError)):
            me.wallet.send_rlc(amount, other)  # type: ignore[arg-type]
    for receiver in (
        "0x" + "77" * 19,
        "",
        other[:-1],
        "0x" + accounts.addresses()["admin"][2:].swapcase(),
    ):
        with pytest.raises(ValidationError):
            me.wallet.send_rlc(1, receiver)
    assert count(me) == before


def test_rlc_without_coin_for_gas(sandbox: Sandbox, client: Client) -> None:
    poor = KeySigner.from_key(random_bytes(32))
    client(sandbox, "requester").wallet.send_rlc(5, poor.address)
    with IExec(sandbox.chain, poor) as iexec:
        with pytest.raises(Web3ProviderSendError, match="insufficient funds"):
            iexec.wallet.send_rlc(5, "0x" + "77" * 20)
        assert iexec.wallet.check_balances(poor.address).nrlc == 5


def test_price_and_nonce_of_the_users_own(sandbox: Sandbox, client: Client) -> None:
    asked = []

    def nonce(address: str, block: str) -> int:
        asked.append((address, block))
        return count(client(sandbox, "requester"))

    me = client(sandbox, "requester", gas_price=77 * 10**9, get_transaction_count=nonce)
    sent, _ = transaction(sandbox, me.wallet.send_eth(1, "0x" + "77" * 20))
    assert sent["gasPrice"] == hex(77 * 10**9)
    assert asked == [(me.wallet.get_address(), "pending")]
    free = client(sandbox, "worker-1", use_gas=False)
    sent, _ = transaction(sandbox, free.wallet.send_rlc(1, "0x" + "77" * 20))
    assert sent["gasPrice"] == "0x0"


@pytest.mark.parametrize("to", ["0x" + "0" * 40, "0" * 40])
def test_nothing_goes_to_nobody(sandbox: Sandbox, client: Client, to: str) -> None:
    wallet = client(sandbox, "requester").wallet
    before = wallet.check_balances(accounts.addresses()["requester"])
    for send in (
        lambda: wallet.send_eth(1, to),
        lambda: wallet.send_rlc(1, to),
        lambda: wallet.sweep(to),
    ):
        with pytest.raises(ValidationError, match=r"to is the zero address .* is lost"):
            send()
    assert wallet.check_balances(accounts.addresses()["requester"]) == before
