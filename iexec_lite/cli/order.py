"""``iexec-lite order init | sign`` (cli.md §8.8)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, IExecError
from ..protocol.orders import NULL_ADDRESS, ORDER_KINDS
from . import output, project, wallets

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..sdk.client import IExec

__all__ = ["register"]


def register(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """The commands of the group."""
    parser.epilog = "example:\n  iexec-lite order sign --app --offline"
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    init = commands.add_parser(
        "init", parents=[shared], help="write orders to fill in into iexec.json"
    )
    _add_kinds(init)
    wallets.add_load_options(init)
    project.add_chain_option(init)
    init.set_defaults(handler=init_orders)

    sign = commands.add_parser(
        "sign", parents=[shared], help="sign the orders of iexec.json into orders.json"
    )
    _add_kinds(sign)
    sign.add_argument(
        "--offline", action="store_true", help="contact nothing: ownership is not checked"
    )
    sign.add_argument(
        "--skip-request-check", action="store_true", help="do not ask the SMS about the request"
    )
    wallets.add_load_options(sign)
    project.add_chain_option(sign)
    project.add_force_option(sign)
    sign.set_defaults(handler=sign_orders)


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    for name in ORDER_KINDS:
        word = name.removesuffix("order")
        parser.add_argument(f"--{word}", action="store_true", help=f"the {name} (default: all)")


def _kinds(options: argparse.Namespace) -> list[str]:
    chosen = [name for name in ORDER_KINDS if getattr(options, name.removesuffix("order"))]
    return chosen or list(ORDER_KINDS)


def init_orders(options: argparse.Namespace) -> output.Result:
    """Add order templates to iexec.json; the rest of the file is kept."""
    chain = project.selected_chain(options)
    wallet = wallets.load_address(options) or NULL_ADDRESS
    config = project.load(project.CONFIG_FILE)
    kept = config.get("order", {})
    if not isinstance(kept, dict):
        raise ConfigurationError('"order" in iexec.json must be an object')
    made = {kind: project.order_template(kind, chain.id, wallet) for kind in _kinds(options)}
    project.save(project.CONFIG_FILE, {**config, "order": {**kept, **made}})
    text = f"Saved in {project.CONFIG_FILE}, you can edit it:\n" + output.render(made)
    return output.Result(payload=made, text=text)


def sign_orders(options: argparse.Namespace) -> output.Result:
    """Sign each order of iexec.json that is asked for; what cannot be signed is reported."""
    from ..sdk.client import IExec

    chain = project.selected_chain(options)
    templates = project.load(project.CONFIG_FILE).get("order")
    kinds = _kinds(options)
    for kind in kinds:  # before the password: nobody types one for nothing
        _template(templates, kind)
    signer = wallets.load_signer(options)
    output.info(f"Using chain {chain.name} [chainId: {chain.id}]", quiet=options.quiet)
    signed: dict[str, object] = {}
    failures = []
    with IExec(chain=chain, signer=signer) if options.offline else IExec(chain, signer) as client:
        for kind in kinds:
            try:
                sign = _signer(client, kind, options)
                signed[kind] = sign(_template(templates, kind))
            except IExecError as error:
                failures.append(f"{kind}: {error.message}")
    if signed:
        _store(chain, signed)
    lines = [f"{kind} signed and saved in {project.ORDERS_FILE}" for kind in signed]
    return output.Result(payload=signed, text="\n".join(lines), failures=failures)


def _template(templates: object, kind: str) -> Mapping[str, object]:
    found = templates.get(kind) if isinstance(templates, dict) else None
    if not isinstance(found, dict):
        word = kind.removesuffix("order")
        raise ConfigurationError(
            f'Missing {kind}. You probably forgot to run "iexec-lite order init --{word}"'
        )
    return found


def _signer(
    client: IExec, kind: str, options: argparse.Namespace
) -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Complete, sign, and give the JSON of an order of this kind."""
    create = getattr(client.order, f"create_{kind}")
    sign = getattr(client.order, f"sign_{kind}")
    extra = {"check_request": not options.skip_request_check} if kind == "requestorder" else {}

    def run(template: Mapping[str, object]) -> dict[str, object]:
        resource = kind.removesuffix("order")
        if resource != "request" and not options.offline:
            _require_deployed(client, resource, template)
        signed: dict[str, object] = sign(create(**template), **extra).to_dict()
        return signed

    return run


def _require_deployed(client: IExec, resource: str, template: Mapping[str, object]) -> None:
    from ..errors import ObjectNotFoundError

    address = str(template.get(resource, NULL_ADDRESS))
    try:
        getattr(getattr(client, resource), f"show_{resource}")(address)
    except ObjectNotFoundError as error:
        raise ConfigurationError(
            f"No {resource} contract deployed at address {address}", cause=error
        ) from error


def _store(chain: Chain, signed: Mapping[str, object]) -> None:
    stored = project.load(project.ORDERS_FILE, missing={})
    own = stored.get(str(chain.id))
    stored[str(chain.id)] = {**(own if isinstance(own, dict) else {}), **signed}
    project.save(project.ORDERS_FILE, stored)
