"""Dataset and input files of a task, fetched into the app's input folder (worker.md §5).

A dataset's bytes must have the checksum that is on chain; a TEE task gets it decrypted, a standard
one as it is. Refused: file names with folders in them, other schemes than http and https, files
beyond a size limit. Each failure is a ``DataError`` with the cause name that real workers report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DecryptionError, IExecError, SandboxError, ValidationError
from ..net.http import Http
from ..protocol import cipher
from .runtime import PAST

__all__ = ["DataError", "DatasetFile", "fetch_dataset", "fetch_inputs", "source_url"]

MAX_DATASET = 4 * 1024**3  # bytes
MAX_INPUT = 1024**3
TIMEOUT = 120.0  # seconds for one file


class DataError(SandboxError):
    """Data that could not be had; ``reason`` is the cause name of real workers."""

    def __init__(self, reason: str, message: str, cause: Exception | None = None) -> None:
        super().__init__(f"{message} ({reason})", details={"cause": reason}, cause=cause)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """A dataset as the chain describes it: name, location (text), checksum (``0x``)."""

    name: str
    location: str
    checksum: str

    @property
    def present(self) -> bool:
        """Whether there is a file to fetch: V6 takes a dataset without a name for none."""
        return bool(self.name and self.location)


def source_url(location: str, gateway: str) -> str:
    """The URL of a location: an ``/ipfs/`` path is asked of the gateway, others are URLs."""
    for prefix in ("/ipfs/", "/p2p/"):
        if location.startswith(prefix):
            return f"{gateway}/ipfs/{location[len(prefix) :]}"
    return location


def fetch_dataset(
    dataset: DatasetFile, folder: Path, *, http: Http, gateway: str, key: str | None
) -> None:
    """Download the dataset to ``folder/<name>``, check it, decrypt it if ``key``."""
    failed = "DATASET_FILE_DOWNLOAD_FAILED"
    target = folder / _plain_name(dataset.name, failed)
    part = folder.parent / "dataset.part"
    url = source_url(dataset.location, gateway)
    found = _download(http, url, part, MAX_DATASET, failed)
    if found != dataset.checksum:
        hint = ""
        if not int(dataset.checksum, 16):
            hint = "; a dataset deployed with an empty checksum can never be used"
        raise DataError(
            "DATASET_FILE_BAD_CHECKSUM",
            f"the dataset's bytes have sha256 {found}, on chain it is {dataset.checksum}{hint}",
        )
    try:
        if key is None:
            part.replace(target)
            return
        cipher.decrypt_dataset_stream(part, target, key)
    except (DecryptionError, ValidationError) as error:
        raise DataError(
            "PRE_COMPUTE_DATASET_DECRYPTION_FAILED",
            "the dataset does not decrypt with the key it was given",
            error,
        ) from error
    except OSError as error:
        raise DataError(failed, f"the dataset cannot be kept: {error.strerror}", error) from error
    finally:
        part.unlink(missing_ok=True)


def fetch_inputs(
    urls: Sequence[str],
    folder: Path,
    *,
    http: Http,
    gateway: str,
    name_of: Callable[[str], str] = PAST.input_name,
) -> list[str]:
    """Download the input files; their names in the folder, in order.

    ``name_of(url)`` is the name of one: of V6 workers, what follows the last slash, with its query,
    not decoded. Two URLs with the same name overwrite each other.
    """
    failed = "INPUT_FILES_DOWNLOAD_FAILED"
    names = []
    for url in urls:
        name = _plain_name(name_of(url), failed)
        _download(http, source_url(url, gateway), folder / name, MAX_INPUT, failed)
        names.append(name)
    return names


def _plain_name(name: str, reason: str) -> str:
    if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
        raise DataError(reason, f"{name!r} cannot be the name of a file in the input folder")
    return name


def _download(http: Http, url: str, target: Path, max_bytes: int, reason: str) -> str:
    """Write what ``url`` gives to ``target``; its sha256 as ``0x`` text."""
    if not url.lower().startswith(("http://", "https://")):
        raise DataError(reason, "only http, https and /ipfs/ locations can be downloaded")
    digest = hashlib.sha256()
    try:
        with (
            http.stream("GET", url, max_bytes=max_bytes, timeout=TIMEOUT) as answer,
            target.open("wb") as file,
        ):
            if not answer.ok:
                raise DataError(reason, f"{answer.host} answered {answer.status}")
            for chunk in answer:
                digest.update(chunk)
                file.write(chunk)
    except DataError:
        raise
    except (IExecError, OSError) as error:
        text = error.message if isinstance(error, IExecError) else str(error)
        raise DataError(reason, f"download failed: {text}", error) from error
    return "0x" + digest.hexdigest()
