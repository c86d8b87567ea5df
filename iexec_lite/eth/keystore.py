"""Encrypted wallet files: Web3 Secret Storage version 3 (services.md §7.2).

Opens what geth, ethers, parity and MyEtherWallet write (scrypt or PBKDF2, AES-128-CTR, keys of the
JSON in any case) and writes exactly what V6 writes. A file comes from anywhere, so it is bounded
before any work: size, memory and time of the key derivation. Refused: other versions and ciphers,
presale wallets (``encseed``), parameters beyond the ceilings, an ``address`` that is not the key's.

No text of an error holds the password or the key.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
import uuid as _uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Literal

from ..errors import KeystoreError, ValidationError, WrongPasswordError
from .codec import address_to_bytes, checksum_address, load_json
from .crypto import PrivateKey, aes_ctr, keccak, pbkdf2, random_bytes, scrypt

__all__ = ["address_of", "decrypt", "encrypt", "file_name"]

MAX_JSON = 64 * 1024  # bytes; a real file has about 500
MAX_SCRYPT_MEMORY = 2**30  # bytes, 128·n·r; geth's standard (n 262144, r 8) takes a quarter
MAX_SCRYPT_WORK = 2**32  # bytes run through, 128·n·r·p: some 15 seconds
MAX_SCRYPT_P = 64
MAX_ITERATIONS = 10_000_000  # PBKDF2; some 10 seconds, real files have 10240 to 262144
MAX_SALT = 1024  # bytes

_DKLEN = range(32, 65)  # only the first 32 bytes are used, and they do not depend on it
_HEX = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})*)\Z")
_PRF: Mapping[object, Literal["hmac-sha256", "hmac-sha512"]] = {
    "hmac-sha256": "hmac-sha256",
    "hmac-sha512": "hmac-sha512",
}
_PARAMETERS = "invalid key-derivation function parameters: "


def decrypt(keystore: str | bytes | Mapping[str, object], password: str) -> PrivateKey:
    """The key of a keystore: JSON text, or that text parsed.

    The password is tried NFKC-normalised, as ethers does, then as it is, as geth does. One try
    takes a second and up to 256 MiB for usual files. ``WrongPasswordError`` (``invalid password``),
    ``KeystoreError`` for everything that is wrong with the file.
    """
    data = _parse(keystore)
    if _field(data, "encseed") is not None:
        raise KeystoreError(
            "invalid JSON wallet: this is a presale wallet, import its key with another tool first"
        )
    version = _field(data, "version")
    if isinstance(version, str) or _integer(version) != 3:
        raise KeystoreError("invalid JSON wallet: not a version 3 keystore")
    crypto = _field(data, "crypto")
    cipher = _field(crypto, "cipher")
    if cipher != "aes-128-ctr":
        raise KeystoreError(f"unsupported cipher{_shown(cipher)}: only aes-128-ctr is known")
    derive = _key_derivation(crypto)
    iv = _hex(_field(_field(crypto, "cipherparams"), "iv"), "iv")
    mac = _hex(_field(crypto, "mac"), "mac")
    ciphertext = _hex(_field(crypto, "ciphertext"), "ciphertext")
    if len(iv) != 16 or len(mac) != 32 or not 0 < len(ciphertext) <= 32:
        raise KeystoreError("invalid JSON wallet: iv, mac or ciphertext has the wrong length")
    address = _stored_address(data)
    for candidate in _passwords(password):
        try:
            derived = derive(candidate)
        except ValidationError as error:  # no memory, for one
            raise KeystoreError(f"{_PARAMETERS}{error.message}", cause=error) from error
        if hmac.compare_digest(keccak(derived[16:32] + ciphertext), mac):
            return _open(aes_ctr(derived[:16], iv, ciphertext), address)
    raise WrongPasswordError("invalid password")


def encrypt(
    secret: bytes | PrivateKey,
    password: str,
    *,
    n: int = 131072,
    r: int = 8,
    p: int = 1,
    salt: bytes | None = None,
    iv: bytes | None = None,
    uuid: bytes | None = None,
) -> dict[str, object]:
    """The keystore of a key, in V6's form and key order: write it as JSON indented by 2.

    ``n``, ``r``, ``p`` are scrypt's, within the ceilings of ``decrypt``. ``salt`` (32 bytes),
    ``iv`` (16) and ``uuid`` (16, made a version 4 uuid) are drawn when left out.
    """
    key = secret if isinstance(secret, PrivateKey) else PrivateKey(secret)
    _check_scrypt(n, r, p)
    salt = random_bytes(32) if salt is None else salt
    iv = random_bytes(16) if iv is None else iv
    uuid = random_bytes(16) if uuid is None else uuid
    if not 0 < len(salt) <= MAX_SALT or len(iv) != 16 or len(uuid) != 16:
        raise ValidationError("salt has 32 bytes, iv and uuid have 16")
    derived = scrypt(_passwords(password)[0], salt, n=n, r=r, p=p, dklen=32)
    ciphertext = aes_ctr(derived[:16], iv, key.secret)
    return {
        "address": key.address.hex(),
        "id": str(_uuid.UUID(bytes=bytes(uuid), version=4)),
        "version": 3,
        "Crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {"salt": salt.hex(), "n": n, "dklen": 32, "p": p, "r": r},
            "mac": keccak(derived[16:32] + ciphertext).hex(),
        },
    }


def file_name(address: str, now: datetime) -> str:
    """``UTC--2021-12-09T17-16-32.596000000Z--7bd4…`` for a new file; ``now`` needs a time zone."""
    if now.tzinfo is None:
        raise ValidationError("now must have a time zone")
    at = now.astimezone(timezone.utc)
    digits = checksum_address(address_to_bytes(address))[2:]
    return f"UTC--{at:%Y-%m-%dT%H-%M-%S}.{at.microsecond // 1000:03}000000Z--{digits}"


def address_of(keystore: str | bytes | Mapping[str, object]) -> str | None:
    """The EIP-55 address a wallet file claims, unproved; None where it names none.

    Needs no password. Reads unencrypted ``wallet.json`` files too.
    """
    address = _stored_address(_parse(keystore))
    return None if address is None else checksum_address(address)


# ---- reading the JSON ---------------------------------------------------------------------------


def _parse(keystore: str | bytes | Mapping[str, object]) -> Mapping[str, object]:
    if isinstance(keystore, Mapping):
        return keystore
    if not isinstance(keystore, str | bytes):
        raise KeystoreError("invalid JSON wallet: give the text of the file, or the parsed object")
    raw = keystore.encode("utf-8", "surrogatepass") if isinstance(keystore, str) else keystore
    if len(raw) > MAX_JSON:
        raise KeystoreError(f"invalid JSON wallet: larger than {MAX_JSON} bytes")
    try:
        data = load_json(raw)
    except ValueError:  # the cause would carry the text: leave it out
        raise KeystoreError("invalid JSON wallet: not JSON") from None
    if not isinstance(data, Mapping):
        raise KeystoreError("invalid JSON wallet: not a JSON object")
    return data


def _field(data: object, name: str) -> object:
    """A member of a JSON object, whatever the case of its key: the first, as V6. None if absent."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(key, str) and key.lower() == name:
                return value
    return None


def _integer(value: object) -> int | None:
    """JavaScript's view of a number: 8, 8.0 and "8" are the same. None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _hex(value: object, name: str) -> bytes:
    match = _HEX.match(value) if isinstance(value, str) and len(value) <= 4096 else None
    if match is None:
        raise KeystoreError(f"invalid JSON wallet: {name} is missing or not hex")
    return bytes.fromhex(match[1])


def _shown(value: object) -> str:
    """A short look at a value of the file, for a message."""
    return f" {value[:40]!r}" if isinstance(value, str) else ""


def _stored_address(data: Mapping[str, object]) -> bytes | None:
    value = _field(data, "address")
    if value is None or value == "":
        return None
    try:
        return address_to_bytes(value.lower() if isinstance(value, str) else value)
    except ValidationError:
        raise KeystoreError("invalid JSON wallet: address is not an address") from None


# ---- opening ------------------------------------------------------------------------------------


def _key_derivation(crypto: object) -> Callable[[bytes], bytes]:
    """The file's password-to-key function, every parameter checked and nothing computed yet."""
    name = _field(crypto, "kdf")
    kind = name.lower() if isinstance(name, str) else None
    if kind not in ("scrypt", "pbkdf2"):
        raise KeystoreError(
            f"unsupported key-derivation function{_shown(name)}: scrypt and pbkdf2 are known"
        )
    params = _field(crypto, "kdfparams")
    dklen = _integer(_field(params, "dklen"))
    if dklen is None or dklen not in _DKLEN:
        raise KeystoreError(f"{_PARAMETERS}dklen must be {_DKLEN[0]} to {_DKLEN[-1]}")
    try:
        salt = _hex(_field(params, "salt"), "salt")
    except KeystoreError as error:
        raise KeystoreError(f"{_PARAMETERS}salt is missing or not hex") from error
    if len(salt) > MAX_SALT:
        raise KeystoreError(f"{_PARAMETERS}salt is longer than {MAX_SALT} bytes")
    if kind == "scrypt":
        n, r, p = _check_scrypt(_field(params, "n"), _field(params, "r"), _field(params, "p"))
        return partial(scrypt, salt=salt, n=n, r=r, p=p, dklen=32)
    iterations = _integer(_field(params, "c"))
    if iterations is None or not 0 < iterations <= MAX_ITERATIONS:
        raise KeystoreError(f"{_PARAMETERS}c must be 1 to {MAX_ITERATIONS}")
    prf = _field(params, "prf")
    if not isinstance(prf, str) or prf not in _PRF:
        raise KeystoreError(f"{_PARAMETERS}unknown prf{_shown(prf)}")
    return partial(pbkdf2, salt=salt, iterations=iterations, dklen=32, prf=_PRF[prf])


def _check_scrypt(n: object, r: object, p: object) -> tuple[int, int, int]:
    """Scrypt's numbers, or ``KeystoreError``: small enough in memory (n·r) and time (n·r·p)."""
    cost, size, lanes = _integer(n), _integer(r), _integer(p)
    if cost is None or size is None or lanes is None or min(cost, size, lanes) < 1:
        raise KeystoreError(f"{_PARAMETERS}n, r and p must be positive integers")
    if cost < 2 or cost & (cost - 1):
        raise KeystoreError(f"{_PARAMETERS}n must be a power of two")
    memory = 128 * cost * size
    if memory > MAX_SCRYPT_MEMORY or lanes > MAX_SCRYPT_P or memory * lanes > MAX_SCRYPT_WORK:
        raise KeystoreError(
            f"{_PARAMETERS}n, r and p ask for more memory ({MAX_SCRYPT_MEMORY >> 20} MiB) or time "
            "than any wallet program does"
        )
    return cost, size, lanes


def _passwords(password: str) -> list[bytes]:
    """UTF-8 of the password: normalised, then raw where that differs."""
    if not isinstance(password, str):
        raise ValidationError("the password must be text")
    try:
        forms = [unicodedata.normalize("NFKC", password).encode(), password.encode()]
    except UnicodeEncodeError:  # the cause holds the password
        raise ValidationError("the password is not valid Unicode text") from None
    return forms if forms[0] != forms[1] else forms[:1]


def _open(secret: bytes, address: bytes | None) -> PrivateKey:
    """The key, with the zeros that old geth dropped put back, compared with the stored address."""
    try:
        key = PrivateKey(secret.rjust(32, b"\0"))
    except ValidationError as error:
        raise KeystoreError("invalid JSON wallet: what it holds is not a private key") from error
    if address is not None and address != key.address:
        raise KeystoreError("address mismatch")
    return key
