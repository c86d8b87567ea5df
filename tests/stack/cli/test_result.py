"""``result`` and ``storage``: keys, secrets in the SMS, and an encrypted result to its end."""

from __future__ import annotations

import base64
import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.eth.crypto import rsa_decrypt, rsa_encrypt, rsa_generate
from iexec_lite.protocol.archive import encrypt_result
from iexec_lite.sandbox import accounts
from iexec_lite.sdk.files import PRIVATE, atomic_write

from .machine import Machine

PEOPLE = accounts.addresses()
RESULT = b"PK the inner archive" * 1000
Client = Callable[[str], IExec]
Keys = tuple[str, str]


@pytest.fixture(scope="module")
def keys() -> Keys:
    """A private and a public key; shorter ones are faster."""
    return rsa_generate(2048)


def folder_of(project: Path) -> Path:
    return project / ".secrets" / "beneficiary"


def put_keys(project: Path, keys: Keys, name: str = "beneficiary") -> None:
    """As generated for a named account."""
    place = folder_of(project)
    place.mkdir(parents=True)
    for ending, key in zip(("_key", "_key.pub"), keys, strict=True):
        atomic_write(place / f"{PEOPLE[name]}{ending}", key, mode=PRIVATE)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def stored(machine: Machine, name: str, secret: str) -> str:
    """What the SMS keeps in its file."""
    file = Path(machine.env["IEXEC_LITE_HOME"], "sandbox", "services", "sms.sqlite")
    query = "SELECT value FROM secret WHERE name = ? AND lower(address) = ?"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        ((found,),) = connection.execute(query, (secret, PEOPLE[name].lower())).fetchall()
    return str(found)


# -- keys -------------------------------------------------------------------------------------


def test_generate(machine: Machine, project: Any, golden: Any) -> None:
    folder, me = project("requester"), PEOPLE["requester"]
    document = machine.raw("result", "generate-keys", "--chain", "sandbox", folder=folder)
    place = folder_of(folder)
    assert document == {
        "ok": True,
        "secretPath": str(place),
        "privateKeyFile": f"{me}_key",
        "publicKeyFile": f"{me}_key.pub",
    }
    private, public = place / f"{me}_key", place / f"{me}_key.pub"
    first = private.read_text("ascii"), public.read_text("ascii")
    # services.md §6.2: PKCS#8 and SPKI of 4096 bits, lines of 64 characters, a final line feed
    assert first[0].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert first[0].endswith("-----END PRIVATE KEY-----\n")
    assert first[1].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert (len(first[1]), {len(line) for line in first[1].splitlines()[1:-2]}) == (800, {64})
    assert rsa_decrypt(first[0], rsa_encrypt(first[1], b"x")) == b"x"
    if os.name == "posix":
        assert (mode(private), mode(public), mode(place)) == (0o600, 0o600, 0o700)
    words = ["result", "generate-encryption-keypair"]
    question = f'"{me}_key" already exists, replace it with new one?'
    message = machine.message(*words, folder=folder)
    assert message == f"{question} There is nobody to ask: --force says yes"
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer(f"? {question} (Y/n) ", "n")
        status, seen = terminal.end()
    assert (status, "Operation aborted by user." in seen) == (1, True)
    assert "cannot be read without it" in seen
    assert (private.read_text("ascii"), public.read_text("ascii")) == first
    words += ["--beneficiary-keystoredir", str(place), "--force"]
    golden("result-generate", machine.shown(*words, folder=folder))
    assert private.read_text("ascii") != first[0]
    assert public.read_text("ascii") != first[1]


def test_generate_elsewhere_and_for_nobody(machine: Machine, project: Any, tmp_path: Path) -> None:
    folder = project("requester")
    (folder / "file").write_text("")
    words = ["result", "generate-keys", "--beneficiary-keystoredir"]
    assert "file is not a folder" in machine.message(*words, "file", folder=folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    message = machine.message(*words, "keys", "--keystoredir", "local", folder=empty)
    assert message.startswith("Missing option --wallet-address <walletAddress> or --wallet-file")
    assert list(empty.iterdir()) == []


def test_push_and_check(machine: Machine, project: Any, golden: Any, keys: Keys) -> None:
    folder, me = project("worker-1"), PEOPLE["worker-1"]
    check, push = ["result", "check-encryption-key"], ["result", "push-encryption-key"]
    assert machine.raw(*check, folder=folder) == {"ok": True, "isEncryptionKeySet": False}
    golden("result-check-unset", machine.shown(*check, folder=folder))
    message = machine.message(*push, folder=folder)
    assert message.startswith(f"No encryption key at {folder_of(folder)}")
    assert 'did you forget to run "iexec-lite result generate-encryption-keypair"?' in message
    put_keys(folder, keys, "worker-1")
    assert machine.raw("result", "push-secret", folder=folder) == {
        "ok": True,
        "isPushed": True,
        "isUpdated": False,
    }
    name = "iexec-result-encryption-public-key"
    assert base64.b64decode(stored(machine, "worker-1", name)).decode() == keys[1]
    assert machine.message(*push, folder=folder) == (
        f'Secret "{name}" already exists for {me}: replace it with --force-update'
    )
    other = rsa_generate(2048)[1]
    (folder / "other.pub").write_text(other)
    words = ["--force-update", "--secret-path", "other.pub"]
    assert machine.raw(*push, *words, folder=folder)["isUpdated"] is True
    assert base64.b64decode(stored(machine, "worker-1", name)).decode() == other
    golden(
        "result-push",
        machine.shown(*push, "--force-update", "--secret-file", folder=folder),
    )
    assert base64.b64decode(stored(machine, "worker-1", name)).decode() == keys[1]
    words = ["result", "check-secret", me.lower(), "--chain", "sandbox"]
    document = machine.raw(*words, folder=folder.parent)
    assert document == {"ok": True, "isEncryptionKeySet": True}
    golden("result-check", machine.shown(*check, folder=folder))


def test_push_refused(machine: Machine, project: Any, keys: Keys) -> None:
    folder = project("worker-2")
    push = ["result", "push-encryption-key", "--secret-file"]
    assert "cannot read none.pub" in machine.message(*push, "none.pub", folder=folder)
    (folder / "private").write_text(keys[0])
    message = machine.message(*push, "private", folder=folder)
    assert "this is a private key, keep it to yourself" in message
    assert "PRIVATE KEY-----" not in message
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in machine.message(*push, "binary", folder=folder)
    check = ["result", "check-encryption-key"]
    assert "is not a valid ethereum address" in machine.message(*check, "0x12", folder=folder)
    chains = '{"default": "sandbox", "chains": {"sandbox": {"sms": ""}}}'
    (folder / "chain.json").write_text(chains)
    for words in (check, push, ["storage", "init"], ["storage", "check"]):
        message = machine.message(*words, folder=folder)
        assert message == f'Missing sms in "chain.json" for chain {machine.chain().id}'


def test_the_password_comes_after_the_checks(machine: Machine, project: Any, keys: Keys) -> None:
    folder = project("worker-3")
    put_keys(folder, keys, "worker-3")
    key = ["--private-key-file", "../worker-3.key", "--password", "hunter2", "--keystoredir", "ks"]
    machine.raw("wallet", "import", *key, folder=folder)
    words = ["result", "push-encryption-key", "--keystoredir", "ks"]
    assert "there is nobody to ask" in machine.message(*words, folder=folder)
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer("Please enter your password to unlock your wallet: ", "hunter2")
        assert terminal.end()[0] == 0
    message = machine.message(*words, folder=folder)  # no password, and none is missed
    assert "already exists for" in message
    storage = ["storage", "init", "--keystoredir", "ks"]
    assert machine.raw(*storage, "--password", "hunter2", folder=folder)["isUpdated"] is False
    assert "is already initialized" in machine.message(*storage, folder=folder)
    assert machine.raw("storage", "check", "--keystoredir", "ks", folder=folder)["ok"] is True


# -- results ----------------------------------------------------------------------------------


def test_decrypt(machine: Machine, project: Any, golden: Any, keys: Keys) -> None:
    folder = project("beneficiary")
    put_keys(folder, keys)
    (folder / "encryptedResults.zip").write_bytes(encrypt_result(RESULT, keys[1]))
    (folder / "new.zip").write_bytes(encrypt_result(b"other", keys[1], format="v9"))
    document = machine.raw("result", "decrypt", folder=folder)
    target = folder / "results.zip"
    assert document == {"ok": True, "resultsPath": str(target)}
    assert target.read_bytes() == RESULT
    assert os.name != "posix" or mode(target) == 0o600
    # Never over what is there without a word.
    words = ["result", "decrypt", "new.zip"]
    question = f"File {target} already exists, continue and replace?"
    message = machine.message(*words, folder=folder)
    assert message == f"{question} There is nobody to ask: --force says yes"
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer(f"? {question} (Y/n) ", "no")
        status, seen = terminal.end()
    assert (status, "Operation aborted by user." in seen) == (1, True)
    assert target.read_bytes() == RESULT
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer(f"? {question} (Y/n) ", "y")
        assert terminal.end()[0] == 0
    assert target.read_bytes() == b"other"
    shown = machine.shown("result", "decrypt", "--force", "--chain", "sandbox", folder=folder)
    golden("result-decrypt", shown)
    assert target.read_bytes() == RESULT
    (folder / "keys").mkdir()
    (folder / "keys" / "mine").write_text(keys[0])
    (folder / "wallet.json").unlink()  # nor is a wallet needed where the key is named
    place = ["--beneficiary-keystoredir", "keys", "--beneficiary-key-file", "mine"]
    words = [*words, *place, "--decrypted-results-path", "out/r.zip"]
    message = machine.message(*words, folder=folder)
    assert message == f'"{folder / "out" / "r.zip"}" cannot be written: it is a folder, or in none'
    (folder / "out").mkdir()
    assert machine.raw(*words, folder=folder)["resultsPath"] == str(folder / "out" / "r.zip")
    assert (folder / "out" / "r.zip").read_bytes() == b"other"


def test_decrypt_refused(machine: Machine, project: Any, keys: Keys) -> None:
    folder = project("beneficiary")
    words = ["result", "decrypt"]
    message = machine.message(*words, folder=folder)
    assert message.startswith(
        "Beneficiary secrets folder is missing did you forget to run "
        '"iexec-lite result generate-encryption-keypair"?'
    )
    folder_of(folder).mkdir(parents=True)
    path = folder_of(folder) / f"{PEOPLE['beneficiary']}_key"
    message = machine.message(*words, folder=folder)
    assert message.startswith(f'Failed to load beneficiary encryption key from "{path}"')
    message = machine.message(*words, "--beneficiary-key-file", "none", folder=folder)
    assert f'from "{folder_of(folder) / "none"}"' in message
    path.write_text(keys[0])
    message = machine.message(*words, folder=folder)
    assert message.startswith('No encrypted results at "encryptedResults.zip"')
    archive = folder / "encryptedResults.zip"
    archive.write_bytes(b"no zip")
    target = folder / "results.zip"
    target.write_bytes(b"kept")
    for content, why in (
        (b"no zip", "Failed to load encrypted results zip file"),
        (encrypt_result(RESULT, rsa_generate(2048)[1]), "Failed to decrypt results"),
    ):
        archive.write_bytes(content)
        error = machine.failure(*words, "--force", folder=folder)["error"]
        assert (error["name"], error["message"][: len(why)]) == ("DecryptionError", why)
        assert target.read_bytes() == b"kept"
    words += ["--force", "--decrypted-results-path"]
    same = machine.message(*words, "encryptedResults.zip", folder=folder)
    assert same.endswith("is the encrypted archive: give another file")
    assert "it is a folder" in machine.message(*words, ".", folder=folder)
    assert sorted(path.name for path in folder.glob("*.part")) == []


# -- storage ----------------------------------------------------------------------------------


def test_default_storage(machine: Machine, client: Client, project: Any, golden: Any) -> None:
    folder, me = project("app-provider"), PEOPLE["app-provider"]
    check, init = ["storage", "check"], ["storage", "init"]
    no = {"ok": True, "isInitialized": False, "isInitilized": False}
    yes = {"ok": True, "isInitialized": True, "isInitilized": True}
    assert machine.raw(*check, folder=folder) == no
    golden("storage-check-unset", machine.shown(*check, folder=folder))
    done = machine.raw(*init, folder=folder)
    assert done == {**yes, "isUpdated": False}
    assert list(done) == ["ok", "isInitialized", "isInitilized", "isUpdated"]
    token = client("app-provider").storage.default_storage_login()
    assert stored(machine, "app-provider", "iexec-result-iexec-ipfs-token") == token
    assert machine.message(*init, folder=folder) == (
        "default storage is already initialized, use --force-update option to update your storage "
        "token"
    )
    assert machine.message(*init, "ipfs", folder=folder).startswith("ipfs storage is already init")
    assert machine.raw(*init, "ipfs", "--force-update", folder=folder)["isUpdated"] is True
    shown = machine.run(*init, "--force-update", "--token", "mine", folder=folder)
    golden("storage-init", shown.stdout)
    assert "Your token is not used: default storage gives its own" in shown.stderr
    assert stored(machine, "app-provider", "iexec-result-iexec-ipfs-token") == token
    words = ["--user", me.lower(), "--chain", "sandbox"]
    assert machine.raw(*check, *words, folder=folder.parent) == yes
    assert machine.raw(*check, "dropbox", folder=folder) == no
    golden("storage-check", machine.shown(*check, folder=folder))


def test_dropbox(machine: Machine, project: Any) -> None:
    folder = project("dataset-provider")
    init, name = ["storage", "init", "dropbox"], "iexec-result-dropbox-token"
    message = machine.message(*init, folder=folder)
    assert message == (
        "Paste your dropbox token: there is nobody to ask; give --token-file FILE or --token"
    )
    with machine.terminal(*init, folder=folder) as terminal:
        terminal.answer("? Paste your dropbox token: ", "typed-token")
        status, seen = terminal.end()
    assert (status, "typed-token" in seen) == (0, False)
    assert stored(machine, "dataset-provider", name) == "typed-token"
    words = [*init, "--force-update"]
    machine.raw(*words, "--token-file", "-", folder=folder, stdin="piped-token\nmore\n")
    assert stored(machine, "dataset-provider", name) == "piped-token"
    given = machine.run(*words, "--token", "given-token", folder=folder)
    assert (given.returncode, "given-token" in given.stdout + given.stderr) == (0, False)
    assert "Option --token may be unsafe" in given.stderr
    assert stored(machine, "dataset-provider", name) == "given-token"
    (folder / "token").write_text("filed-token")
    machine.raw(*words, "--token-file", "token", folder=folder)
    assert stored(machine, "dataset-provider", name) == "filed-token"


def test_storage_refused(machine: Machine, project: Any, tmp_path: Path) -> None:
    folder = project("workerpool-owner")
    for command in ("init", "check"):
        message = machine.message("storage", command, "s3", folder=folder)
        assert message == '"s3" not supported: a storage provider is default, ipfs, dropbox'
    init = ["storage", "init", "dropbox"]
    assert "has 0 bytes" in machine.message(*init, "--token", "", folder=folder)
    long = machine.message(*init, "--token", "x" * 5000, folder=folder)
    assert "it must have 1 to 4096" in long
    assert "--token-file: the first line is empty" in machine.message(
        *init, "--token-file", "-", folder=folder, stdin=""
    )
    both = ["--token", "a", "--token-file", "b"]
    assert "not allowed with argument" in machine.message(*init, *both, folder=folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ["--chain", "sandbox", "--keystoredir", "local"]
    message = machine.message("storage", "check", *words, folder=empty)
    assert message == "Missing option --user <address> or wallet"
    other = ["--chain", "bellecour"]
    message = machine.message("storage", "check", "--user", "0x12", *other, folder=folder)
    assert message.startswith("user: 0x12 is not a valid ethereum address")
