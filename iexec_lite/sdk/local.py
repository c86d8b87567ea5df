"""The chains of the running sandbox: ``"sandbox"`` and its twins as names (design.md, "State")."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..eth.codec import load_json
from ..protocol.chains import Chain
from .files import read_text, user_data_dir

__all__ = ["SANDBOX", "record_path", "sandbox_chain", "sandbox_records"]

SANDBOX = "sandbox"


def record_path(folder: Path, name: str) -> Path:
    """The file with a record in a sandbox's folder: ``chain.json``, ``standard.chain.json`` …"""
    which = name.removeprefix(SANDBOX).removeprefix("-")
    return folder / (f"{which}.chain.json" if which else "chain.json")


def sandbox_chain(name: str = SANDBOX) -> Chain:
    """The record that ``sandbox up`` wrote. Raises ConfigurationError where none is running."""
    folder = user_data_dir() / "sandbox"
    path = record_path(folder, name)
    if not name.replace("-", "").isalnum() or not path.exists():
        running = ", ".join(sandbox_records())
        raise ConfigurationError(
            f"The running sandbox has no chain {name!r}, only {running}: others come with "
            '"iexec-lite sandbox up" and --flavour or --bridge'
            if running
            else 'No sandbox is running: start one with "iexec-lite sandbox up" '
            "(python -m iexec_lite sandbox up)"
        )
    try:
        return Chain.from_dict(load_json(read_text(path)))
    except ValueError as error:
        raise ConfigurationError(
            f'{path} is damaged ({error}): run "iexec-lite sandbox up" again', cause=error
        ) from error


def sandbox_records() -> dict[str, Chain]:
    """The records of the running sandbox by name; none where none is running."""
    folder = user_data_dir() / "sandbox"
    found: dict[str, Chain] = {}
    for path in sorted(folder.glob("*chain.json")):
        try:
            chain = Chain.from_dict(load_json(read_text(path)))
        except ValueError:
            continue
        found[chain.name] = chain
    return found
