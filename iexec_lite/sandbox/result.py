"""What an app left in its output folder, and what the chain gets of it (worker.md §1.5, §2).

``read_computed`` checks ``computed.json``; ``digest`` is what workers agree on; ``pack`` makes the
archive that is stored; ``link`` is the text that the chain keeps. Refused: a path outside the
output folder or through a symbolic link, a digest written by the app itself, file names that no
archive can hold, a callback without data.
"""

from __future__ import annotations

import json
import os
import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SandboxError, ValidationError
from ..eth.codec import from_hex, load_json
from ..eth.crypto import keccak, sha256_new

__all__ = [
    "COMPUTED",
    "Computed",
    "authorisation_hash",
    "digest_of",
    "link",
    "pack",
    "read_computed",
    "result_hash",
    "result_seal",
]

COMPUTED = "computed.json"
CONTAINER_OUT = "/iexec_out"  # what apps made for containers write as their output folder
MAX_COMPUTED = 1 << 20  # bytes
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Computed:
    """A usable ``computed.json``: the result's path on disk, or the bytes for a callback."""

    path: Path | None = None
    callback: bytes | None = None


def read_computed(out: Path, *, callback: bool) -> Computed:
    """The app's ``computed.json`` in ``out``, for a deal with or without a callback contract.

    A path written with the sandbox's own ``IEXEC_OUT`` is rewritten in the file as a container
    would have it: who downloads the archive knows nothing of our folders.
    """
    file = out / COMPUTED
    if file.is_symlink() or not file.is_file():
        raise SandboxError(
            f"the app wrote no {COMPUTED} into IEXEC_OUT (an app that writes to {CONTAINER_OUT} "
            "itself must use the variable here)"
        )
    if file.stat().st_size > MAX_COMPUTED:
        raise SandboxError(f"{COMPUTED} is larger than {MAX_COMPUTED} bytes")
    try:
        content = load_json(file.read_bytes())
    except ValueError as error:
        raise SandboxError(f"{COMPUTED} is not JSON: {error}", cause=error) from error
    if not isinstance(content, dict):
        raise SandboxError(f"{COMPUTED} must be a JSON object")
    if content.get("result-digest") is not None:
        raise SandboxError(f"{COMPUTED} must not have a result-digest: the worker computes it")
    if callback:
        return Computed(callback=_callback_data(content))
    path = _output_path(content, out)
    inside = path.relative_to(out).as_posix()
    content["deterministic-output-path"] = posixpath.normpath(f"{CONTAINER_OUT}/{inside}")
    file.write_text(json.dumps(content), "utf-8")
    return Computed(path=path)


def _callback_data(content: Mapping[str, object]) -> bytes:
    text = content.get("callback-data")
    if not isinstance(text, str) or not text:
        raise SandboxError(f"the deal has a callback, but {COMPUTED} has no callback-data")
    try:
        return from_hex(text, name="callback-data")
    except ValidationError as error:
        raise SandboxError(f"{COMPUTED}: {error.message}", cause=error) from error


def _output_path(content: Mapping[str, object], out: Path) -> Path:
    text = content.get("deterministic-output-path")
    if not isinstance(text, str) or not text or "\0" in text:
        raise SandboxError(f"{COMPUTED} has no deterministic-output-path")
    for root in (os.fspath(out), CONTAINER_OUT):
        if text == root or text.startswith((f"{root}/", f"{root}{os.sep}")):
            path = Path(os.path.normpath(f"{out}{os.sep}{text[len(root) :]}"))
            break
    else:
        raise SandboxError(f"deterministic-output-path must begin with IEXEC_OUT, it is {text!r}")
    if not path.is_relative_to(out):
        raise SandboxError(f"deterministic-output-path {text!r} leaves IEXEC_OUT")
    if not path.exists():
        raise SandboxError(f"deterministic-output-path {text!r} does not exist")
    if path.resolve() != out.resolve() / path.relative_to(out):
        raise SandboxError(f"deterministic-output-path {text!r} goes through a symbolic link")
    return path


# -- digest and hashes (worker.md §2.2, §2.3) --------------------------------------------------


def digest_of(computed: Computed) -> bytes:
    """The 32 bytes that workers agree on."""
    if computed.callback is not None:
        return keccak(computed.callback)
    assert computed.path is not None  # noqa: S101  # read_computed gives one or the other
    if not computed.path.is_dir():
        return _sha256(computed.path)
    # Direct children only, by UTF-16 code unit as Java sorts; a sub-folder adds nothing.
    children = sorted(computed.path.iterdir(), key=_java_order)
    return keccak(b"".join(map(_sha256, filter(_counts, children))))


def _counts(child: Path) -> bool:
    return child.is_symlink() or not child.is_dir()


def _java_order(path: Path) -> bytes:
    return os.fspath(path).encode("utf-16-be", "surrogatepass")


def _sha256(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise SandboxError(f"the result holds {path.name!r}, which is not a regular file")
    digest = sha256_new()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def result_hash(taskid: bytes, digest: bytes) -> bytes:
    """What workers compare: keccak256(task id, digest)."""
    return keccak(taskid + digest)


def result_seal(worker: bytes, taskid: bytes, digest: bytes) -> bytes:
    """What proves that a worker knows the digest before it is revealed."""
    return keccak(worker + taskid + digest)


def authorisation_hash(worker: bytes, taskid: bytes, challenge: bytes) -> bytes:
    """What the workerpool owner signs (as a personal message) to let a worker contribute."""
    return keccak(worker + taskid + challenge)


# -- archive and link (worker.md §2.1, §2.4) ---------------------------------------------------


def pack(out: Path, target: Path) -> None:
    """Zip the content of ``out`` into ``target``: relative names, no entries for folders.

    A symbolic link becomes an empty entry, as workers write it; nothing is read through it.
    """
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path, name in _walk(out):
                if path.is_symlink():
                    archive.writestr(name, b"")
                elif path.is_file():
                    archive.write(path, name)
    except (OSError, UnicodeEncodeError, zipfile.LargeZipFile) as error:
        raise SandboxError(f"the result cannot be packed: {error}", cause=error) from error


def _walk(out: Path) -> Iterator[tuple[Path, str]]:
    for folder, folders, files in os.walk(out):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted(files + links):
            path = Path(folder, name)
            yield path, path.relative_to(out).as_posix()


def link(storage: str, location: str) -> bytes:
    """The ``results`` bytes of a task, with exactly the spaces that workers write."""
    return f'{{ "storage": "{storage}", "location": "{location}" }}'.encode()
