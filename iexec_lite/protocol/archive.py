"""Result archives: encrypted ones opened and made, plain ones read without harm.

An encrypted result (services.md §6.3, §9.6, today.md §2.6, worker.md §4) is a zip of the wrapped
AES key and the encrypted inner zip, each in the layout of V6 (base64 texts, AES-ECB) or of today
(raw, AES-CBC). Reading tells the two entries' layouts apart separately, by their contents.
Refused, with V6's messages: archives that are damaged or beyond the ceilings, keys that do not open
them, and, unlike V6, wrong padding: a wrong key or a cut file is an error, not garbage.

Everything streams in constant memory. Plain archives are the business of ``zips``.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import BinaryIO, Literal

from ..errors import DecodingError, DecryptionError, ValidationError
from ..eth import crypto
from .cipher import check_bytes, decrypt_cbc, encrypt_cbc
from .streams import (
    Source,
    Target,
    from_base64,
    is_base64,
    open_source,
    open_target,
    padded,
    read_chunks,
    to_base64,
    unpadded,
)
from .zips import (
    Archive,
    Member,
    extract_archive,
    list_archive,
    member_chunks,
    open_zip,
    read_member,
)

__all__ = [
    "KEY_ENTRY",
    "RESULT_ENTRY",
    "Archive",
    "Member",
    "ResultFormat",
    "decrypt_result",
    "decrypt_result_file",
    "encrypt_result",
    "encrypt_result_file",
    "extract_archive",
    "list_archive",
    "read_member",
]

KEY_ENTRY = "aes-key.rsa"
RESULT_ENTRY = "iexec_out.zip.aes"
MAX_KEY_ENTRY = 1000  # bytes; 684 for a 4096-bit key in base64
MAX_RESULT_ENTRY = 10**9

ResultFormat = Literal["v6", "v9"]

_BAD_ZIP = "Failed to load encrypted results zip file"
_BAD_RSA = "Failed to decrypt results key with beneficiary key"
_BAD_AES = "Failed to decrypt results with decrypted results key"


def decrypt_result(zip_bytes: bytes, private_pem: str | bytes) -> bytes:
    """The inner zip of an encrypted result, old format or new; ``DecryptionError`` otherwise."""
    return b"".join(_decrypt_result(check_bytes(zip_bytes), private_pem))


def decrypt_result_file(src: Source, dst: Target, private_pem: str | bytes) -> None:
    """``decrypt_result`` from file to file, in constant memory; ``dst`` is its owner's only."""
    with (
        open_target(dst, private=True) as out,
        closing(_decrypt_result(src, private_pem)) as pieces,
    ):
        for piece in pieces:
            out.write(piece)


def encrypt_result(
    src: Source,
    public_pem: str | bytes,
    *,
    format: ResultFormat = "v6",
    key: bytes | None = None,
    iv: bytes | None = None,
) -> bytes:
    """The encrypted archive of a result zip, as a worker makes it: see ``encrypt_result_file``."""
    out = io.BytesIO()
    encrypt_result_file(src, out, public_pem, format=format, key=key, iv=iv)
    return out.getvalue()


def encrypt_result_file(
    src: Source,
    dst: Target,
    public_pem: str | bytes,
    *,
    format: ResultFormat = "v6",
    key: bytes | None = None,
    iv: bytes | None = None,
) -> None:
    """Encrypt a result zip for the owner of an RSA key, as workers of V6 or of today (``v9``) do.

    ``key`` (16 or 32 bytes by format) and ``iv`` (``v9`` only) are drawn when left out. An empty
    result, an unusable RSA key, a wrapped key of more than 1000 bytes: ``ValidationError``.
    """
    if format not in ("v6", "v9"):
        raise ValidationError(f"unknown result format {format!r}: v6 or v9")
    size = 16 if format == "v6" else 32
    key = crypto.random_bytes(size) if key is None else key
    if len(key) != size:
        raise ValidationError(f"the key of a {format} result has {size} bytes, got {len(key)}")
    if format == "v6":
        wrapped = base64.b64encode(crypto.rsa_encrypt(public_pem, base64.b64encode(key)))
    else:
        wrapped = crypto.rsa_encrypt(public_pem, key)
    if len(wrapped) > MAX_KEY_ENTRY:
        raise ValidationError(f"the RSA key is too long: {KEY_ENTRY} would be {len(wrapped)} bytes")
    with open_target(dst) as out, open_source(src) as file:
        plain = read_chunks(file)
        first = next(plain, b"")
        if not first:
            raise ValidationError("an empty result is not encrypted")
        plain = chain((first,), plain)
        if format == "v6":
            pieces = to_base64(padded(plain, crypto.aes_ecb_encryptor(key)))
        else:
            pieces = encrypt_cbc(plain, key, iv)
        _write_result(out, wrapped, pieces)


def _write_result(out: BinaryIO, wrapped: bytes, pieces: Iterable[bytes]) -> None:
    size = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(KEY_ENTRY), wrapped, zipfile.ZIP_DEFLATED)
        info = zipfile.ZipInfo(RESULT_ENTRY)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as entry:
            for piece in pieces:
                size += len(piece)
                if size > MAX_RESULT_ENTRY:
                    raise ValidationError(
                        f"the result is too large: {RESULT_ENTRY} has at most "
                        f"{MAX_RESULT_ENTRY} bytes"
                    )
                entry.write(piece)


def _decrypt_result(src: Source, private_pem: str | bytes) -> Generator[bytes]:
    """The inner zip piece by piece. Checked in V6's order: zip, key entry, RSA, payload entry."""
    try:
        with open_zip(src) as archive:
            wrapped = b"".join(_entry(archive, KEY_ENTRY, MAX_KEY_ENTRY))
            key = _unwrap(wrapped, private_pem)
            yield from _decrypt_payload(_entry(archive, RESULT_ENTRY, MAX_RESULT_ENTRY), key)
    except DecodingError as error:  # of the zip, anywhere in it
        raise DecryptionError(_BAD_ZIP, cause=error) from error


def _decrypt_payload(payload: Iterator[bytes], key: bytes) -> Iterator[bytes]:
    """Base64 text of AES-ECB under any AES key, or raw ``IV || AES-CBC`` under one of 32 bytes."""
    first = next(payload, b"")
    is_text = is_base64(first)
    if len(key) not in (16, 24, 32) or not (is_text or len(key) == 32):
        raise DecryptionError(_BAD_AES)
    pieces = chain((first,), payload)
    if is_text:
        return unpadded(from_base64(pieces, _BAD_AES), crypto.aes_ecb_decryptor(key), _BAD_AES)
    return decrypt_cbc(pieces, key, _BAD_AES)


def _entry(archive: zipfile.ZipFile, name: str, max_bytes: int) -> Iterator[bytes]:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise DecryptionError(f"Missing {name} file in zip input file") from None
    if info.file_size > max_bytes:
        raise DecryptionError(f"{name} is too large: {info.file_size} bytes, max {max_bytes}")
    return member_chunks(archive, info)


def _unwrap(wrapped: bytes, private_pem: str | bytes) -> bytes:
    """The AES key. A base64 entry holds base64 text of it (V6), a raw entry holds it raw."""
    is_text = is_base64(wrapped)
    try:
        if is_text:
            wrapped = b"".join(from_base64([wrapped], _BAD_RSA))
        opened = crypto.rsa_decrypt(private_pem, wrapped)
    except ValidationError as error:  # unusable key
        raise DecryptionError(_BAD_RSA, cause=error) from error
    if opened is None:
        raise DecryptionError(_BAD_RSA)
    if not is_text:
        return opened
    try:
        return b"".join(from_base64([opened], _BAD_AES))
    except DecryptionError:
        return b""  # a wrong RSA key may answer with random bytes: no AES key, told later
