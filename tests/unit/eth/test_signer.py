"""Signers: the two message formats, keys and keystores, and what never leaves a signer."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from iexec_lite.errors import KeystoreError, SignatureError, ValidationError, WrongPasswordError
from iexec_lite.eth import keystore
from iexec_lite.eth.crypto import PrivateKey, keccak
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import (
    KeySigner,
    Signer,
    TransactionSigner,
    hash_message,
    recover_address,
    verify_digest,
)
from iexec_lite.eth.transaction import Transaction

SECRET = b"\x11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OTHER = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
PASSWORD = "correct horse"

# The example of EIP-712: its document, digest, and signature by the key keccak("cow").
PERSON = [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]
MAIL = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": PERSON,
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}
MAIL_SIGNATURE = bytes.fromhex(
    "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
    "1c"
)


@pytest.fixture
def signer() -> KeySigner:
    return KeySigner(SECRET)


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    """A keystore that is quick to open."""
    return keystore.encrypt(SECRET, PASSWORD, n=16)


# --- messages ------------------------------------------------------------------------------------


def test_sign_message_of_the_sdk(signer: KeySigner) -> None:
    """32 bytes, as SMS challenges are, signed by the JavaScript SDK."""
    signature = signer.sign_message(b"\x44" * 32)
    assert signature.hex() == (
        "0eda4890d61ec873fdfd27f08d84bae176d97c49c4417957083b5c7c9c184055"
        "1d15ad2789b37a93b3342ffbf8b30f372e6a053431ec8d4351b05d1ad4bccfb01c"
    )
    verify_digest(ADDRESS, hash_message(b"\x44" * 32), signature)


def test_hash_message_counts_bytes() -> None:
    prefix = b"\x19Ethereum Signed Message:\n"
    for message, size in ((b"", b"0"), ("héllo".encode(), b"6"), (bytes(1000), b"1000")):
        assert hash_message(message) == keccak(prefix + size + message)
    assert hash_message(b"hello world").hex() == (
        "d9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68"
    )
    assert hash_message(bytearray(b"hello world")) == hash_message(b"hello world")


@pytest.mark.parametrize("message", ["hello", "0x00", None, 5, [1]])
def test_message_must_be_bytes(signer: KeySigner, message: object) -> None:
    with pytest.raises(ValidationError) as caught:
        signer.sign_message(message)  # type: ignore[arg-type]
    assert str(caught.value) == ("a message to sign must be bytes: encode text, decode hex first")


def test_sign_typed_data() -> None:
    cow = KeySigner(keccak(b"cow"))
    mail = TypedData.from_dict(MAIL)
    assert mail.digest.hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert cow.address == "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
    assert cow.sign_typed_data(mail) == MAIL_SIGNATURE
    verify_digest(cow.address, mail.digest, MAIL_SIGNATURE)


def test_typed_data_must_be_typed_data(signer: KeySigner) -> None:
    for value in (MAIL, b"\1" * 32, None):
        with pytest.raises(ValidationError) as caught:
            signer.sign_typed_data(value)  # type: ignore[arg-type]
        assert str(caught.value) == (
            "typed data must be a TypedData: make it with TypedData.from_dict"
        )


def test_sign_transaction(signer: KeySigner) -> None:
    tx = Transaction(nonce=0, gas=1, to=None, value=0, data=b"", chain_id=134, gas_price=0)
    assert signer.sign_transaction(tx) == tx.sign(PrivateKey(SECRET))


# --- recovering ----------------------------------------------------------------------------------

# The examples of EIP-2098: key 0x1234…, message, long and compact form.
COMPACT = [
    (
        b"Hello World",
        "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90"
        "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea520641b",
        "68a020a209d3d56c46f38cc50a33f704f4a9a10a59377f8dd762ac66910e9b90"
        "7e865ad05c4035ab5792787d4a0297a43617ae897930a6fe4d822b8faea52064",
    ),
    (
        b"It's a small(er) world",
        "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76"
        "139c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f5507931c",
        "9328da16089fcba9bececa81663203989f2df5fe1faa6291a45381c81bd17f76"
        "939c6d6b623b42da56557e5e734a43dc83345ddfadec52cbe24d0cc64f550793",
    ),
]


@pytest.mark.parametrize(("message", "long", "compact"), COMPACT)
def test_compact(message: bytes, long: str, compact: str) -> None:
    account = KeySigner(bytes.fromhex("1234567890" * 6 + "1234"))
    assert account.sign_message(message).hex() == long
    for form in (long, compact):
        verify_digest(account.address, hash_message(message), bytes.fromhex(form))


@pytest.mark.parametrize("v", [0, 1])
def test_recover_small_v(v: int) -> None:
    long = bytes.fromhex(COMPACT[v][1])
    assert long[64] - 27 == v
    small = long[:64] + bytes((v,))
    digest = hash_message(COMPACT[v][0])
    assert recover_address(digest, small) == recover_address(digest, long)


@pytest.mark.parametrize("signature", [b"", b"\1" * 63, b"\1" * 66, "0x" + "11" * 65, None])
def test_recover_refused(signature: object) -> None:
    with pytest.raises(SignatureError) as caught:
        recover_address(b"\1" * 32, signature)  # type: ignore[arg-type]
    assert str(caught.value) == "a signature has 65 bytes, or 64 in its compact form"


def test_verify_tells_who(signer: KeySigner) -> None:
    digest = hash_message(b"x")
    signature = signer.sign_message(b"x")
    for spelling in (ADDRESS, ADDRESS.lower(), ADDRESS[2:]):
        verify_digest(spelling, digest, signature)
    with pytest.raises(SignatureError) as caught:
        verify_digest(OTHER, digest, signature)
    assert str(caught.value) == (
        f"the signature is not by {OTHER} but by {ADDRESS}: "
        "another account signed, or something else was signed"
    )
    with pytest.raises(SignatureError, match=f"not by {ADDRESS} but by"):
        verify_digest(ADDRESS, hash_message(b"y"), signature)
    with pytest.raises(ValidationError, match="not a valid ethereum address"):
        verify_digest("0x00", digest, signature)


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["0x" + "11" * 32, "11" * 32, "0X" + "11" * 32, SECRET])
def test_from_key(key: str | bytes) -> None:
    assert KeySigner.from_key(key).address == ADDRESS


def test_from_private_key() -> None:
    assert KeySigner(PrivateKey(SECRET)).address == ADDRESS


BAD_KEYS: list[object] = [
    "",
    "0x",
    "ab" * 31,
    "0x" + "ab" * 33,
    " " + "ab" * 32,
    "ab" * 32 + "\n",
    "0x" + "ab" * 31 + "xy",
    "f" * 64,
    "0" * 64,
    b"\xab" * 31,
    None,
    0xABAB,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_from_key_refused(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KeySigner.from_key(key)
    assert str(caught.value) in (
        "a private key must be 64 hex digits, with or without 0x, and nothing around",
        "a private key must be between 1 and the curve's order",
        "a private key has 32 bytes, got 31",
        "a private key must be given as bytes",
    )
    assert caught.value.__cause__ is None


def test_key_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key whose signatures are not those of its address never becomes a signer."""
    wrong = PrivateKey(b"\x22" * 32).sign
    monkeypatch.setattr(PrivateKey, "sign", lambda self, digest: wrong(digest))
    with pytest.raises(SignatureError, match=f"not by {ADDRESS}"):
        KeySigner(SECRET)


def test_signer_shows_nothing(signer: KeySigner) -> None:
    for text in (repr(signer), str(signer), f"{signer}"):
        assert text == f"<KeySigner {ADDRESS}>"
    assert not hasattr(signer, "__dict__")
    with pytest.raises(AttributeError):
        signer.address = OTHER  # type: ignore[misc]


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_signer_stays_where_it_is(signer: KeySigner, take: object) -> None:
    assert callable(take)
    with pytest.raises(ValidationError) as caught:
        take(signer)
    assert str(caught.value) == ("a signer cannot be copied or pickled: load its key again instead")


def test_protocols(signer: KeySigner) -> None:
    class Wallet:
        address = ADDRESS

        def sign_message(self, message: bytes) -> bytes:
            return signer.sign_message(message)

        def sign_typed_data(self, typed_data: TypedData) -> bytes:
            return signer.sign_typed_data(typed_data)

    assert isinstance(signer, TransactionSigner)
    assert isinstance(signer, Signer)
    assert isinstance(Wallet(), Signer)
    assert not isinstance(Wallet(), TransactionSigner)
    assert not isinstance(object(), Signer)


# --- keystores -----------------------------------------------------------------------------------


def test_from_keystore(document: dict[str, object], tmp_path: Path) -> None:
    text = json.dumps(document)
    file = tmp_path / "UTC--key"
    file.write_text(text)
    for source in (document, text, " \t\r\n" + text, text.encode(), file, str(file)):
        assert KeySigner.from_keystore(source, PASSWORD).address == ADDRESS


def test_text_is_never_taken_for_a_path(document: dict[str, object]) -> None:
    """Not even behind a byte order mark, which JSON does not have."""
    for text in ("\ufeff" + json.dumps(document), "{", "\ufeff {"):
        with pytest.raises(KeystoreError, match=r"^invalid JSON wallet: not JSON$"):
            KeySigner.from_keystore(text, PASSWORD)


def test_from_keystore_wrong_password(document: dict[str, object]) -> None:
    with pytest.raises(WrongPasswordError, match="invalid password"):
        KeySigner.from_keystore(document, PASSWORD + " ")


def test_from_keystore_file_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"{}".ljust(65_537))
    unread = "cannot read the keystore file: "
    for path, message in (
        (tmp_path / "missing", unread + "No such file or directory"),
        (tmp_path, unread + "Is a directory"),
        (large, "invalid JSON wallet: larger than 65536 bytes"),
        ("no such file", unread + "No such file or directory"),
        ("nul\0in name", unread + "not a usable path"),
    ):
        with pytest.raises(KeystoreError) as caught:
            KeySigner.from_keystore(path, PASSWORD)
        assert str(caught.value) == message
