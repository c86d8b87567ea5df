"""The CIDv0 of a file as a default IPFS node would give it, without IPFS (worker.md §3.3).

Chunks of 256 KiB become leaves, up to 174 links a parent, level by level; the id is the base58btc
text of the root's sha256 multihash. Constant memory but for 48 bytes or so per chunk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from .multiaddr import base58_encode

__all__ = ["CidBuilder", "cid_of", "is_cid"]

CHUNK = 262_144
WIDTH = 174
_CID = re.compile(r"Qm[1-9A-HJ-NP-Za-km-z]{44}\Z")


class _Node(NamedTuple):
    digest: bytes  # sha256 of its encoding
    content: int  # bytes of the file below it
    total: int  # bytes of its encoding and of all below it


def is_cid(text: str) -> bool:
    """Whether ``text`` has the form of a CIDv0."""
    return _CID.match(text) is not None


def cid_of(data: bytes) -> str:
    """The CIDv0 of ``data``."""
    builder = CidBuilder()
    builder.update(data)
    return builder.finish()


class CidBuilder:
    """Takes a file piece by piece. ``finish`` once, at the end."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._leaves: list[_Node] = []

    def update(self, data: bytes) -> None:
        """The next bytes, any number of them."""
        self._rest += data
        # A full last chunk stays: whether another leaf follows is only known at the end, and an
        # empty file is the one case that makes a leaf of nothing.
        while len(self._rest) > CHUNK:
            self._leaves.append(_leaf(bytes(self._rest[:CHUNK])))
            del self._rest[:CHUNK]

    def finish(self) -> str:
        """The CID of all that was given."""
        level = [*self._leaves, _leaf(bytes(self._rest))]
        while len(level) > 1:
            level = [_parent(level[i : i + WIDTH]) for i in range(0, len(level), WIDTH)]
        return base58_encode(b"\x12\x20" + level[0].digest)


def _leaf(chunk: bytes) -> _Node:
    content = b"\x12" + _varint(len(chunk)) + chunk if chunk else b""
    file = b"\x08\x02" + content + b"\x18" + _varint(len(chunk))
    encoded = b"\x0a" + _varint(len(file)) + file
    return _Node(hashlib.sha256(encoded).digest(), len(chunk), len(encoded))


def _parent(children: Sequence[_Node]) -> _Node:
    links = b""
    for child in children:
        link = b"\x0a\x22\x12\x20" + child.digest + b"\x12\x00\x18" + _varint(child.total)
        links += b"\x12" + _varint(len(link)) + link
    content = sum(child.content for child in children)
    file = b"\x08\x02\x18" + _varint(content)
    file += b"".join(b"\x20" + _varint(child.content) for child in children)
    encoded = links + b"\x0a" + _varint(len(file)) + file
    total = len(encoded) + sum(child.total for child in children)
    return _Node(hashlib.sha256(encoded).digest(), content, total)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
