"""Asking a person, or not: never with ``--raw`` or without a terminal (cli.md §7, §10 B2)."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from ..errors import ConfigurationError, IExecError, ValidationError
from ..sdk import files

__all__ = ["confirm", "hidden", "password", "read_secret"]

MAX_SECRET_FILE = 4096  # bytes
ENVIRONMENT = "IEXEC_LITE_PASSWORD"


def interactive(options: argparse.Namespace) -> bool:
    """Whether there is somebody to ask, who sees the question."""
    streams = (sys.stdin, sys.stderr)
    return not options.raw and all(s is not None and s.isatty() for s in streams)


def confirm(question: str, options: argparse.Namespace, *, default: bool = True) -> bool:
    """A yes-or-no question; with nobody to ask an error that names ``--force``."""
    if options.force:
        return True
    if not interactive(options):
        raise ConfigurationError(f"{question} There is nobody to ask: --force says yes")
    choice = "Y/n" if default else "y/N"
    while True:
        print(f"? {question} ({choice}) ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise IExecError("Operation aborted by user.")
        word = answer.strip().lower()
        if word in ("", "y", "yes", "n", "no"):
            return default if not word else word.startswith("y")


def password(text: str, options: argparse.Namespace, *, new: bool = False) -> str:
    """A password from option, file, environment or person, in this order.

    A ``new`` one is asked for twice and must not be empty.
    """
    given = _given(options)
    if given is None:
        ways = f"--password-file FILE, --password or the environment variable {ENVIRONMENT}"
        given = hidden(text, options, ways)
        if new and given and getpass.getpass("? Please confirm your password: ") != given:
            raise ValidationError("Password missmatch: they differ, nothing was written")
    if new and not given:
        raise ValidationError("The password is empty: nothing was written")
    return given


def hidden(text: str, options: argparse.Namespace, ways: str) -> str:
    """A secret that is typed and not shown; with nobody to ask an error that names other ways."""
    if not interactive(options):
        raise ConfigurationError(f"{text}: there is nobody to ask; give {ways}")
    return getpass.getpass(f"? {text}: ")


def _given(options: argparse.Namespace) -> str | None:
    if options.password is not None:
        return str(options.password)
    if options.password_file is not None:
        return read_secret(options.password_file, "--password-file")
    return os.environ.get(ENVIRONMENT) or None


def read_secret(name: str, option: str) -> str:
    """The first line of a file, ``-`` for standard input, which is read line by line."""
    if name != "-":
        line = files.read_text(name, max_bytes=MAX_SECRET_FILE).split("\n", 1)[0]
    else:
        try:
            line = sys.stdin.readline() if sys.stdin is not None else ""
        except UnicodeDecodeError:  # which would show a part of it
            raise ValidationError(f"{option}: standard input is not UTF-8 text") from None
    line = line.rstrip("\r\n")
    if not line:
        raise ConfigurationError(f"{option}: the first line is empty")
    return line
