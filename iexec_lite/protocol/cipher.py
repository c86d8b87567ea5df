"""Encryption of datasets, and the key pair for results, as workers and the JS SDKs do it.

An encrypted dataset is ``IV || AES-256-CBC``, raw (services.md §6.1); results of today have the
same layout (see ``archive``). Everything streams in constant memory, and what is written to a path
appears whole or not at all. Refused: keys that are not the canonical base64 of 32 bytes; on
decryption, wrong padding or length, so that a wrong key or a cut file is an error and not garbage.
No error holds a key.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from ..errors import DecryptionError, ValidationError
from ..eth import crypto
from .streams import (
    BLOCK,
    Source,
    Target,
    open_source,
    open_target,
    padded,
    read_chunks,
    unpadded,
)

__all__ = [
    "check_bytes",
    "checksum",
    "decrypt_cbc",
    "decrypt_dataset",
    "decrypt_dataset_stream",
    "encrypt_cbc",
    "encrypt_dataset",
    "encrypt_dataset_stream",
    "generate_encryption_key",
    "generate_rsa_keypair",
]

_KEY_TEXT = re.compile(r"[A-Za-z0-9+/]{43}=\Z")
_BAD_DATASET = (
    "Failed to decrypt dataset: wrong key, or the file is cut short or not an encrypted dataset"
)


def generate_encryption_key() -> str:
    """A new dataset key: base64 of 32 random bytes, 44 characters."""
    return base64.b64encode(crypto.random_bytes(32)).decode("ascii")


def encrypt_dataset(data: bytes, key: str, *, iv: bytes | None = None) -> bytes:
    """``data`` encrypted with a key of ``generate_encryption_key``; 17 to 32 bytes longer.

    ``iv`` (16 bytes) is drawn when left out.
    """
    return b"".join(encrypt_cbc(read_chunks(io.BytesIO(check_bytes(data))), _key_bytes(key), iv))


def encrypt_dataset_stream(src: Source, dst: Target, key: str, *, iv: bytes | None = None) -> str:
    """Encrypt a file into another; the checksum of what was written (see ``checksum``)."""
    secret = _key_bytes(key)
    digest = crypto.sha256_new()
    with open_target(dst) as out, open_source(src) as file:
        for piece in encrypt_cbc(read_chunks(file), secret, iv):
            digest.update(piece)
            out.write(piece)
    return "0x" + digest.hexdigest()


def decrypt_dataset(data: bytes, key: str) -> bytes:
    """What ``encrypt_dataset`` was given; ``DecryptionError`` for a wrong key or damaged data."""
    secret = _key_bytes(key)
    return b"".join(decrypt_cbc(read_chunks(io.BytesIO(check_bytes(data))), secret))


def decrypt_dataset_stream(src: Source, dst: Target, key: str) -> None:
    """Decrypt a file into another, which is readable by its owner only.

    A ``dst`` given as open file has received part of the data when ``DecryptionError`` is raised.
    """
    secret = _key_bytes(key)
    with open_target(dst, private=True) as out, open_source(src) as file:
        for piece in decrypt_cbc(read_chunks(file), secret):
            out.write(piece)


def checksum(source: Source) -> str:
    """``0x`` and the SHA-256 of an encrypted dataset: bytes, a path or an open file."""
    digest = crypto.sha256_new()
    with open_source(source) as file:
        for piece in read_chunks(file):
            digest.update(piece)
    return "0x" + digest.hexdigest()


def _key_bytes(key: str) -> bytes:
    """The 32 bytes of a dataset key; only the canonical text is taken, and never shown."""
    if isinstance(key, str) and _KEY_TEXT.match(key):
        secret = base64.b64decode(key)
        if base64.b64encode(secret).decode("ascii") == key:
            return secret
    raise ValidationError("key is not a valid encryption key (must be base64 encoded 256 bits key)")


def generate_rsa_keypair() -> tuple[str, str]:
    """A new beneficiary key pair of 4096 bits, private and public PEM (services.md §6.2).

    Takes seconds.
    """
    return crypto.rsa_generate(4096)


# ---- shared with results ------------------------------------------------------------------------


def check_bytes(data: bytes) -> bytes:
    """``data``, if it is bytes and not text."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValidationError("Invalid file buffer, must be bytes")
    return data


def encrypt_cbc(chunks: Iterable[bytes], key: bytes, iv: bytes | None) -> Iterator[bytes]:
    """The IV, then the encrypted and padded pieces."""
    iv = crypto.random_bytes(BLOCK) if iv is None else iv
    return chain((iv,), padded(chunks, crypto.aes_cbc_encryptor(key, iv)))


def decrypt_cbc(
    chunks: Iterable[bytes], key: bytes, failure: str = _BAD_DATASET
) -> Iterator[bytes]:
    """The plain pieces of what ``encrypt_cbc`` made; ``DecryptionError`` with ``failure``."""
    head = b""
    pieces = iter(chunks)
    while len(head) < BLOCK:
        piece = next(pieces, b"")
        if not piece:
            raise DecryptionError(failure)
        head += piece
    cipher = crypto.aes_cbc_decryptor(key, head[:BLOCK])
    yield from unpadded(chain((head[BLOCK:],), pieces), cipher, failure)
