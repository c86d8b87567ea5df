"""EIP-712 typed data: domain, message, digest, and the JSON document that wallets sign.

The digest is ``keccak256(0x1901 ‖ domain separator ‖ hashStruct(message))``. Orders, login
challenges and documents of others all go through ``Struct`` (``eip712_types``), values strictly
typed. ``from_dict`` and ``to_dict`` are the JSON of ``eth_signTypedData_v4``. Of the domain, only
the fields that ``types.EIP712Domain`` lists are hashed: a service may send others empty. Refused:
domains with fields other than the five of the standard or in another order, ``EIP712Domain`` as
primary type, unknown members. Spec: EIP-712; chain.md §2.1, §2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from ..errors import ValidationError
from ..frozen import Frozen, field
from .crypto import keccak
from .eip712_types import Struct, compile_struct, plain_name

__all__ = ["Domain", "Struct", "TypedData", "compile_struct", "hash_typed_data", "typed_digest"]

_DOMAIN = "EIP712Domain"
_DOMAIN_FIELDS = {  # JSON name: type, in the order of the standard
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
_ATOMS = frozenset({bool, bytes, int, str})
_SAFE_INTEGER = (1 << 53) - 1  # the largest that every JSON reader keeps exactly


@lru_cache(maxsize=32)
def _domain_struct(names: tuple[str, ...]) -> Struct:
    return compile_struct(_DOMAIN, {_DOMAIN: [(_DOMAIN_FIELDS[name], name) for name in names]})


class Domain(Frozen, kw_only=False):
    """For which application, version, chain and contract a signature is.

    ``chain_id`` is ``int``, ``verifying_contract`` 20 bytes, ``salt`` 32 bytes. ``None`` leaves the
    field out of the type. ``separator`` is the hash, 32 bytes.
    """

    name: str | None = None
    version: str | None = None
    chain_id: int | None = None
    verifying_contract: bytes | None = None
    salt: bytes | None = None
    separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = self._values()
        separator = _domain_struct(tuple(values)).hash(values)
        object.__setattr__(self, "separator", separator)

    def _values(self) -> dict[str, object]:
        row = (self.name, self.version, self.chain_id, self.verifying_contract, self.salt)
        fields = zip(_DOMAIN_FIELDS, row, strict=True)
        return {name: value for name, value in fields if value is not None}

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The ``(type, name)`` pairs of the fields that are hashed."""
        return tuple((_DOMAIN_FIELDS[name], name) for name in self._values())

    def to_dict(self) -> dict[str, object]:
        """JSON form. ``chainId`` is a number, as wallets compare it with the network's."""
        values = self._values()
        result = _domain_struct(tuple(values)).to_json(values)
        if self.chain_id is not None and self.chain_id <= _SAFE_INTEGER:
            result["chainId"] = int(self.chain_id)
        return result

    @classmethod
    def from_dict(cls, json: object, fields: object = None) -> Domain:
        """Domain of a JSON object.

        ``fields`` is the list under ``types.EIP712Domain`` (``{"name": …, "type": …}`` each): these
        are hashed, whatever else the object holds. Without it, all that the object holds.
        """
        if not isinstance(json, Mapping):
            raise ValidationError("EIP-712 domain must be an object")
        if fields is None:
            names = tuple(name for name in _DOMAIN_FIELDS if name in json)
            unknown = [plain_name(name) for name in json if name not in _DOMAIN_FIELDS]
            if unknown:
                raise ValidationError(f"EIP-712 domain: unknown fields {', '.join(unknown[:10])}")
        else:
            names = _listed(fields)
        missing = [name for name in names if json.get(name) is None]
        if missing:
            raise ValidationError(f"EIP-712 domain: missing {', '.join(missing)}")
        values = _domain_struct(names).from_json({name: json[name] for name in names})
        return cls(*(values.get(name) for name in _DOMAIN_FIELDS))  # type: ignore[arg-type]


def _listed(fields: object) -> tuple[str, ...]:
    """Names of the fields that ``types.EIP712Domain`` lists, if they are the standard's."""
    pairs = _read_fields(_DOMAIN, fields)
    known = [(kind, name) for name, kind in _DOMAIN_FIELDS.items() if (kind, name) in pairs]
    if pairs != known:
        raise ValidationError(
            f"{_DOMAIN}: only the fields {', '.join(_DOMAIN_FIELDS)}, in this order and with their "
            "standard types, are supported"
        )
    return tuple(name for _, name in pairs)


def _read_fields(name: object, fields: object) -> list[tuple[str, str]]:
    """``(type, name)`` pairs of one entry of a JSON document's ``types``."""
    what = f"EIP-712 types: {plain_name(name)} must be a list of {{name, type}} objects of text"
    if not isinstance(fields, (list, tuple)):
        raise ValidationError(what)
    pairs = []
    for item in fields:
        if not isinstance(item, Mapping) or set(item) != {"name", "type"}:
            raise ValidationError(what)
        kind, label = item["type"], item["name"]
        if not isinstance(kind, str) or not isinstance(label, str):
            raise ValidationError(what)
        pairs.append((kind, label))
    return pairs


def typed_digest(domain: Domain, struct_hash: bytes) -> bytes:
    """What is signed of a message with this hashStruct: 32 bytes."""
    return keccak(b"\x19\x01" + domain.separator + struct_hash)


class TypedData:
    """A message of type ``struct`` for ``domain``: what a signer signs.

    ``message`` maps field names to values of ``eth``; it is checked, copied and hashed here, so
    ``digest`` (32 bytes) and ``message`` always agree.
    """

    __slots__ = ("_row", "digest", "domain", "struct")
    struct: Struct
    domain: Domain
    digest: bytes
    _row: tuple[object, ...]

    def __init__(self, struct: Struct, domain: Domain, message: Mapping[str, object]) -> None:
        self._fill(struct, domain, struct.row(message))

    @classmethod
    def of_row(cls, struct: Struct, domain: Domain, row: Sequence[object]) -> TypedData:
        """The same of the message's values in the order of the type's fields."""
        data = cls.__new__(cls)
        data._fill(struct, domain, row)
        return data

    def _fill(self, struct: Struct, domain: Domain, row: Sequence[object]) -> None:
        if struct.name == _DOMAIN:
            raise ValidationError(f"EIP-712: the primary type cannot be {_DOMAIN}")
        hashed = struct.hash_row(row)
        put = super().__setattr__
        put("struct", struct)
        put("domain", domain)
        put("_row", tuple(row) if _ATOMS.issuperset(map(type, row)) else _frozen(row))
        put("digest", typed_digest(domain, hashed))

    @property
    def message(self) -> Mapping[str, object]:
        """The values by the names of the fields; nobody can change them."""
        return MappingProxyType(dict(zip(self.struct.fields, self._row, strict=True)))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("typed data cannot be changed: its digest would not fit")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("typed data cannot be changed: its digest would not fit")

    def __repr__(self) -> str:
        return f"<typed data {self.struct.name} for {self.domain!r}>"

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, TypedData) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[object, ...]:
        return TypedData, (self.struct, self.domain, _thawed(self.message))

    def to_dict(self) -> dict[str, object]:
        """JSON document for ``eth_signTypedData_v4``; integers are decimal text."""
        types = {_DOMAIN: self.domain.fields, **self.struct.types}
        return {
            "types": {
                name: [{"name": label, "type": kind} for kind, label in fields]
                for name, fields in types.items()
            },
            "primaryType": self.struct.name,
            "domain": self.domain.to_dict(),
            "message": self.struct.to_json(self.message),
        }

    @classmethod
    def from_dict(cls, json: object) -> TypedData:
        """Typed data of a JSON document with ``types``, ``primaryType``, ``domain``, ``message``.

        Addresses are ``0x`` text (a mixed-case one with its right checksum), bytes ``0x`` text,
        integers numbers or decimal or ``0x`` text; nothing else is converted. Without
        ``types.EIP712Domain``, all fields of ``domain`` are hashed.
        """
        wanted = ("types", "primaryType", "domain", "message")
        if not isinstance(json, Mapping) or set(json) != set(wanted):
            raise ValidationError(f"typed data must be an object of exactly {', '.join(wanted)}")
        types, primary = json["types"], json["primaryType"]
        if not isinstance(types, Mapping) or not isinstance(primary, str):
            raise ValidationError("typed data: types must be an object, primaryType text")
        if primary == _DOMAIN:
            raise ValidationError(f"EIP-712: the primary type cannot be {_DOMAIN}")
        read = {name: _read_fields(name, fields) for name, fields in types.items()}
        read.pop(_DOMAIN, None)
        struct = compile_struct(primary, read)
        domain = Domain.from_dict(json["domain"], types.get(_DOMAIN))
        return cls(struct, domain, struct.from_json(json["message"]))


def _frozen(value: object) -> object:
    """A copy that nobody can change; the depth is that of the type, which is bounded."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(inner) for name, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(inner) for inner in value)
    return bytes(value) if isinstance(value, bytearray) else value


def _thawed(value: object) -> object:
    """Plain dictionaries again, which can be pickled."""
    if isinstance(value, Mapping):
        return {name: _thawed(inner) for name, inner in value.items()}
    return tuple(_thawed(inner) for inner in value) if isinstance(value, tuple) else value


def hash_typed_data(document: Mapping[str, object] | TypedData) -> bytes:
    """The digest to sign, 32 bytes, of typed data or of its JSON document (read strictly)."""
    data = document if isinstance(document, TypedData) else TypedData.from_dict(document)
    return data.digest
