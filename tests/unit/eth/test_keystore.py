"""eth/keystore.py against recorded files of other programs and everything that is refused."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import sys
from datetime import datetime, timedelta, timezone

import pytest

from iexec_lite.errors import KeystoreError, ValidationError, WrongPasswordError
from iexec_lite.eth import crypto, keystore

SECRET = "564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"

# services.md §7.2: written by the V6 command line.
SAMPLE = """{
  "address": "7bd4783fdcad405a28052a0d1f11236a741da593",
  "id": "987130b8-2328-4a29-a39b-b62c57f37e5f",
  "version": 3,
  "Crypto": {
    "cipher": "aes-128-ctr",
    "cipherparams": {
      "iv": "0e50a523d7b75b57e2495f89edf16161"
    },
    "ciphertext": "8549b362a4787bf2c9f2ead6d90f177fcd131d2ced061446a3025e53bb6a9e24",
    "kdf": "scrypt",
    "kdfparams": {
      "salt": "eab7e02fda04bdeb647d594e8fe539a734b979dcc5e606622782c85b2adb4a73",
      "n": 131072,
      "dklen": 32,
      "p": 1,
      "r": 8
    },
    "mac": "6c1710c857ba09b93f88ee2b477de4105f3bebe800d251715f2aef57b85ded7d"
  }
}"""

# The two examples of the Web3 Secret Storage definition; the password is "testpassword".
WIKI_SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
WIKI_SCRYPT = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
WIKI_PBKDF2 = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def made(secret: bytes, password: bytes, *, kdf: str = "scrypt", **changes: object) -> dict:
    """A keystore built by the definition, from the standard library's key derivations."""
    salt, iv = b"s" * 32, b"i" * 16
    if kdf == "scrypt":
        params: dict[str, object] = {"n": 16, "r": 8, "p": 1, "dklen": 32}
        derived = hashlib.scrypt(password, salt=salt, n=16, r=8, p=1, dklen=32)
    else:
        params = {"c": 7, "prf": kdf, "dklen": 32}
        derived = hashlib.pbkdf2_hmac(kdf.removeprefix("hmac-"), password, salt, 7, 32)
        kdf = "pbkdf2"
    ciphertext = crypto.aes_ctr(derived[:16], iv, secret)
    result: dict = {
        "version": 3,
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": kdf,
            "kdfparams": {**params, "salt": salt.hex()},
            "mac": crypto.keccak(derived[16:] + ciphertext).hex(),
        },
    }
    for path, value in changes.items():
        place = result
        *parents, last = path.split("__")
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return result


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key derivation that must not happen."""

    def fail(*args: object, **kwargs: object) -> bytes:
        raise AssertionError("key derivation was started")

    monkeypatch.setattr(keystore, "scrypt", fail)
    monkeypatch.setattr(keystore, "pbkdf2", fail)


KEY = bytes.fromhex(SECRET)


# ---- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "password", "secret"),
    [
        (SAMPLE, "x", SECRET),
        (SAMPLE.encode(), "x", SECRET),
        (WIKI_SCRYPT, "testpassword", WIKI_SECRET),
        (json.dumps(WIKI_PBKDF2), "testpassword", WIKI_SECRET),
    ],
)
def test_opens_recorded_files(document: str | bytes | dict, password: str, secret: str) -> None:
    assert keystore.decrypt(document, password).secret.hex() == secret


@pytest.mark.parametrize("kdf", ["scrypt", "hmac-sha256", "hmac-sha512"])
def test_opens_every_key_derivation(kdf: str) -> None:
    assert keystore.decrypt(made(KEY, b"pw", kdf=kdf), "pw").secret == KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"address": ADDRESS},
        {"address": ADDRESS[2:].upper()},
        {"address": ADDRESS.swapcase()[:2].lower() + ADDRESS[2:].swapcase()},  # bad EIP-55
        {"address": ""},
        {"version": 3.0},
        {"crypto__kdf": "SCRYPT"},
        {"crypto__kdfparams__n": "16", "crypto__kdfparams__r": 8.0},
        {"crypto__kdfparams__dklen": 64},
        {"crypto__kdfparams__salt": "0x" + (b"s" * 32).hex()},
        {"crypto__cipherparams__iv": "0X" + (b"i" * 16).hex().upper()},
        {"name": "x", "meta": "{}", "x-ethers": {"version": "0.1"}},
    ],
)
def test_opens_what_other_programs_vary(changes: dict[str, object]) -> None:
    assert keystore.decrypt(made(KEY, b"pw", **changes), "pw").secret == KEY


def test_keys_of_the_json_in_any_case() -> None:
    def shout(value: object) -> object:
        if isinstance(value, dict):
            return {key.upper(): shout(item) for key, item in value.items()}
        return value

    text = json.dumps(shout(made(KEY, b"pw", address=ADDRESS)))
    assert keystore.decrypt(text, "pw").secret == KEY
    assert keystore.address_of(text) == ADDRESS


def test_short_secrets_of_old_geth_get_their_zeros_back() -> None:
    assert keystore.decrypt(made(KEY[:30], b"pw"), "pw").secret == b"\0\0" + KEY[:30]


def test_password_normalised_first_then_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    derive = keystore.scrypt

    def spy(password: bytes, salt: bytes, **kwargs: int) -> bytes:
        tried.append(password)
        return derive(password, salt, **kwargs)

    monkeypatch.setattr(keystore, "scrypt", spy)
    text = "ﬁ①"
    assert keystore.decrypt(made(KEY, b"fi1"), text).secret == KEY  # as ethers writes it
    assert tried == [b"fi1"]
    assert keystore.decrypt(made(KEY, text.encode()), text).secret == KEY  # as geth writes it
    assert tried[1:] == [b"fi1", text.encode()]
    with pytest.raises(WrongPasswordError):
        keystore.decrypt(made(KEY, b"fi1"), "plain")
    assert tried[3:] == [b"plain"]  # nothing is tried twice


# ---- refusing -----------------------------------------------------------------------------------


def test_wrong_password() -> None:
    with pytest.raises(WrongPasswordError) as caught:
        keystore.decrypt(made(KEY, b"right"), "hunter2")
    assert str(caught.value) == "invalid password"
    assert isinstance(caught.value, KeystoreError)


def test_mac_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def spy(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return False

    monkeypatch.setattr(hmac, "compare_digest", spy)
    document = made(KEY, b"pw")
    with pytest.raises(WrongPasswordError):
        keystore.decrypt(document, "pw")
    mac = bytes.fromhex(document["crypto"]["mac"])
    assert compared == [(mac, mac)]


def test_address_of_another_key() -> None:
    with pytest.raises(KeystoreError, match=r"^address mismatch$"):
        keystore.decrypt(made(KEY, b"pw", address="11" * 20), "pw")


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32])
def test_contents_that_are_no_key(secret: bytes) -> None:
    with pytest.raises(KeystoreError) as caught:
        keystore.decrypt(made(secret, b"pw"), "pw")
    assert str(caught.value) == "invalid JSON wallet: what it holds is not a private key"


BAD_WALLET = "invalid JSON wallet: "
BAD_PARAMETERS = "invalid key-derivation function parameters: "
LENGTHS = BAD_WALLET + "iv, mac or ciphertext has the wrong length"
VERSION = BAD_WALLET + "not a version 3 keystore"
CIPHERS, KDFS = ": only aes-128-ctr is known", ": scrypt and pbkdf2 are known"
DKLEN = BAD_PARAMETERS + "dklen must be 32 to 64"
NO_SALT = BAD_PARAMETERS + "salt is missing or not hex"
POSITIVE = BAD_PARAMETERS + "n, r and p must be positive integers"
POWER = BAD_PARAMETERS + "n must be a power of two"
TOO_MUCH = (
    BAD_PARAMETERS
    + "n, r and p ask for more memory (1024 MiB) or time than any wallet program does"
)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 1}, VERSION),
        ({"version": "3"}, VERSION),
        ({"version": True}, VERSION),
        ({"version": None}, VERSION),
        ({"crypto__mac": None}, BAD_WALLET + "mac is missing or not hex"),
        ({"crypto__mac": "00"}, LENGTHS),
        ({"crypto__mac": "zz" * 32}, BAD_WALLET + "mac is missing or not hex"),
        ({"crypto__mac": "00" * 33}, LENGTHS),
        ({"crypto__ciphertext": ""}, LENGTHS),
        ({"crypto__ciphertext": "00" * 33}, LENGTHS),
        ({"crypto__ciphertext": "0"}, BAD_WALLET + "ciphertext is missing or not hex"),
        ({"crypto__cipherparams": None}, BAD_WALLET + "iv is missing or not hex"),
        ({"crypto__cipherparams__iv": "00" * 15}, LENGTHS),
        ({"crypto__cipherparams__iv": "00" * 2048}, LENGTHS),
        ({"crypto__cipherparams__iv": "00" * 2049}, BAD_WALLET + "iv is missing or not hex"),
        ({"address": "0x12"}, BAD_WALLET + "address is not an address"),
        ({"address": 7}, BAD_WALLET + "address is not an address"),
        ({"crypto": None}, "unsupported cipher" + CIPHERS),
        ({"crypto__cipher": None}, "unsupported cipher" + CIPHERS),
        ({"crypto__cipher": "aes-256-cbc"}, "unsupported cipher 'aes-256-cbc'" + CIPHERS),
        ({"crypto__cipher": "x" * 41}, f"unsupported cipher '{'x' * 40}'{CIPHERS}"),
        ({"crypto__kdf": None}, "unsupported key-derivation function" + KDFS),
        ({"crypto__kdf": "argon2"}, "unsupported key-derivation function 'argon2'" + KDFS),
        ({"crypto__kdfparams": None}, DKLEN),
        ({"crypto__kdfparams__salt": None}, NO_SALT),
        (
            {"crypto__kdfparams__salt": "00" * 1025},
            BAD_PARAMETERS + "salt is longer than 1024 bytes",
        ),
        ({"crypto__kdfparams__salt": "00" * 5000}, NO_SALT),
        ({"crypto__kdfparams__dklen": 16}, DKLEN),
        ({"crypto__kdfparams__dklen": 31}, DKLEN),
        ({"crypto__kdfparams__dklen": 65}, DKLEN),
        ({"crypto__kdfparams__dklen": 10**9}, DKLEN),
        ({"crypto__kdfparams__n": 17}, POWER),
        ({"crypto__kdfparams__n": 1}, POWER),
        ({"crypto__kdfparams__n": 0}, POSITIVE),
        ({"crypto__kdfparams__n": -16}, POSITIVE),
        ({"crypto__kdfparams__n": 16.5}, POSITIVE),
        ({"crypto__kdfparams__n": float("inf")}, POSITIVE),
        ({"crypto__kdfparams__n": True}, POSITIVE),
        ({"crypto__kdfparams__n": [16]}, POSITIVE),
        ({"crypto__kdfparams__r": "eight"}, POSITIVE),
        ({"crypto__kdfparams__r": "٨"}, POSITIVE),
        ({"crypto__kdfparams__r": "00000000008"}, POSITIVE),
        ({"crypto__kdfparams__p": 0}, POSITIVE),
        ({"crypto__kdfparams__p": None}, POSITIVE),
        # too much memory, too much time
        ({"crypto__kdfparams__n": 2**21}, TOO_MUCH),
        ({"crypto__kdfparams__n": 2**1000}, TOO_MUCH),
        ({"crypto__kdfparams__r": 2**20}, TOO_MUCH),
        ({"crypto__kdfparams__p": 65}, TOO_MUCH),
        ({"crypto__kdfparams__n": 2**20, "crypto__kdfparams__p": 5}, TOO_MUCH),
        (
            {"encseed": "00", "ethaddr": "11" * 20},
            BAD_WALLET + "this is a presale wallet, import its key with another tool first",
        ),
    ],
)
def test_refused_before_any_work(changes: dict[str, object], message: str) -> None:
    with pytest.raises(KeystoreError) as caught:
        keystore.decrypt(made(KEY, b"pw", **changes), "pw")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("params", "asked"),
    [
        ({"n": 2**20}, {"n": 2**20, "r": 8, "p": 1}),  # 1 GiB
        ({"n": 2**20, "p": 4}, {"n": 2**20, "r": 8, "p": 4}),  # 4 GiB run through
        ({"n": 2, "r": 1, "p": 64}, {"n": 2, "r": 1, "p": 64}),
        ({"n": "16", "r": "0000000008"}, {"n": 16, "r": 8, "p": 1}),
    ],
)
@pytest.mark.parametrize("salt", [b"", b"s" * 1024])
def test_the_most_that_is_computed(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, object], asked: dict[str, int], salt: bytes
) -> None:
    """At each ceiling the key is still derived."""
    derived = []
    monkeypatch.setattr(
        keystore, "scrypt", lambda password, **given: derived.append(given) or bytes(32)
    )
    document = made(KEY, b"pw", crypto__kdfparams__salt=salt.hex())
    document["crypto"]["kdfparams"] |= params
    with pytest.raises(WrongPasswordError):
        keystore.decrypt(document, "pw")
    assert derived == [{**asked, "salt": salt, "dklen": 32}]


@pytest.mark.parametrize("rounds", [1, 10_000_000])
def test_the_most_rounds_that_are_computed(monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    derived = []
    monkeypatch.setattr(
        keystore, "pbkdf2", lambda password, **given: derived.append(given) or bytes(32)
    )
    with pytest.raises(WrongPasswordError):
        keystore.decrypt(made(KEY, b"pw", kdf="hmac-sha512", crypto__kdfparams__c=rounds), "pw")
    assert derived == [{"salt": b"s" * 32, "iterations": rounds, "dklen": 32, "prf": "hmac-sha512"}]


ROUNDS = "c must be 1 to 10000000"


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("c", None, ROUNDS),
        ("c", 0, ROUNDS),
        ("c", 10_000_001, ROUNDS),
        ("prf", None, "unknown prf"),
        ("prf", "hmac-md5", "unknown prf 'hmac-md5'"),
        ("prf", [], "unknown prf"),
    ],
)
def test_pbkdf2_parameters_refused(name: str, value: object, message: str) -> None:
    document = made(KEY, b"pw", kdf="hmac-sha256", **{f"crypto__kdfparams__{name}": value})
    with pytest.raises(KeystoreError) as caught:
        keystore.decrypt(document, "pw")
    assert str(caught.value) == BAD_PARAMETERS + message


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("3", "not a JSON object"),
        ('"x"', "not a JSON object"),
        (b"\xff\xfe\xff", "not JSON"),
        ("\ud800", "not JSON"),
        ("[" * 60_000, "not JSON"),
        ("{}".ljust(65_537), "larger than 65536 bytes"),
        ("é" * 32_769, "larger than 65536 bytes"),
        ([], "give the text of the file, or the parsed object"),
        (None, "give the text of the file, or the parsed object"),
    ],
    ids=[
        *("empty", "cut", "list", "null", "number", "text", "binary", "surrogate", "deep"),
        *("large", "large in bytes", "parsed list", "none"),
    ],
)
def test_not_a_wallet(text: str | bytes, message: str) -> None:
    for read in (lambda: keystore.decrypt(text, "pw"), lambda: keystore.address_of(text)):
        with pytest.raises(KeystoreError) as caught:
            read()
        assert str(caught.value) == BAD_WALLET + message


def test_the_largest_file() -> None:
    text = json.dumps(made(KEY, b"pw"))
    assert keystore.decrypt(text.ljust(65_536), "pw").secret == KEY


def test_brackets_are_counted_before_parsing() -> None:
    """A library that raised the recursion limit must not let a file overflow the stack."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(KeystoreError, match="not JSON"):
            keystore.decrypt('{"a":' * 10_000, "pw")
    finally:
        sys.setrecursionlimit(limit)


def test_memory_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> bytes:
        raise ValidationError("unusable scrypt parameters")

    monkeypatch.setattr(keystore, "scrypt", fail)
    with pytest.raises(KeystoreError) as caught:
        keystore.decrypt(made(KEY, b"pw"), "pw")
    assert str(caught.value) == BAD_PARAMETERS + "unusable scrypt parameters"


def test_no_error_holds_the_password_or_the_key() -> None:
    password = "correct horse battery"
    for document in (
        made(KEY, b"pw"),
        made(KEY, password.encode(), address="11" * 20),
        made(bytes(32), password.encode()),
    ):
        with pytest.raises(KeystoreError) as caught:
            keystore.decrypt(document, password)
        text = repr(caught.value) + repr(caught.value.__dict__) + repr(caught.value.cause)
        assert "horse" not in text
        assert SECRET not in text


@pytest.mark.parametrize(
    ("password", "message"),
    [
        *((wrong, "the password must be text") for wrong in (None, b"x", 7)),
        ("\ud800", "the password is not valid Unicode text"),
    ],
)
def test_passwords_that_are_no_text(password: str, message: str) -> None:
    for use in (
        lambda: keystore.decrypt(made(KEY, b"pw"), password),
        lambda: keystore.encrypt(KEY, password, n=2),
    ):
        with pytest.raises(ValidationError) as caught:
            use()
        assert str(caught.value) == message


# ---- writing ------------------------------------------------------------------------------------


def test_writes_the_sample_byte_for_byte() -> None:
    sample = json.loads(SAMPLE)
    written = keystore.encrypt(
        KEY,
        "x",
        salt=bytes.fromhex(sample["Crypto"]["kdfparams"]["salt"]),
        iv=bytes.fromhex(sample["Crypto"]["cipherparams"]["iv"]),
        uuid=bytes.fromhex(sample["id"].replace("-", "")),
    )
    assert json.dumps(written, indent=2) == SAMPLE


def test_round_trip_and_fresh_randomness() -> None:
    key = crypto.PrivateKey(KEY)
    first, second = (keystore.encrypt(key, "ﬁ", n=4, r=1, p=2) for _ in range(2))
    assert keystore.decrypt(json.dumps(first), "ﬁ").secret == KEY
    assert first["id"] != second["id"]
    assert first["Crypto"] != second["Crypto"]
    assert len(bytes.fromhex(first["Crypto"]["kdfparams"]["salt"])) == 32
    assert first["id"][14] == "4"
    assert first["id"][19] in "89ab"


def test_default_cost_is_that_of_v6(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, int]] = []

    def record(password: bytes, salt: bytes, **kwargs: int) -> bytes:
        asked.append(kwargs)
        return bytes(32)

    monkeypatch.setattr(keystore, "scrypt", record)
    keystore.encrypt(KEY, "x")
    assert asked == [{"n": 131072, "r": 8, "p": 1, "dklen": 32}]


SIZES = "salt has 32 bytes, iv and uuid have 16"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n": 3}, KeystoreError, POWER),
        ({"n": 2**22}, KeystoreError, TOO_MUCH),
        ({"salt": b""}, ValidationError, SIZES),
        ({"salt": bytes(1025)}, ValidationError, SIZES),
        ({"iv": b"x"}, ValidationError, SIZES),
        ({"uuid": b"x"}, ValidationError, SIZES),
    ],
)
def test_writing_refuses(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        keystore.encrypt(KEY, "x", **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_writing_refuses_a_bad_secret() -> None:
    with pytest.raises(ValidationError):
        keystore.encrypt(bytes(32), "x", n=2)


# ---- names and addresses ------------------------------------------------------------------------


def test_file_name() -> None:
    now = datetime(2021, 12, 9, 17, 16, 32, 596_999, tzinfo=timezone.utc)
    expected = "UTC--2021-12-09T17-16-32.596000000Z--7bd4783FDCAD405A28052a0d1f11236A741da593"
    assert keystore.file_name(ADDRESS, now) == expected
    assert keystore.file_name(ADDRESS.lower()[2:], now) == expected
    east = now.astimezone(timezone(timedelta(hours=9)))
    assert keystore.file_name(ADDRESS, east) == expected


def test_file_name_refuses() -> None:
    with pytest.raises(ValidationError, match=r"^now must have a time zone$"):
        keystore.file_name(ADDRESS, datetime(2021, 12, 9))
    with pytest.raises(ValidationError):
        keystore.file_name("../../x", datetime.now(timezone.utc))


@pytest.mark.usefixtures("no_work")
def test_address_of() -> None:
    assert keystore.address_of(SAMPLE) == ADDRESS
    assert keystore.address_of({"address": ADDRESS, "privateKey": "0x"}) == ADDRESS  # wallet.json
    nameless = copy.deepcopy(WIKI_SCRYPT)
    assert keystore.address_of(nameless) is None
    with pytest.raises(KeystoreError, match="address"):
        keystore.address_of({"address": "nonsense"})
