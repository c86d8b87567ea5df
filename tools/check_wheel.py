"""Build the wheel twice, look inside, install it in an empty environment and use it there.

Run with requirements/build.txt installed: ``python tools/check_wheel.py``. Exits 1 at the first
thing that is not as it should be. The two builds are of two copies in different folders, whose
files differ in age: the same bytes come out. ``python tools/check_wheel.py dist`` keeps the wheel.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "runtime.txt"
EPOCH = "1577836800"  # what the files of a wheel are dated: SOURCE_DATE_EPOCH, where none is given
SOURCE = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "iexec_lite")
USE = """
import sys
from iexec_lite import IExec
client = IExec.offline("0x" + "11" * 32, chain="bellecour")
order = client.order.create_apporder("0x607F4C5BB672230e8672085532f7e901544a7375", appprice="1 RLC")
signed = client.order.sign_apporder(order)
assert client.order.hash_apporder(signed).startswith("0x")
assert "site-packages" in sys.modules["iexec_lite"].__file__, sys.modules["iexec_lite"].__file__
print("signed", signed.appprice)
"""


def problems(names: list[str], metadata: str) -> list[str]:
    """What is wrong with a wheel of these members and this METADATA."""
    found = []
    package = {name for name in names if name.startswith("iexec_lite/")}
    other = [n for n in names if n not in package and ".dist-info/" not in n]
    found += [f"not of the package: {name}" for name in other]
    # A .pth file, or a script of our own, would run at every start of Python, or at installation.
    found += [f"runs by itself: {name}" for name in names if re.search(r"\.pth\Z|\.data/", name)]
    allowed = re.compile(
        r"iexec_lite/([a-z0-9_]+/)*([A-Za-z0-9_]+\.(py|sol)|py\.typed|[a-z_]+\.json)\Z"
    )
    found += [f"unexpected: {name}" for name in sorted(package) if not allowed.match(name)]
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "iexec_lite").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found += [f"missing: {name}" for name in sorted(source - package)]
    found += [f"left over from an older build: {name}" for name in sorted(package - source)]
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]
    wanted = {"eth-hash", "eth-keys", "coincurve", "pycryptodome", "urllib3"}
    if {re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in required} != wanted:
        found.append(f"dependencies: {required}")
    found += [
        f"more than a lower bound: {line}"
        for line in required
        if re.search(r"[<~=!]=?\d", line.replace(">=", ""))
    ]
    return found


def different(one: Path, other: Path) -> list[str]:
    """The members in which two wheels differ."""
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        lists = [
            {(i.filename, i.CRC, i.date_time, i.external_attr) for i in archive.infolist()}
            for archive in (first, second)
        ]
    return sorted({str(each) for each in lists[0] ^ lists[1]}) or ["in their order"]


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} … failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_source(folder: Path, age: int) -> Path:
    """The project as somebody else has it, of another age; modes as without any umask."""
    folder.mkdir(parents=True)
    for name in SOURCE:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)  # a wheel keeps the modes of what is not Python
            os.utime(path, (age, age))
    return folder


def build(source: Path, out: Path) -> Path:
    """The wheel of a copy; the tools are those of this environment, not the newest ones."""
    env = {"SOURCE_DATE_EPOCH": EPOCH, **os.environ}
    words = ("-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    run(sys.executable, *words, cwd=source, env=env)
    (wheel,) = out.glob("*.whl")
    return wheel


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(copy_source(folder / "one", 1_000_000_000), folder)
        other = build(copy_source(folder / "a" / "two", 1_500_000_000), folder / "a")
        digests = [hashlib.sha256(each.read_bytes()).hexdigest() for each in (wheel, other)]
        if len(set(digests)) != 1:
            raise SystemExit(f"two builds, two wheels: {different(wheel, other)}")
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (meta,) = [n for n in names if n.endswith("/METADATA")]
            found = problems(names, archive.read(meta).decode())
            planted = problems([*names, "tests/x.py", "iexec_lite/old.py", "x.pth"], "")
        if found:
            raise SystemExit("the wheel is not as it should be:\n" + "\n".join(found))
        if len(planted) != 5:
            raise SystemExit("the look inside does not see what was planted")
        venv.create(folder / "env", with_pip=True)
        bin_folder = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        run(
            bin_folder / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--require-hashes",
            "-r",
            LOCK,
            cwd=folder,
        )
        # Nothing more is fetched: what is locked must be enough.
        run(bin_folder / "python", "-m", "pip", "install", "-q", "--no-index", wheel, cwd=folder)
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        print(run(bin_folder / "python", "-c", USE, cwd=folder, env=clean).strip())
        print(run(bin_folder / "iexec-lite", "--version", cwd=folder, env=clean).strip())
        print(run(bin_folder / "python", "-m", "iexec_lite", "--help", cwd=folder, env=clean))
        size = sum(p.stat().st_size for p in (ROOT / "iexec_lite").rglob("*.py"))
        for target in sys.argv[1:]:
            Path(target).mkdir(exist_ok=True)
            shutil.copy(wheel, target)
        print(f"sha256 {digests[0]}, twice")
        print(f"{len(names)} members, {size / 1e6:.2f} MB of source")


if __name__ == "__main__":
    main()
