"""``iexec-lite task debug``: the chain's word on a task, and the workerpool's (today.md §4.1).

That the workerpool says nothing is no failure: what was not to be had is in ``warnings``, with
``--raw`` too. What it tells is its own word, which nobody has checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import IExecError
from . import output, project, task, text, wallets, watching

if TYPE_CHECKING:
    from ..sdk.offchain import ReplicateLogs, StatusChange, TaskInfo

__all__ = ["debug_task"]

T = TypeVar("T")


def debug_task(options: argparse.Namespace) -> output.Result:
    """A task on the chain, what its workerpool tells of it, with ``--logs`` what its runs wrote."""
    selection = project.selected_chain(options)
    wallet = wallets.require(options) if options.logs else None
    warnings: list[str] = []

    def asked(what: str, call: Callable[[str], T], taskid: str) -> T | None:
        try:
            return call(taskid)
        except IExecError as error:
            if wallet is not None and error is wallet.failure:
                raise
            warnings.append(f"Failed to fetch {what}: {error.message}")
            output.warn(warnings[-1], options)
            return None

    with project.connect(selection, options, wallet) as client:
        found = task.find_task(client, options)
        info = asked("off-chain data", client.task.fetch_offchain_info, found.taskid)
        logs = asked("app logs", client.task.fetch_logs, found.taskid) if options.logs else None
        now = watching.chain_clock(client)()
    payload: dict[str, object] = {"onchainData": found.to_dict()}
    parts = [f"On chain:\n{output.render(task.details(found, now), 2)}"]
    if info is not None:
        payload["offchainData"] = info.to_dict()
        parts.append(f"Of the workerpool:\n{output.render(_told(info, now), 2)}")
    if logs is not None:
        payload["appLogs"] = [each.to_dict() for each in logs]
        parts.append(_written(logs))
    if warnings:
        payload["warnings"] = warnings
    return output.Result(payload=payload, text="\n\n".join(parts))


def _told(info: TaskInfo, now: float) -> dict[str, object]:
    """The states of a task and of each worker's run."""
    runs = {
        each.worker: {
            "status": each.status,
            **({} if each.exit_code is None else {"exit code": each.exit_code}),
            "history": _history(each.status_history, now),
        }
        for each in info.replicates
    }
    return {
        "status": info.status,
        "history": _history(info.status_history, now),
        **({"workers": runs} if runs else {}),
    }


def _history(changes: Sequence[StatusChange], now: float) -> list[str]:
    return [
        f"{text.stamp(each.date, now)} {each.status}" + (f": {each.cause}" if each.cause else "")
        for each in changes
    ]


def _written(logs: Sequence[ReplicateLogs]) -> str:
    """What each run of the app wrote, in full."""
    if not logs:
        return "No app logs"
    parts = []
    for each in logs:
        for stream, written in (("stdout", each.stdout), ("stderr", each.stderr)):
            body = written.rstrip("\n") or "(empty)"
            lines = "\n".join(f"  {line}" for line in body.split("\n"))
            parts.append(f"{stream} of {each.worker}:\n{lines}")
    return "\n\n".join(parts)
