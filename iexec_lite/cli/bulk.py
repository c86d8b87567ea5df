"""``iexec-lite dataset prepare-bulk``: many datasets for one request (today.md §2.3).

Orders come as hashes of the marketplace, or from files: one order, a list of them, an orders.json,
or what ``order show --raw`` gave.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, ValidationError
from ..sdk import files
from . import flags, orders, output, project
from .parser import Group

if TYPE_CHECKING:
    from ..protocol.orders import SignedOrder
    from ..sdk.client import IExec

__all__ = ["register"]

KIND = "datasetorder"
PARTIES = {  # who the restrictions of the orders are held against
    "app": "the app that will be run",
    "workerpool": "the workerpool that will run it",
    "requester": "who will ask for it",
}


def register(group: Group) -> None:
    """Add the command to the group ``dataset``."""
    parser = group.command(
        "prepare-bulk",
        prepare,
        "upload dataset orders so that one request uses them all",
        arguments="[ORDER…]",
        example="dataset prepare-bulk orders.json --max-dataset-per-task 10",
    )
    parser.add_argument(
        "orders",
        nargs="*",
        metavar="ORDER",
        help="hash of a datasetorder on the marketplace, or a file with one or more of them "
        "(default: orders.json)",
    )
    parser.add_argument(
        "--max-dataset-per-task", metavar="N", default="100", help="1 to 100 (default: 100)"
    )
    for name, who in PARTIES.items():
        parser.add_argument(f"--{name}", metavar="ADDRESS", help=f"{who}: would it get them all?")
    parser.add_argument(
        "--copy-to",
        metavar="URL",
        action="append",
        default=[],
        help="an IPFS node that gets a copy, if it will; may be given several times",
    )
    flags.add_preflight(parser, "do not ask the SMS for the keys of the datasets")
    flags.add_node(parser)


def prepare(options: argparse.Namespace) -> output.Result:
    """Check every order, upload them, say how to ask for them."""
    selection = project.selected_chain(options)
    limit = flags.whole_number(options.max_dataset_per_task, "--max-dataset-per-task")
    with project.connect(selection, options) as client:
        found: list[object] = []
        for given in options.orders or [project.ORDERS_FILE]:
            found += _orders(client, given, options)
        output.info(f"{len(found)} {KIND}{'' if len(found) == 1 else 's'}", options)
        bulk = client.order.prepare_dataset_bulk(
            found,  # type: ignore[arg-type]  # the library reads them
            max_dataset_per_task=limit,
            copy_to=options.copy_to,
            preflight_check=not options.skip_request_check,
            **{name: getattr(options, name) for name in PARTIES},
        )
    text = output.render({"bulk_cid": bulk.cid, "tasks": bulk.volume, "datasets": len(found)})
    asks = (
        "Ask for them with a request without dataset, for example:\n"
        f"  iexec-lite app request-execution APP --volume {bulk.volume} --params "
        f'\'{{"bulk_cid": "{bulk.cid}"}}\''
    )
    return output.Result(payload=bulk.to_dict(), text=f"{text}\n\n{asks}")


def _orders(client: IExec, given: str, options: argparse.Namespace) -> list[object]:
    """The dataset orders that a word of the command line stands for."""
    if not os.path.isfile(given):
        if given == project.ORDERS_FILE:
            raise ConfigurationError(f"Missing {given}: give hashes of {KIND}s or files with them")
        if not given.startswith("0x"):
            raise ConfigurationError(f"{given[:80]} is neither a file nor 0x and 64 hex digits")
        return [_published(client, given, options)]
    return _read(given, client.chain.id)


def _published(client: IExec, given: str, options: argparse.Namespace) -> SignedOrder:
    return orders.fetch(client, "dataset", orders.parse_hash("dataset", given), options)


def _read(name: str, chain_id: int) -> list[object]:
    """The dataset orders in a file, in whatever of the known forms."""
    from ..eth.codec import load_json

    text = files.read_text(name)
    try:
        content: Any = load_json(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} is not JSON: {error}", cause=error) from error
    for key in (str(chain_id), KIND):
        if isinstance(content, Mapping) and key in content:
            content = content[key]
    items = content if isinstance(content, list) else [content]
    found: list[object] = []
    for item in items:
        order = item.get("order", item) if isinstance(item, Mapping) else item
        if not isinstance(order, Mapping) or "dataset" not in order:
            raise ValidationError(f"{name}: no {KIND} in it, or something else beside")
        found.append(order)
    return found
