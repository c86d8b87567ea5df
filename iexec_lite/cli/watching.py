"""Following a deal until none of its tasks is open."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    from ..sdk.client import IExec
    from ..sdk.records import DealUpdate

__all__ = ["follow_deal"]


def follow_deal(client: IExec, dealid: str, options: argparse.Namespace) -> DealUpdate:
    """Show each change of the deal's tasks; the last update."""
    for update in client.deal.obs_deal(dealid):
        done = f"{update.completed_tasks_count}/{update.tasks_count} tasks completed"
        states = (f"task {index} {task.status_name}" for index, task in update.tasks.items())
        output.info(f"{done} ({', '.join(states)})", options)
    return update
