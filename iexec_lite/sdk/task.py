"""Tasks: show, watch, claim, results, and what workerpools tell (chain.md §6; today.md §2.4)."""

from __future__ import annotations

from ..errors import ObjectNotFoundError, StateError
from ..protocol import columns
from ..protocol.contracts import EVENTS, HUB
from ..protocol.detached import SigningRequest
from . import offchain
from .authorize import Given
from .context import Context
from .offchain import ReplicateLogs, TaskInfo
from .records import Deal, Task, TaskUpdate
from .results import Results
from .states import COMPLETED, FAILED, read_deal, read_task, unset_task
from .watch import Watch

__all__ = ["Tasks"]


class Tasks:
    """Reached as ``iexec.task``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def show(self, taskid: str) -> Task:
        """The task with this id. A task that no worker has begun is not found."""
        context = self._context
        key = columns.parse_bytes32(taskid, "taskid")
        task = read_task(context, key)
        if task is None:
            raise ObjectNotFoundError("task", key, context.chain.id)
        return task

    def obs_task(
        self, taskid: str, *, dealid: str | None = None, patience: float = 300.0
    ) -> Watch[TaskUpdate]:
        """Watch a task: its state at once, then each change, until it is final.

        With ``dealid`` a task that no worker has begun counts as UNSET; without, it is an error.
        """
        context = self._context
        key = columns.parse_bytes32(taskid, "taskid")
        seen: list[tuple[int, bool]] = []
        deal: list[Deal] = []

        def poll() -> tuple[TaskUpdate | None, bool]:
            try:
                task = self.show(key)
            except ObjectNotFoundError:
                if dealid is None:
                    raise
                if not deal:
                    deal.append(read_deal(context, dealid))
                task = unset_task(key, deal[0], context.block_time())
            now, message = (task.status, task.task_timed_out), _message(task)
            final = message != "TASK_UPDATED"
            if now in seen or (final and not self._is_settled(task)):
                return None, False
            seen[:] = [now]
            return TaskUpdate(message=message, task=task), final

        return Watch(poll, interval=context.interval, patience=patience)

    def _is_settled(self, task: Task) -> bool:
        """Whether the task has this status ``confirms`` deep, out of reach of a reorganisation."""
        context = self._context
        block = context.settled_block()
        if block == "latest":
            return True
        found = context.read_all([(context.hub, HUB.viewTask, (task.taskid,))], block=block)[0]
        assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
        return bool(found["status"] == task.status)

    def claim(self, taskid: str) -> str:
        """Take the money back for a task that missed its final deadline. Returns the tx hash.

        A task that no worker has begun is claimed with its deal: ``iexec.deal.claim``.
        """
        context = self._context
        key = columns.parse_bytes32(taskid, "taskid")

        def check() -> None:
            task = self.show(key)
            if task.status in (COMPLETED, FAILED):
                raise StateError(f"Cannot claim a task having status {task.status_name}")
            if not task.task_timed_out:
                raise StateError(
                    "Cannot claim a task before reaching the consensus deadline date: "
                    f"{columns.utc(task.final_deadline or 0)}"
                )

        return context.send(
            "claim",
            {"taskid": key},
            context.hub,
            HUB.claim.encode(key),
            expect=[(EVENTS.TaskClaimed, context.hub)],
            check=check,
        ).tx_hash

    def fetch_results(self, taskid: str) -> Results:
        """The result archive of a completed task, as a stream.

        ``.save(path)`` checks the archive against the digest on chain; also ``.read()`` and
        iteration over chunks. Raises StateError where there is nothing to download.
        """
        context = self._context
        task = self.show(taskid)
        if task.status != COMPLETED:
            raise StateError(f"Task is not completed (status {task.status_name})")
        found = task.results or {}
        storage, location = found.get("storage"), found.get("location")
        if storage == "none":
            raise StateError("No result uploaded for this task")
        if storage != "ipfs":
            raise StateError(f"Task result stored on {storage}, download not supported")
        if not isinstance(location, str) or not location.startswith("/"):
            raise StateError("Missing location key in task results, download not supported")
        gateway = context.service("ipfs_gateway", "ipfs_gateway_url")
        return Results(
            context.http, gateway, location, task, has_callback=task.results_callback != "0x"
        )

    def fetch_offchain_info(self, taskid: str) -> TaskInfo:
        """What the task's workerpool tells of it: states of the task and of each worker's run.

        Needs no signer. StateError where the workerpool is in no register, ObjectNotFoundError for
        a task that no worker has begun.
        """
        return offchain.fetch_info(self._context, taskid)

    def fetch_logs(self, taskid: str, *, authorization: Given = None) -> tuple[ReplicateLogs, ...]:
        """What the app wrote in each worker's run, for the task's requester alone.

        ``authorization`` is a signed :meth:`logs_challenge`. StateError for anybody else, and where
        the workerpool is in no register.
        """
        return offchain.fetch_logs(self._context, taskid, authorization)

    def logs_challenge(self, taskid: str) -> SigningRequest:
        """What the requester of the task has to sign elsewhere for :meth:`fetch_logs`."""
        return offchain.logs_challenge(self._context, taskid)


def _message(task: Task) -> str:
    if task.status == COMPLETED:
        return "TASK_COMPLETED"
    if task.status == FAILED:
        return "TASK_FAILED"
    return "TASK_TIMEDOUT" if task.task_timed_out else "TASK_UPDATED"
