"""Tags: the 256 bits that say what a task needs, by name and as bytes32.

Names are those of every SDK generation (chain.md §13.1); bits without a name are kept as they are,
the highest too. Bits are numbered from 0 in this library; messages number them as the network's
generation does (``rules``). Spec: chain.md §7.3, §12; today.md §3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ..errors import ValidationError
from .rules import V6, Rules
from .units import shown

__all__ = [
    "bit_name",
    "check_tag",
    "decode_tag",
    "encode_tag",
    "from_mask",
    "missing_bits",
    "parse_tag",
    "sum_tags",
    "tag_names",
    "to_mask",
]

TAG_BITS = 256
MAX_NAMES = 1024  # in one list; there are only 256 bits

_BYTES32 = re.compile(r"0x[0-9a-f]{64}")


def encode_tag(names: Iterable[str], rules: Rules = V6) -> str:
    """bytes32 of tag names; empty names are ignored. Raises ``Unknown tag <name>``."""
    if isinstance(names, str):
        raise ValidationError("tag names must be a list, not text")
    bits = dict(rules.tag_bits)
    mask = 0
    for count, name in enumerate(names):
        if count >= MAX_NAMES:
            raise ValidationError(f"more than {MAX_NAMES} tag names")
        if name == "":
            continue
        bit = bits.get(name) if isinstance(name, str) else None
        if bit is None:
            raise ValidationError(f"Unknown tag {shown(name)}")
        mask |= 1 << bit
    return from_mask(mask)


def decode_tag(tag: str, rules: Rules = V6) -> list[str]:
    """Names in a bytes32, lowest bit first. Raises ``Unknown bit <n> in tag``."""
    names = {bit: name for name, bit in rules.tag_bits}
    bits = _bits(to_mask(tag))
    for bit in bits:
        if bit not in names:
            raise ValidationError(f"Unknown bit {bit + rules.tag_number_base} in tag")
    return [names[bit] for bit in bits]


def tag_names(tag: str, rules: Rules = V6) -> list[str]:
    """Names in a bytes32 for display: a bit without a name is ``bit <n>``."""
    names = {bit: name for name, bit in rules.tag_bits}
    return [names.get(bit, f"bit {bit + rules.tag_number_base}") for bit in _bits(to_mask(tag))]


def bit_name(bit: int, rules: Rules = V6) -> str:
    """Name of a bit, else its number as the generation's messages give it."""
    if not 0 <= bit < TAG_BITS:
        raise ValidationError("Invalid bit tag")
    names = {number: name for name, number in rules.tag_bits}
    return names.get(bit, str(bit + rules.tag_number_base))


def sum_tags(tags: Iterable[str]) -> str:
    """Union of bytes32 tags; of none, the zero tag."""
    mask = 0
    for tag in tags:
        mask |= to_mask(tag)
    return from_mask(mask)


def missing_bits(tag: str, required: str) -> list[int]:
    """Bits (from 0, ascending) of ``required`` that ``tag`` lacks."""
    return _bits(to_mask(required, "requiredTag") & ~to_mask(tag))


def parse_tag(value: object, rules: Rules = V6, *, use: str | None = None) -> str:
    """bytes32 of a list of names, of names joined by commas (``""`` is no tag), or of hex.

    ``use`` (``strict``, ``agnostic``, ``dataset``) also applies the network's rules for that use.
    Raises ``<value> is not a valid tag. …`` or ``<value> is not a valid bytes32 hexstring``.
    """
    if isinstance(value, str) and value[:2] in ("0x", "0X"):
        tag = value.lower()
        if not _BYTES32.fullmatch(tag):
            raise ValidationError(f"{shown(value)} is not a valid bytes32 hexstring")
    elif isinstance(value, (str, list, tuple)):
        try:
            tag = encode_tag(value.split(",") if isinstance(value, str) else value, rules)
        except ValidationError as error:
            listed = value if isinstance(value, str) else ",".join(map(shown, value[:10]))
            raise ValidationError(f"{shown(listed)} is not a valid tag. {error.message}") from None
    else:
        raise ValidationError(f"{shown(value)} is not a valid tag. Invalid tag")
    if use is not None:
        check_tag(tag, rules, use)
    return tag


def check_tag(tag: str, rules: Rules, use: str) -> None:
    """Raise what the network's rules say against ``tag`` for ``use`` (today.md §3.2)."""
    mask = to_mask(tag)
    for check in rules.tag_checks:
        found = mask & check.bits
        if use in check.uses and found and (not check.needs or not mask & check.needs):
            names = ", ".join(f"'{bit_name(bit, rules)}'" for bit in _bits(found))
            raise ValidationError(check.message.format(names=names))


def to_mask(tag: object, name: str = "tag") -> int:
    """The 256 bits of a bytes32 as an integer. Raises ``tag must be bytes32 hex string``."""
    mask = _mask(tag) if isinstance(tag, str) else None
    if mask is None:
        raise ValidationError(f"{name} must be bytes32 hex string")
    return mask


@lru_cache(maxsize=1024)
def _mask(tag: str) -> int | None:
    """Cached, as tags repeat."""
    return int(tag, 16) if _BYTES32.fullmatch(tag.lower()) else None


def from_mask(mask: int) -> str:
    """bytes32 of 256 bits."""
    return f"0x{mask:064x}"


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
