"""``iexec-lite workerpool``: only what is common to assets (``assets.py``; cli.md §8.4)."""

from __future__ import annotations

import argparse

from . import assets, output
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    assets.add_commands(group, init_workerpool)


def init_workerpool(options: argparse.Namespace) -> output.Result:
    """The template of a workerpool."""
    from ..protocol import templates

    return assets.write_template("workerpool", templates.WORKERPOOL, options)
