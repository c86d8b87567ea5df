"""Hex, addresses and JSON: EIP-55's own examples, depth, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.eth.codec import (
    MAX_NESTING,
    address_to_bytes,
    checksum_address,
    from_hex,
    load_json,
    to_hex,
)

# From the text of EIP-55: all capitals, all lower case, mixed.
CHECKSUMMED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("text", CHECKSUMMED)
def test_checksum(text: str) -> None:
    address = bytes.fromhex(text[2:])
    assert checksum_address(address) == text
    digits = text[2:]
    for form in (digits, digits.lower(), digits.upper()):
        for prefix in ("", "0x", "0X"):
            assert address_to_bytes(prefix + form) == address


@pytest.mark.parametrize("text", [text for text in CHECKSUMMED if text[2:] != text[2:].upper()])
def test_wrong_checksum(text: str) -> None:
    place = next(i for i, digit in enumerate(text[2:], 2) if digit.isalpha())
    changed = text[:place] + text[place].swapcase() + text[place + 1 :]
    with pytest.raises(ValidationError) as caught:
        address_to_bytes(changed, name="beneficiary")
    assert str(caught.value) == (
        f"'{changed}' is not a valid ethereum address (beneficiary): wrong checksum, "
        "check for a typing mistake or write it in lower case"
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        CHECKSUMMED[0][:-1],
        CHECKSUMMED[0] + "0",
        CHECKSUMMED[0] + "\n",
        " " + CHECKSUMMED[0],
        "0x" + "g" * 40,
        "0x" + "٣" * 40,
        "alice.eth",
        None,
        0,
        bytes(20),
    ],
)
def test_address_refused(value: object) -> None:
    with pytest.raises(ValidationError, match=r"is not a valid ethereum address \(address\)$"):
        address_to_bytes(value)


@pytest.mark.parametrize("size", [0, 19, 21, 32])
def test_checksum_refused(size: int) -> None:
    with pytest.raises(ValidationError, match=f"20 bytes, got {size}"):
        checksum_address(bytes(size))


def test_hex() -> None:
    assert to_hex(b"") == "0x"
    assert to_hex(b"\x00\xab") == "0x00ab"
    assert from_hex("0x") == b""
    assert from_hex("0x00aB") == b"\x00\xab"
    assert from_hex("0x" + "00" * 32, length=32) == bytes(32)


@pytest.mark.parametrize(
    "value", ["", "00", "0X00", "0x0", "0xgg", "0x00\n", "0x 00", " 0x00", "0x٣٣", None, 0, b"0x00"]
)
def test_hex_refused(value: object) -> None:
    for name, told in (({"name": "callback"}, "callback"), ({}, "value")):
        with pytest.raises(ValidationError) as caught:
            from_hex(value, **name)
        assert str(caught.value) == (
            f"{told} must be 0x-prefixed hex with an even number of digits"
        )


def test_hex_length_refused() -> None:
    with pytest.raises(ValidationError, match="salt must be 32 bytes, got 1"):
        from_hex("0x00", length=32, name="salt")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '["]",' * 501 + "1" + "]" * 501,
        '["\\"]",' * 501 + "1" + "]" * 501,
        b"[" * 501,
    ],
)
def test_deep_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="nested deeper than 500"):
        load_json(text)


def test_deep_json_cannot_end_the_process() -> None:
    """Some libraries raise the recursion limit beyond what the stack holds."""
    code = (
        "import sys; sys.setrecursionlimit(10**9)\n"
        "from iexec_lite.eth.codec import load_json\n"
        "try: load_json('[' * 10**6)\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "nested deeper" in done.stdout


@pytest.mark.parametrize(
    "value", [[], {"a": ["]]]", "[[[", '"', "\\"]}, [[1]] * 1000, "é\u2028", [[[["x"]]]] * 300]
)
def test_json_is_read(value: object) -> None:
    assert load_json(json.dumps(value)) == value
    assert load_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_bad_json() -> None:
    for text in ("", "nope", b"\xff", "[1"):
        with pytest.raises(ValueError):  # noqa: PT011
            load_json(text)


# --- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"a": [1, "x"]}', b'{"a": [1, "x"]}', bytearray(b'{"a":[1,"x"]}')]
)
def test_json(text: str | bytes) -> None:
    assert load_json(text) == {"a": [1, "x"]}


def test_json_decoder_of_the_caller() -> None:
    pairs = json.JSONDecoder(object_pairs_hook=list)
    assert load_json('{"b": 1, "b": 2}', pairs) == [("b", 1), ("b", 2)]


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": 1} x', b"\xff", '"open', "]" * 600])
def test_json_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        load_json(text)
    assert not isinstance(caught.value, RecursionError)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_json_depth(opening: str, closing: str) -> None:
    """Counted before the parser runs, closed or not; MAX_NESTING itself is fine."""
    levels = opening.count("[") + opening.count("{")
    fits = MAX_NESTING // levels
    assert load_json(opening * fits + "1" + closing * fits)
    for tail in ("1" + closing * (fits + 1), "", "1"):
        with pytest.raises(ValueError, match="nested deeper than 500 levels"):
            load_json(opening * (fits + 1) + tail)
    with pytest.raises(ValueError, match="nested deeper"):
        load_json(opening * 100_000)


@pytest.mark.parametrize("text", ["[" * 600, '\\"' + "[{" * 600, "\\\\", '\\\\\\"[' * 600])
def test_json_brackets_in_text(text: str) -> None:
    """Brackets inside strings, escaped quotes among them, nest nothing."""
    inner = text if "\\" in text else json.dumps(text)[1:-1]
    document = f'["{inner}", "{inner}"]'
    assert load_json(document) == json.loads(document)


def test_json_wide_is_fine() -> None:
    assert len(load_json("[" + ",".join(["[]"] * 10_000) + "]")) == 10_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 80, f"'{'x' * 80}' is not a valid"),
        ("x" * 81, f"'{'x' * 80}…' is not a valid"),
        ("x" * 10_000, f"'{'x' * 80}…' is not a valid"),
        pytest.param(10**5000, "a value of type int is not a valid", id="long number"),
        (None, "None is not a valid"),
        ({"a": "secret"}, "a value of type dict is not a valid"),
    ],
)
def test_a_refused_address_does_not_flood_the_message(value: object, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        address_to_bytes(value)
    assert caught.value.message.startswith(text)
    assert len(caught.value.message) < 200
