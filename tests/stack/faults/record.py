"""What the faults of a run met, kept in ``.tox/faults.json`` for people to look at."""

from __future__ import annotations

import json
from pathlib import Path

from iexec_lite.sdk.files import locked

FILE = Path(__file__).resolve().parents[3] / ".tox" / "faults.json"


def keep(name: str, found: dict[str, object]) -> None:
    """Beside what other tests, and other processes, wrote there."""
    FILE.parent.mkdir(exist_ok=True)
    with locked(FILE.with_suffix(".lock"), timeout=30, busy="faults.json is in use"):
        known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
        FILE.write_text(json.dumps({**known, name: found}, indent=1, sort_keys=True), "utf-8")
