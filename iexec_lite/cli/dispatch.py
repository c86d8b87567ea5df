"""From words to one handler call: the groups, the first words, exit status (cli.md §1–2).

``iexec-lite [--raw] GROUP COMMAND [arguments and options in any order]``. The groups are a static
table: ``--version`` and the help of the first word load nothing else, not even argparse. The
modules of groups import what works only inside their handlers, so that help and usage errors load
nothing of it. A usage error never repeats a word that might be a password or a key.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module

from .. import __version__
from ..errors import EXIT_FAILURE, ConfigurationError, IExecError
from ..interrupts import never_lost
from . import output, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .parser import Group

__all__ = [
    "GROUPS",
    "OPTION",
    "PROG",
    "SHARED",
    "UsageError",
    "entry",
    "load",
    "main",
    "table",
    "top_help",
]

PROG = "iexec-lite"
GROUPS = {  # each in the module of its name
    "init": "start a project: iexec.json, chain.json and a wallet",
    "wallet": "create, import and show wallets, send, bridge and swap",
    "account": "RLC staked on the marketplace: deposit, withdraw, show",
    "app": "deploy, sell and run apps",
    "dataset": "encrypt, deploy and sell datasets",
    "workerpool": "deploy workerpools and sell their work",
    "requester": "secrets that you give to your tasks",
    "order": "write, sign, publish, fill and cancel orders",
    "orderbook": "what is offered on the marketplace",
    "deal": "show, watch and claim deals",
    "task": "show, watch and claim tasks, download their results",
    "result": "encryption keys, and decryption of results",
    "storage": "where results are stored",
    "category": "kinds of tasks by their longest duration",
    "registry": "check what the public registry asks for",
    "info": "the contracts of a chain",
    "sandbox": "a whole local iExec: start, stop, and see the main job done",
    "completion": "completion of commands and options in your shell",
}
EXAMPLES = f"""examples:
  {PROG} sandbox demo          see a whole purchase, from an empty folder to its result
  {PROG} init                  start a project here
  {PROG} GROUP --help          the commands of a group
"""
SHARED = {"--raw": "one JSON document, no question", "--quiet": "no progress, no information"}
_HELP = ("-h", "--help", "help")
OPTION = re.compile(r"--?[A-Za-z][A-Za-z-]{0,30}\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{0,30}\Z")


class UsageError(IExecError):
    """The words of the command line do not make a command."""

    code = "usage"


def load(name: str) -> Group:
    """A group with its commands."""
    from .parser import Group

    group = Group(name)
    import_module(f".{name}", __package__).register(group)
    return group


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 success, 1 any failure."""
    words = list(sys.argv[1:] if argv is None else argv)
    raw = "--raw" in (words[: words.index("--")] if "--" in words else words)
    command = [PROG]  # grows with each word that is understood
    before, sys.unraisablehook = sys.unraisablehook, never_lost(sys.unraisablehook)
    try:
        return _run(words, command, raw=raw)
    except SystemExit as done:  # argparse, after it has shown help
        return EXIT_FAILURE if done.code else 0
    except BrokenPipeError:  # the reader of our output has gone: nothing to say, nobody to hear it
        pass
    except (Exception, KeyboardInterrupt) as error:
        output.fail(_translated(error), command=" ".join(command), raw=raw)
    finally:
        sys.unraisablehook = before
    _give_up_stdout()
    return EXIT_FAILURE


def entry() -> int:
    """:func:`main` for a process that ends with it."""
    import gc

    status = main()
    # The interpreter's end would look for garbage in all that was loaded, some 15 ms.
    if hasattr(gc, "freeze"):  # PyPy has none
        gc.freeze()
    return status


def _give_up_stdout() -> None:
    """Where stdout takes nothing more, the interpreter must not try again at its end."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str], command: list[str], *, raw: bool) -> int:
    flags, word, rest = _next(words)
    if word == "help":  # "help", "help wallet", "help wallet create"
        flags, word, rest = _next([*rest[:2], "--help"])
    if word in _HELP:
        return _print(top_help())
    if word in ("-V", "--version"):
        return _print(f"{__version__}\n")
    if word is None:
        return _no_command(top_help(), PROG, raw=raw)
    if word not in GROUPS:
        swapped = f"{rest[0]} {word}" if rest and rest[0] in GROUPS and _WORD.match(word) else ""
        hint = f": did you mean {PROG} {swapped}?" if swapped else ""
        raise UsageError(f"{_unknown(word)}{hint} (see {PROG} --help)")
    command.append(word)
    group = load(word)
    parser = group.find("")
    if parser is None:
        more, word, rest = _next(rest)
        flags += more
        if word in _HELP:
            return _print(group.format_help())
        if word is None:
            return _no_command(group.format_help(), " ".join(command), raw=raw)
        parser = group.find(word)
        if parser is None:
            raise UsageError(f"{_unknown(word)} (see {' '.join(command)} --help)")
        command.append(word)
    options = parser.parse([*flags, *rest])
    output.narrate(options)
    result: output.Result = options.handler(options)
    status = output.show(result, raw=options.raw)
    if getattr(options, "journals", ()):
        from .project import confirm

        confirm(options)
    return status


def _next(words: list[str]) -> tuple[list[str], str | None, list[str]]:
    """Shared options that stand before the next word, that word, and what follows."""
    count = next((n for n, word in enumerate(words) if word not in SHARED), len(words))
    word = words[count] if count < len(words) else None
    return words[:count], word, words[count + 1 :]


def _unknown(word: str) -> str:
    """What is wrong with a word in the place of a command."""
    if word.startswith("-"):
        name = word.split("=", 1)[0]
        shown = f" '{name}'" if OPTION.match(name) else ""
        return f"unknown option{shown} here: options stand after the command"
    return f"unknown command '{word}'" if _WORD.match(word) else "unknown command"


def _no_command(text: str, command: str, *, raw: bool) -> int:
    if raw:
        raise UsageError(f"missing command (see {command} --help)")
    terminal.write(text, sys.stderr, end="")
    return EXIT_FAILURE


def top_help() -> str:
    """Help of the first word."""
    about = "The iExec SDK for Python: sell, buy and run computing."
    options = table(
        {
            "--version, -V": "show the version",
            "--help, -h": "show this help, or that of a group or command",
            **SHARED,
        },
        "options",
    )
    groups = table(GROUPS, "groups")
    return (
        f"usage: {PROG} GROUP COMMAND [options]\n\n{about}\n\n{groups}\n\n{options}\n\n{EXAMPLES}"
    )


def table(rows: dict[str, str], title: str = "commands") -> str:
    """Names and what they mean, below each other."""
    width = max(map(len, rows)) + 2
    return "\n".join([f"{title}:", *(f"  {name:<{width}}{text}" for name, text in rows.items())])


def _print(text: str) -> int:
    terminal.write(text, sys.stdout, end="")
    return 0


def _translated(error: BaseException) -> IExecError:
    """Any failure as one with a message that may be shown."""
    if isinstance(error, IExecError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return IExecError("Interrupted", cause=error)
    if isinstance(error, EOFError):  # the person closed the input instead of answering
        return IExecError("Operation aborted by user.", cause=error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return IExecError(f"{where}{error.strerror or error}", cause=error)
    if isinstance(error, ModuleNotFoundError):
        text = f"the Python module {error.name} is missing: install what iexec_lite needs"
        return ConfigurationError(text, cause=error)
    if isinstance(error.__context__, KeyboardInterrupt):
        # Between two steps of a lock, Ctrl-C comes out as "release unlocked lock".
        return IExecError("Interrupted", cause=error)
    return IExecError(  # its text was not written to be shown, and might hold anything
        f"internal error ({type(error).__name__}): please report it; "
        "the environment variable DEBUG=iexec shows where it happened",
        cause=error,
    )
