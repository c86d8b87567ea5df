"""Asking a person, or not: never with ``--raw`` or without a terminal (cli.md §7, §10 B2)."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import ConfigurationError, IExecError, ValidationError
from ..sdk import files
from . import output, terminal

__all__ = ["agree", "confirm", "hidden", "interactive", "password", "read_secret", "replace"]

MAX_SECRET_FILE = 4096  # bytes
ENVIRONMENT = "IEXEC_LITE_PASSWORD"


def interactive(options: argparse.Namespace) -> bool:
    """Whether there is somebody to ask, who sees the question."""
    return not options.raw and all(map(terminal.is_terminal, (sys.stdin, sys.stderr)))


def confirm(question: str, options: argparse.Namespace, *, default: bool = True) -> bool:
    """A yes-or-no question; with nobody to ask an error that names ``--force``."""
    if options.force:
        return True
    if not interactive(options):
        raise ConfigurationError(f"{question} There is nobody to ask: --force says yes")
    choice = "Y/n" if default else "y/N"
    while True:
        with _line_of_its_own():
            terminal.write(f"? {question} ({choice}) ", sys.stderr, end="")
            answer = _read_line()
            if not answer:
                raise EOFError
        word = answer.strip().lower()
        if word in ("", "y", "yes", "n", "no"):
            return default if not word else word.startswith("y")


def agree(
    question: str,
    options: argparse.Namespace,
    *,
    about: Mapping[str, object] | None = None,
    otherwise: str = "",
) -> None:
    """Have a person say yes, who sees what the question is ``about`` below it.

    IExecError where the answer is no; it ends with what is so ``otherwise``.
    """
    if about is not None and interactive(options):  # else the question is only named in an error
        question = f"{question}\n{output.render(about, 2)}\n"
    if not confirm(question, options):
        raise IExecError(f"Operation aborted by user.{otherwise and ' '}{otherwise}")


def replace(path: str | os.PathLike[str], options: argparse.Namespace) -> None:
    """Ask before a file takes the place of what is there, if there is anything."""
    if os.path.lexists(path):
        question = f'"{os.path.basename(path)}" already exists, replace it with new one?'
        agree(question, options, otherwise=f"{os.fspath(path)} was kept")


def _read_line() -> str:
    try:
        return sys.stdin.readline()
    except UnicodeDecodeError:
        raise ValidationError("The answer is not text in the encoding of this terminal") from None


@contextmanager
def _line_of_its_own() -> Iterator[None]:
    """A question that is broken off is not followed by other text on its line."""
    try:
        yield
    except BaseException:
        terminal.write("", sys.stderr)
        raise


def _ask_secret(text: str) -> str:
    with _line_of_its_own(), terminal.taken_away():
        return getpass.getpass(terminal.harmless(f"? {text}: "))


def password(text: str, options: argparse.Namespace, *, new: bool = False) -> str:
    """A password from option, file, environment or person, in this order.

    A ``new`` one is asked for twice and must not be empty.
    """
    given = _given(options)
    if given is None:
        ways = f"--password-file FILE, --password or the environment variable {ENVIRONMENT}"
        given = hidden(text, options, ways)
        if new and given and _ask_secret("Please confirm your password") != given:
            raise ValidationError("Password missmatch: they differ, nothing was written")
    if new and not given:
        raise ValidationError("The password is empty: nothing was written")
    return given


def hidden(text: str, options: argparse.Namespace, ways: str) -> str:
    """A secret that is typed and not shown; with nobody to ask an error that names other ways."""
    if not interactive(options):
        raise ConfigurationError(f"{text}: there is nobody to ask; give {ways}")
    return _ask_secret(text)


def _given(options: argparse.Namespace) -> str | None:
    if options.password is not None:
        return str(options.password)
    if options.password_file is not None:
        return read_secret(options.password_file, "--password-file")
    return os.environ.get(ENVIRONMENT) or None


def read_secret(name: str, option: str) -> str:
    """The first line of a file, ``-`` for standard input, which is read line by line."""
    if name != "-":
        line = files.read_text(name, max_bytes=MAX_SECRET_FILE, secret=True).split("\n", 1)[0]
    else:
        try:
            line = sys.stdin.readline() if sys.stdin is not None else ""
        except UnicodeDecodeError:  # which would show a part of it
            raise ValidationError(f"{option}: standard input is not UTF-8 text") from None
    line = line.rstrip("\r\n")
    if not line:
        raise ConfigurationError(f"{option}: the first line is empty")
    return line
