"""Hex text, addresses and JSON text, strictly.

``eth`` works on bytes: an address is 20 bytes, a hash 32. This module is the way from and to the
text forms: ``0x`` hex (EIP-1474 "data") and EIP-55 addresses. It refuses odd digits, missing
prefixes, wrong lengths and wrong mixed-case checksums (cli.md B23), and never guesses. JSON from
outside is read here too, as deep nesting can bring the interpreter down.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from ..errors import ValidationError
from .crypto import keccak

__all__ = ["address_to_bytes", "checksum_address", "from_hex", "load_json", "to_hex"]

MAX_NESTING = 500  # of JSON; safe on any stack, and nothing that we read comes near

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")
_JSON_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{}]', re.DOTALL)
_DECODER = json.JSONDecoder()
_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})\Z")


def to_hex(data: bytes) -> str:
    """``0x`` and lower-case digits, two per byte."""
    return "0x" + data.hex()


def from_hex(text: object, *, length: int | None = None, name: str = "value") -> bytes:
    """Bytes of ``0x…`` text. ``length`` demands that many bytes; ``name`` goes into the error."""
    if not isinstance(text, str) or not _HEX.match(text):
        raise ValidationError(f"{name} must be 0x-prefixed hex with an even number of digits")
    data = bytes.fromhex(text[2:])
    if length is not None and len(data) != length:
        raise ValidationError(f"{name} must be {length} bytes, got {len(data)}")
    return data


@lru_cache(maxsize=4096)
def checksum_address(address: bytes) -> str:
    """EIP-55 text of 20 bytes. Cached: the checksum is a Keccak, and addresses repeat."""
    if len(address) != 20:
        raise ValidationError(f"an address has 20 bytes, got {len(address)}")
    digits = address.hex()
    nibbles = keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(
        d.upper() if n >= "8" else d for d, n in zip(digits, nibbles, strict=False)
    )


def address_to_bytes(text: object, *, name: str = "address") -> bytes:
    """20 bytes of an address in lower, upper or EIP-55 mixed case, ``0x`` optional.

    A mixed-case text must carry the right checksum (EIP-55): a wrong one is a typing mistake.
    """
    match = _ADDRESS.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValidationError(f"{_shown(text)} is not a valid ethereum address ({name})")
    digits = match[1]
    address = bytes.fromhex(digits)
    if digits not in (digits.lower(), digits.upper()) and checksum_address(address)[2:] != digits:
        raise ValidationError(
            f"{text!r} is not a valid ethereum address ({name}): wrong checksum, "
            "check for a typing mistake or write it in lower case"
        )
    return address


def _shown(value: object) -> str:
    """A refused value for a message, which must not grow with it."""
    if isinstance(value, str):
        return repr(value if len(value) <= 80 else value[:80] + "…")
    return "None" if value is None else f"a value of type {type(value).__name__}"


def load_json(text: str | bytes, decoder: json.JSONDecoder = _DECODER) -> Any:
    """The value of JSON text, by a decoder with hooks of its own where one is given.

    ValueError for text that is not JSON or nested deeper than MAX_NESTING. The parser itself stops
    at the interpreter's recursion limit only, which other libraries raise beyond what the stack
    holds: then a few kilobytes of brackets end the process.
    """
    if isinstance(text, (bytes, bytearray)):
        text = text.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if text.count("[") + text.count("{") > MAX_NESTING:
        depth = 0
        for token in _JSON_STRUCTURE.finditer(text):
            first = token[0][0]
            depth += (first in "[{") - (first in "]}")
            if depth > MAX_NESTING:
                raise ValueError(f"JSON nested deeper than {MAX_NESTING} levels")
    return decoder.decode(text)
