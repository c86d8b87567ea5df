"""What requests to the marketplace may say, and in which words it refuses them (market.md).

The server checks with yup 0.32, whose texts, conversions and order are kept: text of a number is
text, a number of a text is a number, and of all faults one is told, wrong types before all others
and the field declared last before those above it. Addresses come out EIP-55, hashes and tags in
lower case, numbers as ``int``. Refused: null, repeated query keys, integers beyond 2**53 - 2 (in
today's server, whose texts are taken to be the same, beyond 2**53 - 1).
Spec: market.md, "Validation"; services.md §1.3, §1.6.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from ..errors import ValidationError
from ..eth.codec import address_to_bytes, checksum_address
from ..protocol.order_kinds import SIGNED_ORDER_KINDS
from ..protocol.params import load_json, stringify
from .market_tables import ANY

__all__ = [
    "ADDRESS",
    "ANY_ADDRESS",
    "BOOLEAN",
    "BYTES32",
    "COUNT",
    "LAST",
    "ONE",
    "ORDER_FIELDS",
    "UINT",
    "Field",
    "Kind",
    "Refusal",
    "body_object",
    "chain_field",
    "check",
    "check_order",
    "check_unpublish",
    "integer",
    "required",
]

MAX_INTEGER = 2**53 - 2
ONE, LAST, ALL = "unpublish_orderHash", "unpublish_last", "unpublish_all"  # what to unpublish

_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Infinity")
_RADIX = re.compile(r"0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+")
_ICAP = re.compile(r"XE([0-9]{2})([0-9A-Za-z]{30,31})")


class Refusal(Exception):  # noqa: N818 - an answer of the server, not a fault of ours
    """What a client is told instead of an answer: an HTTP status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


# --- values ---------------------------------------------------------------------------------------


class _Wrong(Exception):  # noqa: N818 - a signal between two functions
    """A value that cannot become one of its type. ``final`` is what the attempt came to."""

    def __init__(self, final: str) -> None:
        super().__init__(final)
        self.final = final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: yup's name of the type, how to get it, and what else may be wrong.

    ``fault`` gives the text of the fault, ``{}`` for the field, or None.
    """

    type: str
    cast: Callable[[object], Any]
    fault: Callable[[Any], str | None] = lambda value: None


def _text(value: object) -> str:
    """JavaScript's text of a scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return _js_number(value)
    raise _Wrong(_shown(value))


def _js_number(value: float) -> str:
    if math.isinf(value):  # 1e400 in JSON
        return "-Infinity" if value < 0 else "Infinity"
    return stringify(value if abs(value) < 2**53 else float(value))


def _number(value: object) -> int | float:
    """JavaScript's number; integral ones as ``int``."""
    if isinstance(value, str):
        text = re.sub(r"\s", "", value)
        if _RADIX.fullmatch(text):
            value = int(text, 0)
        elif _NUMERAL.fullmatch(text):
            value = float(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Wrong("NaN")
    try:
        value = float(value)  # so 2**53 + 1 is what JavaScript makes of it
    except OverflowError:
        return float("inf")
    return int(value) if value.is_integer() else value


@cache
def integer(least: int, most: int) -> Kind:
    """Integers within bounds."""

    def fault(value: float) -> str | None:
        if not isinstance(value, int):
            return "{} must be an integer"
        if value < least:
            return f"{{}} must be greater than or equal to {least}"
        if value > most:
            return f"{{}} must be less than or equal to {most}"
        return None

    return Kind("number", _number, fault)


def _address(value: object) -> str:
    """EIP-55 text where the text is an address, any case, ``0x`` or not, ICAP; else the text."""
    text = _text(value)
    icap = _ICAP.fullmatch(text)
    if icap:
        return _from_icap(icap) or text
    plain = text.lower()
    try:
        return checksum_address(address_to_bytes(plain if plain[:2] == "0x" else f"0x{plain}"))
    except ValidationError:
        return text


def _from_icap(icap: re.Match[str]) -> str | None:
    """The address of an ICAP text with its right check digits."""
    check, body = icap.groups()
    digits = "".join(str(int(sign, 36)) for sign in f"{body}XE00")
    number = int(body, 36)
    if 98 - int(digits) % 97 != int(check) or number >= 1 << 160:
        return None
    return checksum_address(number.to_bytes(20, "big"))


def _pattern(pattern: str, text: str) -> Callable[[str], str | None]:
    match = re.compile(pattern).match
    return lambda value: None if match(value) else text


STRING = Kind("string", _text)
ADDRESS = Kind(
    "string", _address, _pattern(r"0x[0-9a-fA-F]{40}\Z", "{} is not a valid ethereum address")
)
BYTES32 = Kind(
    "string",
    lambda value: _text(value).lower(),
    _pattern(r"0x[0-9a-f]{64}\Z", "{} must be a bytes32 hexstring"),
)
SIGNATURE = Kind("string", _text, _pattern("0x", "{} must be a valid signature"))
UINT, COUNT = integer(0, MAX_INTEGER), integer(1, MAX_INTEGER)


def _any_address(value: object) -> str:
    """An address, or the word that stands for all."""
    text = _address(value)
    return ANY if text.lower() == ANY else text


ANY_ADDRESS = Kind(
    "string",
    _any_address,
    _pattern(r"any\Z|0x[0-9a-fA-F]{40}\Z", "{} is not a valid ethereum address"),
)


def _boolean(value: object) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0"):
        raise _Wrong(_shown(value))
    return text in ("true", "1")


BOOLEAN = Kind("boolean", _boolean)


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = load_json(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise _Wrong("null")
    return value


OBJECT = Kind("object", _object)


# --- fields ---------------------------------------------------------------------------------------


class Field(NamedTuple):
    """A member of a query or body; ``needed`` is the text where it is required and absent."""

    kind: Kind
    needed: str | None = None


def required(kind: Kind) -> Field:
    """A field that must be there."""
    return Field(kind, "{} is a required field")


def chain_field(chain_id: int) -> Field:
    """``chainId`` of a server for one chain."""

    def fault(value: str) -> str | None:
        if not value:
            return "{} is a required field"
        return None if value == str(chain_id) else f"{{}} {value} is not supported"

    return required(Kind("string", _text, fault))


def check(
    fields: Mapping[str, Field], given: Mapping[str, object], *, within: str = ""
) -> dict[str, Any]:
    """The members of ``given`` that ``fields`` know, in their form; Refusal for a fault."""
    for name, field in fields.items():
        if field.kind is BYTES32 and isinstance(given.get(name), (dict, list)):
            raise Refusal(500, "Internal error")  # the server stumbles before it checks anything
    values, faults = {}, []
    for name, (kind, needed) in reversed(tuple(fields.items())):
        path = within + name
        if name not in given:
            if needed:
                faults.append(needed.format(path))
            continue
        try:
            value = values[name] = kind.cast(given[name])
        except _Wrong as wrong:
            raise Refusal(400, _not_a(path, kind.type, wrong.final, given[name])) from None
        fault = kind.fault(value)
        if fault:
            faults.append(fault.replace("{}", path))
    if faults:
        raise Refusal(400, faults[0])
    return values


def _not_a(path: str, kind: str, final: str, given: object) -> str:
    text = f"{path} must be a `{kind}` type, but the final value was: `{final}`"
    shown = _shown(given)
    cast = given is not None and final != shown
    text += f" (cast from the value `{shown}`)." if cast else "."
    if final == "null":
        text += (
            '\n If "null" is intended as an empty value be sure to mark the schema as `.nullable()`'
        )
    return text


def _shown(value: object) -> str:
    """A value as yup prints it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (dict, list)):
        return json.dumps(_inner(value), indent=2, ensure_ascii=False)
    return "null" if value is None else _text(value)


def _inner(value: object) -> object:
    """Scalars inside of lists and objects are printed as text."""
    if isinstance(value, dict):
        return {name: _inner(member) for name, member in value.items()}
    return [_inner(member) for member in value] if isinstance(value, list) else _shown(value)


# --- bodies ---------------------------------------------------------------------------------------


def _order_field(name: str, abi: str, most: int) -> Field:
    if name == "params":
        return Field(STRING)
    if name == "sign":
        return required(SIGNATURE)
    if abi == "uint256":
        return required(integer(1 if name == "volume" else 0, most))
    return required(BYTES32 if abi == "bytes32" else ADDRESS)


@cache
def order_fields(most: int) -> Mapping[str, Mapping[str, Field]]:
    """The fields of each kind of order, for a server whose integers go up to ``most``."""
    return {
        kind: {name: _order_field(name, column.abi, most) for name, column in cls.fields()}
        for kind, cls in SIGNED_ORDER_KINDS.items()
    }


ORDER_FIELDS = order_fields(MAX_INTEGER)


def body_object(body: object) -> dict[str, Any]:
    """The body of a POST or PUT as an object."""
    return _only_object(body, "this")


def _only_object(value: object, path: str) -> dict[str, Any]:
    try:
        return _object(value)
    except _Wrong as wrong:
        raise Refusal(400, _not_a(path, OBJECT.type, wrong.final, value)) from None


def check_order(kind: str, body: object, most: int = MAX_INTEGER) -> dict[str, Any]:
    """The signed order below ``order``: numbers as ``int``, everything else as text."""
    order = _only_object(body_object(body).get("order", {}), "order")
    fields = order_fields(most)[kind]
    found = check(fields, order, within="order.")
    return {name: found[name] for name in fields if name in found}


def check_unpublish(resource: str, body: object) -> tuple[str, str]:
    """What to unpublish: target, and the order's hash or the address of its ``resource``."""
    given = {"target": ONE, **body_object(body)}
    many = given["target"] in (LAST, ALL)
    values = check(
        {
            "orderHash": Field(STRING) if many else required(BYTES32),
            resource: required(ADDRESS) if many else Field(STRING),
            "target": Field(_one_of(ONE, LAST, ALL)),
        },
        given,
    )
    return values["target"], values[resource if many else "orderHash"]


def _one_of(*known: str) -> Kind:
    text = f"{{}} must be one of the following values: {', '.join(known)}"
    return Kind("string", _text, lambda value: None if value in known else text)
