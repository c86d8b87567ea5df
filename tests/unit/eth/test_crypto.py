"""The primitives: published vectors, what is refused, and that no key reaches a text."""

from __future__ import annotations

import copy
import hashlib
import hmac
import importlib
import pickle
import subprocess
import sys

import pytest

from iexec_lite.errors import ConfigurationError, SignatureError, ValidationError
from iexec_lite.eth import crypto
from iexec_lite.eth.crypto import (
    BACKENDS,
    SECP256K1_N,
    PrivateKey,
    public_key_to_address,
    recover_public_key,
)

SECRET = b"\x11" * 32
ADDRESS = bytes.fromhex("19e7e376e7c213b7e7e7e46cc70a5dd086daff2a")
DIGEST = hashlib.sha256(b"something to sign").digest()

# Order hashes and their signatures by the key above, made by the JavaScript SDK.
SIGNED = [
    (
        "9ec10388c2ea5c24051d0bdf6c17e54f0b813a199062c04d06e225b931978885",
        "2e8e9b8f49d445c114db783aadec9533a6b048aa9e03e9f62a18af7b35746b5f"
        "4286f78b5c5a72eee4e23144624cf05aaf88924225b953873d124a8b2b7d36d71c",
    ),
    (
        "a34ed665608e2a2c30a1bc83dcf432d7a093e27ec024609774480885e1d871f5",
        "8c52914499f5a5e6d83aa2745da7c87f97f86fd72faeadc3769ccdc5d6ca7508"
        "686f016b2f2496435597c00af3040dff7270511d820b2b16304fdb8bcfc59e301b",
    ),
    (
        "d5782b3f1cb3d3079629d7e7b5bf2652ff22a5b015ba26519f52e85351cf095b",
        "567ae0d53a892a0626795a347d98d20538d18e4e31ca1fabf7f03463e86fb4a0"
        "70173caf1f03303dd698032599ea250d850b1f38d2a37c8c64679af71fe5f4591b",
    ),
    (
        "714478b97c72b1c76b48f1f7cf7cc2faa0907fa54d1efdf9f5849581a7d3d5fc",
        "551bea20ff5b8af3f88770a5b884c20af3013d386d1af81bb60ab84a2fe09247"
        "6c2661ac4518c947be67bf1cefbcbf0cd350193f5cbbcf5ed61848b87211bf0f1c",
    ),
]


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """Each curve that is installed, by its name."""
    pytest.importorskip(request.param, reason="this curve backend is not installed")
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def rsa() -> tuple[str, str]:
    return crypto.rsa_generate(2048)


# --- Keccak --------------------------------------------------------------------------------------


def test_keccak_vectors() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert crypto.keccak(b"").hex() == empty
    abc = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
    assert crypto.keccak(b"abc").hex() == abc
    assert crypto.keccak(bytearray(b"abc")).hex() == abc
    assert crypto.keccak(b"abc") != hashlib.sha3_256(b"abc").digest()


def test_keccak_without_pycryptodome(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other path of the seam is the same function: eth_hash, which finds its own backend."""
    messages = [bytes(range(256))[:size] for size in (0, 1, 31, 32, 135, 136, 137, 200, 256)]
    expected = [crypto.keccak(message) for message in messages]
    spec = importlib.util.spec_from_file_location("iexec_lite.eth.crypto_again", crypto.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "Crypto.Hash", None)
        spec.loader.exec_module(again)
        assert again._keccak().__module__ == again.__name__
    assert [again.keccak(message) for message in messages] == expected


def test_import_loads_nothing_and_keccak_itself_alone() -> None:
    code = (
        "import sys; import iexec_lite.eth.signer, iexec_lite.protocol.chains\n"
        "from iexec_lite.eth.crypto import keccak\n"
        "assert not any(m.split('.')[0] == 'Crypto' for m in sys.modules)\n"
        "keccak(b'')\n"
        "tops = {'coincurve', 'eth_hash', 'eth_keys', 'eth_utils', 'pydantic'}\n"
        "print({m for m in sys.modules if m.split('.')[0] in tops})\n"
        "print({m for m in sys.modules if m.startswith('Crypto.') and m.count('.') > 1})\n"
        "print({m for m in sys.modules if m in ('Crypto.Cipher', 'Crypto.PublicKey')})\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    light, hashes, heavy = result.stdout.splitlines()
    assert light == heavy == "set()"
    assert "'Crypto.Hash.keccak'" in hashes


# --- keys and signatures -------------------------------------------------------------------------


def test_key(backend: str) -> None:
    key = PrivateKey(SECRET, backend=backend)
    assert key.secret == SECRET
    assert key.address == ADDRESS == public_key_to_address(key.public_key)
    assert len(key.public_key) == 64
    assert PrivateKey(bytearray(SECRET), backend=backend).address == ADDRESS


@pytest.mark.parametrize("secret", [1, SECP256K1_N - 1])
def test_key_at_the_ends(backend: str, secret: int) -> None:
    """The smallest and the largest secret: the generator and its opposite."""
    key = PrivateKey(secret.to_bytes(32, "big"), backend=backend)
    x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert key.public_key.hex()[:64] == x
    assert recover_public_key(DIGEST, key.sign(DIGEST), backend=backend) == key.public_key


@pytest.mark.parametrize(("digest", "signature"), SIGNED)
def test_sign(backend: str, digest: str, signature: str) -> None:
    key = PrivateKey(SECRET, backend=backend)
    assert key.sign(bytes.fromhex(digest)).hex() == signature
    made = bytes.fromhex(signature)
    for v in (made[64], made[64] - 27):
        variant = made[:64] + bytes((v,))
        assert (
            recover_public_key(bytes.fromhex(digest), variant, strict=True, backend=backend)
            == key.public_key
        )


def test_sign_rfc6979(backend: str) -> None:
    key = PrivateKey((1).to_bytes(32, "big"), backend=backend)
    signature = key.sign(hashlib.sha256(b"Satoshi Nakamoto").digest())
    assert signature[:64].hex() == (
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )


@pytest.mark.parametrize("digest", [b"\0" * 32, b"\xff" * 32, SECP256K1_N.to_bytes(32, "big")])
def test_sign_digest_at_the_ends(backend: str, digest: bytes) -> None:
    key = PrivateKey(SECRET, backend=backend)
    assert recover_public_key(digest, key.sign(digest), backend=backend) == key.public_key


HALF_SECRETS = [b"\xab" * 31, b"\xab" * 33, "ab" * 32, 7, None, b"", "0x" + "ab" * 32]
BAD_SECRETS = [b"\0" * 32, SECP256K1_N.to_bytes(32, "big"), b"\xff" * 32]


def why_no_key(secret: object) -> str:
    if not isinstance(secret, bytes):
        return "a private key must be given as bytes"
    if secret in BAD_SECRETS:
        return "a private key must be between 1 and the curve's order"
    return f"a private key has 32 bytes, got {len(secret)}"


@pytest.mark.parametrize("secret", [*HALF_SECRETS, *BAD_SECRETS])
def test_key_refused(backend: str, secret: object) -> None:
    with pytest.raises(ValidationError) as caught:
        PrivateKey(secret, backend=backend)  # type: ignore[arg-type]
    assert str(caught.value) == why_no_key(secret)
    text = repr(caught.value) + str(caught.value.to_dict())
    assert "abab" not in text
    assert "ffff" not in text
    assert caught.value.__cause__ is None


def test_key_shows_nothing(backend: str) -> None:
    key = PrivateKey(SECRET, backend=backend)
    texts = (repr(key), str(key), f"{key}", f"{key!r:>200}", "%s" % key)  # noqa: UP031
    assert {text.strip() for text in texts} == {f"<PrivateKey of 0x{ADDRESS.hex()}>"}
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_key_stays_where_it_is(backend: str, take: object) -> None:
    assert callable(take)
    key = PrivateKey(SECRET, backend=backend)
    for value in (key, [key], {"key": key}):
        if take is copy.copy and value is not key:
            continue  # a shallow copy of a list holds the same key
        with pytest.raises(ValidationError) as caught:
            take(value)
        assert str(caught.value) == (
            "a private key cannot be copied or pickled: load it again instead"
        )


@pytest.mark.parametrize("name", ["secret", "address", "public_key", "other"])
def test_key_is_read_only(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(PrivateKey(SECRET), name, b"")


@pytest.mark.parametrize("recovery_id", [2, 3])
def test_sign_beyond_ethereum(monkeypatch: pytest.MonkeyPatch, recovery_id: int) -> None:
    """An r that was reduced has no v: the signature is withheld, not sent with a wrong one."""

    class Reduced:
        public_key = bytes(64)

        def sign(self, digest: bytes) -> bytes:
            return bytes(64) + bytes((recovery_id,))

    class Planted:
        def load(self, secret: bytes) -> Reduced:
            return Reduced()

    monkeypatch.setitem(BACKENDS, f"planted{recovery_id}", Planted)
    key = PrivateKey(SECRET, backend=f"planted{recovery_id}")
    with pytest.raises(SignatureError) as caught:
        key.sign(DIGEST)
    assert str(caught.value) == "this digest has no Ethereum signature by this key"


@pytest.mark.parametrize("digest", [b"", b"\1" * 31, b"\1" * 33, "1" * 32, None])
def test_digest_refused(backend: str, digest: object) -> None:
    key = PrivateKey(SECRET, backend=backend)
    for use in (
        lambda: key.sign(digest),  # type: ignore[arg-type]
        lambda: recover_public_key(digest, key.sign(DIGEST), backend=backend),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValidationError, match=r"^what is signed must be a digest of 32 bytes$"):
            use()


def scalars(r: int, s: int, v: int = 27) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((v,))


LENGTH, RANGE = "a signature has 65 bytes", "r or s of the signature is out of range"
NOBODY = "no key can have made this signature"


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (b"", LENGTH),
        (scalars(1, 1)[:64], LENGTH),
        (scalars(1, 1) + b"\0", LENGTH),
        ("1" * 65, LENGTH),
        (None, LENGTH),
        *(
            (scalars(1, 1, v), f"the last byte of a signature is 27 or 28, got {v}")
            for v in (2, 3, 4, 26, 29, 30, 35, 255)
        ),
        (scalars(0, 1), RANGE),
        (scalars(1, 0), RANGE),
        (scalars(SECP256K1_N, 1), RANGE),
        (scalars(1, SECP256K1_N), RANGE),
        (scalars(2**256 - 1, 1), RANGE),
        (scalars(1, 2**256 - 1), RANGE),
        (scalars(5, 1), NOBODY),  # no point has this x
    ],
)
def test_recover_refused(backend: str, signature: bytes, message: str) -> None:
    with pytest.raises(SignatureError) as caught:
        recover_public_key(DIGEST, signature, backend=backend)
    assert str(caught.value) == message


@pytest.mark.parametrize("half", [SECP256K1_N // 2, SECP256K1_N // 2 + 1])
def test_recover_at_half_the_order(backend: str, half: int) -> None:
    """EIP-2: s may be half the order, and no more."""
    x = int("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 16)
    found = recover_public_key(DIGEST, scalars(x, half), backend=backend)
    if half <= SECP256K1_N // 2:
        assert recover_public_key(DIGEST, scalars(x, half), strict=True, backend=backend) == found
        return
    with pytest.raises(SignatureError) as caught:
        recover_public_key(DIGEST, scalars(x, half), strict=True, backend=backend)
    assert str(caught.value) == "s of the signature is in the upper half (EIP-2)"


def test_recover_point_at_infinity(backend: str) -> None:
    """R = G and s = digest make the recovered key 0: nobody's."""
    x = int("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", 16)
    digest = (7).to_bytes(32, "big")
    with pytest.raises(SignatureError, match=f"^{NOBODY}$") as caught:
        recover_public_key(digest, scalars(x, 7, 27), backend=backend)
    assert caught.value.__cause__ is not None


def test_recover_high_s(backend: str) -> None:
    key = PrivateKey(SECRET, backend=backend)
    low = key.sign(DIGEST)
    s = int.from_bytes(low[32:64], "big")
    assert s <= SECP256K1_N // 2
    high = scalars(int.from_bytes(low[:32], "big"), SECP256K1_N - s, 55 - low[64])
    assert recover_public_key(DIGEST, high, backend=backend) == key.public_key
    with pytest.raises(SignatureError, match="upper half"):
        recover_public_key(DIGEST, high, strict=True, backend=backend)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_public_key_refused(size: int) -> None:
    with pytest.raises(ValidationError, match=f"^a public key has 64 bytes, got {size}$"):
        public_key_to_address(b"\1" * size)


@pytest.fixture
def _fresh_choice() -> object:
    """The choice of a curve is made once; forget it before and after."""
    crypto._backend.cache_clear()
    yield None
    crypto._backend.cache_clear()


@pytest.mark.usefixtures("_fresh_choice")
def test_backend_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the table that can be imported; a clear error where none can."""

    def missing() -> object:
        raise ImportError("planted")

    working = BACKENDS[next(name for name in BACKENDS if importlib.util.find_spec(name))]
    monkeypatch.setattr(crypto, "BACKENDS", {"first": missing, "second": working})
    assert PrivateKey(SECRET).address == ADDRESS
    assert PrivateKey(SECRET, backend="second").address == ADDRESS
    cannot = "no secp256k1 implementation (%s) can be imported: install coincurve or eth-keys"
    with pytest.raises(ConfigurationError) as caught:
        PrivateKey(SECRET, backend="first")
    assert str(caught.value) == cannot % "first"
    crypto._backend.cache_clear()
    monkeypatch.setattr(crypto, "BACKENDS", {"first": missing, "second": missing})
    with pytest.raises(ConfigurationError) as caught:
        PrivateKey(SECRET)
    assert str(caught.value) == cannot % "first or second"


def test_backend_order() -> None:
    assert list(BACKENDS) == ["coincurve", "eth_keys"]


# --- AES -----------------------------------------------------------------------------------------

# NIST SP 800-38A, appendix F.
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
KEY_128 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
KEY_256 = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
COUNTER = bytes(range(0xF0, 0x100))
CTR = {
    KEY_128: "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
    KEY_256: "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
}
ECB_128 = (
    "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
    "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
)
CBC_128 = (
    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
)


@pytest.mark.parametrize("key", CTR)
def test_aes_ctr(key: bytes) -> None:
    closed = bytes.fromhex(CTR[key])
    for size in (0, 1, 15, 16, 17, 64):
        assert crypto.aes_ctr(key, COUNTER, PLAIN[:size]) == closed[:size]
        assert crypto.aes_ctr(key, COUNTER, closed[:size]) == PLAIN[:size]


def test_aes_ctr_wraps() -> None:
    """The counter is all 16 bytes of the vector: after the last block comes block zero."""
    blocks = crypto.aes_ctr(KEY_128, b"\xff" * 16, b"\0" * 48)
    ecb = crypto.aes_ecb_encryptor(KEY_128)
    counters = (b"\xff" * 16, b"\0" * 16, b"\0" * 15 + b"\1")
    assert blocks == b"".join(ecb.update(counter) for counter in counters)


def test_aes_blocks() -> None:
    iv = bytes(range(16))
    runs = [
        (crypto.aes_ecb_encryptor(KEY_128), PLAIN, bytes.fromhex(ECB_128)),
        (crypto.aes_ecb_decryptor(KEY_128), bytes.fromhex(ECB_128), PLAIN),
        (crypto.aes_cbc_encryptor(KEY_128, iv), PLAIN, bytes.fromhex(CBC_128)),
        (crypto.aes_cbc_decryptor(KEY_128, iv), bytes.fromhex(CBC_128), PLAIN),
    ]
    for cipher, given, expected in runs:
        assert cipher.update(given[:16]) == expected[:16]
        assert cipher.update(b"") == b""
        assert cipher.update(given[16:]) == expected[16:]


@pytest.mark.parametrize("size", [1, 15, 17, 31])
def test_aes_ragged_refused(size: int) -> None:
    for cipher in (
        crypto.aes_ecb_encryptor(KEY_128),
        crypto.aes_ecb_decryptor(KEY_128),
        crypto.aes_cbc_encryptor(KEY_128, COUNTER),
        crypto.aes_cbc_decryptor(KEY_128, COUNTER),
    ):
        with pytest.raises(
            ValidationError, match=f"^AES works on blocks of 16 bytes, got {size} bytes$"
        ):
            cipher.update(b"x" * size)


@pytest.mark.parametrize("size", [0, 8, 15, 17, 31, 33, 64])
def test_aes_key_refused(size: int) -> None:
    key = b"k" * size
    bad_key = f"^an AES key has 16, 24 or 32 bytes, got {size}$"
    bad_iv = f"^an AES initialisation vector has 16 bytes, got {size}$"
    for make in (crypto.aes_ecb_encryptor, crypto.aes_ecb_decryptor):
        with pytest.raises(ValidationError, match=bad_key):
            make(key)
    for make_cbc in (crypto.aes_cbc_encryptor, crypto.aes_cbc_decryptor):
        with pytest.raises(ValidationError, match=bad_key):
            make_cbc(key, COUNTER)
        with pytest.raises(ValidationError, match=bad_iv):
            make_cbc(KEY_128, key)
    with pytest.raises(ValidationError, match=bad_key):
        crypto.aes_ctr(key, COUNTER, b"")
    with pytest.raises(ValidationError, match=bad_iv):
        crypto.aes_ctr(KEY_128, key, b"")


def test_aes_of_192_bits() -> None:
    """NIST SP 800-38A, F.1.3."""
    key = bytes.fromhex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b")
    closed = bytes.fromhex("bd334f1d6e45f25ff712a214571fa5cc")
    assert crypto.aes_ecb_encryptor(key).update(PLAIN[:16]) == closed


# --- hashes and key derivation -------------------------------------------------------------------


def test_sha256() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert crypto.sha256(b"abc").hex() == expected
    running = crypto.sha256_new()
    running.update(b"a")
    running.update(b"bc")
    assert running.digest().hex() == expected


def test_scrypt_rfc7914() -> None:
    assert crypto.scrypt(b"", b"", n=16, r=1, p=1, dklen=64).hex() == (
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
        "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
    )
    assert crypto.scrypt(b"password", b"NaCl", n=1024, r=8, p=16, dklen=64).hex() == (
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
        "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
    )


def test_scrypt_takes_any_bytes() -> None:
    """A password is bytes here, not only what some text encodes to."""
    password, salt = b"\xff\x00\x80", b"\x00\xfe"
    expected = hashlib.scrypt(password, salt=salt, n=16, r=8, p=2, dklen=40)
    assert crypto.scrypt(password, salt, n=16, r=8, p=2, dklen=40) == expected


@pytest.mark.parametrize(
    "wrong",
    [{"n": n} for n in (-2, 0, 1, 3, 1000)]
    + [{name: value} for name in ("r", "p", "dklen") for value in (0, -1)]
    + [{"r": 2**15, "p": 2**15}, {"n": 2**45, "r": 8}],
)
def test_scrypt_refused(wrong: dict[str, int]) -> None:
    asked = {"n": 16, "r": 1, "p": 1, "dklen": 32} | wrong
    with pytest.raises(ValidationError) as caught:
        crypto.scrypt(b"", b"", **asked)
    told = " ".join(f"{name}={value}" for name, value in asked.items())
    assert str(caught.value) == f"unusable scrypt parameters {told}"


def test_scrypt_at_its_smallest() -> None:
    expected = hashlib.scrypt(b"x", salt=b"y", n=2, r=1, p=1, dklen=1)
    assert crypto.scrypt(b"x", b"y", n=2, r=1, p=1, dklen=1) == expected


def test_pbkdf2() -> None:
    """Against its definition, for two rounds."""
    for prf, name in (("hmac-sha256", "sha256"), ("hmac-sha512", "sha512")):
        first = hmac.digest(b"password", b"salt\0\0\0\1", name)
        second = hmac.digest(b"password", first, name)
        expected = bytes(a ^ b for a, b in zip(first, second, strict=True))[:32]
        derived = crypto.pbkdf2(b"password", b"salt", iterations=2, dklen=32, prf=prf)  # type: ignore[arg-type]
        assert derived == expected
    assert crypto.pbkdf2(b"", b"", iterations=1, dklen=32) == crypto.pbkdf2(
        b"", b"", iterations=1, dklen=32, prf="hmac-sha256"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"iterations": 0}, "unusable PBKDF2 parameters iterations=0 dklen=32"),
        ({"iterations": -1}, "unusable PBKDF2 parameters iterations=-1 dklen=32"),
        ({"iterations": 2**40}, f"unusable PBKDF2 parameters iterations={2**40} dklen=32"),
        ({"dklen": 0}, "unusable PBKDF2 parameters iterations=1 dklen=0"),
        ({"prf": "hmac-md5"}, "unknown PBKDF2 prf 'hmac-md5': hmac-sha256 or hmac-sha512"),
        ({"prf": "sha256"}, "unknown PBKDF2 prf 'sha256': hmac-sha256 or hmac-sha512"),
    ],
)
def test_pbkdf2_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        crypto.pbkdf2(b"", b"", **({"iterations": 1, "dklen": 32} | wrong))  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_random_bytes() -> None:
    assert [len(crypto.random_bytes(n)) for n in (0, 1, 32)] == [0, 1, 32]
    assert len({crypto.random_bytes(16) for _ in range(100)}) == 100


# --- RSA -----------------------------------------------------------------------------------------


def test_rsa_texts(rsa: tuple[str, str]) -> None:
    private, public = rsa
    assert private.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert private.endswith("\n-----END PRIVATE KEY-----\n")
    assert public.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert public.endswith("\n-----END PUBLIC KEY-----\n")
    assert all(len(line) == 64 for line in public.splitlines()[1:-2])


@pytest.mark.parametrize("data", [b"", b"\0", b"key of a result", bytes(245)])
def test_rsa_round_trip(rsa: tuple[str, str], data: bytes) -> None:
    private, public = rsa
    closed = crypto.rsa_encrypt(public, data)
    assert len(closed) == 256
    assert crypto.rsa_decrypt(private, closed) == data
    assert crypto.rsa_decrypt(private.encode(), crypto.rsa_encrypt(public.encode(), data)) == data


def test_rsa_wrong_key(rsa: tuple[str, str]) -> None:
    closed = crypto.rsa_encrypt(rsa[1], b"key of a result")
    other = crypto.rsa_generate(2048)[0]
    opened = crypto.rsa_decrypt(other, closed)
    assert opened != b"key of a result"


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: b""])
def test_rsa_wrong_length(rsa: tuple[str, str], change: object) -> None:
    assert callable(change)
    assert crypto.rsa_decrypt(rsa[0], change(crypto.rsa_encrypt(rsa[1], b"x"))) is None


def test_rsa_ciphertext_above_the_modulus(rsa: tuple[str, str]) -> None:
    assert crypto.rsa_decrypt(rsa[0], b"\xff" * 256) is None


def test_rsa_data_too_long(rsa: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match="246 bytes do not fit a 2048-bit RSA key"):
        crypto.rsa_encrypt(rsa[1], bytes(246))


@pytest.mark.parametrize(
    "pem", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\0", "é" * 9, "x" * 65_536]
)
def test_rsa_unusable_key(pem: str | bytes) -> None:
    for kind, use in (
        ("private", lambda: crypto.rsa_decrypt(pem, b"\1" * 256)),
        ("public", lambda: crypto.rsa_encrypt(pem, b"")),
        ("public", lambda: crypto.check_public_key(pem)),
    ):
        with pytest.raises(ValidationError) as caught:
            use()
        assert str(caught.value) == (
            f"unusable RSA {kind} key: no PEM of RSA, or a part of it is missing"
        )


def test_rsa_private_key_in_the_place_of_the_public_one(rsa: tuple[str, str]) -> None:
    crypto.check_public_key(rsa[1])
    with pytest.raises(ValidationError) as caught:
        crypto.check_public_key(rsa[0])
    assert str(caught.value) == (
        "this is a private key: give the public one, and keep this one to yourself"
    )


def test_rsa_key_of_the_other_kind(rsa: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"unusable RSA private key: this is a public key$"):
        crypto.rsa_decrypt(rsa[1], b"\1" * 256)


def test_rsa_key_too_short() -> None:
    """512 bits, made by openssl."""
    body = (
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK3ApAB7EfcaPilSDy+EM8xTNiWT3ULi\n"
        "tT8H5euaFRH3xAr75p+cqbpimF3zQwsbx2yYdBIgqmppTUgC71YnAwUCAwEAAQ==\n"
    )
    with pytest.raises(ValidationError, match=r"^unusable RSA public key: 512 bits$"):
        crypto.rsa_encrypt(f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n", b"")


def test_rsa_key_too_long() -> None:
    with pytest.raises(ValidationError) as caught:
        crypto.rsa_encrypt("x" * 65_537, b"")
    assert str(caught.value) == "unusable RSA public key: longer than 65536 characters"


def test_rsa_unusable_key_stays_secret(rsa: tuple[str, str]) -> None:
    body = rsa[0].splitlines()[5]
    with pytest.raises(ValidationError) as caught:
        crypto.rsa_decrypt(rsa[0].replace(body, body[:-4]), b"\1" * 256)
    assert body[:8] not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("bits", [0, 512, 1023, 16_385, 20_000])
def test_rsa_size_refused(bits: int) -> None:
    with pytest.raises(ValidationError) as caught:
        crypto.rsa_generate(bits)
    assert str(caught.value) == f"an RSA key has 1024 to 16384 bits, got {bits}"


@pytest.mark.parametrize("bits", [{}, {"bits": 1024}, {"bits": 16_384}])
def test_rsa_sizes_made(
    monkeypatch: pytest.MonkeyPatch, rsa: tuple[str, str], bits: dict[str, int]
) -> None:
    """4096 bits where nothing is said, as V6; other sizes within the bounds."""
    from Crypto.PublicKey import RSA

    known, asked = RSA.import_key(rsa[0]), []
    monkeypatch.setattr(RSA, "generate", lambda size: asked.append(size) or known)
    assert crypto.rsa_generate(**bits) == rsa
    assert asked == [bits.get("bits", 4096)]
