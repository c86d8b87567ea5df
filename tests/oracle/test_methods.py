"""The list of methods that docs/methods.md answers to is what the JavaScript package has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LIST = Path(__file__).resolve().parents[2] / "tools" / "v6_methods.json"


def test_nothing_of_the_package_is_forgotten(oracle: Any) -> None:
    listed = json.loads(LIST.read_text("utf-8"))
    owed, left_out = listed["owed"], listed["not_owed"]
    assert all(left_out.values())
    in_package = set(owed) - set(listed["documented_only"])
    assert sorted(in_package | left_out.keys()) == oracle.ask("methods")
    assert not in_package & left_out.keys()
    assert len(set(owed)) == len(owed)
