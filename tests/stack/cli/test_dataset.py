"""Datasets that are encrypted: from files on a disk to a key that the SMS holds."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.protocol.cipher import checksum, decrypt_dataset
from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import Machine

PEOPLE = accounts.addresses()
FILES = {"b.csv": b"1,2\n", "a b.txt": b"", "dataset": "é".encode() * 40}
DIRS = {
    "--dataset-keystoredir": "keys",
    "--original-dataset-dir": "in",
    "--encrypted-dataset-dir": "out",
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(machine: Machine, project: Any) -> Path:
    """The dataset provider's project, with files to encrypt."""
    found: Path = project("dataset-provider")
    machine.raw("dataset", "init", "--encrypted", folder=found)
    for name, data in FILES.items():
        (found / "datasets" / "original" / name).write_bytes(data)
    return found


def test_folders(machine: Machine, project: Any) -> None:
    folder = project("dataset-provider")
    machine.raw("dataset", "init", folder=folder)
    assert not (folder / "datasets").exists()
    missing = machine.message("dataset", "encrypt", folder=folder)
    assert missing == (
        "Folders for dataset encryption are missing, did you forget to run "
        '"iexec-lite dataset init --encrypted"?'
    )
    machine.raw("dataset", "init", "--tee", folder=folder)
    machine.raw("dataset", "init", "--tee", folder=folder)
    original = folder / "datasets" / "original"
    assert mode(folder / ".secrets" / "datasets") == 0o700
    (original / "folder").mkdir()
    (original / "link").symlink_to(folder / "iexec.json")
    empty = machine.message("dataset", "encrypt", folder=folder)
    assert empty == f'Input folder "{original}" is empty, nothing to encrypt'


def test_encrypt(machine: Machine, folder: Path, golden: Any) -> None:
    (folder / "datasets" / "original" / "folder").mkdir()
    shown = machine.run("dataset", "encrypt", folder=folder)
    assert shown.returncode == 0
    assert "⚠ Datasets must be single file, skipping folder\n" in shown.stderr
    golden("dataset-encrypt", shown.stdout)
    keys, encrypted = folder / ".secrets" / "datasets", folder / "datasets" / "encrypted"
    assert sorted(os.listdir(keys)) == ["a b.txt.key", "b.csv.key", "dataset.key"]
    assert sorted(os.listdir(encrypted)) == ["a b.txt.enc", "b.csv.enc", "dataset.enc"]
    for name, data in FILES.items():
        file, key = encrypted / f"{name}.enc", (keys / f"{name}.key").read_text()
        assert decrypt_dataset(file.read_bytes(), key) == data
        assert checksum(file) in shown.stdout
        assert len(key) == 44
        assert mode(keys / f"{name}.key") == 0o600
    assert "the key of dataset;" in shown.stdout  # whose file is dataset.key

    before = {path: path.read_bytes() for path in (*keys.iterdir(), *encrypted.iterdir())}
    refused = machine.message("dataset", "encrypt", folder=folder)
    assert refused.startswith('"a b.txt.key" already exists, replace it with new one? There is')
    for count in (1, 5):  # no to the first of all questions, and to the last
        with machine.terminal("dataset", "encrypt", folder=folder) as terminal:
            for _ in range(count):
                terminal.answer("replace it with new one? (Y/n) ", "y")
            terminal.answer("replace it with new one? (Y/n) ", "n")
            status, seen = terminal.end()
        assert status == 1
        assert "Operation aborted by user." in seen
    assert {path: path.read_bytes() for path in before} == before


def test_encrypt_again_with_folders_of_ones_own(
    machine: Machine, project: Any, tmp_path: Path
) -> None:
    folder = project("dataset-provider")
    words = [word for option, name in DIRS.items() for word in (option, name)]
    words[-1] = str(tmp_path / "far" / "out")
    machine.raw("dataset", "init", "--encrypted", *words, folder=folder)
    (folder / "keys").chmod(0o755)
    (folder / "in" / "x").write_bytes(b"x" * 100)
    document = machine.raw("dataset", "encrypt", *words, folder=folder)
    out = tmp_path / "far" / "out"
    file = {
        "original": str(folder / "in" / "x"),
        "encrypted": str(out / "x.enc"),
        "key": str(folder / "keys" / "x.key"),
        "checksum": checksum(out / "x.enc"),
    }
    assert document == {
        "ok": True,
        "encryptedDatasetFolderPath": str(out),
        "secretPath": str(folder / "keys"),
        "encryptedFiles": [file],
    }
    assert list(document["encryptedFiles"][0]) == list(file)
    assert (mode(folder / "keys"), mode(folder / "keys" / "x.key")) == (0o755, 0o600)
    key = (folder / "keys" / "x.key").read_text()
    assert (folder / "keys" / "dataset.key").read_text() == key

    (folder / "in" / "x").write_bytes(b"y" * 100)
    again = machine.raw("dataset", "encrypt", *words, "--force", folder=folder)
    assert again["encryptedFiles"][0]["checksum"] == checksum(out / "x.enc")
    renewed = (folder / "keys" / "x.key").read_text()
    assert renewed != key
    assert decrypt_dataset((out / "x.enc").read_bytes(), renewed) == b"y" * 100
    same = [*words[:3], "keys", *words[4:]]
    assert "must be in different folders" in machine.message("dataset", "encrypt", *same,
                                                             folder=folder)  # fmt: skip


def test_one_that_fails_keeps_no_other_from_being_done(machine: Machine, folder: Path) -> None:
    """Keys and files of before stay a pair; the checksums of what was done are told."""
    machine.raw("dataset", "encrypt", folder=folder)
    keys, encrypted = folder / ".secrets" / "datasets", folder / "datasets" / "encrypted"
    elsewhere = folder / "elsewhere"
    (keys / "b.csv.key").rename(elsewhere)
    (keys / "b.csv.key").symlink_to(elsewhere)  # refused for a secret
    before = (encrypted / "b.csv.enc").read_bytes()
    failed = machine.failure("dataset", "encrypt", "--force", folder=folder)
    [text] = failed["fail"]
    assert text.startswith("b.csv: ")
    assert text.endswith("is a symbolic link: refused for a secret")
    assert [Path(each["original"]).name for each in failed["encryptedFiles"]] == [
        "a b.txt", "dataset"
    ]  # fmt: skip
    assert (encrypted / "b.csv.enc").read_bytes() == before
    assert decrypt_dataset(before, elsewhere.read_text()) == FILES["b.csv"]
    assert len(os.listdir(encrypted)) == 3
    done = machine.run("dataset", "encrypt", "--force", folder=folder)
    assert done.returncode == 1
    assert "a b.txt:\n  encrypted: " in done.stdout
    assert "✖ Failed to encrypt:\n  - b.csv: " in done.stderr
    (encrypted / "dataset.enc").unlink()
    (encrypted / "dataset.enc").mkdir()
    message = machine.message("dataset", "encrypt", "--force", folder=folder)
    assert message.endswith("dataset.enc is a folder: a file is to be written there")


def test_a_large_file(machine: Machine, folder: Path) -> None:
    """In constant memory; its progress is a line on a terminal, elsewhere a line each quarter."""
    original = folder / "datasets" / "original"
    for name in FILES:
        (original / name).unlink()
    with (original / "large").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (90 << 20, 90 << 20))"
    guard = folder / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(limit)
    machine.raw("dataset", "encrypt", folder=folder, path=str(guard))
    told = machine.run("dataset", "encrypt", "--force", folder=folder).stderr
    assert told.count("ℹ Encrypting large: ") == 5  # 0, 25, 50, 75 and 100 per cent
    assert "ℹ Encrypting large: 50 %  52.4 MB of 104.9 MB\n" in told
    assert "%" not in machine.run("dataset", "encrypt", "--force", "--quiet", folder=folder).stderr
    words = ["dataset", "encrypt", "--force"]
    with machine.terminal(*words, folder=folder, env={"TERM": "xterm"}) as terminal:
        status, seen = terminal.end()
    assert status == 0
    assert "\rEncrypting large  " in seen
    assert "100 %  104.9 MB of 104.9 MB" in seen


# -- secrets -----------------------------------------------------------------------------------


def deploy(machine: Machine, folder: Path, name: str) -> str:
    entry = json.loads((folder / "iexec.json").read_text("utf-8"))["dataset"]
    edit(folder, "iexec.json", dataset={**entry, "name": name})
    return str(machine.raw("dataset", "deploy", folder=folder)["address"])


def test_secrets(machine: Machine, folder: Path, client: Any, golden: Any) -> None:
    address = deploy(machine, folder, "first")
    exists = client("requester").dataset.check_dataset_secret_exists
    lost = machine.message("dataset", "push-secret", folder=folder)
    assert lost == (
        "No secret file .secrets/datasets/dataset.key: give --secret-path FILE, or run "
        '"iexec-lite dataset encrypt"'
    )
    machine.raw("dataset", "encrypt", folder=folder)
    assert machine.raw("dataset", "check-secret", folder=folder) == {
        "ok": True,
        "isSecretSet": False,
    }
    golden("dataset-check-secret-no", machine.shown("dataset", "check-secret", folder=folder))
    assert machine.raw("dataset", "push-secret", folder=folder) == {"ok": True}
    assert exists(address) is True
    found = machine.raw("dataset", "check-secret", address, folder=folder)
    assert found == {"ok": True, "isSecretSet": True}
    golden("dataset-check-secret", machine.shown("dataset", "check-secret", folder=folder))
    again = machine.message("dataset", "push-secret", folder=folder)
    assert again == f"Secret already exists for {address} and can't be updated"

    second = deploy(machine, folder, "second")
    path = ("--secret-path", ".secrets/datasets/b.csv.key")
    golden(
        "dataset-push-secret", machine.shown("dataset", "push-secret", second, *path, folder=folder)
    )
    assert exists(second) is True


def test_secrets_of_others(machine: Machine, folder: Path, project: Any) -> None:
    address = deploy(machine, folder, "of others")
    other = project("requester")
    (other / "key").write_text(" x \n")
    words = ("dataset", "push-secret", address, "--secret-path")
    message = machine.message(*words, "key", folder=other)
    assert message.startswith(f"Wallet {PEOPLE['requester']} is not allowed to set secret for")
    (other / "key").write_text(" \n")
    assert "it must have 1 to 4096" in machine.message(*words, "key", folder=other)
    (other / "key").write_bytes(b"\xff")
    assert "not UTF-8 text" in machine.message(*words, "key", folder=other)
    assert "No secret file no" in machine.message(*words, "no", folder=other)
    chain = machine.chain().id
    for command in ("push-secret", "check-secret"):
        message = machine.message("dataset", command, folder=other)
        assert message == (
            f'Missing datasetAddress and no dataset found in "deployed.json" for chain {chain}'
        )
    (other / "key").write_text("x")
    for words in (("check-secret", "0x12"), ("push-secret", "0x12", "--secret-path", "key")):
        message = machine.message("dataset", *words, folder=other)
        assert message == "dataset: 0x12 is not a valid ethereum address"
    known = machine.raw("dataset", "check-secret", address, folder=other)
    assert known["isSecretSet"] is False


# -- the registry, and info of a chain with a token ----------------------------------------------


def test_a_project_for_the_registry(machine: Machine, project: Any, golden: Any) -> None:
    folder = project("app-provider")
    machine.raw("app", "init", "--tee", folder=folder)
    failed = machine.failure("registry", "validate", "app", folder=folder)
    assert failed == {
        "ok": False,
        "validated": ["iexec.json"],
        "fail": [
            'logo.png: Missing "logo.png" logo image file',
            'deployed.json: Missing app field. You should run "iexec-lite app deploy"',
        ],
    }
    assert "✖ Invalid files:" in machine.refused("registry", "validate", "app", folder=folder)
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 180, 180)
    (folder / "logo.png").write_bytes(header)
    machine.raw("app", "deploy", folder=folder)
    golden("registry-validate", machine.shown("registry", "validate", "app", folder=folder))
    assert machine.raw("registry", "validate", "app", folder=folder) == {
        "ok": True,
        "validated": ["iexec.json", "logo.png", "deployed.json"],
    }


def test_info(machine: Machine, client: Any, golden: Any, tmp_path: Path) -> None:
    found = machine.raw("info", "--chain", "sandbox", folder=tmp_path)
    assert list(found)[:5] == ["ok", "pocoVersion", "host", "hubAddress", "rlcAddress"]
    assert found["rlcAddress"] == client("requester")._context.token
    assert found["useNative"] is False
    golden("info-token", machine.shown("info", "--chain", "sandbox", folder=tmp_path))


def test_a_key_in_a_url_is_not_shown(machine: Machine, tmp_path: Path) -> None:
    chain = machine.chain()
    host = f"{chain.host}/?key=0123456789abcdef"
    record = {"id": str(chain.id), "host": host, "hub": chain.hub}
    content = {"default": "mine", "chains": {"mine": record}}
    (tmp_path / "chain.json").write_text(json.dumps(content))
    assert machine.raw("info", folder=tmp_path)["host"] == chain.host
    shown = machine.run("info", folder=tmp_path)
    assert (shown.returncode, "0123456789abcdef" in shown.stdout + shown.stderr) == (0, False)
