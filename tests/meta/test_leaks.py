"""The guard of secrets over the whole run sees what is planted, in every place and every form."""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iexec_lite.errors import IExecError
from iexec_lite.sandbox import accounts

from .conftest import load

leaks = load("tests/leaks.py")
KEY = accounts.secret("requester")
WORD = leaks.WORDS[-1]


@pytest.fixture
def guard() -> Iterator[leaks.Guard]:
    """One of its own; the guard of the run is deaf meanwhile, and knows of nothing planted."""
    found = leaks.Guard()
    found.listen()
    yield found
    found.stop()


def say(text: str) -> None:
    print(text)


def fail(text: str) -> None:
    IExecError("no", details={"given": text})


def log(text: str) -> None:
    logging.getLogger("iexec_lite").warning("using %s", text)


def start(text: str) -> None:
    subprocess.run([sys.executable, "-c", "pass", text], check=True)


def command(text: str) -> None:
    code = f"print({text[:9]!r} + {text[9:]!r})  # iexec_lite"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.shows_secrets("they are planted here")
@pytest.mark.parametrize("leak", [say, fail, log, start, command])
def test_every_place_is_searched(
    leak: Callable[[str], None], guard: leaks.Guard, capsys: pytest.CaptureFixture[str]
) -> None:
    leak("nothing to see here")
    capsys.readouterr()
    assert leaks.told(guard, []) == []
    leak(KEY.hex())
    capsys.readouterr()
    assert [text.split(" in ")[0] for text in leaks.told(guard, [])] == ["key of requester"]


@pytest.mark.shows_secrets("they are planted here")
def test_only_commands_that_are_asked_for_keys_show_them(guard: leaks.Guard) -> None:
    for word, told in (("--unencrypted", 0), ("--encrypted", 1)):
        code = f"print({WORD[:9]!r} + {WORD[9:]!r})  # iexec_lite"
        words = [sys.executable, "-c", code, word]
        subprocess.run(words, check=True, capture_output=True)
        assert len(leaks.told(guard, [])) == told


@pytest.mark.parametrize(
    "hidden",
    [
        WORD,
        WORD.upper(),
        WORD[::-1],
        WORD.encode().hex(),
        WORD.encode()[::-1].hex(),
        base64.b64encode(WORD.encode()).decode(),
        base64.b64encode(b"a" + WORD.encode() + b"bc").decode(),
        base64.b64encode(b"ab" + WORD.encode()).decode()[::-1],
        f"https://u:{WORD}@host/",
    ],
)
def test_every_form_is_found(hidden: str) -> None:
    assert leaks.secrets_in(f'{{"a": "{hidden}"}}') == [f"word {len(leaks.WORDS) - 1}"]


def test_every_form_is_found_wherever_it_begins() -> None:
    for name, found in leaks.patterns().items():
        for form in found:
            for before in range(leaks.BLOCK):
                for after in (b"", b"z"):
                    assert name in leaks.secrets_in(b"z" * before + form + after)
    assert leaks.secrets_in(b"z" * 1000) == []


def test_only_a_reason_excuses() -> None:
    for marks, excused in (([], False), ([pytest.mark.shows_secrets.mark], False)):
        guard = leaks.Guard()
        guard.search("x", WORD)
        assert (leaks.told(guard, marks) == []) is excused
    guard.search("x", WORD)
    assert leaks.told(guard, [pytest.mark.shows_secrets("why").mark]) == []
    assert guard.found == []


def test_a_leaking_test_fails(tmp_path: Path) -> None:
    """The whole way: a run of pytest whose one test logs a key ends with a failure."""
    tests = tmp_path / "tests"
    tests.mkdir()
    root = Path(leaks.__file__).parent
    for name in ("conftest.py", "leaks.py", "seed.py"):
        (tests / name).write_text((root / name).read_text("utf-8"), "utf-8")
    (tests / "test_x.py").write_text(
        "import logging\nfrom iexec_lite.sandbox import accounts\n"
        "def test_good(): logging.getLogger('iexec_lite').warning('fine')\n"
        "def test_bad():\n    key = accounts.secret('admin').hex()[::-1]\n"
        "    logging.getLogger('iexec_lite').warning(key)\n"
    )
    words = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root.parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "secrets left: ['key of admin in the log']" in done.stdout
    assert "2 passed, 1 error" in done.stdout
