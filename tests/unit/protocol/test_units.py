"""Amounts: exact text arithmetic, the units of V6, and what V6 read wrongly."""

from __future__ import annotations

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.units import (
    MAX_UINT256,
    format_eth,
    format_rlc,
    nrlc_to_wei,
    parse_erlc,
    parse_eth,
    parse_rlc,
    shown,
    wei_to_nrlc,
)
from iexec_lite.protocol.values import check_amount, read_uint


@pytest.mark.parametrize(
    ("value", "nrlc"),
    [
        (0, 0),
        (5, 5),
        ("5", 5),
        ("005", 5),
        ("5 nRLC", 5),
        ("5 RLC", 5 * 10**9),
        ("0.5 RLC", 500000000),
        (".5 RLC", 500000000),
        ("5. RLC", 5 * 10**9),
        ("00.5 RLC", 500000000),
        ("5.", 5),
        ("5.000", 5),
        ("0.000000001 RLC", 1),
        ("1.5000000000 RLC", 1500000000),  # V6 read 6 RLC
        (["5"], 5),
        (["5", ""], 5),
        (["5", None], 5),
        (["5", "RLC"], 5 * 10**9),
        ([5, "RLC"], 5 * 10**9),
        (("0.5", "RLC"), 500000000),
        (["5 RLC"], 5 * 10**9),
        (MAX_UINT256, MAX_UINT256),
        (str(MAX_UINT256), MAX_UINT256),
        ("0" * 100 + "7", 7),
    ],
)
def test_parse_rlc(value: object, nrlc: int) -> None:
    assert parse_rlc(value) == nrlc


def test_amounts_are_texts_of_a_bounded_length() -> None:
    assert parse_rlc("0" * 255 + "7") == 7
    with pytest.raises(ValidationError):
        parse_rlc("0" * 256 + "7")
    assert read_uint("0" * 99 + "7") == 7
    with pytest.raises(ValidationError):
        read_uint("0" * 100 + "7")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb\x1b[2J", r"a\nb\x1b[2J"),
        ("\u202e", r"\u202e"),
        ("a" * 100, "a" * 100),
        ("a" * 101, "a" * 100 + "…"),
        (2**256, str(2**256)),
        (2**512, "a number of 513 bits"),
        ([1, "b"], "1 b"),
        ([True, None, object], "true null <type>"),
    ],
)
def test_what_a_message_shows_of_a_value(value: object, text: str) -> None:
    assert shown(value) == text


BAD_AMOUNTS = [
    *("", " ", "foo", ".", "-5", "+5", "1,5", "1_000", "0x5", "1e3", "٣", "５", "5\n"),
    *(" 5", "5 ", "5  RLC", "5 rlc", "5 RLC ", "5 RLC x", "1.5", "1.0000000001 RLC", "5\tRLC"),
    *(None, True, False, 0.5, 5.0, -1, [], ["5", "RLC", "x"], ["5 RLC", "RLC"], ["5", 5], [None]),
    *([0.5, "RLC"], [["5"]], {}, b"5", MAX_UINT256 + 1, str(MAX_UINT256 + 1), 10**5000),
    *("9" * 5000, f"{MAX_UINT256} RLC", object()),
]


@pytest.mark.parametrize("value", BAD_AMOUNTS, ids=lambda value: shown(value)[:20])
def test_bad_amounts(value: object) -> None:
    with pytest.raises(ValidationError, match=r"is not a valid amount\. Invalid token"):
        parse_rlc(value)


def test_messages_show_the_value_and_the_reason() -> None:
    for value, text in (
        (
            "1.5",
            "1.5 is not a valid amount. Invalid token amount: "
            'give a whole number of nRLC, or text like "1.5 RLC"',
        ),
        (["5", "rlc"], "5 rlc is not a valid amount. Invalid token unit: use nRLC, RLC"),
        ("5 ", "5  is not a valid amount. Invalid token unit: use nRLC, RLC"),
    ):
        with pytest.raises(ValidationError) as info:
            parse_rlc(value)
        assert info.value.message == text
    with pytest.raises(ValidationError, match=r"Invalid ether unit: use wei, .*, ether, eth$"):
        parse_eth("5 RLC")
    with pytest.raises(
        ValidationError, match=r'foo is not a valid amount\. Invalid ether amount: .*"1.5 eth"$'
    ):
        parse_eth("foo")


@pytest.mark.parametrize("value", [-1, 2**256, True, "1", 1.0, None])
def test_records_hold_whole_numbers_only(value: object) -> None:
    assert check_amount(2**256 - 1) == 2**256 - 1
    with pytest.raises(ValidationError, match="is not a valid amount"):
        check_amount(value)


@pytest.mark.parametrize(
    ("value", "wei"),
    [
        ("1", 1),
        ("1 wei", 1),
        (".0 wei", 0),
        ("1 kwei", 10**3),
        ("1 mwei", 10**6),
        ("1.1 gwei", 1100000000),
        ("1 szabo", 10**12),
        ("1 finney", 10**15),
        ("0.01 ether", 10**16),
        ("1 eth", 10**18),
        ("1.500000000000000000000 ether", 15 * 10**17),  # V6 read 501 ether
        ("0.000000000000000001 ether", 1),
    ],
)
def test_parse_eth(value: object, wei: int) -> None:
    assert parse_eth(value) == wei


def test_default_units() -> None:
    assert parse_rlc("1.5", "RLC") == 1500000000
    assert parse_rlc("5 nRLC", "RLC") == 5
    assert parse_eth("1", "ether") == 10**18
    with pytest.raises(ValidationError, match="Invalid token unit"):
        parse_rlc("5", "ether")


@pytest.mark.parametrize(
    ("nrlc", "text"),
    [
        (1500000000, "1.5"),
        (0, "0.0"),
        (7, "0.000000007"),
        (10**9, "1.0"),
        (-15, "-0.000000015"),
        ("007", "0.000000007"),
        ("-7", "-0.000000007"),
        ("0x10", "0.000000016"),
        (MAX_UINT256, str(MAX_UINT256)[:-9] + "." + str(MAX_UINT256)[-9:].rstrip("0")),
    ],
)
def test_format_rlc(nrlc: int | str, text: str) -> None:
    assert format_rlc(nrlc) == text


def test_format_eth() -> None:
    assert format_eth(10**18) == "1.0"
    assert format_eth(1) == "0.000000000000000001"


@pytest.mark.parametrize(
    "value", ["", " 5", "+5", "1.5", "1e3", "0x", "--5", "foo", None, 1.5, True, 1 << 256]
)
def test_format_refuses_what_is_no_integer(value: object) -> None:
    with pytest.raises(ValidationError, match="Invalid nRLC"):
        format_rlc(value)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="Invalid wei"):
        format_eth(value)  # type: ignore[arg-type]


def test_native_conversion() -> None:
    assert nrlc_to_wei(5) == 5 * 10**9
    assert wei_to_nrlc(5 * 10**9 + 999999999) == 5


def test_shown_is_short_and_never_raises() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    for value in (nested, [nested] * 1000, "x" * 10**6, 10**5000, {1: 10**5000}, float("nan")):
        assert len(shown(value)) <= 110
    assert shown([None, True, "a", 5]) == "null true a 5"


def test_units_of_erlc() -> None:
    """Only where eRLC is about: elsewhere it is other money."""
    assert parse_erlc("1.5 eRLC") == parse_erlc("1.5 RLC") == 1500000000
    assert parse_erlc("5 neRLC") == parse_erlc(5) == parse_erlc("0.000000005", "eRLC") == 5
    for text in ("1 erlc", "1.5 neRLC", "-1 eRLC"):
        with pytest.raises(ValidationError, match=f"{text} is not a valid amount"):
            parse_erlc(text)
    with pytest.raises(ValidationError, match="Invalid token unit: use nRLC, RLC"):
        parse_rlc("1 eRLC")
