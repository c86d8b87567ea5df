"""The people of a sandbox: fixed accounts whose private keys are public on purpose.

Never send anything of value to them: everybody knows these keys. Account ``admin`` is account 0
of the upstream test mnemonic (sandbox.md §2), which makes the contract addresses the well-known
ones; the others are made from their names here, so that no key derivation (BIP-32) is needed.
"""

from __future__ import annotations

import hashlib
from functools import cache

from ..eth.codec import checksum_address, from_hex, to_hex
from ..eth.crypto import PrivateKey
from ..eth.signer import KeySigner

__all__ = ["NAMES", "addresses", "describe", "secret", "signer"]

NAMES = {
    "admin": "owns the contracts and holds the RLC supply",
    "app-provider": "deploys and sells apps",
    "dataset-provider": "deploys and sells datasets",
    "workerpool-owner": "owns workerpools; the sandbox's scheduler signs with it",
    "requester": "buys tasks",
    "beneficiary": "gets the result of what somebody else bought",
    "worker-1": "runs tasks",
    "worker-2": "runs tasks that ask for more trust",
    "worker-3": "runs tasks that ask for more trust",
}
_ADMIN = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"


def secret(name: str) -> bytes:
    """The private key of a named account: for ``admin`` the known one, else sha256 of its name."""
    if name == "admin":
        return from_hex(_ADMIN)
    return hashlib.sha256(f"iexec_lite sandbox account {name}".encode()).digest()


@cache
def signer(name: str) -> KeySigner:
    """The signer of a named account."""
    return KeySigner.from_key(secret(name))


@cache
def addresses() -> dict[str, str]:
    """EIP-55 address of every named account."""
    return {name: checksum_address(PrivateKey(secret(name)).address) for name in NAMES}


def describe() -> dict[str, object]:
    """What a person needs to use the accounts: role, address and (public) private key of each."""
    return {
        name: {"role": role, "address": addresses()[name], "privateKey": to_hex(secret(name))}
        for name, role in NAMES.items()
    }
