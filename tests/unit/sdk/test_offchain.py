"""What workerpools tell of tasks: from the chain to the API, and what its answers are taken for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import ObjectNotFoundError, StateError, WorkerpoolCallError
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.authorization import WORKERPOOL, new_challenge
from iexec_lite.sdk.assets import Workerpools
from iexec_lite.sdk.task import Tasks

from .hub import OTHER, UNSET, Context, task, with_deal

SIGNER = KeySigner.from_key("0x" + "11" * 32)
POOL, TASK = "0x" + "b" * 40, "0x" + "7a" * 32
WORKER = "0x" + "33" * 20


class Api:
    """The API of the workerpool at a URL, and the register that knows the URL."""

    def __init__(self) -> None:
        self.known: str | None = "http://pool"
        self.info: dict[str, Any] = {}
        self.found: dict[str, Any] = {}
        self.asked: list[tuple[Any, ...]] = []

    def compass(self, http: Any, url: str, chain_id: int) -> Any:
        def workerpool_url(address: str) -> str | None:
            self.asked.append(("compass", url, chain_id, address))
            return self.known

        return SimpleNamespace(workerpool_url=workerpool_url)

    def pool(self, http: Any, url: str, chain_id: int) -> Any:
        self.asked.append(("pool", url, chain_id))
        return self

    def task(self, taskid: str) -> Any:
        self.asked.append(("task", taskid))
        return self.info

    def challenge(self, address: str) -> Any:
        self.asked.append(("challenge", address))
        return new_challenge(WORKERPOOL, 4242, "abc").to_dict()

    def logs(self, taskid: str, authorization: str) -> Any:
        self.asked.append(("logs", taskid, authorization.rpartition("_")[2]))
        return self.found


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    found = Api()
    monkeypatch.setattr("iexec_lite.net.workerpool.Compass", found.compass)
    monkeypatch.setattr("iexec_lite.net.workerpool.WorkerpoolApi", found.pool)
    return found


@pytest.fixture
def context(api: Api) -> Context:
    """The wallet has bought the task."""
    found = Context(compass="http://compass")
    found.http, found.address, found.signer = None, SIGNER.address, SIGNER  # type: ignore[attr-defined]
    with_deal(found, task(1), requester=SIGNER.address)
    return found


def tasks(context: Context) -> Tasks:
    return Tasks(context)  # type: ignore[arg-type]


WAY = [("compass", "http://compass", 4242, POOL), ("pool", "http://pool", 4242)]


def test_the_states_of_a_task_and_of_its_runs(context: Context, api: Api) -> None:
    change = {"status": "STARTED", "date": "2026-01-02T03:04:05Z"}
    old = {"status": "ENDED", "date": 1_700_000_000_999, "cause": "why"}
    api.info = {
        "currentStatus": "RUNNING",
        "dateStatusList": [change, old],
        "replicates": [
            {"walletAddress": WORKER, "currentStatus": "FAILED", "appExitCode": 3}
            | {"statusUpdateList": [change]},
            {"walletAddress": OTHER, "currentStatus": "STARTED", "statusUpdateList": None},
        ],
    }
    told = [
        {"status": "STARTED", "date": "2026-01-02T03:04:05Z"},
        {"status": "ENDED", "date": "2023-11-14T22:13:20+00:00", "cause": "why"},
    ]
    assert tasks(context).fetch_offchain_info(TASK).to_dict() == {
        "task": {"status": "RUNNING", "statusHistory": told},
        "replicates": [
            {"worker": WORKER, "exitCode": 3, "status": "FAILED", "statusHistory": told[:1]},
            {"worker": OTHER, "status": "STARTED", "statusHistory": []},
        ],
    }
    assert api.asked == [*WAY, ("task", TASK)]


def test_what_the_runs_wrote(context: Context, api: Api) -> None:
    api.found = {
        "computeLogsList": [
            {"walletAddress": WORKER, "stdout": "out", "stderr": "err"},
            {"walletAddress": OTHER, "stdout": None},
        ]
    }
    found = [each.to_dict() for each in tasks(context).fetch_logs(TASK)]
    assert found == [
        {"worker": WORKER, "stdout": "out", "stderr": "err"},
        {"worker": OTHER, "stdout": "", "stderr": ""},
    ]
    way = [*WAY, ("challenge", SIGNER.address)]
    assert api.asked == [*way, ("logs", TASK, SIGNER.address)]
    api.asked.clear()
    context.address = OTHER  # a client without the key
    challenge = tasks(context).logs_challenge(TASK)
    assert (challenge.what, challenge.address) == (f"log in to {WORKERPOOL}", SIGNER.address)
    signed = challenge.sign(SIGNER)
    assert [each.to_dict() for each in tasks(context).fetch_logs(TASK, authorization=signed)] == (
        found
    )
    assert api.asked == [*way, *WAY, ("logs", TASK, SIGNER.address)]


def test_logs_are_for_the_requester_alone(context: Context, api: Api) -> None:
    context.address = OTHER
    with pytest.raises(StateError) as caught:
        tasks(context).fetch_logs(TASK)
    assert caught.value.message == (
        f"Only task requester {SIGNER.address} can access replicates logs, not {OTHER}"
    )
    assert api.asked == []


def test_a_workerpool_that_is_in_no_register(context: Context, api: Api) -> None:
    api.known = None
    other = Context()  # a network without a register
    other.http, other.address = None, SIGNER.address  # type: ignore[attr-defined]
    with_deal(other, task(1), requester=SIGNER.address)
    for where in (context, other):
        assert Workerpools(where).get_workerpool_api_url(POOL) is None  # type: ignore[arg-type]
        for name in ("fetch_offchain_info", "fetch_logs", "logs_challenge"):
            with pytest.raises(StateError) as caught:
                getattr(tasks(where), name)(TASK)
            assert caught.value.message == (
                f"Impossible to resolve API url for workerpool {POOL}: it has told nobody where "
                "it is"
            )
    api.known = "http://pool"
    assert Workerpools(context).get_workerpool_api_url(POOL) == "http://pool"  # type: ignore[arg-type]


def test_a_task_that_no_worker_has_begun(context: Context, api: Api) -> None:
    with_deal(context, UNSET)
    for name in ("fetch_offchain_info", "fetch_logs", "logs_challenge"):
        with pytest.raises(ObjectNotFoundError, match=f"No task found for id {TASK}"):
            getattr(tasks(context), name)(TASK)
    assert api.asked == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"currentStatus": None}, "currentStatus is null"),
        ({"currentStatus": "A\x1b"}, "currentStatus is A\\x1b"),
        ({"dateStatusList": [{"date": "1"}]}, "status is null"),
        ({"dateStatusList": [{"status": "B", "date": True}]}, "date is true"),
        ({"dateStatusList": [{"status": "B", "date": "1", "cause": 1}]}, "cause is 1"),
        ({"dateStatusList": "none"}, "dateStatusList is none"),
        ({"replicates": [1]}, "replicates is 1"),
    ],
)
def test_states_that_are_nonsense(
    context: Context, api: Api, answer: dict[str, Any], said: str
) -> None:
    api.info = {"currentStatus": "A", **answer}
    with pytest.raises(WorkerpoolCallError) as caught:
        tasks(context).fetch_offchain_info(TASK)
    assert caught.value.message == f"The workerpool's API answered nonsense: {said}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"appExitCode": True}, "appExitCode is true"),
        ({"currentStatus": 1}, "currentStatus is 1"),
        ({"statusUpdateList": 1}, "statusUpdateList is 1"),
        ({"walletAddress": 1}, "walletAddress is 1"),
    ],
)
def test_runs_that_are_nonsense(
    context: Context, api: Api, answer: dict[str, Any], said: str
) -> None:
    run = {"walletAddress": WORKER, "currentStatus": "A", **answer}
    api.info = {"currentStatus": "A", "replicates": [run]}
    with pytest.raises(WorkerpoolCallError) as caught:
        tasks(context).fetch_offchain_info(TASK)
    assert caught.value.message == f"The workerpool's API answered nonsense: {said}"


@pytest.mark.parametrize(("size", "good"), [(200, True), (201, False)])
def test_texts_are_short(context: Context, api: Api, size: int, good: bool) -> None:
    api.info = {"currentStatus": "x" * size}
    if good:
        assert tasks(context).fetch_offchain_info(TASK).status == "x" * size
        return
    with pytest.raises(WorkerpoolCallError):
        tasks(context).fetch_offchain_info(TASK)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"computeLogsList": 1}, "computeLogsList"),
        ({"computeLogsList": [{"walletAddress": WORKER, "stdout": 1}]}, "stdout and stderr"),
        ({"computeLogsList": [{"walletAddress": WORKER, "stderr": 1}]}, "stdout and stderr"),
        ({"computeLogsList": [{"stdout": ""}]}, "walletAddress"),
    ],
)
def test_logs_that_are_nonsense(
    context: Context, api: Api, answer: dict[str, Any], name: str
) -> None:
    api.found = answer
    with pytest.raises(WorkerpoolCallError) as caught:
        tasks(context).fetch_logs(TASK)
    text = f"The workerpool's API answered nonsense: {name} is "
    assert caught.value.message.startswith(text)
    api.found = {}  # nobody has written anything
    assert tasks(context).fetch_logs(TASK) == ()
