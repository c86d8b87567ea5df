"""Following a deal or a task to its end, and their states in words (cli.md §8.5, §8.10)."""

from __future__ import annotations

import argparse
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import IExecError, WatchTimeoutError
from .progress import Progress
from .text import duration, rlc

if TYPE_CHECKING:
    from ..sdk.client import IExec
    from ..sdk.records import Deal, DealUpdate, Task, TaskUpdate

__all__ = [
    "chain_clock",
    "deal_words",
    "follow_deal",
    "follow_task",
    "in_this_chain",
    "refund_words",
    "task_words",
    "tasks_json",
]

_WORDS = {  # of a task's status name
    "UNSET": "no worker has begun",
    "ACTIVE": "workers are computing",
    "REVEALING": "workers agree and show their results",
    "COMPLETED": "the result is there",
    "FAILED": "not completed in time, the money went back",
    "TIMEOUT": "not completed in time, the money can be claimed back",
}
_FINAL = ("COMPLETED", "FAILED", "TIMEOUT")  # status names that stay
_COUNTED = {  # status names by what they are counted as, in the order they are told
    "running": ("ACTIVE", "REVEALING"),
    "not begun": ("UNSET",),
    "timed out": ("TIMEOUT",),
    "failed": ("FAILED",),
}


# -- watch ------------------------------------------------------------------------------------


def follow_deal(client: IExec, dealid: str, options: argparse.Namespace) -> DealUpdate:
    """Watch a deal until none of its tasks is open; the last update.

    People see on stderr how many tasks are done and how much time is left. Ctrl-C ends the watch
    with an IExecError that tells how to watch again.
    """
    with _resumable("deal", dealid, options), Progress(options) as progress:
        clock = chain_clock(client)
        for update in client.deal.obs_deal(dealid):
            final = all(task.status_name in _FINAL for task in update.tasks.values())
            end = None if final else update.deal.final_time
            progress.say(_with_time_left(deal_words(update), end, clock))
    return update


def follow_task(
    client: IExec, taskid: str, dealid: str | None, options: argparse.Namespace
) -> TaskUpdate:
    """Watch a task until it is final; the last update.

    Without ``dealid`` a task that no worker has begun is an ObjectNotFoundError. For the rest see
    :func:`follow_deal`.
    """
    with _resumable("task", taskid, options), Progress(options) as progress:
        clock = chain_clock(client)
        for update in client.task.obs_task(taskid, dealid=dealid):
            end = None if update.task.status_name in _FINAL else update.task.final_deadline
            progress.say(_with_time_left(task_words(update.task), end, clock))
    return update


def _with_time_left(text: str, end: int | None, clock: Callable[[], float]) -> Callable[[], str]:
    def now() -> str:
        left = 0 if end is None else end - clock()
        return f"{text}; {duration(left)} left" if left > 0 else text

    return now


def chain_clock(client: IExec) -> Callable[[], float]:
    """The time to tell people, in seconds since 1970: never before that of the latest block.

    Deadlines go by the blocks, whose time may be ahead of this machine's; a chain without traffic
    has old blocks, and what comes next will not be.
    """
    ahead = max(0.0, client.network.get_block_time() - time.time())
    return lambda: time.time() + ahead


@contextmanager
def _resumable(what: str, key: str, options: argparse.Namespace) -> Iterator[None]:
    """What a person should know whose watching ended before what was watched did."""
    again = f"watch it again with: iexec-lite {what} show {key} --watch{in_this_chain(options)}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise IExecError(
            f"Interrupted: the {what} goes on, only the watching ended; {again}", cause=error
        ) from error
    except WatchTimeoutError as error:
        raise WatchTimeoutError(
            f"{error.message}. The {what} goes on; {again}", cause=error, retryable=True
        ) from error


def in_this_chain(options: argparse.Namespace) -> str:
    """The ``--chain`` of this command, to end another that is shown to a person."""
    return f" --chain {shlex.quote(options.chain)}" if options.chain else ""


# -- words ------------------------------------------------------------------------------------


def deal_words(update: DealUpdate) -> str:
    """``1/5 tasks completed, 2 running, 2 not begun``."""
    names = Counter(task.status_name for task in update.tasks.values())
    known = {what: sum(names.pop(name, 0) for name in own) for what, own in _COUNTED.items()}
    names.pop("COMPLETED", None)
    parts = [f"{count} {what}" for what, count in {**known, **names}.items() if count]
    done = f"{update.completed_tasks_count}/{update.tasks_count} tasks completed"
    return ", ".join([done, *parts])


def task_words(task: Task) -> str:
    """``ACTIVE: workers are computing``."""
    words = _WORDS.get(task.status_name)
    return f"{task.status_name}: {words}" if words else task.status_name


def refund_words(deal: Deal, tasks: int, symbol: str) -> str:
    """Where the price of so many tasks went back to."""
    price = (deal.app.price + deal.dataset.price + deal.workerpool.price) * tasks
    payer = deal.sponsor or deal.requester
    return f"{rlc(price, symbol)} went back to the account of {payer}, who paid"


def tasks_json(update: DealUpdate) -> list[dict[str, object]]:
    """The tasks of a deal as V6 lists them: each begins with its index, as text."""
    return [{"idx": str(index), **task.to_dict()} for index, task in update.tasks.items()]
