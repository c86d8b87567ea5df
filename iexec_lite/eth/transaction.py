"""Transactions: built, signed, and read back from their raw bytes.

Known are legacy ones, with a chain id (EIP-155) or without, type 1 (EIP-2930) and type 2
(EIP-1559). Every field is checked when a ``Transaction`` is made, so one that exists can be signed.
Reading is strict: refused are other types, RLP with a second spelling, leading zeros, fields of the
wrong length, a high s, and signatures that nobody can have made. Spec: chain.md §10.
"""

from __future__ import annotations

from ..errors import DecodingError, SignatureError, ValidationError
from ..frozen import Frozen, field
from . import rlp
from .crypto import SECP256K1_N, PrivateKey, keccak, public_key_to_address, recover_public_key

__all__ = ["AccessList", "SignedTransaction", "Transaction", "parse"]

AccessList = tuple[tuple[bytes, tuple[bytes, ...]], ...]

_WORD = 2**64  # ceiling of what nodes keep in 64 bits: nonce (EIP-2681), gas, chain id
_AMOUNT = 2**256
_HALF_N = SECP256K1_N // 2  # EIP-2
_FIELDS = {0: 9, 1: 11, 2: 12}  # of a signed transaction
_DYNAMIC = ("max_priority_fee_per_gas", "max_fee_per_gas")


class Transaction(Frozen):
    """What an account signs. Amounts in wei, addresses as 20 bytes, ``to`` None to create.

    The fees given decide the type: ``max_fee_per_gas`` with ``max_priority_fee_per_gas`` make type
    2, ``gas_price`` with an ``access_list`` type 1, ``gas_price`` alone a legacy transaction. Only
    a legacy one can do without ``chain_id``, and is then valid on *every* chain.
    ``access_list``: pairs of address and 32-byte storage keys. ``ValidationError`` has all faults.
    """

    nonce: int
    gas: int
    to: bytes | None
    value: int
    data: bytes
    chain_id: int | None
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    access_list: AccessList | None = None

    def __post_init__(self) -> None:
        faults = [
            *_integer_fault("nonce", self.nonce, _WORD - 1),  # EIP-2681: the last is never used
            *_integer_fault("gas", self.gas, _WORD),
            *_integer_fault("value", self.value, _AMOUNT),
            *([] if self.to is None else _bytes_fault("to", self.to, 20)),
            *([] if isinstance(self.data, bytes) else ["data must be bytes"]),
            *_fee_faults(self),
            *_chain_faults(self),
            *_access_faults(self.access_list),
        ]
        if faults:
            raise ValidationError.collect(f"transaction: {fault}" for fault in faults)
        if self.type == 2 and self.access_list is None:
            object.__setattr__(self, "access_list", ())  # the wire knows no absent list

    @property
    def type(self) -> int:
        """0 (legacy), 1 (EIP-2930) or 2 (EIP-1559)."""
        if self.gas_price is None:
            return 2
        return 0 if self.access_list is None else 1

    def signing_hash(self) -> bytes:
        """32 bytes: what is signed."""
        fields = self._fields()
        if self.type:
            return keccak(bytes((self.type,)) + rlp.encode(fields))
        if self.chain_id is not None:
            fields += [_minimal(self.chain_id), b"", b""]
        return keccak(rlp.encode(fields))

    def sign(self, key: PrivateKey) -> SignedTransaction:
        """This transaction with the signature of ``key``."""
        signature = key.sign(self.signing_hash())
        signed = SignedTransaction(
            transaction=self,
            y_parity=signature[64] - 27,
            r=int.from_bytes(signature[:32], "big"),
            s=int.from_bytes(signature[32:64], "big"),
        )
        object.__setattr__(signed, "_sender", key.address)
        return signed

    def _fields(self) -> list[rlp.Item]:
        """The RLP fields in their order, without a signature."""
        common: list[rlp.Item] = [
            _minimal(self.gas),
            self.to or b"",
            _minimal(self.value),
            self.data,
        ]
        if self.type == 0:
            return [_minimal(self.nonce), _minimal(self.gas_price), *common]
        fees = (self.gas_price,)
        if self.type == 2:
            fees = (self.max_priority_fee_per_gas, self.max_fee_per_gas)  # type: ignore[assignment]
        head = [self.chain_id, self.nonce, *fees]
        return [*(_minimal(number) for number in head), *common, self.access_list or ()]


class SignedTransaction(Frozen):
    """A transaction and a signature: ``y_parity`` 0 or 1, ``r`` and low ``s`` as integers.

    ``raw`` is what a node takes, ``hash`` (32 bytes) its Keccak. ``SignatureError`` for values out
    of range; ``sender`` raises it where no account can have made the signature.
    """

    transaction: Transaction
    y_parity: int
    r: int
    s: int
    raw: bytes = field(init=False, repr=False)
    hash: bytes = field(init=False, repr=False)
    _sender: bytes | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (_is_int(self.y_parity) and self.y_parity in (0, 1)):
            raise SignatureError(f"transaction: y parity must be 0 or 1, got {self.y_parity!r}")
        if not (_is_int(self.r) and 0 < self.r < SECP256K1_N):
            raise SignatureError("transaction: r of the signature is out of range")
        if not (_is_int(self.s) and 0 < self.s < SECP256K1_N):
            raise SignatureError("transaction: s of the signature is out of range")
        if self.s > _HALF_N:
            raise SignatureError("transaction: s of the signature is in the upper half (EIP-2)")
        transaction = self.transaction
        numbers = [_minimal(number) for number in (self.v, self.r, self.s)]
        body = rlp.encode([*transaction._fields(), *numbers])
        raw = bytes((transaction.type,)) + body if transaction.type else body
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "hash", keccak(raw))

    @property
    def v(self) -> int:
        """The number on the wire: y parity, 27 + y parity, or 35 + 2·chain id + y parity."""
        if self.transaction.type:
            return self.y_parity
        chain_id = self.transaction.chain_id
        return self.y_parity + (27 if chain_id is None else 35 + 2 * chain_id)

    @property
    def sender(self) -> bytes:
        """20 bytes: the account that signed, recovered once."""
        sender = self._sender
        if sender is None:
            signature = (
                self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes((self.y_parity,))
            )
            digest = self.transaction.signing_hash()
            sender = public_key_to_address(recover_public_key(digest, signature, strict=True))
            object.__setattr__(self, "_sender", sender)
        return sender


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer_fault(name: str, value: object, ceiling: int, floor: int = 0) -> list[str]:
    if not _is_int(value):
        return [f"{name} must be an integer, got {type(value).__name__}"]
    assert isinstance(value, int)  # noqa: S101
    if not floor <= value < ceiling:
        return [f"{name} must be from {floor} to {hex(ceiling - 1)}, got {hex(value)}"]
    return []


def _bytes_fault(name: str, value: object, length: int) -> list[str]:
    if isinstance(value, bytes) and len(value) == length:
        return []
    return [f"{name} must be {length} bytes"]


def _fee_faults(tx: Transaction) -> list[str]:
    priority, maximum = tx.max_priority_fee_per_gas, tx.max_fee_per_gas
    if tx.gas_price is not None:
        if priority is not None or maximum is not None:
            return [f"gas_price goes without {' and '.join(_DYNAMIC)}: give one or the others"]
        return _integer_fault("gas_price", tx.gas_price, _AMOUNT)
    if priority is None or maximum is None:
        return [f"a fee is missing: give gas_price, or {' and '.join(_DYNAMIC)}"]
    faults = [
        *_integer_fault(_DYNAMIC[0], priority, _AMOUNT),
        *_integer_fault(_DYNAMIC[1], maximum, _AMOUNT),
    ]
    if not faults and priority > maximum:
        return [f"{_DYNAMIC[0]} {priority} exceeds {_DYNAMIC[1]} {maximum}"]
    return faults


def _chain_faults(tx: Transaction) -> list[str]:
    if tx.type:
        return _integer_fault("chain_id", tx.chain_id, _WORD)
    # A legacy 0 would be taken by other libraries for "no chain id", valid everywhere.
    return [] if tx.chain_id is None else _integer_fault("chain_id", tx.chain_id, _WORD, 1)


def _access_faults(access_list: object) -> list[str]:
    if access_list is None:
        return []
    shape = "access_list must be a tuple of pairs (address, tuple of storage keys)"
    if not isinstance(access_list, tuple):
        return [shape]
    for entry in access_list:
        if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], tuple)):
            return [shape]
        faults = _bytes_fault("an address of access_list", entry[0], 20)
        for key in entry[1]:
            faults += _bytes_fault("a storage key of access_list", key, 32)
        if faults:
            return faults[:1]
    return []


def _minimal(number: int | None) -> bytes:
    """Big-endian without leading zeros; 0 is empty. Checked fields are never None here."""
    assert number is not None  # noqa: S101
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


# --- reading -------------------------------------------------------------------------------------


def parse(raw: bytes) -> SignedTransaction:
    """The signed transaction of raw bytes, its sender recovered.

    ``DecodingError`` for what is no transaction, or another spelling of one; ``SignatureError`` for
    one whose signature nobody can have made.
    """
    if not isinstance(raw, bytes) or not raw:
        raise DecodingError("transaction: no bytes")
    kind = 0 if raw[0] >= 0xC0 else raw[0]
    if kind not in _FIELDS or raw[0] == 0:
        raise DecodingError(
            f"transaction: unknown type {raw[0]:#04x} (legacy, type 1 and type 2 are known)"
        )
    items = rlp.decode(raw[1:] if kind else raw)
    if not isinstance(items, list) or len(items) != _FIELDS[kind]:
        raise DecodingError(f"transaction: type {kind} has {_FIELDS[kind]} fields")
    try:
        signed = _typed(kind, items) if kind else _legacy(items)
        _ = signed.sender
    except (SignatureError, DecodingError):
        raise
    except ValidationError as error:
        raise DecodingError(error.message, errors=error.errors, cause=error) from error
    return signed


def _legacy(items: list[rlp.Decoded]) -> SignedTransaction:
    nonce, gas_price, gas = (
        _number(item, name)
        for item, name in zip(items, ("nonce", "gas_price", "gas"), strict=False)
    )
    v = _number(items[6], "v")
    if v not in (27, 28) and v < 37:  # 35 and 36 would be chain id 0; the rest is nothing
        raise SignatureError(f"transaction: v must be 27, 28, or 37 and more, got {v}")
    transaction = Transaction(
        nonce=nonce,
        gas_price=gas_price,
        gas=gas,
        to=_to(items[3]),
        value=_number(items[4], "value"),
        data=_bytes(items[5], "data"),
        chain_id=None if v < 37 else (v - 35) // 2,
    )
    return _signed(transaction, v - 27 if v < 37 else (v - 35) % 2, items[7:])


def _typed(kind: int, items: list[rlp.Decoded]) -> SignedTransaction:
    names = ["chain_id", "nonce", *(_DYNAMIC if kind == 2 else ["gas_price"]), "gas"]
    numbers = {name: _number(item, name) for name, item in zip(names, items, strict=False)}
    to, value, data, access_list, y_parity, *rest = items[len(names) :]
    transaction = Transaction(
        chain_id=numbers["chain_id"],
        nonce=numbers["nonce"],
        gas=numbers["gas"],
        gas_price=numbers.get("gas_price"),
        max_fee_per_gas=numbers.get("max_fee_per_gas"),
        max_priority_fee_per_gas=numbers.get("max_priority_fee_per_gas"),
        to=_to(to),
        value=_number(value, "value"),
        data=_bytes(data, "data"),
        access_list=_access_list(access_list),
    )
    return _signed(transaction, _number(y_parity, "y parity"), rest)


def _signed(transaction: Transaction, y_parity: int, rest: list[rlp.Decoded]) -> SignedTransaction:
    r, s = (_number(item, name) for item, name in zip(rest, "rs", strict=True))
    return SignedTransaction(transaction=transaction, y_parity=y_parity, r=r, s=s)


def _bytes(item: rlp.Decoded, name: str) -> bytes:
    if not isinstance(item, bytes):
        raise DecodingError(f"transaction: {name} is a list, not bytes")
    return item


def _number(item: rlp.Decoded, name: str) -> int:
    number = _bytes(item, name)
    if len(number) > 32:
        raise DecodingError(f"transaction: {name} has {len(number)} bytes, more than 32")
    if number[:1] == b"\0":
        raise DecodingError(f"transaction: {name} begins with a zero byte")
    return int.from_bytes(number, "big")


def _to(item: rlp.Decoded) -> bytes | None:
    return _bytes(item, "to") or None


def _access_list(item: rlp.Decoded) -> AccessList:
    """Lists made tuples; what is in them is checked by ``Transaction``."""
    if not isinstance(item, list):
        raise DecodingError("transaction: access_list is not a list")
    entries = []
    for entry in item:
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], list):
            raise DecodingError("transaction: an entry of access_list is not (address, keys)")
        keys = tuple(_bytes(key, "a storage key of access_list") for key in entry[1])
        entries.append((_bytes(entry[0], "an address of access_list"), keys))
    return tuple(entries)
