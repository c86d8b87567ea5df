"""Byte streams: what encryption and archives read from, write to and pass on in pieces.

Sources and targets are paths, bytes or open files. A target given as path appears whole or not at
all. Pieces are of any length; PKCS#7 padding and base64 are done across them, in constant memory,
and checked to the last byte: ``DecryptionError`` with the caller's words.
"""

from __future__ import annotations

import binascii
import io
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Protocol

from ..errors import DecryptionError, ValidationError

__all__ = [
    "BLOCK",
    "CHUNK",
    "Cipher",
    "Source",
    "Target",
    "from_base64",
    "is_base64",
    "open_source",
    "open_target",
    "padded",
    "read_chunks",
    "to_base64",
    "unpadded",
]

BLOCK = 16  # bytes, of AES
CHUNK = 64 * 1024  # bytes read at once

Source = str | os.PathLike[str] | bytes | BinaryIO  # a path, or contents, or an open file
Target = str | os.PathLike[str] | BinaryIO  # a path, or an open file

_SPACES = b" \t\r\n"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class Cipher(Protocol):
    """One run over whole blocks: see ``eth.crypto``."""

    def update(self, chunk: bytes) -> bytes:
        """As many bytes out as in."""


@contextmanager
def open_source(source: Source) -> Iterator[BinaryIO]:
    """A binary file to read from. A file given open stays open."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    elif isinstance(source, str | os.PathLike):
        with open(source, "rb") as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise ValidationError("Invalid file buffer, must be bytes, a path or an open binary file")


@contextmanager
def open_target(dst: Target, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write. One given as path gets its name only when the block ends without error."""
    if not isinstance(dst, str | os.PathLike):
        yield dst
        return
    path = os.path.realpath(dst)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe or device: never replaced
        with open(path, "wb") as device:
            yield device
        return
    temporary = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb", opener=_open_private if private else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file in pieces; text files are refused (``ValidationError``)."""
    while chunk := file.read(CHUNK):
        if not isinstance(chunk, bytes | bytearray):
            raise ValidationError("Invalid file buffer, must be bytes")
        yield chunk


def padded(chunks: Iterable[bytes], cipher: Cipher) -> Iterator[bytes]:
    """Encrypted pieces, with PKCS#7 padding: always 1 to 16 bytes."""
    tail = b""
    for chunk in chunks:
        data = tail + chunk
        whole = len(data) // BLOCK * BLOCK
        yield cipher.update(data[:whole])
        tail = data[whole:]
    missing = BLOCK - len(tail)
    yield cipher.update(tail + bytes([missing]) * missing)


def unpadded(chunks: Iterable[bytes], cipher: Cipher, failure: str) -> Iterator[bytes]:
    """Decrypted pieces without the padding; ``DecryptionError`` if there is none."""
    tail = b""
    for chunk in chunks:
        data = tail + chunk
        whole = max(len(data) - 1, 0) // BLOCK * BLOCK  # the last block waits for its successor
        yield cipher.update(data[:whole])
        tail = data[whole:]
    if len(tail) != BLOCK:
        raise DecryptionError(failure)
    last = cipher.update(tail)
    size = last[-1]
    if not 0 < size <= BLOCK or last[-size:] != bytes([size]) * size:
        raise DecryptionError(failure)
    yield last[:-size]


def to_base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Base64 text on one line, without an end of line."""
    tail = b""
    for chunk in chunks:
        data = tail + chunk
        whole = len(data) // 3 * 3
        yield binascii.b2a_base64(data[:whole], newline=False)
        tail = data[whole:]
    yield binascii.b2a_base64(tail, newline=False)


def is_base64(data: bytes) -> bool:
    """Base64 characters and line ends only: no ciphertext looks like that, even the shortest."""
    return not data.translate(None, _BASE64 + b"=" + _SPACES)


def from_base64(chunks: Iterable[bytes], failure: str) -> Iterator[bytes]:
    """Decoded pieces. Line ends are skipped; other characters or a ragged end are an error."""
    tail = b""
    ended = False
    for chunk in chunks:
        data = tail + chunk.translate(None, _SPACES)
        whole = len(data) // 4 * 4
        group, tail = data[:whole], data[whole:]
        digits = group.rstrip(b"=")
        if (ended and data) or len(group) - len(digits) > 2 or digits.translate(None, _BASE64):
            raise DecryptionError(failure)
        ended = ended or len(digits) < len(group)
        yield binascii.a2b_base64(group)
    if tail:
        raise DecryptionError(failure)
