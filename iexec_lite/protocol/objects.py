"""What is deployed: apps, datasets, workerpools, and categories (chain.md §4, §12).

Records of columns like the orders: loose input enters by ``from_dict``, a record that exists is
valid, and the table of fields gives JSON and calldata. Refused: names that are not text, apps that
are not DOCKER images, measurements with missing or unknown members.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ValidationError
from ..eth.codec import load_json
from . import multiaddr
from .columns import ADDRESS, BYTES32, STRING, UINT256, Column, Record
from .units import shown

__all__ = ["App", "Category", "Dataset", "ProtocolObject", "Workerpool"]

MRENCLAVE_TEXTS = ("provider", "version", "entrypoint", "fingerprint")
MRENCLAVE_KEYS = ("provider", "version", "entrypoint", "heapSize", "fingerprint")
APP_TYPE = "DOCKER"


def _multiaddr(value: object) -> str:
    """Text, or the bytes a contract stores; the text is what is shown, the bytes are stored."""
    if isinstance(value, bytes):
        return multiaddr.to_text(value)
    if not isinstance(value, str):
        raise ValidationError(f"{shown(value)} is not a valid multiaddr")
    return value


def _app_type(value: object) -> str:
    if value != APP_TYPE:
        raise ValidationError(f"{shown(value)} is not a valid type: it is {APP_TYPE!r}")
    return APP_TYPE


def _mrenclave(value: object) -> str:
    """The text the contract stores: compact JSON of an object, text as given; empty for none."""
    if value is None or value in ("", b""):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = value if isinstance(value, str) else ""
    try:
        found = load_json(text) if text else value
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise ValidationError("is not a valid mrenclave: it is a JSON object")
    faults = [
        f"{key} is a required field" for key in MRENCLAVE_KEYS if found.get(key) in (None, "")
    ]
    faults += [f"{key} must be text" for key in MRENCLAVE_TEXTS if not _is_text(found.get(key, ""))]
    faults += [f'Unknown key "{key}" in mrenclave' for key in found if key not in MRENCLAVE_KEYS]
    heap = found.get("heapSize", 0)
    if not str(heap).isdecimal() or isinstance(heap, bool):
        faults.append("heapSize must be greater than or equal to 0")
    if faults:
        raise ValidationError("is not a valid mrenclave: " + "; ".join(faults))
    return text or json.dumps(dict(found), separators=(",", ":"), ensure_ascii=False)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _same(value: str) -> str:
    return value


def _unpack_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


MULTIADDR = {
    "column": Column("bytes", _multiaddr, _multiaddr, _same, multiaddr.to_bytes, _multiaddr)
}
TYPE = {"column": Column("string", _app_type, _app_type, _same, _same, _unpack_text)}
MRENCLAVE = {"column": Column("bytes", _mrenclave, _mrenclave, _same, str.encode, _unpack_text)}


class ProtocolObject(Record):
    """Base of what the registries create: the fields are the arguments of ``create…``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class App(ProtocolObject):
    """An app: a docker image. ``multiaddr`` names the image, ``checksum`` is its digest.

    ``mrenclave`` (V6 TEE apps) is ``{provider, version, entrypoint, heapSize, fingerprint}`` as an
    object or JSON text; it is kept as the text that the contract stores.
    """

    owner: str = field(metadata=ADDRESS)
    name: str = field(metadata=STRING)
    type: str = field(default=APP_TYPE, metadata=TYPE)
    multiaddr: str = field(metadata=MULTIADDR)
    checksum: str = field(metadata=BYTES32)
    mrenclave: str = field(default="", metadata={**MRENCLAVE, "optional": True})

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON; ``mrenclave`` as an object, left out where there is none."""
        result = Record.to_dict(self)
        del result["mrenclave"]
        if self.mrenclave:
            result["mrenclave"] = json.loads(self.mrenclave)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(ProtocolObject):
    """A dataset: where the encrypted file lies, and the sha256 of it."""

    owner: str = field(metadata=ADDRESS)
    name: str = field(metadata=STRING)
    multiaddr: str = field(metadata=MULTIADDR)
    checksum: str = field(metadata=BYTES32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workerpool(ProtocolObject):
    """A workerpool."""

    owner: str = field(metadata=ADDRESS)
    description: str = field(metadata=STRING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(Record):
    """A category: ``workClockTimeRef`` is the seconds that a task may compute."""

    name: str = field(metadata=STRING)
    description: str = field(metadata=STRING)
    workClockTimeRef: int = field(metadata=UINT256)  # noqa: N815  # iExec's own name

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON; here the time is a number."""
        return {**Record.to_dict(self), "workClockTimeRef": self.workClockTimeRef}
