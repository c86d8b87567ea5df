"""``iexec-lite order export | sign-request | import-signature``: the key is on another device.

Here what is to be signed is written into a file; there it is shown in words and signed, without a
network; back here the signature is checked before it is used (design.md, "Signers").
"""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..sdk import files
from . import order_sign, orders, output, project, prompts, wallets

if TYPE_CHECKING:
    from ..protocol.detached import SigningRequest

__all__ = ["NEXT", "carry", "export_orders", "import_signature", "sign_request", "write"]

NEXT = "Carry it to the device with that key, and there: iexec-lite order sign-request FILE"
ASKED, SIGNED = ".request.json", ".signed.json"
LOGINS = {  # by the name of the service, as its challenges have it
    "iExec Gateway": "serves to publish or unpublish once in your name",
    "iExec Result Repository": "serves to store results in your name",
}


def write(name: str, document: dict[str, object], options: argparse.Namespace) -> None:
    """Write a document; what is there is replaced after a question.

    0600: a signed login is as good as the key, once.
    """
    prompts.replace(name, options)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    files.atomic_write(Path(name), text, mode=files.PRIVATE)


def carry(name: str, address: str) -> str:
    """What a person is told of a document that waits for a signature."""
    return f"{name} is to be signed by {address}"


# -- export -----------------------------------------------------------------------------------


def export_orders(options: argparse.Namespace) -> output.Result:
    """Write a document for each order of iexec.json that is asked for. Needs no wallet."""
    from ..protocol.orders import NULL_ADDRESS
    from ..protocol.values import parse_address
    from ..sdk.client import IExec

    selection = project.selected_chain(options)
    chain = selection.chain
    project.load(project.CONFIG_FILE)
    if options.address is not None:
        options.address = parse_address(options.address, "--address")
    if not Path(options.output_dir).is_dir():
        raise ConfigurationError(f"--output-dir: {options.output_dir} is no folder")
    if options.offline:
        project.say_chain(chain, options)
        client = IExec(chain=chain)
    else:
        client = project.connect(selection, options)

    def export(resource: str) -> tuple[object, str]:
        order = order_sign.order_of(resource, chain, options.address)
        use = getattr(client.order, f"sign_{order.name}_request")
        if resource != "request":
            if options.offline and options.address is None:
                raise ConfigurationError("give --address: offline nobody knows who the owner is")
            use = functools.partial(use, address=options.address)
        request: SigningRequest = order_sign.checked(client, order, selection, options, use)
        if request.address == NULL_ADDRESS or options.address not in (None, request.address):
            raise ConfigurationError(
                f"the requester in {project.CONFIG_FILE} is {request.address}: write there who it "
                "is, and who is the beneficiary"
            )
        file = str(Path(options.output_dir) / f"{order.name}{ASKED}")
        write(file, request.to_dict(), options)
        return {"file": file, "address": request.address}, carry(file, request.address)

    with client:
        found = orders.attempt(order_sign.wanted(options), export)
    found.lines += [NEXT] if found.done else []
    return found.result("Failed to export")


# -- sign -------------------------------------------------------------------------------------


def sign_request(options: argparse.Namespace) -> output.Result:
    """Sign what a document asks for, once a person has seen what it is. Contacts nothing."""
    from ..protocol.detached import SigningRequest

    request = SigningRequest.from_dict(orders.read_document(options.file))
    wallet = wallets.require(options)
    request.require(wallet)
    about = _words(request)
    if options.force:
        output.info(f"Signing:\n{output.render(about, 2)}", options)
    prompts.agree("Do you want to sign the following?", options, about=about)
    name = options.output
    if name is None:
        name = options.file.removesuffix(".json").removesuffix(".request") + SIGNED
    signed = request.sign(wallet)
    write(name, signed.to_dict(), options)
    payload = {"file": name, "summary": request.summary, "address": request.address}
    return output.Result(payload=payload, text=f"Signed by {request.address}: carry back {name}")


def _words(request: SigningRequest) -> dict[str, str]:
    """What is really signed, told from the payload alone; the maker's own word comes last."""
    from ..eth.codec import to_hex
    from ..protocol import authorization, chains
    from ..protocol.detached import requested_order

    found, service = requested_order(request), authorization.login_service(request.payload)
    shown: dict[str, str] = {"what": request.summary}
    about = {"chain": str(request.chain_id), "signer": request.address}
    if found is not None:
        order, hub = found
        shown["what"] = f"{order.name}: whoever has it signed may use it until it is canceled"
        place = (request.chain_id, hub)
        network = next((c for c in chains.CHAINS.values() if (c.id, c.hub) == place), None)
        about["hub"] = f"{hub} ({network.name if network else 'of no network known here'})"
        about.update(orders.describe(order, network))
    elif service is not None:
        shown["what"] = f"login to {service}: {LOGINS[service]}"
    elif isinstance(request.payload, bytes):
        about["message"] = to_hex(request.payload)
    else:
        about["message"] = json.dumps(request.payload.to_dict()["message"], ensure_ascii=False)
    shown.update(about)
    shown["purpose"] = f"{request.what} (as the file says)"
    return shown


# -- import -----------------------------------------------------------------------------------


def import_signature(options: argparse.Namespace) -> output.Result:
    """Verify an order that was signed elsewhere, and keep it. Contacts nothing."""
    from ..sdk.client import IExec

    chain = project.selected_chain(options).chain
    project.say_chain(chain, options)
    with IExec(chain=chain) as client:
        order = client.order.import_signed_order(orders.read_document(options.file))
    order_sign.save(chain, {order.name: order.to_dict()})
    return output.Result(
        payload={order.name: order.to_dict()},
        text=f"{order.name} imported and saved in {project.ORDERS_FILE}",
    )
