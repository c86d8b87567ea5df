"""EIP-712: the protocol's types and hashes, strict values, JSON documents."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.eth import eip712
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak


def fields(text: str) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in (item.split() for item in text.split(","))]


ORDERS = {
    "AppOrder": fields(
        "address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt"
    ),
    "DatasetOrder": fields(
        "address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,address apprestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt"
    ),
    "WorkerpoolOrder": fields(
        "address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,uint256 category,"
        "uint256 trust,address apprestrict,address datasetrestrict,address requesterrestrict,"
        "bytes32 salt"
    ),
    "RequestOrder": fields(
        "address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,"
        "address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,"
        "bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,"
        "string params,bytes32 salt"
    ),
    "AppOrderOperation": fields("AppOrder order,uint256 operation"),
    "DatasetOrderOperation": fields("DatasetOrder order,uint256 operation"),
    "WorkerpoolOrderOperation": fields("WorkerpoolOrder order,uint256 operation"),
    "RequestOrderOperation": fields("RequestOrder order,uint256 operation"),
}
HUB = from_hex("0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f")
KEY = from_hex("0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a")
RESOURCE = from_hex("0x607f4c5bb672230e8672085532f7e901544a7375")
NONE = bytes(20)
SALT = b"\x22" * 32


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


BELLECOUR = eip712.Domain("iExecODB", "5.0.0", 134, HUB)
PARAMS = (
    '{"iexec_result_storage_provider":"ipfs",'
    '"iexec_result_storage_proxy":"https://v6.result.bellecour.iex.ec","iexec_args":"héllo"}'
)
ROWS = {
    "AppOrder": [RESOURCE, 10**9, 10, word(1), NONE, NONE, NONE, SALT],
    "DatasetOrder": [RESOURCE, 0, 1, word(0), NONE, NONE, NONE, SALT],
    "WorkerpoolOrder": [RESOURCE, 15, 3, word(0x101), 5, 0, NONE, NONE, NONE, SALT],
    "RequestOrder": [
        *(RESOURCE, 10**9, NONE, 0, NONE, 15, KEY, 1, word(0), 5, 0, KEY, NONE, PARAMS, SALT)
    ],
}


def mapping(name: str) -> dict[str, object]:
    return {field: value for (_, field), value in zip(ORDERS[name], ROWS[name], strict=True)}


# --- chain.md -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type_hash"),
    [
        ("AppOrder", "0x60815a0eeec47dddf1615fe53b31d016c31444e01b9d796db365443a6445d008"),
        ("DatasetOrder", "0x6cfc932a5a3d22c4359295b9f433edff52b60703fa47690a04a83e40933dd47c"),
        ("WorkerpoolOrder", "0xaa3429fb281b34691803133d3d978a75bb77c617ed6bc9aa162b9b30920022bb"),
        ("RequestOrder", "0xf24e853034a3a450aba845a82914fbb564ad85accca6cf62be112a154520fae0"),
        ("AppOrderOperation", "0x0638bb0702457e2b4b01be8a202579b8bf97e587fb4f2cc4d4aad01f21a06ee0"),
        (
            "DatasetOrderOperation",
            "0x075eb6f7578ff4292c241bd2484cd5c1d5e6ecc2ddd3317e1d8176b5a45865ec",
        ),
        (
            "WorkerpoolOrderOperation",
            "0x322d980b7d7a6a1f7c39ff0c5445da6ae1d8e0393ff0dd468c8be3e2c8644388",
        ),
        (
            "RequestOrderOperation",
            "0x0ded7b52c2d77595a40d242eca751df172b18e686326dbbed3f4748828af77c7",
        ),
    ],
)
def test_type_hashes(name: str, type_hash: str) -> None:
    struct = eip712.compile_struct(name, ORDERS)
    assert to_hex(struct.type_hash) == type_hash
    assert struct.name == name
    assert next(iter(struct.types)) == name
    assert struct.types[name] == tuple(ORDERS[name])
    assert repr(struct) == f"<struct {struct.encoded_type}>"


def test_operation_type_text_ends_with_the_order_type() -> None:
    struct = eip712.compile_struct("AppOrderOperation", ORDERS)
    inner = eip712.compile_struct("AppOrder", ORDERS).encoded_type
    assert struct.encoded_type == "AppOrderOperation(AppOrder order,uint256 operation)" + inner
    assert list(struct.types) == ["AppOrderOperation", "AppOrder"]


@pytest.mark.parametrize(
    ("name", "hashed", "digest"),
    [
        (
            "AppOrder",
            "0xb52fe8a816dfef5c9e65d1a662c7a9235530e520a72d76c2c86cda351a23a3a1",
            "0x9ec10388c2ea5c24051d0bdf6c17e54f0b813a199062c04d06e225b931978885",
        ),
        (
            "DatasetOrder",
            "0xa0c8a112c668a536a071c5faafd4ba08231ac4be539d57768373b0c1a6a935a6",
            "0xa34ed665608e2a2c30a1bc83dcf432d7a093e27ec024609774480885e1d871f5",
        ),
        (
            "WorkerpoolOrder",
            "0x3fafca41337ab6f4dfd500608a83de1858f2306dc4f60f02fe8c146e13eaac5f",
            "0xd5782b3f1cb3d3079629d7e7b5bf2652ff22a5b015ba26519f52e85351cf095b",
        ),
        (
            "RequestOrder",
            "0x92c74e0c0eb17e4fba39f976c5922bbdbf51934705595a15305c28c6da94d8fc",
            "0x714478b97c72b1c76b48f1f7cf7cc2faa0907fa54d1efdf9f5849581a7d3d5fc",
        ),
    ],
)
def test_order_hashes(name: str, hashed: str, digest: str) -> None:
    struct = eip712.compile_struct(name, ORDERS)
    assert to_hex(struct.hash_row(ROWS[name])) == hashed
    assert to_hex(struct.hash_row(tuple(ROWS[name]))) == hashed
    assert to_hex(struct.hash(mapping(name))) == hashed
    data = eip712.TypedData(struct, BELLECOUR, mapping(name))
    assert to_hex(data.digest) == digest
    assert eip712.hash_typed_data(data) == data.digest
    assert to_hex(eip712.hash_typed_data(json.loads(json.dumps(data.to_dict())))) == digest


@pytest.mark.parametrize(
    ("chain_id", "hub", "separator"),
    [
        (
            134,
            "0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f",
            "0xf2cbd98a556869939d25b73c3fa68ba45f19932f8c9a06f744c98290ed9ef860",
        ),
        (
            133,
            "0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f",
            "0xfe74a571c117ad1e52a111b47ec87ee86756b7100d374152c3d0f6c039575397",
        ),
    ],
)
def test_separators(chain_id: int, hub: str, separator: str) -> None:
    domain = eip712.Domain(
        name="iExecODB", version="5.0.0", chain_id=chain_id, verifying_contract=from_hex(hub)
    )
    assert to_hex(domain.separator) == separator


# --- any types ------------------------------------------------------------------------------------


def test_example_of_the_standard() -> None:
    types = {
        "Mail": fields("Person from,Person to,string contents"),
        "Person": fields("string name,address wallet"),
    }
    mail = eip712.compile_struct("Mail", types)
    assert mail.encoded_type == (
        "Mail(Person from,Person to,string contents)Person(string name,address wallet)"
    )
    domain = eip712.Domain("Ether Mail", "1", 1, b"\xcc" * 20)
    message = {
        "from": {"name": "Cow", "wallet": from_hex("0xcd2a3d9f938e13cd947ec05abc7fe734df8dd826")},
        "to": {"name": "Bob", "wallet": b"\xbb" * 20},
        "contents": "Hello, Bob!",
    }
    data = eip712.TypedData(mail, domain, message)
    assert to_hex(data.digest) == (
        "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    )


def test_every_kind_of_field() -> None:
    types = {
        "All": fields(
            "uint8 a,int16 b,bool c,address d,bytes4 e,bytes32 f,bytes g,string h,uint8[] i,"
            "string[2] j,Inner k,Inner[] l,uint8[2][] m,Inner[1][2] n"
        ),
        "Inner": fields("bytes data"),
    }
    struct = eip712.compile_struct("All", types)
    inner_type = keccak(b"Inner(bytes data)")

    def inner(data: bytes) -> bytes:
        return keccak(inner_type + keccak(data))

    x, y = {"data": b"x"}, {"data": b"y"}
    message = {
        "a": 255,
        "b": -2,
        "c": True,
        "d": HUB,
        "e": b"abcd",
        "f": SALT,
        "g": b"ghi",
        "h": "é",
        "i": [1, 2],
        "j": ("p", "q"),
        "k": x,
        "l": [x, y],
        "m": [[1, 2], [3, 4]],
        "n": [[x], [y]],
    }
    row = [
        word(255),
        (-2).to_bytes(32, "big", signed=True),
        word(1),
        bytes(12) + HUB,
        b"abcd" + bytes(28),
        SALT,
        keccak(b"ghi"),
        keccak("é".encode()),
        keccak(word(1) + word(2)),
        keccak(keccak(b"p") + keccak(b"q")),
        inner(b"x"),
        keccak(inner(b"x") + inner(b"y")),
        keccak(keccak(word(1) + word(2)) + keccak(word(3) + word(4))),
        keccak(keccak(inner(b"x")) + keccak(inner(b"y"))),
    ]
    assert struct.hash(message) == keccak(struct.type_hash + b"".join(row))
    data = eip712.TypedData(struct, eip712.Domain(), message)
    document = json.loads(json.dumps(data.to_dict()))
    assert document["message"] == {
        "a": "255",
        "b": "-2",
        "c": True,
        "d": "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f",
        "e": "0x61626364",
        "f": to_hex(SALT),
        "g": "0x676869",
        "h": "é",
        "i": ["1", "2"],
        "j": ["p", "q"],
        "k": {"data": "0x78"},
        "l": [{"data": "0x78"}, {"data": "0x79"}],
        "m": [["1", "2"], ["3", "4"]],
        "n": [[{"data": "0x78"}], [{"data": "0x79"}]],
    }
    assert eip712.TypedData.from_dict(document) == data


class Operation(enum.IntEnum):
    CLOSE = 1


def test_integer_enumerations_are_integers() -> None:
    struct = eip712.compile_struct("One", {"One": [("uint8", "a")]})
    assert struct.hash({"a": Operation.CLOSE}) == struct.hash({"a": 1})
    assert struct.to_json({"a": Operation.CLOSE}) == {"a": "1"}


def test_json_converters_of_a_struct_are_strict() -> None:
    struct = eip712.compile_struct("One", {"One": [("uint8", "a")]})
    with pytest.raises(ValidationError, match="a: 256 is out of range"):
        struct.to_json({"a": 256})
    with pytest.raises(ValidationError, match="a: integer must be"):
        struct.from_json({"a": None})
    with pytest.raises(ValidationError, match=r"One: missing a; unknown '\\ud800x'"):
        struct.from_json({"\ud800x": 1})


def test_small_structs() -> None:
    assert eip712.compile_struct("E", {"E": []}).hash({}) == keccak(keccak(b"E()"))
    one = eip712.compile_struct("One", {"One": [("uint8", "a")]})
    assert one.hash({"a": 1}) == one.hash_row([1]) == keccak(keccak(b"One(uint8 a)") + word(1))


def test_types_are_compiled_once() -> None:
    assert eip712.compile_struct("AppOrder", ORDERS) is eip712.compile_struct(
        "AppOrder", copy.deepcopy(ORDERS)
    )


@pytest.mark.parametrize(
    ("types", "text"),
    [
        ({}, "'A' is not defined"),
        ({"B": []}, "'A' is not defined"),
        (None, "'A' is not defined"),
        ({"A": 7}, "must map names"),
        ({"A": ["abc"]}, "must map names"),
        ({"A": [("uint8", 7)]}, "must be text"),
        ({"A": [(None, "a")]}, "must be text"),
        ({"A": [("uint8", "a"), ("bool", "a")]}, "two fields a"),
        ({"A": [("uint8", "")]}, "bad field name ''"),
        ({"A": [("uint8", "a,uint8 b")]}, "bad field name"),
        ({"A": [("uint8", "é")]}, "bad field name"),
        ({"A": [("uint", "a")]}, "A.a: EIP-712 has no type uint, write uint256"),
        ({"A": [("int[]", "a")]}, "write int256"),
        ({"A": [("function", "a")]}, "no type function"),
        ({"A": [("uint9", "a")]}, "unknown ABI type 'uint9'"),
        ({"A": [("B", "a")]}, "unknown ABI type 'B'"),
        ({"A": [("fixed128x18", "a")]}, "fixed-point"),
        ({"A": [("(uint8)", "a")]}, "bad type"),
        ({"A": [("uint8 ", "a")]}, "bad type"),
        ({"A": [("uint8[", "a")]}, "bad type"),
        ({"A": [("uint8[-1]", "a")]}, "bad type"),
        ({"A": [("uint8[0]", "a")]}, "bad array"),
        ({"A": [("uint8[01]", "a")]}, "bad array"),
        ({"A": [("uint8" + "[]" * 33, "a")]}, "bad array"),
        ({"A": [("A", "a")]}, "A contains itself"),
        ({"A": [("B[]", "b")], "B": [("A", "a")]}, "A contains itself"),
        ({"A": [("uint8", "a")], "uint8": [("bool", "a")]}, "'uint8' cannot be the name"),
        ({"A": [("bytes", "a")], "bytes": [("bool", "a")]}, "cannot be the name"),
    ],
)
def test_bad_types_are_refused(types: Any, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        eip712.compile_struct("A", types)
    assert text in caught.value.message


@pytest.mark.parametrize("name", ["uint256", "address", "A B", "", "A(", "é", "fixed8x1"])
def test_bad_struct_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be the name"):
        eip712.compile_struct(name, {name: [("bool", "a")]})


def test_many_types_are_refused() -> None:
    chain = {f"S{i}": [(f"S{i + 1}", "a")] for i in range(5000)}
    with pytest.raises(ValidationError, match="nested deeper than 32"):
        eip712.compile_struct("S0", chain)
    wide = {f"S{i}": [("bool", "a")] for i in range(1, 300)}
    wide["S0"] = [(f"S{i}", f"a{i}") for i in range(1, 300)]
    with pytest.raises(ValidationError, match="more than 256"):
        eip712.compile_struct("S0", wide)


# --- strict values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("app", "0x607f4c5bb672230e8672085532f7e901544a7375", "app: address must be 20 bytes"),
        ("app", b"", "app: address must be 20 bytes, got 0 bytes"),
        ("appprice", "1", "appprice: uint256 must be int, got str"),
        ("appprice", True, "appprice: uint256 must be int, got True"),
        ("appprice", -1, "appprice: -1 is out of range"),
        ("appprice", None, "got None"),
        ("tag", b"\x01", "tag: bytes32 must be 32 bytes, got 1 bytes"),
        ("salt", "0x" + "22" * 32, "salt: bytes32 must be 32 bytes, got str"),
    ],
)
def test_nothing_is_coerced(field: str, value: object, text: str) -> None:
    struct = eip712.compile_struct("AppOrder", ORDERS)
    with pytest.raises(ValidationError) as caught:
        struct.hash({**mapping("AppOrder"), field: value})
    assert caught.value.message.startswith(field + ": ")
    assert text in caught.value.message


def test_bytes_are_bytes() -> None:
    struct = eip712.compile_struct("A", {"A": fields("bytes data")})
    assert struct.hash({"data": b"x"}) == struct.hash({"data": bytearray(b"x")})
    with pytest.raises(ValidationError, match="data: bytes must be bytes, got str"):
        struct.hash({"data": "0x78"})


def test_structs_are_nested_up_to_a_bound() -> None:
    """The bound of the ABI, and no end of the stack."""
    types = {f"T{at}": fields(f"T{at + 1} next") for at in range(500)}
    for depth in (31, 32, 500):
        types[f"T{depth}"] = fields("bool end")
        if depth == 31:
            assert eip712.compile_struct("T0", types).encoded_type.endswith("T9(T10 next)")
        else:
            with pytest.raises(ValidationError, match="nested deeper than 32"):
                eip712.compile_struct("T0", types)
        types[f"T{depth}"] = fields(f"T{depth + 1} next")


def test_nothing_missing_nothing_extra() -> None:
    struct = eip712.compile_struct("AppOrder", ORDERS)
    values = mapping("AppOrder")
    del values["salt"]
    with pytest.raises(ValidationError, match=r"^AppOrder: missing salt$"):
        struct.hash(values)
    with pytest.raises(ValidationError, match=r"^AppOrder: missing salt; unknown sign$"):
        struct.hash({**values, "sign": b""})
    with pytest.raises(ValidationError, match=r"^AppOrder: unknown sign$"):
        struct.hash({**mapping("AppOrder"), "sign": b""})
    with pytest.raises(ValidationError, match="AppOrder needs 8 values, got 7"):
        struct.hash_row(ROWS["AppOrder"][:-1])
    for wrong in (None, 7, b"", ROWS["AppOrder"]):
        with pytest.raises(ValidationError, match="must be a mapping"):
            struct.hash(wrong)  # type: ignore[arg-type]
    for row in (mapping("AppOrder"), "12345678", b"12345678", None):
        with pytest.raises(ValidationError, match="must be a list or tuple"):
            struct.hash_row(row)  # type: ignore[arg-type]


def test_errors_name_the_place() -> None:
    types = {"A": fields("B[2][] list,string text"), "B": fields("uint8 n")}
    struct = eip712.compile_struct("A", types)
    good, bad = {"n": 1}, {"n": 256}
    cases: list[tuple[dict[str, object], str]] = [
        ({"list": [[good, good], [good, bad]], "text": ""}, "list[1][1].n: 256 is out of range"),
        ({"list": [[good]], "text": ""}, "list[0]: array needs 2 elements, got 1"),
        ({"list": [[good, None]], "text": ""}, "list[0][1]: B must be a mapping, got None"),
        ({"list": [[good, {}]], "text": ""}, "list[0][1]: missing n"),
        ({"list": "ab", "text": ""}, "list: array must be a list or tuple, got str"),
        ({"list": [], "text": "\udc80"}, "text: string is not valid Unicode"),
        ({"list": [], "text": b""}, "text: string must be str"),
    ]
    for values, text in cases:
        with pytest.raises(ValidationError) as caught:
            struct.hash(values)
        assert caught.value.message.startswith(text), text


# --- domain ---------------------------------------------------------------------------------------


def test_domain_fields_by_presence_in_order() -> None:
    for given, text in [
        ({}, "EIP712Domain()"),
        ({"salt": SALT, "name": "n"}, "EIP712Domain(string name,bytes32 salt)"),
        (
            {"verifying_contract": HUB, "chain_id": 1, "version": "1"},
            "EIP712Domain(string version,uint256 chainId,address verifyingContract)",
        ),
    ]:
        domain = eip712.Domain(**given)  # type: ignore[arg-type]
        encoded = {
            "version": keccak(b"1"),
            "chainId": word(1),
            "verifyingContract": bytes(12) + HUB,
            "name": keccak(b"n"),
            "salt": SALT,
        }
        row = b"".join(encoded[name] for _, name in domain.fields)
        assert domain.separator == keccak(keccak(text.encode()) + row)
        assert eip712.Domain.from_dict(json.loads(json.dumps(domain.to_dict()))) == domain


@pytest.mark.parametrize(
    "given",
    [
        {"name": b"n"},
        {"chain_id": "1"},
        {"chain_id": -1},
        {"verifying_contract": "0x3eca1b216a7df1c7689aeb259ffb83adfb894e7f"},
        {"verifying_contract": b""},
        {"salt": b"short"},
    ],
)
def test_bad_domain_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        eip712.Domain(**given)


def test_domain_is_a_value() -> None:
    domain = eip712.Domain("iExecODB", "5.0.0", 134, HUB)
    assert domain == BELLECOUR
    assert hash(domain) == hash(BELLECOUR)
    assert domain != eip712.Domain("iExecODB", "5.0.0", 133, HUB)
    for copied in (copy.copy(domain), copy.deepcopy(domain), pickle.loads(pickle.dumps(domain))):
        assert copied == domain
        assert copied.separator == domain.separator
    with pytest.raises(AttributeError):
        domain.name = "other"  # type: ignore[misc]


def test_domain_json_numbers() -> None:
    assert BELLECOUR.to_dict()["chainId"] == 134
    big = eip712.Domain(chain_id=2**64)
    assert big.to_dict() == {"chainId": "18446744073709551616"}
    assert eip712.Domain(chain_id=2**53 - 1).to_dict() == {"chainId": 2**53 - 1}
    assert eip712.Domain(chain_id=2**53).to_dict() == {"chainId": str(2**53)}
    for chain_id in (134, "134", "0x86", "0X86"):
        assert eip712.Domain.from_dict({"chainId": chain_id}).chain_id == 134


def test_only_listed_domain_fields_are_hashed() -> None:
    """The result proxy sends an empty verifyingContract that its type does not list."""
    document = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
            ],
            "Challenge": [{"name": "challenge", "type": "string"}],
        },
        "domain": {
            "name": "iExec Result Repository",
            "version": "1",
            "chainId": 134,
            "verifyingContract": "",
        },
        "primaryType": "Challenge",
        "message": {"challenge": "abc"},
    }
    data = eip712.TypedData.from_dict(document)
    assert data.domain == eip712.Domain("iExec Result Repository", "1", 134)
    challenge = eip712.compile_struct("Challenge", {"Challenge": [("string", "challenge")]})
    assert data.digest == keccak(
        b"\x19\x01"
        + eip712.Domain("iExec Result Repository", "1", 134).separator
        + challenge.hash_row(["abc"])
    )
    del document["types"]["EIP712Domain"]  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="verifyingContract"):
        eip712.TypedData.from_dict(document)


# --- JSON documents -------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    return copy.deepcopy(
        {
            "types": {
                "EIP712Domain": [{"name": "name", "type": "string"}],
                "M": [
                    {"name": "a", "type": "address"},
                    {"name": "n", "type": "int16"},
                    {"name": "b", "type": "bytes"},
                    {"name": "f", "type": "bytes4[]"},
                    {"name": "o", "type": "bool"},
                    {"name": "s", "type": "string"},
                ],
            },
            "primaryType": "M",
            "domain": {"name": "x"},
            "message": {
                "a": "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f",
                "n": 5,
                "b": "0x",
                "f": ["0x00112233"],
                "o": False,
                "s": "",
            },
        }
    )


@pytest.mark.parametrize("number", [-5, "-5"])
def test_json_numbers(number: object) -> None:
    given = document()
    given["message"]["n"] = number
    assert eip712.TypedData.from_dict(given).message["n"] == -5


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("message", "a"), "0x3ECA1B216A7DF1C7689aEb259fFB83ADFB894E7f", "a: .*wrong checksum"),
        (("message", "a"), "3eca1b216a7df1c7689aeb259ffb83adfb894e7f", "a: address must be 0x"),
        (("message", "a"), "", "a: address must be 0x"),
        (("message", "a"), "0x" + "g" * 40, "a: .* is not a valid ethereum address"),
        (("message", "a"), "0x" + "0" * 5000, "a: address must be 0x"),
        (("message", "a"), None, "a: address must be 0x"),
        (("message", "n"), 5.0, "n: integer must be"),
        (("message", "n"), True, "n: integer must be"),
        (("message", "n"), "5.0", "n: integer must be"),
        (("message", "n"), " 5", "n: integer must be"),
        (("message", "n"), "٥", "n: integer must be"),
        (("message", "n"), "1" * 5000, "n: integer must be"),
        (("message", "n"), "-0x5", "n: integer must be"),
        (("message", "n"), None, "n: integer must be"),
        (("message", "n"), 2**15, "n: 32768 is out of range for int16"),
        (("message", "b"), "00", "b: value must be 0x-prefixed hex"),
        (("message", "b"), [0], "b: value must be 0x-prefixed hex"),
        (("message", "f"), ["0x001122"], r"f\[0\]: value must be 4 bytes, got 3"),
        (("message", "f"), {"0": "0x00112233"}, "f: array must be"),
        (("message", "o"), "true", "o: bool must be"),
        (("message", "o"), 0, "o: bool must be"),
        (("message", "s"), 5, "s: string must be"),
        (("message", "extra"), 5, "unknown extra"),
        (("message",), [], "M must be a mapping"),
        (("domain",), [], "domain must be an object"),
        (("domain",), {}, "domain: missing name"),
        (("domain",), {"name": None}, "domain: missing name"),
        (("domain",), {"name": 7}, "name: string must be str"),
        (("types",), [], "types must be an object"),
        (("types", "M"), {}, "M must be a list"),
        (("types", "M"), ["uint8 a"], "M must be a list"),
        (("types", "M"), [{"name": "a"}], "M must be a list"),
        (("types", "M"), [{"name": "a", "type": 5}], "M must be a list"),
        (("types", "M"), [{"name": 5, "type": "bool"}], "M must be a list"),
        (("types", "M"), [{"name": "a", "type": "bool", "x": 1}], "M must be a list"),
        (("types", "M"), [{"name": "d", "type": "EIP712Domain"}], "unknown ABI type"),
        (("types", 5), [], "must be text"),
        (("types", "EIP712Domain"), [{"name": "name", "type": "bytes"}], "standard types"),
        (("types", "EIP712Domain"), [{"name": "owner", "type": "string"}], "standard types"),
        (("primaryType",), "N", "'N' is not defined"),
        (("primaryType",), 5, "primaryType text"),
        (("primaryType",), "EIP712Domain", "primary type cannot be EIP712Domain"),
        (("comment",), "", "exactly types, primaryType, domain, message"),
    ],
)
def test_wrong_documents_are_refused(path: tuple[Any, ...], value: object, text: str) -> None:
    given = document()
    assert len(eip712.hash_typed_data(given)) == 32
    place = given
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError, match=text):
        eip712.hash_typed_data(given)


def test_domain_fields_out_of_order_are_refused() -> None:
    given = document()
    given["types"]["EIP712Domain"] = [
        {"name": "version", "type": "string"},
        {"name": "name", "type": "string"},
    ]
    given["domain"] = {"name": "x", "version": "1"}
    with pytest.raises(ValidationError, match="in this order"):
        eip712.hash_typed_data(given)
    given["types"]["EIP712Domain"] = [{"name": "name", "type": "string"}] * 2
    with pytest.raises(ValidationError, match="in this order"):
        eip712.hash_typed_data(given)
    del given["types"]["EIP712Domain"]
    given["domain"]["owner"] = "me"
    with pytest.raises(ValidationError, match="unknown fields owner"):
        eip712.hash_typed_data(given)


def test_parts_missing_from_a_document() -> None:
    for part in ("types", "primaryType", "domain", "message"):
        given = document()
        del given[part]
        with pytest.raises(ValidationError, match="must be an object of exactly"):
            eip712.hash_typed_data(given)
    wrongs: list[Any] = [None, [], "{}", 7]
    for wrong in wrongs:
        with pytest.raises(ValidationError, match="must be an object"):
            eip712.hash_typed_data(wrong)


def test_unused_types_are_ignored() -> None:
    given = document()
    digest = eip712.hash_typed_data(given)
    given["types"]["Unused"] = [{"name": "a", "type": "uint256"}]
    assert eip712.hash_typed_data(given) == digest
    assert "Unused" not in eip712.TypedData.from_dict(given).to_dict()["types"]  # type: ignore[operator]


# --- typed data is a value ------------------------------------------------------------------------


def test_typed_data_cannot_be_changed() -> None:
    types = {"A": fields("B b,uint8[] list,bytes raw"), "B": fields("uint8 n")}
    message: dict[str, Any] = {"b": {"n": 1}, "list": [1, 2], "raw": bytearray(b"x")}
    data = eip712.TypedData(eip712.compile_struct("A", types), BELLECOUR, message)
    message["b"]["n"] = 2
    message["list"].append(3)
    message["raw"][0] = 0
    assert data.struct.hash(data.message) == data.struct.hash(
        {"b": {"n": 1}, "list": [1, 2], "raw": b"x"}
    )
    inner = data.message["b"]
    assert isinstance(inner, Mapping)
    assert isinstance(data.message, MappingProxyType)
    with pytest.raises(TypeError):
        inner["n"] = 2  # type: ignore[index]
    for name in ("digest", "message"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(data, name, b"")
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(data, name)


def test_typed_data_compares_copies_and_pickles() -> None:
    struct = eip712.compile_struct("AppOrder", ORDERS)
    data = eip712.TypedData(struct, BELLECOUR, mapping("AppOrder"))
    for copied in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert copied == data
        assert hash(copied) == hash(data)
        assert copied.message == data.message
    other = eip712.TypedData(struct, BELLECOUR, {**mapping("AppOrder"), "volume": 11})
    assert other != data
    assert data != 7
    assert "AppOrder" in repr(data)
    assert pickle.loads(pickle.dumps(struct)).encoded_type == struct.encoded_type


def test_domain_cannot_be_signed_as_a_message() -> None:
    struct = eip712.compile_struct("EIP712Domain", {"EIP712Domain": [("string", "name")]})
    with pytest.raises(ValidationError, match="primary type cannot be"):
        eip712.TypedData(struct, BELLECOUR, {"name": "x"})


def test_public_names_exist() -> None:
    for name in eip712.__all__:
        assert getattr(eip712, name) is not None


# --- documents that are large by repetition -------------------------------------------------------


def many_fields(count: int, kind: str = "bool") -> list[tuple[str, str]]:
    return [(kind, f"f{i}") for i in range(count)]


def test_the_types_of_a_document_are_bounded() -> None:
    """encodeType of a type repeats those it uses: 200 of them would repeat one text 200 times."""
    users = {f"S{i}": [("Big", "b")] for i in range(200)}
    root = [(name, name.lower()) for name in users]
    small = {"A": root, "Big": many_fields(5), **users}
    assert eip712.compile_struct("A", small).name == "A"
    for types in (
        {"A": root, "Big": many_fields(100), **users},
        {"A": many_fields(4000)},
        {"A": many_fields(600, "bool" + "[]" * 32)},
    ):
        with pytest.raises(ValidationError, match="need more than 32768 characters"):
            eip712.compile_struct("A", types)
    unused = {"A": [("bool", "x")], "Big": many_fields(4000)}
    assert eip712.compile_struct("A", unused).encoded_type == "A(bool x)"


def test_the_bound_counts_the_text_of_encode_type() -> None:
    text = eip712.compile_struct("A", {"A": many_fields(2500)}).encoded_type
    assert 24_000 < len(text) < 32_768
    spare = 32_768 - len(text) - len(",bool ")
    fits = [*many_fields(2500), ("bool", "x" * (spare // 100))]
    assert eip712.compile_struct("A", {"A": fits}).encoded_type.startswith(text[:-1])


def test_the_bound_is_exact() -> None:
    """Of encodeType: the name, brackets, and a comma or space before each word but the first."""
    fields = [("bool", f"{at:0>122}".replace("0", "x", 1)) for at in range(255)]
    for length in (127, 128):
        name = "A" * length
        if length == 127:
            assert len(eip712.compile_struct(name, {name: fields}).encoded_type) == 32 * 1024
        else:
            with pytest.raises(ValidationError, match="more than 32768 characters"):
                eip712.compile_struct(name, {name: fields})


def test_the_number_of_types_is_exact() -> None:
    for count in (255, 256):
        types = {f"S{at}": [("bool", "a")] for at in range(count)}
        types["A"] = [(name, name.lower()) for name in types]
        if count == 255:
            assert len(eip712.compile_struct("A", types).types) == 256
        else:
            with pytest.raises(ValidationError, match="more than 256"):
                eip712.compile_struct("A", types)


def test_arrays_at_the_depth_that_is_allowed() -> None:
    kind = "bool" + "[]" * 32
    assert eip712.compile_struct("A", {"A": [(kind, "a")]}).encoded_type == f"A({kind} a)"
