"""Login challenges of iExec's services: fetched, signed here or elsewhere, made an authorization.

A service chooses the text that is signed, so only what can be nothing but its own login challenge
on this chain is signed (``protocol/authorization.py``). Spec: services.md §1.2, §3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import ValidationError
from ..eth.eip712 import TypedData
from ..protocol.authorization import Authorization, read_challenge
from ..protocol.detached import SignedRequest, SigningRequest
from ..protocol.values import parse_address

if TYPE_CHECKING:
    from .context import Context

__all__ = ["authorization", "login_challenge"]

Fetch = Callable[[str], object]  # from an address to the service's parsed JSON


def login_challenge(
    context: Context, service: str, fetch: Fetch, address: str | None = None
) -> SigningRequest:
    """A new challenge of ``service`` for ``address`` (the wallet by default), to be signed."""
    who = context.address if address is None else parse_address(address)
    return SigningRequest(
        what=f"log into {service} as {who}",
        address=who,
        chain_id=context.chain.id,
        payload=read_challenge(fetch(who), service, context.chain.id),
    )


def authorization(
    context: Context,
    service: str,
    fetch: Fetch,
    given: SignedRequest | Mapping[str, object] | None,
) -> Authorization:
    """The proof of who one is: of a challenge that was signed elsewhere, or signed now."""
    if given is None:
        signed = login_challenge(context, service, fetch).sign(context.signer)
    else:
        signed = given if isinstance(given, SignedRequest) else SignedRequest.from_dict(given)
    payload = signed.payload
    if not isinstance(payload, TypedData):
        raise ValidationError(f"the document is no login challenge but {signed.summary}")
    challenge = read_challenge(payload.to_dict(), service, context.chain.id)
    return Authorization.of(challenge, signed.signature, signed.address)
