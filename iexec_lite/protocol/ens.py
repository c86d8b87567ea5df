"""Names of the Ethereum Name Service: which texts are names, and their node (EIP-137 namehash).

Labels are ASCII letters, digits and inner hyphens; letter case does not matter. Everything else is
refused: normalising it (ENSIP-15) takes tables of Unicode, and of two names that look alike one may
be a thief's. Spec: chain.md §1.7; who may give a name instead of an address: ``sdk/ens.py``.
"""

from __future__ import annotations

import re

from ..errors import ValidationError
from ..eth.codec import to_hex
from ..eth.crypto import keccak
from .units import shown

__all__ = ["is_name", "namehash", "unresolved"]

MAX_NAME = 255  # characters, as of a name of the DNS
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_name(value: object) -> bool:
    """Whether this is meant as an ENS name: text that ends in ``.eth``."""
    return isinstance(value, str) and value[-4:].lower() == ".eth"


def unresolved(name: str, why: str) -> ValidationError:
    """The error for a name without an address, in the words of V6, with the cure."""
    return ValidationError(f"Unable to resolve ENS {shown(name)}: {why}; give the address itself")


def namehash(name: str) -> str:
    """The node of a name, ``0x`` bytes32. Raises ValidationError for names that are not plain."""
    if not isinstance(name, str):
        raise ValidationError(f"{shown(name)} is not an ENS name")
    node = bytes(32)
    labels = name.lower().split(".") if name.isascii() and len(name) <= MAX_NAME else [""]
    for label in reversed(labels):
        if not _LABEL.fullmatch(label) or label[2:4] == "--":
            plain = "only names of the letters a-z, digits and inner hyphens are looked up"
            raise unresolved(name, plain)
        node = keccak(node + keccak(label.encode("ascii")))
    return to_hex(node)
