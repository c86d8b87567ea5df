"""A deal and a task as the library tells of them, for what the command line makes of those."""

from __future__ import annotations

from typing import Any

from iexec_lite.sdk.records import Deal, DealUpdate, ResourceShare, Task

from .conftest import NOW

ME = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
OTHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
APP = "0x607F4C5BB672230e8672085532f7e901544a7375"
DATASET = "0x" + "31" * 20
POOL = "0x" + "12" * 20
NOBODY = "0x" + "00" * 20
DEALID = "0x" + "de" * 32
TASKID = "0x" + "7a" * 32


def share(pointer: str, price: int) -> ResourceShare:
    return ResourceShare(pointer=pointer, owner=OTHER, price=price)


def deal(**more: Any) -> Deal:
    """Two tasks for 4 RLC each, an hour before their end."""
    given = {
        **{"dealid": DEALID, "trust": 1, "category": 0, "tag": "0x" + "00" * 32},
        **{
            "app": share(APP, 10**9),
            "dataset": share(NOBODY, 0),
            "workerpool": share(POOL, 3 * 10**9),
        },
        **{"requester": ME, "beneficiary": ME, "callback": NOBODY, "params": '{"iexec_args":"hi"}'},
        **{"start_time": NOW - 7200, "final_time": NOW + 3600, "bot_first": 0, "bot_size": 2},
        **{"worker_stake": 5 * 10**8, "scheduler_reward_ratio": 5, "deadline_reached": False},
        "tasks": {0: TASKID, 1: "0x" + "7b" * 32},
    }
    return Deal(**{**given, **more})


def task(name: str = "UNSET", index: int = 0, **more: Any) -> Task:
    status = {"ACTIVE": 1, "REVEALING": 2, "COMPLETED": 3, "FAILED": 4}.get(name, 0)
    timed_out = name in ("FAILED", "TIMEOUT")
    taskid = f"0x{0x7A + index:02x}" + "7a" * 31
    given = {"taskid": taskid, "status": status, "dealid": DEALID, "idx": index}
    return Task(**{**given, "status_name": name, "task_timed_out": timed_out, **more})


def update(message: str, *tasks: Task, **more: Any) -> DealUpdate:
    names = [each.status_name for each in tasks]
    return DealUpdate(
        message=message,
        deal=deal(bot_size=len(tasks), **more),
        tasks=dict(enumerate(tasks)),
        tasks_count=len(tasks),
        completed_tasks_count=names.count("COMPLETED"),
        failed_tasks_count=sum(each.task_timed_out for each in tasks),
    )


class Part:
    """A part of the library: its methods give what a test says, and note what they were given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        answer = self.answers[name]

        def call(*given: Any, **named: Any) -> Any:
            self.calls.append((name, *given, named) if named else (name, *given))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call
