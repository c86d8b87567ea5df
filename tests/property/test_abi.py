"""ABI against eth_abi: random types and values, and what mutated data does."""

from __future__ import annotations

import time
from typing import Any

import eth_abi.exceptions
import pytest
from eth_abi import abi as their_abi
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import DecodingError, IExecError, ValidationError
from iexec_lite.eth import abi

Typed = tuple[str, st.SearchStrategy[Any]]


def elementary() -> st.SearchStrategy[Typed]:
    def integers(kind: str, bits: int) -> Typed:
        low, high = (
            (0, 2**bits - 1) if kind == "uint" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        values = st.integers(low, high) | st.sampled_from([low, high, 0, 1])
        return f"{kind}{bits}", values

    return st.one_of(
        st.builds(
            integers, st.sampled_from(["uint", "int"]), st.integers(1, 32).map(lambda n: 8 * n)
        ),
        st.integers(1, 32).map(lambda n: (f"bytes{n}", st.binary(min_size=n, max_size=n))),
        st.sampled_from(
            [
                ("address", st.binary(min_size=20, max_size=20)),
                ("bool", st.booleans()),
                ("bytes", st.binary(max_size=70)),
                ("string", st.text(max_size=40)),
                ("function", st.binary(min_size=24, max_size=24)),
            ]
        ),
    )


def compound(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def array(item: Typed, length: int | None) -> Typed:
        if length is None:
            return f"{item[0]}[]", st.lists(item[1], max_size=4).map(tuple)
        return f"{item[0]}[{length}]", st.tuples(*[item[1]] * length)

    def struct(items: list[Typed]) -> Typed:
        return "(" + ",".join(i[0] for i in items) + ")", st.tuples(*[i[1] for i in items])

    return st.builds(array, inner, st.none() | st.integers(1, 3)) | st.builds(
        struct, st.lists(inner, min_size=1, max_size=4)
    )


TYPES = st.recursive(elementary(), compound, max_leaves=6)
ROWS = st.lists(TYPES, min_size=1, max_size=4).flatmap(
    lambda row: st.tuples(
        st.just(tuple(item[0] for item in row)), st.tuples(*[item[1] for item in row])
    )
)


def as_theirs(value: Any, kind: abi.AbiType) -> Any:
    """Our decoded value in the form that eth_abi decodes to (addresses are its only difference)."""
    if kind.kind == "address":
        return "0x" + value.hex()
    if kind.item is not None:
        return tuple(as_theirs(each, kind.item) for each in value)
    if kind.kind == "tuple":
        return tuple(as_theirs(v, k) for v, k in zip(value, kind.components, strict=True))
    return value


@settings(max_examples=300, deadline=None)
@given(ROWS)
def test_same_bytes_and_values_as_eth_abi(row: tuple[tuple[str, ...], tuple[Any, ...]]) -> None:
    types, values = row
    data = abi.encode(types, values)
    assert data == their_abi.encode(types, values)
    assert abi.decode(types, data) == values
    kinds = [abi.parse_type(text) for text in types]
    assert tuple(kind.name for kind in kinds) == types
    theirs = their_abi.decode(types, data)
    assert tuple(as_theirs(v, k) for v, k in zip(values, kinds, strict=True)) == theirs
    function = abi.function(f"f({','.join(types)}) returns ({','.join(types)})")
    assert function.encode(*values) == function.selector + data
    assert function.decode_input(function.selector + data) == values
    assert function.decode_output(data) == values
    # Honest data is never refused for overlap, however tight the limit.
    strict = abi.Limits(sharing=1, floor=0)
    assert abi.decode(types, data, limits=strict) == values


def mutate(data: bytes, moves: list[tuple[int, int, int]]) -> bytes:
    """``data`` with words replaced by other offsets, lengths, big numbers, or cut off."""
    result = bytearray(data)
    for where, kind, value in moves:
        at = where % (len(result) // 32 or 1) * 32
        if kind == 0:
            result[at : at + 32] = (value * 32 % (len(data) + 64)).to_bytes(32, "big")
        elif kind == 1:
            result[at : at + 32] = (value % 40).to_bytes(32, "big")
        elif kind == 2:
            result[at : at + 32] = (1 << value % 257 >> 1).to_bytes(32, "big")
        elif kind == 3 and result:
            result[where % len(result)] ^= 1 << value % 8
        elif kind == 4:
            del result[len(result) - value % 64 :]
        else:
            result[at:at] = bytes(32)
    return bytes(result)


MOVES = st.lists(
    st.tuples(
        st.integers(0, 2**16), st.sampled_from([0, 0, 1, 1, 2, 3, 4, 5]), st.integers(0, 2**16)
    ),
    min_size=1,
    max_size=4,
)


def test_mutated_data_decodes_or_is_refused() -> None:
    seen = {"read": 0, "refused deep": 0, "refused at once": 0}

    @settings(max_examples=400, deadline=None, database=None)
    @given(ROWS, MOVES)
    def run(
        row: tuple[tuple[str, ...], tuple[Any, ...]], moves: list[tuple[int, int, int]]
    ) -> None:
        types, values = row
        data = mutate(abi.encode(types, values), moves)
        started = time.monotonic()
        try:
            found = abi.decode(types, data)
        except DecodingError as error:
            at_once = "data: needs" in error.message and "offset 0," in error.message
            seen["refused at once" if at_once else "refused deep"] += 1
            found = None
        assert time.monotonic() - started < 5
        if found is not None:
            seen["read"] += 1
            assert abi.decode(types, abi.encode(types, found)) == found
        try:
            theirs = their_abi.decode(types, data)
        except Exception:
            return
        # What eth_abi accepts (it insists on padding), we read to the same values.
        assert found is not None
        kinds = [abi.parse_type(text) for text in types]
        assert tuple(as_theirs(v, k) for v, k in zip(found, kinds, strict=True)) == theirs

    run()
    total = sum(seen.values())
    assert total >= 400
    assert seen["read"] > total / 10, seen
    assert seen["refused deep"] > total / 10, seen
    assert seen["refused at once"] < total / 3, seen


@settings(max_examples=200, deadline=None)
@given(TYPES, st.binary(max_size=600))
def test_random_data_decodes_or_is_refused(kind: Typed, data: bytes) -> None:
    try:
        found = abi.decode([kind[0]], data)
    except DecodingError:
        return
    assert abi.decode([kind[0]], abi.encode([kind[0]], found)) == found


@settings(max_examples=300, deadline=None)
@given(
    ROWS,
    st.lists(
        st.tuples(st.integers(0, 2**16), st.text("()[],012 uintbyesx;{}é", max_size=3)), max_size=3
    ),
)
def test_mutated_declarations_parse_or_are_refused(
    row: tuple[tuple[str, ...], tuple[Any, ...]], edits: list[tuple[int, str]]
) -> None:
    text = f"function f({','.join(row[0])}) view returns ({','.join(row[0])})"
    for where, new in edits:
        at = where % len(text)
        text = text[:at] + new + text[at + len(new) :]
    try:
        parsed = abi.function(text)
    except ValidationError:
        return
    assert abi.function(parsed.signature).selector == parsed.selector


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(TYPES, VALUES)
def test_any_value_encodes_or_is_refused(kind: Typed, value: Any) -> None:
    try:
        data, refusal = abi.encode([kind[0]], [value]), ""
    except ValidationError as error:
        data, refusal = b"", error.message
    if refusal:
        assert refusal.startswith("[0]")
    else:
        (found,) = abi.decode([kind[0]], data)
        assert as_tuples(found) == as_tuples(value)


def as_tuples(value: Any) -> Any:
    return tuple(as_tuples(each) for each in value) if isinstance(value, (list, tuple)) else value


ERRORS = [abi.error("A(string)"), abi.error("B((uint8,bytes)[],address)"), abi.error("C()")]
SELECTORS = [e.selector for e in ERRORS] + [b"\x08\xc3\x79\xa0", b"\x4e\x48\x7b\x71", b""]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SELECTORS), st.lists(st.integers(0, 300), max_size=8), st.binary(max_size=40)
)
def test_reverts_never_raise(selector: bytes, words: list[int], rest: bytes) -> None:
    data = selector + b"".join(word.to_bytes(32, "big") for word in words) + rest
    found = abi.decode_revert(data, ERRORS)
    assert found is None or isinstance(found.text, str)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=33), max_size=5), st.binary(max_size=200))
def test_random_logs_are_refused_or_read(topics: list[bytes], data: bytes) -> None:
    event = abi.event("E(address indexed a, string indexed b, uint8[] c, string d)")
    for first in ([], [event.topic]):
        try:
            found = event.decode([*first, *topics], data)
        except IExecError:
            continue
        assert list(found) == ["a", "b", "c", "d"]


def test_eth_abi_agrees_that_dirty_words_are_wrong() -> None:
    for kind, data in [
        ("uint8", (256).to_bytes(32, "big")),
        ("int8", (128).to_bytes(32, "big")),
        ("bool", (2).to_bytes(32, "big")),
        ("address", (1 << 160).to_bytes(32, "big")),
        ("bytes3", b"abcd".ljust(32, b"\0")),
    ]:
        with pytest.raises(DecodingError):
            abi.decode([kind], data)
        with pytest.raises(eth_abi.exceptions.DecodingError):
            their_abi.decode([kind], data)
