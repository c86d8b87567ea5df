"""ABI: types, layout, strictness, hostile data, events, reverts."""

from __future__ import annotations

import enum
import time

import pytest

from iexec_lite.errors import DecodingError, ValidationError
from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak

HUB = from_hex("0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f")
KEY = from_hex("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a")
SALT = b"\x22" * 32
SIGN = b"\x55" * 65
NO_ADDRESS = bytes(20)
NO_WORD = bytes(32)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big", signed=value < 0)


def words(*values: int | bytes) -> bytes:
    return b"".join(
        value.ljust(32, b"\0") if isinstance(value, bytes) else word(value) for value in values
    )


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("uint", "uint256"),
        ("int[]", "int256[]"),
        ("uint8", "uint8"),
        ("bytes1", "bytes1"),
        ("function", "function"),
        ("address payable", "address"),
        ("(address pointer, uint price)", "(address,uint256)"),
        ("tuple(uint a, tuple(bool b)[] c)[2][]", "(uint256,(bool)[])[2][]"),
        (" ( string ,bytes ) [ 3 ] ", "(string,bytes)[3]"),
        ("()", "()"),
        ("uint256[0]", "uint256[0]"),
    ],
)
def test_type_text(text: str, name: str) -> None:
    if text == "address payable":
        assert abi.function(f"f({text} to)").inputs[0].name == name
    else:
        assert abi.parse_type(text).name == name


def test_type_structure() -> None:
    kind = abi.parse_type("(address owner, uint8[2][] grid, (bool) inner)[3]")
    assert (kind.kind, kind.length, kind.dynamic, kind.head_size) == ("array", 3, True, 32)
    assert kind.item is not None
    owner, grid, inner = kind.item.components
    assert [owner.label, grid.label, inner.label] == ["owner", "grid", "inner"]
    assert (grid.kind, grid.length, grid.dynamic) == ("array", None, True)
    assert grid.item is not None
    assert (grid.item.length, grid.item.head_size, grid.item.dynamic) == (2, 64, False)
    assert grid.item.item is not None
    assert (grid.item.item.kind, grid.item.item.size) == ("uint", 8)
    assert (inner.kind, inner.head_size) == ("tuple", 32)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a name"),
        ("uint7", "unknown ABI type 'uint7'"),
        ("uint08", "unknown"),
        ("uint0", "unknown"),
        ("uint264", "unknown"),
        ("bytes33", "unknown"),
        ("bytes40", "unknown"),
        ("bytes0", "unknown"),
        ("byte", "unknown"),
        ("fixed", "fixed-point"),
        ("ufixed128x18", "fixed-point"),
        ("uint256[", "unexpected '['"),
        ("uint256[-1]", "unexpected"),
        ("uint256[01]", "leading zero"),
        ("uint256[99999999999]", "more than"),
        ("uint256[0][]", "zero size"),
        ("()[]", "zero size"),
        ("(uint256[0],())[1000000]", "zero size"),
        ("(uint256", "expected ')'"),
        ("(uint256,)", "expected a name"),
        ("uint256 a b", "unexpected 'a'"),
        ("(uint256 a b)", "unexpected 'b'"),
        ("uint256)", "unexpected ')'"),
        ("uint²", "unexpected"),
        ("(" * 40 + "uint256" + ")" * 40, "deeper"),
        ("uint256" + "[]" * 40, "deeper"),
        ("uint256" + "[]" * 40_000, "longer than"),
    ],
)
def test_bad_type_text_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        abi.parse_type(text)
    assert reason in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("last", "beyond"),
    [
        ("bool" + " " * 65_532, "bool" + " " * 65_533),
        ("bool[4294967296]", "bool[4294967297]"),
        ("bool" + "[]" * 32, "bool" + "[]" * 33),
        ("(" * 32 + "bool" + ")" * 32, "(" * 33 + "bool" + ")" * 33),
    ],
    ids=["text", "length", "arrays", "tuples"],
)
def test_types_at_the_limits(last: str, beyond: str) -> None:
    assert abi.parse_type(last).name == last.rstrip()
    with pytest.raises(ValidationError, match=r"longer than|more than|deeper than"):
        abi.parse_type(beyond)


def test_deepest_type_works() -> None:
    text = "(" * 31 + "uint256" + ")" * 31  # the row of values is a level too
    value: object = 7
    for _ in range(31):
        value = (value,)
    assert abi.decode([text], abi.encode([text], [value])) == (value,)


@pytest.mark.parametrize("text", [7, b"bool", None])
def test_what_is_no_text_is_no_type(text: object) -> None:
    with pytest.raises(ValidationError, match="must be str"):
        abi.parse_type(text)  # type: ignore[arg-type]


def test_a_long_text_is_cut_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        abi.parse_type("uint256" + "[x" * 1000)
    assert "…'" in caught.value.message
    assert len(caught.value.message) < 300


# --- declarations ---------------------------------------------------------------------------------


def test_function_text() -> None:
    view = abi.function(
        "function viewDeal(bytes32 dealid) external view returns "
        "((address pointer, uint256 price) app, uint256 trust);"
    )
    assert view.name == "viewDeal"
    assert view.signature == "viewDeal(bytes32)"
    assert to_hex(view.selector) == "0xb74861b2"
    assert [item.label for item in view.inputs] == ["dealid"]
    assert [item.label for item in view.outputs] == ["app", "trust"]
    assert [item.label for item in view.outputs[0].components] == ["pointer", "price"]
    assert repr(view) == "<function viewDeal(bytes32)>"
    assert abi.function("deposit() payable returns (bool)").selector == from_hex("0xd0e30db0")
    assert abi.function("f(uint)").signature == "f(uint256)"


@pytest.mark.parametrize(
    "word",
    [
        *("public", "private", "internal", "external", "pure", "view", "payable", "nonpayable"),
        *("constant", "virtual", "override"),
    ],
)
def test_what_solidity_says_of_a_function(word: str) -> None:
    found = abi.function(f"function f(uint256 a) {word} returns (bool)")
    assert (found.signature, len(found.outputs)) == ("f(uint256)", 1)


@pytest.mark.parametrize("where", ["memory", "calldata", "storage"])
def test_where_a_parameter_is_kept_is_no_name(where: str) -> None:
    found = abi.function(f"f(string {where} text, bytes {where})").inputs
    assert [each.label for each in found] == ["text", ""]


def test_names_with_a_dollar_sign_and_names_that_are_words_elsewhere() -> None:
    found = abi.function("$f(uint256 $a, (uint8 indexed) b) returns (bool indexed)")
    assert found.name == "$f"
    assert [each.label for each in found.inputs] == ["$a", "b"]
    assert found.inputs[1].components[0].label == "indexed"
    assert found.outputs[0].label == "indexed"
    assert not found.outputs[0].indexed


def test_functions_may_be_called_like_keywords() -> None:
    assert abi.function("function(uint8 error)").name == "function"
    assert abi.function("function event(string memory s, uint indexed)").name == "event"


def test_declarations_are_parsed_once() -> None:
    assert abi.function("owner() view returns (address)") is abi.function(
        "owner() view returns (address)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "f",
        "(uint256)",
        "f(uint256) sideways",
        "f(uint256) returns",
        "f(uint256) returns (bool) view",
        "f(uint256))",
        "1f()",
        "event E(uint256)",
        "f(uint256 indexed a)",
        "f(uint256 a, ",
    ],
)
def test_bad_function_text_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        abi.function(text)


@pytest.mark.parametrize(
    "text",
    [
        "function f()",
        "event E(uint a, uint a)",
        "event E(uint a) view",
        "event E(uint a) returns (uint)",
        "event E(uint indexed, uint indexed, uint indexed, uint indexed)",
        "event E(uint indexed indexed)",
    ],
)
def test_bad_event_text_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        abi.event(text)


def test_json_abi() -> None:
    tuple_entry = {
        "name": "orders",
        "type": "tuple[2][]",
        "components": [{"name": "app", "type": "address"}, {"name": "", "type": "uint"}],
    }
    entry = {
        "type": "function",
        "name": "f",
        "inputs": [tuple_entry, {"name": "x", "type": "bytes"}],
        "outputs": [{"name": "ok", "type": "bool"}],
        "stateMutability": "view",
    }
    function = abi.function_from_json(entry)
    assert function.signature == "f((address,uint256)[2][],bytes)"
    assert function.decode_output(words(1)) == (True,)
    assert [item.label for item in function.inputs] == ["orders", "x"]
    event = abi.event_from_json(
        {
            "type": "event",
            "name": "E",
            "anonymous": False,
            "inputs": [{"name": "a", "type": "uint8", "indexed": True}],
        }
    )
    assert event.topic == keccak(b"E(uint8)")
    silent = abi.event_from_json({"type": "event", "name": "E", "anonymous": True, "inputs": []})
    assert silent.anonymous
    assert not event.anonymous
    error = abi.error_from_json({"type": "error", "name": "Oops", "inputs": [tuple_entry]})
    assert error.signature == "Oops((address,uint256)[2][])"


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"type": "constructor", "inputs": []},
        {"type": "event", "name": "f", "inputs": []},
        {"type": "function", "name": "f()"},
        {"type": "function", "name": "f", "inputs": "uint256"},
        {"type": "function", "name": "f", "inputs": 5},
        {"type": "function", "name": "f", "inputs": [7]},
        {"type": "function", "name": "f", "inputs": [{"type": 7}]},
        {"type": "function", "name": "f", "inputs": [{"type": "bool", "name": 7}]},
        {"type": "function", "name": "f", "inputs": [{"type": "bool", "indexed": 1}]},
        {"type": "function", "name": "f", "inputs": [{"type": "tuple"}]},
        {"type": "function", "name": "f", "inputs": [{"type": "tuple", "components": ""}]},
        {"type": "function", "name": "f", "inputs": [{"type": "tuple[x]", "components": []}]},
        {"type": "function", "name": "f", "inputs": [{"type": "tuple[]", "components": []}]},
    ],
)
def test_bad_json_abi_is_refused(entry: object) -> None:
    with pytest.raises(ValidationError):
        abi.function_from_json(entry)  # type: ignore[arg-type]


def test_an_entry_without_a_type_is_a_function() -> None:
    assert abi.function_from_json({"name": "f", "inputs": []}).signature == "f()"


def test_json_abi_is_as_deep_as_text() -> None:
    entry: dict[str, object] = {"type": "uint256"}
    for _ in range(31):
        entry = {"type": "tuple", "components": [entry]}
    function = abi.function_from_json({"name": "f", "inputs": [entry]})
    assert function.signature == "f(" + "(" * 31 + "uint256" + ")" * 32


def test_deep_json_abi_is_refused() -> None:
    entry: dict[str, object] = {"type": "uint256"}
    for _ in range(5000):
        entry = {"type": "tuple", "components": [entry]}
    with pytest.raises(ValidationError, match="deeper"):
        abi.function_from_json({"type": "function", "name": "f", "inputs": [entry]})


# --- encoding -------------------------------------------------------------------------------------


def test_calldata_of_chain_md() -> None:
    app_order = (
        "(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)"
    )
    dataset_order = (
        "(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt,bytes sign)"
    )
    workerpool_order = (
        "(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,"
        "uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,"
        "bytes32 salt,bytes sign)"
    )
    request_order = (
        "(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,"
        "address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,"
        "bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,"
        "string params,bytes32 salt,bytes sign)"
    )
    none = (NO_ADDRESS,) * 3
    app = (HUB, 10**9, 10, NO_WORD, *none, SALT, SIGN)
    dataset = (NO_ADDRESS, 0, 0, NO_WORD, *none, NO_WORD, b"")
    pool = (HUB, 15, 3, NO_WORD, 5, 0, *none, SALT, SIGN)
    request = (HUB, 10**9, NO_ADDRESS, 0, NO_ADDRESS, 15, KEY, 1, NO_WORD, 5, 0, KEY, NO_ADDRESS)
    request = (*request, "{}", SALT, SIGN)  # type: ignore[assignment]

    match = abi.function(
        f"matchOrders({app_order},{dataset_order},{workerpool_order},{request_order}) "
        "returns (bytes32)"
    )
    data = match.encode(app, dataset, pool, request)
    assert to_hex(match.selector) == "0x156194d4"
    assert len(data) == 2052
    assert data[4:132] == words(0x80, 0x220, 0x360, 0x540)
    assert (
        to_hex(keccak(data)) == "0x72c897c435c7add92cc28c5f5c597f47adad17614af1114fc4fdd694417c7e31"
    )
    assert match.decode_input(data) == (app, dataset, pool, request)

    manage = abi.function(f"manageAppOrder(({app_order} order,uint8 operation,bytes sign))")
    data = manage.encode((app, 1, b""))
    assert to_hex(manage.selector) == "0xb2b07e66"
    assert len(data) == 580
    assert (
        to_hex(keccak(data)) == "0xd6697668ab0de075213b3e2c01029b7102b063e41479c2c71ce777a080c02877"
    )

    claim = abi.function("initializeAndClaimArray(bytes32[],uint256[]) returns (bool)")
    data = claim.encode([NO_WORD, NO_WORD], [3, 4])
    assert len(data) == 260
    assert (
        to_hex(keccak(data)) == "0x94bf86f7515492c72b1f98740188de9c144a8dea8f41d72c6123f52b95114d8a"
    )


def test_examples_of_the_abi_specification() -> None:
    sam = abi.function("sam(bytes,bool,uint[])")
    assert to_hex(sam.encode(b"dave", True, [1, 2, 3])) == "0xa5643bf2" + (
        words(0x60, 1, 0xA0, 4, b"dave", 3, 1, 2, 3).hex()
    )
    nested = abi.function("g(uint256[][],string[])")
    assert (
        to_hex(nested.encode([[1, 2], [3]], ["one", "two", "three"]))
        == "0x2289b18c"
        + (
            words(0x40, 0x140, 2, 0x40, 0xA0, 2, 1, 2, 1, 3)
            + words(3, 0x60, 0xA0, 0xE0, 3, b"one", 3, b"two", 5, b"three")
        ).hex()
    )


class Status(enum.IntEnum):
    ACTIVE = 1


@pytest.mark.parametrize(
    ("kind", "value", "encoded"),
    [
        ("uint8", 255, words(255)),
        ("uint8", Status.ACTIVE, words(1)),
        ("uint256", Status.ACTIVE, words(1)),
        ("uint256", 2**256 - 1, b"\xff" * 32),
        ("int8", -128, words(-128)),
        ("int256", -(2**255), words(2**255)),
        ("bool", True, words(1)),
        ("bool", False, words(0)),
        ("address", HUB, bytes(12) + HUB),
        ("bytes3", b"abc", words(b"abc")),
        ("bytes32", SALT, SALT),
        ("function", b"\x01" * 24, words(b"\x01" * 24)),
        ("uint8[2]", [1, 2], words(1, 2)),
        ("uint8[0]", (), b""),
        ("()", (), b""),
        ("(uint8,bool)", [1, True], words(1, 1)),
        ("bytes", b"", words(0x20, 0)),
        ("bytes", bytearray(b"ab"), words(0x20, 2, b"ab")),
        ("bytes", b"a" * 32, words(0x20, 32, b"a" * 32)),
        ("string", "é", words(0x20, 2, "é".encode())),
        ("string[0]", [], words(0x20)),
        ("string[]", [], words(0x20, 0)),
        ("string[1]", ["a"], words(0x20, 0x20, 1, b"a")),
    ],
)
def test_encode_one_value(kind: str, value: object, encoded: bytes) -> None:
    data = abi.encode([kind], [value])
    assert data == encoded
    (decoded,) = abi.decode([kind], data)
    assert decoded == (tuple(value) if isinstance(value, list) else value)
    assert type(decoded) is not Status


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("uint256", True, "uint256 must be int, got True"),
        ("uint256", -1, "-1 is out of range for uint256"),
        ("uint256", 2**256, "is out of range for uint256"),
        ("uint256", "1", "must be int, got str"),
        ("uint256", 1.0, "must be int, got float"),
        ("uint256", None, "must be int, got None"),
        ("uint8", 256, "256 is out of range for uint8"),
        ("int8", 128, "128 is out of range"),
        ("int8", -129, "-129 is out of range"),
        ("int256", 2**255, "out of range"),
        ("bool", 1, "bool must be True or False, got 1"),
        ("bool", "true", "got str"),
        ("address", HUB[1:], "address must be 20 bytes, got 19 bytes"),
        ("address", to_hex(HUB), "got str"),
        ("address", bytes(32), "got 32 bytes"),
        ("bytes4", b"abc", "bytes4 must be 4 bytes, got 3 bytes"),
        ("bytes4", "0x01020304", "got str"),
        ("bytes", "0x", "bytes must be bytes, got str"),
        ("bytes", 4, "got 4"),
        ("string", b"a", "string must be str, got 1 bytes"),
        ("string", "\ud800", "lone surrogate"),
        ("uint8[2]", [1], "needs 2 elements, got 1"),
        ("uint8[2]", [1, 2, 3], "needs 2 elements, got 3"),
        ("uint8[]", {1}, "must be a list or tuple, got set"),
        ("uint8[]", b"\x01", "must be a list or tuple, got 1 bytes"),
        ("uint8[]", "12", "must be a list or tuple, got str"),
        ("(uint8,bool)", (1,), "needs 2 values, got 1"),
        ("(uint8,bool)", {"a": 1}, "must be a tuple, got dict"),
        ("uint256[4294967296]", [1], "needs 4294967296 elements"),
    ],
)
def test_wrong_values_are_refused(kind: str, value: object, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        abi.encode([kind], [value])
    assert caught.value.message.startswith("[0]: ")
    assert text in caught.value.message
    assert len(caught.value.message) < 200


def test_huge_integers_make_short_messages() -> None:
    with pytest.raises(ValidationError, match="int is out of range for uint256"):
        abi.encode(["uint256"], [1 << 20_000])


def test_errors_name_the_place() -> None:
    manage = abi.function("manage((uint8 a, (address app, bytes32 tag)[] list) order, uint256)")
    good = (HUB, SALT)
    for args, text in [
        (((1, [good, (HUB, b"")]), 0), "manage: order.list[1].tag: bytes32 must be 32 bytes"),
        (((1, [(b"", SALT), good]), 0), "manage: order.list[0].app: address must be"),
        (((-1, []), 0), "manage: order.a: -1 is out of range for uint8"),
        (((1, []), -1), "manage: [1]: -1 is out of range"),
        (((1, [good, good]),), "manage: arguments: ((uint8,(address,bytes32)[]),uint256) needs 2"),
    ]:
        with pytest.raises(ValidationError) as caught:
            manage.encode(*args)
        assert caught.value.message.startswith(text)
    with pytest.raises(ValidationError, match=r"^values: \(uint8\) needs 1 values, got 2$"):
        abi.encode(["uint8"], [1, 2])
    with pytest.raises(ValidationError, match=r"^\[1\]\[2\]\[0\]: "):
        abi.encode(["bool", "uint8[][3]"], [True, [[], [], [-1]]])


def test_secrets_do_not_reach_messages() -> None:
    for value in ("password", b"password", ["password"]):
        with pytest.raises(ValidationError) as caught:
            abi.encode(["uint256"], [value])
        assert "password" not in str(caught.value)


# --- decoding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("uint256", b"", "needs 32 bytes at offset 0, the data ends at 0"),
        ("uint256", bytes(31), "needs 32 bytes"),
        ("uint8", words(256), "uint8: bits beyond its 8 are set"),
        ("int8", words(128), "int8: bits beyond"),
        ("int8", words(2**255), "int8: bits beyond"),
        ("int8", words(-129), "int8: bits beyond"),
        ("bool", words(2), "bool: neither 0 nor 1"),
        ("address", words(1 << 160), "address: bits beyond"),
        ("bytes3", words(b"abcd"), "bytes3: bytes beyond"),
        ("function", words(b"\x01" * 25), "function: bytes beyond"),
        ("bytes", words(0x20), "needs 32 bytes at offset 32"),
        ("bytes", words(0x40), "offset 64 points outside"),
        ("bytes", words(2**256 - 1), "offset 2**64 or more points outside"),
        ("bytes", words(0x20, 33, b"a" * 32), "needs 33 bytes"),
        ("bytes", words(0x20, 2**255), "needs 2**64 or more bytes"),
        ("string", words(0x20, 2**64), "needs 2**64 or more bytes"),
        ("uint8[]", words(0x20, 3, 1, 2), "needs 96 bytes"),
        ("uint8[]", words(0x20), "needs 32 bytes at offset 32"),
        ("uint8[]", words(0x20, 2**255), "needs 2**64 or more bytes"),
        ("uint8[]", words(0x20, 2, 1, 999), "[0][1]: uint8: bits beyond"),
        ("(bool x, uint8[2] y)", words(1, 2, 300), "[0].y[1]: uint8"),
        ("string[1000000]", words(0x20, 0x20), "needs 32000000 bytes"),
        ("uint256[1000000000]", words(1), "needs 32000000000 bytes"),
    ],
)
def test_wrong_data_is_refused(kind: str, data: bytes, text: str) -> None:
    with pytest.raises(DecodingError) as caught:
        abi.decode([kind], data)
    assert text in caught.value.message
    assert caught.value.message.startswith("cannot decode values: ")


def test_unusual_layouts_are_read() -> None:
    # Tails in the other order, a gap, bytes after the end, no padding.
    data = words(0xA0, 0x60, 0x99, 2, b"ab", 3) + b"xyz"
    assert abi.decode(["bytes", "bytes", "uint256"], data) == (b"xyz", b"ab", 0x99)
    # Shared tail.
    assert abi.decode(["string", "string"], words(0x40, 0x40, 2, b"ab")) == ("ab", "ab")
    # Non-zero padding behind bytes, as some contracts leave it.
    assert abi.decode(["bytes"], words(0x20, 1) + b"a" * 32) == (b"a",)
    # Offset into the head.
    assert abi.decode(["uint8[]", "uint8"], words(0x20, 1, 7)) == ((7,), 1)


def test_text_that_is_not_utf8_shows_replacement_characters() -> None:
    assert abi.decode(["string"], words(0x20, 4, b"a\xff\xc3b")) == ("a\ufffd\ufffdb",)


def test_data_must_be_bytes() -> None:
    for data in ("0x", None, 7):
        with pytest.raises(ValidationError, match="must be bytes"):
            abi.decode(["bool"], data)  # type: ignore[arg-type]
    assert abi.decode(["bool"], memoryview(words(1))) == (True,)  # type: ignore[arg-type]


def test_overlapping_offsets_do_not_unfold() -> None:
    """Each level points all its elements at the next: 2**N or N**depth without a ceiling."""
    for depth, width in ((8, 16), (30, 2), (3, 500)):
        data = word(0x20)
        for _ in range(depth):
            data += words(width, *[32 * width] * width)
        data += words(0)
        started = time.monotonic()
        with pytest.raises(DecodingError, match="overlap"):
            abi.decode(["uint256" + "[]" * (depth + 1)], data)
        assert time.monotonic() - started < 5
    # One long text, named by every element.
    count = 2000
    data = words(0x20, count, *[32 * count] * count, 32 * count, b"") + bytes(32 * count)
    with pytest.raises(DecodingError, match="overlap"):
        abi.decode(["bytes[]"], data)


def test_offsets_may_point_at_the_head() -> None:
    """Nothing can loop: the type ends, whatever the offsets say."""
    assert abi.decode(["(bytes,bytes)"], words(0, 0, 0)) == ((b"", b""),)
    assert abi.decode(["uint256[][]"], words(0x20, 1, 0x20, 0)) == (((),),)
    assert abi.decode(["uint256[][]"], words(0x20, 1, 0)) == (((),),)


def test_limits_can_be_set() -> None:
    count = 2000
    data = words(0x20, count, *[32 * count] * count, 5, b"hello")
    assert abi.decode(["string[]"], data) == (("hello",) * count,)
    with pytest.raises(DecodingError, match="overlap"):
        abi.decode(["string[]"], data, limits=abi.Limits(sharing=1, floor=0))
    honest = abi.encode(["string[]"], [["hello"] * count])
    strict = abi.Limits(sharing=1, floor=0)
    assert abi.decode(["string[]"], honest, limits=strict) == (("hello",) * count,)


def test_data_may_be_shared_four_times() -> None:
    """As many words as the data has, and four times as many are read: what is beyond is refused."""
    shared = words(3000, *range(3000))
    for times in (4, 5):
        data = words(0x20, times, *[32 * times] * times) + shared
        if times == 4:
            assert abi.decode(["uint256[][]"], data) == ((tuple(range(3000)),) * 4,)
        else:
            with pytest.raises(DecodingError, match="overlap"):
                abi.decode(["uint256[][]"], data)


def test_function_data() -> None:
    transfer = abi.function("transfer(address to, uint256 amount) returns (bool)")
    data = transfer.encode(HUB, 5)
    assert transfer.decode_input(data) == (HUB, 5)
    assert transfer.decode_output(words(1)) == (True,)
    assert transfer.decode_output(words(1) + b"more") == (True,)
    assert abi.function("stop()").decode_output(b"") == ()
    with pytest.raises(DecodingError, match="selector 0x00000000, expected 0xa9059cbb"):
        transfer.decode_input(bytes(68))
    with pytest.raises(DecodingError, match="transfer returned no data: there is no contract"):
        transfer.decode_output(b"")
    with pytest.raises(DecodingError, match=r"^cannot decode transfer output: \[0\]: bool"):
        transfer.decode_output(words(7))


def test_both_layouts_of_a_deal_are_readable() -> None:
    """chain.md §3.3: an older answer, without the last word, reads alike but for that word."""
    old = abi.function("viewDeal() returns ((uint256 trust, string params, uint256 ratio) deal)")
    new = abi.function(
        "viewDeal() returns ((uint256 trust, string params, uint256 ratio, address sponsor) deal)"
    )
    answer = abi.encode(["(uint256,string,uint256)"], [(1, "{}", 5)])
    assert old.decode_output(answer) == ((1, "{}", 5),)
    assert new.decode_output(answer) == ((1, "{}", 5, word(2)[12:]),)


# --- events ---------------------------------------------------------------------------------------

TRANSFER = "event Transfer(address indexed from, address indexed to, uint256 value)"


def test_event() -> None:
    event = abi.event(TRANSFER)
    assert event.name == "Transfer"
    assert event.signature == "Transfer(address,address,uint256)"
    assert (
        to_hex(event.topic) == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    )
    topics = [event.topic, bytes(12) + HUB, bytes(12) + KEY]
    assert event.decode(topics, words(7)) == {"from": HUB, "to": KEY, "value": 7}
    assert list(event.decode(topics, words(7))) == ["from", "to", "value"]
    assert repr(event) == "<event Transfer(address,address,uint256)>"


def test_event_topics_of_chain_md() -> None:
    for text, topic in [
        (
            "OrdersMatched(bytes32 dealid,bytes32 appHash,bytes32 datasetHash,"
            "bytes32 workerpoolHash,bytes32 requestHash,uint256 volume)",
            "0xd811b592ed0899225773e8933d8df64bd0b62761a9d7aad4ed5b22735f4610a4",
        ),
        (
            "SchedulerNotice(address indexed workerpool,bytes32 dealid)",
            "0x692ad61076dceddd0f1a861f737553dd61fc8501cf4190d29c4e90af6607f765",
        ),
        (
            "TaskFinalize(bytes32 indexed taskid,bytes results)",
            "0x78ce8a8bc0fcb704e8ba3b3dbb36aa88002df8038128b4af2f27ef65db665044",
        ),
    ]:
        assert to_hex(abi.event(text).topic) == topic


def test_indexed_values_that_need_more_than_a_word_are_hashes() -> None:
    event = abi.event("E(string indexed s, (uint8) indexed t, uint8[1] indexed a, uint8 n)")
    hashes = [bytes([i]) * 32 for i in (1, 2, 3)]
    found = event.decode([event.topic, *hashes], words(9))
    assert found == {"s": hashes[0], "t": hashes[1], "a": hashes[2], "n": 9}


def test_unnamed_parameters_are_keyed_by_position() -> None:
    event = abi.event("SignedAppOrder(bytes32, uint8 b, bool indexed)")
    found = event.decode([event.topic, words(1)], words(SALT, 3))
    assert found == {"0": SALT, "b": 3, "2": True}


def test_an_anonymous_event_has_a_topic_more() -> None:
    kinds = [f"uint8 indexed a{at}" for at in range(5)]
    assert len(abi.event(f"E({','.join(kinds[:4])}) anonymous").inputs) == 4
    with pytest.raises(ValidationError, match="too many indexed parameters"):
        abi.event(f"E({','.join(kinds)}) anonymous")


def test_anonymous_event() -> None:
    event = abi.event("E(uint8 indexed a, uint8 b) anonymous")
    assert event.anonymous
    assert event.decode([words(1)], words(2)) == {"a": 1, "b": 2}
    with pytest.raises(DecodingError):
        event.decode([event.topic, words(1)], words(2))


def test_logs_of_other_events_are_refused() -> None:
    event = abi.event(TRANSFER)
    topics = [event.topic, bytes(12) + HUB, bytes(12) + KEY]
    for bad, data, text in [
        ([], words(7), "first topic differs"),
        ([bytes(32), *topics[1:]], words(7), "first topic differs"),
        (topics[:2], words(7), "1 indexed parameters, expected 2"),
        ([*topics, words(7)], b"", "3 indexed parameters, expected 2"),  # ERC-721
        ([topics[0], HUB, KEY], words(7), "a topic must be 32 bytes"),
        ([topics[0], b"\x01" * 32, topics[2]], words(7), "address: bits beyond"),
        (topics, b"", "needs 32 bytes"),
    ]:
        with pytest.raises(DecodingError, match=text):
            event.decode(bad, data)


# --- reverts --------------------------------------------------------------------------------------


def test_revert_reasons() -> None:
    found = abi.decode_revert(abi.error("Error(string)").encode("iExecV5-matchOrders-0x06"))
    assert found == ("Error", "iExecV5-matchOrders-0x06", ("iExecV5-matchOrders-0x06",))
    found = abi.decode_revert(abi.error("Panic(uint256)").encode(0x11))
    assert found == ("Panic", "panic 0x11: arithmetic overflow or underflow", (0x11,))
    found = abi.decode_revert(abi.error("Panic(uint256)").encode(0x99))
    assert found is not None
    assert found.text == "panic 0x99: unknown code"


def test_custom_errors() -> None:
    low = abi.error("error InsufficientBalance(address who, uint256[] left, (string, bytes2) why)")
    data = low.encode(HUB, [1, 2], ("no\n", b"\x01\x02"))
    found = abi.decode_revert(data, [abi.error("Other()"), low])
    assert found is not None
    assert found.kind == "InsufficientBalance"
    assert found.args == (HUB, (1, 2), ("no\n", b"\x01\x02"))
    assert found.text == (
        "InsufficientBalance(0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f, [1, 2], ('no\\n', 0x0102))"
    )
    assert repr(low).startswith("<error InsufficientBalance(address,")
    assert abi.decode_revert(data) is None
    assert abi.decode_revert(data[:-1], [low]) is not None  # padding may be missing
    assert abi.decode_revert(data[:40], [low]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08",
        from_hex("0x08c379a0"),
        from_hex("0x08c379a0") + words(0x20),
        from_hex("0x08c379a0") + words(2**256 - 1, 4),
        from_hex("0x08c379a0") + words(0x20, 2**200),
        from_hex("0x4e487b71"),
        from_hex("0x4e487b71") + bytes(31),
        b"not-even-abi",
    ],
)
def test_malformed_reverts_say_nothing(data: bytes) -> None:
    assert abi.decode_revert(data) is None


PANICS = {  # Solidity documentation, "Panic via assert and Error via require": what the code means
    0x00: "compiler",
    0x01: "assertion failed",
    0x11: "overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "for an enum",
    0x22: "storage byte array",
    0x31: "pop on an empty array",
    0x32: "index out of bounds",
    0x41: "array too large",
    0x51: "uninitialised internal function",
}


@pytest.mark.parametrize("code", PANICS)
def test_a_panic_is_told_in_words(code: int) -> None:
    found = abi.decode_revert(abi.error("Panic(uint256)").encode(code))
    assert found is not None
    assert found.text.startswith(f"panic {code:#04x}: ")
    assert found.text.endswith(PANICS[code])


def test_no_other_panic_is_known() -> None:
    assert set(abi.PANIC_REASONS) == set(PANICS)


def test_public_names_exist() -> None:
    for name in abi.__all__:
        assert getattr(abi, name) is not None


def test_limits_may_be_given_in_order() -> None:
    assert abi.Limits(2, 64) == abi.Limits(sharing=2, floor=64)


@pytest.mark.parametrize("size", [0, 31, 32, 33, 63, 64, 65, 200])
def test_text_is_padded_to_whole_words(size: int) -> None:
    encoded = abi.encode(["string"], ["x" * size])
    assert encoded == abi.encode(["bytes"], [b"x" * size])
    assert len(encoded) == 64 + -(-size // 32) * 32
    assert abi.decode(["string"], encoded) == ("x" * size,)
