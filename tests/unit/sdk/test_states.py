"""Deals and tasks as they are read: which reads go out, and each record whole."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.errors import ObjectNotFoundError, StateError, ValidationError
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.ids import task_id
from iexec_lite.sdk.funds import require_funds
from iexec_lite.sdk.hub import Hub
from iexec_lite.sdk.states import read_deal, read_task, read_tasks, read_whole_deal, unset_task

from .hub import NULL, OTHER, UNSET, Context, task, with_deal

DEALID = "0x" + "de" * 32
IDS = [task_id(DEALID, index) for index in (4, 5)]
ABOUT_DEAL = ["viewDeal", HUB.final_deadline_ratio.name]


class Counted(Context):
    """Notes what is read, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    def read_all(self, reads: Any, *, block: Any = "latest") -> list[Any]:
        self.batches.append([method.name for _, method, _ in reads])
        return super().read_all(reads, block=block)

    def read(self, to: str, method: Any, *args: Any) -> Any:
        self.batches.append([method.name])
        return super().read(to, method, *args)


@pytest.fixture
def context() -> Any:
    return Counted()


def test_what_a_deal_takes_is_asked_once(context: Any) -> None:
    with_deal(context, UNSET, UNSET)
    read_deal(context, DEALID)
    assert context.batches == [ABOUT_DEAL, ["viewCategory"]]
    read_deal(context, DEALID)
    assert context.batches[2:] == [ABOUT_DEAL]
    assert Hub(context).get_timeout_ratio() == 10
    assert len(context.batches) == 3


def test_a_whole_deal_takes_two_batches(context: Any) -> None:
    """What they say of the category need not be asked again."""
    with_deal(context, UNSET, task(1))
    deal, tasks = read_whole_deal(context, DEALID)
    assert context.batches == [ABOUT_DEAL, ["viewCategory", "viewTask", "viewTask"]]
    assert (deal.final_time, [each.status for each in tasks.values()]) == (1100, [0, 1])
    assert read_deal(context, DEALID) == deal
    assert context.batches[2:] == [ABOUT_DEAL]
    assert read_tasks(context, deal) == tasks


def test_no_deal(context: Any) -> None:
    with_deal(context, app={"pointer": "0x" + "00" * 20, "owner": OTHER, "price": 0})
    for read in (read_deal, read_whole_deal):
        with pytest.raises(ObjectNotFoundError) as caught:
            read(context, DEALID.upper().replace("X", "x"))
        assert str(caught.value) == f"No deal found for id {DEALID} on chain 4242"
        with pytest.raises(ValidationError, match=r"^dealid\b"):
            read(context, "0x12")


WHOLE = {
    "taskid": IDS[0],
    "status": 1,
    "dealid": DEALID,
    "idx": "4",
    "timeref": "60",
    "contributionDeadline": "700",
    "revealDeadline": "800",
    "finalDeadline": "1100",
    "consensusValue": NULL,
    "revealCounter": "1",
    "winnerCounter": "2",
    "contributors": [OTHER],
    "resultDigest": "0x" + "d1" * 32,
    "results": {"storage": "none"},
    "resultsTimestamp": "0",
    "resultsCallback": "0x12",
    "statusName": "ACTIVE",
    "taskTimedOut": False,
}


@pytest.mark.parametrize(
    ("now", "status", "name", "timed_out"),
    [
        (1099, 0, "UNSET", False),
        (1100, 0, "TIMEOUT", True),
        (1099, 1, "ACTIVE", False),
        (1100, 1, "TIMEOUT", True),
        (1099, 2, "REVEALING", False),
        (1100, 2, "TIMEOUT", True),
        (1100, 3, "COMPLETED", False),
        (1099, 4, "FAILED", False),
        (1100, 4, "FAILED", True),
        (1099, 5, "UNKNOWN (5)", False),
        (1100, 5, "UNKNOWN (5)", True),
    ],
)
def test_a_task_and_its_name(
    context: Any, now: int, status: int, name: str, timed_out: bool
) -> None:
    context.now = now
    with_deal(context, task(status))
    found = read_task(context, IDS[0])
    assert found is not None
    wanted = {"status": status, "statusName": name, "taskTimedOut": timed_out}
    assert found.to_dict() == {**WHOLE, **wanted}


def test_a_task_that_nobody_has_begun(context: Any) -> None:
    with_deal(context, UNSET, UNSET)
    assert read_task(context, IDS[0]) is None
    deal = read_deal(context, DEALID)
    for now, name in ((1099, "UNSET"), (1100, "TIMEOUT")):
        found = unset_task(IDS[0], deal, now)
        assert found.to_dict() == {
            "taskid": IDS[0],
            "status": 0,
            "dealid": DEALID,
            "statusName": name,
            "taskTimedOut": name == "TIMEOUT",
        }
        context.now = now
        assert read_tasks(context, deal)[4] == found


def test_all_that_is_there_may_be_moved_and_no_more() -> None:
    require_funds("Deposit amount", 5, 5)
    with pytest.raises(StateError) as caught:
        require_funds("Deposit amount", 6, 5)
    assert caught.value.to_dict() == {
        "name": "StateError",
        "code": "state",
        "message": "Deposit amount exceed wallet balance (6 nRLC wanted, 5 nRLC available)",
        "details": {"amount": "6", "balance": "5"},
    }
    with pytest.raises(StateError, match=r"^Amount exceed wallet balance \(2 wei wanted, 1 wei"):
        require_funds("Amount", 2, 1, "wei")
