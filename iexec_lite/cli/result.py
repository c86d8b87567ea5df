"""``iexec-lite result``: encryption keys, and decryption of results (cli.md §8.11)."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigurationError, StateError
from ..sdk import files
from . import beneficiary, flags, output, project, prompts, wallets
from .parser import Group

__all__ = ["register"]

ENCRYPTED, DECRYPTED = "encryptedResults.zip", "results.zip"


def register(group: Group) -> None:
    """The commands of the group."""
    generate = group.command(
        "generate-encryption-keypair",
        generate_keys,
        "new keys for results that only you can read",
        example="result generate-encryption-keypair",
        aliases=["generate-keys"],
    )
    beneficiary.add_folder_option(generate)
    flags.add_ignored_chain(generate)
    flags.add_force(generate)

    push = group.command(
        "push-encryption-key",
        push_key,
        "have your results encrypted with your public key",
        example="result push-encryption-key",
        aliases=["push-secret"],
    )
    push.add_argument(
        *("--secret-path", "--secret-file"),
        dest="secret_path",
        nargs="?",
        metavar="FILE",
        help="file of the public key (default: the generated one)",
    )
    push.add_argument("--force-update", action="store_true", help="replace a key that is set")
    flags.add_node(push)

    check = group.command(
        "check-encryption-key",
        check_key,
        "whether results for an address can be encrypted",
        arguments="[ADDRESS]",
        example="result check-encryption-key",
        aliases=["check-secret"],
    )
    check.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="any address (default: your wallet)"
    )
    flags.add_node(check)

    decrypt = group.command(
        "decrypt",
        decrypt_results,
        "open an encrypted result",
        arguments="[ENCRYPTED_RESULTS]",
        example="result decrypt encryptedResults.zip --decrypted-results-path results.zip",
    )
    decrypt.add_argument(
        "encrypted_results",
        nargs="?",
        default=ENCRYPTED,
        metavar="ENCRYPTED_RESULTS",
        help=f"the archive (default: {ENCRYPTED})",
    )
    decrypt.add_argument(
        "--decrypted-results-path",
        default=DECRYPTED,
        metavar="FILE",
        help=f"where the result goes (default: {DECRYPTED})",
    )
    beneficiary.add_folder_option(decrypt)
    beneficiary.add_key_option(decrypt)
    flags.add_ignored_chain(decrypt)
    flags.add_force(decrypt)
    for parser in (generate, push, check, decrypt):
        wallets.add_load_options(parser)


# -- keys -------------------------------------------------------------------------------------


def generate_keys(options: argparse.Namespace) -> output.Result:
    """A new key pair of the wallet's address, in two files; no password is needed."""
    from ..eth.crypto import rsa_generate

    address = wallets.require(options).address
    place = beneficiary.folder(options)
    names = beneficiary.key_names(address)
    private, public = (place / name for name in names)
    if os.path.lexists(private) and not options.force:
        output.warn(
            f"Results that were encrypted for {private.name} cannot be read without it", options
        )
        prompts.replace(private, options)
    if not place.is_dir():
        files.private_dir(place)
    output.info(f"Generating an encryption key pair for {address}, this takes seconds", options)
    keys = rsa_generate()
    for path, key in zip((private, public), keys, strict=True):
        files.atomic_write(path, key, mode=files.PRIVATE)
    text = (
        f"Encryption keys of {address} saved in {place}\n"
        f"{output.render({'private key': names[0], 'public key': names[1]})}\n"
        "Keep a copy of both: without the private key nobody can read your results\n"
        "Have results encrypted with: iexec-lite result push-encryption-key"
    )
    return output.Result(
        payload={
            "secretPath": str(place),
            "privateKeyFile": names[0],
            "publicKeyFile": names[1],
        },
        text=text,
    )


def push_key(options: argparse.Namespace) -> output.Result:
    """The public key of a file to the SMS; one that is set stays, unless ``--force-update``."""
    from ..sdk.secrets import RESULT_KEY

    wallet = wallets.require(options)
    address = wallet.address
    selection = project.selected_chain(options)
    selection.require("sms")
    key = _public_key(options, address)
    with project.connect(selection, options, wallet) as client:
        known = client.result.check_result_encryption_key_exists(address)
        if known and not options.force_update:
            raise StateError(
                f'Secret "{RESULT_KEY}" already exists for {address}: '
                "replace it with --force-update"
            )
        pushed = client.result.push_result_encryption_key(key, force_update=options.force_update)
    done = "updated" if pushed.is_updated else "pushed"
    return output.Result(
        payload=pushed.to_dict(),
        text=f"Encryption key of {address} {done} on chain {selection.chain.name}",
    )


def _public_key(options: argparse.Namespace, address: str) -> str:
    given = options.secret_path
    path = Path(given) if given else beneficiary.folder(options) / beneficiary.key_names(address)[1]
    if not given and not path.exists():
        raise ConfigurationError(
            f"No encryption key at {path}: did you forget to run "
            '"iexec-lite result generate-encryption-keypair"?'
        )
    return files.read_text(path, max_bytes=beneficiary.MAX_KEY)


def check_key(options: argparse.Namespace) -> output.Result:
    """Whether an address has an encryption key."""
    address = options.address
    if address is None:
        address = wallets.require(options).address
    selection = project.selected_chain(options)
    selection.require("sms")
    with project.connect(selection, options) as client:
        known = client.result.check_result_encryption_key_exists(address)
    text = f"{'Encryption' if known else 'No encryption'} key found for address {address}"
    return output.Result(payload={"isEncryptionKeySet": known}, text=text)


# -- results ----------------------------------------------------------------------------------


def decrypt_results(options: argparse.Namespace) -> output.Result:
    """The result inside an encrypted archive; off line, and without a password."""
    from ..utils import decrypt_result_file

    source = Path(options.encrypted_results)
    target = Path.cwd() / options.decrypted_results_path

    def own() -> Iterator[str]:
        yield wallets.require(options).address  # not needed where a key file is named

    _, key = beneficiary.read_key(options, own(), name="beneficiary encryption key")
    if not source.is_file():
        raise ConfigurationError(
            f'No encrypted results at "{source}": give the path of the archive'
        )
    if target.is_dir() or not target.parent.is_dir():
        raise ConfigurationError(f'"{target}" cannot be written: it is a folder, or in none')
    if target.exists() and target.samefile(source):
        raise ConfigurationError(f'"{target}" is the encrypted archive: give another file')
    if os.path.lexists(target):
        question = f"File {target} already exists, continue and replace?"
        prompts.agree(question, options, otherwise=f"{target} was kept")
    decrypt_result_file(source, target, key)
    return output.Result(
        payload={"resultsPath": str(target)}, text=f"Results successfully decrypted in {target}"
    )
