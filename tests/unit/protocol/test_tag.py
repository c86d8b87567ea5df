"""Tags: names and bits of every SDK generation, and V9's rules (today.md §3, §7 vectors 1–7)."""

from __future__ import annotations

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.rules import AGNOSTIC, DATASET, STRICT, V6, V9, Rules
from iexec_lite.protocol.tag import (
    bit_name,
    check_tag,
    decode_tag,
    encode_tag,
    from_mask,
    missing_bits,
    parse_tag,
    sum_tags,
    tag_names,
    to_mask,
)

TOP = 1 << 255


@pytest.mark.parametrize(
    ("names", "mask"),
    [
        ([], 0),
        (["tee"], 0x1),
        (["gpu"], 0x100),
        (["tee", "gpu"], 0x101),
        (["tee", "tdx"], 0x9),
        (["tee", "tdx", "gpu"], 0x109),
        (["tee", "scone"], 0x3),
        (["tee", "gramine"], 0x5),
        (["tee", "", "tee"], 0x1),
    ],
)
def test_encode(names: list[str], mask: int) -> None:
    assert encode_tag(names) == from_mask(mask)


@pytest.mark.parametrize("names", [["Tee"], ["foo"], [" tee"], [5], [None], [["tee"]]])
def test_encode_refuses_unknown_names(names: list[str]) -> None:
    with pytest.raises(ValidationError, match=r"^Unknown tag "):
        encode_tag(names)


def test_encode_takes_no_text() -> None:
    with pytest.raises(ValidationError, match="must be a list"):
        encode_tag("tee,gpu")
    with pytest.raises(ValidationError, match="more than 1024"):
        encode_tag(["tee"] * 1025)
    assert encode_tag(["tee"] * 1024) == encode_tag(["tee"])


def test_decode() -> None:
    assert decode_tag(from_mask(0xE)) == ["scone", "gramine", "tdx"]
    assert decode_tag(from_mask(0x109)) == ["tee", "tdx", "gpu"]
    assert decode_tag(from_mask(0)) == []


@pytest.mark.parametrize(("rules", "number"), [(V6, 5), (V9, 4)])
def test_unknown_bits_are_numbered_as_the_generation_does(rules: Rules, number: int) -> None:
    with pytest.raises(ValidationError, match=f"^Unknown bit {number} in tag$"):
        decode_tag(from_mask(0x10), rules)
    assert tag_names(from_mask(0x11), rules) == ["tee", f"bit {number}"]
    assert bit_name(4, rules) == str(number)
    assert bit_name(8, rules) == "gpu"


def test_lenient_names_know_the_highest_bit() -> None:
    assert tag_names(from_mask(TOP)) == ["bit 256"]


@pytest.mark.parametrize("bit", [-1, 256])
def test_bits_outside_the_tag(bit: int) -> None:
    with pytest.raises(ValidationError, match="Invalid bit tag"):
        bit_name(bit)


def test_sum_keeps_the_highest_bit() -> None:
    """V6 dropped it."""
    assert sum_tags([from_mask(TOP), from_mask(1)]) == from_mask(TOP | 1)
    assert sum_tags([]) == from_mask(0)


def test_missing_bits() -> None:
    assert missing_bits(from_mask(0x1), from_mask(0x109)) == [3, 8]
    assert missing_bits(from_mask(0x1), from_mask(TOP)) == [255]
    assert missing_bits(from_mask(0x3), from_mask(0x1)) == []
    with pytest.raises(ValidationError, match=r"^tag must be bytes32 hex string"):
        missing_bits("0x1", from_mask(1))
    with pytest.raises(ValidationError, match=r"^requiredTag must be bytes32 hex string"):
        missing_bits(from_mask(1), "0x1")


@pytest.mark.parametrize(
    "tag", ["0x1", "", "0x" + "g" * 64, "1" * 66, None, 5, from_mask(0) + "\n"]
)
def test_decode_wants_bytes32(tag: object) -> None:
    for read in (decode_tag, tag_names, to_mask, lambda value: sum_tags([value])):
        with pytest.raises(ValidationError, match="tag must be bytes32 hex string"):
            read(tag)


def test_dataset_mask() -> None:
    assert 0x10F & V9.dataset_tag_mask == 0x101
    assert ((1 << 256) - 1) & V9.dataset_tag_mask == (1 << 256) - 1 - 0xE
    assert 0x10F & V6.dataset_tag_mask == 0x10F


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        (["tee", "gpu"], 0x101),
        (("tee",), 0x1),
        ("tee,gpu", 0x101),
        ("tee,,gpu", 0x101),
        ("", 0),
        ([], 0),
        ("0x" + "0" * 63 + "1", 1),
        ("0X" + "F" * 64, (1 << 256) - 1),
    ],
)
def test_parse(value: object, mask: int) -> None:
    assert parse_tag(value) == from_mask(mask)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("foo", "foo is not a valid tag. Unknown tag foo"),
        ("tee, gpu", "tee, gpu is not a valid tag. Unknown tag  gpu"),
        (["tee", "foo"], "tee,foo is not a valid tag. Unknown tag foo"),
        (5, "5 is not a valid tag. Invalid tag"),
        (None, "null is not a valid tag. Invalid tag"),
        (["tee", 5], "tee,5 is not a valid tag. Unknown tag 5"),
        ("0x1", "0x1 is not a valid bytes32 hexstring"),
        ("0xtee", "0xtee is not a valid bytes32 hexstring"),
    ],
)
def test_parse_messages(value: object, text: str) -> None:
    with pytest.raises(ValidationError) as info:
        parse_tag(value)
    assert info.value.message == text


OLD = "Unsupported legacy TEE framework tag ('scone')"
BOTH_OLD = "Unsupported legacy TEE framework tag ('scone', 'gramine')"
NO_FRAMEWORK = "'tee' tag must be used with a tee framework ('tdx')"
NO_TEE = "'tdx' tag must be used with 'tee' tag"

# today.md §3.2: mask → message for strict, agnostic, dataset use
VERDICTS = {
    0x0: (None, None, None),
    0x100: (None, None, None),
    0x9: (None, None, None),
    0x109: (None, None, None),
    TOP | 0x9: (None, None, None),
    0x1: (NO_FRAMEWORK, None, None),
    0x8: (NO_TEE, NO_TEE, NO_TEE),
    0x3: (OLD, OLD, None),
    0x6: (BOTH_OLD, BOTH_OLD, None),
    0xB: (OLD, OLD, None),
}


@pytest.mark.parametrize("mask", VERDICTS)
def test_v9_rules_for_each_use(mask: int) -> None:
    for use, message in zip((STRICT, AGNOSTIC, DATASET), VERDICTS[mask], strict=True):
        if message is None:
            assert parse_tag(from_mask(mask), V9, use=use) == from_mask(mask)
        else:
            with pytest.raises(ValidationError) as info:
                parse_tag(from_mask(mask), V9, use=use)
            assert info.value.message == message
        check_tag(from_mask(mask), V6, use)  # V6 knows no such rules
