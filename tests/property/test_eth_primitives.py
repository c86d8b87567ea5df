"""Primitives on random input: round trips, other libraries beside ours, mutated bytes.

Witnesses: eth_account for raw transactions, coincurve and eth_keys for each other, the package
``rlp`` for RLP. Mutated input is mostly one small step from a valid case, and the share of it that
gets past the first check is asserted.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import IExecError
from iexec_lite.eth import rlp
from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import (
    SECP256K1_N,
    PrivateKey,
    aes_cbc_decryptor,
    aes_cbc_encryptor,
    aes_ctr,
    recover_public_key,
)
from iexec_lite.eth.signer import hash_message, recover_address
from iexec_lite.eth.transaction import Transaction, parse

SECRETS = st.integers(1, SECP256K1_N - 1).map(lambda n: n.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
WORDS = st.integers(0, 2**64 - 2) | st.integers(0, 300)
AMOUNTS = st.integers(0, 2**256 - 1) | st.integers(0, 300)
ITEMS = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=30
)
ACCESS_LISTS = st.lists(
    st.tuples(ADDRESSES, st.lists(st.binary(min_size=32, max_size=32), max_size=3).map(tuple)),
    max_size=3,
).map(tuple)
KEY = PrivateKey(b"\x11" * 32)
UNTIMED = settings(deadline=None)  # the first use of a library loads it, and machines are busy


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    """Any valid transaction of any of the four kinds."""
    kind = draw(st.sampled_from(["bare", "legacy", "type1", "type2"]))
    fields: dict[str, Any] = {
        "nonce": draw(WORDS),
        "gas": draw(WORDS),
        "to": draw(st.none() | ADDRESSES),
        "value": draw(AMOUNTS),
        "data": draw(st.binary(max_size=80)),
        "chain_id": None if kind == "bare" else draw(st.integers(1, 2**53)),
    }
    if kind == "type2":
        fees = sorted((draw(AMOUNTS), draw(AMOUNTS)))
        fields |= {"max_priority_fee_per_gas": fees[0], "max_fee_per_gas": fees[1]}
    else:
        fields["gas_price"] = draw(AMOUNTS)
    if kind in ("type1", "type2"):
        fields["access_list"] = draw(ACCESS_LISTS)
    return Transaction(**fields)


# --- round trips ---------------------------------------------------------------------------------


@UNTIMED
@given(ITEMS)
def test_rlp_there_and_back(item: Any) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@UNTIMED
@given(transactions(), SECRETS)
def test_transaction_there_and_back(tx: Transaction, secret: bytes) -> None:
    key = PrivateKey(secret)
    signed = tx.sign(key)
    read = parse(signed.raw)
    assert read == signed
    assert read.transaction == tx
    assert read.sender == key.address


@UNTIMED
@given(st.binary(max_size=40))
def test_hex_there_and_back(data: bytes) -> None:
    assert from_hex(to_hex(data)) == data


@UNTIMED
@given(ADDRESSES)
def test_address_there_and_back(address: bytes) -> None:
    assert address_to_bytes(checksum_address(address)) == address


@UNTIMED
@given(st.binary(max_size=100), st.sampled_from([16, 24, 32]), st.data())
def test_aes_there_and_back(data: bytes, size: int, draw: st.DataObject) -> None:
    key = draw.draw(st.binary(min_size=size, max_size=size))
    iv = draw.draw(st.binary(min_size=16, max_size=16))
    assert aes_ctr(key, iv, aes_ctr(key, iv, data)) == data
    blocks = data[: len(data) // 16 * 16]
    split = draw.draw(st.integers(0, len(blocks) // 16)) * 16
    forth, back = aes_cbc_encryptor(key, iv), aes_cbc_decryptor(key, iv)
    closed = forth.update(blocks[:split]) + forth.update(blocks[split:])
    assert back.update(closed) == blocks


# --- other libraries -----------------------------------------------------------------------------


@UNTIMED
@given(ITEMS)
def test_rlp_against_another(item: Any) -> None:
    other = pytest.importorskip("rlp", reason="the package rlp, the other one, is not installed")
    assert other.encode(item) == rlp.encode(item)


def account_form(tx: Transaction) -> dict[str, Any]:
    """The transaction as eth_account takes it."""
    form: dict[str, Any] = {
        "nonce": tx.nonce,
        "gas": tx.gas,
        "to": b"" if tx.to is None else tx.to,
        "value": tx.value,
        "data": tx.data,
    }
    if tx.chain_id is not None:
        form["chainId"] = tx.chain_id
    if tx.type == 2:
        form["maxFeePerGas"] = tx.max_fee_per_gas
        form["maxPriorityFeePerGas"] = tx.max_priority_fee_per_gas
    else:
        form["gasPrice"] = tx.gas_price
    if tx.type:
        form["type"] = tx.type
        form["accessList"] = [
            {"address": to_hex(address), "storageKeys": [to_hex(key) for key in keys]}
            for address, keys in tx.access_list or ()
        ]
    return form


@pytest.fixture(scope="module")
def eth_account() -> Any:
    """The package, imported before Hypothesis starts: it raises the recursion limit."""
    limit = sys.getrecursionlimit()
    package = pytest.importorskip("eth_account", reason="the package eth_account is not installed")
    pytest.importorskip("eth_account.messages", reason="the package eth_account is not installed")
    sys.setrecursionlimit(limit)
    return package


@UNTIMED
@given(tx=transactions(), secret=SECRETS)
def test_transaction_against_eth_account(eth_account: Any, tx: Transaction, secret: bytes) -> None:
    account = eth_account.Account
    other = account.sign_transaction(account_form(tx), secret)
    signed = tx.sign(PrivateKey(secret))
    assert to_hex(bytes(other.raw_transaction)) == to_hex(signed.raw)
    assert bytes(other.hash) == signed.hash
    assert (other.r, other.s, other.v) == (signed.r, signed.s, signed.v)
    assert account.recover_transaction(signed.raw) == checksum_address(signed.sender)


@UNTIMED
@given(message=st.binary(max_size=300), secret=SECRETS)
def test_message_against_eth_account(eth_account: Any, message: bytes, secret: bytes) -> None:
    signable = eth_account.messages.encode_defunct(primitive=message)
    other = eth_account.Account.sign_message(signable, secret)
    assert bytes(other.message_hash) == hash_message(message)
    assert PrivateKey(secret).sign(hash_message(message)) == bytes(other.signature)


@pytest.fixture(scope="module")
def _both_curves() -> None:
    for name in ("coincurve", "eth_keys"):
        pytest.importorskip(name, reason="comparing the two curve backends needs both")


@pytest.mark.usefixtures("_both_curves")
@settings(UNTIMED, max_examples=200)
@given(SECRETS, DIGESTS)
def test_curves_agree(secret: bytes, digest: bytes) -> None:
    fast, slow = (PrivateKey(secret, backend=name) for name in ("coincurve", "eth_keys"))
    assert fast.public_key == slow.public_key
    assert fast.address == slow.address
    signature = fast.sign(digest)
    assert signature == slow.sign(digest)
    assert int.from_bytes(signature[32:64], "big") <= SECP256K1_N // 2
    for name in ("coincurve", "eth_keys"):
        assert recover_public_key(digest, signature, backend=name) == fast.public_key


def recovered(digest: bytes, signature: bytes, backend: str) -> bytes | None:
    try:
        return recover_public_key(digest, signature, backend=backend)
    except IExecError:
        return None


EDGES = st.sampled_from([0, 1, 2, 3, SECP256K1_N // 2, SECP256K1_N - 1, SECP256K1_N, 2**256 - 1])
SCALARS = (EDGES | st.integers(0, 2**256 - 1)).map(lambda n: n.to_bytes(32, "big"))
VS = st.sampled_from([0, 1, 2, 26, 27, 28, 29])


@pytest.mark.usefixtures("_both_curves")
@settings(UNTIMED, max_examples=200)
@given(SCALARS, SCALARS, SCALARS, VS)
def test_curves_refuse_the_same(digest: bytes, r: bytes, s: bytes, v: int) -> None:
    signature = r + s + bytes((v,))
    assert recovered(digest, signature, "coincurve") == recovered(digest, signature, "eth_keys")


# --- mutated input -------------------------------------------------------------------------------


def mutated(data: bytes, dice: random.Random) -> bytes:
    """One small step away: a bit, a byte, a cut, a repetition, an insertion."""
    place = dice.randrange(len(data) + 1)
    step = dice.randrange(6)
    changed = bytearray(data)
    if step == 0 and place < len(data):
        changed[place] ^= 1 << dice.randrange(8)
    elif step == 1 and place < len(data):
        changed[place] = dice.choice((0, 1, 0x7F, 0x80, 0xB7, 0xB8, 0xC0, 0xF7, 0xF8, 0xFF))
    elif step == 2:
        del changed[place:]
    elif step == 3:
        changed[place:place] = dice.randbytes(dice.randrange(1, 4))
    elif step == 4:
        del changed[place : place + dice.randrange(1, 4)]
    else:
        changed[place:place] = changed[place : place + dice.randrange(1, 40)]
    return bytes(changed)


def survivors(
    valid: bytes, seed: int, rounds: int, read: Callable[[bytes], bytes]
) -> tuple[int, int]:
    """How many mutants were read, and how many were tried; the read ones must write back."""
    dice = random.Random(seed)
    alive = tried = 0
    for _ in range(rounds):
        mutant = mutated(valid, dice)
        tried += 1
        try:
            again = read(mutant)
        except IExecError:
            continue
        alive += 1
        assert again == mutant
    return alive, tried


@settings(UNTIMED, max_examples=30)
@given(ITEMS, st.integers(0, 2**32))
def test_mutated_rlp(item: Any, seed: int) -> None:
    """Refused with our own error, or read and written back to the same bytes: one spelling only."""
    alive, tried = survivors(rlp.encode(item), seed, 30, lambda data: rlp.encode(rlp.decode(data)))
    assert 0 <= alive <= tried == 30


def test_mutated_transactions() -> None:
    """As above; about one mutant in five must get as far as being a transaction."""
    hub = bytes.fromhex("3eca1b216a7df1c7689aeb259ffb83adfb894e7f")
    common: dict[str, Any] = {"nonce": 7, "gas": 10**5, "to": hub, "value": 10**9, "data": hub * 4}
    access = ((hub, (b"\1" * 32,)),)
    kinds = [
        Transaction(**common, chain_id=None, gas_price=1),
        Transaction(**common, chain_id=134, gas_price=0),
        Transaction(**common, chain_id=134, gas_price=1, access_list=access),
        Transaction(
            **common,
            chain_id=42161,
            max_fee_per_gas=9,
            max_priority_fee_per_gas=1,
            access_list=access,
        ),
    ]
    for seed, tx in enumerate(kinds):
        alive, tried = survivors(tx.sign(KEY).raw, seed, 600, lambda raw: parse(raw).raw)
        assert tried / 10 < alive < tried / 2


def outcome(read: Callable[[Any], object], value: object) -> str:
    """``read``, or the code of our own error; another exception is a failure of the test."""
    try:
        read(value)
    except IExecError as error:
        return error.code
    return "read"


@settings(UNTIMED, max_examples=200)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert outcome(rlp.decode, data) in ("read", "decoding")
    assert outcome(parse, data) in ("decoding", "signature")
    for read in (from_hex, address_to_bytes):
        assert outcome(read, data) == "validation"
    assert outcome(KEY.sign, data) == ("read" if len(data) == 32 else "validation")
    is_key = len(data) == 32 and 0 < int.from_bytes(data, "big") < SECP256K1_N
    assert outcome(PrivateKey, data) == ("read" if is_key else "validation")


@settings(UNTIMED, max_examples=200)
@given(st.binary(max_size=70), DIGESTS)
def test_random_signatures_are_refused(signature: bytes, digest: bytes) -> None:
    assert outcome(lambda value: recover_address(digest, value), signature) in ("read", "signature")


@UNTIMED
@given(st.text(max_size=50))
def test_random_text_is_refused(text: str) -> None:
    for read in (from_hex, address_to_bytes):
        assert outcome(read, text) in ("read", "validation")
