"""Transactions: known raw bytes, every field's limits, and strict reading."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from iexec_lite.errors import DecodingError, IExecError, SignatureError, ValidationError
from iexec_lite.eth import rlp
from iexec_lite.eth.crypto import SECP256K1_N, PrivateKey, keccak
from iexec_lite.eth.transaction import SignedTransaction, Transaction, parse

KEY = PrivateKey(b"\x11" * 32)
HUB = bytes.fromhex("3eca1b216a7df1c7689aeb259ffb83adfb894e7f")
GWEI = 10**9


def legacy(**changes: object) -> Transaction:
    base = {"nonce": 7, "gas": 100_000, "to": HUB, "value": GWEI, "data": b"", "chain_id": 134}
    return Transaction(**({"gas_price": 0} | base | changes))  # type: ignore[arg-type]


def typed(**changes: object) -> Transaction:
    fees = {"gas_price": None, "max_fee_per_gas": 40 * GWEI, "max_priority_fee_per_gas": GWEI}
    return legacy(**(fees | changes))


ACCESS = ((HUB, (b"\1" * 32, b"\2" * 32)), (bytes(20), ()))
ALL_KINDS = [
    legacy(),
    legacy(chain_id=None),
    legacy(chain_id=2**64 - 1),
    legacy(to=None, data=b"\x60\x00"),
    legacy(access_list=()),
    legacy(access_list=ACCESS, gas_price=GWEI),
    typed(),
    typed(access_list=ACCESS, chain_id=0),
    typed(nonce=0, gas=0, value=0, max_fee_per_gas=0, max_priority_fee_per_gas=0, to=bytes(20)),
    typed(nonce=2**64 - 2, gas=2**64 - 1, value=2**256 - 1, max_fee_per_gas=2**256 - 1),
]


# --- known bytes ---------------------------------------------------------------------------------


def test_zero_gas_price() -> None:
    """Signed by the JavaScript SDK; the zero price of the iExec sidechain is an empty string."""
    signed = legacy(data=bytes.fromhex("d0e30db0")).sign(KEY)
    assert signed.raw.hex() == (
        "f86a0780830186a0943eca1b216a7df1c7689aeb259ffb83adfb894e7f843b9aca0084d0e30db082012fa0"
        "700bd95c9fbac3cfdde1ec249a6205037db7ac7aeba319de2bfa343251dac3bea04a2b36edc5f6bb381868"
        "932e7042c80b1ba4194562b511e0b2889c2891ee9af7"
    )
    assert signed.v == 35 + 2 * 134 + signed.y_parity
    assert parse(signed.raw) == signed


def test_mainnet_legacy() -> None:
    signed = legacy(nonce=0, gas=21_000, value=0, gas_price=20 * GWEI, chain_id=1).sign(KEY)
    assert signed.raw.hex() == (
        "f864808504a817c800825208943eca1b216a7df1c7689aeb259ffb83adfb894e7f808025a05ee3d2093a45c3f9"
        "3a760f4279fdc543195e947bb4060bcd36cd383c08c47bd6a04d28a9dc224f0ac4aba6e92e87af5fd71ebfa457"
        "f843acc6d83ada589e26a8c2"
    )
    assert signed.hash.hex() == "89bbd14eb3a496047aa68d0d995d0e3c2a2e18c5c6d7c1cc5fabf65dfde6672b"


def test_example_of_eip155() -> None:
    tx = Transaction(
        nonce=9,
        gas=21_000,
        to=b"\x35" * 20,
        value=10**18,
        data=b"",
        chain_id=1,
        gas_price=20 * GWEI,
    )
    digest = "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert tx.signing_hash().hex() == digest
    assert tx.sign(PrivateKey(b"\x46" * 32)).raw.hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000"
        "8025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
        "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


def test_without_chain_id() -> None:
    tx = legacy(chain_id=None)
    body = [b"\7", b"", b"\1\x86\xa0", HUB, GWEI.to_bytes(4, "big"), b""]
    assert tx.signing_hash() == keccak(rlp.encode(body))
    assert tx.sign(KEY).v in (27, 28)
    assert tx.signing_hash() != legacy().signing_hash()


@pytest.mark.parametrize("tx", ALL_KINDS, ids=range(len(ALL_KINDS)))
def test_there_and_back(tx: Transaction) -> None:
    signed = tx.sign(KEY)
    read = parse(signed.raw)
    assert read == signed
    assert read.transaction == tx
    assert read.sender == signed.sender == KEY.address
    assert read.hash == keccak(signed.raw)
    assert hash(read) == hash(signed)
    assert pickle.loads(pickle.dumps(read)) == signed


def test_types() -> None:
    assert legacy().type == 0
    assert legacy(access_list=()).type == 1
    assert typed().type == 2
    assert typed() == typed(access_list=())
    assert legacy(access_list=()).sign(KEY).raw[0] == 1
    assert typed().sign(KEY).raw[0] == 2


def test_layout_of_type_2() -> None:
    items = rlp.decode(typed(access_list=ACCESS).sign(KEY).raw[1:])
    assert items[:9] == [
        b"\x86",
        b"\7",
        GWEI.to_bytes(4, "big"),
        (40 * GWEI).to_bytes(5, "big"),
        b"\1\x86\xa0",
        HUB,
        GWEI.to_bytes(4, "big"),
        b"",
        [[HUB, [b"\1" * 32, b"\2" * 32]], [bytes(20), []]],
    ]


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        legacy().nonce = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        legacy().sign(KEY).r = 1  # type: ignore[misc]
    assert replace(typed(), nonce=8) == typed(nonce=8)


# --- what cannot be built ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({name: -1}, f"{name} must be from 0") for name in ("nonce", "gas", "value")),
        *(({name: 1.0}, f"{name} must be an integer, got float") for name in ("nonce", "gas")),
        *(({name: True}, f"{name} must be an integer, got bool") for name in ("nonce", "value")),
        ({"nonce": "7"}, "nonce must be an integer, got str"),
        ({"nonce": 2**64 - 1}, "nonce must be from 0 to 0xfffffffffffffffe"),
        ({"gas": 2**64}, "gas must be from 0"),
        ({"value": 2**256}, "value must be from 0"),
        ({"value": None}, "value must be an integer"),
        ({"gas_price": -1}, "gas_price must be from 0"),
        ({"gas_price": 2**256}, "gas_price must be from 0"),
        ({"gas_price": False}, "gas_price must be an integer"),
        ({"chain_id": 0}, "chain_id must be from 1"),
        ({"chain_id": -1}, "chain_id must be from 1"),
        ({"chain_id": 2**64}, "chain_id must be from 1"),
        ({"chain_id": "134"}, "chain_id must be an integer"),
        ({"to": b""}, "to must be 20 bytes"),
        ({"to": HUB + b"\0"}, "to must be 20 bytes"),
        ({"to": "0x" + HUB.hex()}, "to must be 20 bytes"),
        ({"data": "0x"}, "data must be bytes$"),
        ({"data": None}, "data must be bytes"),
        ({"gas_price": None}, "a fee is missing"),
        ({"max_fee_per_gas": 1}, "gas_price goes without"),
        ({"max_priority_fee_per_gas": 0}, "gas_price goes without"),
        ({"access_list": (), "chain_id": None}, "chain_id must be an integer, got NoneType"),
        ({"access_list": [ACCESS[0]]}, "access_list must be a tuple of pairs"),
        ({"access_list": (HUB,)}, "access_list must be a tuple of pairs"),
        ({"access_list": ((HUB, [b"\1" * 32]),)}, "access_list must be a tuple of pairs"),
        ({"access_list": ((HUB,),)}, "access_list must be a tuple of pairs"),
        ({"access_list": ((HUB[1:], ()),)}, "an address of access_list must be 20 bytes"),
        ({"access_list": ((HUB, (b"\1",)),)}, "a storage key of access_list must be 32 bytes"),
    ],
)
def test_legacy_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        legacy(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gas_price": 1}, "gas_price goes without"),
        ({"max_fee_per_gas": None}, "a fee is missing"),
        ({"max_priority_fee_per_gas": None}, "a fee is missing"),
        ({"max_fee_per_gas": -1}, "max_fee_per_gas must be from 0"),
        ({"max_priority_fee_per_gas": 2**256}, "max_priority_fee_per_gas must be from 0"),
        ({"max_fee_per_gas": GWEI - 1}, "max_priority_fee_per_gas 1000000000 exceeds"),
        ({"chain_id": None}, "chain_id must be an integer"),
        ({"chain_id": 2**64}, "chain_id must be from 0"),
    ],
)
def test_type_2_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        typed(**changes)


def test_all_faults_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        legacy(nonce=-1, gas=-1, to=b"", data=None)
    assert len(caught.value.errors) == 4


def test_every_field_is_checked() -> None:
    """No field of a transaction takes just anything."""
    for each in fields(Transaction):
        with pytest.raises(ValidationError):
            legacy(**{each.name: object()})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_parity": 2}, "y parity must be 0 or 1, got 2"),
        ({"y_parity": 27}, "y parity must be 0 or 1, got 27"),
        ({"y_parity": True}, "y parity"),
        ({"r": 0}, "r of the signature is out of range"),
        ({"r": SECP256K1_N}, "r of the signature is out of range"),
        ({"s": 0}, "s of the signature is out of range"),
        ({"s": SECP256K1_N}, "s of the signature is out of range"),
        ({"s": SECP256K1_N // 2 + 1}, "upper half"),
        ({"r": None}, "r of the signature"),
    ],
)
def test_signature_refused(changes: dict[str, object], message: str) -> None:
    signed = legacy().sign(KEY)
    values = {"y_parity": signed.y_parity, "r": signed.r, "s": signed.s} | changes
    with pytest.raises(SignatureError, match=message):
        SignedTransaction(transaction=legacy(), **values)  # type: ignore[arg-type]


def test_the_lower_half_ends_in_the_middle() -> None:
    signed = legacy().sign(KEY)
    middle = SignedTransaction(
        transaction=legacy(), y_parity=signed.y_parity, r=signed.r, s=SECP256K1_N // 2
    )
    assert parse(middle.raw) == middle


def test_a_signature_begins_with_one() -> None:
    """The point with x = 1 is on the curve."""
    signed = SignedTransaction(transaction=legacy(), y_parity=0, r=1, s=1)
    assert parse(signed.raw) == signed


def test_a_sender_cannot_be_put_in() -> None:
    with pytest.raises(TypeError):
        SignedTransaction(transaction=legacy(), y_parity=0, r=1, s=1, _sender=HUB)  # type: ignore[call-arg]


def test_what_follows_from_the_rest_is_not_shown() -> None:
    signed = legacy().sign(KEY)
    assert signed.sender == KEY.address
    assert not [name for name in ("raw=", "hash=", "_sender=") if name in repr(signed)]


def test_another_signature_has_another_sender() -> None:
    signed = legacy().sign(KEY)
    other = SignedTransaction(
        transaction=legacy(nonce=8), y_parity=signed.y_parity, r=signed.r, s=signed.s
    )
    assert other.sender != KEY.address
    assert signed.sender == KEY.address


# --- what cannot be read -------------------------------------------------------------------------


def spelled(tx: Transaction, change: Callable[[list[rlp.Decoded]], object]) -> bytes:
    """The raw bytes of a transaction with one of its fields changed, in valid RLP."""
    raw = tx.sign(KEY).raw
    prefix = raw[:1] if tx.type else b""
    items = rlp.decode(raw[len(prefix) :])
    assert isinstance(items, list)
    change(items)
    return prefix + rlp.encode(items)


def put(place: int, value: object) -> Callable[[list[rlp.Decoded]], object]:
    return lambda items: items.__setitem__(place, value)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("tx", "change", "message"),
    [
        (legacy(), put(0, b"\0"), "nonce begins with a zero byte"),
        (legacy(), put(1, b"\0\1"), "gas_price begins with a zero byte"),
        (legacy(), put(2, b"\1" * 9), "gas must be from 0"),
        (legacy(), put(4, b"\1" * 33), "value has 33 bytes, more than 32"),
        (legacy(), put(0, b"\xff" * 8), "nonce must be from 0"),
        (legacy(), put(3, HUB[1:]), "to must be 20 bytes"),
        (legacy(), put(3, [HUB]), "to is a list"),
        (legacy(), put(5, [b""]), "data is a list"),
        (legacy(), put(2, [b""]), "gas is a list"),
        (legacy(), put(6, [b""]), "transaction: v is a list"),
        (typed(), put(6, [b""]), "value is a list"),
        (typed(), put(7, [b""]), "data is a list"),
        (legacy(), put(0, []), "nonce is a list"),
        (legacy(), put(6, b""), "v must be 27, 28, or 37 and more, got 0"),
        (legacy(), put(6, b"\1"), "v must be 27, 28, or 37 and more, got 1"),
        (legacy(), put(6, bytes((29,))), "v must be 27, 28, or 37 and more, got 29"),
        (legacy(), put(6, bytes((35,))), "v must be 27, 28, or 37 and more, got 35"),
        (legacy(), put(6, bytes((36,))), "v must be 27, 28, or 37 and more, got 36"),
        (legacy(), put(6, b"\1" * 10), "chain_id must be from 1"),
        (legacy(), put(7, b""), "r of the signature is out of range"),
        (legacy(), put(8, b"\xff" * 32), "s of the signature is out of range"),
        (legacy(), put(8, b"\0" + b"\1" * 31), "s begins with a zero byte"),
        (legacy(), put(7, (5).to_bytes(1, "big")), "no key can have made this signature"),
        (legacy(), lambda items: items.append(b""), "type 0 has 9 fields"),
        (legacy(), lambda items: items.pop(), "type 0 has 9 fields"),
        (legacy(access_list=()), put(7, b""), "access_list is not a list"),
        (legacy(access_list=()), put(8, b"\2"), "y parity must be 0 or 1, got 2"),
        (legacy(access_list=()), put(8, b"\x1b"), "y parity must be 0 or 1, got 27"),
        (legacy(access_list=()), lambda items: items.pop(), "type 1 has 11 fields"),
        (typed(), lambda items: items.append(b""), "type 2 has 12 fields"),
        (typed(), put(2, (50 * GWEI).to_bytes(5, "big")), "exceeds max_fee_per_gas"),
        (typed(), put(0, b"\0\1"), "chain_id begins with a zero byte"),
        (typed(), put(0, b"\1" * 9), "chain_id must be from 0"),
        (typed(), put(8, [b"\1"]), "an entry of access_list"),
        (typed(), put(8, [[HUB]]), "an entry of access_list"),
        (typed(), put(8, [[HUB, b""]]), "an entry of access_list"),
        (typed(), put(8, [[HUB, [], []]]), "an entry of access_list"),
        (typed(), put(8, [[HUB[1:], []]]), "an address of access_list must be 20 bytes"),
        (typed(), put(8, [[HUB, [b"\1"]]]), "a storage key of access_list must be 32 bytes"),
        (typed(), put(8, [[[HUB], []]]), "an address of access_list is a list"),
        (typed(), put(8, [[HUB, [[]]]]), "a storage key of access_list is a list"),
        (typed(), put(9, b"\0"), "y parity begins with a zero byte"),
    ],
)
def test_parse_refused(
    tx: Transaction, change: Callable[[list[rlp.Decoded]], object], message: str
) -> None:
    with pytest.raises((DecodingError, SignatureError), match=message):
        parse(spelled(tx, change))


def test_no_fields_at_all() -> None:
    with pytest.raises(DecodingError, match="type 0 has 9 fields"):
        parse(rlp.encode([]))


def test_parse_high_s() -> None:
    """The other form of a signature is another hash of the same transaction: refused (EIP-2)."""

    def flip(items: list[rlp.Decoded]) -> None:
        s = int.from_bytes(items[-1], "big")  # type: ignore[arg-type]
        items[-1] = (SECP256K1_N - s).to_bytes(32, "big").lstrip(b"\0")
        items[-3] = b"" if items[-3] else b"\1"

    with pytest.raises(SignatureError, match="upper half"):
        parse(spelled(typed(), flip))


@pytest.mark.parametrize("kind", [0, 3, 4, 0x7F, 0x80, 0xBF])
def test_parse_unknown_type(kind: int) -> None:
    with pytest.raises(DecodingError, match=f"unknown type {kind:#04x}"):
        parse(bytes((kind,)) + typed().sign(KEY).raw[1:])


@pytest.mark.parametrize("raw", [b"", "0x02", None, 2, bytearray(b"\2")])
def test_parse_takes_bytes(raw: object) -> None:
    with pytest.raises(DecodingError, match="no bytes"):
        parse(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [b"\2", b"\2\x80", b"\2\xc0", b"\1\x83abc", b"\xc0", b"\xf8"])
def test_parse_fragments(raw: bytes) -> None:
    with pytest.raises(DecodingError):
        parse(raw)


@pytest.mark.parametrize("tx", ALL_KINDS, ids=range(len(ALL_KINDS)))
def test_parse_cut_or_longer(tx: Transaction) -> None:
    raw = tx.sign(KEY).raw
    for size in range(len(raw)):
        with pytest.raises(DecodingError):
            parse(raw[:size])
    with pytest.raises(DecodingError, match="left over"):
        parse(raw + b"\0")


@pytest.mark.parametrize("tx", [legacy(), typed(access_list=ACCESS)])
def test_parse_changed_byte(tx: Transaction) -> None:
    """Any changed byte is refused, or is another transaction or by another account."""
    signed = tx.sign(KEY)
    read = 0
    for place in range(len(signed.raw)):
        raw = bytearray(signed.raw)
        raw[place] ^= 1
        try:
            other = parse(bytes(raw))
        except IExecError:
            continue
        read += 1
        assert other.raw == bytes(raw)
        assert other != signed
        assert other.sender != signed.sender or other.transaction != signed.transaction
    assert read > 30
