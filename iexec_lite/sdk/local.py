"""The chain of the running sandbox: ``"sandbox"`` as a network name (design.md, "State")."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..eth.codec import load_json
from ..protocol.chains import Chain
from .files import read_text, user_data_dir

__all__ = ["SANDBOX", "sandbox_chain", "sandbox_records"]

SANDBOX = "sandbox"


def sandbox_chain() -> Chain:
    """The record that ``sandbox up`` wrote. Raises ConfigurationError where none is running."""
    path = user_data_dir() / "sandbox" / "chain.json"
    if not path.exists():
        raise ConfigurationError(
            'No sandbox is running: start one with "iexec-lite sandbox up" '
            "(python -m iexec_lite sandbox up)"
        )
    try:
        return Chain.from_dict(load_json(read_text(path)))
    except ValueError as error:
        raise ConfigurationError(
            f'{path} is damaged ({error}): run "iexec-lite sandbox up" again', cause=error
        ) from error


def sandbox_records() -> dict[str, Chain]:
    """``{"sandbox": record}``, or nothing where none is running."""
    try:
        return {SANDBOX: sandbox_chain()}
    except ConfigurationError:
        return {}
