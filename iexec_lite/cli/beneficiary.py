"""The keys that results are decrypted with, in the project's secrets (cli.md §4, §8.10, §8.11)."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from ..errors import ConfigurationError, IExecError
from ..sdk import files

__all__ = ["FOLDER", "add_options", "key_name", "read_key"]

FOLDER = Path(".secrets", "beneficiary")
MAX_KEY = 64 * 1024  # bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--beneficiary-keystoredir``, ``--beneficiary-key-file``."""
    parser.add_argument(
        "--beneficiary-keystoredir",
        metavar="DIR",
        help=f"folder of the beneficiary's keys (default: {FOLDER.as_posix()})",
    )
    parser.add_argument(
        "--beneficiary-key-file",
        metavar="FILE",
        help="the key's file in that folder (default: ADDRESS_key)",
    )


def key_name(address: str) -> str:
    """The file name of an account's private key; the public one has ``.pub`` after it."""
    return f"{address}_key"


def read_key(
    options: argparse.Namespace, addresses: Iterable[str], *, name: str = "beneficiary key"
) -> tuple[Path, str]:
    """File and PEM text of the key that the options name, or of the first address that has one.

    ``addresses`` holds one at least; the later ones are only asked for if needed.
    """
    given = options.beneficiary_keystoredir
    folder = FOLDER if given is None else Path(given)
    if not folder.is_dir():
        raise ConfigurationError(
            "Beneficiary secrets folder is missing did you forget to run "
            f'"iexec-lite result generate-encryption-keypair"? (no folder {folder})'
        )
    if options.beneficiary_key_file is not None:
        path = folder / options.beneficiary_key_file
    else:
        path = _existing(folder / key_name(address) for address in addresses)
    try:
        return path, files.read_text(path, max_bytes=MAX_KEY)
    except IExecError as error:
        raise ConfigurationError(
            f'Failed to load {name} from "{path}": {error.message}', cause=error
        ) from error


def _existing(paths: Iterator[Path]) -> Path:
    """The first that is there; if none is, the first."""
    first = next(paths)
    return next((path for path in chain([first], paths) if path.exists()), first)
