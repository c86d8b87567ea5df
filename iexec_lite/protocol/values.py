"""Single values in their one form: addresses, bytes32, integers, amounts, tags, params, text.

``check_…`` takes the normal form (and mends the letter case of hex), ``read_…`` also what JSON and
people write, ``parse_…`` names the argument in its error. Refused: wrong address checksums, empty
numbers, floats, anything beyond uint256, text without a UTF-8 form. Spec: chain.md §12.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from ..errors import ValidationError
from ..eth.codec import address_to_bytes, checksum_address
from .params import stringify
from .rules import V6
from .tag import parse_tag
from .units import MAX_UINT256, shown

__all__ = [
    "address_from_int",
    "check_address",
    "check_amount",
    "check_bytes",
    "check_bytes32",
    "check_signature",
    "check_string",
    "check_tag",
    "check_uint",
    "parse_address",
    "parse_bytes32",
    "parse_uint",
    "read_params_text",
    "read_tag",
    "read_uint",
    "utc",
]

T = TypeVar("T")

MAX_DIGITS = 100  # of a decimal text; uint256 has 78, leading zeros are allowed

_DIGITS = re.compile(r"[0-9]+")


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    """EIP-55 form. Cached: the checksum is a Keccak, and addresses repeat."""
    try:
        return checksum_address(address_to_bytes(text))
    except ValidationError as error:
        if text.endswith(".eth"):
            raise ValidationError(
                f"Unable to resolve ENS {shown(text)}: give the address itself"
            ) from None
        reason = ": wrong checksum" if "checksum" in error.message else ""
        raise ValidationError(f"{shown(text)} is not a valid ethereum address{reason}") from None


def check_address(value: object) -> str:
    """EIP-55 text of an address in any valid form."""
    if isinstance(value, str):
        return _address(value if len(value) <= 42 else value[:256])
    raise ValidationError(f"{shown(value)} is not a valid ethereum address")


def check_uint(value: object) -> int:
    """An ``int`` from 0 to 2²⁵⁶−1."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_UINT256:
        return int(value)
    raise ValidationError(f"{shown(value)} is not a valid uint256")


def read_uint(value: object) -> int:
    """The same or its decimal text."""
    if isinstance(value, str) and len(value) <= MAX_DIGITS and _DIGITS.fullmatch(value):
        value = int(value)
    return check_uint(value)


def check_amount(value: object) -> int:
    """An ``int`` of the smallest unit."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_UINT256:
        return int(value)
    raise ValidationError(
        f"{shown(value)} is not a valid amount: a record holds an int of the smallest unit "
        "(text with a unit enters by create_… and from_dict)"
    )


def _hex_checker(pattern: str, what: str) -> Callable[[object], str]:
    """A check for ``0x`` text; what it gives is in lower case."""
    match = re.compile(pattern).fullmatch

    def check(value: object) -> str:
        text = value.lower() if isinstance(value, str) else ""
        if match(text):
            return text
        raise ValidationError(f"{shown(value)} is not a {what}")

    return check


check_bytes32 = _hex_checker("0x[0-9a-f]{64}", "bytes32 hexstring")
check_tag = _hex_checker("0x[0-9a-f]{64}", "valid bytes32 hexstring")
check_signature = _hex_checker("0x(?:[0-9a-f]{2})*", "valid signature")
check_bytes = _hex_checker("0x(?:[0-9a-f]{2})*", "valid hex number")


def read_tag(value: object) -> str:
    """bytes32 of names or hex. A name means the same bit in every generation."""
    return parse_tag(value, V6)


def check_string(value: object) -> str:
    """Any text that has a UTF-8 form."""
    if not isinstance(value, str):
        raise ValidationError(f"must be a `string` type, but the final value was: `{shown(value)}`")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ValidationError("text with a lone surrogate has no UTF-8 form") from None
    return str(value)


def read_params_text(value: object) -> str:
    """Any text, kept byte for byte: it is what was signed. Of a value, its compact JSON text."""
    return check_string(value) if isinstance(value, str) else stringify(value)


def _named(check: Callable[[object], T], value: object, name: str) -> T:
    try:
        return check(value)
    except ValidationError as error:
        raise ValidationError(f"{name}: {error.message}") from None


def parse_address(value: object, name: str = "address") -> str:
    """EIP-55 form of an address; ``name`` is the argument that errors speak of."""
    return _named(check_address, value, name)


def parse_bytes32(value: object, name: str = "value") -> str:
    """Lower-case ``0x`` form of 32 bytes of hex."""
    return _named(check_bytes32, value, name)


def parse_uint(value: object, name: str = "value") -> int:
    """An integer from 0 to 2²⁵⁶−1, or its decimal text."""
    return _named(read_uint, value, name)


def address_from_int(value: int) -> str:
    """The address that a registry's token id is (chain.md §4.1)."""
    if not 0 <= value < 1 << 160:
        raise ValidationError(f"{shown(value)} is not the integer of an address")
    return checksum_address(value.to_bytes(20, "big"))


def utc(seconds: int) -> str:
    """ISO 8601 text of seconds since 1970; the number itself where no date has it."""
    from datetime import datetime, timezone

    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)
