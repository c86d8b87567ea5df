"""ABI and EIP-712 against the public vectors of ethers (npm package @ethersproject/testcases, MIT).

Most were made by running solc's output, so they do not share a line with us or with ethers. Every
case of the six files is accounted for; ``solidity-hashes`` is about ``abi.encodePacked``, which
nothing here uses, so only its number of cases is checked.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth import abi, eip712
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = REPOSITORY / ".tox/npm/node_modules/@ethersproject/testcases/testcases"
FOLDER = Path(os.environ.get("IEXEC_LITE_TESTCASES") or DEFAULT_FOLDER)

pytestmark = pytest.mark.skipif(
    not (FOLDER.is_dir() or os.environ.get("CI")),  # in CI a missing package is a failure
    reason="the npm package @ethersproject/testcases is not installed (IEXEC_LITE_TESTCASES)",
)

KINDS_1 = {
    "address": 772,
    "array": 1230,
    "bool": 683,
    "bytes": 471,
    "fixed_bytes": 767,
    "int": 407,
    "string": 492,
    "uint": 421,
}
KINDS_2 = {
    "address": 1113,
    "array": 988,
    "bytes": 1026,
    "fixed_bytes": 1098,
    "int": 569,
    "string": 1092,
    "tuple": 943,
    "uint": 533,
}


def load(name: str) -> list[dict[str, Any]]:
    with gzip.open(FOLDER / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        cases: list[dict[str, Any]] = json.load(file)
    return cases


def native(kind: abi.AbiType, value: Any) -> object:
    """A value as the vectors write it, in the form that the ABI codec takes."""
    if kind.kind in ("array", "tuple"):
        if isinstance(value, dict) and value.get("type") == "tuple":
            value = value["value"]
        items = [kind.item] * len(value) if kind.item else kind.components
        assert len(items) == len(value)
        return tuple(native(item, each) for item, each in zip(items, value, strict=True) if item)
    if isinstance(value, dict):
        value = value["value"]
    if kind.kind in ("uint", "int"):
        if isinstance(value, str):
            sign, digits = (-1, value[1:]) if value.startswith("-") else (1, value)
            return sign * int(digits, 16 if digits.startswith("0x") else 10)
        return value
    if kind.kind == "address" or "bytes" in kind.kind:
        return from_hex(value)
    return value


def interface(text: str, kind: str, name: str) -> dict[str, Any]:
    (entry,) = [e for e in json.loads(text) if e.get("type") == kind and e.get("name") == name]
    assert isinstance(entry, dict)
    return entry


def count_kinds(kinds: tuple[abi.AbiType, ...], seen: dict[str, int]) -> None:
    for kind in kinds:
        seen[kind.kind] = seen.get(kind.kind, 0) + 1
        count_kinds(kind.components, seen)
        if kind.item:
            count_kinds((kind.item,), seen)


@pytest.mark.witness("ABI coding", by="recorded")
@pytest.mark.parametrize(
    ("name", "values_key", "cases", "kinds_seen"),
    [
        ("contract-interface", "normalizedValues", 2045, KINDS_1),
        ("contract-interface-abi2", "values", 1880, KINDS_2),
    ],
)
def test_contract_interface(
    name: str, values_key: str, cases: int, kinds_seen: dict[str, int]
) -> None:
    done, seen = 0, dict[str, int]()
    for case in load(name):
        function = abi.function_from_json(interface(case["interface"], "function", "test"))
        types = json.loads(case["types"])
        kinds = tuple(abi.parse_type(text) for text in types)
        assert [kind.name for kind in kinds] == [kind.name for kind in function.outputs]
        data = from_hex(case["result"])
        values = native(abi.parse_type("(" + ",".join(types) + ")"), json.loads(case[values_key]))
        assert isinstance(values, tuple)
        assert function.decode_output(data) == values, case["name"]
        assert abi.decode(types, data) == values, case["name"]
        assert to_hex(abi.encode(types, values)) == case["result"], case["name"]
        count_kinds(kinds, seen)
        done += 1
    assert done == cases
    assert seen == kinds_seen


def test_contract_events() -> None:
    done = anonymous = hashed = 0
    for case in load("contract-events"):
        event = abi.event_from_json(interface(case["interface"], "event", "testEvent"))
        topics = [from_hex(topic) for topic in case["topics"]]
        expected = [
            from_hex(value) if is_hashed else native(kind, value)
            for kind, is_hashed, value in zip(
                event.inputs, case["hashed"], case["normalizedValues"], strict=True
            )
        ]
        assert [item.indexed for item in event.inputs] == [bool(i) for i in case["indexed"]]
        decoded = event.decode(topics, from_hex(case["data"]))
        assert list(decoded.values()) == expected, case["name"]
        assert list(decoded) == [f"p{i}" for i in range(len(expected))]
        anonymous += event.anonymous
        hashed += sum(case["hashed"])
        done += 1
    assert (done, anonymous, hashed) == (2016, 992, 626)


def test_contract_signatures() -> None:
    done = 0
    for case in load("contract-signatures"):
        from_json = abi.function_from_json(interface(case["abi"], "function", "testSig"))
        from_text = abi.function(case["signature"])
        for function in (from_json, from_text):
            assert function.signature == case["signature"], case["name"]
            assert to_hex(function.selector) == case["sigHash"], case["name"]
        done += 1
    assert done == 1880


@pytest.mark.witness("EIP-712 document", by="recorded")
def test_eip712() -> None:
    done = 0
    for case in load("eip712"):
        document = {
            "types": case["types"],
            "primaryType": case["primaryType"],
            "domain": case["domain"],
            "message": case["data"],
        }
        data = eip712.TypedData.from_dict(document)
        assert to_hex(data.digest) == case["digest"], case["name"]
        assert data.struct.hash(data.message) == keccak(from_hex(case["encoded"])), case["name"]
        assert to_hex(data.struct.type_hash) == case["encoded"][:66], case["name"]
        again = eip712.TypedData.from_dict(json.loads(json.dumps(data.to_dict())))
        assert again == data
        assert again.message == data.message
        done += 1
    assert done == 1025


def test_solidity_hashes_are_about_packed_encoding() -> None:
    assert len(load("solidity-hashes")) == 2016
