"""The JSON files of a project: iexec.json, chain.json, deployed.json, orders.json (cli.md §4, §5).

Two-space indent, no final newline, as the V6 command line writes them; both work in one folder, in
turns. Files are replaced atomically; keys we do not know are kept. A file that cannot be understood
is refused and stays as it is.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..sdk import files
from . import output, prompts

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
    "add_chain_option",
    "add_force_option",
    "add_ignored_chain_option",
    "add_node_options",
    "connect",
    "deployed_address",
    "load",
    "may_write",
    "member",
    "save",
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


# -- options ----------------------------------------------------------------------------------


def add_chain_option(parser: argparse.ArgumentParser) -> None:
    """``--chain``."""
    parser.add_argument(
        "--chain", metavar="NAME", help="chain name or id (default: that of chain.json)"
    )


def add_node_options(parser: argparse.ArgumentParser) -> None:
    """``--chain``, and what commands that contact a node take besides."""
    add_chain_option(parser)
    parser.add_argument(
        "--allow-plain-http",
        action="store_true",
        help="let http:// leave this machine: everybody on the way can read and change it",
    )


def add_ignored_chain_option(parser: argparse.ArgumentParser) -> None:
    """``--chain`` where the documents list it and nothing depends on it (cli.md §9)."""
    parser.add_argument("--chain", help=argparse.SUPPRESS)


def add_force_option(parser: argparse.ArgumentParser) -> None:
    """``--force``."""
    parser.add_argument("--force", action="store_true", help="answer yes to every question")


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


# -- chains -----------------------------------------------------------------------------------


def selected_chain(options: argparse.Namespace) -> Selection:
    """The chain that ``--chain`` or chain.json names; built-in names need no entry there."""
    from ..protocol import chains
    from ..sdk import local

    content = load(CHAIN_FILE, missing=chains.new_chain_file())
    file = chains.ChainFile.from_dict(content)
    name = options.chain or file.default
    records = local.sandbox_records()
    if str(name).startswith(local.SANDBOX) and name not in {**file.chains, **records}:
        local.sandbox_chain(str(name))  # says why there is none
    return file.select(name, extra=records)


def connect(
    selection: Selection, options: argparse.Namespace, signer: Signer | None = None
) -> IExec:
    """A client for the chain, and the line that says which one it is."""
    from ..protocol.chains import node_urls
    from ..sdk.client import IExec, SigningProvider

    chain = selection.chain
    urls, quorum = node_urls(str(chain.host), selection.providers)
    say_chain(chain, options)
    plain = options.allow_plain_http
    if signer is None:
        return IExec(urls, chain=chain, quorum=quorum, allow_plain_http=plain)
    provider = SigningProvider(chain, signer, urls=urls, quorum=quorum)
    return IExec(provider, allow_plain_http=plain)


def say_chain(chain: Chain, options: argparse.Namespace) -> None:
    """Which chain is used, for people."""
    output.info(f"Using chain {chain.name} [chainId: {chain.id}]", options)
