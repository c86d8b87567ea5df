"""The kinds of field that iExec's records have, and the record base that runs them.

A ``Column`` is one kind: how a value is read (``parse``, loose: JSON and user input), what its one
form above the wire is (``check``), its JSON (``to_json``) and its bytes (``pack``, ``unpack``).
Forms: address = EIP-55 ``str``, bytes32 and other bytes = lower-case ``0x`` ``str``, amounts and
other integers = ``int``. ``Record`` runs the columns of a dataclass and reports all faults at
once. Refused: wrong address checksums, empty numbers, floats, anything beyond uint256.
Spec: chain.md §12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import ValidationError
from ..eth.codec import checksum_address, to_hex
from ..frozen import Field, Frozen, fields, row_of, unchecked
from .units import parse_eth, parse_rlc, shown
from .values import (
    address_from_int,
    check_address,
    check_amount,
    check_bytes,
    check_bytes32,
    check_signature,
    check_string,
    check_tag,
    check_uint,
    parse_address,
    parse_bytes32,
    parse_uint,
    read_params_text,
    read_tag,
    read_uint,
    utc,
)

if TYPE_CHECKING:
    from ..eth.abi_types import AbiType

__all__ = [
    "ADDRESS",
    "BYTES",
    "BYTES32",
    "CATID",
    "NRLC",
    "PARAMS",
    "SIGNATURE",
    "STRING",
    "TAG",
    "UINT256",
    "WEI",
    "Column",
    "Record",
    "address_from_int",
    "column_of",
    "from_abi",
    "parse_address",
    "parse_bytes32",
    "parse_uint",
    "to_abi",
    "utc",
]

T = TypeVar("T")
R = TypeVar("R", bound="Record")


class Column(Frozen, Generic[T], kw_only=False):
    """One kind of field; ``T`` is the Python type of its values.

    ``parse`` takes what JSON files, services and people write; ``check`` only the value itself
    (letter case of hex is mended); both give the normal form or raise ValidationError. ``pack`` and
    ``unpack`` go to and from the form of ``eth`` (addresses 20 bytes), for Solidity type ``abi``.
    """

    abi: str
    parse: Callable[[object], T]
    check: Callable[[object], T]
    to_json: Callable[[T], object]
    pack: Callable[[T], object]
    unpack: Callable[[object], T]


# --- the kinds ------------------------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _pack_hex(value: str) -> bytes:
    return bytes.fromhex(value[2:])


_pack_repeated = lru_cache(maxsize=4096)(_pack_hex)  # addresses and tags come again and again


def _unpack_hex(value: object) -> str:
    return to_hex(value)  # type: ignore[arg-type]  # the ABI decoder made it


def _unpack_address(value: object) -> str:
    return checksum_address(value)


def _kind(column: Column[Any]) -> Mapping[str, Column[Any]]:
    return {"column": column}


ADDRESS = _kind(
    Column("address", check_address, check_address, _same, _pack_repeated, _unpack_address)
)
UINT256 = _kind(Column("uint256", read_uint, check_uint, str, _same, check_uint))
CATID = UINT256
NRLC = _kind(Column("uint256", parse_rlc, check_amount, str, _same, check_uint))
WEI = _kind(Column("uint256", parse_eth, check_amount, str, _same, check_uint))
BYTES32 = _kind(Column("bytes32", check_bytes32, check_bytes32, _same, _pack_hex, _unpack_hex))
TAG = _kind(Column("bytes32", read_tag, check_tag, _same, _pack_repeated, _unpack_hex))
PARAMS = _kind(Column("string", read_params_text, check_string, _same, _same, check_string))
SIGNATURE = _kind(Column("bytes", check_signature, check_signature, _same, _pack_hex, _unpack_hex))
BYTES = _kind(Column("bytes", check_bytes, check_bytes, _same, _pack_hex, _unpack_hex))
STRING = _kind(Column("string", check_string, check_string, _same, _same, check_string))


# --- records --------------------------------------------------------------------------------------


def column_of(item: Field) -> Column[Any]:
    """The column of a record's field."""
    column = item.metadata["column"]
    assert isinstance(column, Column)  # noqa: S101  # a mistake in a class of ours
    return column


class _Plan:
    """What ``Record`` needs of one class, looked up once."""

    def __init__(self, cls: type[Record]) -> None:
        items = fields(cls)
        self.names = tuple(item.name for item in items)
        self.columns = tuple(map(column_of, items))
        self.optional = frozenset(item.name for item in items if item.metadata.get("optional"))
        self.required = tuple(item.name for item in items if item.required)
        pairs = tuple(zip(self.names, self.columns, strict=True))
        self.parsers = {name: column.parse for name, column in pairs}
        self.checks = tuple((name, column.check) for name, column in pairs)
        # Most values are their own JSON: the others are converted.
        self.writers = tuple((n, c.to_json) for n, c in pairs if c.to_json is not _same)
        self.pack = _packer(pairs)
        self.addresses = tuple(name for name, column in pairs if column.abi == "address")
        self.row = row_of(self.names)


def _packer(pairs: Sequence[tuple[str, Column[Any]]]) -> Callable[[Record], tuple[object, ...]]:
    """``lambda record: (record.volume, pack1(record.app), …)`` of these fields.

    Written out, as a loop over the columns takes twice as long, a fifth of encoding an order.
    """
    packs = {f"pack{i}": column.pack for i, (_, column) in enumerate(pairs)}
    values = (
        f"record.{name}" if column.pack is _same else f"pack{i}(record.{name})"
        for i, (name, column) in enumerate(pairs)
    )
    made: Any = eval(f"lambda record: ({', '.join(values)},)", packs)  # noqa: S307  # names of fields
    return made  # type: ignore[no-any-return]


_PLANS: dict[type[Record], _Plan] = {}


def _plan(cls: type[Record]) -> _Plan:
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = _Plan(cls)
    return plan


class Record(Frozen):
    """Base of the records made of columns.

    A record that exists is valid: construction runs every column's ``check`` and raises one
    ValidationError with all faults. A field whose metadata says ``"optional": True`` may be absent
    from ``from_dict``.
    """

    def __post_init__(self) -> None:
        plan = _plan(type(self))
        faults = []
        for (name, check), value in zip(plan.checks, plan.row(self), strict=True):
            try:
                normal = check(value)
            except ValidationError as error:
                faults.append(f"{name}: {error.message}")
            else:
                if normal is not value:
                    object.__setattr__(self, name, normal)
        if faults:
            raise ValidationError.collect(faults)

    @classmethod
    def of_normal(cls: type[R], values: Mapping[str, object]) -> R:
        """The record of values in normal form, which only a column's ``parse`` or ``check`` gives.

        Fields without a value have their default. They are not checked again: half the time of
        making an order would go there.
        """
        return unchecked(cls, values)

    @classmethod
    def fields(cls) -> Iterator[tuple[str, Column[Any]]]:
        """Names and columns, in order."""
        plan = _plan(cls)
        return zip(plan.names, plan.columns, strict=True)

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return _plan(cls).names

    @classmethod
    def address_fields(cls) -> tuple[str, ...]:
        """Names of the fields that hold an address, in order."""
        return _plan(cls).addresses

    @classmethod
    def required_fields(cls) -> tuple[str, ...]:
        """Names of the fields without a default, in order."""
        return _plan(cls).required

    def values(self) -> dict[str, Any]:
        """The values by field name, as they are."""
        plan = _plan(type(self))
        return dict(zip(plan.names, plan.row(self), strict=True))

    @classmethod
    def from_dict(cls: type[R], data: Mapping[str, object] | Record) -> R:
        """The record of a JSON object (V6 or marketplace form), or of another record.

        Numbers may be numbers or decimal text, amounts may have a unit. Members that the record
        does not have are ignored: services add their own. ``null`` counts as absent.
        """
        if type(data) is cls:
            return data
        if isinstance(data, Record):
            data = data.to_dict()
        if not isinstance(data, Mapping):
            raise ValidationError(
                f"this must be a `object` type, but the final value was: `{shown(data)}`"
            )
        plan = _plan(cls)
        given = {name: data[name] for name in plan.names if data.get(name) is not None}
        missing = [name for name in plan.names if name not in given and name not in plan.optional]
        values, faults = cls.parse_values(given)
        faults.extend(f"{name} is a required field" for name in missing)
        if faults:
            raise ValidationError.collect(faults)
        return cls.of_normal(values)

    @classmethod
    def parse_values(cls, given: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]:
        """Normal form of loose field values, and the faults of those that have none."""
        values, faults = {}, []
        parsers = _plan(cls).parsers
        for name, value in given.items():
            if name in parsers:
                try:
                    values[name] = parsers[name](value)
                except ValidationError as error:
                    faults.append(f"{name}: {error.message}")
        return values, faults

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON object: integers as decimal text, members in the order of the fields."""
        plan = _plan(type(self))
        result = dict(zip(plan.names, plan.row(self), strict=True))
        for name, write in plan.writers:
            result[name] = write(result[name])
        return result

    def packed(self) -> tuple[object, ...]:
        """The values in the form of ``eth``, in order: a row for ABI or EIP-712 encoding."""
        return _plan(type(self)).pack(self)


# --- ABI values -----------------------------------------------------------------------------------


def from_abi(kind: AbiType, value: object) -> object:
    """Python form of a decoded ABI value.

    Addresses become EIP-55 text, fixed bytes ``0x`` text, tuples dictionaries by component name
    (tuples where components have no names), arrays lists; the rest stays, ``bytes`` too.
    """
    if kind.kind == "address":
        return checksum_address(value)
    if kind.kind == "fixed_bytes":
        return to_hex(value)  # type: ignore[arg-type]
    if kind.kind == "array":
        assert kind.item is not None  # noqa: S101  # arrays have an item type
        return [from_abi(kind.item, item) for item in value]  # type: ignore[attr-defined]
    if kind.kind == "tuple":
        pairs = list(zip(kind.components, value, strict=True))  # type: ignore[call-overload]
        if all(part.label for part in kind.components):
            return {part.label: from_abi(part, item) for part, item in pairs}
        return tuple(from_abi(part, item) for part, item in pairs)
    return value


def to_abi(kind: AbiType, value: object) -> object:
    """Form of ``eth`` of a Python value: the way back of ``from_abi``.

    Bytes may also be ``0x`` text; a tuple may be a mapping by component name, a record, or a
    sequence; integers may be decimal text. Ranges are the encoder's to check.
    """
    if isinstance(value, Record) and kind.kind == "tuple":
        return value.packed()
    if kind.kind == "tuple":
        return tuple(
            to_abi(part, item)
            for part, item in zip(kind.components, _row(kind, value), strict=True)
        )
    if kind.kind == "address":
        return value if isinstance(value, bytes) else _pack_repeated(check_address(value))
    if kind.kind in ("fixed_bytes", "bytes"):
        return _pack_hex(check_bytes(value)) if isinstance(value, str) else value
    if kind.kind == "uint" and isinstance(value, str):
        return read_uint(value)
    if kind.kind == "array" and kind.item is not None and isinstance(value, (list, tuple)):
        return [to_abi(kind.item, item) for item in value]
    return value


def _row(kind: AbiType, value: object) -> list[object]:
    """The components of a tuple value, in order."""
    labels = [part.label for part in kind.components]
    if isinstance(value, Mapping):
        if set(value) != set(labels):
            raise ValidationError(f"a tuple of exactly {', '.join(labels)} is needed")
        return [value[label] for label in labels]
    if isinstance(value, (list, tuple)) and len(value) == len(labels):
        return list(value)
    raise ValidationError(f"a tuple of {len(labels)} values is needed, got {shown(value)}")
