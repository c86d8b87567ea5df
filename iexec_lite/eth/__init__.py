"""Ethereum, pure: no socket, no file, no clock, no iExec word.

The modules and the names below are the public ones of this layer. They load on first use, so that
``import iexec_lite.eth`` costs nothing and hashing an order does not load a keystore's ciphers.
Works on bytes: an address is 20 of them, a hash or key 32; ``codec`` is the way from and to text.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import abi, codec, crypto, eip712, keystore, rlp, signer, transaction
    from .codec import address_to_bytes, checksum_address, from_hex, to_hex
    from .crypto import PrivateKey, keccak
    from .eip712 import Domain, TypedData, compile_struct, hash_typed_data
    from .signer import (
        KeySigner,
        SendingSigner,
        Signer,
        TransactionSigner,
        hash_message,
        recover_address,
        verify_digest,
    )
    from .transaction import SignedTransaction, Transaction

__all__ = [
    "Domain",
    "KeySigner",
    "PrivateKey",
    "SendingSigner",
    "SignedTransaction",
    "Signer",
    "Transaction",
    "TransactionSigner",
    "TypedData",
    "abi",
    "address_to_bytes",
    "checksum_address",
    "codec",
    "compile_struct",
    "crypto",
    "eip712",
    "from_hex",
    "hash_message",
    "hash_typed_data",
    "keccak",
    "keystore",
    "recover_address",
    "rlp",
    "signer",
    "to_hex",
    "transaction",
    "verify_digest",
]

_NAMES = {
    "codec": ("address_to_bytes", "checksum_address", "from_hex", "to_hex"),
    "crypto": ("PrivateKey", "keccak"),
    "eip712": ("Domain", "TypedData", "compile_struct", "hash_typed_data"),
    "signer": (
        "KeySigner",
        "SendingSigner",
        "Signer",
        "TransactionSigner",
        "hash_message",
        "recover_address",
        "verify_digest",
    ),
    "transaction": ("SignedTransaction", "Transaction"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module("." + _HOME.get(name, name), __name__)
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
