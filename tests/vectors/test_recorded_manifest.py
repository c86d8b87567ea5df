"""The manifest tells the truth about the vectors, and a lie would be noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VERDICTS = ("invalid.json", "skips.json", "valid.json")
MAX_BYTES = 6_000_000
KEYS = {"about", "files", "record", "sources"}


def faults(root: Path) -> list[str]:
    """Everything that is wrong with a folder of vectors."""
    found = []
    content = json.loads((root / "MANIFEST.json").read_text("utf-8"))
    folders = {path.parent.name for path in root.glob("*/*.json")} - {"record"}
    found += [f"{name}: not in the manifest" for name in sorted(folders - set(content))]
    for name, suite in content.items():
        if set(suite) != KEYS or not suite["sources"]:
            found.append(f"{name}: wants {sorted(KEYS)} and a source")
        for source in suite["sources"]:
            if not all(source.get(key) for key in ("package", "version", "licence")):
                found.append(f"{name}: source without package, version or licence")
        present = {path.name for path in (root / name).glob("*.json")}
        if present != set(suite["files"]) or present != set(VERDICTS):
            found.append(f"{name}: files {sorted(present)}")
            continue
        for file, about in suite["files"].items():
            found += [
                f"{name}/{file}: {fault}" for fault in _file_faults(root / name / file, about)
            ]
    return found


def _file_faults(path: Path, about: dict[str, Any]) -> list[str]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != about["sha256"]:
        return ["sha256"]
    groups = {group: len(cases) for group, cases in json.loads(data).items()}
    wrong = ["groups"] if groups != about["groups"] else []
    return wrong + (["count"] if sum(groups.values()) != about["count"] else [])


def test_manifest_is_true(vectors: Path) -> None:
    assert faults(vectors) == []


def test_enough_of_each_order(vectors: Path) -> None:
    groups = json.loads((vectors / "MANIFEST.json").read_text("utf-8"))["orders"]["files"]
    for kind in ("apporder", "datasetorder", "workerpoolorder", "requestorder"):
        assert groups["valid.json"]["groups"][kind] >= 200


def test_vectors_stay_small(vectors: Path) -> None:
    files = [path for path in vectors.rglob("*") if "node_modules" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.is_file()) < MAX_BYTES


def test_lock_files_name_no_address(vectors: Path) -> None:
    for folder in (vectors / "record", vectors.parent / "tests" / "npm"):
        packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
        assert packages[""]["dependencies"]
        assert not [name for name, entry in packages.items() if "resolved" in entry]


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def drop_count(content: Any) -> None:
    content["tags"]["files"]["valid.json"]["count"] -= 1


def drop_group(content: Any) -> None:
    content["tags"]["files"]["valid.json"]["groups"].pop("encode6")


def drop_licence(content: Any) -> None:
    content["tags"]["sources"][0].pop("licence")


PLANTED: dict[str, Callable[[Path], object]] = {
    "a case changed": lambda root: (root / "tags" / "valid.json").write_bytes(
        (root / "tags" / "valid.json").read_bytes().replace(b"gpu", b"GPU", 1)
    ),
    "a file gone": lambda root: (root / "tags" / "skips.json").unlink(),
    "a file more": lambda root: (root / "tags" / "extra.json").write_text("{}"),
    "a suite unlisted": lambda root: shutil.copytree(root / "tags", root / "tags2"),
    "a count wrong": lambda root: edit(root / "MANIFEST.json", drop_count),
    "a group unlisted": lambda root: edit(root / "MANIFEST.json", drop_group),
    "a licence missing": lambda root: edit(root / "MANIFEST.json", drop_licence),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=list(PLANTED))
def test_planted_fault_is_found(
    plant: Callable[[Path], object], vectors: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "vectors"
    shutil.copytree(vectors / "tags", copy / "tags")
    content = json.loads((vectors / "MANIFEST.json").read_text("utf-8"))
    (copy / "MANIFEST.json").write_text(json.dumps({"tags": content["tags"]}), "utf-8")
    assert faults(copy) == []
    plant(copy)
    assert faults(copy) != []


class Broken:
    """Ways of computing that a runner must not let pass."""

    @staticmethod
    def always_raises(case: dict[str, Any]) -> object:
        raise ZeroDivisionError

    @staticmethod
    def echoes(case: dict[str, Any]) -> object:
        return "nothing of the kind"


@pytest.mark.parametrize("verdict", ["valid", "invalid", "skips"])
@pytest.mark.parametrize("compute", [Broken.always_raises, Broken.echoes])
def test_runner_reports_what_differs(
    verdict: str, compute: Callable[[dict[str, Any]], object], vectors: Path, recorded_type: Any
) -> None:
    files = json.loads((vectors / "MANIFEST.json").read_text("utf-8"))["units"]["files"]
    count = files[f"{verdict}.json"]["groups"]["rlc"]
    group = recorded_type(vectors, "units", verdict, "rlc", count)
    with pytest.raises(pytest.fail.Exception, match="differ"):
        group.run({"rlc": (compute, "amount")})


def test_runner_misses_no_group_and_no_case(vectors: Path, recorded_type: Any) -> None:
    with pytest.raises(KeyError):
        recorded_type(vectors, "units", "valid", "rlc", 1).run({})
    with pytest.raises(AssertionError, match="the manifest says"):
        recorded_type(vectors, "units", "valid", "rlc", 1).run({"rlc": (Broken.echoes, None)})
