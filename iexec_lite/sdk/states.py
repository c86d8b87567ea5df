"""Deals and tasks as the chain shows them: the reads that both namespaces share.

chain.md §3.3, §5.2, §6.1. Deadlines are compared with the time of the latest block, as the
contracts do; what no worker has begun is nowhere on chain and known from its deal only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ObjectNotFoundError
from ..protocol import columns
from ..protocol.contracts import HUB
from ..protocol.ids import task_ids
from ..protocol.methods import Read
from ..protocol.orders import NULL_ADDRESS, NULL_BYTES32
from ..protocol.results import parse_location
from .context import Context
from .hub import Hub
from .records import Deal, ResourceShare, Task

__all__ = [
    "COMPLETED",
    "FAILED",
    "read_deal",
    "read_task",
    "read_tasks",
    "read_whole_deal",
    "unset_task",
]

UNSET, ACTIVE, REVEALING, COMPLETED, FAILED = range(5)
STATUS_NAMES = ("UNSET", "ACTIVE", "REVEALING", "COMPLETED", "FAILED")


def read_deal(context: Context, dealid: str) -> Deal:
    """The deal with this id. Raises ObjectNotFoundError."""
    key, found, now = _read_struct(context, dealid)
    return _deal(key, found, Hub(context).longest(found["category"]), now)


def read_whole_deal(context: Context, dealid: str) -> tuple[Deal, dict[int, Task]]:
    """A deal and all its tasks by index, in two batches. Raises ObjectNotFoundError."""
    key, found, now = _read_struct(context, dealid)
    category = found["category"]
    tasks = task_ids(key, found["botFirst"], found["botSize"])
    reads: list[Read] = [(context.hub, HUB.viewCategory, (category,))]
    reads += [(context.hub, HUB.viewTask, (taskid,)) for taskid in tasks.values()]
    about, *states = context.read_all(reads)
    assert isinstance(about, dict)  # noqa: S101  # a struct decodes as dict
    context.once(f"reference:{category}", lambda: int(about["workClockTimeRef"]))
    deal = _deal(key, found, Hub(context).longest(category), now)
    return deal, _tasks(deal, states, now)


def _read_struct(context: Context, dealid: str) -> tuple[str, Any, int]:
    """The deal's id in normal form, what the hub says of it, and the time of the latest block."""
    key = columns.parse_bytes32(dealid, "dealid")
    (found, ratio), now = context.read_now(
        [(context.hub, HUB.viewDeal, (key,)), (context.hub, HUB.final_deadline_ratio, ())]
    )
    assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
    if found["app"]["pointer"] == NULL_ADDRESS:
        raise ObjectNotFoundError("deal", key, context.chain.id)
    context.once("timeout_ratio", lambda: ratio)
    return key, found, now


def _deal(key: str, found: Any, longest: int, now: int) -> Deal:
    """The record of what ``viewDeal`` answers, ``longest`` being how long it may run."""
    final_time = found["startTime"] + longest
    first, size = found["botFirst"], found["botSize"]
    return Deal(
        dealid=key,
        app=ResourceShare(**found["app"]),
        dataset=ResourceShare(**found["dataset"]),
        workerpool=ResourceShare(**found["workerpool"]),
        trust=found["trust"],
        category=found["category"],
        tag=found["tag"],
        requester=found["requester"],
        beneficiary=found["beneficiary"],
        callback=found["callback"],
        params=found["params"],
        start_time=found["startTime"],
        bot_first=first,
        bot_size=size,
        worker_stake=found["workerStake"],
        scheduler_reward_ratio=found["schedulerRewardRatio"],
        sponsor=found.get("sponsor"),
        final_time=final_time,
        deadline_reached=now >= final_time,
        tasks=task_ids(key, first, size),
    )


def read_task(context: Context, taskid: str) -> Task | None:
    """The task with this id (``0x`` bytes32), or None where no worker has begun."""
    found = context.read(context.hub, HUB.viewTask, taskid)
    return _task(taskid, found, context.block_time())


def read_tasks(context: Context, deal: Deal, *, block: int | str = "latest") -> dict[int, Task]:
    """All tasks of a deal by index, those that no worker has begun as UNSET or TIMEOUT.

    One batch of reads for all of them, as of ``block``; time-outs count by the latest one.
    """
    reads = [(context.hub, HUB.viewTask, (taskid,)) for taskid in deal.tasks.values()]
    now = context.block_time()
    return _tasks(deal, context.read_all(reads, block=block), now)


def _tasks(deal: Deal, states: Sequence[object], now: int) -> dict[int, Task]:
    """The tasks of a deal by index, of what ``viewTask`` answers for each."""
    return {
        index: _task(taskid, value, now) or unset_task(taskid, deal, now)
        for (index, taskid), value in zip(deal.tasks.items(), states, strict=True)
    }


def _task(taskid: str, found: object, now: int) -> Task | None:
    """The record of what ``viewTask`` answers; None where no worker has begun."""
    assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
    if found["dealid"] == NULL_BYTES32:
        return None
    status = found["status"]
    timed_out = status != COMPLETED and now >= found["finalDeadline"]
    name = STATUS_NAMES[status] if status < len(STATUS_NAMES) else f"UNKNOWN ({status})"
    return Task(
        taskid=taskid,
        status=status,
        dealid=found["dealid"],
        idx=found["idx"],
        timeref=found["timeref"],
        contribution_deadline=found["contributionDeadline"],
        reveal_deadline=found["revealDeadline"],
        final_deadline=found["finalDeadline"],
        consensus_value=found["consensusValue"],
        reveal_counter=found["revealCounter"],
        winner_counter=found["winnerCounter"],
        contributors=tuple(found["contributors"]),
        result_digest=found["resultDigest"],
        results=parse_location(found["results"]),
        results_timestamp=found["resultsTimestamp"],
        results_callback="0x" + found["resultsCallback"].hex(),
        status_name="TIMEOUT" if status < COMPLETED and timed_out else name,
        task_timed_out=timed_out,
    )


def unset_task(taskid: str, deal: Deal, now: int) -> Task:
    """A task that no worker has begun, at block time ``now``."""
    timed_out = now >= deal.final_time
    return Task(
        taskid=taskid,
        status=UNSET,
        dealid=deal.dealid,
        status_name="TIMEOUT" if timed_out else "UNSET",
        task_timed_out=timed_out,
    )
