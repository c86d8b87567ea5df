"""What ``app``, ``dataset`` and ``workerpool`` have in common (cli.md §8.4; today.md §4.1).

``init``, ``deploy``, ``show``, ``count``, ``publish``, ``unpublish`` and ``transfer`` are one
description for the three kinds: a kind is the name of its group, of its member in iexec.json and
deployed.json, and of its namespace in the library. What only one of them has is in the module of
its name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, IExecError, ObjectNotFoundError, StateError
from . import flags, orders, output, project, wallets
from .parser import CommandParser, Group, Handler

if TYPE_CHECKING:
    from ..protocol.chains import Selection
    from ..protocol.orders import Order
    from ..sdk.client import IExec
    from ..sdk.records import Resource

__all__ = [
    "TERMS",
    "add_address",
    "add_commands",
    "address_of",
    "entry_of",
    "order_field",
    "write_template",
]

# What an offer may say: option of publish → help. Each is a field of the kind's order, see
# order_field; a unit test compares them with the order classes.
TERMS = {
    "category": "id of the category of its tasks (default: 0)",
    "price": "price per task, in nRLC or with a unit: 1 RLC (default: 0)",
    "volume": "number of tasks on offer (default: {volume})",
    "tag": "what it has or needs: tee, gpu … (default: nothing)",
    "trust": "trust level (default: 0)",
    "app-restrict": "only together with this app",
    "dataset-restrict": "only together with this dataset",
    "workerpool-restrict": "only on this workerpool",
    "requester-restrict": "only for this requester",
}
ONLY = {"category": "workerpool", "trust": "workerpool"}
DEFAULTS = {
    "app": {"volume": "1000000"},
    "dataset": {"volume": "1000000"},
    "workerpool": {"volume": "1", "category": "0"},
}

ENCLAVE = "MREnclave"
# Properties of the chain without the kind before them → what people call them.
LABELS = {
    "Name": "name",
    "Description": "description",
    "Type": "type",
    "Multiaddr": "multiaddr",
    "Checksum": "checksum",
    "workerStakeRatioPolicy": "worker stake ratio",
    "schedulerRewardRatioPolicy": "scheduler reward ratio",
    "owner": "owner",
    "registry": "registry",
    ENCLAVE: "enclave",
}


def add_commands(group: Group, init: Handler) -> CommandParser:
    """Add the commands that the three kinds share; returns the parser of ``init``."""
    kind = group.name
    first = group.command(
        "init", init, f"write {_a(kind)} to fill in into iexec.json", example=f"{kind} init"
    )
    wallets.add_load_options(first)

    deploying = group.command(
        "deploy",
        partial(deploy, kind),
        f"put the {kind} of iexec.json on the chain",
        example=f"{kind} deploy",
    )
    flags.add_transaction(deploying)

    showing = group.command(
        "show",
        partial(show, kind),
        f"one {kind}: by address, by index among yours, or the last deployed",
        arguments="[ADDRESS | INDEX]",
        example=f"{kind} show 0",
    )
    showing.add_argument(
        "which",
        nargs="?",
        metavar="ADDRESS | INDEX",
        help="address, or number from 0 among those of a user (default: the last deployed)",
    )
    counting = group.command(
        "count", partial(count, kind), f"how many {kind}s a user has", example=f"{kind} count"
    )
    for parser in (showing, counting):
        parser.add_argument("--user", metavar="ADDRESS", help="whose (default: your wallet's)")

    publishing = group.command(
        "publish",
        partial(publish, kind),
        f"offer {_a(kind)} on the marketplace",
        arguments="[ADDRESS]",
        example=f"{kind} publish --price 1 RLC",
    )
    _add_terms(publishing, kind)
    if kind != "workerpool":
        flags.add_preflight(publishing, "do not check first whether the network would run it")
    unpublishing = group.command(
        "unpublish",
        partial(unpublish, kind),
        "take offers off the marketplace: the last one, or all",
        arguments="[ADDRESS]",
        example=f"{kind} unpublish --all",
    )
    unpublishing.add_argument("--all", action="store_true", help="all offers, not only the last")
    handing = group.command(
        "transfer",
        partial(transfer, kind),
        f"give {_a(kind)} of yours to another owner",
        arguments="ADDRESS --to ADDRESS",
        example=f"{kind} transfer 0x… --to 0x…",
    )
    handing.add_argument("address", metavar="ADDRESS", help=f"of the {kind}")
    handing.add_argument("--to", metavar="ADDRESS", help="the new owner")
    flags.add_transaction(handing)
    for parser in (publishing, unpublishing):
        add_address(parser, kind)
    for parser in (publishing, unpublishing, handing):
        flags.add_force(parser)
    for parser in (deploying, showing, counting, publishing, unpublishing, handing):
        wallets.add_load_options(parser)
        flags.add_node(parser)
    return first


def add_address(parser: CommandParser, kind: str) -> None:
    """The argument ADDRESS, by default what was deployed last; see :func:`address_of`."""
    parser.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help=f"of the {kind} (default: the last deployed, of deployed.json)",
    )


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "app" else f"a {kind}"


# -- init and deploy --------------------------------------------------------------------------


def write_template(
    kind: str,
    template: Mapping[str, object],
    options: argparse.Namespace,
    *,
    owned: bool = True,
    **beside: object,
) -> output.Result:
    """Put a template into iexec.json as ``kind``, and what stands ``beside`` it.

    The rest of the file is kept. An ``owned`` one is the wallet's, which needs no password, or
    nobody's where there is no wallet (cli.md B9).
    """
    config = project.load(project.CONFIG_FILE)
    made = dict(template)
    if owned:
        wallet = wallets.find(options)
        if wallet is None:
            output.warn("No wallet found: write the owner's address into iexec.json", options)
        else:
            made["owner"] = wallet.address
    changes = {**beside, kind: made}
    for name, value in changes.items():
        if config.get(name) not in (None, value):
            lines = f'The "{name}" of {project.CONFIG_FILE} was replaced. It was:\n'
            output.warn(lines + output.render(config[name], 2), options)
    project.save(project.CONFIG_FILE, {**config, **changes})
    said = f'Saved default {kind} in "{project.CONFIG_FILE}", you can edit it:\n'
    return output.Result(payload={kind: made}, text=said + output.render(made, 2))


def entry_of(kind: str) -> dict[str, object]:
    """What a person wrote in iexec.json under ``kind``."""
    config = project.load(project.CONFIG_FILE)
    if config.get(kind) is None:
        raise ConfigurationError(
            f'Missing {kind} in "{project.CONFIG_FILE}". '
            f'Did you forget to run "iexec-lite {kind} init"?'
        )
    return project.member(config, kind, project.CONFIG_FILE)


def deploy(kind: str, options: argparse.Namespace) -> output.Result:
    """Deploy the entry of iexec.json and note its address in deployed.json."""
    selection = project.selected_chain(options)
    entry = entry_of(kind)
    # A file that could not be written to would be found out too late.
    project.member(project.load(project.DEPLOYED_FILE, missing={}), kind, project.DEPLOYED_FILE)
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        library = getattr(client, kind)
        ignored = [name for name in entry if name not in library.record.field_names()]
        if ignored:
            output.warn(f"{kind} in iexec.json: {', '.join(ignored)} is not known", options)
        try:
            deployed = getattr(library, f"deploy_{kind}")(entry, new=options.new)
        except StateError as error:
            if "address" not in error.details:
                raise
            raise StateError(
                f"{error.message}: use it by this address, or change the {kind} in iexec.json "
                "to deploy another",
                details=error.details,
                cause=error,
            ) from error
    try:
        project.save_deployed(kind, selection.chain.id, deployed.address)
    except IExecError as error:
        raise StateError(
            f"Deployed new {kind} at address {deployed.address}, but this could not be noted in "
            f"{project.DEPLOYED_FILE}: {error.message}",
            details={"address": deployed.address},
            cause=error,
            tx_hash=deployed.tx_hash,
        ) from error
    lines = [
        f"Deployed new {kind} at address {deployed.address}",
        f'Saved in "{project.DEPLOYED_FILE}"; offer it with: iexec-lite {kind} publish',
    ]
    return output.Result(payload=deployed.to_dict(), text="\n".join(lines))


# -- show and count ---------------------------------------------------------------------------


def show(kind: str, options: argparse.Namespace) -> output.Result:
    """One app, dataset or workerpool as the chain has it."""
    selection = project.selected_chain(options)
    which = project.resource_address(kind, options.which, selection.chain.id)
    if which is None:
        raise ConfigurationError(
            f'{kind} address not provided to CLI AND missing in "{project.DEPLOYED_FILE}"'
        )
    # 40 digits may be an address without its 0x; they are no index.
    by_address = which.startswith(("0x", "0X")) or which.endswith(".eth") or len(which) == 40
    user = "" if by_address else wallets.user(options)
    with project.connect(selection, options) as client:
        library = getattr(client, kind)
        if by_address:
            found: Resource = getattr(library, f"show_{kind}")(which)
        else:
            found = getattr(library, f"show_user_{kind}")(which, user)
        url = _api_url(client, found.obj_address, options) if kind == "workerpool" else None
    payload = {"address": found.obj_address, kind: found.to_dict()[kind]}
    described = _described(found)
    if url is not None:
        payload["apiUrl"] = described["API"] = url
    head = f"{kind.capitalize()} {found.obj_address}"
    return output.Result(payload=payload, text=f"{head}\n{output.render(described, 2)}")


def _api_url(client: IExec, address: str, options: argparse.Namespace) -> str | None:
    """Where the workerpool tells about tasks; that nobody can say it is no failure."""
    try:
        return client.workerpool.get_workerpool_api_url(address)
    except IExecError as error:
        output.warn(f"Failed to find out the API of the workerpool: {error.message}", options)
        return None


def _described(found: Resource) -> dict[str, object]:
    """The properties by the names that people use; texts of strangers stay on their line."""
    shown: dict[str, object] = {}
    for name, label in LABELS.items():
        value = found.properties.get(name, found.properties.get(f"{found.kind}{name}"))
        if name == ENCLAVE and value:
            shown[label] = _enclave(str(value))
        elif value is not None:
            shown[label] = _line(value) + (" %" if name.endswith("RatioPolicy") else "")
    return shown


def _enclave(measured: str) -> dict[str, str] | str:
    """What is measured of a TEE app, by member where it is what it should be."""
    from ..eth.codec import load_json

    try:
        members = load_json(measured)
    except ValueError:
        members = None
    if not isinstance(members, Mapping):
        return _line(measured)
    return {_line(name): _line(value) for name, value in members.items()}


def _line(value: object) -> str:
    return r"\n".join(str(value).splitlines()) or "(none)"


def count(kind: str, options: argparse.Namespace) -> output.Result:
    """How many of a kind somebody owns."""
    selection = project.selected_chain(options)
    user = wallets.user(options)
    with project.connect(selection, options) as client:
        number = getattr(getattr(client, kind), f"count_user_{kind}s")(user)
    said = f"User {user} has a total of {number} {kind}{'' if number == 1 else 's'}"
    return output.Result(payload={"count": str(number)}, text=said)


# -- publish and unpublish --------------------------------------------------------------------


def order_field(kind: str, term: str) -> str:
    """The field of the kind's order that an option of ``publish`` is about."""
    return f"{kind}price" if term == "price" else term.replace("-", "")


def _terms(kind: str) -> list[str]:
    return [term for term in TERMS if term != f"{kind}-restrict" and ONLY.get(term, kind) == kind]


def _add_terms(parser: CommandParser, kind: str) -> None:
    for term in _terms(kind):
        option, meaning = f"--{term}", TERMS[term].format(**DEFAULTS[kind])
        if term == "price":
            flags.add_amount_option(parser, option, meaning)
        elif term == "tag":
            flags.add_list_option(parser, option, "TAG", meaning)
        else:
            metavar = "ADDRESS" if term.endswith("-restrict") else "N"
            parser.add_argument(option, metavar=metavar, help=meaning)


def publish(kind: str, options: argparse.Namespace) -> output.Result:
    """Make an order of the options, sign it as the owner and put it on the marketplace."""
    selection = project.selected_chain(options)
    selection.require("iexecGateway")
    address = address_of(kind, selection, options)
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        order = _order(client, kind, address, options)
        about = orders.describe(order, selection.chain)
        wallet.ask(f"Do you want to publish the following {order.name}?", about)
        # None of a workerpool; of the others it is made once, before the signature.
        checks = {} if kind == "workerpool" else {"preflight_check": not options.skip_request_check}
        unchecked = dict.fromkeys(checks, False)
        with orders.checked():
            signed = getattr(client.order, f"sign_{order.name}")(order, **checks)
        order_hash = getattr(client.order, f"publish_{order.name}")(signed, **unchecked)
    lines = [
        f"Successfully published {order.name} with orderHash {order_hash}",
        f'Run "iexec-lite orderbook {kind} {address}" to show published {order.name}s',
    ]
    return output.Result(payload={"orderHash": order_hash}, text="\n".join(lines))


def _order(client: IExec, kind: str, address: str, options: argparse.Namespace) -> Order:
    """The order that the options describe, for what is really there."""
    try:
        found: Resource = getattr(getattr(client, kind), f"show_{kind}")(address)
    except ObjectNotFoundError as error:
        raise ConfigurationError(f"No {kind} deployed at address {address}", cause=error) from error
    given = {term: getattr(options, term.replace("-", "_")) for term in _terms(kind)}
    fields = DEFAULTS[kind] | {
        order_field(kind, term): value for term, value in given.items() if value is not None
    }
    order: Order = getattr(client.order, f"create_{kind}order")(found.obj_address, **fields)
    if "category" in fields:  # nobody could buy work of a category that does not exist
        client.hub.show_category(fields["category"])
    return order


def unpublish(kind: str, options: argparse.Namespace) -> output.Result:
    """Take the last order, or all, of an app, dataset or workerpool off the marketplace."""
    selection = project.selected_chain(options)
    selection.require("iexecGateway")
    address = address_of(kind, selection, options)
    wallet = wallets.require(options)
    which, plural = ("all", "s") if options.all else ("last", "")
    wallet.ask(
        f"Do you want to unpublish {'all your' if options.all else 'your last'} "
        f"{kind}order{plural} for {kind} {address}?"
    )
    with project.connect(selection, options, wallet) as client:
        found = getattr(client.order, f"unpublish_{which}_{kind}order{plural}")(address)
    lines = [
        f"Successfully unpublished {which} {kind}order{plural}",
        *(f"  {order_hash}" for order_hash in (found if options.all else [found])),
        "Whoever has a copy can still buy with it: to make it worthless, cancel it",
    ]
    return output.Result(payload={"unpublished": found}, text="\n".join(lines))


# -- transfer ---------------------------------------------------------------------------------


def transfer(kind: str, options: argparse.Namespace) -> output.Result:
    """Give an app, dataset or workerpool to another owner, who signs and earns from then on."""
    selection = project.selected_chain(options)
    chain, address, to = selection.chain, options.address, options.to
    if to is None:
        raise ConfigurationError("Missing --to option")
    wallet = wallets.require(options)
    wallet.ask(
        f"Do you want to transfer the ownership of the {kind} {address} to {to} "
        f"[chainId: {chain.id}]"
    )
    with project.connect(selection, options, wallet) as client:
        moved = getattr(getattr(client, kind), f"transfer_{kind}")(address, to, new=options.new)
    lines = [
        f"Ownership of the {kind} {moved.address} successfully transferred to {moved.to}",
        output.render({"transaction": moved.tx_hash}),
    ]
    return output.Result(payload=moved.to_dict(), text="\n".join(lines))


def address_of(kind: str, selection: Selection, options: argparse.Namespace) -> str:
    """The address a command was given, or that of the last one deployed, which is then said."""
    address = project.resource_address(kind, options.address, selection.chain.id)
    if address is None:
        raise ConfigurationError(
            f'Missing {kind}Address and no {kind} found in "{project.DEPLOYED_FILE}" '
            f"for chain {selection.chain.id}"
        )
    if options.address is None:
        deployed = f'using last {kind} deployed from "{project.DEPLOYED_FILE}": {address}'
        output.info(f"No {kind} specified, {deployed}", options)
    return address
