"""EIP-712 against eth_account: random types, values and documents; mutated documents."""

from __future__ import annotations

import copy
import json
from typing import Any

from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import ValidationError
from iexec_lite.eth import eip712
from iexec_lite.eth.crypto import keccak

ATOMS: list[tuple[str, st.SearchStrategy[Any]]] = [
    ("address", st.binary(min_size=20, max_size=20)),
    ("bool", st.booleans()),
    ("bytes", st.binary(max_size=40)),
    ("string", st.text(max_size=20)),
]
ATOMS += [(f"uint{n}", st.integers(0, 2**n - 1)) for n in (8, 64, 136, 256)]
ATOMS += [(f"int{n}", st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1)) for n in (8, 248, 256)]
ATOMS += [(f"bytes{n}", st.binary(min_size=n, max_size=n)) for n in (1, 4, 31, 32)]

Types = dict[str, list[tuple[str, str]]]


@st.composite
def typed(draw: st.DrawFn) -> tuple[Types, dict[str, Any]]:
    """Struct types T0 … Tn, each using only later ones, and a message of type T0."""
    count = draw(st.integers(1, 4))
    types: Types = {}
    makers: dict[str, st.SearchStrategy[Any]] = {}
    for number in reversed(range(count)):
        fields: list[tuple[str, str]] = []
        values: dict[str, st.SearchStrategy[Any]] = {}
        for index in range(draw(st.integers(1, 4))):
            later = sorted(makers)
            kind, maker = draw(st.sampled_from(ATOMS))
            if later and draw(st.sampled_from([True, False])):
                kind = draw(st.sampled_from(later))
                maker = makers[kind]
            for length in draw(st.lists(st.none() | st.integers(1, 3), max_size=2)):
                if length is None:
                    kind, maker = f"{kind}[]", st.lists(maker, max_size=3)
                else:
                    kind = f"{kind}[{length}]"
                    maker = st.lists(maker, min_size=length, max_size=length)
            fields.append((kind, f"f{index}"))
            values[f"f{index}"] = maker
        types[f"T{number}"] = fields
        makers[f"T{number}"] = st.fixed_dictionaries(values)
    return types, draw(makers["T0"])


DOMAINS = st.builds(
    eip712.Domain,
    name=st.none() | st.text(max_size=10),
    version=st.none() | st.text(max_size=5),
    chain_id=st.none() | st.integers(0, 2**256 - 1),
    verifying_contract=st.none() | st.binary(min_size=20, max_size=20),
    salt=st.none() | st.binary(min_size=32, max_size=32),
)


@settings(max_examples=200, deadline=None)
@given(typed(), DOMAINS)
def test_same_digest_as_eth_account(
    made: tuple[Types, dict[str, Any]], domain: eip712.Domain
) -> None:
    types, message = made
    struct = eip712.compile_struct("T0", types)
    data = eip712.TypedData(struct, domain, message)
    document = data.to_dict()
    theirs = encode_typed_data(full_message=for_eth_account(document))
    assert theirs.header == domain.separator
    assert theirs.body == struct.hash(message)
    assert data.digest == keccak(b"\x19\x01" + theirs.header + theirs.body)
    again = eip712.TypedData.from_dict(json.loads(json.dumps(document)))
    assert again == data
    assert again.struct.encoded_type == struct.encoded_type
    assert again.to_dict() == document
    row = [message[name] for _, name in types["T0"]]
    assert struct.hash_row(row) == theirs.body


def for_eth_account(document: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(document)
    if "chainId" in result["domain"]:
        result["domain"]["chainId"] = int(result["domain"]["chainId"])
    return result


WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1.5, -1, 2**300, "", "0x", "0xzz", "x" * 50, [], {}, [[]], "uint", "T0", "T0[]"]
)


def test_mutated_documents_hash_or_are_refused() -> None:
    seen = {"hashed": 0, "refused": 0, "values reached": 0}

    @settings(max_examples=800, deadline=None, database=None)
    @given(typed(), DOMAINS, st.integers(0, 2**32), WRONG, st.booleans())
    def run(
        made: tuple[Types, dict[str, Any]],
        domain: eip712.Domain,
        where: int,
        wrong: Any,
        delete: bool,
    ) -> None:
        struct = eip712.compile_struct("T0", made[0])
        document = json.loads(json.dumps(eip712.TypedData(struct, domain, made[1]).to_dict()))
        part = document["message"] if where % 3 else document  # most mutations reach the values
        places = list(walk(part))
        parent, key = places[where // 3 % len(places)]
        if delete:
            del parent[key]
        else:
            parent[key] = wrong
        try:
            assert len(eip712.hash_typed_data(document)) == 32
            seen["hashed"] += 1
        except ValidationError as error:
            seen["refused"] += 1
            seen["values reached"] += error.message.startswith(("f", "T0: "))

    run()
    assert seen["hashed"] + seen["refused"] >= 800
    assert seen["hashed"] > 10, seen
    assert seen["values reached"] > 200, seen


def walk(value: Any) -> Any:
    """Every (container, key) of a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from walk(inner)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "types": JSON | st.dictionaries(st.sampled_from(["A", "EIP712Domain"]), JSON),
            "primaryType": st.just("A") | JSON,
            "domain": JSON,
            "message": JSON,
        }
    )
)
def test_any_document_is_hashed_or_refused(document: dict[str, Any]) -> None:
    try:
        digest = eip712.hash_typed_data(document)
    except ValidationError:
        return
    assert len(digest) == 32
