"""Field kinds, the record base, and values on their way from and to the ABI."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.eth import abi
from iexec_lite.frozen import field
from iexec_lite.protocol import columns
from iexec_lite.protocol.columns import (
    ADDRESS,
    BYTES,
    BYTES32,
    NRLC,
    PARAMS,
    SIGNATURE,
    STRING,
    TAG,
    UINT256,
    WEI,
    Column,
    Record,
)
from iexec_lite.protocol.values import (
    check_address,
    check_bytes,
    check_bytes32,
    check_signature,
    check_tag,
    parse_address,
    parse_bytes32,
    parse_uint,
)

ADDR = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
MAX = (1 << 256) - 1


class Sample(Record):
    who: str = field(metadata=ADDRESS)
    price: int = field(default=0, metadata=NRLC)
    note: str = field(default="", metadata={**STRING, "optional": True})


class Single(Record):
    number: int = field(metadata=UINT256)


# kind: (input, value that a record holds) for parse, then values that it refuses
READ: dict[str, tuple[Column[object], list[tuple[object, object]], list[object]]] = {
    "address": (
        ADDRESS["column"],
        [
            (ADDR, ADDR),
            (ADDR.lower(), ADDR),
            (ADDR.upper().replace("X", "x"), ADDR),
            (ADDR[2:].lower(), ADDR),
            ("0X" + ADDR[2:], ADDR),
        ],
        ["", "foo", ADDR[:-1], ADDR + "0", ADDR + "\n", None, 5, b"\x01" * 20, "x" * 10**6],
    ),
    "uint256": (
        UINT256["column"],
        [(0, 0), ("007", 7), (MAX, MAX), (str(MAX), MAX)],
        ["", "-1", -1, 1.0, True, "5.0", " 5", "0x5", "٣", None, MAX + 1, "9" * 5000, [5]],
    ),
    "nrlc": (NRLC["column"], [("5 RLC", 5 * 10**9), (7, 7)], ["", -1, 0.5, "5 gwei"]),
    "wei": (WEI["column"], [("5 gwei", 5 * 10**9), (7, 7)], ["", -1, 0.5, "5 RLC"]),
    "bytes32": (
        BYTES32["column"],
        [("0x" + "AB" * 32, "0x" + "ab" * 32), ("0X" + "00" * 32, "0x" + "00" * 32)],
        ["", "0x", "0x" + "ab" * 31, "ab" * 32, "0x" + "ab" * 32 + "\n", None, 5, b""],
    ),
    "tag": (
        TAG["column"],
        [(["tee", "gpu"], f"0x{0x101:064x}"), ("", f"0x{0:064x}")],
        ["foo", 5, None, {}, "0x1"],
    ),
    "params": (
        PARAMS["column"],
        [
            ('{"a": 1}', '{"a": 1}'),
            ({"a": 1}, '{"a":1}'),
            ([], "[]"),
            (5, "5"),
            ("{", "{"),
            ("", ""),
        ],
        ['"\ud800"', float("nan"), 1 << 60, object()],
    ),
    "signature": (SIGNATURE["column"], [("0x", "0x"), ("0xAB", "0xab")], ["", "0xa", "zz", None]),
    "bytes": (BYTES["column"], [("0xAB", "0xab")], ["", "0xa", None]),
    "string": (STRING["column"], [("é", "é"), ("", "")], [None, 5, b"x", "\ud800"]),
}


@pytest.mark.parametrize("name", READ)
def test_columns_read_write_and_pack(name: str) -> None:
    column, good, bad = READ[name]
    for given, value in good:
        assert column.parse(given) == value
        assert column.check(value) == value
        assert column.parse(column.to_json(value)) == value
        assert column.unpack(column.pack(value)) == value
        encoded = abi.encode([column.abi], [column.pack(value)])
        assert column.unpack(abi.decode([column.abi], encoded)[0]) == value
    for given in bad:
        with pytest.raises(ValidationError):
            column.parse(given)


def test_a_wrong_checksum_is_refused() -> None:
    swapped = ADDR[:2] + ADDR[2:].swapcase()
    for parse in (ADDRESS["column"].parse, ADDRESS["column"].check, columns.parse_address):
        with pytest.raises(
            ValidationError, match="is not a valid ethereum address: wrong checksum"
        ):
            parse(swapped)


def test_names_are_not_addresses() -> None:
    with pytest.raises(ValidationError, match=r"Unable to resolve ENS foo\.eth"):
        columns.parse_address("foo.eth")


def test_single_arguments_name_themselves() -> None:
    assert columns.parse_address(ADDR.lower(), "to") == ADDR
    assert columns.parse_bytes32("0x" + "AB" * 32) == "0x" + "ab" * 32
    assert columns.parse_uint("5") == 5
    for parse, text in (
        (columns.parse_address, "owner: foo is not a valid ethereum address"),
        (columns.parse_bytes32, "owner: foo is not a bytes32 hexstring"),
        (columns.parse_uint, "owner: foo is not a valid uint256"),
    ):
        with pytest.raises(ValidationError) as info:
            parse("foo", "owner")
        assert info.value.message == text


def test_address_of_a_token_id() -> None:
    assert columns.address_from_int(int(ADDR, 16)) == ADDR
    assert columns.address_from_int(0) == "0x" + "0" * 40
    for number in (-1, 1 << 160):
        with pytest.raises(ValidationError):
            columns.address_from_int(number)


def test_utc() -> None:
    assert columns.utc(0) == "1970-01-01T00:00:00+00:00"
    assert columns.utc(1 << 200) == str(1 << 200)


# --- records --------------------------------------------------------------------------------------


def test_record_reports_all_faults() -> None:
    with pytest.raises(ValidationError) as info:
        Sample(who="foo", price="5 RLC", note=5)  # type: ignore[arg-type]
    assert [error.split(":")[0] for error in info.value.errors] == ["who", "price", "note"]


def test_record_holds_plain_values() -> None:
    class Text(str):
        __slots__ = ()

    class Number(int):
        pass

    record = Sample(who=Text(ADDR), price=Number(5), note=Text("x"))
    assert [type(value) for value in record.values().values()] == [str, int, str]


def test_record_dictionaries() -> None:
    record = Sample.from_dict({"who": ADDR.lower(), "price": "1 RLC", "extra": object()})
    assert record == Sample(who=ADDR, price=10**9)
    assert record.to_dict() == {"who": ADDR, "price": "1000000000", "note": ""}
    assert record.packed() == (bytes.fromhex(ADDR[2:]), 10**9, "")
    assert Sample.field_names() == ("who", "price", "note")
    assert Sample.required_fields() == ("who",)
    with pytest.raises(ValidationError) as info:
        Sample.from_dict({"price": None})
    assert info.value.errors == ("who is a required field", "price is a required field")


def test_record_of_one_field() -> None:
    assert Single.from_dict({"number": "5"}).to_dict() == {"number": "5"}
    assert Single(number=5).packed() == (5,)


def test_copies_are_checked() -> None:
    record = Sample(who=ADDR)
    assert copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record
    rebuild, (kind, values) = record.__reduce__()  # type: ignore[misc]
    with pytest.raises(ValidationError):
        rebuild(kind, {**values, "who": "foo"})  # type: ignore[operator]


# --- ABI ------------------------------------------------------------------------------------------


def test_values_from_and_to_the_abi() -> None:
    function = abi.function(
        "f() returns ((address pointer,uint256 price)[] parts,bytes32 id,bytes data,(string,bool))"
    )
    decoded = (
        ((bytes.fromhex(ADDR[2:]), 5),),
        b"\xab" * 32,
        b"\x01",
        ("x", True),
    )
    python = [
        [{"pointer": ADDR, "price": 5}],
        "0x" + "ab" * 32,
        b"\x01",
        ("x", True),
    ]
    for kind, value, plain in zip(function.outputs, decoded, python, strict=True):
        assert columns.from_abi(kind, value) == plain
        encoded = abi.encode([kind.name], [columns.to_abi(kind, plain)])
        assert encoded == abi.encode([kind.name], [value])


def test_loose_values_to_the_abi() -> None:
    part = abi.parse_type("(address pointer,uint256 price)")
    packed = (bytes.fromhex(ADDR[2:]), 5)
    for value in (
        {"price": "5", "pointer": ADDR.lower()},
        (ADDR, 5),
        [packed[0], 5],
    ):
        assert columns.to_abi(part, value) == packed
    sample = abi.parse_type("(address who,uint256 price,string note)")
    assert columns.to_abi(sample, Sample(who=ADDR)) == (packed[0], 0, "")
    assert columns.to_abi(abi.parse_type("bytes"), "0xAB") == b"\xab"


@pytest.mark.parametrize(
    "value", [{"pointer": ADDR}, {"pointer": ADDR, "price": 5, "x": 1}, (ADDR,), None, "x"]
)
def test_tuples_must_fit(value: object) -> None:
    with pytest.raises(ValidationError, match="a tuple of"):
        columns.to_abi(abi.parse_type("(address pointer,uint256 price)"), value)


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        (check_bytes32, "bytes32 hexstring"),
        (check_tag, "valid bytes32 hexstring"),
        (check_signature, "valid signature"),
        (check_bytes, "valid hex number"),
    ],
)
def test_what_is_no_hex_is_told(check: Callable[[object], str], wanted: str) -> None:
    with pytest.raises(ValidationError, match=f"^0xq is not a {wanted}$"):
        check("0xq")


def test_a_long_text_in_place_of_an_address_is_cut() -> None:
    with pytest.raises(ValidationError, match="is not a valid ethereum address") as caught:
        check_address("0x" + "f" * 5000)
    assert len(caught.value.message) < 500


def test_the_argument_that_is_wrong_is_named() -> None:
    for parse, name in (
        (parse_address, "address"),
        (parse_bytes32, "value"),
        (parse_uint, "value"),
    ):
        with pytest.raises(ValidationError, match=f"^{name}: "):
            parse("nonsense")
