"""Who signs: the protocols any signer meets, and the one that holds a key.

Messages are signed as EIP-191 (``personal_sign``), typed data as EIP-712, transactions as Ethereum
has them. A signature from elsewhere is recovered before use (``verify_digest``); a local key is
proved once, when it is loaded. Refused: text where bytes are meant, so that hex is never signed as
characters; copying or pickling a signer; showing a key in any text.
Spec: design.md (Signers), chain.md §2.4, §2.8 and §10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

from ..errors import KeystoreError, SignatureError, ValidationError
from .codec import address_to_bytes, checksum_address
from .crypto import PrivateKey, keccak, public_key_to_address, recover_public_key
from .eip712 import TypedData

if TYPE_CHECKING:
    from .transaction import SignedTransaction, Transaction

__all__ = [
    "KeySigner",
    "SendingSigner",
    "Signer",
    "TransactionSigner",
    "hash_message",
    "proved_signature",
    "recover_address",
    "verify_digest",
]

_KEY = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})\Z")
_PROOF = b"iexec_lite: a loaded key must sign what its address recovers"
_MAX_FILE = 64 * 1024 + 1  # bytes; one more than a keystore may have, so that it is refused there


@runtime_checkable
class Signer(Protocol):
    """An account that signs messages and typed data: a key, a wallet, a node."""

    @property
    def address(self) -> str:
        """EIP-55 address."""

    def sign_message(self, message: bytes) -> bytes:
        """65 bytes over the EIP-191 hash of ``message``."""

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        """65 bytes over the EIP-712 digest."""


@runtime_checkable
class TransactionSigner(Signer, Protocol):
    """A signer that hands out the signed transaction, so its hash is known before it is sent."""

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """The transaction with this account's signature."""


@runtime_checkable
class SendingSigner(Signer, Protocol):
    """A signer that sends what it signs: a wallet, or a node that holds the key.

    It is asked once for each transaction: only the chain tells what became of a lost answer.
    """

    def send_transaction(self, transaction: Transaction) -> bytes:
        """The hash, 32 bytes, of the transaction that was signed and sent.

        ``Web3ProviderSendError`` means that it was surely not sent (``is_user_rejection``: a person
        said no); any other error leaves that open. Only the fees may be changed.
        """


class KeySigner:
    """A signer that holds its key: 32 secret bytes or a ``PrivateKey``.

    The key is proved on construction (sign, recover, compare). The text form shows the address
    only; copying and pickling are refused. ``ValidationError`` for anything that is not a key.
    """

    __slots__ = ("_address", "_key")

    def __init__(self, secret: bytes | PrivateKey) -> None:
        self._key = secret if isinstance(secret, PrivateKey) else PrivateKey(secret)
        self._address = checksum_address(self._key.address)
        proof = keccak(_PROOF)
        verify_digest(self._address, proof, self._key.sign(proof))

    @classmethod
    def from_key(cls, key: str | bytes) -> KeySigner:
        """A signer for a private key: 64 hex digits, ``0x`` optional, or 32 bytes."""
        if isinstance(key, str):
            match = _KEY.match(key)
            if match is None:
                raise ValidationError(
                    "a private key must be 64 hex digits, with or without 0x, and nothing around"
                )
            key = bytes.fromhex(match[1])
        return cls(key)

    @classmethod
    def from_keystore(
        cls, source: str | bytes | PathLike[str] | Mapping[str, object], password: str
    ) -> KeySigner:
        """A signer for a version 3 keystore: its JSON (text, bytes or parsed), or its file.

        A ``str`` that begins with ``{`` is JSON, any other the path of a file. Takes a second.
        ``WrongPasswordError``; ``KeystoreError`` for an unreadable or unusable file.
        """
        from .keystore import decrypt

        is_path = isinstance(source, PathLike) or (
            isinstance(source, str) and not source.lstrip("\ufeff \t\r\n").startswith("{")
        )
        return cls(decrypt(_read(source) if is_path else source, password))  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """EIP-55 address of the key."""
        return self._address

    def sign_message(self, message: bytes) -> bytes:
        """65 bytes r, s, v over the EIP-191 hash of ``message`` (``personal_sign``)."""
        return self._key.sign(hash_message(message))

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        """65 bytes r, s, v over the EIP-712 digest (``eth_signTypedData_v4``)."""
        if not isinstance(typed_data, TypedData):
            raise ValidationError(
                "typed data must be a TypedData: make it with TypedData.from_dict"
            )
        return self._key.sign(typed_data.digest)

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """The transaction with this key's signature."""
        return transaction.sign(self._key)

    def __repr__(self) -> str:
        return f"<KeySigner {self._address}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise ValidationError("a signer cannot be copied or pickled: load its key again instead")


def secret_of(signer: KeySigner) -> bytes:
    """The 32 bytes of its key, for a process of our own that signs too."""
    return signer._key.secret


def _read(path: str | PathLike[str]) -> bytes:
    """The keystore file, bounded. The only file this layer ever opens."""
    from .secret_file import open_secret

    try:
        with open_secret(path) as file:
            return file.read(_MAX_FILE)
    except ValidationError as error:
        raise KeystoreError(error.message, cause=error) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise KeystoreError(f"cannot read the keystore file: {reason}", cause=error) from error


def hash_message(message: bytes) -> bytes:
    """EIP-191 digest of ``message``: 32 bytes. The prefix counts bytes, not characters."""
    if not isinstance(message, bytes | bytearray):
        raise ValidationError("a message to sign must be bytes: encode text, decode hex first")
    return keccak(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)


def recover_address(digest: bytes, signature: bytes) -> str:
    """EIP-55 address of whoever signed ``digest`` (32 bytes).

    ``signature``: 65 bytes r, s, v with v 0, 1, 27 or 28, or 64 bytes EIP-2098 (chain.md §2.8).
    ``SignatureError`` for anything else. Compare the answer: every well-formed one has a signer.
    """
    if not isinstance(signature, bytes) or len(signature) not in (64, 65):
        raise SignatureError("a signature has 65 bytes, or 64 in its compact form")
    if len(signature) == 64:
        signature = _expanded(signature)
    return checksum_address(public_key_to_address(recover_public_key(digest, signature)))


def _expanded(compact: bytes) -> bytes:
    """EIP-2098: the top bit of s, always free in low s, is v."""
    s = bytes((compact[32] & 0x7F,)) + compact[33:]
    return compact[:32] + s + bytes((27 + (compact[32] >> 7),))


def verify_digest(address: str, digest: bytes, signature: bytes) -> None:
    """Nothing, if ``address`` signed ``digest``; else ``SignatureError``, telling who did."""
    expected = address_to_bytes(address)
    recovered = recover_address(digest, signature)
    if address_to_bytes(recovered) != expected:
        raise SignatureError(
            f"the signature is not by {checksum_address(expected)} but by {recovered}: "
            "another account signed, or something else was signed"
        )


def proved_signature(address: str, digest: bytes, signature: bytes) -> bytes:
    """A signature from elsewhere, verified as by ``verify_digest``, in the form contracts take.

    65 bytes with v 27 or 28: some wallets count v from 0, some leave it in the top bit (EIP-2098).
    """
    verify_digest(address, digest, signature)
    if len(signature) == 64:
        return _expanded(signature)
    v = signature[64]
    return signature[:64] + bytes((v + 27 if v < 27 else v,))
