"""Where the sandbox keeps its files.

Two folders per user: a cache (packages, deployed chains: safe to delete) and, in the user's data
folder, ``sandbox`` (what ``up`` runs: chain, store and secrets). ``IEXEC_LITE_CACHE`` and
``IEXEC_LITE_HOME`` move them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import SandboxError
from ..eth.codec import load_json
from ..sdk.files import PRIVATE, atomic_write, read_bytes, user_data_dir
from .processes import uninterrupted

__all__ = [
    "cache_folder",
    "make_folder",
    "read_json",
    "sandbox_folder",
    "temporary_folder",
    "write_json",
]

MAX_JSON = 64 * 1024 * 1024  # bytes; a saved chain that was used for weeks


def cache_folder() -> Path:
    """The cache: ``IEXEC_LITE_CACHE``, else ``~/.cache/iexec_lite`` (XDG rules)."""
    chosen = os.environ.get("IEXEC_LITE_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "iexec_lite"


def sandbox_folder() -> Path:
    """The folder of the sandbox that ``up`` runs, in the user's data folder."""
    return user_data_dir() / "sandbox"


def make_folder(path: Path) -> Path:
    """Make ``path`` where it is missing and return it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"the folder {path} cannot be made: {error}", cause=error) from error
    return path


@contextlib.contextmanager
def temporary_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A new private folder that is deleted at the end, whatever signals come meanwhile."""
    path: Path | None = None
    try:
        try:
            with uninterrupted():
                path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            yield path
        finally:
            _remove(path)
    finally:
        _remove(path)  # once more: the signal may have come just before the first


def _remove(path: Path | None) -> None:
    with uninterrupted():
        if path is not None:
            shutil.rmtree(path, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON object in one step, mode 0600."""
    atomic_write(path, json.dumps(value, indent=2) + "\n", mode=PRIVATE)


def read_json(path: Path) -> dict[str, object] | None:
    """The JSON object in ``path``; None where there is no such file."""
    if not path.exists():
        return None
    try:
        value = load_json(read_bytes(path, MAX_JSON))
    except ValueError as error:
        raise SandboxError(f"{path} is not readable JSON: {error}", cause=error) from error
    if not isinstance(value, dict):
        raise SandboxError(f"{path} must hold a JSON object")
    return value
