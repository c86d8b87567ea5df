"""Mutation testing: does a test fail when the code is changed? ``tox -e mutation``.

    python tools/mutate.py --jobs 2 --elsewhere 800 --out .tox/mutation.jsonl
    python tools/mutation_report.py .tox/mutation.jsonl

Mutants are small changes of one place: another comparison, operator, number, text, condition; a
statement or a ``not`` left out. First every test runs once, alone, under coverage.py: which lines
it runs and how long it takes. Then a mutant inside a function (*warm*) is tried in a fork of that
process, where the code of the function is exchanged and the tests that run the line follow, those
first that killed its neighbours, then the quickest, until one fails. What is made when a module is
imported (*cold*: tables, fields, defaults) is tried in a fork of a process that has not imported
the package: the test files named like the module and those that import it, then every quick test.
What each part does is in ``mutation/``.

Why not mutmut 3: of our mutants it has no 27 %, because it leaves out what is outside functions and
every decorated function (events, rules and templates would have 4 mutants of 256).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from mutation import tree
from mutation.cold import BUDGET, Cold
from mutation.forks import Effort, End, tried
from mutation.mutants import Mutant, mutants
from mutation.warm import Warm, warm

SEED = "2028"
CONTROL = 100  # one try in so many is of the code as it is


def chosen(modules: Iterable[str], sample: int, seed: str) -> list[Mutant]:
    """Mutants in the order in which they are tried; the draw is the same for the same code."""
    found = [
        mutant
        for module in modules
        for mutant in mutants(module, (tree.PACKAGE / module).read_text("utf-8"))
    ]
    random.Random(seed).shuffle(found)
    return found[:sample] if sample else found


class Results:
    """One line of JSON for every mutant tried, the last one counts: what was cut goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read()

    def read(self) -> None:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        self.known = {each["mutant"]: each for each in map(json.loads, lines)}

    def found(self, mutant: Mutant) -> str:
        """``killed``, ``survived``, ``cold`` (to be tried so), ``same`` (no change) or nothing."""
        return str(self.known.get(mutant.key, {}).get("found", ""))

    def add(self, mutant: Mutant, end: End, *, imported: bool = False) -> None:
        """``by``: the test that failed; of one that lives, why no test could, if that is so."""
        found = end.said if end.said in ("same", "cold") else "survived"
        by = "" if end.said == found else end.said
        if end.status:
            found, by = "killed", end.said or "time or memory"
        entry = {"mutant": mutant.key, "found": found, "by": by, "imported": imported}
        self.known[mutant.key] = entry
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def run(wanted: list[Mutant], results: Results, options: argparse.Namespace) -> None:
    """Try mutants until all are done or the time is used up."""
    effort = Effort(options.jobs, time.time() + options.seconds)
    notes = results.path.with_suffix(".tests.json")
    if not options.measured:
        notes.unlink(missing_ok=True)
    waiting = [each for each in wanted if results.found(each) == options.again]
    child = os.fork()
    if child == 0:  # so that this process does not import the package
        status = 1
        try:
            then = lambda session: _warm(session, waiting, results, notes, effort)  # noqa: E731
            warm(options.tests, options.budget, then)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("the tests could not be run as the code is")
    results.read()
    cold = [each for each in wanted if results.found(each) == "cold"]
    _cold(Cold(json.loads(notes.read_text("utf-8")), options.budget), cold, results, effort)


def _warm(
    session: Warm, wanted: list[Mutant], results: Results, notes: Path, effort: Effort
) -> None:
    if notes.exists():
        session.read(notes)
    else:
        with tempfile.TemporaryDirectory() as folder:
            session.measure(Path(folder), effort)
        session.save(notes)
        bad = [f"{name}: {why}" for name, why in session.bad.items()]
        print("these tests are of no use:", *bad, sep="\n", flush=True)
    for mutant, end in tried(_controlled(wanted), session.attempt, effort):
        if mutant.number < 0:
            _same(mutant, end)
            continue
        imported = end == End(0, "") and session.run_by(mutant)[1]
        results.add(mutant, End(0, "cold") if imported else end)
        if end.status and end.said:
            session.kills[mutant.module, mutant.lines[0] // 20][end.said] += 1


def _controlled(wanted: list[Mutant]) -> Iterator[Mutant]:
    """Now and then one that is none: no test may fail."""
    for at, mutant in enumerate(wanted):
        if at % CONTROL == 0:
            yield mutant._replace(number=-1)
        yield mutant


def _same(mutant: Mutant, end: End) -> None:
    if end.status:
        raise SystemExit(f"tests fail although nothing is changed in {mutant.module}: {end}")


def _cold(cold: Cold, wanted: list[Mutant], results: Results, effort: Effort) -> None:
    for name in (
        *("pytest", "hypothesis", "coincurve", "eth_keys", "eth_hash.auto", "Crypto.Cipher.AES"),
        *("urllib3", "eth_abi", "eth_account", "falcon", "waitress", "http.server"),
    ):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    for mutant, end in tried(_controlled(wanted), cold.attempt, effort):
        if mutant.number < 0:
            _same(mutant, end)
            continue
        results.add(mutant, end, imported=True)
        if end.status and "::" in end.said:
            cold.kills[mutant.module][end.said.partition("::")[0]] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="below iexec_lite/; default: what must be whole")
    parser.add_argument("--elsewhere", type=int, default=0, help="so many of all other modules too")
    parser.add_argument("--sample", type=int, default=0, help="so many of the modules; 0: all")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--jobs", type=int, default=1, help="so many at a time")
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--tests", nargs="+", default=tree.TESTS, help="files and folders")
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="seconds of tests each: less is quick"
    )
    parser.add_argument("--measured", action="store_true", help="the tests are as last time")
    parser.add_argument("--retry", dest="again", action="store_const", const="survived", default="")
    parser.add_argument("--out", type=Path, default=tree.ROOT / ".tox" / "mutation.jsonl")
    options = parser.parse_args()
    sys.path.insert(0, str(tree.ROOT))
    os.chdir(tree.ROOT)
    os.nice(10)
    wanted = chosen(options.modules or tree.whole(), options.sample, options.seed)
    if options.elsewhere:
        wanted += chosen(tree.elsewhere(), options.elsewhere, options.seed)
    results = Results(options.out)
    run(wanted, results, options)
    results.read()
    ends = Counter(map(results.found, wanted))
    done = ends["killed"] + ends["survived"]
    print(f"{ends['killed']} of {done} killed: {ends['killed'] / max(1, done):.1%}")
    return 0 if ends["killed"] >= 0.9 * done else 1


if __name__ == "__main__":
    sys.exit(main())
