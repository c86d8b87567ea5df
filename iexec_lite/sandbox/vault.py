"""Keys that owners hand to the sandbox's worker, as files in a private folder.

What the secret management service does on a public network: keys of encrypted datasets, public
keys for encrypted results (services.md §2.4). A dataset's key is kept once and for all, as there;
a result key may be replaced. Files are 0600 in 0700 folders; no text ever shows a key.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from ..errors import SandboxError, ValidationError
from ..eth.codec import address_to_bytes, checksum_address
from ..sdk.files import PRIVATE, atomic_write, private_dir, read_text

__all__ = ["Vault"]

MAX_KEY = 16_384  # bytes of a PEM text


class Vault:
    """The folder of secrets. Addresses in any case; files are named in lower case."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_dataset_key(self, dataset: str, key: str) -> None:
        """Keep the key (base64 of 32 bytes) of a dataset. SandboxError if another one is kept."""
        try:
            size = len(base64.b64decode(key, validate=True))
        except (binascii.Error, ValueError) as error:
            raise ValidationError("a dataset key is base64 text", cause=error) from None
        if size != 32:
            raise ValidationError(f"a dataset key has 32 bytes, got {size}")
        kept = self.dataset_key(dataset)
        if kept not in (None, key):
            raise SandboxError(f"another key is already kept for dataset {dataset}")
        self._write("datasets", dataset, key)

    def dataset_key(self, dataset: str) -> str | None:
        """The key of a dataset, or None."""
        return self._read("datasets", dataset)

    def put_result_key(self, beneficiary: str, public_pem: str) -> None:
        """Keep the RSA public key (SPKI PEM) that results of ``beneficiary`` are encrypted with."""
        if not public_pem.startswith("-----BEGIN PUBLIC KEY-----\n"):
            raise ValidationError("a result key is an RSA public key, PEM text, SPKI, LF line ends")
        self._write("results", beneficiary, public_pem)

    def result_key(self, beneficiary: str) -> str | None:
        """The public key of a beneficiary, or None."""
        return self._read("results", beneficiary)

    def _path(self, kind: str, address: str) -> Path:
        name = checksum_address(address_to_bytes(address)).lower()
        return self.folder / kind / name

    def _write(self, kind: str, address: str, text: str) -> None:
        path = self._path(kind, address)
        private_dir(self.folder)
        private_dir(path.parent)
        atomic_write(path, text, mode=PRIVATE)

    def _read(self, kind: str, address: str) -> str | None:
        path = self._path(kind, address)
        return read_text(path, MAX_KEY).strip("\n\r ") + self._end(kind) if path.exists() else None

    @staticmethod
    def _end(kind: str) -> str:
        return "\n" if kind == "results" else ""  # a PEM text ends in a line feed
