"""The mutation run tells a change that a test sees from one that none sees; its figures add up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="mutants are tried in forks")
if os.name == "posix":
    sys.path.insert(0, str(ROOT / "tools"))
    import mutate
    import mutation_report as report
    from mutation import cold, forks, mutants, tree

    sys.path.pop(0)

SOURCE = '''"""Doc."""
def f(a, b):
    """Doc."""
    if a < b and not b:
        raise ValueError
    return a + 1
'''


def test_mutants() -> None:
    found = {each.what: each for each in mutants.mutants("eth/f.py", SOURCE)}
    assert "4:7: a < b → a <= b" in found
    assert "4:17: not b → b" in found
    assert "5:8: raise ValueError → pass" in found
    assert not any("Doc" in text for text in found)
    one = found["6:11: a + 1 → a - 1"]
    assert one.lines == (6,)
    spaces: dict[str, Any] = {}
    exec(compile(mutants.changed(SOURCE, one.number), "f", "exec"), spaces)
    assert spaces["f"](7, 1) == 6
    with pytest.raises(ValueError, match=r"^$"):
        spaces["f"](-1, 0)


def test_only_the_changed_function_is_exchanged() -> None:
    source = "A = 1\ndef f():\n    return 2\ndef g():\n    return lambda: 3\n"
    old = compile(source, "m", "exec")
    names = {}
    for each in mutants.mutants("eth/m.py", source):
        new = compile(mutants.changed(source, each.number), "m", "exec")
        found = mutants.swaps(old, new)
        names[each.what] = found and [code.co_name for code, _ in found]
    assert names == {
        "1:4: 1 → 2": None,
        "3:4: return 2 → return None": ["f"],
        "3:11: 2 → 3": ["f"],
        "5:4: return lambda: 3 → return None": ["g"],
        "5:19: 3 → 4": ["g", "<lambda>"],
    }


PLANTED = '''
"""A module with tests that see some of it."""
LIMIT = 10
NAME = "nobody reads this"
def inside(a, b):
    if a < b:
        return LIMIT
    return a + 1
def down(n):
    while n > 0:
        n -= 1
    return n
def unseen():
    return 7
CASES = ("a",)
'''
SEEING = """
import pytest
from iexec_lite.eth.rlp import CASES, down, inside, unseen
@pytest.mark.parametrize("name", CASES)
def test_case(name):
    assert name == "a"
def test_inside():
    assert inside(1, 3) == 10
    assert inside(5, 3) == 6
def test_down():
    assert down(3) == 0
def test_fails_as_it_is():
    assert unseen() == 8
"""
TRY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
import mutate
from mutation import cold, tree, warm
tree.ROOT, cold.PATIENCE, warm.GRACE = Path.cwd(), 5, 1
tree.PACKAGE = tree.ROOT / "iexec_lite"
mutate.main()
"""


def plant(folder: Path) -> None:
    for path, text in (
        ("iexec_lite/__init__.py", ""),
        ("iexec_lite/eth/__init__.py", ""),
        ("iexec_lite/eth/rlp.py", PLANTED),
        ("tests/unit/eth/test_rlp.py", SEEING),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


def test_a_seen_change_is_told_from_an_unseen_one(tmp_path: Path) -> None:
    """In a process of its own: pytest in pytest would see the modules that are loaded here."""
    plant(tmp_path)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    words = [sys.executable, "-c", TRY, str(ROOT / "tools"), "--out", "out.jsonl"]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "test_fails_as_it_is" in done.stdout, done.stderr
    lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    told = {each["mutant"].partition(" ")[2]: each for each in map(json.loads, lines)}
    found = {
        what: (each["found"], each["by"].partition("::")[2] or each["by"])
        for what, each in told.items()
    }
    assert found == {
        "3:8: 10 → 11": ("killed", "test_inside"),
        "4:7: 'nobody reads this' → 'nobody reads thisx'": ("survived", ""),
        "6:4: if a < b: return LIMIT → if not a < b: return LIMIT": ("killed", "test_inside"),
        "6:7: a < b → a <= b": ("survived", ""),
        "7:8: return LIMIT → return None": ("killed", "test_inside"),
        "8:4: return a + 1 → return None": ("killed", "test_inside"),
        "8:11: a + 1 → a - 1": ("killed", "test_inside"),
        "8:15: 1 → 2": ("killed", "test_inside"),
        "10:4: while n > 0: n -= 1 → while not n > 0: n -= 1": ("killed", "test_down"),
        "10:10: n > 0 → n >= 0": ("killed", "test_down"),
        "10:14: 0 → 1": ("killed", "test_down"),
        "11:8: n -= 1 → pass": ("killed", "time or memory"),
        "11:13: 1 → 2": ("killed", "test_down"),
        "12:4: return n → return None": ("killed", "test_down"),
        "14:4: return 7 → return None": ("survived", "not run"),
        "14:11: 7 → 8": ("survived", "not run"),
        "15:9: 'a' → 'ax'": ("killed", "test_case[ax]"),
    }


def test_what_must_be_whole_is_found() -> None:
    whole = set(tree.whole())
    assert {"eth/abi.py", "eth/abi_decode.py", "eth/eip712_types.py", "protocol/orders.py"} <= whole
    assert not whole & set(tree.elsewhere())
    assert {"eth/crypto.py", "net/rpc.py", "sdk/client.py", "cli/text.py"} <= set(tree.elsewhere())


def test_tables_are_tried_with_the_tests_that_import_them() -> None:
    folders = ("unit/eth", "unit/protocol", "vectors")
    files = [path for each in folders for path in (ROOT / "tests" / each).glob("test_*.py")]
    seconds = {f"{path.relative_to(ROOT).as_posix()}::test": 0.1 for path in files}
    run = cold.Cold({"seconds": seconds, "touched": {}, "bad": []}, 4)
    first = {name: run.stages(name) for name in tree.whole()}
    assert first["protocol/units.py"][0] == ["tests/unit/protocol/test_units.py"]
    assert first["protocol/templates.py"] == [["tests/vectors/test_recorded_tables.py"]]
    # nothing imports the events but the contracts
    assert "tests/vectors/test_recorded_contracts.py" in first["protocol/events.py"][1]
    assert all(first.values())


# ---- what is kept of a run -----------------------------------------------------------------------


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report.OUT.read_text("utf-8"))
    return found


def test_the_figures_add_up_and_suffice() -> None:
    assert report.faults(kept()) == []
    whole = kept()["whole"]
    assert whole["mutants"] == whole["wanted"] > 5000
    assert whole["killed"] >= 0.9 * whole["mutants"]
    assert set(whole["modules"]) == {name for name in tree.whole() if mutated(name)}


def mutated(module: str) -> bool:
    return bool(mutants.mutants(module, (tree.PACKAGE / module).read_text("utf-8")))


def test_the_page_says_the_same_figures() -> None:
    page = " ".join((ROOT / "docs/security.md").read_text("utf-8").split())
    for name in ("whole", "elsewhere"):
        part = kept()[name]
        assert f"{part['killed']} of {part['mutants']}" in page
    tried, killed = kept()["whole"]["imported"]
    assert f"of {tried} of tables and defaults {killed}" in page


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda part, _: part.update(killed=part["killed"] + 1), "killed is not the sum"),
        (lambda part, row: row.__setitem__(0, row[0] + 1), "are not those killed and those listed"),
        (lambda part, _: part.update(mutants=2 * part["mutants"]), "only"),
        (
            lambda part, _: part.update(mutants=400, killed=399),
            "only 400 were tried",
        ),
        (lambda part, _: named(part, ""), "a survivor without a reason"),
        (
            lambda part, _: named(part, "equivalent: so it is said"),
            "too many are called equivalent",
        ),
    ],
)
def test_other_figures_do_not(change: Any, text: str) -> None:
    planted = kept()
    part = planted["elsewhere"]
    change(part, next(iter(part["modules"].values())))
    assert any(text in each for each in report.faults(planted))


def test_of_the_whole_part_nothing_is_untried() -> None:
    planted = kept()
    planted["whole"]["wanted"] += 7
    assert report.faults(planted) == ["whole: 7 were not tried"]


def named(part: dict[str, Any], reason: str) -> None:
    """Give this reason for every survivor, as many as it takes."""
    part["survivors"]["sdk/x.py"] = {str(at): reason for at in range(part["mutants"])}


def test_a_run_becomes_figures(tmp_path: Path) -> None:
    found = mutants.mutants("eth/f.py", SOURCE)
    results = mutate.Results(tmp_path / "out.jsonl")
    for at, each in enumerate(found):
        results.add(each, forks.End(at % 3, "not run" if at == 0 else ""), imported=at < 3)
    reasons = {"eth/f.py": {found[3].what: "kept from the last time"}}
    known = mutate.Results(results.path).known
    part = report.figures(found, known, reasons)
    lived = [found[0], *found[3::3]]  # that no test runs the first one is no excuse
    assert part["imported"] == [3, 2]
    assert part["wanted"] == len(found)
    assert part["modules"] == {"eth/f.py": [len(found), len(found) - len(lived)]}
    assert part["survivors"] == {
        "eth/f.py": {
            each.what: "kept from the last time" if each == found[3] else report.UNTOLD
            for each in lived
        }
    }
    results.add(found[0], forks.End(0, "same"))  # one that changes nothing is none
    part = report.figures(found, results.known, reasons)
    assert part["wanted"] == part["mutants"] == len(found) - 1
