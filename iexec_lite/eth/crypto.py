"""The seam to the primitives: the only importer of eth_hash, coincurve, eth_keys and Crypto.

Keccak-256, secp256k1 keys and recovery (Ethereum's 65-byte signatures), AES, SHA-256, scrypt,
PBKDF2 and RSA PKCS#1 v1.5, each by the fastest public function of a dependency. What a dependency
raises is translated here, and no message holds a key. Refused: secrets outside 1…n-1, signatures
with r or s out of range or another ``v`` than 0, 1, 27, 28, ragged AES blocks, unusable RSA keys.
Spec: chain.md §10 and §14, services.md §6.3 and §7.2.

Nothing is loaded on import, each at its first use (hashlib alone brings all of OpenSSL).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from ..errors import ConfigurationError, SignatureError, ValidationError

if TYPE_CHECKING:
    from hashlib import _Hash

    from coincurve import PrivateKey as CoincurvePrivateKey
    from Crypto.PublicKey.RSA import RsaKey
    from eth_keys.datatypes import PrivateKey as EthKeysPrivateKey

__all__ = [
    "BACKENDS",
    "SECP256K1_N",
    "BlockCipher",
    "PrivateKey",
    "aes_cbc_decryptor",
    "aes_cbc_encryptor",
    "aes_ctr",
    "aes_ecb_decryptor",
    "aes_ecb_encryptor",
    "check_public_key",
    "keccak",
    "pbkdf2",
    "public_key_to_address",
    "random_bytes",
    "recover_public_key",
    "rsa_decrypt",
    "rsa_encrypt",
    "rsa_generate",
    "scrypt",
    "sha256",
    "sha256_new",
]

SECP256K1_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # group order
_HALF_N = SECP256K1_N // 2
_RECOVERY_IDS = {0: 0, 1: 1, 27: 0, 28: 1}  # 2 and 3 (r + n) exist on the curve, not in Ethereum
_RSA_BITS = (1024, 16384)
_MAX_PEM = 64 * 1024


def keccak(data: bytes) -> bytes:
    """Keccak-256 (the Ethereum one, not SHA3-256) of ``data``: 32 bytes."""
    return _keccak()(digest_bits=256, data=data).digest()  # type: ignore[no-any-return]


@cache
def _keccak() -> Callable[..., Any]:
    """What makes a hash object."""
    try:
        from Crypto.Hash import keccak
    except ImportError:  # a stripped pycryptodome: eth_hash finds whatever else is installed
        from eth_hash.auto import keccak as other

        return lambda *, digest_bits, data: other.new(data)
    return keccak.new


def random_bytes(n: int) -> bytes:
    """``n`` bytes from the system's secure generator."""
    return os.urandom(n)


# --- secp256k1 -----------------------------------------------------------------------------------


class _KeyBackend(Protocol):
    """One loaded secret. ``sign`` answers r, s and the recovery id (0…3) in 65 bytes."""

    public_key: bytes

    def sign(self, digest: bytes) -> bytes: ...


class _Backend(Protocol):
    """One implementation of the curve. What it raises is translated by the callers."""

    def load(self, secret: bytes) -> _KeyBackend: ...

    def recover(self, digest: bytes, signature: bytes) -> bytes: ...


class _CoincurveKey:
    __slots__ = ("_key", "public_key")

    def __init__(self, key: CoincurvePrivateKey) -> None:
        self._key = key
        self.public_key: bytes = key.public_key.format(compressed=False)[1:]

    def sign(self, digest: bytes) -> bytes:
        return self._key.sign_recoverable(digest, hasher=None)


class _Coincurve:
    """libsecp256k1: constant time, and about a hundred times faster than the other."""

    def __init__(self) -> None:
        import coincurve

        self._private_key = coincurve.PrivateKey
        self._public_key = coincurve.PublicKey

    def load(self, secret: bytes) -> _KeyBackend:
        return _CoincurveKey(self._private_key(secret))

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        key = self._public_key.from_signature_and_message(signature, digest, hasher=None)
        return key.format(compressed=False)[1:]


class _EthKeysKey:
    __slots__ = ("_key", "public_key")

    def __init__(self, key: EthKeysPrivateKey) -> None:
        self._key = key
        self.public_key: bytes = key.public_key.to_bytes()

    def sign(self, digest: bytes) -> bytes:
        return self._key.sign_msg_hash(digest).to_bytes()


class _EthKeys:
    """Pure Python, for systems without a coincurve wheel. Not constant time."""

    def __init__(self) -> None:
        # Its default would be coincurve wherever that is present, so the native one is named.
        from eth_keys import datatypes
        from eth_keys.backends import NativeECCBackend  # type: ignore[attr-defined]

        self._curve = NativeECCBackend()
        self._private_key = datatypes.PrivateKey
        self._signature = datatypes.Signature

    def load(self, secret: bytes) -> _KeyBackend:
        return _EthKeysKey(self._private_key(secret, backend=self._curve))

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        parsed = self._signature(signature_bytes=signature, backend=self._curve)
        return self._curve.ecdsa_recover(digest, parsed).to_bytes()


BACKENDS: dict[str, Callable[[], _Backend]] = {"coincurve": _Coincurve, "eth_keys": _EthKeys}


@cache
def _backend(name: str | None) -> _Backend:
    """The named backend, or the first of ``BACKENDS`` that can be imported."""
    for candidate in BACKENDS if name is None else (name,):
        try:
            return BACKENDS[candidate]()
        except ImportError:
            continue
    raise ConfigurationError(
        f"no secp256k1 implementation ({name or ' or '.join(BACKENDS)}) can be imported: "
        "install coincurve or eth-keys"
    )


class PrivateKey:
    """A secp256k1 key of 32 secret bytes, ready to sign.

    ``secret`` (32 bytes), ``public_key`` (64 bytes, without the 0x04 prefix) and ``address``
    (20 bytes) are read-only. ``backend`` names one of ``BACKENDS``; the default is the first that
    is installed. The text form shows the address only; copying and pickling are refused.
    ``ValidationError`` for anything that is not a key, never with the value in it.
    """

    __slots__ = ("_address", "_key", "_secret")

    def __init__(self, secret: bytes, *, backend: str | None = None) -> None:
        if not isinstance(secret, bytes | bytearray):
            raise ValidationError("a private key must be given as bytes")
        if len(secret) != 32:
            raise ValidationError(f"a private key has 32 bytes, got {len(secret)}")
        if not 0 < int.from_bytes(secret, "big") < SECP256K1_N:
            raise ValidationError("a private key must be between 1 and the curve's order")
        self._secret = bytes(secret)
        self._key = _backend(backend).load(self._secret)
        self._address = public_key_to_address(self._key.public_key)

    @property
    def secret(self) -> bytes:
        """The 32 bytes. Whoever has them is the account: not for texts, logs or errors."""
        return self._secret

    @property
    def public_key(self) -> bytes:
        """64 bytes: x and y of the point."""
        return self._key.public_key

    @property
    def address(self) -> bytes:
        """20 bytes: the end of the Keccak of ``public_key``."""
        return self._address

    def sign(self, digest: bytes) -> bytes:
        """65 bytes r, s, v over a 32-byte ``digest``: RFC 6979 nonce, low s, v 27 or 28."""
        _check_digest(digest)
        signature = self._key.sign(digest)
        if signature[64] > 1:  # one chance in 2^127: no node would accept it
            raise SignatureError("this digest has no Ethereum signature by this key")
        return signature[:64] + (b"\x1c" if signature[64] else b"\x1b")

    def __repr__(self) -> str:
        return f"<PrivateKey of 0x{self._address.hex()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise ValidationError("a private key cannot be copied or pickled: load it again instead")


def _check_digest(digest: bytes) -> None:
    if not isinstance(digest, bytes) or len(digest) != 32:
        raise ValidationError("what is signed must be a digest of 32 bytes")


def recover_public_key(
    digest: bytes, signature: bytes, *, strict: bool = False, backend: str | None = None
) -> bytes:
    """The 64-byte public key that made ``signature`` (65 bytes r, s, v) over ``digest``.

    v is 0, 1, 27 or 28. ``strict`` also refuses a high s, the second form that every signature
    has (EIP-2). ``SignatureError`` for whatever no key can have made. Any other well-formed
    signature has *some* signer: compare the answer with the one expected.
    """
    _check_digest(digest)
    if not isinstance(signature, bytes) or len(signature) != 65:
        raise SignatureError("a signature has 65 bytes")
    recovery_id = _RECOVERY_IDS.get(signature[64])
    if recovery_id is None:
        raise SignatureError(f"the last byte of a signature is 27 or 28, got {signature[64]}")
    s = int.from_bytes(signature[32:64], "big")
    if not (0 < int.from_bytes(signature[:32], "big") < SECP256K1_N and 0 < s < SECP256K1_N):
        raise SignatureError("r or s of the signature is out of range")
    if strict and s > _HALF_N:
        raise SignatureError("s of the signature is in the upper half (EIP-2)")
    curve = _backend(backend)
    try:
        return curve.recover(digest, signature[:64] + bytes((recovery_id,)))
    except Exception as error:  # some releases of coincurve raise the root class itself
        raise SignatureError("no key can have made this signature", cause=error) from error


def public_key_to_address(public_key: bytes) -> bytes:
    """20 bytes of address for 64 bytes of public key (without the 0x04 prefix)."""
    if len(public_key) != 64:
        raise ValidationError(f"a public key has 64 bytes, got {len(public_key)}")
    return keccak(public_key)[12:]


# --- AES -----------------------------------------------------------------------------------------


class BlockCipher:
    """One AES-CBC or AES-ECB run in one direction, without padding."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[[bytes], bytes]) -> None:
        self._run = run

    def update(self, chunk: bytes) -> bytes:
        """The next whole 16-byte blocks, as many bytes out as in."""
        if len(chunk) % 16:
            raise ValidationError(f"AES works on blocks of 16 bytes, got {len(chunk)} bytes")
        return self._run(chunk)


def _check_aes(key: bytes, iv: bytes | None = None) -> None:
    if len(key) not in (16, 24, 32):
        raise ValidationError(f"an AES key has 16, 24 or 32 bytes, got {len(key)}")
    if iv is not None and len(iv) != 16:
        raise ValidationError(f"an AES initialisation vector has 16 bytes, got {len(iv)}")


def aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """``data`` encrypted or decrypted (the same) by AES-CTR; ``iv`` is the first counter block."""
    from Crypto.Cipher import AES

    _check_aes(key, iv)
    return AES.new(key, AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(data)


def aes_cbc_encryptor(key: bytes, iv: bytes) -> BlockCipher:
    """AES-CBC encryption of whole blocks; key of 16, 24 or 32 bytes, ``iv`` of 16."""
    from Crypto.Cipher import AES

    _check_aes(key, iv)
    return BlockCipher(AES.new(key, AES.MODE_CBC, iv=iv).encrypt)


def aes_cbc_decryptor(key: bytes, iv: bytes) -> BlockCipher:
    """AES-CBC decryption of whole blocks; the padding is left in place."""
    from Crypto.Cipher import AES

    _check_aes(key, iv)
    return BlockCipher(AES.new(key, AES.MODE_CBC, iv=iv).decrypt)


def aes_ecb_encryptor(key: bytes) -> BlockCipher:
    """AES-ECB encryption of whole blocks, as V6 result archives need it (services.md §6.3)."""
    from Crypto.Cipher import AES

    _check_aes(key)
    return BlockCipher(AES.new(key, AES.MODE_ECB).encrypt)


def aes_ecb_decryptor(key: bytes) -> BlockCipher:
    """AES-ECB decryption of whole blocks; the padding is left in place."""
    from Crypto.Cipher import AES

    _check_aes(key)
    return BlockCipher(AES.new(key, AES.MODE_ECB).decrypt)


# --- hashes and key derivation -------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    """SHA-256 of ``data``: 32 bytes."""
    import hashlib

    return hashlib.sha256(data).digest()


def sha256_new() -> _Hash:
    """A running SHA-256, with ``update`` and ``digest``."""
    import hashlib

    return hashlib.sha256()


def scrypt(password: bytes, salt: bytes, *, n: int, r: int, p: int, dklen: int) -> bytes:
    """``dklen`` bytes of scrypt. Takes 128·n·r bytes of memory: callers set the ceilings."""
    from Crypto.Protocol.KDF import scrypt as derive

    # Checked here: the library computes something for r, p or dklen out of range, or divides by 0.
    if not (n > 1 and n & (n - 1) == 0 and r > 0 and p > 0 and r * p < 2**30 and dklen > 0):
        raise ValidationError(f"unusable scrypt parameters n={n} r={r} p={p} dklen={dklen}")
    try:
        # The library takes the password as text or bytes, but is typed for text alone.
        return derive(password, salt, dklen, N=n, r=r, p=p)  # type: ignore[arg-type, return-value, unused-ignore]
    except (ValueError, OverflowError, MemoryError) as error:
        raise ValidationError(
            f"unusable scrypt parameters n={n} r={r} p={p} dklen={dklen}", cause=error
        ) from error


def pbkdf2(
    password: bytes,
    salt: bytes,
    *,
    iterations: int,
    dklen: int,
    prf: Literal["hmac-sha256", "hmac-sha512"] = "hmac-sha256",
) -> bytes:
    """``dklen`` bytes of PBKDF2; the ``prf`` names are those of the keystore format."""
    import hashlib

    if prf not in ("hmac-sha256", "hmac-sha512"):
        raise ValidationError(f"unknown PBKDF2 prf {prf!r}: hmac-sha256 or hmac-sha512")
    try:
        return hashlib.pbkdf2_hmac(prf[5:], password, salt, iterations, dklen)
    except (ValueError, OverflowError) as error:
        raise ValidationError(
            f"unusable PBKDF2 parameters iterations={iterations} dklen={dklen}", cause=error
        ) from error


# --- RSA -----------------------------------------------------------------------------------------


def rsa_generate(bits: int = 4096) -> tuple[str, str]:
    """A new key pair: PKCS#8 private PEM and SPKI public PEM, both with a final line feed.

    Generating 4096 bits takes seconds.
    """
    from Crypto.PublicKey import RSA

    if not _RSA_BITS[0] <= bits <= _RSA_BITS[1]:
        raise ValidationError(f"an RSA key has {_RSA_BITS[0]} to {_RSA_BITS[1]} bits, got {bits}")
    key = RSA.generate(bits)
    private = key.export_key(format="PEM", pkcs=8).decode("ascii")
    public = key.public_key().export_key(format="PEM").decode("ascii")
    return private + "\n", public + "\n"


def _rsa_key(pem: str | bytes, kind: str) -> RsaKey:
    """The parsed key; every way to be unusable ends in one ``ValidationError``."""
    from Crypto.PublicKey import RSA

    if len(pem) > _MAX_PEM:
        raise ValidationError(f"unusable RSA {kind} key: longer than {_MAX_PEM} characters")
    try:
        key = RSA.import_key(pem)
    except (ValueError, IndexError, TypeError):
        # The cause may quote what it read, and that may be the private key: leave it out.
        raise ValidationError(
            f"unusable RSA {kind} key: no PEM of RSA, or a part of it is missing"
        ) from None
    if not _RSA_BITS[0] <= key.size_in_bits() <= _RSA_BITS[1]:
        raise ValidationError(f"unusable RSA {kind} key: {key.size_in_bits()} bits")
    return key


def check_public_key(public_pem: str | bytes) -> None:
    """Nothing for an RSA public key that ``rsa_encrypt`` can use, else ``ValidationError``."""
    if _rsa_key(public_pem, "public").has_private():
        raise ValidationError(
            "this is a private key: give the public one, and keep this one to yourself"
        )


def rsa_encrypt(public_pem: str | bytes, data: bytes) -> bytes:
    """``data`` in RSAES-PKCS1-v1_5 for the key's owner; as many bytes as the modulus has.

    ``data`` is at most 11 bytes shorter than that, else ``ValidationError``.
    """
    from Crypto.Cipher import PKCS1_v1_5

    key = _rsa_key(public_pem, "public")
    try:
        return PKCS1_v1_5.new(key).encrypt(data)
    except ValueError as error:
        raise ValidationError(
            f"{len(data)} bytes do not fit a {key.size_in_bits()}-bit RSA key", cause=error
        ) from error


def rsa_decrypt(private_pem: str | bytes, data: bytes) -> bytes | None:
    """What ``rsa_encrypt`` was given, or None where this key does not open ``data``.

    A wrong key can also give random bytes (one chance in some thousands): what follows must check.
    """
    from Crypto.Cipher import PKCS1_v1_5

    key = _rsa_key(private_pem, "private")
    if not key.has_private():
        raise ValidationError("unusable RSA private key: this is a public key")
    # The sentinel must be bytes (services.md §6.3): another object gives b"" for a wrong key.
    sentinel = random_bytes(32)
    try:
        opened = PKCS1_v1_5.new(key).decrypt(data, sentinel)
    except ValueError:  # not as long as the modulus, or not below it
        return None
    return None if opened == sentinel else opened
