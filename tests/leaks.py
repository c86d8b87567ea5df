"""A guard over the whole test run: no test secret leaves by a text of ours.

While tests run it listens to everything the library and the command line say: every log record,
every error that is made (message, details, repr), what commands print (in this process or as one of
their own), and the arguments of every process that is started. All of it is searched for the keys
and passwords of the tests, as they are, reversed, in hex and in base64. A test that shows a secret
on purpose is marked ``shows_secrets`` with the reason.
"""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest

from iexec_lite import errors
from iexec_lite.sandbox import accounts

# Long enough not to turn up by chance, and used by no test as anything but a secret.
WORDS = (
    *("correct horse battery staple", "Un1que-pass-word-7193", "dropbox-token-5b0c9f3e7a"),
    *("test-only-secret-of-the-leak-guard",),
)

# Words of commands that show keys because somebody asked them to; `--unencrypted`: the document of
# such a wallet is the wallet, and `wallet import KEY` takes it as an argument, both as in V6. The
# sandbox's keys are public.
MEANT = {"--show-private-key", "--unencrypted", "sandbox"}

BLOCK = 8


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is and as it might be hidden, in lower case."""
    for data in (secret, secret[::-1]):
        for text in (data, data.hex().encode(), data.hex().encode()[::-1]):
            yield text.lower()
        for shift, start in ((0, 0), (1, 2), (2, 3)):  # wherever it begins in what was encoded
            encoded = base64.b64encode(b"\0" * shift + data)
            core = encoded[start : (shift + len(data)) * 8 // 6]
            yield core.lower()
            yield core[::-1].lower()


@cache
def patterns() -> dict[str, tuple[bytes, ...]]:
    """Name → forms of every secret."""
    keys = {f"key of {name}": accounts.secret(name) for name in accounts.NAMES}
    words = {f"word {at}": word.encode() for at, word in enumerate(WORDS)}
    return {name: tuple(set(forms(secret))) for name, secret in {**keys, **words}.items()}


@cache
def blocks() -> frozenset[bytes]:
    """Every ``BLOCK`` bytes of every form: in a text with a secret is one of them at a multiple."""
    every = [form for found in patterns().values() for form in found]
    assert min(map(len, every)) >= 2 * BLOCK - 1
    return frozenset(form[at : at + BLOCK] for form in every for at in range(len(form) - BLOCK + 1))


def secrets_in(data: str | bytes) -> list[str]:
    """The names of the secrets in a text."""
    lower = (data.encode("utf-8", "replace") if isinstance(data, str) else data).lower()
    if blocks().isdisjoint([lower[at : at + BLOCK] for at in range(0, len(lower), BLOCK)]):
        return []  # nearly always, and thirty times faster than to look for every form
    return [name for name, found in patterns().items() if any(form in lower for form in found)]


class Guard(logging.Handler):
    """Listens; ``found`` is what it has heard since the last test."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self._undo: list[tuple[object, str, object]] = []

    def search(self, where: str, *texts: object) -> None:
        for text in texts:
            if isinstance(text, (str, bytes)) and text:
                self.found += [f"{name} in {where}" for name in secrets_in(text)]

    def emit(self, record: logging.LogRecord) -> None:
        self.search("the log", record.getMessage(), record.exc_text)

    def listen(self) -> None:
        """Begin: once per process; the audit hook cannot be taken away again."""
        logging.getLogger("iexec_lite").addHandler(self)
        made, guard = errors.IExecError.__init__, self

        def init(error: errors.IExecError, *args: Any, **options: Any) -> None:
            made(error, *args, **options)
            guard.search(
                "an error", error.message, repr(error), repr(getattr(error, "details", ""))
            )

        read, run = pytest.CaptureFixture.readouterr, subprocess.run

        def readouterr(capture: pytest.CaptureFixture[str]) -> Any:
            found = read(capture)
            guard.search("what was printed", found.out, found.err)
            return found

        def run_and_search(*args: Any, **options: Any) -> Any:
            done = run(*args, **options)
            if "iexec_lite" in str(done.args) and not MEANT & set(map(str, done.args)):
                guard.search("what a command printed", done.stdout, done.stderr)
            return done

        for owner, name, new in (
            (errors.IExecError, "__init__", init),
            (pytest.CaptureFixture, "readouterr", readouterr),
            (subprocess, "run", run_and_search),
        ):
            self._undo.append((owner, name, getattr(owner, name)))
            setattr(owner, name, new)
        sys.addaudithook(self._started)

    def stop(self) -> None:
        """End: everything is as it was."""
        logging.getLogger("iexec_lite").removeHandler(self)
        while self._undo:
            setattr(*self._undo.pop())

    def _started(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and self._undo:
            words = arguments[1] if isinstance(arguments[1], (list, tuple)) else [arguments[1]]
            if not MEANT & set(map(str, words)):
                self.search("the arguments of a process", *map(_text, words))


def _text(word: object) -> object:
    return word if isinstance(word, (str, bytes)) else str(word)


def told(guard: Guard, reasons: Iterable[pytest.Mark]) -> list[str]:
    """What a test gave away without a reason; forgotten afterwards."""
    found, guard.found = sorted(set(guard.found)), []
    return [] if any(mark.args for mark in reasons) else found
