"""Wallet files: where they lie, which one is meant, how they open and are written.

services.md §7, cli.md §3. Selection: ``--wallet-file``, ``--wallet-address``, ``./wallet.json``,
the newest keystore file; but an explicit ``--keystoredir`` other than ``local`` beats
``./wallet.json`` (cli.md B14). Files are created 0600, folders 0700 (B16); a folder that exists
keeps its permissions. No message holds a password or a key.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, IExecError, KeystoreError, ValidationError
from ..frozen import Frozen, field
from ..sdk import files
from . import output, prompts

if TYPE_CHECKING:
    from ..eth.crypto import PrivateKey
    from ..eth.eip712 import TypedData
    from ..eth.signer import KeySigner
    from ..eth.transaction import SignedTransaction, Transaction

__all__ = [
    "Created",
    "Place",
    "Wallet",
    "add_create_options",
    "add_load_options",
    "create",
    "find",
    "new_key",
    "parse_key",
    "plain_wallet",
    "prepare",
    "require",
    "to_show",
    "user",
]

PLAIN = "wallet.json"
MAX_WALLET = 64 * 1024  # bytes
GLOBAL_FOLDERS = {
    "linux": (".ethereum", "keystore"),
    "darwin": ("Library", "Ethereum", "keystore"),
    "win32": ("AppData", "Roaming", "Ethereum", "keystore"),
}
# UTC--<date>--<address>, and what other programs append to it or put in its place.
_NAME = re.compile(r"UTC--(\d{4}-\d\d-\d\dT[^/\\]*?)--([^/\\]+)\Z")
_KEY = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})\Z")


# -- options ----------------------------------------------------------------------------------


def add_create_options(parser: argparse.ArgumentParser) -> None:
    """``--password``, ``--password-file``, ``--unencrypted``, ``--keystoredir``."""
    _add_common(parser)
    parser.add_argument(
        "--unencrypted",
        action="store_true",
        help="write wallet.json with the key in clear (unsafe)",
    )


def add_load_options(parser: argparse.ArgumentParser) -> None:
    """``--password``, ``--password-file``, ``--keystoredir``, ``--wallet-file, -address``."""
    _add_common(parser)
    parser.add_argument("--wallet-file", metavar="NAME", help="file name in the keystore folder")
    parser.add_argument("--wallet-address", metavar="ADDRESS", help="the wallet with this address")


def _add_common(parser: argparse.ArgumentParser) -> None:
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--password", help="password (visible to other users: prefer a file)")
    ways.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from the first line of FILE, - for standard input",
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


class Place(Frozen, kw_only=False):
    """Where a new wallet goes: encrypted into ``folder``, or in clear without a password."""

    folder: Path
    password: str | None = field(repr=False)
    replace: bool = False


class Created(Frozen, kw_only=False):
    """A wallet file that was written; ``wallet`` is its content."""

    address: str
    file_name: str
    wallet: Mapping[str, object] = field(repr=False)

    @property
    def text(self) -> str:
        """What a person is told. Not the content: it may hold the key."""
        return (
            f"Your wallet address is {self.address}\nWallet saved in {self.file_name}\n"
            "You must backup your wallet file in a safe place!"
        )


def prepare(options: argparse.Namespace) -> Place:
    """Ask all that a new wallet file needs; the password last. Writes nothing but a folder.

    The file is encrypted unless ``--unencrypted`` is the only wish; an existing ``wallet.json`` is
    never replaced without a question or ``--force``.
    """
    protected = options.password is not None or options.password_file is not None
    if options.unencrypted and not protected:
        output.warn(
            "The key is stored in clear: whoever reads wallet.json owns the wallet", options
        )
        exists = os.path.lexists(PLAIN)
        prompts.replace(PLAIN, options)
        return Place(Path(), None, replace=exists)
    if options.unencrypted:
        output.warn("Option --unencrypted will be ingnored: a password was given", options)
    if options.password is not None:
        output.warn("Option --password may be unsafe: other users can see it", options)
    place = folder(options)
    if not place.is_dir():
        files.private_dir(place)
    if not os.access(place, os.W_OK):
        raise ConfigurationError(f"cannot write into the keystore folder {place}")
    text = prompts.password("Please choose a password for wallet encryption", options, new=True)
    return Place(place, text)


def create(key: PrivateKey, place: Place) -> Created:
    """Write a wallet file for a key. Takes half a second where it is encrypted."""
    from ..eth import keystore
    from ..eth.codec import checksum_address

    address = checksum_address(key.address)
    if place.password is None:
        wallet, name = plain_wallet(key), PLAIN
    else:
        wallet = keystore.encrypt(key, place.password)
        name = keystore.file_name(address, datetime.now(timezone.utc))
    path = place.folder / name
    text = json.dumps(wallet, indent=2)
    files.atomic_write(path, text, mode=files.PRIVATE, exist_ok=place.replace)
    return Created(address, str(path), wallet)


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


def parse_key(text: object) -> PrivateKey:
    """The key of 64 hex digits, with or without ``0x``. The error does not show what was given."""
    from ..eth.crypto import PrivateKey

    match = _KEY.match(text) if isinstance(text, str) else None
    if match is None:
        got = f"; got {len(text)} characters" if isinstance(text, str) else ""
        raise ValidationError(f"invalid private key: it has 64 hex digits, with or without 0x{got}")
    return PrivateKey(bytes.fromhex(match[1]))


# -- find and load ----------------------------------------------------------------------------


def find(options: argparse.Namespace) -> Wallet | None:
    """The wallet that the options mean; None where nothing names or offers one."""
    place = folder(options)
    if options.wallet_file is not None:
        path = place / options.wallet_file
        if not path.is_file():
            raise ConfigurationError(f"No wallet file {options.wallet_file} found in {place}")
        return Wallet(path, options)
    if options.wallet_address is not None:
        return Wallet(_by_address(place, options.wallet_address), options)
    if options.keystoredir in (None, "local") and Path(PLAIN).is_file():
        return Wallet(Path(PLAIN), options, plain=True)
    newest = max(_keystore_files(place), default=None)
    return None if newest is None else Wallet(newest[-1], options)


def require(options: argparse.Namespace) -> Wallet:
    """The wallet that the options mean, or ConfigurationError with the V6 texts."""
    wallet = find(options)
    if wallet is not None:
        return wallet
    place = folder(options)
    if not place.is_dir():
        raise _missing_folder(place)
    raise ConfigurationError(
        "Missing option --wallet-address <walletAddress> or --wallet-file <walletFileName> "
        f"and no wallet.json found in working directory (keystore folder: {place})"
    )


def user(options: argparse.Namespace) -> str:
    """Whose something is: the address of ``--user``, else that of the wallet."""
    if options.user is not None:
        return str(options.user)
    wallet = find(options)
    if wallet is None:
        raise ConfigurationError("Missing option --user <address> or wallet")
    return wallet.address


def to_show(options: argparse.Namespace) -> Wallet:
    """As :func:`require`, in the words of V6's commands that show what is of an address."""
    try:
        return require(options)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"Failed to load wallet address from keystore: Wallet file not found ({error.message})",
            cause=error,
        ) from error


def _keystore_files(place: Path) -> list[tuple[str, str, Path]]:
    """Date, what follows it, and path of each keystore file; the newest is the greatest."""
    if not place.is_dir():
        return []
    named = ((_NAME.match(path.name), path) for path in place.iterdir())
    return [(match[1], match[2], path) for match, path in named if match and path.is_file()]


def _by_address(place: Path, address: str) -> Path:
    from ..eth.codec import address_to_bytes

    digits = address_to_bytes(address, name="--wallet-address").hex()
    if not place.is_dir():
        raise _missing_folder(place)
    matching = [found for found in _keystore_files(place) if found[1].lower().endswith(digits)]
    if not matching:
        raise ConfigurationError(f"No wallet file matching address {address} found in {place}")
    return max(matching)[-1]


def _missing_folder(place: Path) -> ConfigurationError:
    return ConfigurationError(
        f'Missing keystore directory {place}, did you forget to run "iexec-lite wallet create" ?'
    )


class Wallet:
    """A wallet file as a signer: its address at once, its key when a signature needs it.

    So every check that needs no password comes before the question for it. ``failure`` is the
    error of an attempt to unlock that failed: asking again would not help.
    """

    def __init__(self, path: Path, options: argparse.Namespace, *, plain: bool = False) -> None:
        from ..eth import keystore

        self.path = path
        self.failure: IExecError | None = None
        self._options = options
        self._question: tuple[str, Mapping[str, object] | None] | None = None
        self._signer: KeySigner | None = None
        self._plain = plain
        self._key: PrivateKey | None = None
        self._document = _read(path)
        try:
            self._address = keystore.address_of(self._document)
        except KeystoreError as error:
            raise KeystoreError(f"{path}: {error.message}", cause=error) from error
        if not plain and "crypto" not in {key.lower() for key in self._document}:
            raise KeystoreError(f"{path} is not an encrypted wallet: invalid JSON wallet")

    @property
    def address(self) -> str:
        """EIP-55 address: the one the file names, else that of the key."""
        return self._address or self.signer.address

    @property
    def signer(self) -> KeySigner:
        """Who signs with the key; asks for the password where the file is encrypted."""
        if self._signer is None:
            try:
                self._signer = self._unlock()
            except IExecError as error:
                self.failure = error
                raise
        return self._signer

    @property
    def key(self) -> PrivateKey:
        """The key itself, to show it."""
        self.signer  # noqa: B018  # which unlocks
        assert self._key is not None  # noqa: S101
        return self._key

    def ask(self, question: str, about: Mapping[str, object] | None = None) -> None:
        """Have the person agree before the first signature; see :func:`.prompts.agree`.

        That is after every check of what is signed and before the password. What is only resumed
        is not signed again, so nobody is asked again.
        """
        self._question = question, about

    def _agreed(self) -> KeySigner:
        if self._question is not None:
            question, about = self._question
            prompts.agree(question, self._options, about=about)
            self._question = None
        return self.signer

    def _unlock(self) -> KeySigner:
        from ..eth import keystore
        from ..eth.signer import KeySigner

        if self._plain:
            self._key = parse_key(self._document.get("privateKey"))
        else:
            use = f"Using wallet {self.path.name}\nPlease enter your password to unlock your wallet"
            self._key = keystore.decrypt(self._document, prompts.password(use, self._options))
        signer = KeySigner(self._key)
        if self._address not in (None, signer.address):
            raise KeystoreError(
                f"address mismatch: {self.path} names {self._address}, "
                f"but its key is that of {signer.address}"
            )
        return signer

    def sign_message(self, message: bytes) -> bytes:
        """As :class:`~iexec_lite.KeySigner`."""
        return self._agreed().sign_message(message)

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        """As :class:`~iexec_lite.KeySigner`."""
        return self._agreed().sign_typed_data(typed_data)

    def sign_transaction(self, transaction: Transaction) -> SignedTransaction:
        """As :class:`~iexec_lite.KeySigner`."""
        return self._agreed().sign_transaction(transaction)


def _read(path: Path) -> dict[str, object]:
    """The JSON object of a wallet file. Errors do not quote it."""
    from ..eth.codec import load_json

    text = files.read_text(path, max_bytes=MAX_WALLET, secret=True)
    try:
        document = load_json(text)
    except ValueError:
        raise KeystoreError(f"{path} is not a wallet: not JSON") from None
    if not isinstance(document, dict):
        raise KeystoreError(f"{path} is not a wallet: not a JSON object")
    return document
