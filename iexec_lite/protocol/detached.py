"""Signing on another machine: a document out, a signature back, for anything that is ever signed.

The machine with the network makes a :class:`SigningRequest` (of an order, a login challenge, an SMS
push: any typed data or personal message) and writes its JSON; the machine with the key reads it,
shows what it is, signs, and writes a :class:`SignedRequest`; back on line the signature is verified
before use. Reading recomputes digest and chain from what is to be signed, so a document cannot say
one thing and have another signed: ``what`` is only its maker's word, ``summary`` is not.
Refused: another account's key, documents whose digest or chain does not fit. Pure: no socket, no
file. Spec: design.md, Signers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from ..errors import SignatureError, ValidationError
from ..eth.codec import checksum_address, from_hex, to_hex
from ..eth.crypto import random_bytes
from ..eth.eip712 import Domain, TypedData
from ..eth.signer import hash_message, proved_signature
from ..frozen import Frozen
from .networks import chain_id
from .orders import (
    SIGNED_ORDER_KINDS,
    Order,
    Requestorder,
    SignedOrder,
    domain,
    typed_data,
)
from .values import parse_address

if TYPE_CHECKING:
    from ..eth.signer import Signer

__all__ = [
    "SignedRequest",
    "SigningRequest",
    "order_request",
    "requested_order",
    "signed_order",
]

FORMAT = "iexec_lite signing request 1"


class SigningRequest(Frozen):
    """Something to be signed by ``address`` for chain ``chain_id``.

    ``payload`` is typed data (EIP-712) or the bytes of a personal message (EIP-191). ``what`` says
    in one line what it is for. The JSON form (``to_dict``) holds no secret.
    """

    what: str
    address: str
    chain_id: int
    payload: TypedData | bytes

    def __post_init__(self) -> None:
        if not isinstance(self.what, str) or not self.what.isprintable() or len(self.what) > 500:
            raise ValidationError("what: one line of text, at most 500 characters")
        object.__setattr__(self, "address", parse_address(self.address))
        object.__setattr__(self, "chain_id", chain_id(self.chain_id))
        if isinstance(self.payload, TypedData):
            own = self.payload.domain.chain_id
            if own not in (None, self.chain_id):
                raise ValidationError(
                    f"the document is for chain {self.chain_id}, what is to be signed for {own}"
                )
        elif not isinstance(self.payload, bytes):
            raise ValidationError("payload: typed data, or the bytes of a message")

    @property
    def digest(self) -> bytes:
        """The 32 bytes that the key signs."""
        if isinstance(self.payload, TypedData):
            return self.payload.digest
        return hash_message(self.payload)

    @property
    def summary(self) -> str:
        """What it really is, told from the payload alone, for the person with the key."""
        if isinstance(self.payload, bytes):
            return f"a personal message of {len(self.payload)} bytes"
        domain = self.payload.domain
        return (
            f"{self.payload.struct.name} for {domain.name!r} version {domain.version!r} "
            f"on chain {domain.chain_id}"
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON document to carry to the key."""
        payload: dict[str, object] = (
            {"message": to_hex(self.payload)}
            if isinstance(self.payload, bytes)
            else {"typedData": self.payload.to_dict()}
        )
        return {
            "format": FORMAT,
            "what": self.what,
            "summary": self.summary,
            "address": self.address,
            "chainId": self.chain_id,
            "digest": to_hex(self.digest),
            **payload,
        }

    @classmethod
    def from_dict(cls, value: object) -> SigningRequest:
        """The request in a document, signed or not. ValidationError where it contradicts itself."""
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise ValidationError(f"not a signing request: its format must be {FORMAT!r}")
        if ("typedData" in value) == ("message" in value):
            raise ValidationError("a signing request holds either typedData or message")
        found = cls(
            what=cast("str", value.get("what")),
            address=cast("str", value.get("address")),
            chain_id=cast("int", value.get("chainId")),
            payload=from_hex(value["message"], name="message")
            if "message" in value
            else TypedData.from_dict(value["typedData"]),
        )
        if value.get("digest") != to_hex(found.digest):
            raise ValidationError(
                "the digest in the document is not that of what is to be signed: do not sign it"
            )
        return found

    def require(self, signer: Signer) -> None:
        """Raise SignatureError unless ``signer`` is who was asked to sign."""
        if signer.address != self.address:
            raise SignatureError(
                f"this is to be signed by {self.address}, the wallet is {signer.address}"
            )

    def sign(self, signer: Signer) -> SignedRequest:
        """Signed with the key that was asked for. SignatureError with another one."""
        self.require(signer)
        signature = (
            signer.sign_message(self.payload)
            if isinstance(self.payload, bytes)
            else signer.sign_typed_data(self.payload)
        )
        return self.signed(signature)

    def signed(self, signature: bytes | str) -> SignedRequest:
        """With a signature that was made elsewhere, which is verified: SignatureError."""
        found = from_hex(signature, name="signature") if isinstance(signature, str) else signature
        return SignedRequest(
            what=self.what,
            address=self.address,
            chain_id=self.chain_id,
            payload=self.payload,
            signature=found,
        )


class SignedRequest(SigningRequest):
    """A request with its signature (65 bytes): one that exists was signed by ``address``."""

    signature: bytes

    def __post_init__(self) -> None:
        SigningRequest.__post_init__(self)
        proved = proved_signature(self.address, self.digest, self.signature)
        object.__setattr__(self, "signature", proved)

    def to_dict(self) -> dict[str, object]:
        """The JSON document to carry back."""
        return {**SigningRequest.to_dict(self), "signature": to_hex(self.signature)}

    @classmethod
    def from_dict(cls, value: object) -> SignedRequest:
        """The signed request in a document, its signature verified."""
        request = SigningRequest.from_dict(value)
        signature = cast("Mapping[str, object]", value).get("signature")
        if not isinstance(signature, str):
            raise ValidationError("the document is not signed yet: it has no signature")
        return request.signed(signature)


# --- orders ---------------------------------------------------------------------------------------


def order_request(
    order: Order, address: str, domain: Domain, *, salt: bytes | None = None
) -> SigningRequest:
    """The request to sign ``order`` under a new salt (32 random bytes by default).

    ``address`` is the owner of what is offered, or the requester.
    """
    if isinstance(order, Requestorder) and parse_address(address) != order.requester:
        raise ValidationError(
            f"Invalid order signer, must be the requester: {order.requester} is not {address}"
        )
    salted = order.salted(random_bytes(32) if salt is None else salt)
    return SigningRequest(
        what=f"sign {'an' if order.name[0] in 'aeiou' else 'a'} {order.name}",
        address=address,
        chain_id=cast("int", domain.chain_id),
        payload=typed_data(salted, domain),
    )


def requested_order(request: SigningRequest) -> tuple[SignedOrder, str] | None:
    """The order that a request is about, ``sign`` empty, and its hub's address; None if none."""
    payload = request.payload
    kinds = {kind.solidity: kind for kind in SIGNED_ORDER_KINDS.values()}
    kind = kinds.get(payload.struct.name) if isinstance(payload, TypedData) else None
    if kind is None or not isinstance(payload, TypedData):
        return None
    order = kind.from_dict({**payload.struct.to_json(payload.message), "sign": "0x"})
    hub = checksum_address(payload.domain.verifying_contract or bytes(20))
    same = typed_data(order, domain(request.chain_id, hub)) == payload
    return (order, hub) if same else None


def signed_order(request: SignedRequest, domain: Domain) -> SignedOrder:
    """The signed order in a signed request. ValidationError if it is none of this ``domain``."""
    found = requested_order(request)
    if found is None:
        raise ValidationError(f"the document is no order but {request.summary}")
    order = found[0]
    if typed_data(order, domain) != request.payload:
        raise ValidationError(f"the order is for another hub or chain: it is {request.summary}")
    return order.signed(order.salt, to_hex(request.signature))
