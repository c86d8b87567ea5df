"""Secrets in the SMS: what they are called, are they set, set them (services.md §2.3, §2.4).

A *web3* secret belongs to a contract (a dataset's key): its owner sets it, once and for all. *Web2*
secrets belong to an account (its result key, its storage tokens) and can be replaced. Today's
networks also keep a secret for each app, and any number of named ones for each requester; these can
never be replaced. Each push is signed by the owner, here or elsewhere: ``signature=`` takes what
was made of the request document, which holds a hash of the secret, never the secret.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, StateError, ValidationError
from ..eth.codec import to_hex
from ..eth.crypto import check_public_key
from ..protocol.authorization import (
    app_secret_digest,
    web2_secret_digest,
    web3_secret_digest,
)
from ..protocol.detached import SignedRequest, SigningRequest
from ..protocol.units import shown
from .authorize import Given, given_signature, read_given, who
from .records import SecretPush

if TYPE_CHECKING:
    from .context import Context

__all__ = [
    "RESULT_KEY",
    "STORAGE_TOKENS",
    "Secrets",
    "account_request",
    "app_request",
    "check_name",
    "check_result_key",
    "check_secret",
    "is_set",
    "push_account_secret",
    "push_fixed_secret",
    "resource_request",
    "secret_path",
    "token_name",
]

RESULT_KEY = "iexec-result-encryption-public-key"
STORAGE_TOKENS = {
    "ipfs": "iexec-result-iexec-ipfs-token",
    "dropbox": "iexec-result-dropbox-token",
}
MAX_SECRET = 4096  # bytes; today's SMS refuses more (services.md §9.3)
_PEM = "-----BEGIN PUBLIC KEY-----"
_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")


class Secrets:
    """Named secrets of requesters, for their tasks alone. Reached as ``iexec.secrets``.

    A request order names them in its params: ``iexec_secrets={"1": "<name>"}`` gives the app
    ``IEXEC_REQUESTER_SECRET_1``. ConfigurationError on networks of V6, which have no such secrets.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def push_requester_secret(
        self, name: str, value: str, *, signature: Given = None
    ) -> SecretPush:
        """Set a secret of the wallet, once and for all: 1 to 64 of ``A-Z a-z 0-9 - _`` name it.

        ``signature`` is a signed :meth:`push_requester_secret_request`. StateError where a secret
        of this name is set.
        """
        context, given = self._context, read_given(signature)
        path = secret_path(context, "requester")
        wanted = self.push_requester_secret_request(name, value, address=who(context, given))
        owner = wanted.address
        if context.sms.exists(path, address=owner, name=name):
            raise StateError(f'Secret "{name}" already exists for {owner}')
        push_fixed_secret(context, path, wanted, value, given=given, address=owner, name=name)
        return SecretPush(is_pushed=True)

    def push_requester_secret_request(
        self, name: str, value: str, *, address: str | None = None
    ) -> SigningRequest:
        """What ``address`` (the wallet) has to sign for :meth:`push_requester_secret`."""
        context, secret = self._context, check_secret(value, "the secret")
        owner, name = who(context, address), check_name(name)
        return account_request(context, owner, name, secret, f"set the secret {name} of {owner}")

    def check_requester_secret_exists(self, address: str, name: str) -> bool:
        """Whether ``address`` has a secret of this name."""
        context = self._context
        owner = context.resolve(address, "address")
        path = secret_path(context, "requester")
        return context.sms.exists(path, address=owner, name=check_name(name))


def secret_path(context: Context, kind: str) -> str:
    """Where the SMS of this network keeps the secrets of an ``app`` or a ``requester``."""
    path = getattr(context.chain.rules, f"sms_{kind}_path")
    if path is None:
        raise ConfigurationError(
            f"the SMS of {context.chain.name} keeps no secrets of {kind}s: today's networks do"
        )
    return str(path)


def check_name(name: object) -> str:
    """The name of a requester's secret."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValidationError(
            f"{shown(name)!r} is no name of a secret: it is 1 to 64 letters, digits, - and _"
        )
    return name


def token_name(context: Context, provider: str) -> str:
    """What a storage provider's token is called in the SMS; ``default`` is ``ipfs``.

    ValidationError where the network's workers need no token for it.
    """
    known = {"default": STORAGE_TOKENS["ipfs"], **STORAGE_TOKENS}
    if not isinstance(provider, str) or provider not in known:
        raise ValidationError(
            f'"{shown(provider)}" not supported: a storage provider is {", ".join(known)}'
        )
    needed = [STORAGE_TOKENS[name] for name in context.chain.rules.token_providers]
    if known[provider] not in needed:
        raise ValidationError(
            f'Storage provider "{provider}" does not support authentication tokens on '
            f"{context.chain.name}: its workers store there without a token of yours"
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


def app_request(context: Context, address: str, owner: str, value: str) -> SigningRequest:
    """The request to sign for the secret of an app."""
    return SigningRequest(
        what=f"set the secret of the app {address}",
        address=owner,
        chain_id=context.chain.id,
        payload=app_secret_digest(address, value),
    )


def resource_request(context: Context, address: str, owner: str, value: str) -> SigningRequest:
    """The request to sign for the web3 secret of a contract."""
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


def push_fixed_secret(
    context: Context,
    path: str,
    wanted: SigningRequest,
    value: str,
    *,
    given: SignedRequest | None,
    **names: str,
) -> None:
    """Set a secret that can never be changed; ``path`` (of the rules) and ``names`` name it."""
    signature = _signature(context, wanted, given)
    context.sms.push(path, value, signature, replace=False, **names)
