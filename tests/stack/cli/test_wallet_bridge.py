"""RLC over the bridge between two chains, by the command line, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import Chain, IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sdk.local import record_path

from .machine import Machine

SANDBOX = ("--bridge",)
ME = accounts.addresses()["requester"]
RLC = 10**9


@pytest.fixture
def chains(machine: Machine) -> Iterator[dict[str, IExec]]:
    """The library on both chains, as the requester."""
    folder = Path(machine.env["IEXEC_LITE_HOME"], "sandbox")
    found = {}
    for name in ("sandbox", "sandbox-native"):
        record = Chain.from_dict(json.loads(record_path(folder, name).read_text("utf-8")))
        found[name] = IExec(record, accounts.signer("requester"))
    yield found
    for iexec in found.values():
        iexec.close()


def balance(iexec: IExec) -> int:
    return iexec.wallet.check_balances(ME).nrlc


def test_both_ways(machine: Machine, project: Any, chains: dict[str, IExec], golden: Any) -> None:
    folder = project("requester")
    token, native = chains["sandbox"], chains["sandbox-native"]
    before = balance(token), balance(native)
    there = ["wallet", "bridge-to-sidechain", "5", "RLC"]
    options = ["--force", "--gas-price", "20", "gwei", "--confirms", "1"]
    document = machine.raw(*there, *options, folder=folder)
    assert list(document) == ["ok", "amount", "from", "to", "sendTxHash", "receiveTxHash"]
    assert (document["amount"], document["from"]) == (str(5 * RLC), ME)
    assert document["to"] == token.chain.bridge_contract
    assert (balance(token), balance(native)) == (before[0] - 5 * RLC, before[1] + 5 * RLC)
    with machine.terminal(*there, folder=folder) as terminal:
        terminal.answer(
            f"? Do you want to send 5.0 sandbox RLC to bridge contract {document['to']} (please "
            f"double check the address) [chainId: {token.chain.id}] (Y/n) ",
            "y",
        )
        status, seen = terminal.end()
    assert status == 0
    golden("wallet-bridge-to-sidechain", seen[seen.index("Sent 5.0") :])
    back = ["wallet", "bridge-to-mainchain", "--chain", "sandbox-native", "--force"]
    document = machine.raw(*back, "2000000000", folder=folder)
    assert list(document) == ["ok", "amount", "from", "to", "sendTxHash", "receiveTxHash"]
    assert (document["amount"], document["to"]) == (str(2 * RLC), native.chain.bridge_contract)
    done = machine.run(*back, "--new", "3 RLC", folder=folder)
    assert done.returncode == 0
    golden("wallet-bridge-to-mainchain", done.stdout)
    assert "The bridge pays out on chain sandbox some minutes later" in done.stderr
    assert (balance(token), balance(native)) == (before[0] - 5 * RLC, before[1] + 5 * RLC)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["bridge-to-sidechain", "1"], "Minimum amount allowed to bridge is "),
        (["bridge-to-sidechain", "500000 RLC"], "Maximum amount allowed to bridge is "),
        (["bridge-to-sidechain", "9999999999 RLC"], "Amount to bridge exceed wallet balance"),
        (["bridge-to-sidechain", "1.5"], "1.5 is not a valid amount"),
        (["bridge-to-sidechain", "5", "RLC"], "Do you want to send 5.0 sandbox RLC to bridge"),
        (["bridge-to-mainchain", "5 RLC"], "Cannot bridge mainchain to mainchain"),
        (["bridge-to-sidechain", "5 RLC", "--chain", "sandbox-native"], "Cannot bridge sidechain"),
        (["bridge-to-mainchain", "1", "--chain", "sandbox-native"], "Minimum amount allowed"),
    ],
)
def test_refused(machine: Machine, project: Any, words: list[str], why: str) -> None:
    assert machine.message("wallet", *words, folder=project("requester")).startswith(why)
