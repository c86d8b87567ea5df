"""Amounts of RLC and of a chain's coin: text with a unit to exact integers and back.

All arithmetic is on digits: nothing is rounded or shifted. Refused, unlike V6: floats, empty text,
negative amounts, words after the unit, and amounts beyond uint256. Zeros beyond the last decimal
are exact and pass (``1.5000000000 RLC``); V6 read them wrongly. Spec: chain.md §8.6, §12;
pitfalls.md; cli.md §1.
"""

from __future__ import annotations

import re

from ..errors import ValidationError

__all__ = [
    "format_eth",
    "format_rlc",
    "nrlc_to_wei",
    "parse_erlc",
    "parse_eth",
    "parse_rlc",
    "shown",
    "wei_to_nrlc",
]

MAX_UINT256 = (1 << 256) - 1
MAX_TEXT = 256  # characters; an exact uint256 with all its decimals has about 100
MAX_SHOWN = 100  # characters of a value in a message
NRLC_DECIMALS = 9
WEI_DECIMALS = 18
WEI_PER_NRLC = 10**9

RLC_UNITS = {"nRLC": 0, "RLC": NRLC_DECIMALS}
ERLC_UNITS = {**RLC_UNITS, "neRLC": 0, "eRLC": NRLC_DECIMALS}  # one eRLC is one RLC, locked up
ETHER_UNITS = {
    "wei": 0,
    "kwei": 3,
    "mwei": 6,
    "gwei": 9,
    "szabo": 12,
    "finney": 15,
    "ether": WEI_DECIMALS,
    "eth": WEI_DECIMALS,
}

_AMOUNT = re.compile(r"([0-9]*)(?:\.([0-9]*))?")
_INTEGER = re.compile(r"-?[0-9]+|0x[0-9a-fA-F]+")


def parse_rlc(value: object, default_unit: str = "nRLC") -> int:
    """Integer nRLC of ``5``, ``"5"``, ``"0.5 RLC"``, ``["5", "RLC"]``. Units: nRLC, RLC.

    Raises ValidationError ``<value> is not a valid amount. …``.
    """
    return _parse(value, default_unit, RLC_UNITS, "token")


def parse_erlc(value: object, default_unit: str = "nRLC") -> int:
    """As :func:`parse_rlc`, where eRLC is about: the units neRLC and eRLC are known too."""
    return _parse(value, default_unit, ERLC_UNITS, "token")


def parse_eth(value: object, default_unit: str = "wei") -> int:
    """Integer wei of ``5``, ``"0.01 ether"``, ``["2", "gwei"]``. Units: wei to ether and eth.

    Raises ValidationError ``<value> is not a valid amount. …``.
    """
    return _parse(value, default_unit, ETHER_UNITS, "ether")


def format_rlc(nrlc: int | str) -> str:
    """RLC text of nRLC, at least one decimal: ``1500000000`` → ``1.5``, ``0`` → ``0.0``."""
    return _format(nrlc, NRLC_DECIMALS, "nRLC")


def format_eth(wei: int | str) -> str:
    """Ether text of wei, at least one decimal."""
    return _format(wei, WEI_DECIMALS, "wei")


def nrlc_to_wei(nrlc: int) -> int:
    """Wei that a native chain moves for ``nrlc``."""
    return nrlc * WEI_PER_NRLC


def wei_to_nrlc(wei: int) -> int:
    """Whole nRLC in ``wei`` of a native chain; the rest is dropped."""
    return wei // WEI_PER_NRLC


def shown(value: object) -> str:
    """``value`` as V6 prints it in messages, cut to a readable length. Never raises.

    What is not printable is escaped: an escape sequence could rewrite what a person sees.
    """
    if isinstance(value, (list, tuple)):
        text = " ".join(_shown_one(item) for item in value[:10])
    else:
        text = _shown_one(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _shown_one(value: object) -> str:
    if isinstance(value, str):
        text = value[: MAX_SHOWN + 1]
        return text if text.isprintable() else "".join(map(_printable, text))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 512:
        return f"a number of {value.bit_length()} bits"
    return str(value) if isinstance(value, (int, float)) else f"<{type(value).__name__}>"


def _printable(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def _parse(value: object, default_unit: str, units: dict[str, int], name: str) -> int:
    amount, unit = _split(value, default_unit)
    decimals = units.get(unit)
    if decimals is None:
        raise _refused(value, f"Invalid {name} unit: use {', '.join(units)}")
    if isinstance(amount, int):
        result = amount * 10**decimals if amount.bit_length() <= 256 else -1
    else:
        result = _exact(amount, decimals)
    if not 0 <= result <= MAX_UINT256:
        whole, *_, coin = units
        why = f'a whole number of {whole}, or text like "1.5 {coin}"'
        raise _refused(value, f"Invalid {name} amount: give {why}")
    return result


def _refused(value: object, why: str) -> ValidationError:
    return ValidationError(f"{shown(value)} is not a valid amount. {why}")


def _split(value: object, default_unit: str) -> tuple[int | str, str]:
    """Amount and unit; an amount of another type than int or text is given as ``""``."""
    amount, unit = value, None
    if isinstance(value, (list, tuple)) and 1 <= len(value) <= 2:
        amount, unit = value[0], (value[1] if len(value) == 2 else None)
    if unit is not None and not isinstance(unit, str):
        return "", default_unit
    if isinstance(amount, str) and len(amount) <= MAX_TEXT:
        text, space, named = amount.partition(" ")
        if space:  # a unit in the text and beside it would be one too many
            return text, f"{named} {unit}" if unit else named
        return text, unit or default_unit
    if isinstance(amount, int) and not isinstance(amount, bool):
        return amount, unit or default_unit
    return "", default_unit


def _exact(text: str, decimals: int) -> int:
    """``text`` × 10**decimals where that is a whole number, else -1."""
    match = _AMOUNT.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return -1
    fraction = (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        return -1
    return int((match[1] or "0") + fraction.ljust(decimals, "0"))


def _format(value: int | str, decimals: int, name: str) -> str:
    if isinstance(value, str) and len(value) <= MAX_TEXT and _INTEGER.fullmatch(value):
        value = int(value, 16 if value.startswith("0x") else 10)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_UINT256:
        raise ValidationError(f"Invalid {name}: {shown(value)} is not a whole number")
    digits = str(abs(value)).rjust(decimals + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:].rstrip('0') or '0'}"
