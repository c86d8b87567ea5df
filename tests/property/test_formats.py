"""Files and texts from strangers: round trips, and mutations that must end in our own errors.

Keystores, datasets, result archives, plain archives, multiaddresses. Mutated input is a valid case
with a few bytes changed, so that most of it gets past the first check; that share is asserted.
"""

from __future__ import annotations

import base64
import hashlib
import io
import ipaddress
import json
import os
import random
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import DecodingError, IExecError, KeystoreError
from iexec_lite.eth import crypto, keystore
from iexec_lite.protocol import archive, cipher, streams
from iexec_lite.protocol.multiaddr import base58_decode, base58_encode, to_bytes, to_text

SECRETS = st.binary(min_size=32, max_size=32).filter(
    lambda secret: 0 < int.from_bytes(secret, "big") < crypto.SECP256K1_N
)
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEY = base64.b64encode(b"\x07" * 32).decode()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A few bytes changed, dropped, doubled or moved."""
    result = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(result) + 1)
        match draw.randrange(6):
            case 0:
                result[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                if at < len(result):
                    result[at] ^= 1 << draw.randrange(8)
            case 2:
                del result[at : at + draw.randint(1, 4)]
            case 3:
                result[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 4)))
            case 4:
                result[at : at + 4] = draw.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0"))
            case _:
                del result[at:]
        if not result:
            break
    return bytes(result)


def outcomes(data: bytes, use: Callable[[bytes], object], rounds: int) -> Counter[str]:
    """What a function does with mutations of its input: "ok" or the start of our own error."""
    draw = random.Random(2021)
    seen: Counter[str] = Counter()
    for _ in range(rounds):
        try:
            use(mutated(data, draw))
        except IExecError as error:
            seen[error.message[:24]] += 1
        else:
            seen["ok"] += 1
    return seen


# ---- keystores ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SECRETS, PASSWORDS, st.sampled_from([(2, 1, 1), (16, 8, 1), (64, 2, 3)]))
def test_keystore_round_trip(secret: bytes, password: str, cost: tuple[int, int, int]) -> None:
    n, r, p = cost
    text = json.dumps(keystore.encrypt(secret, password, n=n, r=r, p=p))
    key = keystore.decrypt(text, password)
    assert key.secret == secret
    address = keystore.address_of(text)
    assert address is not None
    assert bytes.fromhex(address[2:]) == key.address


@pytest.fixture(scope="module")
def keyfile() -> ModuleType:
    """What eth-account reads and writes keystores with. It raises the recursion limit."""
    limit = sys.getrecursionlimit()
    try:
        module: ModuleType = pytest.importorskip(
            "eth_keyfile", reason="eth-account is not installed"
        )
    finally:
        sys.setrecursionlimit(limit)
    return module


@settings(max_examples=20, deadline=None)
@given(secret=SECRETS, password=PASSWORDS, kdf=st.sampled_from(["scrypt", "pbkdf2"]))
def test_keystores_of_eth_account(
    keyfile: ModuleType, secret: bytes, password: str, kdf: str
) -> None:
    encoded = password.encode()
    made = keyfile.create_keyfile_json(secret, encoded, kdf=kdf, iterations=16)
    assert keystore.decrypt(made, password).secret == secret
    assert keystore.decrypt(json.dumps(made), password).secret == secret
    ours = keystore.encrypt(secret, "plain", n=16, r=8, p=1)
    assert keyfile.decode_keyfile_json(ours, b"plain") == secret


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "crypto", "Cipher", "kdf", "kdfparams", "mac", "address"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_refused_politely(document: object) -> None:
    with pytest.raises(KeystoreError):
        keystore.decrypt(json.dumps(document), "x")


def test_mutated_keystores() -> None:
    """The text, then one value of the parsed file at a time."""
    document = keystore.encrypt(b"\x05" * 32, "x", n=16, r=1, p=1)
    text = json.dumps(document).encode()
    seen = outcomes(text, lambda data: keystore.decrypt(data, "x"), 1000)
    seen += outcomes(text, keystore.address_of, 300)
    assert sum(seen.values()) == 1300

    draw = random.Random(2021)

    def use(data: bytes) -> None:
        changed = json.loads(text)
        inner = changed["Crypto"]
        place = draw.choice((changed, inner, inner["cipherparams"], inner["kdfparams"]))
        name = draw.choice(sorted(place))
        texts = (data.decode("utf-8", "replace"), data.hex(), bytes(16).hex(), bytes(32).hex())
        place[name] = draw.choice((*texts, None, 0, -1, 2**70, 1.5, [], {}))
        keystore.decrypt(changed, "x")

    seen = outcomes(b"\x05" * 16, use, 1500)
    assert seen["ok"] > 50  # id and the like
    assert seen["invalid password"] > 25
    assert len(seen) > 8


# ---- encryption ---------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16), st.integers(1, 50))
def test_dataset_round_trip(data: bytes, iv: bytes, step: int) -> None:
    encrypted = cipher.encrypt_dataset(data, KEY, iv=iv)
    assert encrypted[:16] == iv
    assert cipher.decrypt_dataset(encrypted, KEY) == data
    assert cipher.checksum(encrypted) == "0x" + hashlib.sha256(encrypted).hexdigest()
    pieces = [encrypted[i : i + step] for i in range(0, len(encrypted), step)]
    assert b"".join(cipher.decrypt_cbc(pieces, b"\x07" * 32)) == data


def test_mutated_datasets() -> None:
    encrypted = cipher.encrypt_dataset(bytes(1000), KEY)
    seen = outcomes(encrypted, lambda data: cipher.decrypt_dataset(data, KEY), 500)
    assert seen["ok"] > 50  # CBC has no integrity of its own: that is the checksum's task
    assert seen["Failed to decrypt datase"] > 100
    assert len(seen) == 2


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.integers(1, 30))
def test_base64_round_trip(data: bytes, step: int) -> None:
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    text = b"".join(streams.to_base64(pieces))
    assert text == base64.b64encode(data)
    pieces = [text[i : i + step] for i in range(0, len(text), step)]
    assert b"".join(streams.from_base64(pieces, "")) == data


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """Private and public PEM."""
    return crypto.rsa_generate(1024)


@settings(max_examples=20, deadline=None)
@given(inner=st.binary(min_size=1, max_size=500), new=st.booleans())
def test_result_round_trip(inner: bytes, new: bool, keys: tuple[str, str]) -> None:
    encrypted = archive.encrypt_result(inner, keys[1], format="v9" if new else "v6")
    assert archive.decrypt_result(encrypted, keys[0]) == inner


@pytest.mark.parametrize("format", ["v6", "v9"])
def test_mutated_results(format: archive.ResultFormat, keys: tuple[str, str]) -> None:
    encrypted = archive.encrypt_result(os.urandom(200), keys[1], format=format)
    seen = outcomes(encrypted, lambda data: archive.decrypt_result(data, keys[0]), 200)
    assert len(seen) >= 3  # it opens, the zip is bad, an entry is missing …
    # the same inside an intact zip
    with zipfile.ZipFile(io.BytesIO(encrypted)) as file:
        entries = {name: file.read(name) for name in file.namelist()}

    for name, data in entries.items():

        def use(changed: bytes, name: str = name) -> None:
            archive.decrypt_result(zip_of({**entries, name: changed}), keys[0])

        seen = outcomes(data, use, 50)
        assert {text for text in seen if text != "ok"} <= {
            "Failed to decrypt result",
            "aes-key.rsa is too large",
        }
        assert seen["Failed to decrypt result"] > 15


# ---- archives -----------------------------------------------------------------------------------


def zip_of(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpack(document: bytes) -> dict[str, bytes]:
    """Extract into a new folder; nothing may appear beside it, nor stay after a failure."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "target")
        try:
            paths = archive.extract_archive(document, target)
        except IExecError:
            assert os.listdir(folder) == []
            raise
        assert os.listdir(folder) == ["target"]
        assert all(path.resolve().is_relative_to(target.resolve()) for path in paths)
        assert not any(path.is_symlink() for path in target.rglob("*"))
        return {path.relative_to(target).as_posix(): path.read_bytes() for path in paths}


PARTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=8).filter(
    lambda part: part not in ("con", "prn", "aux", "nul")
)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=100), max_size=6))
def test_archive_round_trip(entries: dict[str, bytes]) -> None:
    entries = {
        name: data
        for name, data in entries.items()
        if not any(other.startswith(name + "/") for other in entries)
    }
    document = zip_of(entries)
    assert unpack(document) == entries
    assert {m.name: m.size for m in archive.list_archive(document)} == {
        name: len(data) for name, data in entries.items()
    }
    for name, data in entries.items():
        assert archive.read_member(document, name, len(data)) == data


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["..", ".", "", "a", "A", "C:", "\\", "..\\..", "é", "e\u0301", " "]),
            min_size=1,
            max_size=4,
        ).map("/".join),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_hostile_names_never_leave_the_folder(names: list[str]) -> None:
    names = [name for name in names if name]
    try:
        found = unpack(zip_of(dict.fromkeys(names, b"x")))
    except DecodingError:
        return
    assert sorted(found) == sorted(name for name in names if not name.endswith("/"))


def test_mutated_archives() -> None:
    document = zip_of({"a": b"data" * 50, "b/c": os.urandom(50), "d/": b"", "e": b""})
    seen = outcomes(document, unpack, 2500)
    assert seen["ok"] > 50
    opened = sum(count for text, count in seen.items() if not text.startswith("not a zip"))
    assert opened > 500
    assert any("damaged" in text for text in seen)


# ---- multiaddresses -----------------------------------------------------------------------------

COMPONENTS = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: f"/ip4/{ip}"),
    st.ip_addresses(v=6).map(lambda ip: f"/ip6/{ip}"),
    st.tuples(st.sampled_from(["tcp", "udp", "sctp", "dccp"]), st.integers(0, 65535)).map(
        lambda pair: f"/{pair[0]}/{pair[1]}"
    ),
    st.tuples(st.sampled_from(["dns", "dns4", "dns6", "dnsaddr", "memory"]), PARTS).map(
        lambda pair: f"/{pair[0]}/{pair[1]}"
    ),
    st.sampled_from(["/http", "/https", "/ws", "/wss", "/quic", "/p2p-circuit", "/utp"]),
    st.binary(min_size=32, max_size=32).map(lambda h: "/p2p/" + base58_encode(b"\x12\x20" + h)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(COMPONENTS, min_size=1, max_size=5).map("".join))
def test_multiaddr_round_trip(text: str) -> None:
    stored = to_bytes(text)
    assert stored != text.encode()
    back = to_text(stored)
    if back == stored.decode("utf-8", "replace"):
        assert back.isprintable()  # printable bytes are text, whatever else they are
        return
    assert to_bytes(back) == stored
    if "ip6" not in text:
        assert back == text


@settings(max_examples=100, deadline=None)
@given(st.ip_addresses(v=6))
def test_ip6_text_is_that_address(address: ipaddress.IPv6Address) -> None:
    back = to_text(to_bytes(f"/tcp/1/ip6/{address}"))
    assert ipaddress.IPv6Address(back.removeprefix("/tcp/1/ip6/")) == address


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_stored(text: str) -> None:
    stored = to_bytes(text)
    back = to_text(stored)
    if stored == text.encode() and text.isprintable():
        assert back == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_text_that_has_no_bytes(text: str) -> None:
    try:
        stored = to_bytes(text)
    except IExecError:
        assert any(0xD800 <= ord(char) < 0xE000 for char in text)
    else:
        assert isinstance(stored, bytes)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_shown(data: bytes) -> None:
    assert isinstance(to_text(data), str)


def test_mutated_multiaddresses() -> None:
    text = (
        "/ip4/127.0.0.1/tcp/80/ip6/fe80::1/dns4/example.com/https"
        "/p2p/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ/unix/a/b"
    )
    draw = random.Random(2021)
    stored = to_bytes(text)
    still = sum(to_text(mutated(stored, draw)).startswith("/") for _ in range(1000))
    assert 100 < still < 1000
    seen = outcomes(text.encode(), lambda data: to_bytes(data.decode("utf-8", "replace")), 1000)
    assert seen == {"ok": 1000}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=50))
def test_base58_round_trip(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=50))
def test_base58_of_any_text(text: str) -> None:
    try:
        data = base58_decode(text)
    except IExecError:
        return
    assert base58_encode(data) == text
