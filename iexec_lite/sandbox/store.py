"""A content-addressed store: files by their CID in a folder. Streamed, never held whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from ..errors import SandboxError, ValidationError
from ..protocol.cid import CidBuilder, is_cid
from .folders import make_folder

__all__ = ["Store"]

MAX_FILE = 4 * 1024**3  # bytes
CHUNK = 1 << 16


class Store:
    """Files in a folder, each under its CID. Safe for many threads and processes."""

    def __init__(self, folder: Path, *, max_file: int = MAX_FILE) -> None:
        self.folder = make_folder(folder)
        self.max_file = max_file

    def add(self, chunks: Iterable[bytes]) -> str:
        """Keep a file given in pieces; its CID. ValidationError beyond ``max_file`` bytes."""
        builder, size = CidBuilder(), 0
        part = self.folder / f".part-{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}"
        try:
            with part.open("xb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > self.max_file:
                        raise ValidationError(f"the store takes files up to {self.max_file} bytes")
                    builder.update(chunk)
                    file.write(chunk)
            cid = builder.finish()
            part.replace(self.folder / cid)
        except OSError as error:
            raise SandboxError(f"the store cannot keep a file: {error}", cause=error) from error
        finally:
            part.unlink(missing_ok=True)
        return cid

    def add_bytes(self, data: bytes) -> str:
        """Keep ``data``; its CID."""
        return self.add((data,))

    def add_file(self, path: Path) -> str:
        """Keep a copy of a file; its CID."""
        with path.open("rb") as file:
            return self.add(iter(lambda: file.read(CHUNK), b""))

    def path(self, cid: str) -> Path | None:
        """Where the file with this CID lies, if it is here."""
        path = self.folder / cid
        return path if is_cid(cid) and path.is_file() else None
