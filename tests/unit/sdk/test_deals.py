"""Deals and tasks of a hub in memory: records, watches, what can be claimed, and when."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    ObjectNotFoundError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from iexec_lite.net.rpc import OTHER_NODE
from iexec_lite.protocol.contracts import EVENTS, HUB
from iexec_lite.protocol.ids import task_id
from iexec_lite.sdk.deal import Deals
from iexec_lite.sdk.hub import Hub
from iexec_lite.sdk.states import read_tasks
from iexec_lite.sdk.task import Tasks

from .hub import HUB_ADDRESS, ME, NULL, OTHER, UNSET, Context, task, with_deal

DEALID = "0x" + "de" * 32
IDS = [task_id(DEALID, index) for index in range(4, 30)]
DONE, FAILED = task(3), task(4)


@pytest.fixture
def context() -> Context:
    return Context(ipfs_gateway="http://ipfs")


def deals(context: Context) -> Deals:
    return Deals(context)  # type: ignore[arg-type]


def tasks(context: Context) -> Tasks:
    return Tasks(context)  # type: ignore[arg-type]


# ---- deals ---------------------------------------------------------------------------------------


def test_a_deal(context: Context) -> None:
    with_deal(context, UNSET, UNSET, sponsor=OTHER)
    found = deals(context).show(DEALID.upper().replace("0X", "0x"))
    assert found.to_dict() == {
        "dealid": DEALID,
        "app": {"pointer": "0x" + "a" * 40, "owner": OTHER, "price": "1"},
        "dataset": {"pointer": "0x" + "0" * 40, "owner": OTHER, "price": "0"},
        "workerpool": {"pointer": "0x" + "b" * 40, "owner": OTHER, "price": "5"},
        **{"trust": "7", "category": "3", "tag": NULL, "requester": ME, "beneficiary": OTHER},
        **{"callback": "0x" + "00" * 20, "params": "{}", "startTime": "500", "botFirst": "4"},
        **{"botSize": "2", "workerStake": "9", "schedulerRewardRatio": "11", "sponsor": OTHER},
        **{"finalTime": "1100", "deadlineReached": False},
        "tasks": {"4": IDS[0], "5": IDS[1]},
    }
    for now, reached in ((1099, False), (1100, True), (1101, True)):
        context.now = now
        assert deals(context).show(DEALID).deadline_reached is reached


def test_a_deal_that_is_not_there(context: Context) -> None:
    with_deal(context, app={"pointer": "0x" + "00" * 20, "owner": OTHER, "price": 0})
    with pytest.raises(ObjectNotFoundError, match="No deal found"):
        deals(context).show(DEALID)


def test_the_watch_of_a_deal_gives_each_change(context: Context) -> None:
    with_deal(context, [UNSET, UNSET, task(1), DONE], [UNSET, UNSET, UNSET, task(1), DONE])
    found = list(deals(context).obs_deal(DEALID))
    assert [each.message for each in found] == ["DEAL_UPDATED"] * 3 + ["DEAL_COMPLETED"]
    names = [[each.status_name for each in one.tasks.values()] for one in found]
    assert names == [
        ["UNSET", "UNSET"],
        ["ACTIVE", "UNSET"],
        ["COMPLETED", "ACTIVE"],
        ["COMPLETED", "COMPLETED"],
    ]
    assert [(each.completed_tasks_count, each.failed_tasks_count) for each in found] == [
        *((0, 0), (0, 0), (1, 0), (2, 0))
    ]
    assert {each.tasks_count for each in found} == {2}
    assert list(found[0].tasks) == [4, 5]


def test_the_end_of_a_deal_that_times_out(context: Context) -> None:
    context.now = 1100
    with_deal(context, DONE, UNSET, FAILED, task(1))
    (found,) = deals(context).obs_deal(DEALID)
    assert found.message == "DEAL_TIMEDOUT"
    assert (found.completed_tasks_count, found.failed_tasks_count) == (1, 3)
    names = [each.status_name for each in found.tasks.values()]
    assert names == ["COMPLETED", "TIMEOUT", "FAILED", "TIMEOUT"]


def test_an_end_is_told_once_it_is_deep_enough(context: Context) -> None:
    states = [DONE, task(2), DONE, DONE]  # now, deep down; the same again
    blocks: list[Any] = []
    with_deal(context, states)
    view = context.answers["viewTask"]
    context.answers["viewTask"] = lambda to, block, key: (
        blocks.append(block) or view(to, block, key)
    )
    context.settled = 90
    (found,) = deals(context).obs_deal(DEALID)
    assert found.message == "DEAL_COMPLETED"
    assert blocks == ["latest", 90, "latest", 90]


def test_where_nothing_can_be_reorganised_nothing_is_asked_twice(context: Context) -> None:
    asked = with_deal(context, DONE)
    list(deals(context).obs_deal(DEALID))
    assert asked == [IDS[0]]


def test_a_deal_that_ended_only_here_is_watched_on(context: Context) -> None:
    with_deal(context, [DONE, task(1), task(1), DONE, DONE])
    context.settled = 90
    found = list(deals(context).obs_deal(DEALID))
    assert [each.message for each in found] == ["DEAL_UPDATED", "DEAL_COMPLETED"]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda deals, tasks: deals.show("0x1"), "dealid"),
        (lambda deals, tasks: next(deals.obs_deal("0x1")), "dealid"),
        (lambda deals, tasks: deals.claim("0x1"), "dealid"),
        (lambda deals, tasks: deals.compute_task_id("0x1", 1), "dealid"),
        (lambda deals, tasks: deals.fetch_requester_deals("0x1"), "requester"),
        (lambda deals, tasks: deals.fetch_requester_deals(ME, app_address="0x1"), "app_address"),
        (
            lambda deals, tasks: deals.fetch_requester_deals(ME, dataset_address="0x1"),
            "dataset_address",
        ),
        (
            lambda deals, tasks: deals.fetch_requester_deals(ME, workerpool_address="0x1"),
            "workerpool_address",
        ),
        (lambda deals, tasks: deals.fetch_deals_by_apporder("0x1"), "order_hash"),
        (lambda deals, tasks: tasks.show("0x1"), "taskid"),
        (lambda deals, tasks: tasks.obs_task("0x1"), "taskid"),
        (lambda deals, tasks: next(tasks.obs_task(IDS[0], dealid="0x1")), "dealid"),
        (lambda deals, tasks: tasks.claim("0x1"), "taskid"),
        (lambda deals, tasks: tasks.fetch_results("0x1"), "taskid"),
        (lambda deals, tasks: tasks.fetch_offchain_info("0x1"), "taskid"),
        (lambda deals, tasks: tasks.fetch_logs("0x1"), "taskid"),
        (lambda deals, tasks: tasks.logs_challenge("0x1"), "taskid"),
    ],
)
def test_what_is_wrong_is_named(context: Context, call: Any, name: str) -> None:
    with_deal(context, UNSET)
    with pytest.raises(ValidationError, match=rf"^{name}: 0x1 is not "):
        call(deals(context), tasks(context))


def test_the_id_of_a_task(context: Context) -> None:
    assert deals(context).compute_task_id(DEALID, "5") == IDS[1]
    with pytest.raises(ValidationError, match=r"^task_idx\b"):
        deals(context).compute_task_id(DEALID, "five")
    with pytest.raises(ValidationError, match=r"^dealid\b"):
        deals(context).compute_task_id("five", 5)


def test_how_long_deals_may_run(context: Context) -> None:
    with_deal(context)
    hub = Hub(context)  # type: ignore[arg-type]
    assert (hub.get_timeout_ratio(), hub.longest(3)) == (10, 600)
    busy = Web3ProviderCallError("busy")

    def fail(*_: Any) -> Any:
        raise busy

    context.answers |= {"viewCategory": fail, HUB.countCategory.name: 3}
    with pytest.raises(ValidationError) as missing:
        hub.show_category(3)
    assert missing.value.message == "no category 3: this chain has categories 0 to 2"
    with pytest.raises(Web3ProviderCallError) as caught:
        hub.show_category(2)
    assert caught.value is busy


def test_categories(context: Context) -> None:
    hub = Hub(context)  # type: ignore[arg-type]
    with_deal(context)
    described = {"name": "XS", "description": "{}", "workClockTimeRef": 300}
    asked: list[int] = []
    context.answers["viewCategory"] = lambda to, block, number: asked.append(number) or described
    for _ in range(2):  # asked for once: a category never changes
        assert hub.show_category("1").to_dict() == described
    assert (hub.longest(1), hub.longest(1)) == (3000, 3000)
    assert asked == [1, 1]  # once each
    assert hub.get_hub_address() == HUB_ADDRESS
    with pytest.raises(ValidationError, match=r"^index: one is not "):
        hub.show_category("one")


def test_a_category_is_added_by_the_owner_of_the_hub(context: Context) -> None:
    hub = Hub(context)  # type: ignore[arg-type]
    context.answers[HUB.owner.name], context.events = ME, [{"catid": 5}]
    given = {"name": "XS", "description": "{}", "workClockTimeRef": 300}
    assert hub.create_category(given, new=True) == {"catid": 5, "txHash": f"0x{1:064x}"}
    data = HUB.createCategory.encode("XS", "{}", 300)
    ((operation, arguments, to, sent, more),) = context.sent
    assert (operation, to, sent) == ("createCategory", HUB_ADDRESS, data)
    assert arguments == given
    assert more == {"expect": [(EVENTS.CreateCategory, HUB_ADDRESS)], "new": True}
    context.answers[HUB.owner.name] = OTHER
    with pytest.raises(StateError) as caught:
        hub.create_category(given)
    assert caught.value.message == f"only category owner {OTHER} can create new categories"
    assert len(context.sent) == 1


# ---- claims --------------------------------------------------------------------------------------


def test_a_claim_of_all_that_is_open(context: Context) -> None:
    context.now = 1100
    with_deal(context, DONE, UNSET, task(1), FAILED, task(2))
    claim = deals(context).claim(DEALID)
    assert claim.claimed == {5: IDS[1], 6: IDS[2], 8: IDS[4]}
    assert claim.transactions == (
        {"txHash": f"0x{1:064x}", "type": "claimArray"},
        {"txHash": f"0x{2:064x}", "type": "initializeAndClaimArray"},
    )
    events = {"expect": [(EVENTS.TaskClaimed, HUB_ADDRESS)]}
    begun, unset = [IDS[2], IDS[4]], [IDS[1]]
    assert context.sent == [
        ("claimArray", {"taskids": begun}, HUB_ADDRESS, HUB.claimArray.encode(begun), events),
        (
            *("initializeAndClaimArray", {"taskids": unset}, HUB_ADDRESS),
            HUB.initializeAndClaimArray.encode([DEALID], [5]),
            events,
        ),
    ]


@pytest.mark.parametrize(
    ("now", "states", "text"),
    [
        (
            1099,
            [UNSET],
            "Cannot claim a deal before reaching the final time: 1970-01-01T00:18:20+00:00",
        ),
        (1100, [DONE, FAILED], "Nothing to claim"),
    ],
)
def test_what_cannot_be_claimed(context: Context, now: int, states: list[Any], text: str) -> None:
    context.now = now
    with_deal(context, *states)
    with pytest.raises(StateError) as caught:
        deals(context).claim(DEALID)
    assert caught.value.message == text
    assert caught.value.details == ({"dealid": DEALID} if now == 1100 else {})
    assert context.sent == []


def test_a_block_without_a_limit_of_gas(context: Context) -> None:
    context.now = 1100
    with_deal(context, UNSET)
    context.block = dict  # type: ignore[method-assign,assignment]
    with pytest.raises(Web3ProviderCallError) as caught:
        deals(context).claim(DEALID)
    assert caught.value.message == f"the node gave no 0x hex number for gasLimit{OTHER_NODE}"


def test_claims_fit_into_blocks(context: Context) -> None:
    context.now = 1100
    with_deal(context, *[UNSET] * 9, *[task(1)] * 9)
    context.block = lambda: {"gasLimit": hex(1_000_000)}  # type: ignore[method-assign]
    deals(context).claim(DEALID)
    assert [len(arguments["taskids"]) for _, arguments, *_ in context.sent] == [9, 4, 4, 1]
    context.sent.clear()
    context.block = lambda: {"gasLimit": hex(50_000)}  # type: ignore[method-assign]
    deals(context).claim(DEALID)  # one at a time is the least
    assert len(context.sent) == 18
    context.sent.clear()
    context.block = lambda: {"gasLimit": hex(10**12)}  # type: ignore[method-assign]
    with_deal(context, *[UNSET] * 120)
    deals(context).claim(DEALID)
    assert [len(arguments["taskids"]) for _, arguments, *_ in context.sent] == [100, 20]


def test_a_claim_that_is_too_large_is_halved(context: Context) -> None:
    context.now = 1100
    with_deal(context, *[UNSET] * 5)
    context.refusals = [Web3ProviderSendError("out of gas")]
    claim = deals(context).claim(DEALID)
    ids = [arguments["taskids"] for _, arguments, *_ in context.sent]
    assert ids == [IDS[:2], IDS[2:5]]
    assert [each["type"] for each in claim.transactions] == ["initializeAndClaimArray"] * 2
    context.sent.clear()
    with_deal(context, task(1), task(1), UNSET)
    context.refusals = [Web3ProviderSendError("out of gas")]
    deals(context).claim(DEALID)  # what comes after what was halved is claimed too
    assert [each[1]["taskids"] for each in context.sent] == [[IDS[0]], [IDS[1]], [IDS[2]]]


@pytest.mark.parametrize(
    ("error", "size"),
    [
        (Web3ProviderSendError("out of gas"), 1),
        (Web3ProviderSendError("busy", retryable=True), 4),
        (Web3ProviderSendError("reverted", tx_hash="0x12"), 4),
        (IExecError("interrupted"), 4),
    ],
)
def test_another_fault_ends_a_claim(context: Context, error: IExecError, size: int) -> None:
    context.now = 1100
    with_deal(context, task(1), *[UNSET] * size)
    send, count = context.send, []

    def second_fails(*given: Any, **more: Any) -> Any:
        count.append(1)
        if len(count) == 2:
            raise error
        return send(*given, **more)

    context.send = second_fails  # type: ignore[method-assign]
    with pytest.raises(IExecError) as caught:
        deals(context).claim(DEALID)
    assert caught.value is error
    assert error.details["transactions"] == [{"txHash": f"0x{1:064x}", "type": "claimArray"}]
    assert len(count) == 2


# ---- tasks ---------------------------------------------------------------------------------------


def test_a_task(context: Context) -> None:
    location = b'{"storage": "ipfs", "location": "/ipfs/Qm"}'
    with_deal(context, task(3, results=location, resultsTimestamp=900))
    assert tasks(context).show(IDS[0]).to_dict() == {
        **{"taskid": IDS[0], "status": 3, "dealid": DEALID, "idx": "4", "timeref": "60"},
        **{"contributionDeadline": "700", "revealDeadline": "800", "finalDeadline": "1100"},
        **{"consensusValue": NULL, "revealCounter": "1", "winnerCounter": "2"},
        **{"contributors": [OTHER], "resultDigest": "0x" + "d1" * 32},
        **{"results": {"storage": "ipfs", "location": "/ipfs/Qm"}, "resultsTimestamp": "900"},
        **{"resultsCallback": "0x12", "statusName": "COMPLETED", "taskTimedOut": False},
    }


@pytest.mark.parametrize(
    ("status", "now", "name", "timed_out"),
    [
        (1, 1099, "ACTIVE", False),
        (1, 1100, "TIMEOUT", True),
        (2, 1100, "TIMEOUT", True),
        (2, 1099, "REVEALING", False),
        (3, 1100, "COMPLETED", False),
        (4, 1100, "FAILED", True),
        (4, 1099, "FAILED", False),
        (7, 1099, "UNKNOWN (7)", False),
    ],
)
def test_the_status_of_a_task(
    context: Context, status: int, now: int, name: str, timed_out: bool
) -> None:
    context.now = now
    with_deal(context, task(status))
    found = tasks(context).show(IDS[0])
    assert (found.status, found.status_name) == (status, name)
    assert found.task_timed_out is timed_out


@pytest.mark.parametrize(("now", "name"), [(1099, "UNSET"), (1100, "TIMEOUT")])
def test_a_task_that_no_worker_has_begun(context: Context, now: int, name: str) -> None:
    context.now = now
    with_deal(context, UNSET)
    with pytest.raises(ObjectNotFoundError, match="No task found"):
        tasks(context).show(IDS[0])
    found = read_tasks(context, deals(context).show(DEALID))[4]  # type: ignore[arg-type]
    assert (found.taskid, found.status, found.dealid) == (IDS[0], 0, DEALID)
    assert (found.status_name, found.task_timed_out) == (name, now == 1100)


def test_the_watch_of_a_task(context: Context) -> None:
    with_deal(context, [task(1), task(1), task(2), DONE])
    found = list(tasks(context).obs_task(IDS[0]))
    assert [(each.message, each.task.status_name) for each in found] == [
        *(("TASK_UPDATED", "ACTIVE"), ("TASK_UPDATED", "REVEALING")),
        ("TASK_COMPLETED", "COMPLETED"),
    ]


def test_the_watch_of_a_task_that_is_not_begun(context: Context) -> None:
    with_deal(context, [UNSET, UNSET, FAILED])
    found = list(tasks(context).obs_task(IDS[0], dealid=DEALID))
    assert [each.message for each in found] == ["TASK_UPDATED", "TASK_FAILED"]
    with_deal(context, UNSET)
    with pytest.raises(ObjectNotFoundError):
        list(tasks(context).obs_task(IDS[0]))
    context.now = 1100
    (timed_out,) = tasks(context).obs_task(IDS[0], dealid=DEALID)
    assert timed_out.message == "TASK_TIMEDOUT"


def test_the_end_of_a_task_is_told_once_it_is_deep_enough(context: Context) -> None:
    with_deal(context, [DONE, task(1), DONE, DONE])
    states, blocks = context.answers["viewTask"], []
    context.answers["viewTask"] = lambda to, block, key: (
        blocks.append(block) or states(to, block, key)
    )
    context.settled = 90
    (found,) = tasks(context).obs_task(IDS[0])
    assert found.message == "TASK_COMPLETED"
    assert blocks == ["latest", 90, "latest", 90]
    context.settled = "latest"
    asked = with_deal(context, DONE)
    list(tasks(context).obs_task(IDS[0]))
    assert asked == [IDS[0]]  # there is no other block to look at


def test_a_claim_of_a_task(context: Context) -> None:
    context.now = 1100
    with_deal(context, task(2))
    assert tasks(context).claim(IDS[0]) == f"0x{1:064x}"
    events = {"expect": [(EVENTS.TaskClaimed, HUB_ADDRESS)]}
    data = HUB.claim.encode(IDS[0])
    assert context.sent == [("claim", {"taskid": IDS[0]}, HUB_ADDRESS, data, events)]


@pytest.mark.parametrize(
    ("state", "now", "text"),
    [
        (DONE, 1100, "Cannot claim a task having status COMPLETED"),
        (FAILED, 1100, "Cannot claim a task having status FAILED"),
        (
            task(1),
            1099,
            "Cannot claim a task before reaching the consensus deadline date: "
            "1970-01-01T00:18:20+00:00",
        ),
    ],
)
def test_a_task_that_cannot_be_claimed(
    context: Context, state: dict[str, Any], now: int, text: str
) -> None:
    context.now = now
    with_deal(context, state)
    with pytest.raises(StateError) as caught:
        tasks(context).claim(IDS[0])
    assert caught.value.message == text
    assert context.sent == []


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (task(1), "Task is not completed (status ACTIVE)"),
        (DONE, "No result uploaded for this task"),
        (task(3, results=b'{"storage": "none"}'), "No result uploaded for this task"),
        (
            task(3, results=b'{"storage": "dropbox"}'),
            "Task result stored on dropbox, download not supported",
        ),
        (
            task(3, results=b'{"storage": "ipfs"}'),
            "Missing location key in task results, download not supported",
        ),
        (
            task(3, results=b'{"storage": "ipfs", "location": "ipfs"}'),
            "Missing location key in task results, download not supported",
        ),
    ],
)
def test_results_that_cannot_be_had(context: Context, state: dict[str, Any], text: str) -> None:
    with_deal(context, state)
    with pytest.raises(StateError) as caught:
        tasks(context).fetch_results(IDS[0])
    assert caught.value.message == text


@pytest.mark.parametrize("callback", [b"", b"\x12"])
def test_where_results_are(context: Context, callback: bytes) -> None:
    context.http = object()  # type: ignore[attr-defined]
    location = b'{"storage": "ipfs", "location": "/ipfs/Qm"}'
    with_deal(context, task(3, results=location, resultsCallback=callback))
    found = tasks(context).fetch_results(IDS[0])
    assert (found.location, found.task.taskid) == ("/ipfs/Qm", IDS[0])
    assert found._has_callback is bool(callback)


def test_results_without_a_gateway(context: Context) -> None:
    context = Context()
    with_deal(context, task(3, results=b'{"storage": "ipfs", "location": "/ipfs/Qm"}'))
    with pytest.raises(ConfigurationError, match=r"^ipfs_gateway_url is not given"):
        tasks(context).fetch_results(IDS[0])


def test_all_tasks_of_a_deal_have_their_own_states(context: Context) -> None:
    asked = with_deal(context, task(1), UNSET, DONE)
    (found,) = [next(deals(context).obs_deal(DEALID))]
    assert asked == IDS[:3]
    assert [each.taskid for each in found.tasks.values()] == IDS[:3]
    assert [each.status for each in found.tasks.values()] == [1, 0, 3]
