"""Logging in to a service: fetch its challenge, have it signed here or elsewhere, send the proof.

Each authorization serves once (the marketplace) or for an hour (the result proxy). The challenge is
read strictly (``protocol/authorization.py``), so no service can have anything else signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import ApiCallError, IExecError, SignatureError, TransportError, ValidationError
from ..protocol.authorization import Authorization, read_challenge
from ..protocol.detached import SignedRequest, SigningRequest
from ..protocol.values import parse_address

if TYPE_CHECKING:
    from .context import Context

__all__ = ["Given", "authorization", "given_signature", "login_challenge", "read_given", "who"]

Fetch = Callable[[str], object]  # address → the JSON answer with the challenge
Given = SignedRequest | Mapping[str, object] | None  # signed elsewhere, as record or document


def read_given(given: Given) -> SignedRequest | None:
    """What was signed elsewhere, as a record."""
    if given is None or isinstance(given, SignedRequest):
        return given
    return SignedRequest.from_dict(given)


def who(context: Context, address: str | SignedRequest | None) -> str:
    """Who signs: the address given, or that of what was signed elsewhere, else the wallet."""
    if address is None:
        return context.address
    return address.address if isinstance(address, SignedRequest) else parse_address(address)


def login_challenge(
    context: Context, service: str, fetch: Fetch, address: str | None = None
) -> SigningRequest:
    """The challenge of a ``service`` as a request to sign it, here or elsewhere.

    Needs no signer where ``address`` is given. Errors begin with ``Failed to get authorization``
    and name the cause.
    """
    owner = who(context, address)
    try:
        challenge = read_challenge(fetch(owner), service, context.chain.id)
    except (ApiCallError, TransportError, ValidationError) as error:
        raise _failed(error) from error
    return SigningRequest(
        what=f"log in to {service}", address=owner, chain_id=context.chain.id, payload=challenge
    )


def authorization(
    context: Context, service: str, fetch: Fetch, given: Given = None
) -> Authorization:
    """A proof for one request: ``given`` if the challenge was signed elsewhere, else made now."""
    signed = read_given(given)
    if signed is None:
        signed = login_challenge(context, service, fetch).sign(context.signer)
    elif isinstance(signed.payload, bytes):
        raise SignatureError(f"what was signed is no login to {service!r} but {signed.summary}")
    else:
        read_challenge(signed.payload.to_dict(), service, context.chain.id)
    return Authorization(digest=signed.digest, signature=signed.signature, address=signed.address)


def given_signature(signed: SignedRequest, wanted: SigningRequest) -> bytes:
    """The signature, if it is over just what ``wanted`` asks; SignatureError if not."""
    if (signed.address, signed.digest) != (wanted.address, wanted.digest):
        raise SignatureError(
            f"the signature ({signed.summary}, by {signed.address}) is over something else than "
            "this call: it takes the same values as when the document was made"
        )
    return signed.signature


def _failed(error: IExecError) -> IExecError:
    kind = type(error) if isinstance(error, ApiCallError) else ApiCallError
    return kind(
        f"Failed to get authorization: {error.message}",
        details=error.details,
        cause=error,
        retryable=error.retryable,
    )
