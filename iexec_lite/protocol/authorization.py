"""Proving who one is to iExec's services: what is signed, what is sent (services.md §1.2–3).

Marketplace, result proxy and workerpools hand out an EIP-712 *challenge*; its digest, signature and
signer make an *authorization*. The SMS wants a personal signature over a hash of the secret itself.
A service chooses the text it has signed, so a challenge is taken only where it can be nothing else:
one string ``challenge``, in the domain of that service and of this chain. Pure: no socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from ..errors import SignatureError, ValidationError
from ..eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from ..eth.crypto import keccak
from ..eth.eip712 import Domain, TypedData, compile_struct
from ..eth.signer import verify_digest
from ..frozen import Frozen

__all__ = [
    "MARKET",
    "RESULT_PROXY",
    "WORKERPOOL",
    "Authorization",
    "app_secret_digest",
    "login_service",
    "new_challenge",
    "read_challenge",
    "web2_secret_digest",
    "web3_secret_digest",
]

MARKET = "iExec Gateway"
RESULT_PROXY = "iExec Result Repository"
WORKERPOOL = "iExec Core"  # a workerpool's own API, as its schedulers name it

_CHALLENGE = compile_struct("Challenge", {"Challenge": [("string", "challenge")]})
_AUTHORIZATION = re.compile(r"(0x[0-9a-fA-F]{64})_(0x[0-9a-fA-F]{130})_(0x[0-9a-fA-F]{40})\Z")
_VERSION = "1"
_MAX_TEXT = 1024  # characters of an honest challenge: under 100


# --- challenges -----------------------------------------------------------------------------------


def new_challenge(service: str, chain_id: int, text: str) -> TypedData:
    """The challenge that a ``service`` (:data:`MARKET` and the others above) hands out."""
    domain = Domain(name=service, version=_VERSION, chain_id=chain_id)
    return TypedData(_CHALLENGE, domain, {"challenge": text})


def read_challenge(answer: object, service: str, chain_id: int) -> TypedData:
    """The challenge in a service's JSON answer, bare or below ``data``.

    ``ValidationError`` where it is not a challenge of this service on this chain: the service could
    otherwise have an order signed. Of the domain only what its ``EIP712Domain`` lists is hashed: an
    empty ``verifyingContract`` beside it is no part of it (services.md §3).
    """
    inner = answer.get("data", answer) if isinstance(answer, Mapping) else answer
    data = TypedData.from_dict(inner)
    text = data.message.get("challenge")
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_TEXT:
        raise ValidationError("the challenge to sign has no text")
    expected = new_challenge(service, chain_id, text)
    if data.digest != expected.digest:
        raise ValidationError(
            f"refusing to sign what is no login challenge of {service!r} on chain {chain_id}: "
            f"{data!r}"
        )
    return expected


def login_service(payload: TypedData | bytes) -> str | None:
    """The service that a challenge logs in to; None for anything else."""
    if isinstance(payload, TypedData):
        for service in (MARKET, RESULT_PROXY):
            try:
                read_challenge(payload.to_dict(), service, cast("int", payload.domain.chain_id))
            except ValidationError:
                continue
            return service
    return None


class Authorization(Frozen):
    """A signed challenge. ``digest`` 32 bytes, ``signature`` 65 bytes, ``address`` EIP-55.

    ``str()`` is what travels: ``<digest>_<signature>_<address>``. One that exists is valid: the
    signature was recovered and is by ``address`` (``SignatureError`` otherwise).
    """

    digest: bytes
    signature: bytes
    address: str

    def __post_init__(self) -> None:
        verify_digest(self.address, self.digest, self.signature)

    def __str__(self) -> str:
        return f"{to_hex(self.digest)}_{to_hex(self.signature)}_{self.address}"

    def __repr__(self) -> str:
        # Whoever has the text can act for the address until the challenge is used up.
        return f"Authorization(address={self.address!r})"

    @classmethod
    def of(cls, challenge: TypedData, signature: bytes, address: str) -> Authorization:
        """The authorization that signing ``challenge`` gives."""
        return cls(digest=challenge.digest, signature=signature, address=address)

    @classmethod
    def parse(cls, text: str) -> Authorization:
        """The authorization in a header or body; the address in any letter case."""
        match = _AUTHORIZATION.match(text) if isinstance(text, str) else None
        if match is None:
            raise SignatureError("an authorization is <digest>_<signature>_<address>")
        digest, signature, address = match.groups()
        return cls(
            digest=from_hex(digest),
            signature=from_hex(signature),
            address=checksum_address(address_to_bytes(address.lower())),
        )


# --- the SMS --------------------------------------------------------------------------------------


def _sms_digest(owner: str, *texts: str) -> bytes:
    hashes = b"".join(map(_text_hash, texts))
    return keccak(keccak(b"IEXEC_SMS_DOMAIN") + address_to_bytes(owner) + hashes)


def web3_secret_digest(address: str, value: str) -> bytes:
    """What the owner of ``address`` signs (as a personal message) to set its secret: 32 bytes."""
    return _sms_digest(address, value)


def web2_secret_digest(owner: str, name: str, value: str) -> bytes:
    """What ``owner`` signs (as a personal message) to set or replace its secret ``name``."""
    return _sms_digest(owner, name, value)


def app_secret_digest(app: str, value: str) -> bytes:
    """What the owner of ``app`` signs to set the app's secret: its index is always 1."""
    return web2_secret_digest(app, "1", value)


def _text_hash(text: str) -> bytes:
    if not isinstance(text, str):
        raise ValidationError("a secret is text")
    try:
        return keccak(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValidationError("a secret with a lone surrogate has no UTF-8 form") from None
