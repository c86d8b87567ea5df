"""What workerpools tell of tasks, beyond the chain (today.md §1.2, §2.4).

The chain leads from a task to its deal and workerpool, compass to the workerpool's API. What that
says is its own word: times, states and logs are checked for their form alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ..errors import ObjectNotFoundError, StateError, WorkerpoolCallError
from ..frozen import field
from ..protocol.authorization import WORKERPOOL
from ..protocol.columns import parse_bytes32, utc
from ..protocol.units import shown
from .authorize import Given, login_challenge, read_given
from .authorize import authorization as prove
from .records import NUMBER, Deal, Record
from .states import read_deal, read_task

if TYPE_CHECKING:
    from ..net.workerpool import WorkerpoolApi
    from ..protocol.detached import SigningRequest
    from .context import Context

__all__ = [
    "ReplicateInfo",
    "ReplicateLogs",
    "StatusChange",
    "TaskInfo",
    "fetch_info",
    "fetch_logs",
    "logs_challenge",
    "workerpool_url",
]

T = TypeVar("T")
Json = Mapping[str, object]


class StatusChange(Record):
    """When something took a status, in the words of the workerpool's scheduler (ISO 8601)."""

    status: str
    date: str
    cause: str | None = None


class ReplicateInfo(Record):
    """One worker's run of a task; ``exit_code`` of the app, None while it runs or where it is 0."""

    worker: str
    exit_code: int | None = field(default=None, metadata=NUMBER)
    status: str
    status_history: tuple[StatusChange, ...]


class TaskInfo(Record):
    """What a workerpool tells of a task beyond the chain: its own word, which nobody has checked.

    The JSON is that of the newest JavaScript SDK: ``{"task": {…}, "replicates": […]}``.
    """

    status: str
    status_history: tuple[StatusChange, ...]
    replicates: tuple[ReplicateInfo, ...]

    def to_dict(self) -> dict[str, object]:
        """``{"task": {status, statusHistory}, "replicates": […]}``."""
        found = Record.to_dict(self)
        replicates = found.pop("replicates")
        return {"task": found, "replicates": replicates}


class ReplicateLogs(Record):
    """What one worker's run of the app wrote."""

    worker: str
    stdout: str
    stderr: str


# --- questions ------------------------------------------------------------------------------------


def workerpool_url(context: Context, workerpool: str) -> str | None:
    """The URL of the workerpool's API; None where the network has no compass, or it knows none."""
    from ..net.workerpool import Compass

    chain = context.chain
    if not chain.compass:
        return None
    return Compass(context.http, chain.compass, chain.id).workerpool_url(workerpool)


def fetch_info(context: Context, taskid: str) -> TaskInfo:
    """States of a task and of its runs. WorkerpoolCallError for an answer that is none."""
    task = parse_bytes32(taskid, "taskid")
    found = _api(context, _deal(context, task)).task(task)
    return TaskInfo(
        status=_text(found, "currentStatus"),
        status_history=_list(found, "dateStatusList", _change),
        replicates=_list(found, "replicates", _replicate),
    )


def fetch_logs(context: Context, taskid: str, given: Given) -> tuple[ReplicateLogs, ...]:
    """What the runs of a task wrote, for its requester alone."""
    task, signed = parse_bytes32(taskid, "taskid"), read_given(given)
    address = context.address if signed is None else signed.address
    deal = _deal(context, task)
    if address != deal.requester:
        raise StateError(
            f"Only task requester {deal.requester} can access replicates logs, not {address}"
        )
    api = _api(context, deal)
    proof = prove(context, WORKERPOOL, api.challenge, signed)
    return _list(api.logs(task, str(proof)), "computeLogsList", _logs)


def logs_challenge(context: Context, taskid: str) -> SigningRequest:
    """What the requester of a task has to sign for :func:`fetch_logs`."""
    deal = _deal(context, parse_bytes32(taskid, "taskid"))
    return login_challenge(context, WORKERPOOL, _api(context, deal).challenge, deal.requester)


def _deal(context: Context, taskid: str) -> Deal:
    found = read_task(context, taskid)
    if found is None:
        raise ObjectNotFoundError("task", taskid, context.chain.id)
    return read_deal(context, found.dealid)


def _api(context: Context, deal: Deal) -> WorkerpoolApi:
    from ..net.workerpool import WorkerpoolApi

    pool = deal.workerpool.pointer
    url = workerpool_url(context, pool)
    if url is None:
        raise StateError(
            f"Impossible to resolve API url for workerpool {pool}: it has told nobody where it is"
        )
    return WorkerpoolApi(context.http, url, context.chain.id)


# --- answers --------------------------------------------------------------------------------------


def _replicate(value: Json) -> ReplicateInfo:
    code = value.get("appExitCode")
    if code is not None and type(code) is not int:
        raise _wrong("appExitCode", code)
    return ReplicateInfo(
        worker=_text(value, "walletAddress"),
        exit_code=code,
        status=_text(value, "currentStatus"),
        status_history=_list(value, "statusUpdateList", _change),
    )


def _change(value: Json) -> StatusChange:
    return StatusChange(
        status=_text(value, "status"),
        date=_date(value),
        cause=None if value.get("cause") is None else _text(value, "cause"),
    )


def _logs(value: Json) -> ReplicateLogs:
    stdout, stderr = (value.get(name) or "" for name in ("stdout", "stderr"))
    if not isinstance(stdout, str) or not isinstance(stderr, str):
        raise _wrong("stdout and stderr", value)
    return ReplicateLogs(worker=_text(value, "walletAddress"), stdout=stdout, stderr=stderr)


def _text(value: Json, name: str) -> str:
    """A short text that is safe to print."""
    found = value.get(name)
    if not isinstance(found, str) or not found.isprintable() or len(found) > 200:
        raise _wrong(name, found)
    return found


def _date(value: Json) -> str:
    """ISO 8601; some schedulers give milliseconds since 1970."""
    found = value.get("date")
    if type(found) is int:  # no bool
        return utc(found // 1000)
    return _text(value, "date")


def _list(value: Json, name: str, read: Callable[[Json], T]) -> tuple[T, ...]:
    """A list of objects; one that is left out is empty."""
    found = value.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise _wrong(name, found)
    return tuple(map(read, found))


def _wrong(name: str, value: object) -> WorkerpoolCallError:
    return WorkerpoolCallError(f"The workerpool's API answered nonsense: {name} is {shown(value)}")
