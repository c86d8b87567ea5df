"""``iexec-lite info``: the contracts of a chain (cli.md §8.15)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import flags, output, project
from .parser import Group

if TYPE_CHECKING:
    from ..protocol.chains import Chain

__all__ = ["register"]


def register(group: Group) -> None:
    """The options of ``info``, a group without commands."""
    parser = group.command("", info, "the contracts of a chain", example="info --chain bellecour")
    flags.add_node(parser)


def info(options: argparse.Namespace) -> output.Result:
    """Node, hub, token and registries, as the hub tells them."""
    selection = project.selected_chain(options)
    host = _host(selection.chain)
    with project.connect(selection, options) as client:
        found = client.network.get_contracts()
    payload = found.to_dict()
    payload = {"pocoVersion": payload.pop("pocoVersion"), "host": host, **payload}
    shown = {
        "node": host,
        "PoCo version": found.poco_version,
        "flavour": found.flavour,
        "RLC": found.rlc_address or "the chain's own coin",
        "hub": found.hub_address,
        "app registry": found.app_registry_address,
        "dataset registry": found.dataset_registry_address,
        "workerpool registry": found.workerpool_registry_address,
    }
    return output.Result(payload=payload, text=output.render(shown))


def _host(chain: Chain) -> str:
    """``default`` for the built-in node; of others scheme and host, as the rest may be a key."""
    from ..net.target import parse_target
    from ..protocol.chains import resolve

    host = str(chain.host)
    if host == resolve(chain.id, chain.flavour).host:
        return "default"
    return parse_target(host, allow_plain=True).label if "://" in host else host
