"""``iexec-lite completion bash | zsh | fish``: a script that completes commands and options.

shtab writes it, from one tree made of the parsers of all commands; the ``completion`` extra brings
it. The script starts nothing: pressing Tab contacts nobody and is immediate.
"""

from __future__ import annotations

import argparse

from ..errors import ConfigurationError
from . import dispatch, output
from .parser import Group

__all__ = ["register", "tree"]

# Where each shell looks for it at its start.
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/iexec-lite",
    "zsh": "_iexec-lite in a folder of fpath",
    "fish": "~/.config/fish/completions/iexec-lite.fish",
}


def register(group: Group) -> None:
    """The options of ``completion``, a group without commands."""
    found = group.command(
        "",
        script,
        "write the script that completes commands and options in your shell",
        arguments="SHELL",
        example="completion bash",
    )
    places = "; ".join(f"{shell}: {place}" for shell, place in PLACES.items())
    found.add_argument(
        "shell", metavar="SHELL", choices=[*PLACES], help=f"and where the script belongs: {places}"
    )


def script(options: argparse.Namespace) -> output.Result:
    """The script, to be written into a file or read by the shell."""
    try:
        import shtab
    except ImportError as error:
        raise ConfigurationError(
            "completion needs shtab: install the completion extra "
            "(pip install 'iexec-lite[completion]')",
            cause=error,
        ) from error
    commands = tree(file=shtab.FILE, folder=shtab.DIRECTORY)
    text = shtab.complete(commands, shell=options.shell).rstrip("\n")
    return output.Result(payload={"shell": options.shell, "script": f"{text}\n"}, text=text)


def tree(*, file: object = None, folder: object = None) -> argparse.ArgumentParser:
    """All commands as one parser; ``file`` and ``folder`` are how shtab completes paths."""
    from ..protocol.chains import CHAINS
    from ..sdk.local import SANDBOX

    root = argparse.ArgumentParser(prog=dispatch.PROG)
    root.add_argument("--version", "-V", action="store_true", help="show the version")
    groups = root.add_subparsers()
    for name, text in dispatch.GROUPS.items():
        commands = dispatch.load(name).commands
        for command in commands.values():
            for action in command._actions:  # which shtab goes through as well
                if action.metavar in ("FILE", "PATH"):
                    action.complete = file  # type: ignore[attr-defined]
                elif action.metavar == "DIR":
                    action.complete = folder  # type: ignore[attr-defined]
                elif action.dest == "chain":
                    action.choices = [*CHAINS, SANDBOX]
        own = [commands[""]] if "" in commands else []
        group = groups.add_parser(name, help=text, parents=own, add_help=not own)
        if not own:
            words = group.add_subparsers()
            for word, command in commands.items():
                words.add_parser(
                    word, help=str(command.description), parents=[command], add_help=False
                )
    return root
