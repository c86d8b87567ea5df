"""What is deployed: apps, datasets, workerpools, and categories (chain.md §4, §12).

Records of columns like the orders: loose input enters by ``from_dict``, a record that exists is
valid, and the table of fields gives JSON and calldata. Refused: names that are empty or not text,
apps that are not DOCKER images, measurements with missing or unknown members, bytes that the text
of a record would change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..errors import ValidationError
from ..frozen import field
from . import multiaddr
from .columns import ADDRESS, BYTES32, UINT256, Column, Record
from .params import load_json, stringify
from .units import shown
from .values import check_string

__all__ = ["App", "Category", "Dataset", "ProtocolObject", "Workerpool"]

HEAP_SIZE = "heapSize"
MRENCLAVE_KEYS = ("provider", "version", "entrypoint", HEAP_SIZE, "fingerprint")
MAX_HEAP_SIZE = (1 << 53) - 2  # as V6; bytes
APP_TYPE = "DOCKER"

_DIGITS = re.compile(r"[0-9]{1,20}")


def _text(value: object) -> str:
    """Text that is not empty."""
    if value == "":
        raise ValidationError("is a required field, it must not be empty")
    return check_string(value)


def _multiaddr(value: object) -> str:
    """Text, or the bytes to store, where there is a text that is stored as just these bytes."""
    if isinstance(value, (bytes, bytearray)):
        text = multiaddr.to_text(bytes(value))
        if multiaddr.to_bytes(text) != value:
            raise ValidationError(
                "bytes without a text that is stored as the same bytes are not supported: give text"
            )
        return text
    if not isinstance(value, str):
        raise ValidationError(f"{shown(value)} is not a valid multiaddr")
    return check_string(value)


def _app_type(value: object) -> str:
    if value != APP_TYPE:
        raise ValidationError(f"{shown(value)} is not a valid type: it is {APP_TYPE!r}")
    return APP_TYPE


def _mrenclave(value: object) -> str:
    """The text the contract stores: compact JSON of an object, text as given; empty for none."""
    if value is None or value in ("", b""):
        return ""
    if isinstance(value, (bytes, bytearray)):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise ValidationError("is not a valid mrenclave: it is not UTF-8") from None
    text = check_string(value) if isinstance(value, str) else ""
    try:
        found = load_json(text) if text else value
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise ValidationError("is not a valid mrenclave: it is a JSON object")
    faults = list(_mrenclave_faults(found))
    if faults:
        raise ValidationError("is not a valid mrenclave: " + "; ".join(faults))
    return text or stringify(found)


def _mrenclave_faults(found: Mapping[object, object]) -> Iterator[str]:
    for key in MRENCLAVE_KEYS:
        value = found.get(key)
        if value is None or value == "":
            yield f"{key} is a required field"
        elif key != HEAP_SIZE and not isinstance(value, str):
            yield f"{key} must be text"
    heap = found.get(HEAP_SIZE)
    if heap not in (None, "") and not _is_heap_size(heap):
        yield (
            f"{HEAP_SIZE} must be greater than or equal to 0: bytes, a whole number up to "
            f"{MAX_HEAP_SIZE}"
        )
    for member in found:
        if member not in MRENCLAVE_KEYS:
            yield f'Unknown key "{shown(member)}" in mrenclave'


def _is_heap_size(value: object) -> bool:
    """A whole number, or its digits as text (which are stored as text, as V6 does)."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MAX_HEAP_SIZE


def _same(value: str) -> str:
    return value


def _unpack_multiaddr(value: object) -> str:
    return multiaddr.to_text(value) if isinstance(value, bytes) else str(value)


def _unpack_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


TEXT = {"column": Column("string", _text, _text, _same, _same, check_string)}
MULTIADDR = {
    "column": Column("bytes", _multiaddr, _multiaddr, _same, multiaddr.to_bytes, _unpack_multiaddr)
}
TYPE = {"column": Column("string", _app_type, _app_type, _same, _same, _unpack_text)}
MRENCLAVE = {"column": Column("bytes", _mrenclave, _mrenclave, _same, str.encode, _unpack_text)}


class ProtocolObject(Record):
    """Base of what the registries create: the fields are the arguments of ``create…``."""


class App(ProtocolObject):
    """An app: a docker image. ``multiaddr`` names the image, ``checksum`` is its digest.

    ``mrenclave`` (V6 TEE apps) is ``{provider, version, entrypoint, heapSize, fingerprint}`` as an
    object or JSON text; it is kept as the text that the contract stores.
    """

    owner: str = field(metadata=ADDRESS)
    name: str = field(metadata=TEXT)
    type: str = field(default=APP_TYPE, metadata=TYPE)
    multiaddr: str = field(metadata=MULTIADDR)
    checksum: str = field(metadata=BYTES32)
    mrenclave: str = field(default="", metadata={**MRENCLAVE, "optional": True})

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON; ``mrenclave`` as an object, left out where there is none."""
        result = Record.to_dict(self)
        del result["mrenclave"]
        if self.mrenclave:
            result["mrenclave"] = load_json(self.mrenclave)
        return result


class Dataset(ProtocolObject):
    """A dataset: where the encrypted file lies, and the sha256 of it."""

    owner: str = field(metadata=ADDRESS)
    name: str = field(metadata=TEXT)
    multiaddr: str = field(metadata=MULTIADDR)
    checksum: str = field(metadata=BYTES32)


class Workerpool(ProtocolObject):
    """A workerpool."""

    owner: str = field(metadata=ADDRESS)
    description: str = field(metadata=TEXT)


class Category(Record):
    """A category: ``workClockTimeRef`` is the seconds that a task may compute."""

    name: str = field(metadata=TEXT)
    description: str = field(metadata=TEXT)
    workClockTimeRef: int = field(metadata=UINT256)  # noqa: N815  # iExec's own name

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON; here the time is a number."""
        return {**Record.to_dict(self), "workClockTimeRef": self.workClockTimeRef}
