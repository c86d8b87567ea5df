"""``iexec-lite app``: what is common to assets (``assets.py``), running, and its secret.

cli.md §8.4–8.6; today.md §4.1.
"""

from __future__ import annotations

import argparse

from ..errors import StateError
from . import assets, flags, output, project, run, secret_values, wallets
from .parser import Group

__all__ = ["register"]


def register(group: Group) -> None:
    """The commands of the group."""
    init = assets.add_commands(group, init_app)
    init.add_argument("--tee", action="store_true", help="an app that runs in an enclave")
    flags.add_chain(init)
    run.register(group)

    pushing = group.command(
        "push-secret",
        push_secret,
        "give the secret of an app to the SMS, once and for all",
        arguments="[ADDRESS]",
        example="app push-secret",
    )
    secret_values.add_options(pushing)
    checking = group.command(
        "check-secret",
        check_secret,
        "whether the SMS has a secret of an app",
        arguments="[ADDRESS]",
        example="app check-secret",
    )
    for parser in (pushing, checking):
        assets.add_address(parser, "app")
        flags.add_node(parser)
    wallets.add_load_options(pushing)


def init_app(options: argparse.Namespace) -> output.Result:
    """The template of an app, and of what buying it takes, as its network wants them."""
    templates = project.selected_chain(options).chain.rules.templates
    template = templates.tee_app if options.tee else templates.app
    return assets.write_template("app", template, options, buyConf=templates.buy_conf)


def push_secret(options: argparse.Namespace) -> output.Result:
    """Let the enclaves that run an app have its secret, as its owner."""
    selection = project.selected_chain(options)
    selection.require("sms")
    address = assets.address_of("app", selection, options)
    with project.connect(selection, options, wallets.require(options)) as client:
        if client.app.check_app_secret_exists(address):  # before the secret is asked for
            raise StateError(f"Secret already exists for {address} and can't be updated")
        client.app.push_app_secret(address, secret_values.read(options))
    return output.Result(text=f"Secret successfully pushed for app {address}")


def check_secret(options: argparse.Namespace) -> output.Result:
    """Whether the SMS has a secret of an app; needs no wallet."""
    selection = project.selected_chain(options)
    selection.require("sms")
    address = assets.address_of("app", selection, options)
    with project.connect(selection, options) as client:
        known = client.app.check_app_secret_exists(address)
    said = f"{'Secret' if known else 'No secret'} found for app {address}"
    return output.Result(payload={"isSecretSet": known}, text=said)
