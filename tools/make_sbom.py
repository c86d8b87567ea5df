"""Write ``docs/sbom.json``: the dependencies, as CycloneDX 1.5: ``python tools/make_sbom.py``.

Names and bounds come from setup.cfg, versions and hashes from ``requirements/runtime.txt`` (the
hash-locked set that CI tests), licences and who needs whom from the installed packages. The text
depends on nothing else: no time, no random serial number.
"""

from __future__ import annotations

import configparser
import json
import re
import uuid
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "sbom.json"
LOCK = ROOT / "requirements" / "runtime.txt"


def wanted(setup_cfg: str) -> dict[str, str]:
    """Name → bound of the direct dependencies."""
    config = configparser.ConfigParser()
    config.read_string(setup_cfg)
    lines = config["options"]["install_requires"].split("\n")
    return {name: bound.strip() for name, bound in (_split(line) for line in lines if line.strip())}


def _split(line: str) -> tuple[str, str]:
    match = re.match(r"\s*([A-Za-z0-9_.-]+)\s*(.*)", line)
    assert match
    return match[1].lower().replace("_", "-"), match[2]


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Name → (version, SHA-256 of its files) of a lock file."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in re.split(r"\n(?=[a-z])", text.strip()):
        match = re.match(r"([a-z0-9-]+)==([^\s;]+)", entry)
        assert match, entry
        found[match[1]] = (match[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


def bill(setup_cfg: str, lock: str, version: str) -> dict[str, Any]:
    """The document; packages that are not installed here have no licence in it."""
    direct, packages = wanted(setup_cfg), locked(lock)
    this = f"pkg:pypi/iexec-lite@{version}"
    refs = {name: f"pkg:pypi/{name}@{number}" for name, (number, _) in packages.items()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, this + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": this,
                "name": "iexec_lite",
                "version": version,
                "purl": this,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(name, refs[name], packages[name]) for name in sorted(packages)],
        "dependencies": [
            {"ref": this, "dependsOn": sorted(refs[name] for name in direct)},
            *({"ref": refs[n], "dependsOn": _needs(n, refs)} for n in sorted(packages)),
        ],
    }


def _component(name: str, ref: str, package: tuple[str, list[str]]) -> dict[str, Any]:
    version, hashes = package
    found: dict[str, Any] = {"type": "library", "bom-ref": ref, "name": name, "version": version}
    found["purl"] = ref
    if text := _licence(name):
        found["licenses"] = [{"license": {"name": text}}]
    # One for each file of the release; which one is installed depends on the machine.
    found["properties"] = [{"name": "iexec_lite:sha256", "value": each} for each in hashes]
    return found


def _licence(name: str) -> str:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [
        c.split(" :: ")[-1] for c in about.get_all("Classifier") or () if "License ::" in c
    ]
    short = str(about.get("License-Expression") or about.get("License") or "").split("\n")[0]
    return short[:60] or ", ".join(classified)


def _needs(name: str, refs: dict[str, str]) -> list[str]:
    """What a package needs of those in the lock, without its extras."""
    try:
        lines = [line for line in requires(name) or () if "extra ==" not in line]
    except PackageNotFoundError:
        return []
    return sorted({refs[n] for n, _ in map(_split, lines) if n in refs})


def made() -> str:
    """The text of the file as it should be, for what is installed here."""
    version = re.search(r'__version__ = "([^"]+)"', (ROOT / "iexec_lite/__init__.py").read_text())
    assert version
    setup_cfg = (ROOT / "setup.cfg").read_text("utf-8")
    return json.dumps(bill(setup_cfg, LOCK.read_text("utf-8"), version[1]), indent=1) + "\n"


if __name__ == "__main__":
    OUT.write_text(made(), "utf-8")
    print(f"{OUT.relative_to(ROOT)} written")
