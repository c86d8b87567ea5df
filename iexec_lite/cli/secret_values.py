"""The value of a secret that a command gives to the SMS: option, file, standard input or person.

It is asked for after every check that needs none, and shown nowhere. today.md §4.1.
"""

from __future__ import annotations

import argparse
import sys

from ..errors import ConfigurationError, ValidationError
from ..sdk import files
from . import output, prompts

__all__ = ["add_options", "read"]

MAX_FILE = 64 * 1024  # bytes; the library tells its limit, of less


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--secret-value``, ``--secret-file``."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--secret-value", metavar="TEXT", help="the secret (visible to other users)")
    ways.add_argument(
        "--secret-file",
        metavar="FILE",
        help="read the secret from FILE, - for standard input; a line end at its end is left out",
    )


def read(options: argparse.Namespace) -> str:
    """The secret. What is typed at a terminal is not shown."""
    if options.secret_value is not None:
        output.warn("Option --secret-value may be unsafe: other users can see it", options)
        found = str(options.secret_value)
    elif options.secret_file is not None:
        found = _file(options.secret_file).removesuffix("\n").removesuffix("\r")
    else:
        ways = "--secret-file FILE or --secret-value"
        found = prompts.hidden("Paste your secret", options, ways)
    if not found:
        raise ConfigurationError("The secret is empty: nothing was pushed")
    return found


def _file(name: str) -> str:
    if name != "-":
        return files.read_text(name, max_bytes=MAX_FILE, secret=True)
    try:
        text = "" if sys.stdin is None else sys.stdin.read(MAX_FILE + 1)
    except UnicodeDecodeError:  # which would show a part of it
        raise ValidationError("--secret-file: standard input is not UTF-8 text") from None
    if len(text) > MAX_FILE:
        raise ValidationError(f"--secret-file: more than {MAX_FILE} characters")
    return text
