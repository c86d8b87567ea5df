"""``iexec-lite app``: what is common to assets (``assets.py``), and running (cli.md §8.4–8.6)."""

from __future__ import annotations

import argparse

from . import assets, output, run, templates
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    init = assets.add_commands(group, init_app)
    init.add_argument("--tee", action="store_true", help="an app that runs in an enclave")
    run.register(group)


def init_app(options: argparse.Namespace) -> output.Result:
    """The template of an app, and of what buying it takes."""
    template = templates.TEE_APP if options.tee else templates.APP
    return assets.write_template("app", template, options, buyConf=templates.BUY_CONF)
