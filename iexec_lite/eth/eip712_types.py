"""EIP-712 struct types, each compiled once into the encoder that everything uses.

``Struct.hash_row`` is one join and one Keccak. Values are those of ``eth`` (address = 20 bytes,
integers = ``int``, ``bytes``/``bytesN`` = ``bytes``, structs = mappings, arrays = lists or tuples)
and are taken strictly: nothing coerced, nothing missing, nothing extra, no null. The JSON form of
``eth_signTypedData_v4`` (address and bytes as ``0x`` text, integers as numbers, decimal or ``0x``
text) has converters here too. Refused: struct types that contain themselves (without null, no
value of them is finite), the aliases ``uint`` and ``int`` (the standard has none), ``function``,
arrays of no elements, types beyond ``MAX_TYPES`` and ``MAX_TYPE_TEXT``. Spec: EIP-712; chain.md
§2.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter, length_hint
from types import MappingProxyType

from ..errors import ValidationError
from .abi_encode import Encoder, Fault, encoder, row_encoder, show, utf8
from .abi_types import MAX_DEPTH, AbiType, elementary_type
from .codec import address_to_bytes, checksum_address, from_hex, to_hex
from .crypto import keccak

__all__ = ["MAX_TYPES", "Fields", "Struct", "compile_struct"]

MAX_TYPES = 256  # struct types that one document may reach; real ones have a handful
MAX_TYPE_TEXT = 32 * 1024  # characters of all their encodeType together, which repeat each other

Fields = Sequence[tuple[str, str]]

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,127}\Z")
_TYPE = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]{0,127})((?:\[[0-9]{0,9}\])*)\Z")
_RESERVED = re.compile(
    r"(?:(?:u?int|bytes)[0-9]*|u?fixed(?:[0-9]+x[0-9]+)?|address|bool|string|function|tuple)\Z"
)
_INTEGER = re.compile(r"-?[0-9]{1,78}\Z|0[xX][0-9a-fA-F]{1,64}\Z")


class _Kind:
    """A field type: how a value becomes 32 bytes, and how it is read from and written to JSON."""

    __slots__ = ("abi", "encode", "from_json", "to_json")

    def __init__(
        self,
        encode: Encoder,
        from_json: Callable[[object], object],
        to_json: Callable[[object], object],
        abi: AbiType | None = None,
    ) -> None:
        self.abi = abi  # where encode is the ABI's
        self.encode = encode
        self.from_json = from_json
        self.to_json = to_json


# --- elementary types -----------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _atomic(name: str) -> _Kind:
    kind = elementary_type(name)
    if kind.name != name:
        raise ValidationError(f"EIP-712 has no type {name}, write {kind.name}")
    if name == "function":
        raise ValidationError("EIP-712 has no type function")
    if name == "string":
        return _Kind(lambda value: keccak(utf8(value)), _same, _same)
    if name == "bytes":
        return _Kind(_hash_bytes, _json_bytes(None), _to_hex)
    if kind.kind == "fixed_bytes":
        return _Kind(encoder(kind), _json_bytes(kind.size), _to_hex, kind)
    if name == "address":
        return _Kind(encoder(kind), _json_address, _address_to_json, kind)
    if name == "bool":
        return _Kind(encoder(kind), _same, _same)
    return _Kind(encoder(kind), _json_integer, _decimal)


def _hash_bytes(value: object) -> bytes:
    if not isinstance(value, (bytes, bytearray)):
        raise Fault(f"bytes must be bytes, got {show(value)}")
    return keccak(bytes(value))


def _same(value: object) -> object:
    """Text and booleans are the same in JSON; the encoder checks them."""
    return value


def _to_hex(value: object) -> str:
    assert isinstance(value, (bytes, bytearray))  # noqa: S101  (the message has been encoded)
    return to_hex(bytes(value))


def _address_to_json(value: object) -> str:
    assert isinstance(value, bytes)  # noqa: S101  (the message has been encoded)
    return checksum_address(bytes(value))


def _decimal(value: object) -> str:
    assert isinstance(value, int)  # noqa: S101  (the message has been encoded)
    return str(int(value))  # an IntEnum writes its name otherwise


def _json_bytes(length: int | None) -> Callable[[object], bytes]:
    def read(value: object) -> bytes:
        try:
            return from_hex(value, length=length)
        except ValidationError as error:
            raise Fault(error.message) from None

    return read


def _json_address(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 42 or not value.startswith(("0x", "0X")):
        raise Fault(f"address must be 0x-prefixed text of 40 digits, got {_quoted(value)}")
    try:
        return address_to_bytes(value)
    except ValidationError as error:
        raise Fault(error.message) from None


def _json_integer(value: object) -> int:
    if isinstance(value, str) and _INTEGER.match(value):
        return int(value, 16 if value[:2] in ("0x", "0X") else 10)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Fault(f"integer must be a whole number or its decimal or 0x text, got {show(value)}")


# --- arrays and structs ---------------------------------------------------------------------------


def _array(item: _Kind, length: int | None) -> _Kind:
    def each(convert: Callable[[object], object], values: object) -> list[object]:
        if not isinstance(values, (list, tuple)):
            raise Fault(f"array must be a list or tuple, got {show(values)}")
        if length is not None and len(values) != length:
            raise Fault(f"array needs {length} elements, got {len(values)}")
        source = iter(values)
        try:
            return [convert(value) for value in source]
        except Fault as fault:
            raise fault.at(f"[{len(values) - 1 - length_hint(source)}]") from None

    def encode(values: object) -> bytes:
        return keccak(b"".join(each(item.encode, values)))  # type: ignore[arg-type]

    return _Kind(
        encode,
        lambda values: tuple(each(item.from_json, values)),
        lambda values: each(item.to_json, values),
    )


class Struct:
    """One compiled struct type.

    ``encoded_type`` is the text of EIP-712's encodeType, ``type_hash`` its Keccak, ``fields`` the
    names of its fields, ``types`` the struct types it reaches, its own first, as
    ``{name: ((type, name), …)}``.
    """

    __slots__ = (
        "_join",
        "_kinds",
        "_pick",
        "_to_parts",
        "encoded_type",
        "fields",
        "name",
        "type_hash",
        "types",
    )

    def __init__(
        self, name: str, types: Mapping[str, Fields], kinds: Mapping[str, _Kind], encoded: str
    ) -> None:
        self.name = name
        self.types: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
            {each: tuple(fields) for each, fields in types.items()}
        )
        self.encoded_type = encoded
        self.type_hash = keccak(encoded.encode("ascii"))
        self._kinds = kinds
        self.fields = tuple(kinds)
        self._to_parts, self._join = row_encoder(
            [(kind.encode, kind.abi) for kind in kinds.values()], [f".{each}" for each in kinds]
        )
        self._pick = _picker(self.fields)

    def __repr__(self) -> str:
        return f"<struct {self.encoded_type}>"

    def __reduce__(self) -> tuple[object, ...]:
        return compile_struct, (self.name, dict(self.types))

    def hash(self, values: Mapping[str, object]) -> bytes:
        """hashStruct of ``values``, which has exactly the fields of the type: 32 bytes."""
        return self.hash_row(self.row(values))

    def row(self, values: Mapping[str, object]) -> Sequence[object]:
        """The values of a mapping with exactly the fields of the type, in their order."""
        try:
            return self._pick(self._checked(values))
        except Fault as fault:
            raise ValidationError(fault.text(self.name)) from None

    def hash_row(self, row: Sequence[object]) -> bytes:
        """The same of the values in the order of the fields (a list or tuple)."""
        if not isinstance(row, (list, tuple)):
            raise ValidationError(f"{self.name} must be a list or tuple, got {show(row)}")
        try:
            return self._hash_row(row)
        except Fault as fault:
            raise ValidationError(fault.text(self.name)) from None

    def _hash(self, values: object) -> bytes:
        return self._hash_row(self._pick(self._checked(values)))

    def _hash_row(self, row: Sequence[object]) -> bytes:
        if len(row) != len(self.fields):
            raise Fault(f"{self.name} needs {len(self.fields)} values, got {len(row)}")
        return keccak(self.type_hash + self._join(*self._to_parts(row)))

    def _checked(self, values: object) -> Mapping[str, object]:
        """``values`` as a mapping with exactly our fields."""
        if not isinstance(values, Mapping):
            raise Fault(f"{self.name} must be a mapping, got {show(values)}")
        kinds = self._kinds
        if values.keys() != kinds.keys():
            missing = [name for name in kinds if name not in values]
            extra = [plain_name(name) for name in values if name not in kinds]
            raise Fault(
                "; ".join(
                    f"{what} {', '.join(names[:10])}"
                    for what, names in (("missing", missing), ("unknown", extra))
                    if names
                )
            )
        return values

    def from_json(self, values: object) -> dict[str, object]:
        """The values that a JSON ``message`` of this type holds. ``hash`` checks their ranges."""
        try:
            return self._convert(values, to_json=False)
        except Fault as fault:
            raise ValidationError(fault.text(self.name)) from None

    def to_json(self, values: Mapping[str, object]) -> dict[str, object]:
        """JSON form of ``values``: integers as decimal text, addresses and bytes as ``0x`` text."""
        self.hash(values)  # everything checked, so what follows only converts
        return self._convert(values, to_json=True)

    def _convert(self, values: object, *, to_json: bool) -> dict[str, object]:
        """Values of one form in the other, field by field in the order of the type."""
        checked, result = self._checked(values), {}
        for name, kind in self._kinds.items():
            try:
                result[name] = (kind.to_json if to_json else kind.from_json)(checked[name])
            except Fault as fault:
                raise fault.at("." + name) from None
        return result


def _picker(names: tuple[str, ...]) -> Callable[[Mapping[str, object]], Sequence[object]]:
    """The values of ``names`` in order; itemgetter of one name would not give a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: [values[name] for name in names]


def compile_struct(name: str, types: Mapping[str, Fields]) -> Struct:
    """The struct type ``name``, compiled. ``types`` gives the fields of it and of those it uses.

    Fields are ``(type, name)`` pairs in order. Struct types that ``name`` does not reach are
    ignored. Compiled types are kept, so asking again costs little.
    """
    if not isinstance(name, str) or not isinstance(types, Mapping) or name not in types:
        raise ValidationError(f"EIP-712 type {_quoted(name)} is not defined in types")
    try:
        frozen = tuple((each, tuple((t, n) for t, n in fields)) for each, fields in types.items())
    except (TypeError, ValueError):
        raise ValidationError("EIP-712 types must map names to (type, name) pairs") from None
    for each, fields in frozen:
        if not all(isinstance(text, str) for text in chain((each,), *fields)):
            raise ValidationError("EIP-712 types: names and types must be text")
    return _compile(name, frozen)


@lru_cache(maxsize=32)
def _compile(name: str, types: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> Struct:
    return _Compiler(dict(types)).struct(name, 0)


class _Compiler:
    """Compiles each struct type of one document once, depth first."""

    def __init__(self, types: Mapping[str, tuple[tuple[str, str], ...]]) -> None:
        self.types = types
        self.done: dict[str, Struct] = {}
        self.open: set[str] = set()
        self.budget = MAX_TYPE_TEXT

    def struct(self, name: str, depth: int) -> Struct:
        if name in self.done:
            return self.done[name]
        if name in self.open:
            raise ValidationError(f"EIP-712 type {name} contains itself: not supported")
        if depth >= MAX_DEPTH or len(self.done) + len(self.open) >= MAX_TYPES:
            raise ValidationError(
                f"EIP-712 types nested deeper than {MAX_DEPTH} or more than {MAX_TYPES} of them"
            )
        if not _NAME.match(name) or _RESERVED.match(name):
            raise ValidationError(f"EIP-712: {_quoted(name)} cannot be the name of a struct type")
        self.open.add(name)
        fields, kinds, used = self.types[name], {}, {name}
        self.charge(name, [name])
        for type_text, field in fields:
            if not _NAME.match(field):
                raise ValidationError(f"EIP-712 type {name}: bad field name {_quoted(field)}")
            if field in kinds:
                raise ValidationError(f"EIP-712 type {name} has two fields {field}")
            kinds[field], inner = self.kind(type_text, f"{name}.{field}", depth)
            used.update(inner)
        self.open.discard(name)
        order = [name, *sorted(used - {name})]
        self.charge(name, order[1:])
        encoded = "".join(
            f"{each}({','.join(f'{t} {n}' for t, n in self.types[each])})" for each in order
        )
        result = Struct(name, {each: self.types[each] for each in order}, kinds, encoded)
        self.done[name] = result
        return result

    def charge(self, name: str, types: Iterable[str]) -> None:
        """Count the text of ``types``, which encodeType of ``name`` repeats, before it is made."""
        for each in types:
            fields = self.types[each]
            self.budget -= len(each) + sum(len(t) + len(n) + 2 for t, n in fields) + 1
        if self.budget < 0:
            raise ValidationError(
                f"EIP-712 type {name} and those it uses need more than {MAX_TYPE_TEXT} characters"
            )

    def kind(self, text: str, where: str, depth: int) -> tuple[_Kind, Iterable[str]]:
        """The field type that ``text`` names, and the struct types it reaches."""
        match = _TYPE.match(text)
        if match is None:
            raise ValidationError(f"EIP-712 field {where}: bad type {_quoted(text)}")
        base, brackets = match.groups()
        lengths = brackets[1:-1].split("][") if brackets else []
        if len(lengths) > MAX_DEPTH or any(each.startswith("0") for each in lengths):
            raise ValidationError(f"EIP-712 field {where}: bad array in type {_quoted(text)}")
        used: Iterable[str] = ()
        if base in self.types:
            struct = self.struct(base, depth + 1)
            used = struct.types
            kind = _struct_kind(struct)
        else:
            try:
                kind = _atomic(base)
            except ValidationError as error:
                raise ValidationError(f"EIP-712 field {where}: {error.message}") from None
        for each in lengths:
            kind = _array(kind, int(each) if each else None)
        return kind, used


def _struct_kind(struct: Struct) -> _Kind:
    return _Kind(
        struct._hash,
        lambda values: struct._convert(values, to_json=False),
        lambda values: struct._convert(values, to_json=True),
    )


def plain_name(value: object) -> str:
    """A name from outside for a message: as it is if harmless, else escaped and cut."""
    return value if isinstance(value, str) and _NAME.match(value) else ascii(value)[:80]


def _quoted(value: object) -> str:
    return repr(value[:80]) if isinstance(value, str) else show(value)
