"""The JSON files of a project: iexec.json, chain.json, deployed.json, orders.json (cli.md §4).

Two-space indent, no final newline, as the V6 command line writes them; both work in one folder, in
turns. Files are replaced atomically; keys we do not know are kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..eth.codec import load_json
from ..protocol import chains
from ..protocol.orders import NULL_ADDRESS
from ..sdk import files, local
from . import prompts

__all__ = [
    "CHAIN_FILE",
    "CHAIN_TEMPLATE",
    "CONFIG_FILE",
    "CONFIG_TEMPLATE",
    "ORDERS_FILE",
    "add_chain_option",
    "add_force_option",
    "create",
    "deployed_address",
    "load",
    "order_template",
    "save",
    "selected_chain",
]

CONFIG_FILE, CHAIN_FILE = "iexec.json", "chain.json"
DEPLOYED_FILE, ORDERS_FILE = "deployed.json", "orders.json"
MAX_FILE = 16 * 1024 * 1024

CONFIG_TEMPLATE: Mapping[str, object] = {
    "description": "My iExec ressource description, must be at least 150 chars long in order to "
    "pass the validation checks. Describe your application, dataset or workerpool to your users",
    "license": "MIT",
    "author": "?",
    "social": {"website": "?", "github": "?"},
    "logo": "logo.png",
}
CHAIN_TEMPLATE: Mapping[str, object] = chains.new_chain_file()


def add_chain_option(parser: argparse.ArgumentParser) -> None:
    """``--chain``."""
    parser.add_argument(
        "--chain", metavar="NAME", help="chain name or id (default: that of chain.json)"
    )


def add_force_option(parser: argparse.ArgumentParser) -> None:
    """``--force``."""
    parser.add_argument("--force", action="store_true", help="answer yes to every question")


def create(name: str, content: Mapping[str, object], options: argparse.Namespace) -> bool:
    """Write a new file; asks before replacing one. False where the old one was kept."""
    path = Path(name)
    if path.exists() and not prompts.confirm(
        f'"{name}" already exists, replace it with new one?', options
    ):
        return False
    save(name, content)
    return True


def save(name: str, content: Mapping[str, object]) -> None:
    """Replace a file atomically."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    files.atomic_write(Path(name), text, mode=files.PUBLIC)


def load(name: str, *, missing: Mapping[str, object] | None = None) -> dict[str, Any]:
    """A project file as an object. ``missing`` is what an absent file means; without, an error."""
    path = Path(name)
    if not path.exists():
        if missing is not None:
            return dict(missing)
        raise ConfigurationError(f'Missing "{name}" file, did you forget to run "iexec-lite init"?')
    try:
        content = load_json(files.read_text(path, max_bytes=MAX_FILE))
    except ValueError as error:
        raise ConfigurationError(f"SyntaxError: {error} in {name}", cause=error) from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{name} must hold a JSON object")
    return content


def selected_chain(options: argparse.Namespace) -> chains.Chain:
    """The chain that ``--chain`` or chain.json names; built-in names need no entry there."""
    if options.chain == local.SANDBOX:
        return local.sandbox_chain()
    file = chains.ChainFile.from_dict(load(CHAIN_FILE, missing=CHAIN_TEMPLATE))
    return file.select(options.chain, extra=local.sandbox_records()).chain


def deployed_address(kind: str, chain_id: int) -> str:
    """Address of the last ``app``, ``dataset`` or ``workerpool`` deployed here, or zero."""
    found = load(DEPLOYED_FILE, missing={}).get(kind)
    address = found.get(str(chain_id)) if isinstance(found, dict) else None
    return address if isinstance(address, str) else NULL_ADDRESS


def order_template(kind: str, chain_id: int, wallet: str) -> dict[str, object]:
    """The order of this kind that ``order init`` writes (cli.md §4.2)."""
    restrict = dict.fromkeys(
        ("datasetrestrict", "apprestrict", "workerpoolrestrict", "requesterrestrict"), NULL_ADDRESS
    )
    if kind == "requestorder":
        return {
            "app": NULL_ADDRESS,
            "appmaxprice": "0",
            "dataset": NULL_ADDRESS,
            "datasetmaxprice": "0",
            "workerpool": NULL_ADDRESS,
            "workerpoolmaxprice": "0",
            "volume": "1",
            "category": "0",
            "trust": "0",
            "tag": [],
            "beneficiary": wallet,
            "callback": NULL_ADDRESS,
            "params": {
                "iexec_args": "",
                "iexec_input_files": [],
                "iexec_result_encryption": False,
            },
            "requester": wallet,
        }
    resource = kind.removesuffix("order")
    own = f"{resource}restrict"
    extra = {"category": "0", "trust": "0"} if resource == "workerpool" else {}
    return {
        resource: deployed_address(resource, chain_id),
        f"{resource}price": "0",
        "volume": "1" if resource == "workerpool" else "1000000",
        **extra,
        "tag": [],
        **{name: value for name, value in restrict.items() if name != own},
    }
