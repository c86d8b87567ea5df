"""Known faults of what we depend on: ``tox -e audit``. Not a part of CI: it asks a service.

``pip-audit`` skips every package and still ends with status 0 where its service does not answer.
Here a package that was not looked up is a failure: silence is no good news.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "requirements"


def problems(report: str, names: set[str]) -> list[str]:
    """What a report of pip-audit (JSON) says is wrong, and whom of ``names`` it says nothing of."""
    try:
        found = {
            each["name"].lower().replace("_", "-"): each
            for each in json.loads(report)["dependencies"]
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return ["pip-audit gave no report"]
    bad = [f"{name}: not looked up" for name in sorted(names - found.keys())]
    for name, each in sorted(found.items()):
        if "skip_reason" in each or "vulns" not in each:
            bad.append(f"{name}: not looked up: {each.get('skip_reason', 'no answer')}")
        bad += [f"{name} {each['version']}: {fault['id']}" for fault in each.get("vulns", ())]
    return bad


def audit(lock: Path) -> list[str]:
    names = set(re.findall(r"(?m)^([a-z0-9-]+)==(?!.*(?:platform|python_full)_)", lock.read_text()))
    command = ("--requirement", lock, "--require-hashes", "--disable-pip", "--format", "json")
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    bad = problems(done.stdout, names)
    if done.returncode and not bad:
        bad = [f"pip-audit ended with status {done.returncode}"]
    return [f"{lock.name}: {text}" for text in bad] + ([done.stderr.strip()[-500:]] if bad else [])


def main() -> int:
    found = [text for lock in sorted(FOLDER.glob("*.txt")) for text in audit(lock)]
    print("\n".join(found) or "every locked package was looked up, and nothing is known against it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
