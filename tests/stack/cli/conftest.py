"""A home with a running sandbox per module, project folders in it, and golden files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.eth.crypto import random_bytes
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sdk.files import PRIVATE, atomic_write

from . import coverage
from .machine import Machine, normal

GOLDEN = Path(__file__).parent / "golden"
REWRITE = "IEXEC_LITE_REWRITE_GOLDEN"  # set it to write the files anew, then read the change

Project = Callable[[str], Path]
Golden = Callable[[str, str], None]


@pytest.fixture(scope="module")
def machine(
    kit: Kit, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    """A home of its own, in which ``sandbox up`` was run with ``SANDBOX``, words of the module."""
    home = tmp_path_factory.mktemp("home")
    names = ("HOME", "USERPROFILE", "IEXEC_LITE_HOME")
    cache = os.environ.get("IEXEC_LITE_CACHE", str(Path.home() / ".cache" / "iexec_lite"))
    env = {**os.environ, **dict.fromkeys(names, str(home)), "IEXEC_LITE_CACHE": cache}
    for name in ("IEXEC_LITE_PASSWORD", "XDG_DATA_HOME", "DEBUG", "COLUMNS"):
        env.pop(name, None)
    found = Machine(env, request.config.stash[coverage.FOLDER])
    assert found.raw("sandbox", "status", folder=home)["running"] is False
    words = getattr(request.module, "SANDBOX", ())
    up = found.raw("sandbox", "up", *words, folder=home)
    assert up["running"] is True
    yield found
    assert found.raw("sandbox", "down", folder=home) == {"ok": True, "stopped": True}
    assert found.raw("sandbox", "down", folder=home) == {"ok": True, "stopped": False}


@pytest.fixture
def client(machine: Machine) -> Iterator[Callable[[str], IExec]]:
    """``client("requester")``: the library, on the same chain."""
    made: list[IExec] = []

    def make(name: str) -> IExec:
        made.append(IExec(machine.chain(), accounts.signer(name)))
        return made[-1]

    yield make
    for iexec in made:
        iexec.close()


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Machine, str], Path]:
    """Projects to be copied, and beside each its key: two commands a person, not two a test.

    Nothing in them is of the machine whose commands made them.
    """
    home, made = tmp_path_factory.mktemp("begun"), set[str]()

    def make(machine: Machine, name: str) -> Path:
        if name not in made:
            folder = home / name
            folder.mkdir()
            machine.raw("init", "--skip-wallet", folder=folder)
            (folder / "chain.json").write_text('{"default": "sandbox", "chains": {}}')
            key = home / f"{name}.key"
            atomic_write(key, accounts.secret(name).hex(), mode=PRIVATE)
            words = ["wallet", "import", "--private-key-file", str(key), "--unencrypted"]
            wallet = machine.raw(*words, folder=folder)
            assert wallet["address"] == accounts.signer(name).address
            made.add(name)
        return home

    return make


@pytest.fixture
def project(machine: Machine, begun: Callable[[Machine, str], Path], tmp_path: Path) -> Project:
    """``project("requester")``: a project folder with that account's wallet, in clear.

    Its default chain is ``sandbox``; ``requester.key`` is beside it.
    """

    def make(name: str) -> Path:
        home = begun(machine, name)
        shutil.copy2(home / f"{name}.key", tmp_path)
        return Path(shutil.copytree(home / name, tmp_path / name))

    return make


@pytest.fixture
def stranger() -> str:
    """An address that nobody has used."""
    return KeySigner.from_key(random_bytes(32)).address


@pytest.fixture
def golden(tmp_path: Path, request: pytest.FixtureRequest) -> Golden:
    """``golden("app-show", text)``: a person saw exactly this, but for addresses and times."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / f"{name}.txt"
        found = normal(text, tmp_path)
        if os.environ.get(REWRITE):
            file.parent.mkdir(exist_ok=True)
            file.write_text(found, "utf-8")
        assert found == (file.read_text("utf-8") if file.exists() else ""), f"golden/{name}.txt"

    return compare


def edit(folder: Path, name: str, **members: object) -> None:
    """As a person with an editor: set members of a JSON file of a project."""
    file = folder / name
    content = json.loads(file.read_text("utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**content, **members}, indent=2), "utf-8")
