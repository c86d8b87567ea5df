"""From words to one handler call: groups, shared options, usage errors, exit status (cli.md §1–2).

The groups are a static table, so help and ``--version`` import nothing; only the module of the
group that is called is loaded. A handler takes the parsed options and returns a
:class:`~.output.Result`; everything a person or program sees is written here and in ``output``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .. import __version__
from ..errors import EXIT_FAILURE, IExecError
from . import output

__all__ = ["CommandParser", "UsageError", "main"]

PROG = "iexec-lite"
GROUPS = {
    "init": "start a project: iexec.json, chain.json and a wallet",
    "wallet": "create, import and show wallets",
    "order": "write and sign orders",
    "sandbox": "a whole local iExec: start, stop, and see the main job done",
}
EPILOG = f"""examples:
  {PROG} sandbox demo          see a whole purchase, from an empty folder to its result
  {PROG} init                  start a project here
  {PROG} GROUP --help          the commands of a group
"""


class UsageError(IExecError):
    """The words of the command line do not make a command."""

    code = "usage"


class CommandParser(argparse.ArgumentParser):
    """argparse, but every failure is an :class:`IExecError`, and help keeps its line breaks."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting with status 2."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def shared_options() -> CommandParser:
    """The options of every command."""
    parser = CommandParser(add_help=False)
    parser.add_argument("--raw", action="store_true", help="one JSON document, no prompt")
    parser.add_argument("--quiet", action="store_true", help="no progress, no information")
    return parser


def top_parser() -> CommandParser:
    """The parser of the first word."""
    parser = CommandParser(
        prog=PROG,
        description="The iExec SDK for Python: sell, buy and run computing.",
        epilog=EPILOG,
    )
    parser.add_argument("-V", "--version", action="version", version=__version__)
    groups = parser.add_subparsers(dest="group", metavar="GROUP", title="groups")
    for name, text in GROUPS.items():
        groups.add_parser(name, help=text, add_help=False)
    return parser


def group_parser(group: str) -> CommandParser:
    """The parser of one group's commands; imports that group's module only."""
    parser = CommandParser(prog=f"{PROG} {group}", description=GROUPS[group])
    import_module(f".{group}", __package__).register(parser, shared_options())
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 success, 1 any failure."""
    words = list(sys.argv[1:] if argv is None else argv)
    raw = "--raw" in words
    command = " ".join([PROG, *_command_words(words)])
    try:
        return _run(words)
    except IExecError as error:
        output.fail(error, command=command, raw=raw)
    except KeyboardInterrupt:
        output.fail(IExecError("Interrupted"), command=command, raw=raw)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to say, nobody to hear it
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}"
        output.fail(IExecError(text, cause=error), command=command, raw=raw)
    return EXIT_FAILURE


def _run(words: list[str]) -> int:
    group, rest = _split(words)
    if group is None:
        top_parser().parse_args(words)  # prints help or version and exits, or refuses
        top_parser().print_help(sys.stderr)
        return EXIT_FAILURE
    parser = group_parser(group)
    options = parser.parse_args(rest)
    handler = getattr(options, "handler", None)
    if handler is None:
        parser.print_help(sys.stderr)
        return EXIT_FAILURE
    result = handler(options)
    return output.show(result, raw=options.raw, quiet=options.quiet)


def _split(words: list[str]) -> tuple[str | None, list[str]]:
    """The group and the words for its parser; shared options may stand before the group."""
    for position, word in enumerate(words):
        if not word.startswith("-"):
            if word == "help":
                return None, words
            if word not in GROUPS:
                raise UsageError(f"unknown command '{word}' (see {PROG} --help)")
            return word, words[:position] + words[position + 1 :]
        if word not in ("--raw", "--quiet"):
            break
    return None, words


def _command_words(words: list[str]) -> list[str]:
    """Group and subcommand as typed, for the ``command`` member of a raw failure."""
    plain = [word for word in words if not word.startswith("-")]
    if plain[:1] == ["init"]:
        return plain[:1]
    return plain[:2] if plain[:1] and plain[0] in GROUPS else plain[:1]
