"""Wallet files: where they lie, which one is meant, how they open and are written.

services.md §7, cli.md §3. Selection: ``--wallet-file``, ``--wallet-address``, ``./wallet.json``,
the newest keystore file; but an explicit ``--keystoredir`` other than ``local`` beats
``./wallet.json`` (cli.md B14). Files are created 0600 in a 0700 folder (B16).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, KeystoreError
from ..eth.codec import load_json
from ..sdk import files
from . import output, prompts

if TYPE_CHECKING:
    from ..eth.crypto import PrivateKey
    from ..eth.signer import KeySigner

__all__ = [
    "Created",
    "add_create_options",
    "add_load_options",
    "create",
    "find",
    "load_address",
    "load_key",
    "load_signer",
    "new_key",
    "plain_wallet",
]

PLAIN = "wallet.json"
MAX_WALLET = 64 * 1024
GLOBAL_FOLDERS = {
    "linux": (".ethereum", "keystore"),
    "darwin": ("Library", "Ethereum", "keystore"),
    "win32": ("AppData", "Roaming", "Ethereum", "keystore"),
}


def add_create_options(parser: argparse.ArgumentParser) -> None:
    """``--password``, ``--password-file``, ``--unencrypted``, ``--keystoredir``."""
    _add_common(parser)
    parser.add_argument(
        "--unencrypted",
        action="store_true",
        help="write wallet.json with the key in clear (unsafe)",
    )


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """``--password``, ``--wallet-file``, ``--wallet-address``, ``--keystoredir``."""
    _add_common(parser)
    parser.add_argument("--wallet-file", metavar="NAME", help="file name in the keystore folder")
    parser.add_argument("--wallet-address", metavar="ADDRESS", help="the wallet with this address")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password", help="password (visible to other users: prefer a file)")
    parser.add_argument(
        "--password-file", metavar="FILE", help="read the password from FILE, - for standard input"
    )
    parser.add_argument(
        "--keystoredir",
        metavar="DIR",
        help="global (the system's keystore, default), local (this folder) or a path",
    )


def folder(options: argparse.Namespace) -> Path:
    """The keystore folder that is meant; it need not exist."""
    name = options.keystoredir
    if name in (None, "global"):
        return Path.home().joinpath(*GLOBAL_FOLDERS.get(sys.platform, ()))
    return Path() if name == "local" else Path(name)


# -- create -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Created:
    """A wallet file that was written; ``wallet`` is its content."""

    address: str
    file_name: str
    wallet: Mapping[str, object]


def create(key: PrivateKey, options: argparse.Namespace) -> Created:
    """Write a wallet file for a key, encrypted unless ``--unencrypted`` alone was given.

    The password is asked for before anything is written; an existing file is never replaced
    without a question.
    """
    from ..eth import keystore
    from ..eth.codec import checksum_address

    address = checksum_address(key.address)
    protected = options.password is not None or options.password_file is not None
    if options.unencrypted and not protected:
        return _create_plain(key, address, options)
    if options.unencrypted:
        output.warn("Option --unencrypted is ignored: a password was given")
    if options.password is not None:
        output.warn("Option --password may be unsafe: other users can see it")
    text = prompts.password("Please choose a password for wallet encryption", options, twice=True)
    wallet = keystore.encrypt(key, text)
    name = keystore.file_name(address, datetime.now(timezone.utc))
    place = folder(options)
    if options.keystoredir != "local":
        files.private_dir(place)
    path = place / name
    files.create_private(path, json.dumps(wallet, indent=2))
    return Created(address, str(path), wallet)


def _create_plain(key: PrivateKey, address: str, options: argparse.Namespace) -> Created:
    output.warn("The key is stored in clear: whoever reads wallet.json owns the wallet")
    wallet = plain_wallet(key)
    path = Path(PLAIN)
    if path.exists() and not prompts.confirm(
        f'"{PLAIN}" already exists, replace it with new one?', options
    ):
        raise ConfigurationError(f"{PLAIN} was kept, no wallet was created")
    files.atomic_write(path, json.dumps(wallet, indent=2), mode=files.PRIVATE)
    return Created(address, PLAIN, wallet)


def plain_wallet(key: PrivateKey) -> dict[str, object]:
    """The content of an unencrypted wallet file (services.md §7.3)."""
    from ..eth.codec import checksum_address

    return {
        "privateKey": "0x" + key.secret.hex(),
        "publicKey": "0x04" + key.public_key.hex(),
        "address": checksum_address(key.address),
    }


def new_key() -> PrivateKey:
    """A random key."""
    from ..eth.crypto import PrivateKey, random_bytes

    return PrivateKey(random_bytes(32))


# -- find and load ----------------------------------------------------------------------------


def find(options: argparse.Namespace) -> Path | None:
    """The wallet file that the options mean; None where nothing names or offers one."""
    place = folder(options)
    if options.wallet_file is not None:
        path = place / options.wallet_file
        if not path.is_file():
            raise ConfigurationError(f"No wallet file {options.wallet_file} in {place}")
        return path
    if options.wallet_address is not None:
        return _by_address(place, options.wallet_address)
    plain = Path(PLAIN)
    if options.keystoredir in (None, "global", "local") and plain.is_file():
        return plain
    newest: Path | None = max(_keystore_files(place), key=_date, default=None)
    return newest


def _keystore_files(place: Path) -> list[Path]:
    return [path for path in place.glob("UTC--*--*") if path.is_file()] if place.is_dir() else []


def _date(path: Path) -> str:
    return path.name.split("--")[1]


def _by_address(place: Path, address: str) -> Path:
    from ..eth.codec import address_to_bytes

    if not place.is_dir():
        raise ConfigurationError(
            f"Missing keystore directory {place}, did you forget to run "
            '"iexec-lite wallet create" ?'
        )
    digits = address_to_bytes(address, name="--wallet-address").hex()
    matching = [path for path in _keystore_files(place) if path.name.lower().endswith(digits)]
    if not matching:
        raise ConfigurationError(f"No wallet file matching address {address} found in {place}")
    return max(matching, key=_date)


def load_address(options: argparse.Namespace) -> str | None:
    """The address of the wallet, without a password; None where there is no wallet."""
    from ..eth import keystore

    path = find(options)
    if path is None:
        return None
    return keystore.address_of(files.read_text(path, max_bytes=MAX_WALLET))


def load_signer(options: argparse.Namespace) -> KeySigner:
    """Who signs with the wallet; asks for the password where the file is encrypted."""
    from ..eth.signer import KeySigner

    return KeySigner.from_key(load_key(options).secret)


def load_key(options: argparse.Namespace) -> PrivateKey:
    """The key of the wallet; asks for the password where the file is encrypted."""
    from ..eth import keystore
    from ..eth.codec import from_hex
    from ..eth.crypto import PrivateKey

    path = find(options)
    if path is None:
        raise ConfigurationError(
            "Missing option --wallet-address <walletAddress> or --wallet-file <walletFileName> "
            f"and no wallet.json found in working directory (keystore folder: {folder(options)}); "
            '"iexec-lite wallet create" makes one'
        )
    text = files.read_text(path, max_bytes=MAX_WALLET)
    try:
        document = load_json(text)
    except ValueError as error:
        raise KeystoreError(f"{path} is not a wallet: not JSON", cause=error) from error
    if not isinstance(document, dict):
        raise KeystoreError(f"{path} is not a wallet: not a JSON object")
    if "privateKey" in document and options.wallet_file is None:
        return PrivateKey(from_hex(document["privateKey"], length=32, name="privateKey"))
    secret = prompts.password(
        f"Using wallet {path.name}\nPlease enter your password to unlock your wallet", options
    )
    return keystore.decrypt(document, secret)
