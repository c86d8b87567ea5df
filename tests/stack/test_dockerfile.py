"""The Dockerfile without an engine: its steps one by one, each image a folder, then its command.

What an engine would do is done here in the little that the file uses. An absolute path of the file
is one below ``root``, a link to the folder of the stage at hand; the first stage is gone before the
command is run. The base image is stood in for by this interpreter.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

import iexec_lite

ROOT = Path(__file__).resolve().parents[2]
BASE = re.compile(r"python:3\.1\d\.\d+-slim-[a-z]+")
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT"}
ABSOLUTE = re.compile(r"(?<![\w.$}/])(?=/\w)")  # where an absolute path of the file begins

pytestmark = pytest.mark.skipif(os.name != "posix", reason="images of Linux are made here")


def steps(text: str) -> list[tuple[str, str]]:
    """(instruction, its words) of a Dockerfile, comments left out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


def context(source: Path, target: Path) -> None:
    """Copy what ``.dockerignore`` lets through: the last line that matches decides."""
    rules = [
        line
        for line in (source / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]

    def ignored(path: str) -> bool:
        verdict = False
        parts = path.split("/")
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            if rule.startswith("**/"):
                hit = any(fnmatch.fnmatchcase(part, pattern) for part in parts)
            else:
                hit = fnmatch.fnmatchcase(parts[0], pattern)
            if hit:
                verdict = not rule.startswith("!")
        return verdict

    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_file() and not name.startswith((".git/", ".tox/")) and not ignored(name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


@dataclass
class Image:
    """What the last stage ends with."""

    root: Path
    env: dict[str, str]
    bases: list[str] = field(default_factory=list)
    user: str = "root"
    folder: str = "/"
    command: list[str] = field(default_factory=list)

    def place(self, text: str) -> str:
        """A text with its absolute paths below the root."""
        return ABSOLUTE.sub(str(self.root).replace("\\", r"\\"), text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The image's command, as its user where that is possible."""
        number = reachable(int(self.user.split(":")[0]))
        return subprocess.run(
            [*self.command, *words],
            cwd=self.place(self.folder),
            env=self.env,
            user=number,
            group=number,
            extra_groups=None if number is None else [],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@cache
def reachable(user: int) -> int | None:
    """``user``, if we may become it, and it may start this interpreter; else None."""
    try:
        words = [PYTHON, "-S", "-c", "import encodings"]
        subprocess.run(words, user=user, group=user, extra_groups=[], check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return user


def build(text: str, source: Path, work: Path) -> Image:
    """Do the steps of a Dockerfile."""
    given = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
    tools = work / "base"
    tools.mkdir()
    (tools / "python").symlink_to(PYTHON)
    base = {"PATH": os.pathsep.join([str(tools), "/usr/bin", "/bin"]), "HOME": "/nowhere"}
    image = Image(work / "root", {})
    stages: dict[str, Path] = {}
    for instruction, words in steps(text):
        assert instruction in KNOWN, instruction
        if instruction == "FROM":
            name, _, alias = words.partition(" AS ")
            image = Image(image.root, dict(base), bases=[*image.bases, name])
            stage = work / f"stage-{len(stages)}"
            stages[alias or str(len(stages))] = stage
            stage.mkdir()
            (stage / "home").mkdir()
            image.root.unlink(missing_ok=True)
            image.root.symlink_to(stage)
        elif instruction == "WORKDIR":
            image.folder = words
            Path(image.place(words)).mkdir(parents=True, exist_ok=True)
        elif instruction == "ENV":
            for word in words.split():
                key, _, value = word.partition("=")
                image.env[key] = image.place(value).replace("$PATH", image.env["PATH"])
        elif instruction == "COPY":
            _copy(image, words.split(), source, stages)
        elif instruction == "RUN":
            done = subprocess.run(
                ["sh", "-euc", image.place(words)],
                cwd=image.place(image.folder),
                env={**given, **image.env},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, f"RUN {words}\n{done.stdout}{done.stderr}"
        elif instruction == "USER":
            image.user = words
        else:
            image.command = json.loads(words)
    shutil.rmtree(work / "stage-0")
    return image


def _copy(image: Image, words: list[str], source: Path, stages: dict[str, Path]) -> None:
    if words[0].startswith("--from="):
        origin, words = stages[words[0].removeprefix("--from=")], words[1:]
        names = [word.lstrip("/") for word in words[:-1]]
    else:
        origin, names = source, words[:-1]
    target = Path(image.place(image.folder), image.place(words[-1]))
    for name in names:
        found = origin / name
        assert found.exists(), f"COPY {name}: not there, or kept out by .dockerignore"
        if found.is_dir():
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True)
        else:
            assert words[-1].endswith("/")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target / name)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that an engine is given."""
    folder = tmp_path_factory.mktemp("context")
    context(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def image(sent: Path) -> Iterator[Image]:
    with tempfile.TemporaryDirectory(prefix="iexec-image-") as name:
        Path(name).chmod(0o755)  # the image's user goes through it
        yield build((ROOT / "Dockerfile").read_text("utf-8"), sent, Path(name))


def test_what_it_is_made_from(image: Image, sent: Path) -> None:
    assert len(image.bases) == 2
    assert len(set(image.bases)) == 1
    assert BASE.fullmatch(image.bases[0])
    names = {path.relative_to(sent).parts[0] for path in sent.rglob("*") if path.is_file()}
    assert names == {"iexec_lite", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
    assert not list(sent.rglob("__pycache__"))


def test_it_is_not_root(image: Image) -> None:
    user, group = image.user.split(":")
    assert int(user) > 0
    assert int(group) > 0
    for folder in (image.folder, "/home/iexec"):  # anybody may use them, as with --user
        assert stat.S_IMODE(Path(image.place(folder)).stat().st_mode) == 0o1777
    installed = Path(image.place("/opt/iexec-lite"))
    assert not any(path.stat().st_mode & stat.S_IWOTH for path in installed.rglob("*.py"))


def test_it_answers(image: Image) -> None:
    done = image.run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{iexec_lite.__version__}\n", "")
    package = list(Path(image.place("/opt")).rglob("iexec_lite/cli/parser.py"))
    assert len(package) == 1


def test_it_works(image: Image) -> None:
    """A project in its folder, a wallet in its home; both would be mounted."""
    done = image.run("init", "--password", "secret", "--raw")
    assert (done.returncode, done.stderr) == (0, "")
    project = Path(image.place(image.folder))
    assert {path.name for path in project.iterdir()} == {"iexec.json", "chain.json"}
    (wallet,) = Path(image.place("/home/iexec/.ethereum/keystore")).iterdir()
    assert json.loads(done.stdout)["walletFile"] == str(wallet)
    words = ("order", "sign", "--request", "--offline", "--password", "secret", "--raw")
    image.run("order", "init", "--request", "--raw")
    signed = image.run(*words)
    assert signed.returncode == 0, signed.stderr
    assert (project / "orders.json").exists()


def test_the_alias_of_the_documents(image: Image) -> None:
    """It mounts what the image uses: the project, the keystore, the data folder."""
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    mounted = dict(re.findall(r'-v "([^:"]+):([^"]+)"', page))
    home = image.env["HOME"].removeprefix(str(image.root))
    assert mounted == {
        "$PWD": image.folder,
        "$HOME/.ethereum/keystore": f"{home}/.ethereum/keystore",
        "$HOME/.local/share/iexec-lite": f"{home}/.local/share/iexec-lite",
    }


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("COPY setup.cfg", "COPY setup.py", r"COPY setup\.py: not there"),
        ("COPY setup.cfg", "COPY tox.ini", r"COPY tox\.ini: not there, or kept out"),
        ("-m venv", "-m venvs", "RUN python -m venvs"),
        ("WORKDIR /src", "ADD x y", "ADD"),
    ],
)
def test_what_is_wrong_is_seen(sent: Path, tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    with pytest.raises(AssertionError, match=fault):
        build(text.replace(old, new), sent, tmp_path)
