"""``deal show | claim``: what a person sees of a deal, and the document of ``--raw``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import IExecError, ObjectNotFoundError
from iexec_lite.sdk.records import DealClaim

from .records import (
    APP,
    DATASET,
    DEALID,
    ME,
    NOBODY,
    OTHER,
    POOL,
    TASKID,
    deal,
    share,
    task,
    update,
)

CHAIN = ("--chain", "bellecour")

SHOWN = f"""\
deal:             {DEALID}
status:           running: 1/2 tasks completed, 1 running; final deadline in 1 hour
app:              {APP}  1.0 RLC
app owner:        {OTHER}
dataset:          none
workerpool:       {POOL}  3.0 RLC
workerpool owner: {OTHER}
price:            4.0 RLC per task (8.0 RLC for 2 tasks)
requester:        {ME}
beneficiary:      the requester
callback:         none
category:         0
trust:            1
tag:              none
worker stake:     0.5 RLC
scheduler reward: 5 %
started:          2027-01-15 06:00:00 UTC (2 hours ago)
final deadline:   2027-01-15 09:00:00 UTC (in 1 hour)
params:
  iexec_args: hi
tasks:
  0 COMPLETED {TASKID}
  1 ACTIVE    0x{"7b" + "7a" * 31}
"""


def missing(what: str) -> Callable[[str], Any]:
    def show(key: str) -> Any:
        raise ObjectNotFoundError(what, key, 134)

    return show


@pytest.fixture
def of(library: SimpleNamespace) -> Callable[..., list[str]]:
    """``of(update, …)``: the deal of the first, whose watch gives them all; who was watched."""

    def make(*updates: Any) -> list[str]:
        watched: list[str] = []

        def obs_deal(dealid: str) -> Iterator[Any]:
            watched.append(dealid)
            yield from updates

        library.deal = SimpleNamespace(show=lambda _: updates[0].deal, obs_deal=obs_deal)
        return watched

    return make


def test_a_deal_for_people(run, of) -> None:
    results = {"storage": "ipfs", "location": "/ipfs/Qm"}
    running = update("DEAL_UPDATED", task("COMPLETED", results=results), task("ACTIVE", 1))
    of(running, update("DEAL_COMPLETED", task("COMPLETED"), task("COMPLETED", 1)))
    found = run("deal", "show", DEALID, *CHAIN)
    download = f"\nGet a result: iexec-lite task show {TASKID} --download --chain bellecour\n"
    assert (found.status, found.err) == (0, "")
    assert found.out == SHOWN + download


def test_what_was_agreed_beyond_the_usual(run, of) -> None:
    more = {
        **{"dataset": share(DATASET, 5 * 10**8), "sponsor": OTHER, "beneficiary": OTHER},
        **{"callback": POOL, "tag": "0x" + "00" * 31 + "01", "params": "[1]"},
    }
    of(update("DEAL_UPDATED", task(), **more))
    out = run("deal", "show", DEALID, *CHAIN).out
    assert (
        out
        == f"""\
deal:             {DEALID}
status:           running: 0/1 tasks completed, 1 not begun; final deadline in 1 hour
app:              {APP}  1.0 RLC
app owner:        {OTHER}
dataset:          {DATASET}  0.5 RLC
dataset owner:    {OTHER}
workerpool:       {POOL}  3.0 RLC
workerpool owner: {OTHER}
price:            4.5 RLC per task
paid by:          {OTHER}
requester:        {ME}
beneficiary:      {OTHER}
callback:         {POOL}
category:         0
trust:            1
tag:              tee
worker stake:     0.5 RLC
scheduler reward: 5 %
started:          2027-01-15 06:00:00 UTC (2 hours ago)
final deadline:   2027-01-15 09:00:00 UTC (in 1 hour)
params:           [1]
tasks:
  0 UNSET {TASKID}
"""
    )
    of(update("DEAL_UPDATED", task(), sponsor=ME, beneficiary=NOBODY))
    out = run("deal", "show", DEALID, *CHAIN).out
    assert "paid by" not in out
    assert "beneficiary:      none" in out.splitlines()


@pytest.mark.parametrize(
    ("message", "names", "status"),
    [
        ("DEAL_COMPLETED", ["COMPLETED"], "completed: 1/1 tasks completed"),
        ("DEAL_TIMEDOUT", ["TIMEOUT"], "timed out: 0/1 tasks completed, 1 timed out"),
        ("DEAL_TIMEDOUT", ["FAILED"], "timed out: 0/1 tasks completed, 1 failed"),
    ],
)
def test_the_end_of_a_deal(run, of, message: str, names: list[str], status: str) -> None:
    of(update(message, *map(task, names)))
    found = run("deal", "show", DEALID, *CHAIN)
    assert f"status:           {status}" in found.out.splitlines()
    claim = f"\n\nGet the money back for these: iexec-lite deal claim {DEALID} --chain bellecour\n"
    assert found.out.endswith(claim) is ("TIMEOUT" in names)
    assert "Get a result" not in found.out  # none is on IPFS


def test_of_many_tasks_those_that_are_not_done(run, of) -> None:
    names = ["COMPLETED"] * 30
    names[25] = "FAILED"
    of(update("DEAL_UPDATED", *(task(name, at) for at, name in enumerate(names))))
    lines = run("deal", "show", DEALID).out.splitlines()
    shown = lines[lines.index("tasks:") + 1 :]
    assert [line.split()[0] for line in shown] == [*map(str, range(19)), "25", "and"]
    assert shown[0].startswith("   0 COMPLETED 0x")
    assert shown[19].startswith("  25 FAILED    0x")
    assert shown[20:] == ["  and 10 more: with --watch --raw all are listed"]


@pytest.mark.parametrize(("count", "shown", "more"), [(20, 20, False), (21, 20, True)])
def test_as_many_tasks_as_are_shown(run, of, count: int, shown: int, more: bool) -> None:
    of(update("DEAL_UPDATED", *(task("ACTIVE", at) for at in range(count))))
    lines = run("deal", "show", DEALID).out.partition("\ntasks:\n")[2].splitlines()
    assert len(lines) == shown + more
    assert lines[-1].startswith("  and 1 more: " if more else "  19 ACTIVE 0x")


def test_a_deal_of_very_many_tasks_is_not_looked_up(run, library) -> None:
    running = update("DEAL_UPDATED", task())
    of_so_many = {"show": lambda _: deal(bot_size=1001), "obs_deal": lambda _: iter([running])}
    library.deal = SimpleNamespace(**of_so_many)
    out = run("deal", "show", DEALID, *CHAIN).out
    head, _, rest = SHOWN.partition("status:")
    told = head + rest.partition("\n")[2].partition("tasks:\n")[0]
    told = told.replace("8.0 RLC for 2", "4004.0 RLC for 1001")
    assert out == f"{told}tasks:            1001 (their states: --watch)\n"
    library.deal.show = lambda _: deal(bot_size=1000)
    assert "\nstatus:           running: " in run("deal", "show", DEALID).out


def test_the_document(run, of) -> None:
    running = update("DEAL_UPDATED", task("ACTIVE"))
    ended = update("DEAL_TIMEDOUT", task("COMPLETED"), task("TIMEOUT", 1))
    watched = of(running, ended)
    found = run("deal", "show", DEALID, "--raw").json
    assert found == {"ok": True, "deal": running.deal.to_dict()}
    assert watched == []
    found = run("deal", "show", DEALID, "--watch", "--raw").json
    assert watched == [DEALID]
    done, late = ({"idx": str(at), **each.to_dict()} for at, each in ended.tasks.items())
    assert found == {
        **{"ok": True, "tasksCount": 2, "completedTasksCount": 1, "failedTasksCount": 1},
        **{"deal": ended.deal.to_dict(), "tasks": [done, late], "failedTasks": [late]},
    }


def test_a_watch_for_people(run, of) -> None:
    of(update("DEAL_UPDATED", task("ACTIVE")), update("DEAL_COMPLETED", task("COMPLETED")))
    found = run("deal", "show", DEALID, "--watch")
    assert found.err == ("ℹ 0/1 tasks completed, 1 running; 1 hour left\nℹ 1/1 tasks completed\n")
    assert "status:           completed: 1/1 tasks completed" in found.out.splitlines()


def test_what_is_no_deal(run, library) -> None:
    library.deal = SimpleNamespace(show=missing("deal"))
    library.task = SimpleNamespace(show=missing("task"))
    message = run("deal", "show", DEALID, "--raw").json["error"]["message"]
    assert message == f"No deal found for id {DEALID} on chain 134"
    library.task = SimpleNamespace(show=lambda _: task())
    message = run("deal", "show", DEALID, "--raw", *CHAIN).json["error"]["message"]
    assert message == (
        f"No deal found for id {DEALID} on chain 134: it is the id of a task. Show it with: "
        f"iexec-lite task show {DEALID} --chain bellecour"
    )


@pytest.mark.parametrize(("count", "words"), [(1, "1 task claimed"), (2, "2 tasks claimed")])
def test_claim(run, library, wallet, count: int, words: str) -> None:
    claimed = {at: task(index=at).taskid for at in range(count)}
    claim = DealClaim(claimed=claimed, transactions=({"txHash": "0x1", "type": "claimArray"},))
    paid = deal(dataset=share(DATASET, 10**9))
    library.deal = SimpleNamespace(show=lambda _: paid, claim={DEALID: claim}.get)
    asked = ("deal", "claim", DEALID, "--keystoredir", "ks", *CHAIN)
    found = run(*asked)
    back = f"{5 * count}.0 RLC went back to the account of {ME}, who paid"
    assert found.out == f"Deal successfully claimed ({words})\n{back}\n"
    assert library.signer.address == ME
    assert run(*asked, "--raw").json == {"ok": True, **claim.to_dict()}


def test_a_claim_that_was_cut_off(run, library, wallet) -> None:
    done: list[object] = []

    def claim(_: str) -> None:
        raise IExecError("No answer", details={"transactions": done})

    library.deal = SimpleNamespace(show=lambda _: deal(), claim=claim)
    asked = ("deal", "claim", DEALID, "--keystoredir", "ks", "--raw")
    assert run(*asked).json["error"]["message"] == "No answer"
    done.append({"txHash": "0x1"})
    assert run(*asked).json["error"]["message"] == (
        "No answer; what was sent before it (1) is claimed, the same command claims the rest"
    )
