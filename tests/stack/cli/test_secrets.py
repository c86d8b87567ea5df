"""No secret leaves by the command line: not in what it shows or logs, nor in a file for others.

Commands are run with known secrets, and everything that they leave is searched for these in every
form that might escape the eye: reversed, in hex, in base64.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth import keystore
from iexec_lite.sandbox import accounts

from ...leaks import forms
from .machine import Machine

NAME = "dataset-provider"
PASSWORD = "Un1que-pass-word-7193"
TOKEN = "dropbox-token-5b0c9f3e7a"
# What each process does first: it notes which other processes it starts, and with which words.
WATCHED = """
import os, sys
def note(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        with open(os.environ["STARTED"], "a") as file:
            file.write(f"{event} {arguments[:2]}\\n")  # not the environment, which is theirs
sys.addaudithook(note)
"""
LEAKING = """
import logging
from iexec_lite.eth import keystore
honest = keystore.decrypt
def decrypt(*arguments, **options):
    key = honest(*arguments, **options)
    logging.getLogger("iexec_lite").info(key.secret.hex()[::-1])
    return key
keystore.decrypt = decrypt
"""


@dataclass
class Watch:
    """Runs commands with secrets and gathers where these are found."""

    machine: Machine
    folder: Path
    start: Path
    secrets: dict[str, bytes] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def run(self, line: str, status: int = 0, *, start: str = WATCHED, **options: Any) -> None:
        """A command with all that it can be made to tell; ``status`` is what it ends with."""
        (self.start / "sitecustomize.py").write_text(start)
        log = self.start / "started"
        env = {
            "DEBUG": "iexec*",
            "IEXEC_LITE_PASSWORD": PASSWORD,
            "STARTED": str(log),
            **options.pop("env", {}),
        }
        words = line.split()
        done = self.machine.run(
            *words, folder=self.folder, path=str(self.start), env=env, **options
        )
        assert done.returncode == status, done.stderr
        self.search(line, (done.stdout + done.stderr).encode())
        if log.exists():
            self.search(f"a process started by {line}", log.read_bytes())
            log.unlink()

    def search(self, where: str, data: bytes) -> None:
        """Look for the secrets in something that others may see."""
        lower = data.lower()
        for name, secret in self.secrets.items():
            if any(form in lower for form in forms(secret)):
                self.found.append(f"{name} in {where}")

    def search_files(self, places: Iterable[Path], kept: Iterable[Path]) -> None:
        """As :meth:`search` for all files; those ``kept`` may hold secrets, for their owner."""
        own = set(kept)
        for file in (file for place in places for file in place.rglob("*") if file.is_file()):
            if file not in own:
                self.search(str(file), file.read_bytes())
            elif file.stat().st_mode & 0o077:
                self.found.append(f"{file} can be read by others")


@pytest.fixture
def watch(machine: Machine, tmp_path: Path) -> Watch:
    """A project whose wallet is encrypted; its key is another secret."""
    folder, start, given = (tmp_path / name for name in ("project", "start", "given"))
    for place in (folder, start, given):
        place.mkdir()
    machine.raw("init", "--skip-wallet", folder=folder)
    (folder / "chain.json").write_text('{"default": "sandbox", "chains": {}}')
    key = accounts.secret(NAME)
    (folder / "ks").mkdir(mode=0o700)
    cheap = json.dumps(keystore.encrypt(key, PASSWORD, n=2))
    (folder / "ks" / "UTC--2021-12-09T17-16-32.596000000Z--wallet").write_text(cheap)
    for name, text in {"password": PASSWORD, "key": key.hex(), "token": TOKEN}.items():
        (given / name).write_text(text)
    secrets = {"password": PASSWORD.encode(), "token": TOKEN.encode(), "key": key}
    return Watch(machine, folder, start, secrets)


def test_no_secret_leaves(watch: Watch, tmp_path: Path) -> None:
    given, home = tmp_path / "given", Path(watch.machine.env["HOME"])
    run, wallet = watch.run, "--keystoredir ks"
    new = "--keystoredir new"
    run(f"wallet import --private-key-file {given}/key --password-file {given}/password {new}")
    run(f"wallet import --private-key-file - {new} --raw", stdin=accounts.secret(NAME).hex())
    run(f"wallet import --private-key-file {given}/token {new}", 1)
    run(f"account deposit 5 {new}")
    run(f"wallet show {wallet}")
    for raw in ("", "--raw"):
        run(f"account deposit 5 {wallet} {raw}")
        run(f"account deposit 5 {wallet} {raw}", 1, env={"IEXEC_LITE_PASSWORD": "wrong"})
    run(f"dataset init --encrypted {wallet}")
    (watch.folder / "datasets" / "original" / "data.csv").write_text("1,2\n")
    run("dataset encrypt")
    keys = watch.folder / ".secrets" / "datasets"
    watch.secrets["dataset key"] = base64.b64decode((keys / "dataset.key").read_text())
    run("dataset encrypt --force --raw")
    watch.secrets["new dataset key"] = base64.b64decode((keys / "dataset.key").read_text())
    run(f"dataset deploy {wallet}")
    run(f"dataset push-secret {wallet}")
    run(f"dataset push-secret {wallet} --raw", 1)
    run(f"dataset publish --force {wallet}")
    run(f"order init --dataset {wallet}")
    run(f"order sign --dataset {wallet}")
    run(f"order publish --dataset --force {wallet} --raw")
    run(f"order cancel --dataset --force {wallet}")
    run(f"storage init dropbox --token-file {given}/token {wallet}")
    run(f"storage init dropbox --token-file {given}/token {wallet} --raw", 1)
    run(f"result generate-keys {wallet}")
    (private,) = (watch.folder / ".secrets" / "beneficiary").glob("*_key")
    watch.secrets["result key"] = private.read_bytes().splitlines()[3]
    run(f"result push-secret {wallet}")
    run(f"result generate-keys {wallet} --raw", 1)
    places = [watch.folder, *(path for path in home.iterdir() if path.name != "sandbox")]
    watch.search_files(places, [*keys.iterdir(), private])
    assert watch.found == []
    assert list((home / "journal").iterdir()), "the journal was searched"


@pytest.mark.shows_secrets("they are planted here")
def test_guard_sees_what_is_told(watch: Watch) -> None:
    watch.run("account deposit 5 --keystoredir ks", start=LEAKING)
    assert watch.found == ["key in account deposit 5 --keystoredir ks"]


def test_guard_sees_what_is_written(watch: Watch) -> None:
    key = accounts.secret(NAME)
    texts = {
        "plain": key,
        "hex": key.hex().upper().encode(),
        "reversed": json.dumps({"salt": key.hex()[::-1]}).encode(),
        "base64": base64.b64encode(b"any" + PASSWORD.encode() + b"thing"),
        "shifted": base64.b64encode(b"an" + TOKEN.encode()),
    }
    for name, data in texts.items():
        (watch.start / name).write_bytes(data)
    watch.search_files([watch.start], [])
    where = {"base64": "password", "shifted": "token"}
    assert sorted(watch.found) == sorted(
        f"{where.get(name, 'key')} in {watch.start / name}" for name in texts
    )
    watch.found.clear()
    kept = watch.start / "plain"
    os.chmod(kept, 0o640)
    watch.search_files([watch.start], [watch.start / name for name in texts])
    assert f"{kept} can be read by others" in watch.found


@pytest.mark.shows_secrets("they are planted here")
def test_guard_sees_what_is_started(watch: Watch) -> None:
    starting = WATCHED + f"import subprocess; subprocess.run(['true', '{TOKEN[::-1]}'])\n"
    watch.run("app --help", start=starting)
    assert watch.found == ["token in a process started by app --help"]
