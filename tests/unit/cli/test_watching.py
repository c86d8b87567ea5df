"""The states of deals and tasks in words, and watches that end early."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.cli import watching
from iexec_lite.errors import IExecError, ObjectNotFoundError, WatchTimeoutError
from iexec_lite.sdk.records import Task

OPTIONS = Namespace(raw=False, quiet=False, chain="my chain")


def task(name: str, **more: Any) -> Task:
    return Task(taskid="0x", status=0, dealid="0x", status_name=name, task_timed_out=False, **more)


def update(*names: str) -> Any:
    tasks = {index: task(name) for index, name in enumerate(names, 5)}
    return SimpleNamespace(
        tasks=tasks,
        tasks_count=len(tasks),
        completed_tasks_count=names.count("COMPLETED"),
        deal=SimpleNamespace(final_time=time.time() + 7300),
    )


class Client:
    """``deal`` and ``task`` in one: a watch that gives ``updates``, then raises ``end``."""

    def __init__(self, *updates: Any, end: BaseException | None = None, ahead: float = 0) -> None:
        self._updates, self._end = updates, end
        self.network = SimpleNamespace(get_block_time=lambda: int(time.time() + ahead))
        self.deal = self.task = self

    def obs_deal(self, _: str, dealid: str | None = None) -> Iterator[Any]:
        yield from self._updates
        if self._end is not None:
            raise self._end

    obs_task = obs_deal


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["COMPLETED"], "1/1 tasks completed"),
        (
            ["COMPLETED", "REVEALING", "ACTIVE", "UNSET"],
            "1/4 tasks completed, 2 running, 1 not begun",
        ),
        (["TIMEOUT", "FAILED", "FAILED"], "0/3 tasks completed, 1 timed out, 2 failed"),
        (["UNKNOWN (7)"], "0/1 tasks completed, 1 UNKNOWN (7)"),
    ],
)
def test_a_deal_in_words(names: list[str], words: str) -> None:
    assert watching.deal_words(update(*names)) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("UNSET", ": no worker has begun"),
        ("ACTIVE", ": workers are computing"),
        ("REVEALING", ": workers agree and show their results"),
        ("COMPLETED", ": the result is there"),
        ("FAILED", ": not completed in time, the money went back"),
        ("TIMEOUT", ": not completed in time, the money can be claimed back"),
        ("UNKNOWN (7)", ""),
    ],
)
def test_a_task_in_words(name: str, words: str) -> None:
    assert watching.task_words(task(name)) == name + words


def test_tasks_as_json() -> None:
    assert watching.tasks_json(update("UNSET")) == [
        {
            "idx": "5",
            "taskid": "0x",
            "status": 0,
            "dealid": "0x",
            "statusName": "UNSET",
            "taskTimedOut": False,
        }
    ]


def test_the_last_update(capsys: pytest.CaptureFixture[str]) -> None:
    first, last = update("UNSET"), update("COMPLETED")
    last.deal.final_time = 0
    found = watching.follow_deal(Client(first, last), "0x", OPTIONS)  # type: ignore[arg-type]
    assert found is last
    assert capsys.readouterr() == (
        "",
        "ℹ 0/1 tasks completed, 1 not begun; 2 hours left\nℹ 1/1 tasks completed\n",
    )
    state = SimpleNamespace(task=task("UNSET"))
    assert watching.follow_task(Client(state), "0x", None, OPTIONS) is state  # type: ignore[arg-type,comparison-overlap]
    assert capsys.readouterr().err == "ℹ UNSET: no worker has begun\n"


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        (
            KeyboardInterrupt(),
            IExecError,
            "Interrupted: the deal goes on, only the watching ended",
        ),
        (
            WatchTimeoutError("No good answer"),
            WatchTimeoutError,
            "No good answer. The deal goes on",
        ),
    ],
)
def test_a_watch_that_ends_early(end: BaseException, kind: type[IExecError], message: str) -> None:
    with pytest.raises(kind) as caught:
        watching.follow_deal(Client(update("UNSET"), end=end), "0x12", OPTIONS)  # type: ignore[arg-type]
    error = caught.value
    assert type(error) is kind
    again = "; watch it again with: iexec-lite deal show 0x12 --watch --chain 'my chain'"
    assert error.message == message + again
    assert (error.cause, error.retryable) == (end, kind is WatchTimeoutError)


def test_what_to_do_without_a_chain() -> None:
    with pytest.raises(IExecError) as caught:
        watching.follow_task(
            Client(end=KeyboardInterrupt()),  # type: ignore[arg-type]
            "0x12",
            None,
            Namespace(raw=True, quiet=False, chain=None),
        )
    assert caught.value.message == (
        "Interrupted: the task goes on, only the watching ended; watch it again with: iexec-lite "
        "task show 0x12 --watch"
    )


@pytest.mark.parametrize(
    ("left", "words"), [(61, "; 1 minute left"), (1, "; 1 second left"), (0, ""), (-60, "")]
)
@pytest.mark.parametrize("name", ["ACTIVE", "COMPLETED", "FAILED", "TIMEOUT"])
def test_how_much_time_is_left(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    left: int,
    words: str,
) -> None:
    """Of a task that is final, none, whatever its deadline was."""
    monkeypatch.setattr("time.time", lambda: 1000.0)
    state = SimpleNamespace(task=task(name, final_deadline=1000 + left))
    watching.follow_task(Client(state), "0x", None, OPTIONS)  # type: ignore[arg-type]
    told = watching.task_words(state.task) + (words if name == "ACTIVE" else "")
    assert capsys.readouterr().err == f"ℹ {told}\n"


def test_a_deal_goes_on_as_long_as_one_of_its_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)
    states = [update("COMPLETED", "REVEALING"), update("COMPLETED", "FAILED")]
    for state in states:
        state.deal.final_time = 1120
    watching.follow_deal(Client(*states), "0x", OPTIONS)  # type: ignore[arg-type]
    assert capsys.readouterr().err == (
        "ℹ 1/2 tasks completed, 1 running; 2 minutes left\nℹ 1/2 tasks completed, 1 failed\n"
    )


def test_a_watch_that_cannot_begin() -> None:
    error = ObjectNotFoundError("task", "0x12", 1)
    with pytest.raises(ObjectNotFoundError) as caught:
        watching.follow_task(Client(end=error), "0x12", None, OPTIONS)  # type: ignore[arg-type]
    assert caught.value is error


@pytest.mark.parametrize(("ahead", "expected"), [(-5000, 0), (5000, 5000)])
def test_the_time_of_a_chain(ahead: int, expected: int) -> None:
    clock = watching.chain_clock(Client(ahead=ahead))  # type: ignore[arg-type]
    assert clock() - time.time() == pytest.approx(expected, abs=2)
