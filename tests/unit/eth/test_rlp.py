"""RLP: the yellow paper's examples, and every second spelling refused."""

from __future__ import annotations

import pytest

from iexec_lite.errors import DecodingError, ValidationError
from iexec_lite.eth import rlp

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"
NESTED: list[object] = [[], [[]], [[], [[]]]]
EXAMPLES: list[tuple[object, str]] = [
    (b"dog", "83646f67"),
    ([b"cat", b"dog"], "c88363617483646f67"),
    (b"", "80"),
    ([], "c0"),
    (b"\x00", "00"),
    (b"\x0f", "0f"),
    (b"\x7f", "7f"),
    (b"\x80", "8180"),
    (b"\x04\x00", "820400"),
    (NESTED, "c7c0c1c0c3c0c1c0"),
    (LOREM, "b838" + LOREM.hex()),
    (bytes(55), "b7" + "00" * 55),
    (bytes(56), "b838" + "00" * 56),
    (bytes(255), "b8ff" + "00" * 255),
    (bytes(256), "b90100" + "00" * 256),
    (bytes(65536), "ba010000" + "00" * 65536),
    ([b"\x00"] * 55, "f7" + "00" * 55),
    ([b"\x00"] * 56, "f838" + "00" * 56),
]


@pytest.mark.parametrize(("item", "encoded"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_both_ways(item: rlp.Item, encoded: str) -> None:
    assert rlp.encode(item).hex() == encoded
    assert rlp.decode(bytes.fromhex(encoded)) == item


def test_tuples_and_bytearrays_encode() -> None:
    assert rlp.encode((b"cat", (b"dog",))) == rlp.encode([b"cat", [b"dog"]])
    assert rlp.encode(bytearray(b"dog")) == rlp.encode(b"dog")
    assert rlp.encode(bytearray(b"\1")) == b"\1"


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("", "nothing at offset 0"),
        ("8100", "single byte with a header at offset 0"),
        ("817f", "single byte with a header"),
        ("c28105", "single byte with a header at offset 1"),
        ("b800", "leading zeros"),
        ("b8", "truncated length"),
        ("b9", "truncated length"),
        ("b901", "truncated length"),
        ("f8", "truncated length"),
        ("ff01", "truncated length"),
        ("b801ff", "long header for 1 bytes"),
        ("b837" + "00" * 55, "long header for 55 bytes"),
        ("f837" + "00" * 55, "long header for 55 bytes"),
        ("f80100", "long header for 1 bytes"),
        ("b90038" + "00" * 56, "leading zeros"),
        ("f90038" + "00" * 56, "leading zeros"),
        ("81", "1 bytes announced at offset 0"),
        ("83646f", "3 bytes announced"),
        ("b838" + "00" * 55, "56 bytes announced"),
        ("c1", "1 bytes announced"),
        ("c883636174", "8 bytes announced"),
        ("c283646f67", "3 bytes announced at offset 1"),
        ("c2b838" + "00" * 56, "56 bytes announced at offset 1"),
        ("c1b8" + "00", "truncated length at offset 1"),
        ("bfffffffffffffffff", "announced at offset 0"),
        ("ffffffffffffffffff", "announced at offset 0"),
        ("83646f6700", "1 bytes left over at offset 4"),
        ("0000", "1 bytes left over at offset 1"),
        ("c0c0", "1 bytes left over at offset 1"),
    ],
)
def test_decode_refused(encoded: str, message: str) -> None:
    with pytest.raises(DecodingError, match=message):
        rlp.decode(bytes.fromhex(encoded))


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = rlp._header(0xC0, len(data)) + data
    return data


def test_depth() -> None:
    item: list[object] = []
    for _ in range(rlp.MAX_DEPTH - 1):
        item = [item]
    assert rlp.decode(nested(rlp.MAX_DEPTH)) == item
    assert rlp.encode(item) == nested(rlp.MAX_DEPTH)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="nested deeper than 64 lists"):
        rlp.encode([item])  # type: ignore[list-item]
    for depth in (rlp.MAX_DEPTH + 1, 5_000):
        with pytest.raises(DecodingError, match="nested deeper than 64 lists"):
            rlp.decode(nested(depth))


def test_list_in_itself_refused() -> None:
    item: list[object] = []
    item.append(item)
    with pytest.raises(ValidationError, match="nested deeper"):
        rlp.encode(item)  # type: ignore[arg-type]


@pytest.mark.parametrize("item", [1, "dog", None, [b"", 1], {}, 1.5, memoryview(b"")])
def test_encode_refused(item: object) -> None:
    with pytest.raises(ValidationError, match="only bytes and lists"):
        rlp.encode(item)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["83646f67", None, 1, [b"\x80"]])
def test_decode_takes_bytes(data: object) -> None:
    with pytest.raises(DecodingError, match="not bytes"):
        rlp.decode(data)  # type: ignore[arg-type]
