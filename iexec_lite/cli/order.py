"""``iexec-lite order init | sign`` (cli.md §8.8).

Each kind of order is done for itself: one that fails does not keep the others from being done, and
fails the command at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import (
    ConfigurationError,
    IExecError,
    ObjectNotFoundError,
    SmsCallError,
    StateError,
    ValidationError,
)
from . import flags, output, project, wallets
from .parser import Group

if TYPE_CHECKING:
    from ..protocol.chains import Chain, Selection
    from ..protocol.orders import Order
    from ..sdk.client import IExec

__all__ = ["register"]

RESOURCES = ("app", "dataset", "workerpool", "request")  # in the order of V6; "apporder" …


def register(group: Group) -> None:
    """The commands of the group."""
    init = group.command(
        "init",
        init_orders,
        "write orders to fill in into iexec.json",
        example="order init --app --dataset",
    )
    _add_kinds(init)
    wallets.add_load_options(init)
    flags.add_chain(init)

    sign = group.command(
        "sign",
        sign_orders,
        "sign the orders of iexec.json into orders.json",
        example="order sign --app --offline",
    )
    _add_kinds(sign)
    sign.add_argument(
        "--offline", action="store_true", help="contact nothing: ownership is not checked"
    )
    sign.add_argument(
        "--skip-request-check", action="store_true", help="do not ask the SMS about the request"
    )
    wallets.add_load_options(sign)
    flags.add_node(sign)
    flags.add_force(sign)


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    for resource in RESOURCES:
        parser.add_argument(
            f"--{resource}", action="store_true", help=f"the {resource}order (default: all four)"
        )


def _chosen(options: argparse.Namespace) -> Iterable[str]:
    return [name for name in RESOURCES if getattr(options, name)] or RESOURCES


# -- init -------------------------------------------------------------------------------------


def init_orders(options: argparse.Namespace) -> output.Result:
    """Add order templates to iexec.json; the rest of the file is kept."""
    from ..protocol.orders import NULL_ADDRESS

    chain = project.selected_chain(options).chain
    wallet = wallets.find(options)
    owner = NULL_ADDRESS if wallet is None else wallet.address
    config = project.load(project.CONFIG_FILE)
    orders = project.member(config, "order", project.CONFIG_FILE)
    made: dict[str, object] = {}
    for resource in _chosen(options):
        if resource == "request":
            made["requestorder"] = _request_template(owner)
        else:
            address = project.deployed_address(resource, chain.id) or NULL_ADDRESS
            made[f"{resource}order"] = _offer_template(resource, address)
    project.save(project.CONFIG_FILE, {**config, "order": {**orders, **made}})
    text = f"Saved in {project.CONFIG_FILE}, you can edit it:\n{output.render(made)}"
    return output.Result(payload=made, text=text)


def _offer_template(resource: str, address: str) -> dict[str, object]:
    """An app, dataset or workerpool order as ``order init`` writes it (cli.md §4.2)."""
    from ..protocol.orders import NULL_ADDRESS

    workerpool = resource == "workerpool"
    partners = [name for name in (*RESOURCES[:3], "requester") if name != resource]
    return {
        resource: address,
        f"{resource}price": "0",
        "volume": "1" if workerpool else "1000000",
        **({"category": "0", "trust": "0"} if workerpool else {}),
        "tag": [],
        **{f"{name}restrict": NULL_ADDRESS for name in partners},
    }


def _request_template(wallet: str) -> dict[str, object]:
    from ..protocol.orders import NULL_ADDRESS

    return {
        "app": NULL_ADDRESS,
        "appmaxprice": "0",
        "dataset": NULL_ADDRESS,
        "datasetmaxprice": "0",
        "workerpool": NULL_ADDRESS,
        "workerpoolmaxprice": "0",
        "volume": "1",
        "category": "0",
        "trust": "0",
        "tag": [],
        "beneficiary": wallet,
        "callback": NULL_ADDRESS,
        "params": {
            "iexec_args": "",
            "iexec_input_files": [],
            "iexec_result_encryption": False,
        },
        "requester": wallet,
    }


# -- sign -------------------------------------------------------------------------------------


def sign_orders(options: argparse.Namespace) -> output.Result:
    """Sign each order of iexec.json that is asked for.

    The wallet is unlocked for the first order that passed all checks, so nobody types a password
    for nothing.
    """
    from ..sdk.client import IExec

    selection = project.selected_chain(options)
    chain = selection.chain
    config = project.load(project.CONFIG_FILE)
    templates = project.member(config, "order", project.CONFIG_FILE)
    _stored(chain)
    wallet = wallets.require(options)
    if options.offline:
        project.say_chain(chain, options)
        client = IExec(chain=chain, signer=wallet)
    else:
        client = project.connect(selection, options, wallet)
    signed: dict[str, object] = {}
    failures = []
    with client:
        for resource in _chosen(options):
            kind = f"{resource}order"
            try:
                order = _order(templates, resource, chain, wallet.address)
                signed[kind] = _sign(client, order, selection, options)
            except IExecError as error:
                if error is wallet.failure:
                    raise
                failures.append(f"{kind}: {error.message}")
    if signed:
        own, others = _stored(chain)
        project.save(project.ORDERS_FILE, {**others, str(chain.id): {**own, **signed}})
    lines = [f"{kind} signed and saved in {project.ORDERS_FILE}" for kind in signed]
    return output.Result(
        payload=signed, text="\n".join(lines), failures=failures, title="Failed to sign"
    )


def _stored(chain: Chain) -> tuple[dict[str, object], dict[str, object]]:
    """The orders of this chain in orders.json, and the whole file."""
    stored = project.load(project.ORDERS_FILE, missing={})
    return project.member(stored, str(chain.id), project.ORDERS_FILE), stored


def _order(templates: Mapping[str, object], resource: str, chain: Chain, wallet: str) -> Order:
    """The order of a template, completed. What it does not know is refused: prices have names."""
    from ..protocol import orders

    kind = f"{resource}order"
    template = templates.get(kind)
    if template is None:
        raise ConfigurationError(
            f'Missing {kind}. You probably forgot to run "iexec-lite order init --{resource}"'
        )
    if not isinstance(template, dict):
        raise ConfigurationError(f'"{kind}" in {project.CONFIG_FILE} must be an object')
    known = orders.ORDER_KINDS[kind].field_names()
    faults = [f"{name} is not a field of {kind}" for name in template if name not in known]
    faults += [f"{name} must not be null" for name, value in template.items() if value is None]
    if faults:
        raise ValidationError.collect(faults)
    create: Callable[..., Order] = getattr(orders, f"create_{kind}")
    if resource != "request":
        return create(rules=chain.rules, **template)
    fields = {"requester": wallet, **template}
    return create(rules=chain.rules, result_proxy=chain.result_proxy, **fields)


def _sign(
    client: IExec, order: Order, selection: Selection, options: argparse.Namespace
) -> dict[str, object]:
    """Check what can be checked, then sign; the JSON of the signed order."""
    from ..protocol.orders import NULL_ADDRESS

    request = order.name == "requestorder"
    resource = "app" if request else order.resource
    if not options.offline:
        _require_deployed(client, resource, order)
    elif getattr(order, resource) == NULL_ADDRESS:
        output.warn(f"{order.name}: {resource} is the zero address, nobody can use it", options)
    sign = getattr(client.order, f"sign_{order.name}")
    if not request:
        signed: Order = sign(order)
        return signed.to_dict()
    check = not options.offline and not options.skip_request_check
    try:
        if check:
            selection.require("sms")
        signed = sign(order, check_request=check)
    except (StateError, SmsCallError) as error:
        raise StateError(
            f"Request requirements check failed: {error.message} (If you consider this is not an "
            "issue, use --skip-request-check to skip request requirement check)",
            cause=error,
        ) from error
    return signed.to_dict()


def _require_deployed(client: IExec, resource: str, order: Order) -> None:
    address = str(getattr(order, resource))
    try:
        getattr(getattr(client, resource), f"show_{resource}")(address)
    except ObjectNotFoundError as error:
        raise ConfigurationError(
            f"No {resource} contract deployed at address {address}", cause=error
        ) from error
