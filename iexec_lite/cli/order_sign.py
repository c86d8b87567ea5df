"""``iexec-lite order init | sign``: from templates in iexec.json to orders.json (cli.md §8.8)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConfigurationError, ObjectNotFoundError, ValidationError
from . import orders, output, project, wallets

if TYPE_CHECKING:
    from ..protocol.chains import Chain, Selection
    from ..protocol.orders import Order, SignedOrder
    from ..sdk.client import IExec

__all__ = ["checked", "init_orders", "order_of", "save", "sign_orders", "wanted"]

T = TypeVar("T")


def wanted(options: argparse.Namespace) -> Sequence[str]:
    """The resources whose options were given, or all four."""
    return [name for name in orders.RESOURCES if getattr(options, name)] or orders.RESOURCES


# -- init -------------------------------------------------------------------------------------


def init_orders(options: argparse.Namespace) -> output.Result:
    """Add order templates to iexec.json; the rest of the file is kept."""
    from ..protocol.orders import NULL_ADDRESS

    chain = project.selected_chain(options).chain
    wallet = wallets.find(options)
    owner = NULL_ADDRESS if wallet is None else wallet.address
    config = project.load(project.CONFIG_FILE)
    templates = project.member(config, "order", project.CONFIG_FILE)
    tag = list(chain.rules.templates.tag)
    made: dict[str, object] = {}
    for resource in wanted(options):
        if resource == "request":
            made["requestorder"] = _request_template(owner, tag)
        else:
            address = project.deployed_address(resource, chain.id) or NULL_ADDRESS
            made[f"{resource}order"] = _offer_template(resource, address, tag)
    project.save(project.CONFIG_FILE, {**config, "order": {**templates, **made}})
    text = f"Saved in {project.CONFIG_FILE}, you can edit it:\n{output.render(made)}"
    return output.Result(payload=made, text=text)


def _offer_template(resource: str, address: str, tag: list[str]) -> dict[str, object]:
    """An app, dataset or workerpool order as ``order init`` writes it (cli.md §4.2)."""
    from ..protocol.orders import NULL_ADDRESS

    workerpool = resource == "workerpool"
    partners = [name for name in (*orders.RESOURCES[:3], "requester") if name != resource]
    return {
        resource: address,
        f"{resource}price": "0",
        "volume": "1" if workerpool else "1000000",
        **({"category": "0", "trust": "0"} if workerpool else {}),
        "tag": tag,
        **{f"{name}restrict": NULL_ADDRESS for name in partners},
    }


def _request_template(wallet: str, tag: list[str]) -> dict[str, object]:
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
        "tag": tag,
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
    from . import order_stream

    if options.stdin:
        return order_stream.sign_stream(options)
    order_stream.refuse_stream_options(options)
    selection = project.selected_chain(options)
    chain = selection.chain
    project.load(project.CONFIG_FILE)
    orders.stored(chain)
    wallet = wallets.require(options)
    if options.offline:
        project.say_chain(chain, options)
        client = IExec(chain=chain, signer=wallet)
    else:
        client = project.connect(selection, options, wallet)

    def sign(resource: str) -> tuple[object, str]:
        order = order_of(resource, chain, wallet.address)
        use = getattr(client.order, f"sign_{order.name}")
        signed: SignedOrder = checked(client, order, selection, options, use)
        return signed.to_dict(), f"{order.name} signed and saved in {project.ORDERS_FILE}"

    with client:
        found = orders.attempt(wanted(options), sign, wallet)
    save(chain, found.done)
    return found.result("Failed to sign")


def save(chain: Chain, signed: Mapping[str, object]) -> None:
    """Keep signed orders in orders.json, each in the place of the last one of its kind."""
    if signed:
        own, others = orders.stored(chain)
        project.save(project.ORDERS_FILE, {**others, str(chain.id): {**own, **signed}})


def order_of(resource: str, chain: Chain, wallet: str | None) -> Order:
    """The order of a template in iexec.json, completed.

    What it does not know is refused: prices have names. ``wallet`` is the requester where the
    template names none.
    """
    from ..protocol import orders as protocol

    kind = f"{resource}order"
    config = project.load(project.CONFIG_FILE)
    template = project.member(config, "order", project.CONFIG_FILE).get(kind)
    if template is None:
        raise ConfigurationError(
            f'Missing {kind}. You probably forgot to run "iexec-lite order init --{resource}"'
        )
    if not isinstance(template, dict):
        raise ConfigurationError(f'"{kind}" in {project.CONFIG_FILE} must be an object')
    known = protocol.ORDER_KINDS[kind].field_names()
    faults = [f"{name} is not a field of {kind}" for name in template if name not in known]
    faults += [f"{name} must not be null" for name, value in template.items() if value is None]
    if faults:
        raise ValidationError.collect(faults)
    create: Callable[..., Order] = getattr(protocol, f"create_{kind}")
    if resource != "request":
        return create(rules=chain.rules, **template)
    fields = {"requester": wallet, **template}
    return create(rules=chain.rules, result_proxy=chain.result_proxy, **fields)


def checked(
    client: IExec,
    order: Order,
    selection: Selection,
    options: argparse.Namespace,
    use: Callable[..., T],
) -> T:
    """Check what can be checked, then ``use`` the order: sign it, or ask for its signature."""
    from ..protocol.orders import NULL_ADDRESS

    request = order.name == "requestorder"
    resource = "app" if request else order.resource
    if not options.offline:
        _require_deployed(client, resource, order)
    elif getattr(order, resource) == NULL_ADDRESS:
        output.warn(f"{order.name}: {resource} is the zero address, nobody can use it", options)
    check = not options.offline and not options.skip_request_check
    if check and request:
        selection.require("sms")
    # Nobody looks whether a workerpool would do.
    more = {} if order.name == "workerpoolorder" else {"preflight_check": check}
    with orders.checked():
        return use(order, **more)


def _require_deployed(client: IExec, resource: str, order: Order) -> None:
    address = str(getattr(order, resource))
    try:
        getattr(getattr(client, resource), f"show_{resource}")(address)
    except ObjectNotFoundError as error:
        raise ConfigurationError(
            f"No {resource} contract deployed at address {address}", cause=error
        ) from error
