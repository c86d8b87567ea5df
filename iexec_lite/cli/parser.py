"""The options of a command: argparse, with the words of V6 and errors of our own (cli.md §1–2).

A handler takes the parsed options and returns a :class:`~.output.Result`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import output, terminal
from .dispatch import GROUPS, OPTION, PROG, SHARED, UsageError, table

__all__ = ["CommandParser", "Group", "Handler", "UsageError"]

_MISSING = r"missing required argument '\1'"
_NUMBER = re.compile(r"[-+]?[\d.,][\w.,]*\Z")  # or what a person takes for one
_UNIT = re.compile(r"[A-Za-z]+\Z")
_ADDRESS = re.compile(r"(?:0x)?[0-9a-fA-F]{40}\Z|.+\.eth\Z")

Handler = Callable[[argparse.Namespace], output.Result]


class CommandParser(argparse.ArgumentParser):
    """argparse, but every failure is an :class:`IExecError`, and help keeps its line breaks."""

    def __init__(self, command: str, text: str, *, arguments: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"{PROG} {command}".strip(),
            usage=f"%(prog)s {arguments}",
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.amounts: set[str] = set()  # options that take an amount, with or without a unit
        self.lists: set[str] = set()  # options that take several words
        self.texts: set[str] = set()  # options that take the next word, whatever it looks like

    def print_help(self, file: Any = None) -> None:
        """As every text: also where the encoding lacks a character of it."""
        terminal.write(self.format_help(), file or sys.stdout, end="")

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting with status 2."""
        text = re.sub("the following arguments are required: (.+)", _MISSING, message)
        raise UsageError(f"{text} (see {self.prog} --help)")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of these words. What nobody asked for is refused, not repeated."""
        # The intermixed form loses "--"; the plain one wants the arguments in one place.
        parse = self.parse_known_args if "--" in words else self.parse_known_intermixed_args
        options, extra = parse(self._joined(words))
        if extra:
            name = extra[0].split("=", 1)[0]
            if OPTION.match(name):
                self.error(f"unknown option '{name}'")
            self.error("too many arguments" if not name.startswith("-") else "unknown option")
        return options

    def _joined(self, words: Sequence[str]) -> list[str]:
        """``1 RLC`` as one word where an amount stands, ``tee gpu`` as ``tee,gpu`` for a list.

        An amount takes one word that can be a unit and no more, a list no address (cli.md B22).
        """
        rest, joined = list(words), []
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word == "--":
                return joined + rest
            if word in self.texts and rest:
                joined[-1] = f"{word}={rest.pop(0)}"
            elif word in self.amounts and rest:
                joined.append(_amount(rest))
            elif "amount" in self.amounts and _NUMBER.match(word) and not _ADDRESS.match(word):
                rest.insert(0, joined.pop())
                joined.append(_amount(rest))
            elif word in self.lists:
                values = []
                while rest and not rest[0].startswith("-") and not _ADDRESS.match(rest[0]):
                    values.append(rest.pop(0))
                joined += [",".join(values)] if values else []
        return joined


def _amount(words: list[str]) -> str:
    """The amount that ``words`` begin with, taken out of them."""
    unit = len(words) > 1 and _UNIT.match(words[1])
    found = " ".join(words[: 2 if unit else 1])
    del words[: 2 if unit else 1]
    return found


class Group:
    """What the ``register`` of a group's module fills: its commands, or itself as the only one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.commands: dict[str, CommandParser] = {}
        self.aliases: dict[str, str] = {}

    def command(
        self,
        name: str,
        handler: Handler,
        text: str,
        *,
        arguments: str = "",
        example: str,
        aliases: Sequence[str] = (),
    ) -> CommandParser:
        """The parser of a new command, to add options to; ``text`` is its line of help.

        ``arguments`` are shown in its usage, ``example`` after its help. An empty ``name`` is for
        a group without commands. ``aliases`` are other names, which V6 or its documents use.
        """
        words = f"{self.name} {name}".strip()
        usage = f"{arguments} [options]".strip()
        parser = CommandParser(words, text, arguments=usage, epilog=f"example:\n  {PROG} {example}")
        for option, meaning in SHARED.items():
            parser.add_argument(option, action="store_true", help=meaning)
        parser.set_defaults(handler=handler)
        self.commands[name] = parser
        self.aliases.update(dict.fromkeys(aliases, name))
        return parser

    def find(self, word: str) -> CommandParser | None:
        """The command of this name or alias."""
        return self.commands.get(self.aliases.get(word, word))

    def format_help(self) -> str:
        """Help of the group: its commands, and the example of the first."""
        lines = table({name: str(parser.description) for name, parser in self.commands.items()})
        example = next(iter(self.commands.values())).epilog
        return f"usage: {PROG} {self.name} COMMAND\n\n{GROUPS[self.name]}\n\n{lines}\n\n{example}\n"
