"""``deal show`` and ``deal claim``: open, completed and late deals, and people who watch them."""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts
from iexec_lite.sdk.records import MatchResult

from .deals import PRICE, Client, buy
from .machine import Machine

FINAL = 3000  # seconds from the start of a deal of category 0 to its final deadline
NOTHING = "0x" + "77" * 32


def rpc(machine: Machine) -> Rpc:
    return Rpc(str(machine.chain().host))


def wait(machine: Machine, seconds: int) -> None:
    node = rpc(machine)
    node.request("evm_increaseTime", (seconds,))
    node.request("evm_mine")


def begin(client: Client, match: MatchResult, *indexes: int) -> None:
    """As a scheduler, who is nobody's worker."""
    context = client("admin")._context
    data = HUB.initializeArray.encode([match.dealid] * len(indexes), list(indexes))
    context.send("begin", {"deal": match.dealid, "tasks": list(indexes)}, context.hub, data)


@pytest.fixture
def idle(machine: Machine, client: Client) -> Iterator[IExec]:
    """Somebody with money, whose pools nobody works for."""
    signer = KeySigner.from_key(random_bytes(32))
    rpc(machine).request("anvil_setBalance", (signer.address, hex(10**20)))
    client("admin").wallet.send_rlc("1 RLC", signer.address)
    with IExec(machine.chain(), signer) as iexec:
        yield iexec


@pytest.fixture
def columns() -> Callable[[Any, int], None]:
    def resize(terminal: Any, width: int) -> None:
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

    return resize


# -- show -------------------------------------------------------------------------------------


def test_an_open_deal(
    machine: Machine, client: Client, idle: IExec, project: Any, golden: Any
) -> None:
    params = {"iexec_args": "--name Alice", "iexec_input_files": ["https://a.example/b"]}
    match = buy(client, pool_owner=idle, volume=3, tag=["gpu"], trust=2, params=params)
    begin(client, match, 1)
    folder = project("requester")
    golden("deal-show-open", machine.shown("deal", "show", match.dealid, folder=folder))
    raw = machine.raw("deal", "show", match.dealid, folder=folder)
    deal = client("requester").deal.show(match.dealid)
    assert raw == {"ok": True, "deal": deal.to_dict()}
    assert list(raw["deal"])[:6] == ["dealid", "app", "dataset", "workerpool", "trust", "category"]
    assert raw["deal"]["tasks"] == {str(i): match.taskids[i] for i in range(3)}


def test_a_completed_deal(machine: Machine, client: Client, project: Any, golden: Any) -> None:
    match = buy(client, volume=2, beneficiary=accounts.addresses()["beneficiary"], token=False)
    folder = project("requester")
    words = ["deal", "show", match.dealid, "--watch", "--chain", "sandbox"]
    raw = machine.raw(*words, folder=folder)
    assert list(raw) == [
        *("ok", "tasksCount", "completedTasksCount", "failedTasksCount"),
        *("deal", "tasks", "failedTasks"),
    ]
    assert [raw[f"{name}TasksCount"] for name in ("completed", "failed")] == [2, 0]
    assert (raw["tasksCount"], raw["failedTasks"]) == (2, [])
    for index, task in enumerate(raw["tasks"]):
        assert list(task)[:3] == ["idx", "taskid", "status"]
        assert (task["idx"], task["taskid"]) == (str(index), match.taskids[index])
        assert (task["status"], task["statusName"]) == (3, "COMPLETED")
    golden("deal-show-completed", machine.shown(*words, folder=folder))


def test_many_tasks(machine: Machine, client: Client, idle: IExec, project: Any) -> None:
    match = buy(client, pool_owner=idle, volume=120)
    begin(client, match, 7, 110)
    shown = machine.shown("deal", "show", match.dealid, folder=project("requester"))
    assert "running: 0/120 tasks completed, 2 running, 118 not begun; final deadline in" in shown
    lines = shown.split("tasks:\n")[1].splitlines()
    assert len(lines) == 21
    assert lines[0] == f"   0 UNSET  {match.taskids[0]}"
    assert lines[7] == f"   7 ACTIVE {match.taskids[7]}"
    assert lines[20] == "  and 100 more: with --watch --raw all are listed"


def test_what_is_no_deal(machine: Machine, client: Client, project: Any) -> None:
    folder = project("requester")
    match = buy(client, token=False)
    list(client("requester").deal.obs_deal(match.dealid))
    chain = machine.chain().id
    for command in ("show", "claim"):
        message = machine.message("deal", command, NOTHING, folder=folder)
        assert message == f"No deal found for id {NOTHING} on chain {chain}"
        task = match.taskids[0]
        assert machine.message("deal", command, task, "--chain", "sandbox", folder=folder) == (
            f"No deal found for id {task} on chain {chain}: it is the id of a task. "
            f"Show it with: iexec-lite task show {task} --chain sandbox"
        )
        for wrong in (NOTHING[:-1], accounts.addresses()["requester"], "", "x" * 500):
            message = machine.message("deal", command, wrong, folder=folder)
            assert "dealid" in message
            assert "is not a bytes32 hexstring" in message
            assert len(message) < 250
    error = machine.refused("deal", "show", NOTHING, "--chain", "nowhere", folder=folder)
    assert 'Missing "nowhere" chain in "chain.json"' in error


# -- watch ------------------------------------------------------------------------------------


def test_a_deal_that_times_out_is_watched_and_claimed(
    machine: Machine, client: Client, idle: IExec, project: Any, golden: Any
) -> None:
    match = buy(client, pool_owner=idle, volume=3)
    begin(client, match, 0)
    folder = project("requester")
    early = machine.message("deal", "claim", match.dealid, folder=folder)
    assert early.startswith("Cannot claim a deal before reaching the final time: 20")
    words = ["deal", "show", match.dealid, "--watch"]
    with machine.terminal(*words, folder=folder, env={"TERM": "dumb"}) as terminal:
        terminal.read("ℹ 0/3 tasks completed, 1 running, 2 not begun; ")
        begin(client, match, 2)
        terminal.read("ℹ 0/3 tasks completed, 2 running, 1 not begun; ")
        wait(machine, FINAL)
        status, seen = terminal.end()
    assert status == 0, seen
    assert "status:           timed out: 0/3 tasks completed, 3 timed out\n" in seen
    golden("deal-show-timed-out", machine.shown("deal", "show", match.dealid, folder=folder))
    raw = machine.raw("deal", "show", match.dealid, "--watch", folder=folder)
    assert raw["failedTasks"] == raw["tasks"]
    assert raw["tasks"][1] == {
        "idx": "1",
        "taskid": match.taskids[1],
        "status": 0,
        "dealid": match.dealid,
        "statusName": "TIMEOUT",
        "taskTimedOut": True,
    }

    requester = client("requester")
    before = requester.account.check_balance(requester.wallet.get_address())
    words = ["deal", "claim", match.dealid, "--gas-price", "2", "gwei", "--confirms", "1"]
    claimed = machine.raw(*words, folder=folder)
    assert claimed["claimed"] == {str(index): taskid for index, taskid in match.taskids.items()}
    assert [set(sent) for sent in claimed["transactions"]] == [{"txHash", "type"}] * 2
    kinds = [sent["type"] for sent in claimed["transactions"]]
    assert kinds == ["claimArray", "initializeAndClaimArray"]
    after = requester.account.check_balance(requester.wallet.get_address())
    assert after.stake - before.stake == 2 * PRICE * 3
    assert machine.message("deal", "claim", match.dealid, folder=folder) == "Nothing to claim"
    shown = machine.shown("deal", "show", match.dealid, folder=folder)
    assert "timed out: 0/3 tasks completed, 3 failed\n" in shown


def test_claim_for_people(
    machine: Machine, client: Client, idle: IExec, project: Any, golden: Any
) -> None:
    match = buy(client, pool_owner=idle)
    wait(machine, FINAL)
    done = machine.run("deal", "claim", match.dealid, folder=project("requester"))
    assert done.returncode == 0, done.stderr
    assert "sent 0x" in done.stderr
    golden("deal-claim", done.stdout)


def test_a_claim_that_breaks_off(
    machine: Machine, client: Client, idle: IExec, project: Any
) -> None:
    """The person has no more gas: what went through is told, and that the rest can be had."""
    match = buy(client, pool_owner=idle, volume=20)
    wait(machine, FINAL)
    node, folder = rpc(machine), project("requester")
    person = accounts.addresses()["requester"]
    usual = node.block()["gasLimit"]
    balance = node.request("eth_getBalance", (person, "latest"))
    node.request("evm_setBlockGasLimit", (hex(2_000_000),))
    node.request("evm_mine")
    node.request("anvil_setBalance", (person, hex(3 * 10**6 * 20 * 10**9)))
    try:
        words = ["deal", "claim", match.dealid, "--gas-price", "20 gwei"]
        error = machine.failure(*words, folder=folder)["error"]
        sent = error["details"]["transactions"]
        assert {tuple(part) for part in sent} == {("txHash", "type")}
        assert "insufficient funds" in error["message"]
        assert error["message"].endswith(
            f"; what was sent before it ({len(sent)}) is claimed, the same command claims the rest"
        )
        node.request("anvil_setBalance", (person, balance))
        rest = machine.raw(*words, folder=folder)["claimed"]
        assert 0 < len(rest) < 20
    finally:
        node.request("evm_setBlockGasLimit", (usual,))
        node.request("evm_mine")
        node.request("anvil_setBalance", (person, balance))


def test_the_line_that_is_drawn_over(
    machine: Machine, client: Client, idle: IExec, project: Any, columns: Any
) -> None:
    """At a narrow terminal: no wrapping, no escape code, and nothing of it is left."""
    match = buy(client, pool_owner=idle, volume=3)
    env = {"TERM": "xterm", "NO_COLOR": "1"}
    folder = project("requester")
    words = ["deal", "show", match.dealid, "--watch"]
    with machine.terminal(*words, folder=folder, env=env) as terminal:
        columns(terminal, 40)
        terminal.read("0/3 tasks completed, 3 not begun; 4")
        begin(client, match, 0, 1, 2)
        terminal.read("0/3 tasks completed, 3 running; 4")
        wait(machine, FINAL)
        status, seen = terminal.end()
    assert status == 0, seen
    assert "\x1b" not in seen
    live, shown = seen.split("deal:   ", 1)
    drawn = [part for part in live.split("\r") if "tasks completed" in part]
    assert max(map(len, drawn)) == 39
    assert live.endswith("\r" + " " * 39 + "\r")
    assert "timed out: 0/3 tasks completed, 3 timed out" in shown


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_person_who_does_not_wait(
    machine: Machine, client: Client, idle: IExec, project: Any, term: str
) -> None:
    match = buy(client, pool_owner=idle)
    words = ["deal", "show", match.dealid, "--watch", "--chain", "sandbox"]
    with machine.terminal(*words, folder=project("requester"), env={"TERM": term}) as terminal:
        terminal.read("0/1 tasks completed, 1 not begun")
        terminal.interrupt()
        status, seen = terminal.end()
    assert status == 1
    assert seen.endswith(
        '✖ Command "iexec-lite deal show" failed: Interrupted: the deal goes on, only the watching '
        f"ended; watch it again with: iexec-lite deal show {match.dealid} --watch --chain sandbox\n"
    )


def test_a_quiet_watch(machine: Machine, client: Client, project: Any) -> None:
    match = buy(client, token=False)
    folder = project("requester")
    done = machine.run("deal", "show", match.dealid, "--watch", "--quiet", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "completed: 1/1 tasks completed" in done.stdout
