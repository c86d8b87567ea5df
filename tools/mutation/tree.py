"""Where the code and its tests are, and how much of it is tried."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "iexec_lite"
WHOLE = ("protocol/*.py", "eth/abi*.py", "eth/rlp.py", "eth/eip712*.py", "eth/transaction.py")
LAYERS = (".", "eth", "net", "sdk", "cli")  # not the sandbox: what runs it is a chain
PAGES = "tests/meta/test_docs.py"  # every help text and default is in a page of docs/
TESTS = [*(f"tests/unit/{each}" for each in ("eth", "protocol", "net", "sdk", "cli"))]
TESTS += [f"tests/unit/test_{each}.py" for each in ("errors", "exports", "frozen", "log", "utils")]
TESTS += ["tests/vectors", "tests/property", PAGES]


def whole() -> list[str]:
    """The modules of which every mutant is tried."""
    found = {path for each in WHOLE for path in PACKAGE.glob(each)}
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found)


def elsewhere() -> list[str]:
    """The other modules: of these a sample is tried."""
    paths = [path for each in LAYERS for path in sorted((PACKAGE / each).glob("*.py"))]
    found = [path.relative_to(PACKAGE).as_posix() for path in paths]
    return [each for each in found if each not in whole()]


def name_of(module: str) -> str:
    """``iexec_lite.eth.rlp`` of ``eth/rlp.py``."""
    parts = [PACKAGE.name, *Path(module).with_suffix("").parts]
    return ".".join(parts).removesuffix(".__init__")


def existing(paths: Iterable[str]) -> list[str]:
    """Of files and folders, those that are there, each once."""
    return [each for each in dict.fromkeys(paths) if (ROOT / each).exists()]
