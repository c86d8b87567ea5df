"""Deals and tasks as the chain shows them: the reads that both namespaces share.

chain.md §3.3, §5.2, §6.1. Deadlines are compared with the time of the latest block, as the
contracts do; what no worker has begun is nowhere on chain and known from its deal only.
"""

from __future__ import annotations

from ..errors import ObjectNotFoundError
from ..protocol import columns
from ..protocol.contracts import HUB
from ..protocol.ids import task_ids
from ..protocol.orders import NULL_ADDRESS, NULL_BYTES32
from ..protocol.results import parse_location
from .context import Context
from .hub import Hub
from .records import Deal, ResourceShare, Task

__all__ = ["COMPLETED", "FAILED", "read_deal", "read_task", "read_tasks", "unset_task"]

UNSET, ACTIVE, REVEALING, COMPLETED, FAILED = range(5)
STATUS_NAMES = ("UNSET", "ACTIVE", "REVEALING", "COMPLETED", "FAILED")


def read_deal(context: Context, dealid: str) -> Deal:
    """The deal with this id. Raises ObjectNotFoundError."""
    key = columns.parse_bytes32(dealid, "dealid")
    found = context.read(context.hub, HUB.viewDeal, key)
    assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
    if found["app"]["pointer"] == NULL_ADDRESS:
        raise ObjectNotFoundError("deal", key, context.chain.id)
    final_time = found["startTime"] + Hub(context).longest(found["category"])
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
        deadline_reached=context.block_time() >= final_time,
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
    return {
        index: _task(taskid, value, now) or unset_task(taskid, deal, now)
        for (index, taskid), value in zip(
            deal.tasks.items(), context.read_all(reads, block=block), strict=True
        )
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
