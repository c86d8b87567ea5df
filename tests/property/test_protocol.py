"""Orders, amounts, tags and params: round trips, and strangers' input that must end in our errors.

Mutated input is a valid order or params text with something changed in it; the share that is still
accepted, and so went through every check, is asserted.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import IExecError
from iexec_lite.eth import abi
from iexec_lite.eth.codec import checksum_address, to_hex
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders, params, tag, units
from iexec_lite.protocol.columns import from_abi, to_abi
from iexec_lite.protocol.orders import SIGNED_ORDER_KINDS, SignedOrder
from iexec_lite.protocol.rules import ALL_RULES, V6, V9, Rules

SIGNER = KeySigner(b"\x11" * 32)
DOMAIN = orders.domain(134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
UINT = st.one_of(st.integers(0, 10), st.integers(0, (1 << 256) - 1))
ADDRESSES = st.binary(min_size=20, max_size=20).map(checksum_address)
BYTES32 = st.binary(min_size=32, max_size=32).map(to_hex)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
BY_NAME = {
    "params": JSON.map(params.stringify),
    "sign": st.binary(max_size=70).map(to_hex),
    "salt": BYTES32,
    "tag": BYTES32,
}
BY_TYPE = {"address": ADDRESSES, "uint256": UINT}


def of_kind(kind: type[SignedOrder]) -> st.SearchStrategy[SignedOrder]:
    values = {
        name: BY_NAME[name] if name in BY_NAME else BY_TYPE[column.abi]
        for name, column in kind.fields()
    }
    return st.builds(kind, **values)


ORDERS = st.one_of([of_kind(kind) for kind in SIGNED_ORDER_KINDS.values()])


# --- round trips ----------------------------------------------------------------------------------


@given(ORDERS)
def test_orders_survive_json(order: SignedOrder) -> None:
    carried = json.loads(json.dumps(order.to_dict()))
    again = type(order).from_dict(carried)
    assert again == order
    assert orders.order_hash(again, DOMAIN) == orders.order_hash(order, DOMAIN)


@given(ORDERS)
def test_orders_survive_the_abi(order: SignedOrder) -> None:
    kind = abi.parse_type(order.abi_tuple())
    data = abi.encode([kind.name], [order.abi_value()])
    shown = from_abi(kind, abi.decode([kind.name], data)[0])
    assert isinstance(shown, dict)
    shown["sign"] = to_hex(shown["sign"])  # the ABI form of bytes is bytes
    assert type(order)(**shown) == order
    assert to_abi(kind, shown) == order.abi_value() == to_abi(kind, order)


@given(ORDERS)
def test_both_ways_to_hash_agree(order: SignedOrder) -> None:
    """Positional and by name, compiled and read from the document that wallets get."""
    document = orders.typed_data(order, DOMAIN).to_dict()
    assert to_hex(TypedData.from_dict(document).digest) == orders.order_hash(order, DOMAIN)


@settings(max_examples=30)
@given(ORDERS, st.binary(min_size=32, max_size=32))
def test_signed_orders_verify(order: SignedOrder, salt: bytes) -> None:
    if order.name == "requestorder":
        order = type(order).from_dict({**order.to_dict(), "requester": SIGNER.address})
    signed = orders.sign_order(order, SIGNER, DOMAIN, salt=salt)
    orders.verify_order(signed, DOMAIN, SIGNER.address)
    for name, _ in order.fields():
        if name not in ("salt", "sign"):
            assert getattr(signed, name) == getattr(order, name)


@given(UINT)
def test_amounts_survive_text(amount: int) -> None:
    assert units.parse_rlc(units.format_rlc(amount) + " RLC") == amount
    assert units.parse_eth(units.format_eth(amount) + " ether") == amount
    assert units.parse_rlc(str(amount)) == units.parse_eth(f"{amount} wei") == amount


@given(st.integers(0, 10**30), st.integers(0, 12), st.sampled_from(list(units.ETHER_UNITS)))
def test_units_are_powers_of_ten(number: int, zeros: int, unit: str) -> None:
    power = units.ETHER_UNITS[unit]
    digits = str(number).rjust(power + 1, "0")
    text = f"{digits[: len(digits) - power]}.{digits[len(digits) - power :]}{'0' * zeros} {unit}"
    assert units.parse_eth(text) == number


@given(st.lists(st.sampled_from([name for name, _ in V6.tag_bits])))
def test_tags_survive_names(names: list[str]) -> None:
    encoded = tag.encode_tag(names)
    assert set(tag.decode_tag(encoded)) == set(tag.tag_names(encoded)) == set(names)
    assert tag.parse_tag(",".join(names)) == encoded


@given(BYTES32, BYTES32)
def test_missing_bits_complete_a_tag(first: str, second: str) -> None:
    missing = tag.missing_bits(first, second)
    assert tag.to_mask(first) | sum(1 << bit for bit in missing) == tag.to_mask(
        tag.sum_tags([first, second])
    )


@given(JSON)
def test_json_text_reads_back(value: object) -> None:
    text = params.stringify(value)
    assert json.loads(text) == value
    assert params.stringify(params.load_json(text)) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_text_reads_back(value: float) -> None:
    assert float(params.stringify(value)) == value


@pytest.mark.parametrize("rules", ALL_RULES.values(), ids=ALL_RULES)
@given(given_args=TEXT, encryption=st.booleans() | st.none(), tee=st.booleans())
def test_created_params_are_final(
    rules: Rules, given_args: str, encryption: bool | None, tee: bool
) -> None:
    """They pass strict reading, and creating from them changes nothing."""
    value: dict[str, object] = {"iexec_args": given_args}
    if encryption is not None:
        value["iexec_result_encryption"] = encryption

    def create(value: object) -> str:
        return params.create_params(
            value, rules=rules, tee=tee, callback=False, result_proxy="https://a.b"
        )

    text = create(value)
    assert create(text) == create(json.loads(text)) == text
    assert params.check_params(text, rules=rules, tee=tee, callback=False) == json.loads(text)


# --- strangers ------------------------------------------------------------------------------------


def outcome(call: Callable[[], object]) -> str:
    """``good`` or ``refused``; any other exception fails the test."""
    try:
        call()
    except IExecError as refusal:
        text = str(refusal)
    else:
        return "good"
    assert len(text) < 20_000
    return "refused"


STRANGE = [
    *(None, True, -1, 0.5, float("nan"), 1 << 256, 10**5000, [], {}, b"", object(), "", "0x"),
    *("x" * 10_000, "9" * 5000, "\ud800", "0x" + "é" * 40, "٣", ["5", "RLC"], [["tee"]], "tee"),
    *("5 RLC", "1e3", " 5", "0x" + "AB" * 32, "0x" + "ab" * 20, '{"a":1}', "[" * 5000, 7, "8"),
]


def changed(order: dict[str, object], dice: random.Random) -> dict[str, object]:
    """The order's JSON with one or two members removed, replaced or altered by a character."""
    result = dict(order)
    for _ in range(dice.choice((1, 1, 2))):
        name = dice.choice(list(result))
        way = dice.randrange(4)
        if way == 0:
            result[name] = dice.choice(STRANGE)
        elif way == 1:
            result.pop(name)
        else:
            text = str(result[name])
            at = dice.randrange(len(text) + 1)
            result[name] = text[:at] + dice.choice("0123456789abcdefXx ,.é") + text[at + 1 :]
    return result


@settings(max_examples=25, deadline=None)
@given(ORDERS, st.randoms(use_true_random=False))
def test_mutated_orders_end_in_our_errors(order: SignedOrder, dice: random.Random) -> None:
    for _ in range(20):
        given_json = changed(order.to_dict(), dice)
        outcome(lambda given_json=given_json: type(order).from_dict(given_json))  # type: ignore[misc]


def test_enough_mutants_get_through() -> None:
    dice = random.Random(5)
    order = orders.create_requestorder(
        app="0x" + "22" * 20,
        category=5,
        requester=SIGNER.address,
        params={"iexec_args": "hello"},
        rules=V9,
    )
    plain = orders.sign_order(order, SIGNER, DOMAIN, salt=b"\x44" * 32).to_dict()
    kind = SIGNED_ORDER_KINDS["requestorder"]
    counts: Counter[str] = Counter()
    for _ in range(2000):
        mutant = changed(plain, dice)
        counts[outcome(lambda mutant=mutant: kind.from_dict(mutant))] += 1  # type: ignore[misc]
    assert counts["good"] > 300
    assert counts["refused"] > 600


ANYTHING = st.one_of(
    JSON, st.binary(), st.floats(), st.integers(), st.sampled_from(STRANGE), st.text()
)
NAMES = st.sampled_from([*V6.params_keys, *V9.params_keys, "zz"])


@given(ANYTHING)
def test_single_values_end_in_our_errors(value: object) -> None:
    for call in (units.parse_rlc, units.parse_eth, tag.parse_tag, tag.to_mask, params.stringify):
        outcome(lambda call=call: call(value))  # type: ignore[misc]
    outcome(lambda: units.format_rlc(value))  # type: ignore[arg-type]
    for kind in SIGNED_ORDER_KINDS.values():
        for _, column in kind.fields():
            for read in (column.parse, column.check):
                outcome(lambda read=read: read(value))  # type: ignore[misc]


@given(st.dictionaries(NAMES, ANYTHING, max_size=4) | st.text(), st.booleans(), st.booleans())
def test_strange_params_end_in_our_errors(value: object, tee: bool, callback: bool) -> None:
    for rules in ALL_RULES.values():
        text = None
        try:
            text = params.create_params(
                value, rules=rules, tee=tee, callback=callback, result_proxy="https://a.b"
            )
        except IExecError:
            continue
        assert json.loads(text) == params.read_params(text)
        text.encode("utf-8")
        params.check_params(text, rules=rules, tee=tee, callback=callback)


@given(st.text())
def test_any_text_can_be_read_as_params(text: str) -> None:
    assert isinstance(params.read_params(text), dict)
    for rules in ALL_RULES.values():
        outcome(
            lambda rules=rules: params.check_params(  # type: ignore[misc]
                text, rules=rules, tee=True, callback=False
            )
        )


@given(st.text(st.sampled_from("htps:/.@?#%a1-_é é😀\ue000[]<"), max_size=30))
def test_url_checks_answer(text: str) -> None:
    for rules in ALL_RULES.values():
        assert rules.input_url(text) in (True, False)
        assert rules.input_url("http://a.b/" + text) in (True, False)
