"""The five programs of docs/guide.md, in order, on one sandbox: each block in a process of its own.

The word after ``python`` says who runs a block: a named account of the sandbox, whose key alone it
gets. ``signer`` is the machine with the app provider's key and no network, ``online`` one with a
network and no key (but that of the account named after it). What a program prints as
``NAME value`` is in the environment of the next ones; files are carried between the two machines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.sandbox import accounts

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) ([\w -]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIVEN = re.compile(r"^([A-Z]+) (0x\S+)$", re.MULTILINE)
GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")
NO_NETWORK = """
import socket
def refuse(*_, **__):
    raise SystemExit("the signer's machine opened a socket")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
"""
MACHINES = ("signer", "online")


def blocks(text: str) -> list[tuple[str, list[str], str]]:
    """(language, words after it, content)."""
    return [(language, words.split(), body) for language, words, body in BLOCK.findall(text)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a newcomer with a running sandbox."""
    folder = tmp_path_factory.mktemp("home")
    cache = os.environ.get("IEXEC_LITE_CACHE") or str(Path.home() / ".cache" / "iexec_lite")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {
        **os.environ,
        "PATH": path,
        "IEXEC_LITE_HOME": str(folder),
        "IEXEC_LITE_CACHE": cache,
    }
    run([sys.executable, "-m", "iexec_lite", "sandbox", "up"], folder, env)
    yield env
    run([sys.executable, "-m", "iexec_lite", "sandbox", "down"], folder, env)


def run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def key_of(words: list[str]) -> dict[str, str]:
    """The key in the environment of a block."""
    names = ["app-provider" if word == "signer" else word for word in words if word != "online"]
    return {"PRIVATE_KEY": to_hex(accounts.secret(names[0]))} if names else {}


@pytest.mark.shows_secrets("the first block shows a key of the sandbox, which is public")
def test_the_programs(home: dict[str, str], tmp_path: Path) -> None:
    given: dict[str, str] = {}
    told = []
    for language, words, body in blocks(GUIDE):
        machine = words[0] if words[0] in MACHINES else "sandbox"
        folder = tmp_path / machine
        folder.mkdir(exist_ok=True)
        if machine in MACHINES:  # what was made on the other one is carried over
            for file in (tmp_path / MACHINES[machine == "signer"]).glob("*.json"):
                shutil.copy(file, folder)
        if language == "sh":
            told.append(run(["bash", "-euo", "pipefail", "-c", body], folder, home))
            continue
        prelude = NO_NETWORK if machine == "signer" else ""
        command = [sys.executable, "-W", "error", "-c", prelude + body]
        told.append(run(command, folder, {**home, **given, **key_of(words)}))
        given.update(GIVEN.findall(told[-1]))
    text = "\n".join(told)
    assert re.search(r"published 0x\w{64} open for 100 tasks", text)
    assert "category S: 5 tasks at 35 RLC" in text
    assert "COMPLETED" in text
    assert re.search(r"RESULT \d+ bytes", text)
    assert re.search(r"deal 0x\w{64}", text)
    assert "signing: Challenge for 'iExec Gateway'" in text
    assert re.search(r"published 0x\w{64} open$", text, re.MULTILINE)
    assert {"APP", "DATASET", "WORKERPOOL"} <= set(given)


def test_what_the_machines_may() -> None:
    """The signer's machine has the key and no socket, the other a network and not that key."""
    seen = {word for _, words, _ in blocks(GUIDE) for word in words}
    assert set(MACHINES) <= seen
    assert key_of(["signer"]) == key_of(["app-provider"]) != {}
    assert key_of(["online"]) == {}
    code = NO_NETWORK + "socket.create_connection(('127.0.0.1', 1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"opened a socket" in done.stderr


def test_a_broken_program_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="NameError"):
        run([sys.executable, "-c", "nothing"], tmp_path, dict(os.environ))
