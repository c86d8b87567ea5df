"""``wallet`` and ``account`` where RLC is the chain's own coin, and gas costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iexec_lite import IExec
from iexec_lite.sandbox import accounts

from .machine import Machine

SANDBOX = ("--flavour", "native")
RLC = 10**9
Client = Callable[[str], IExec]


def test_money(machine: Machine, client: Client, project: Any, golden: Any, stranger: str) -> None:
    """From the faucet to an account and to somebody else, to the last coin."""
    folder = project("requester")
    me = machine.raw("wallet", "create", "--unencrypted", "--force", folder=folder)["address"]
    message = machine.message("wallet", "get-ETH", folder=folder)
    assert message == "No ETH faucet on chain sandbox: its coin is RLC, ask for that"
    assert machine.raw("wallet", "get-RLC", folder=folder)["ok"] is True
    golden("native-get-RLC", machine.shown("wallet", "get-RLC", folder=folder))
    golden("native-wallet-show", machine.shown("wallet", "show", folder=folder))
    to = ["--to", stranger, "--force"]
    message = machine.message("wallet", "send-ether", "1", *to, folder=folder)
    assert message == "sendETH() is disabled on sidechain, use sendRLC()"
    sent = machine.raw("wallet", "send-RLC", "1.5", *to, "--gas-price", "9", folder=folder)
    assert sent["amount"] == "1500000000"
    found = client("admin")._context.rpc.request("eth_getTransactionByHash", (sent["txHash"],))
    assert found["gasPrice"] == "0x0"  # the chain's price, whatever was wished (cli.md §2)
    golden("native-send-RLC", machine.shown("wallet", "send-RLC", "2", *to, folder=folder))
    deposit = machine.raw("account", "deposit", "50 RLC", folder=folder)
    assert deposit["amount"] == str(50 * RLC)
    golden("native-deposit", machine.shown("account", "deposit", "6 RLC", folder=folder))
    golden("native-withdraw", machine.shown("account", "withdraw", "1 nRLC", folder=folder))
    with machine.terminal("wallet", "sweep", "--to", stranger, folder=folder) as terminal:
        terminal.answer(f"Do you want to send all wallet sandbox RLC to {stranger}", "")
        status, seen = terminal.end()
    assert status == 0
    golden("native-sweep", seen[seen.index("Wallet swept") :])
    wallet = client("admin").wallet
    assert (wallet.check_balances(me).wei, wallet.check_balances(stranger).nrlc) == (
        0,
        144 * RLC + 1,
    )
    document = machine.raw("wallet", "sweep", *to, folder=folder)
    assert list(document) == ["ok", "from", "to", "errors"]
    assert client("admin").account.check_balance(me).stake == 56 * RLC - 1


def test_not_on_this_chain(machine: Machine, project: Any) -> None:
    folder = project("requester")
    bridge = machine.message("wallet", "bridge-to-sidechain", "1", folder=folder)
    assert bridge == "Cannot bridge sidechain to sidechain"
    swap = machine.message("wallet", "swap-RLC-for-eRLC", "1", folder=folder)
    assert swap == f"No enterprise smart contracts found on current chain {machine.chain().id}"
    more = accounts.addresses()["worker-1"]
    too_much = machine.message("wallet", "send-RLC", "9" * 12, "--to", more, folder=folder)
    assert too_much.startswith("Amount to send exceed wallet balance")
