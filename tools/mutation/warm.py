"""Warm: everything is loaded, and the code of one function is exchanged."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

from . import tree
from .forks import Effort, End, forked, tried
from .mutants import Mutant, changed, swaps

GRACE = 5  # seconds of processor time more than ten times what a test took: then it loops
OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


class Warm:
    """A pytest session that, once everything is loaded, tries mutants instead of running tests."""

    def __init__(self, cov: Any, budget: float, then: Callable[[Warm], None]) -> None:
        self.cov, self.budget, self.then = cov, budget, then
        self.items: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
        self.bad: dict[str, str] = {}
        self.lines: dict[str, dict[int, set[str]]] = {}
        self.kills: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    def pytest_configure(self, config: Any) -> None:
        """Properties draw the same cases in every run, and need not make a failure small."""
        try:
            from hypothesis import Phase, settings
        except ImportError:
            return
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutation", derandomize=True, database=None, phases=phases, deadline=None
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: Any) -> bool:
        if session.testsfailed:
            raise session.Failed("the tests do not load")
        for module in (
            *tree.whole(),
            *tree.elsewhere(),
        ):  # also those that are loaded when they are needed
            importlib.import_module(tree.name_of(module))
        self.cov.stop()
        self._ran(_lines_of(self.cov), "")
        session.config._tmp_path_factory.getbasetemp()  # one for all children
        self.items = {each.nodeid: each for each in session.items}
        self.functions: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
        self.caches = []
        gc.collect()
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and _ours(each):
                code = each.__code__
                place = (code.co_filename, code.co_name, code.co_firstlineno)
                self.functions[place].append(each)
            elif isinstance(each, _lru_cache_wrapper) and _ours(each.__wrapped__):
                self.caches.append(each)
        gc.freeze()
        self.then(self)
        return True

    def _forget(self) -> None:
        for each in self.caches:
            each.cache_clear()

    def _ran(self, lines: dict[str, list[int]], test: str) -> None:
        for path, numbers in lines.items():
            here = self.lines.setdefault(path, {})
            for number in numbers:
                here.setdefault(number, set()).add(test)

    def measure(self, folder: Path, effort: Effort) -> None:
        """Run each test alone in a fork; those that do not pass are of no use: ``bad``."""
        numbers = {name: at for at, name in enumerate(self.items)}

        def start(one: Mutant) -> tuple[int, int]:
            out = folder / f"{numbers[one.module]}.json"
            return forked(lambda pipe: self._measured(pipe, one.module, out))

        tests = [Mutant(name, -1, "", ()) for name in self.items]
        for (name, *_), end in tried(tests, start, effort):
            if end.status or end.said:
                self.bad[name] = end.said
                del self.items[name]
            else:
                told = json.loads((folder / f"{numbers[name]}.json").read_text("utf-8"))
                self.seconds[name] = told["seconds"]
                self._ran(told["lines"], name)

    def save(self, path: Path) -> None:
        """Keep what was measured; tests by their place in a list, -1 for importing."""
        number = {"": -1, **{name: at for at, name in enumerate(self.seconds)}}
        lines = {
            file: {line: sorted(number[name] for name in tests) for line, tests in found.items()}
            for file, found in self.lines.items()
        }
        told = {"seconds": self.seconds, "lines": lines, "touched": self._touched()}
        path.write_text(json.dumps({**told, "bad": sorted(self.bad)}), "utf-8")

    def read(self, path: Path) -> None:
        """What ``save`` kept, as far as it is about tests that are there."""
        told = json.loads(path.read_text("utf-8"))
        names = [*told["seconds"], ""]
        self.seconds = {n: t for n, t in told["seconds"].items() if n in self.items}
        self.items = {name: self.items[name] for name in self.seconds}
        for file, found in told["lines"].items():
            self.lines[file] = {int(line): {names[at] for at in ats} for line, ats in found.items()}

    def _touched(self) -> dict[str, Counter[str]]:
        """For each module, how many tests of which file run something of it."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for path, lines in self.lines.items():
            module = Path(path).relative_to(tree.PACKAGE).as_posix()
            for name in {name for names in lines.values() for name in names if name}:
                found[module][name.partition("::")[0]] += 1
        return found

    def _measured(self, pipe: int, name: str, out: Path) -> NoReturn:
        from _pytest.runner import runtestprotocol

        self._forget()
        cov = _coverage()
        cov.start()
        start = time.process_time()
        reports = runtestprotocol(self.items[name], nextitem=None, log=False)
        seconds = time.process_time() - start
        cov.stop()
        for report in reports:
            if not report.passed:
                os.write(pipe, str(report.longrepr)[-300:].encode())
                os._exit(1)
        out.write_text(json.dumps({"seconds": seconds, "lines": _lines_of(cov)}), "utf-8")
        os._exit(0)

    def run_by(self, mutant: Mutant) -> tuple[list[str], bool]:
        """The tests that run its lines, in a good order; and whether importing does so too."""
        lines = self.lines.get(str(tree.PACKAGE / mutant.module), {})
        found = {name for line in mutant.lines for name in lines.get(line, ())}
        near = self.kills[mutant.module, mutant.lines[0] // 20]
        tests = sorted(found & self.items.keys(), key=lambda each: self.seconds[each])
        tests.sort(key=lambda each: -near[each])
        total, chosen = 0.0, []
        for each in tests:
            total += self.seconds[each]
            if total > self.budget and chosen:
                break
            chosen.append(each)
        return chosen, "" in found

    def attempt(self, mutant: Mutant) -> tuple[int, int] | End:
        """Start its tests; an end at once if it is no change, cold, or run by no test."""
        tests, imported = self.run_by(mutant)
        if mutant.number < 0:
            return forked(lambda pipe: self.run(pipe, tests))
        path = tree.PACKAGE / mutant.module
        source = path.read_text("utf-8")
        old = compile(source, str(path), "exec", dont_inherit=True)
        new = compile(changed(source, mutant.number), str(path), "exec", dont_inherit=True)
        if old == new:
            return End(0, "same")
        found = swaps(old, new)
        if found is None:
            return End(0, "cold")
        if not tests:
            return End(0, "cold" if imported else "not run")
        return forked(lambda pipe: self._child(pipe, found, tests))

    def _child(
        self, pipe: int, found: list[tuple[CodeType, CodeType]], tests: list[str]
    ) -> NoReturn:
        self._forget()
        for old, new in found:
            for function in self.functions[old.co_filename, old.co_name, old.co_firstlineno]:
                if function.__code__ == old:
                    try:
                        function.__code__ = new
                    except ValueError:  # other free variables
                        os.write(pipe, b"cold")
                        os._exit(0)
        self.run(pipe, tests)

    def run(self, pipe: int, tests: list[str]) -> NoReturn:
        """Run tests until one fails; the status of the process says whether one did."""
        from _pytest.runner import runtestprotocol

        for each in tests:
            taken = self.seconds[each]
            # whoever loops for ever is ended
            signal.setitimer(signal.ITIMER_PROF, GRACE + 10 * taken)
            signal.setitimer(signal.ITIMER_REAL, 60 + 60 * taken)
            reports = runtestprotocol(self.items[each], nextitem=None, log=False)
            if any(report.failed for report in reports):
                os.write(pipe, each.encode())
                os._exit(1)
        os._exit(0)


def _ours(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and code.co_filename.startswith(f"{tree.PACKAGE}{os.sep}")


def warm(tests: list[str], budget: float, then: Callable[[Warm], None]) -> None:
    """Run all tests once, then what is to be done with them."""
    import pytest

    cov = _coverage()
    cov.start()
    words = [*OPTIONS, "--tb=native", *tree.existing(tests)]
    if pytest.main(words, plugins=[Warm(cov, budget, then)]) != 0:
        raise SystemExit("the tests do not run")


def _coverage() -> Any:
    import coverage

    cov = coverage.Coverage(data_file=None, include=[f"{tree.PACKAGE}/*"], config_file=False)
    cov.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
    return cov


def _lines_of(cov: Any) -> dict[str, list[int]]:
    data = cov.get_data()
    return {path: sorted(data.lines(path)) for path in data.measured_files()}
