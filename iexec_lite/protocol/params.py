"""Request params: the JSON text that a request order carries and that is signed byte for byte.

``create_params`` completes and writes them as the JavaScript SDK of the network's generation does:
the caller's key order where nothing had to be changed, the generation's order otherwise, and
JavaScript's text of numbers and strings. ``check_params`` reads signed text strictly,
``read_params`` takes anything a chain may hold. Refused: numbers that JavaScript cannot hold
exactly, NaN and infinity. Spec: chain.md §2.5, §7.4, §12; services.md §2.5; today.md §1.4.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

from ..errors import ValidationError
from ..eth import codec
from .rules import Rules
from .units import shown

__all__ = ["check_params", "create_params", "load_json", "read_params", "stringify"]

MAX_DEPTH = 64  # of nested params; the recursion limit is far beyond
MAX_INTEGER = (1 << 53) - 1  # what a JavaScript number holds exactly
MAX_INTEGER_DIGITS = 20

_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN = re.compile(r"[ !#-\[\]-\x7f]*")  # ASCII that JSON text holds as it is
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_SECRET_KEY = re.compile(r"[1-9][0-9]*")
_TRUE = re.compile(r"true|1", re.IGNORECASE)
_FALSE = re.compile(r"false|0", re.IGNORECASE)


# --- JSON as JavaScript reads and writes it -------------------------------------------------------


def _not_json(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


_encode_text = json.JSONEncoder(ensure_ascii=False).encode
_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_int=_integer)


def load_json(text: str) -> object:
    """The value of JSON text. Raises ValueError; ``NaN`` and the like are not JSON."""
    return codec.load_json(text, _DECODER)


def stringify(value: object, depth: int = 0) -> str:
    """Compact JSON text of a value, the bytes that ``JSON.stringify`` gives.

    Non-ASCII stays raw, lone surrogates are escaped, keys that are array indexes come first in
    ascending order. Raises ValidationError for what JSON or JavaScript's numbers cannot hold.
    """
    if depth > MAX_DEPTH:
        raise ValidationError(f"nested deeper than {MAX_DEPTH} levels")
    if value is None:
        return "null"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (dict, Mapping)):  # dict first: to ask an abstract class takes long
        members = _javascript_order(value).items()
        return "{" + ",".join([f"{_quote(k)}:{stringify(v, depth + 1)}" for k, v in members]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(stringify(item, depth + 1) for item in value) + "]"
    raise ValidationError(f"a value of type {type(value).__name__} has no JSON form")


def _quote(text: str) -> str:
    if _PLAIN.fullmatch(text):  # the encoder says the same, a microsecond later
        return f'"{text}"'
    if not _SURROGATE.search(text):
        return _encode_text(text)
    # Pairs written as two characters are one character.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", _encode_text(text))


def _number(value: int | float) -> str:
    """ECMAScript's Number::toString; Python differs in exponents (``1e-07``) and ``1.0``."""
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ValidationError(
                f"{shown(value)} is no number that JavaScript holds exactly: write it as text"
            )
        return str(int(value))
    if not math.isfinite(value):
        raise ValidationError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(exponent or 0)  # digits before the decimal point
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        text = digits.ljust(point, "0")
        rest = text[point:]
        return f"{sign}{text[:point]}.{rest}" if rest else sign + text
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"


def _javascript_order(value: Mapping[object, object]) -> dict[str, object]:
    """Members in the order of a JavaScript object: array indexes ascending, then the rest."""
    named: dict[str, object] = {}
    for key, item in value.items():
        if isinstance(key, str):
            name = key
        elif isinstance(key, int) and not isinstance(key, bool):
            name = _number(key)
        else:
            raise ValidationError(f"{shown(key)} cannot be the name of a JSON member")
        if name in named:
            raise ValidationError(f"two members are named {shown(name)}")
        named[name] = item
    indexes = sorted(filter(_is_index, named), key=int)
    if indexes:
        named = {name: named.pop(name) for name in indexes} | named
    return named


def _is_index(name: str) -> bool:
    return name.isdigit() and bool(_INDEX.fullmatch(name)) and int(name) < (1 << 32) - 1


# --- the members ----------------------------------------------------------------------------------


class _Context:
    """What the rules of one request order depend on. ``cast``: mend types, else refuse them."""

    __slots__ = ("callback", "cast", "faults", "result_proxy", "rules", "tee")

    def __init__(
        self, rules: Rules, tee: bool, callback: bool, cast: bool, result_proxy: str | None = None
    ) -> None:
        self.rules = rules
        self.tee = tee
        self.callback = callback
        self.cast = cast
        self.result_proxy = result_proxy
        self.faults: list[str] = []


def _wrong_type(path: str, kind: str, value: object) -> ValidationError:
    """The fault of a member of the wrong type, in the words of V6."""
    if isinstance(value, (list, tuple, Mapping)):
        try:
            value = stringify(value)
        except ValidationError:
            value = type(value).__name__
        printed = shown(value)
    else:
        printed = f'"{shown(value)}"' if isinstance(value, str) else shown(value)
    return ValidationError(f"{path} must be a `{kind}` type, but the final value was: `{printed}`.")


def _text(path: str, value: object, context: _Context) -> str:
    if isinstance(value, str):
        return value
    if context.cast and isinstance(value, (bool, int, float)):
        return stringify(value)
    raise _wrong_type(path, "string", value)


def _flag(path: str, value: object, context: _Context) -> bool:
    if isinstance(value, bool):
        return value
    if context.cast and isinstance(value, (str, int, float)):
        text = value if isinstance(value, str) else _number(value)
        if _TRUE.fullmatch(text):
            return True
        if _FALSE.fullmatch(text):
            return False
    raise _wrong_type(path, "boolean", value)


def _input_files(path: str, value: object, context: _Context) -> list[str]:
    rules = context.rules
    if context.cast and isinstance(value, str):
        value = _split_files(value, rules)
    if not isinstance(value, list):
        raise _wrong_type(path, "array", value)
    files = [_text(f"{path}[{i}]", item, context) for i, item in enumerate(value)]
    bad = [
        rules.input_url_message.format(path=f"{path}[{i}]", value=shown(text))
        for i, text in enumerate(files)
        if not rules.input_url(text)
    ]
    if bad:
        raise ValidationError.collect(bad)
    return files


def _split_files(text: str, rules: Rules) -> object:
    """A list written as text: by commas, or (V6) as JSON."""
    if rules.input_files_comma_text:
        return text.split(",")
    try:
        found = load_json(text)
    except ValueError:
        return text
    return found if isinstance(found, list) else text


def _storage_provider(path: str, value: object, context: _Context) -> str:
    provider = _text(path, value, context)
    rules = context.rules
    if context.callback:
        return provider
    if not provider:
        raise ValidationError(f"{path} is a required field")
    if context.tee and provider not in rules.storage_providers:
        raise ValidationError(rules.tee_provider_message.format(path=path, value=shown(provider)))
    if not context.tee and provider != rules.storage_providers[0]:
        raise ValidationError(
            f'{path} "{shown(provider)}" is not supported for non TEE tasks '
            f"use supported storage provider {rules.storage_providers[0]}"
        )
    return provider


def _secrets(path: str, value: object, context: _Context) -> Mapping[object, object]:
    if not context.tee:
        raise ValidationError(f"{path} is not supported for non TEE tasks")
    if not isinstance(value, Mapping):
        raise _wrong_type(path, "object", value)
    names = _javascript_order(value)
    if not all(_SECRET_KEY.fullmatch(key) for key in names):
        raise ValidationError(f"{path} mapping keys must be strictly positive integers")
    if not all(isinstance(name, str) and name for name in names.values()):
        raise ValidationError(f"{path} mapping names must be strings")
    return value


def _bulk_cid(path: str, value: object, context: _Context) -> str:
    from . import multiaddr

    cid = _text(path, value, context)
    # A multiaddr is binary only where its CID is one; else it is the text itself.
    if cid[:1] in ("Q", "b", "z", "k") and "/" not in cid:
        encoded = multiaddr.to_bytes(f"/p2p/{cid}")
        if not encoded.startswith(b"/"):
            return cid
    raise ValidationError(f"{shown(cid)} is not a valid CID ({path})")


_MEMBERS: dict[str, Callable[[str, object, _Context], object]] = {
    "iexec_args": _text,
    "iexec_input_files": _input_files,
    "iexec_result_encryption": _flag,
    "iexec_result_storage_provider": _storage_provider,
    "iexec_result_storage_proxy": _text,
    "iexec_developer_logger": _flag,
    "iexec_secrets": _secrets,
    "bulk_cid": _bulk_cid,
}


def _read_members(given: Mapping[str, object], context: _Context) -> dict[str, object]:
    """The members that the rules know, checked, in the rules' order; faults are collected."""
    rules = context.rules
    result: dict[str, object] = {}
    for key in rules.params_keys:
        value = given.get(key)
        if key not in given:
            value = _default(key, result.get("iexec_result_storage_provider"), context)
            if value is None:
                continue
        try:
            result[key] = _MEMBERS[key](key, value, context)
        except ValidationError as error:
            context.faults.extend(error.errors)
    needed = not context.callback and not context.cast  # otherwise it has been filled
    if needed and "iexec_result_storage_provider" not in given:
        context.faults.append("iexec_result_storage_provider is a required field")
    if (
        rules.storage_proxy
        and result.get("iexec_result_storage_provider") == "ipfs"
        and not result.get("iexec_result_storage_proxy")
    ):
        context.faults.append('iexec_result_storage_proxy is required field with "ipfs" storage')
    return result


def _default(key: str, provider: object, context: _Context) -> str | None:
    """Value of an absent member; storage members alone have one."""
    if not context.cast:
        return None
    if key == "iexec_result_storage_provider" and not context.callback:
        return context.rules.storage_providers[0]
    if key == "iexec_result_storage_proxy" and provider == "ipfs":
        return context.result_proxy
    return None


# --- what others use ------------------------------------------------------------------------------


def create_params(
    value: object, *, rules: Rules, tee: bool, callback: bool, result_proxy: str | None = None
) -> str:
    """The params text of a new request order.

    ``value`` is a mapping, JSON text of an object, or any other text, which becomes ``iexec_args``.
    Types are cast and defaults filled as the JavaScript SDK does, unknown members dropped. ``tee``:
    the order's tag has the tee bit; ``callback``: it has a callback, so results need no storage;
    ``result_proxy``: URL of the network's result proxy. Raises ValidationError with all faults.
    """
    given = _object_of(value) if isinstance(value, str) else value
    if not isinstance(given, (dict, Mapping)):
        raise _wrong_type("this", "object", given)
    given = {key: list(v) if isinstance(v, tuple) else v for key, v in given.items()}
    context = _Context(rules, tee, callback, True, result_proxy)
    result = _read_members(given, context)
    if context.faults:
        raise ValidationError.collect(context.faults)
    return stringify(given if _unchanged(given, result) else result)


def _object_of(text: str) -> Mapping[str, object]:
    """JSON object in ``text``, else the text as arguments."""
    try:
        found = load_json(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"iexec_args": text}


def _unchanged(given: Mapping[str, object], result: Mapping[str, object]) -> bool:
    """Whether reading filled, cast and dropped nothing: then the caller's key order is kept."""
    return given.keys() == result.keys() and all(
        type(result[key]) is type(value) and result[key] == value for key, value in given.items()
    )


def check_params(text: str, *, rules: Rules, tee: bool, callback: bool) -> dict[str, object]:
    """The members of signed params, strictly: nothing cast, filled or unknown (chain.md §7.5).

    Members that the generation has retired are let through, as older orders carry them. Raises
    ValidationError with all faults.
    """
    given = _object_of(text)
    context = _Context(rules, tee, callback, False)
    _read_members(given, context)
    known = {*rules.params_keys, *rules.retired_params}
    unknown = [shown(key) for key in given if key not in known]
    if unknown:
        context.faults.append(f'Unknown key "{", ".join(unknown[:20])}" in params')
    if context.faults:
        if given == {"iexec_args": text}:
            context.faults.insert(
                0, "params is not the JSON of an object: workers take all of it as iexec_args"
            )
        raise ValidationError.collect(context.faults)
    return dict(given)


def read_params(text: str) -> dict[str, object]:
    """The members of any params text, unchecked; what is no JSON object is ``iexec_args``."""
    return dict(_object_of(text))
