"""Keys that open encrypted results: ``.secrets/beneficiary/<address>_key`` (cli.md §4, §8.11)."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigurationError, ValidationError
from ..sdk import files
from . import wallets

__all__ = ["add_folder_option", "add_key_option", "folder", "key_names", "load_key"]

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
        help="key file in that folder (default: the one of your wallet)",
    )


def folder(options: argparse.Namespace) -> Path:
    """Absolute path of the folder that is meant; it need not exist."""
    return Path.cwd() / (getattr(options, "beneficiary_keystoredir", None) or FOLDER)


def key_names(address: str) -> tuple[str, str]:
    """File names of the private and the public key of an address."""
    return f"{address}_key", f"{address}_key.pub"


def load_key(options: argparse.Namespace, what: str = "beneficiary encryption key") -> str:
    """The private key that the options mean, PEM; ``what`` it is called in errors."""
    place = folder(options)
    if not place.is_dir():
        raise ConfigurationError(
            "Beneficiary secrets folder is missing did you forget to run "
            f'"iexec-lite result generate-encryption-keypair"? ({place})'
        )
    name = options.beneficiary_key_file or key_names(wallets.require(options).address)[0]
    path = place / name
    try:
        return files.read_text(path, max_bytes=MAX_KEY)
    except ValidationError as error:
        raise ConfigurationError(
            f'Failed to load {what} from "{path}": {error.message}', cause=error
        ) from error
