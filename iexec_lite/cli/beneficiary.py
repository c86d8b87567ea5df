"""The keys that results are decrypted with, in the project's secrets (cli.md §4, §8.10, §8.11)."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from ..errors import ConfigurationError, IExecError
from ..sdk import files

__all__ = ["add_folder_option", "add_key_option", "folder", "key_names", "read_key"]

FOLDER = Path(".secrets", "beneficiary")
MAX_KEY = 64 * 1024  # bytes


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """``--beneficiary-keystoredir``."""
    parser.add_argument(
        "--beneficiary-keystoredir",
        metavar="DIR",
        help=f"folder of the encryption keys (default: {FOLDER.as_posix()})",
    )


def add_key_option(parser: argparse.ArgumentParser) -> None:
    """``--beneficiary-key-file``."""
    parser.add_argument(
        "--beneficiary-key-file",
        metavar="NAME",
        help="the key's file in that folder (default: ADDRESS_key)",
    )


def folder(options: argparse.Namespace) -> Path:
    """Absolute path of the folder that is meant; it need not exist."""
    return Path.cwd() / (getattr(options, "beneficiary_keystoredir", None) or FOLDER)


def key_names(address: str) -> tuple[str, str]:
    """File names of the private and the public key of an address."""
    return f"{address}_key", f"{address}_key.pub"


def read_key(
    options: argparse.Namespace, addresses: Iterable[str], *, name: str = "beneficiary key"
) -> tuple[Path, str]:
    """File and PEM text of the key that the options name, or of the first address that has one.

    ``addresses`` holds one at least; the later ones are only asked for if needed.
    """
    place = folder(options)
    if not place.is_dir():
        raise ConfigurationError(
            "Beneficiary secrets folder is missing did you forget to run "
            f'"iexec-lite result generate-encryption-keypair"? (no folder {place})'
        )
    if options.beneficiary_key_file is not None:
        path = place / options.beneficiary_key_file
    else:
        path = _existing(place / key_names(address)[0] for address in addresses)
    try:
        return path, files.read_text(path, max_bytes=MAX_KEY, secret=True)
    except IExecError as error:
        raise ConfigurationError(
            f'Failed to load {name} from "{path}": {error.message}', cause=error
        ) from error


def _existing(paths: Iterator[Path]) -> Path:
    """The first that is there; if none is, the first."""
    first = next(paths)
    return next((path for path in chain([first], paths) if path.exists()), first)
