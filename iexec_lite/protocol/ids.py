"""Ids that the contracts compute, computed without them (chain.md §5.1)."""

from __future__ import annotations

from ..errors import StateError, ValidationError
from ..eth.codec import from_hex, to_hex
from ..eth.crypto import keccak

__all__ = ["deal_id", "task_id", "task_ids"]

# A deal may have 2²⁵⁶ tasks at price 0, and their ids are hashes to compute one by one.
MAX_TASKS = 1_000_000


def deal_id(request_hash: str, first_index: int) -> str:
    """Id of the deal that takes the request order's tasks from ``first_index`` on.

    ``request_hash`` is the order's hash; ``first_index`` its consumed volume before the match.
    """
    return _id(request_hash, first_index, "request_hash")


def task_id(dealid: str, index: int) -> str:
    """Id of task ``index`` of a deal; indexes run from the deal's ``bot_first``."""
    return _id(dealid, index, "dealid")


def task_ids(dealid: str, first: int, size: int) -> dict[int, str]:
    """Ids of a deal's tasks by index. StateError for more than can be listed."""
    if size > MAX_TASKS:
        raise StateError(f"deal {dealid} has {size} tasks, more than can be listed ({MAX_TASKS})")
    return {i: task_id(dealid, i) for i in range(first, first + size)}


def _id(head: str, index: int, name: str) -> str:
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < 1 << 256:
        raise ValidationError(f"the index must be an integer from 0 to 2**256 - 1 ({name})")
    return to_hex(keccak(from_hex(head, length=32, name=name) + index.to_bytes(32, "big")))
