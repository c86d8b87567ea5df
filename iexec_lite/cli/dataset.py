"""``iexec-lite dataset``: what is common to assets (``assets.py``), and encryption (cli.md §8.7).

Each file gets a key of its own. ``encrypt`` asks and checks before it writes anything; then each
file is done for itself, in constant memory: its encrypted form takes its name only once its key is
safe on the disk.
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigurationError, IExecError, StateError
from ..sdk import files
from . import assets, bulk, flags, output, project, prompts, wallets
from .parser import Group
from .progress import Progress

__all__ = ["register"]

FOLDERS = {  # option → folder by default, and its use
    "--dataset-keystoredir": (".secrets/datasets", "folder of the keys"),
    "--original-dataset-dir": ("datasets/original", "folder of the files to encrypt"),
    "--encrypted-dataset-dir": ("datasets/encrypted", "folder of the encrypted files"),
}
LAST_KEY = "dataset.key"  # a copy of the key made last, which push-secret takes
MAX_SECRET_FILE = 64 * 1024  # bytes; the library tells its limit, of less


class Folders(NamedTuple):
    """The three folders of encryption, absolute."""

    keys: Path
    original: Path
    encrypted: Path


def register(group: Group) -> None:
    """The commands of the group."""
    init = assets.add_commands(group, init_dataset)
    for option in ("--encrypted", "--tee"):
        init.add_argument(
            option, action="store_true", help="with the folders that dataset encrypt needs"
        )
    flags.add_chain(init)
    encrypting = group.command(
        "encrypt",
        encrypt,
        "encrypt files, each with a new key",
        example="dataset encrypt",
    )
    flags.add_force(encrypting)
    for parser in (init, encrypting):
        for option, (folder, meaning) in FOLDERS.items():
            parser.add_argument(option, metavar="DIR", help=f"{meaning} (default: {folder})")

    pushing = group.command(
        "push-secret",
        push_secret,
        "give the key of an encrypted dataset to the SMS, once and for all",
        arguments="[ADDRESS]",
        example="dataset push-secret",
    )
    pushing.add_argument(
        "--secret-path", metavar="FILE", help=f"its key (default: that in {_default_key()})"
    )
    checking = group.command(
        "check-secret",
        check_secret,
        "whether the SMS has the key of a dataset",
        arguments="[ADDRESS]",
        example="dataset check-secret",
    )
    for parser in (pushing, checking):
        assets.add_address(parser, "dataset")
        wallets.add_load_options(parser)
        flags.add_node(parser)
    bulk.register(group)


def _default_key() -> str:
    return f"{FOLDERS['--dataset-keystoredir'][0]}/{LAST_KEY}"


# -- init and encrypt -------------------------------------------------------------------------


def init_dataset(options: argparse.Namespace) -> output.Result:
    """The template of a dataset; where it is to be encrypted also the folders for that."""
    from ..protocol import templates

    dapps = project.selected_chain(options).chain.rules.templates.dapps
    result = assets.write_template("dataset", templates.DATASET, options, dapps=dapps)
    if options.encrypted or options.tee:
        folders = _folders(options)
        if not folders.keys.is_dir():  # one that is there keeps its permissions
            files.private_dir(folders.keys)
        for folder in (folders.original, folders.encrypted):
            folder.mkdir(parents=True, exist_ok=True)
        output.info(f"Put the files to encrypt into {folders.original}", options)
    return result


def _folders(options: argparse.Namespace) -> Folders:
    given = (getattr(options, option[2:].replace("-", "_")) for option in FOLDERS)
    pairs = zip(given, FOLDERS.values(), strict=True)
    folders = Folders(*(Path(name or default).absolute() for name, (default, _) in pairs))
    if len({os.path.realpath(folder) for folder in folders}) < len(folders):
        raise ConfigurationError(
            "keys, original and encrypted datasets must be in different folders"
        )
    return folders


def encrypt(options: argparse.Namespace) -> output.Result:
    """Encrypt every file of the input folder; one that fails keeps no other from being done."""
    folders = _folders(options)
    if not all(folder.is_dir() for folder in folders):
        raise ConfigurationError(
            "Folders for dataset encryption are missing, did you forget to run "
            '"iexec-lite dataset init --encrypted"?'
        )
    names = _names(folders, options)
    _ask_to_replace(names, folders, options)
    done, failures = {}, []
    for name in names:
        try:
            done[name] = _encrypt(name, folders, options)
        except (IExecError, OSError) as error:
            why = error.message if isinstance(error, IExecError) else error.strerror
            failures.append(f"{name}: {why}")
        else:
            output.info(f"Encrypted {name}, its checksum is {done[name]['checksum']}", options)
    payload = {
        "encryptedDatasetFolderPath": str(folders.encrypted),
        "secretPath": str(folders.keys),
        "encryptedFiles": list(done.values()),
    }
    return output.Result(
        payload=payload,
        text=_advice(done) if done else "",
        failures=failures,
        title="Failed to encrypt",
    )


def _names(folders: Folders, options: argparse.Namespace) -> list[str]:
    """The files to encrypt. What is no single file is left out, which is told."""
    names = []
    for entry in os.scandir(folders.original):
        if entry.is_file(follow_symlinks=False):
            names.append(entry.name)
        else:
            output.warn(f"Datasets must be single file, skipping {entry.name}", options)
    if not names:
        raise ConfigurationError(f'Input folder "{folders.original}" is empty, nothing to encrypt')
    # One called "dataset" comes last: its own key file is the one that always holds the last key.
    return sorted(names, key=lambda name: (f"{name}.key" == LAST_KEY, name))


def _ask_to_replace(names: list[str], folders: Folders, options: argparse.Namespace) -> None:
    """Every question before anything is written; ``dataset.key`` of this run is none (B8)."""
    keys = [folders.keys / name for name in sorted({f"{name}.key" for name in names} | {LAST_KEY})]
    encrypted = [folders.encrypted / f"{name}.enc" for name in names]
    for path in keys + encrypted:
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder: a file is to be written there")
        prompts.replace(path, options)


def _encrypt(name: str, folders: Folders, options: argparse.Namespace) -> dict[str, str]:
    """Encrypt one file; what is told of it with ``--raw``."""
    from ..protocol import cipher

    original, encrypted = folders.original / name, folders.encrypted / f"{name}.enc"
    key, part = cipher.generate_encryption_key(), folders.encrypted / f".{os.urandom(8).hex()}.part"
    try:
        with Progress(options) as progress, _Watched(original, progress) as source:
            checksum = cipher.encrypt_dataset_stream(source, part, key)
        files.atomic_write(folders.keys / f"{name}.key", key, mode=files.PRIVATE)
        os.replace(part, encrypted)
        files.atomic_write(folders.keys / LAST_KEY, key, mode=files.PRIVATE)
    finally:
        part.unlink(missing_ok=True)
    return {
        "original": str(original),
        "encrypted": str(encrypted),
        "key": str(folders.keys / f"{name}.key"),
        "checksum": checksum,
    }


class _Watched(io.FileIO):
    """A file to read from, which tells how much of it was read."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path)
        self._label = f"Encrypting {path.name}"
        self._size, self._done = os.fstat(self.fileno()).st_size, 0
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file; counts."""
        data = super().read(size)
        self._done += len(data)
        if data:
            self._progress.amount(self._label, self._done, self._size)
        return data


def _advice(done: dict[str, dict[str, str]]) -> str:
    """What was made, and what to do with it."""
    shown = {
        name: {part: made[part] for part in ("encrypted", "key", "checksum")}
        for name, made in done.items()
    }
    lines = [
        output.render(shown),
        "",
        "Make a backup of the keys: without them nobody can read the encrypted files.",
        "Next, for each dataset:",
        "  1. put the encrypted file where workers can fetch it, for example on IPFS",
        '  2. write its address as "multiaddr" and the checksum as "checksum" into the "dataset"',
        "     of iexec.json, then: iexec-lite dataset deploy",
        "  3. give its key to the workers: iexec-lite dataset push-secret",
    ]
    if len(done) > 1:
        last = next(reversed(done))
        lines.append(f"     (the key of {last}; of another with --secret-path FILE)")
    return "\n".join(lines)


# -- secrets ----------------------------------------------------------------------------------


def push_secret(options: argparse.Namespace) -> output.Result:
    """Let the workers' enclaves have the key of a dataset, as its owner."""
    selection = project.selected_chain(options)
    selection.require("sms")
    address = assets.address_of("dataset", selection, options.address, options)
    path = options.secret_path
    if path is None:
        path = _default_key()
        output.info(f"No --secret-path <path> option, using default {path}", options)
    if not os.path.exists(path):
        raise ConfigurationError(
            f'No secret file {path}: give --secret-path FILE, or run "iexec-lite dataset encrypt"'
        )
    secret = files.read_text(path, max_bytes=MAX_SECRET_FILE, secret=True).strip()
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        if client.dataset.check_dataset_secret_exists(address):  # before a password is asked for
            raise StateError(f"Secret already exists for {address} and can't be updated")
        client.dataset.push_dataset_secret(address, secret)
    return output.Result(text=f"Secret successfully pushed for dataset {address}")


def check_secret(options: argparse.Namespace) -> output.Result:
    """Whether the SMS has the key of a dataset; needs no wallet."""
    selection = project.selected_chain(options)
    selection.require("sms")
    address = assets.address_of("dataset", selection, options.address, options)
    with project.connect(selection, options) as client:
        known = client.dataset.check_dataset_secret_exists(address)
    said = f"{'Secret' if known else 'No secret'} found for dataset {address}"
    return output.Result(payload={"isSecretSet": known}, text=said)
