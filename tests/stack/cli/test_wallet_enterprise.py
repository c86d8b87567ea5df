"""``wallet`` and ``account`` with eRLC, and RLC in and out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import NO_KYC, twin_of

from .machine import Machine

SANDBOX = ("--flavour", "enterprise")
PEOPLE = accounts.addresses()
RLC = 10**9
Client = Callable[[str], IExec]


@pytest.fixture
def both(machine: Machine) -> Callable[[str], tuple[int, int]]:
    """``both("requester")``: what somebody has, in nRLC and neRLC."""

    def look(name: str) -> tuple[int, int]:
        chain = machine.chain()
        with IExec(twin_of(chain)) as standard, IExec(chain) as enterprise:
            found = [each.wallet.check_balances(PEOPLE[name]) for each in (standard, enterprise)]
        return found[0].nrlc, found[1].nrlc

    return look


def test_swaps(machine: Machine, project: Any, golden: Any, both: Any) -> None:
    """From whichever side of the pair the command is given."""
    folder = project("requester")
    rlc, erlc = both("requester")
    words = ["wallet", "swap-RLC-for-eRLC", "--force"]
    document = machine.raw(*words, "5", "RLC", folder=folder)
    assert list(document) == ["ok", "amount", "txHash"]
    assert document["amount"] == str(5 * RLC)
    price = ["--gas-price", "20 gwei", "--confirms", "1", "--new"]
    machine.raw(*words, *price, "1", "--chain", "sandbox-standard", folder=folder)
    assert both("requester") == (rlc - 5 * RLC - 1, erlc + 5 * RLC + 1)
    words = ["wallet", "swap-eRLC-for-RLC", "--force"]
    back = machine.raw(*words, "1.5", "eRLC", "--gas-price", "77 gwei", folder=folder)
    assert list(back) == ["ok", "amount", "txHash"]
    with IExec(machine.chain()) as iexec:
        sent = iexec._context.rpc.request("eth_getTransactionByHash", (back["txHash"],))
    assert sent["gasPrice"] == hex(77 * 10**9)  # not so in V6 (cli.md B15)
    machine.raw(*words, "3", "neRLC", "--chain", "sandbox-standard", folder=folder)
    golden("wallet-swap-eRLC-for-RLC", machine.shown(*words, "0.5 eRLC", folder=folder))
    words = ["wallet", "swap-RLC-for-eRLC", "2 RLC"]
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer("? Do you want to swap 2.0 RLC for eRLC (1 RLC = 1 eRLC) [chainId: ", "")
        status, seen = terminal.end()
    assert status == 0
    golden("wallet-swap-RLC-for-eRLC", seen[seen.index("Swapped") :])
    moved = 5 * RLC + 1 - 2 * RLC - 3 + 2 * RLC
    assert both("requester") == (rlc - moved, erlc + moved)


def test_refused(machine: Machine, project: Any) -> None:
    folder = project(NO_KYC)
    unknown = f"{PEOPLE[NO_KYC]} is not authorized to interact with eRLC"
    for words in (
        ["wallet", "swap-RLC-for-eRLC", "1"],
        ["wallet", "swap-eRLC-for-RLC", "1"],
        ["wallet", "send-RLC", "1", "--to", PEOPLE["requester"]],
        ["wallet", "sweep", "--to", PEOPLE["requester"]],
        ["account", "deposit", "1"],
    ):
        assert machine.message(*words, folder=folder).startswith(unknown)
    document = machine.raw("wallet", "get-RLC", folder=folder)  # no is an answer, as in V6
    assert document["faucetsResponses"][0]["response"]["error"].startswith(unknown)
    folder = project("requester")
    words = ["wallet", "swap-RLC-for-eRLC", "99999999 RLC"]
    assert machine.message(*words, folder=folder).startswith("Amount to wrap exceed wallet balance")
    words = ["wallet", "swap-eRLC-for-RLC", "99999999", "eRLC"]
    assert machine.message(*words, folder=folder).startswith("Amount to unwrap exceed wallet")
    words = ["wallet", "swap-eRLC-for-RLC", "1", "eRLC"]
    assert machine.message(*words, folder=folder).startswith(
        "Do you want to swap 1.0 eRLC for RLC (1 eRLC = 1 RLC) [chainId: "
    )
    bridge = machine.message("wallet", "bridge-to-sidechain", "1", folder=folder)
    assert bridge == f'Missing bridge in "chain.json" for chain {machine.chain().id}'


def test_money_has_another_name(
    machine: Machine, client: Client, project: Any, golden: Any
) -> None:
    folder = project("worker-2")
    golden("enterprise-get-RLC", machine.shown("wallet", "get-RLC", folder=folder))
    golden("enterprise-get-ETH", machine.shown("wallet", "get-ETH", folder=folder))
    standard = ["--chain", "sandbox-standard"]
    golden("standard-get-RLC", machine.shown("wallet", "get-RLC", *standard, folder=folder))
    to = ["--to", PEOPLE["worker-3"], "--force"]
    before = client("worker-3").wallet.check_balances(PEOPLE["worker-3"]).nrlc
    sent = machine.shown("wallet", "send-RLC", "1.5", "eRLC", *to, folder=folder)
    golden("enterprise-send-RLC", sent)
    assert client("worker-3").wallet.check_balances(PEOPLE["worker-3"]).nrlc - before == (
        3 * RLC // 2
    )
    words = ["account", "deposit", "5", "eRLC"]
    golden("enterprise-deposit", machine.shown(*words, folder=folder))
    golden("enterprise-account-show", machine.shown("account", "show", folder=folder))
    lines = machine.shown("wallet", "show", folder=folder).splitlines()
    assert [line.split(":")[0] for line in lines] == ["address", "ether", "eRLC"]
