"""The JSON files of a project: iexec.json, chain.json, deployed.json, orders.json (cli.md §4, §5).

Two-space indent, no final newline, as the V6 command line writes them; both work in one folder, in
turns. Files are replaced atomically; keys we do not know are kept. A file that cannot be understood
is refused and stays as it is.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, StateError
from ..sdk import files
from . import flags, output, prompts

if TYPE_CHECKING:
    from ..eth.signer import Signer
    from ..protocol.chains import Chain, Selection
    from ..sdk.client import IExec

__all__ = [
    "CHAIN_FILE",
    "CONFIG_FILE",
    "CONFIG_TEMPLATE",
    "DEPLOYED_FILE",
    "ORDERS_FILE",
    "confirm",
    "connect",
    "deployed_address",
    "load",
    "may_write",
    "member",
    "resource_address",
    "save",
    "save_deployed",
    "say_chain",
    "selected_chain",
]

CONFIG_FILE, CHAIN_FILE = "iexec.json", "chain.json"
DEPLOYED_FILE, ORDERS_FILE = "deployed.json", "orders.json"
MAX_FILE = 16 * 1024 * 1024  # bytes

CONFIG_TEMPLATE: Mapping[str, object] = {
    "description": "My iExec ressource description, must be at least 150 chars long in order to "
    "pass the validation checks. Describe your application, dataset or workerpool to your users",
    "license": "MIT",
    "author": "?",
    "social": {"website": "?", "github": "?"},
    "logo": "logo.png",
}


# -- files ------------------------------------------------------------------------------------


def may_write(name: str, content: Mapping[str, object], options: argparse.Namespace) -> bool:
    """Whether a new file may take the place of what is there.

    Asks before anything is lost; a person who does not answer, as with ``--raw``, does not agree.
    """
    if not os.path.lexists(name) or options.force:
        return True
    if _holds(name, content):
        return True
    question = f'"{name}" already exists, replace it with new one?'
    return not options.raw and prompts.confirm(question, options)


def _holds(name: str, content: Mapping[str, object]) -> bool:
    try:
        return load(name) == content
    except ValueError:
        return False


def save(name: str, content: Mapping[str, object]) -> None:
    """Replace a file atomically."""
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can only escape
        data = json.dumps(content, indent=2, allow_nan=False).encode("ascii")
    files.atomic_write(Path(name), data, mode=files.PUBLIC)


def load(name: str, *, missing: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A project file as an object. ``missing`` is what an absent file means; without, an error."""
    from ..eth.codec import load_json

    if not os.path.lexists(name):
        if missing is not None:
            return dict(missing)
        raise ConfigurationError(f'Missing "{name}" file, did you forget to run "iexec-lite init"?')
    text = files.read_text(name, max_bytes=MAX_FILE)
    try:
        content = load_json(text, _decoder())
    except ValueError as error:
        raise ConfigurationError(f"SyntaxError: {error} in {name}", cause=error) from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{name} must hold a JSON object")
    return content


def _decoder() -> json.JSONDecoder:
    """Reads numbers only that can be written back: Python alone takes and gives ``Infinity``."""

    def finite(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"{text[:40]} is not a number of JSON, or out of range")
        return value

    return json.JSONDecoder(parse_constant=finite, parse_float=finite)


def member(content: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    """The object under ``key`` of a loaded file ``name``; empty where it has none."""
    found = content.get(key, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f'"{key}" in {name} must be an object')
    return found


def deployed_address(kind: str, chain_id: int) -> str | None:
    """Address of the last ``app``, ``dataset`` or ``workerpool`` deployed here, if any."""
    from ..eth.codec import address_to_bytes, checksum_address

    found = member(load(DEPLOYED_FILE, missing={}), kind, DEPLOYED_FILE).get(str(chain_id))
    if found is None:
        return None
    where = f"{kind} {chain_id} in {DEPLOYED_FILE}"
    return checksum_address(address_to_bytes(found, name=where))


def resource_address(kind: str, given: str | None, chain_id: int) -> str | None:
    """The address of an ``app``, ``dataset`` or ``workerpool`` that a command is about.

    ``given`` is what the person wrote; without, or with ``deployed``, it is the last one deployed.
    """
    return deployed_address(kind, chain_id) if given in (None, "deployed") else given


def save_deployed(kind: str, chain_id: int, address: str) -> None:
    """Make ``address`` the last one deployed of its kind; the rest of deployed.json is kept."""
    content = load(DEPLOYED_FILE, missing={})
    own = {**member(content, kind, DEPLOYED_FILE), str(chain_id): address}
    save(DEPLOYED_FILE, {**content, kind: own})


# -- chains -----------------------------------------------------------------------------------


def selected_chain(
    options: argparse.Namespace, content: Mapping[str, object] | None = None
) -> Selection:
    """The chain that ``--chain`` or chain.json names; built-in names need no entry there.

    ``content`` is what counts as chain.json (default: the file).
    """
    from ..protocol import chains
    from ..sdk import local

    if content is None:
        content = load(CHAIN_FILE, missing=chains.new_chain_file())
    file = chains.ChainFile.from_dict(content)
    name = options.chain or file.default
    records = local.sandbox_records()
    if str(name).startswith(local.SANDBOX) and name not in {**file.chains, **records}:
        local.sandbox_chain(str(name))  # says why there is none
    found = file.select(name, extra=records)
    if found.ignored:
        keys = ", ".join(found.ignored)
        output.warn(f"{keys} in {CHAIN_FILE}: of no use on {found.chain.name}, ignored", options)
    return found


def connect(
    selection: Selection, options: argparse.Namespace, signer: Signer | None = None
) -> IExec:
    """A client for the chain, and the line that says which one it is.

    With a signer it sends by the journal in the user's data folder, so that a command that was cut
    off can be given again: until its result was shown, see :func:`confirm`.
    """
    from ..protocol.chains import node_urls
    from ..sdk.client import IExec, SigningProvider
    from ..sdk.file_journal import FileJournal

    chain, bridged, twin = selection.chain, selection.bridged, selection.twin
    more: dict[str, Any] = dict(flags.send_options(options))
    if bridged is not None:
        more["bridged_network_conf"] = {
            "rpc_url": bridged.host,
            "chain_id": bridged.id,
            "hub_address": bridged.hub,
            "bridge_address": bridged.bridge_contract,
        }
    if twin is not None and twin.hub is not None:
        more["enterprise_swap_conf"] = {"hub_address": twin.hub}
    urls, quorum = node_urls(str(chain.host), selection.providers)
    say_chain(chain, options)
    plain = options.allow_plain_http
    if signer is None:
        return IExec(urls, chain=chain, quorum=quorum, allow_plain_http=plain, **more)
    provider = SigningProvider(chain, signer, urls=urls, quorum=quorum)
    journal = FileJournal(hold=True)
    atexit.register(journal.close)
    options.journals = [*getattr(options, "journals", ()), journal]
    return IExec(provider, allow_plain_http=plain, journal=journal, **more)


def confirm(options: argparse.Namespace) -> None:
    """The person was told what the transactions of this command did: they are done with.

    Where that cannot be written down the same command shows them again, and sends nothing.
    """
    for journal in getattr(options, "journals", ()):
        with contextlib.suppress(StateError):
            journal.confirm()


def say_chain(chain: Chain, options: argparse.Namespace) -> None:
    """Which chain is used, for people."""
    output.info(f"Using chain {chain.name} [chainId: {chain.id}]", options)
