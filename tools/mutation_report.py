"""What a run of tools/mutate.py found, for keeping: ``tests/mutation.json``.

    python tools/mutation_report.py --elsewhere 1000 .tox/mutation.jsonl
    python tools/mutation_report.py --part whole .tox/mutation.jsonl

``wanted`` counts the mutants that change anything: of the whole part all are tried. ``imported``
counts those of tables, fields and defaults, tried and killed.

For each module the file says how many mutants were tried and killed; one on a line that no unit
test runs lives. Every survivor has the reason why no test was written for it, by hand, which stays
when the file is written anew; one that begins with "equivalent" says that no test could tell it
from the code, one that begins with "a gap" that a test could.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "tests" / "mutation.json"
KILLED = {"whole": 0.9, "elsewhere": 0.9}  # at least
EQUIVALENT, DRAWN = 0.05, 500  # at most; at least
UNTOLD = "?"


def figures(wanted: list[Any], known: dict[str, Any], reasons: dict[str, Any]) -> dict[str, Any]:
    """The part of the file about these mutants: those not in ``known`` were not tried."""
    part: dict[str, Any] = {"wanted": len(wanted), "mutants": 0, "killed": 0, "imported": [0, 0]}
    part |= {"modules": {}, "survivors": {}}
    for each in sorted(wanted, key=lambda one: (one.module, one.lines, one.what)):
        found = known.get(each.key, {"found": ""})
        if found["found"] == "same":
            part["wanted"] -= 1
        if found["found"] not in ("killed", "survived"):
            continue
        killed = found["found"] == "killed"
        if found.get("imported"):
            part["imported"][0] += 1
            part["imported"][1] += killed
        row = part["modules"].setdefault(each.module, [0, 0])
        for at, (name, adds) in enumerate((("mutants", True), ("killed", killed))):
            part[name] += adds
            row[at] += adds
        if not killed:
            reason = reasons.get(each.module, {}).get(each.what, UNTOLD)
            part["survivors"].setdefault(each.module, {})[each.what] = reason
    return part


def faults(report: dict[str, Any]) -> list[str]:
    """What does not add up, or is below what is asked for."""
    bad = []
    for name in ("whole", "elsewhere"):
        part = report[name]
        for at, total in enumerate(("mutants", "killed")):
            if part[total] != sum(row[at] for row in part["modules"].values()):
                bad.append(f"{name}: {total} is not the sum of the modules")
        for module, (mutants, killed) in part["modules"].items():
            survivors = part["survivors"].get(module, {})
            if mutants != killed + len(survivors):
                bad.append(f"{module}: {mutants} mutants are not those killed and those listed")
        reasons = [each for found in part["survivors"].values() for each in found.values()]
        bad += [f"{name}: a survivor without a reason" for each in reasons if len(each) < 10]
        tried = part["mutants"]
        if part["killed"] < KILLED[name] * tried:
            bad.append(f"{name}: only {part['killed']} of {tried} are killed")
        if sum(each.startswith("equivalent") for each in reasons) > EQUIVALENT * tried:
            bad.append(f"{name}: too many are called equivalent")
        if name == "elsewhere" and tried < DRAWN:
            bad.append(f"elsewhere: only {tried} were tried")
        if name == "whole" and part["mutants"] != part["wanted"]:
            bad.append(f"whole: {part['wanted'] - part['mutants']} were not tried")
    return bad


def written(report: dict[str, Any]) -> str:
    """As text, with the figures of a module on one line."""
    text = json.dumps(report, indent=1, ensure_ascii=False)
    return re.sub(r"\[[\d,\s]+\]", lambda row: " ".join(row[0].split()), text) + "\n"


def main() -> int:
    import mutate
    from mutation import tree

    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--elsewhere", type=int, default=0, help="as of tools/mutate.py")
    parser.add_argument("--part", choices=KILLED, help="only this: the other stays as it is")
    parser.add_argument("--seed", default=mutate.SEED)
    options = parser.parse_args()
    known = mutate.Results(options.results).known
    old = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
    report: dict[str, Any] = {"seed": options.seed}
    for name, wanted in (
        ("whole", mutate.chosen(tree.whole(), 0, options.seed)),
        ("elsewhere", mutate.chosen(tree.elsewhere(), options.elsewhere, options.seed)),
    ):
        if options.part not in (None, name):
            report[name] = old[name]
            continue
        reasons = old.get(name, {}).get("survivors", {})
        report[name] = figures(wanted, known, reasons)
    OUT.write_text(written(report), "utf-8")
    bad = faults(report)
    print(*bad, sep="\n")
    return len(bad) > 0


if __name__ == "__main__":
    sys.exit(main())
