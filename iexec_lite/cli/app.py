"""``iexec-lite app …`` (cli.md §8.4–8.6)."""

from __future__ import annotations

from . import run
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    run.register(group)
