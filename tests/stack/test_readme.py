"""Every code block of the README and of docs/, run as a newcomer would: each in an empty folder.

The guide and the tutorials, whose blocks build on one another, have tests of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?!text)(\w+)( sandbox)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[str, bool, str]]:
    """(language, needs a running sandbox, content) of every block."""
    return [(lang, bool(needs), body) for lang, needs, body in BLOCK.findall(text)]


README = blocks((ROOT / "README.md").read_text("utf-8"))
INSTALL, TEST, *REST = README
PAGES = {
    path.stem: blocks(path.read_text("utf-8"))
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.stem not in ("guide", "tutorials")
}
BLOCKS = {
    f"{page}-{block[0]}-{number}": block
    for page, found in {"readme": REST, **PAGES}.items()
    for number, block in enumerate(found)
}


def execute(
    command: list[str], folder: Path, env: dict[str, str], timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A home of its own with a running sandbox; the commands of this interpreter first on PATH."""
    home = tmp_path_factory.mktemp("home")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {
        **os.environ,
        "PATH": path,
        "IEXEC_LITE_HOME": str(home),
        "IEXEC_LITE_CACHE": os.environ.get(
            "IEXEC_LITE_CACHE", str(Path.home() / ".cache" / "iexec_lite")
        ),
    }
    up = execute([sys.executable, "-m", "iexec_lite", "sandbox", "up"], home, env)
    assert up.returncode == 0, up.stderr
    yield env
    down = execute([sys.executable, "-m", "iexec_lite", "sandbox", "down"], home, env)
    assert down.returncode == 0, down.stderr


@pytest.mark.shows_secrets("the keys of the sandbox are public; the text has one")
@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    language, _, body = BLOCKS[name]
    command = {
        "python": [sys.executable, "-W", "error", "-c", body],
        "sh": ["bash", "-euo", "pipefail", "-c", body],
    }[language]
    done = execute(command, tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_first_command_without_node(environment: dict[str, str], tmp_path: Path) -> None:
    """The first block in a fresh environment, an empty cache, and no node on the PATH."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    shutil.copytree(
        ROOT / "iexec_lite", copy / "iexec_lite", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    venv.create(tmp_path / "env", with_pip=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    env = {
        **environment,
        "PATH": os.pathsep.join([str(tmp_path / "env" / "bin"), str(tools)]),
        "IEXEC_LITE_CACHE": str(tmp_path / "cache"),
    }
    assert shutil.which("npm", path=env["PATH"]) is None
    done = execute([str(tools / "bash"), "-euo", "pipefail", "-c", INSTALL[2]], copy, env)
    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout


def test_second_command_is_what_the_gate_runs() -> None:
    assert TEST[2].strip().endswith("&& tox")
    gate = (ROOT / ".ci" / "run").read_text("utf-8")
    assert gate.strip().endswith("bin/tox run")


def test_a_broken_block_is_seen() -> None:
    assert blocks("```python\nprint(1)\n```\n```sh sandbox\nx\n```") == [
        ("python", False, "print(1)\n"),
        ("sh", True, "x\n"),
    ]
    assert len(README) >= 4
    assert len(PAGES["embedding"]) == 5
