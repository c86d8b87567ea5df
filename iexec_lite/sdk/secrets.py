"""Secrets in the SMS: what they are called, are they set, set them (services.md §2.3, §2.4).

A *web3* secret belongs to a contract (a dataset's key): its owner sets it, once and for all. *Web2*
secrets belong to an account (its result key, its storage tokens) and can be replaced. Each push is
signed by the owner, here or elsewhere: ``signature=`` takes what was made of the request document,
which holds a hash of the secret, never the secret.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from ..errors import StateError, ValidationError
from ..eth.codec import to_hex
from ..eth.crypto import check_public_key
from ..protocol.authorization import web2_secret_digest, web3_secret_digest
from ..protocol.detached import SignedRequest, SigningRequest
from ..protocol.units import shown
from .authorize import given_signature
from .records import SecretPush

if TYPE_CHECKING:
    from .context import Context

__all__ = [
    "RESULT_KEY",
    "STORAGE_TOKENS",
    "account_request",
    "check_result_key",
    "check_secret",
    "is_set",
    "push_account_secret",
    "push_resource_secret",
    "resource_request",
    "token_name",
]

RESULT_KEY = "iexec-result-encryption-public-key"
STORAGE_TOKENS = {
    "ipfs": "iexec-result-iexec-ipfs-token",
    "dropbox": "iexec-result-dropbox-token",
}
MAX_SECRET = 4096  # bytes; today's SMS refuses more (services.md §9.3)
_PEM = "-----BEGIN PUBLIC KEY-----"


def token_name(provider: str) -> str:
    """What a storage provider's token is called in the SMS; ``default`` is ``ipfs``."""
    known = {"default": STORAGE_TOKENS["ipfs"], **STORAGE_TOKENS}
    if not isinstance(provider, str) or provider not in known:
        raise ValidationError(
            f'"{shown(provider)}" not supported: a storage provider is {", ".join(known)}'
        )
    return known[provider]


def check_secret(value: object, what: str) -> str:
    """A secret as text, as it will be stored. The value is in no error."""
    if not isinstance(value, str):
        raise ValidationError(f"{what} must be text, not {type(value).__name__}")
    size = len(value.encode("utf-8", "replace"))
    if not 0 < size <= MAX_SECRET:
        raise ValidationError(f"{what} has {size} bytes: it must have 1 to {MAX_SECRET}")
    return value


def check_result_key(value: object) -> str:
    """The form in which workers want an RSA public key: base64 of its whole PEM text.

    Takes the PEM (SPKI) or that base64. ValidationError for what no result can be encrypted with.
    """
    text = check_secret(value, "the result encryption key")
    if text.startswith(_PEM):
        pem, text = text, base64.b64encode(text.encode("utf-8")).decode("ascii")
    else:
        try:
            pem = base64.b64decode(text, validate=True).decode("ascii")
        except ValueError:
            pem = text
    if not pem.startswith(_PEM):
        private = "; this is a private key, keep it to yourself" if "PRIVATE KEY" in pem else ""
        raise ValidationError(
            f"a result encryption key is an RSA public key: PEM text beginning with {_PEM}, "
            f"or base64 of it{private}"
        )
    check_public_key(pem)
    return check_secret(text, "the result encryption key")


def is_set(context: Context, owner: str, name: str) -> bool:
    """Whether the account ``owner`` has a secret of this name."""
    return context.sms.exists(context.chain.rules.sms_user_path, address=owner, name=name)


# --- what is signed -------------------------------------------------------------------------------


def account_request(
    context: Context, owner: str, name: str, value: str, what: str
) -> SigningRequest:
    """The request to sign for :func:`push_account_secret`."""
    return SigningRequest(
        what=what,
        address=owner,
        chain_id=context.chain.id,
        payload=web2_secret_digest(owner, name, value),
    )


def resource_request(context: Context, address: str, owner: str, value: str) -> SigningRequest:
    """The request to sign for :func:`push_resource_secret`."""
    return SigningRequest(
        what=f"set the secret of {address}",
        address=owner,
        chain_id=context.chain.id,
        payload=web3_secret_digest(address, value),
    )


def _signature(context: Context, wanted: SigningRequest, given: SignedRequest | None) -> str:
    if given is None:
        return to_hex(wanted.sign(context.signer).signature)
    return to_hex(given_signature(given, wanted))


# --- pushes ---------------------------------------------------------------------------------------


def push_account_secret(
    context: Context,
    wanted: SigningRequest,
    name: str,
    value: str,
    *,
    replace: bool,
    given: SignedRequest | None,
) -> SecretPush:
    """Set a web2 secret, or with ``replace`` another value for one that is set."""
    owner, path = wanted.address, context.chain.rules.sms_user_path
    known = is_set(context, owner, name)
    if known and not replace:
        raise StateError(
            f'Secret "{name}" already exists for {owner}: replace it with force_update=True'
        )
    signature = _signature(context, wanted, given)
    try:
        context.sms.push(path, value, signature, replace=known, address=owner, name=name)
    except StateError:  # another program of the owner may have set it since
        if known or not replace or not is_set(context, owner, name):
            raise
        known = True
        context.sms.push(path, value, signature, replace=True, address=owner, name=name)
    return SecretPush(is_pushed=True, is_updated=known)


def push_resource_secret(
    context: Context,
    wanted: SigningRequest,
    address: str,
    value: str,
    *,
    given: SignedRequest | None,
) -> None:
    """Set the web3 secret of a contract. It can never be changed."""
    path = context.chain.rules.sms_dataset_path
    context.sms.push(path, value, _signature(context, wanted, given), address=address)
