"""``iexec-lite registry validate``: is a project ready for the public registry (cli.md §8.14).

Contacts nothing: iexec.json, the logo and deployed.json of the folder are looked at. TEE apps are
accepted, which V6 refused.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, IExecError, ValidationError
from ..sdk import files
from . import output, project
from .parser import Group

__all__ = ["image_size", "register"]

REGISTRIES = {
    "app": "iexec-dapps-registry",
    "workerpool": "iexec-pools-registry",
    "dataset": "iexec-datasets-registry",
}
HOST = "https://github.com/iExecBlockchainComputing/"
SIDE = 180  # pixels of a logo
EXTENSIONS = {"jpg": ("jpg", "jpeg"), "png": ("png",), "gif": ("gif",)}

Rule = Callable[[Any], object]  # raises ValidationError


def register(group: Group) -> None:
    """The commands of the group."""
    parser = group.command(
        "validate",
        validate,
        "check iexec.json, logo and deployed.json before you submit them",
        arguments=" | ".join(REGISTRIES),
        example="registry validate app",
    )
    parser.add_argument("kind", metavar="|".join(REGISTRIES), help="what the project describes")


def validate(options: argparse.Namespace) -> output.Result:
    """Check the three files; all faults of all of them are told."""
    kind = options.kind
    if kind not in REGISTRIES:
        raise ConfigurationError(
            f'Unknown object "{kind[:40]}". Must be one of [{",".join(REGISTRIES)}]'
        )
    config = project.load(project.CONFIG_FILE)
    logo = config.get("logo")
    checks: dict[str, Callable[[], object]] = {project.CONFIG_FILE: lambda: _schema(kind)(config)}
    if isinstance(logo, str) and logo:  # else its absence is a fault of iexec.json
        checks[logo] = lambda: _check_logo(logo)
    checks[project.DEPLOYED_FILE] = lambda: _check_deployed(kind)
    validated, failures = [], []
    for name, check in checks.items():
        try:
            check()
            validated.append(name)
        except IExecError as error:
            faults = getattr(error, "errors", (error.message,))
            failures += [f"{name}: {fault}" for fault in faults]
    said = (
        f"{kind} description is valid. You can now submit it to the {kind} registry: "
        f"{HOST}{REGISTRIES[kind]}"
    )
    return output.Result(
        payload={"validated": validated},
        text="" if failures else said,
        failures=failures,
        title="Invalid files",
    )


def _check_deployed(kind: str) -> None:
    deployed = project.load(project.DEPLOYED_FILE, missing={})
    if not project.member(deployed, kind, project.DEPLOYED_FILE):
        raise ConfigurationError(f'Missing {kind} field. You should run "iexec-lite {kind} deploy"')


# -- iexec.json -------------------------------------------------------------------------------


def _schema(kind: str) -> Rule:
    """What iexec.json must hold for one kind. Names that end in ``?`` may be absent."""
    from ..protocol import objects
    from ..protocol.chains import chain_id
    from ..protocol.columns import ADDRESS, BYTES32, UINT256

    address = ADDRESS["column"].parse

    def addresses(value: object) -> None:
        for chain, each in _mapping(value).items():
            chain_id(chain)
            address(each)

    buy_conf = _object(
        {
            "params": _object({"iexec_args?": _text}, closed=True),
            "trust?": UINT256["column"].parse,
            "tag?": BYTES32["column"].parse,
            "callback?": address,
        }
    )
    dapp = _object({"name": _text, "addresses": addresses, "buyConf?": buy_conf})
    common: dict[str, Rule] = {
        "type?": _text,
        "description": _description,
        "logo": _text,
        "social": _object({"website?": _text, "github?": _text}),
        "repo?": _text,
    }
    author: dict[str, Rule] = {"license": _text, "author": _text}
    own: dict[str, dict[str, Rule]] = {
        "app": {**author, "app": objects.App.from_dict, "buyConf": buy_conf},
        "dataset": {
            **author,
            "categories?": _text,
            "dataset": objects.Dataset.from_dict,
            "dapps?": _list(dapp),
        },
        "workerpool": {"workerpool": objects.Workerpool.from_dict},
    }
    return _object({**common, **own[kind]}, closed=True)


def _object(members: Mapping[str, Rule], *, closed: bool = False) -> Rule:
    """An object with these members; a ``closed`` one has no others."""

    def check(value: object) -> None:
        content, faults = _mapping(value), []
        for member, rule in members.items():
            name = member.rstrip("?")
            if content.get(name) in (None, ""):
                if name == member:
                    faults.append(f"{name} is a required field")
                continue
            try:
                rule(content[name])
            except ValidationError as error:
                faults += [f"{name}: {fault}" for fault in error.errors]
        unknown = [name for name in content if name not in members and f"{name}?" not in members]
        if closed and unknown:
            faults.append(f"this field has unspecified keys: {', '.join(unknown)}")
        if faults:
            raise ValidationError.collect(faults)

    return check


def _list(rule: Rule) -> Rule:
    def check(value: object) -> None:
        if not isinstance(value, list):
            raise ValidationError("must be an array")
        for each in value:
            rule(each)

    return check


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValidationError("must be an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError("must be text")
    return value


def _description(value: object) -> None:
    length = len(_text(value))
    if not 150 <= length <= 2000:
        raise ValidationError(f"must be 150 to 2000 characters long, it has {length}")


# -- the logo ---------------------------------------------------------------------------------


def _check_logo(name: str) -> None:
    if not os.path.exists(name):
        raise ConfigurationError(f'Missing "{name}" logo image file')
    kind, width, height = image_size(files.read_bytes(name))
    faults = []
    if (width, height) != (SIDE, SIDE):
        faults.append(f"{name} dimensions should be {SIDE}px by {SIDE}px, NOT {width} by {height}")
    extension = Path(name).suffix[1:].lower()
    if extension not in EXTENSIONS[kind]:
        faults.append(f"Extension mismatch: {kind} =/= {extension}")
    if faults:
        raise ValidationError.collect(faults)


def image_size(data: bytes) -> tuple[str, int, int]:
    """``png``, ``gif`` or ``jpg``, width and height in pixels, of an image file's first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return "png", *_pair(data[16:24], 4, "big")
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        return "gif", *_pair(data[6:10], 2, "little")
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a byte of filling
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame begins
            height, width = _pair(data[at + 5 : at + 9], 2, "big")
            return "jpg", width, height
        else:
            at += 2 + size
    raise ValidationError("not an image whose size can be read: give a PNG, JPEG or GIF file")


def _pair(data: bytes, size: int, order: Any) -> tuple[int, int]:
    return int.from_bytes(data[:size], order), int.from_bytes(data[size:], order)
