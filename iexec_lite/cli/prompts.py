"""Asking a person, or not: never with ``--raw`` or without a terminal (cli.md §7, §10 B2)."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from ..errors import ConfigurationError, IExecError, ValidationError

__all__ = ["confirm", "password"]

MAX_PASSWORD_FILE = 4096


def interactive(options: argparse.Namespace) -> bool:
    """Whether there is somebody to ask."""
    return not options.raw and sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, options: argparse.Namespace, *, default: bool = True) -> bool:
    """A yes-or-no question; with nobody to ask an error that names ``--force``."""
    if getattr(options, "force", False):
        return True
    if not interactive(options):
        raise ConfigurationError(f"{question} Nobody to ask: say --force")
    choice = "Y/n" if default else "y/N"
    while True:
        print(f"? {question} ({choice}) ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise IExecError("Operation aborted by user.")
        word = answer.strip().lower()
        if word in ("", "y", "yes", "n", "no"):
            return default if not word else word.startswith("y")


def password(text: str, options: argparse.Namespace, *, twice: bool = False) -> str:
    """A password from option, file, environment or person, in this order."""
    if options.password is not None:
        return str(options.password)
    if options.password_file is not None:
        return _from_file(options.password_file)
    given = os.environ.get("IEXEC_LITE_PASSWORD")
    if given is not None:
        return given
    if not interactive(options):
        raise ConfigurationError(
            f"{text}: nobody to ask; give --password-file FILE, --password or IEXEC_LITE_PASSWORD"
        )
    first = getpass.getpass(f"? {text}: ")
    if twice and getpass.getpass("? Please confirm your password: ") != first:
        raise ValidationError("Password mismatch: the two passwords differ, nothing was written")
    return first


def _from_file(name: str) -> str:
    """The first line of a file, ``-`` for standard input."""
    if name == "-":
        text = sys.stdin.readline()
    else:
        with open(name, encoding="utf-8") as file:
            text = file.read(MAX_PASSWORD_FILE)
    line = text.split("\n", 1)[0].rstrip("\r")
    if not line:
        raise ConfigurationError("--password-file: the first line is empty")
    return line
