"""Cold: the package is imported anew, with one module changed."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
from collections import Counter, defaultdict
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from . import tree
from .forks import forked
from .mutants import Mutant, changed
from .warm import OPTIONS

BUDGET = 40.0  # seconds of tests for a mutant, as they took when nothing was changed
PATIENCE = 180  # seconds of processor time for a cold mutant: endless loops are noticed


class Changed(importlib.abc.SourceLoader):
    """Loads one module from a changed tree."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self.path, self.tree = path, tree

    def get_filename(self, name: str) -> str:
        return str(self.path)

    def get_data(self, path: Any) -> bytes:
        return self.path.read_bytes()

    def get_code(self, name: str) -> Any:
        return compile(self.tree, str(self.path), "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, loader: Changed) -> None:
        self.name, self.loader = name, loader

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.loader.path, loader=self.loader)


class Quick:
    """Only tests of which is known that they pass, quickest first, as long as there is time.

    What is changed may be in the name of a case: then its function must have passed with all cases.
    """

    def __init__(self, seconds: dict[str, float], functions: dict[str, float], budget: float):
        self.seconds, self.functions, self.budget, self.failed = seconds, functions, budget, ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        taken = {each: self._taken(each.nodeid) for each in items}
        known = sorted((each for each in items if taken[each] >= 0), key=taken.__getitem__)
        spent = accumulate(taken[each] for each in known)
        items[:] = [each for each, total in zip(known, spent, strict=True) if total < self.budget]

    def _taken(self, test: str) -> float:
        """How long it took when nothing was changed; negative if it did not pass."""
        return self.seconds.get(test, self.functions.get(test.partition("[")[0], -1))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = report.nodeid


class Cold:
    """Tries mutants in forks of a process that has everything loaded but the package."""

    def __init__(self, told: dict[str, Any], budget: float) -> None:
        self.seconds, self.touched, self.budget = told["seconds"], told["touched"], budget
        self.kills: dict[str, Counter[str]] = defaultdict(Counter)
        self.all = sorted({each.partition("::")[0] for each in self.seconds})
        bad = {each.partition("[")[0] for each in told["bad"]}
        names = {
            each: each.partition("[")[0]
            for each in sorted(self.seconds, key=self.seconds.__getitem__)
        }
        self.functions = {n: self.seconds[each] for each, n in names.items() if n not in bad}
        self.near: dict[str, list[str]] = {}
        self.imports = {each: imported(tree.ROOT / each) for each in self.all}
        self.imports |= {
            each: imported(tree.PACKAGE / each) for each in (*tree.whole(), *tree.elsewhere())
        }

    def stages(self, module: str) -> list[list[str]]:
        """Test files, tried one after the other: the one that kills, near ones, the rest."""
        if module not in self.near:
            self.near[module] = self._near(module)
        best = [each for each, _ in self.kills[module].most_common(3)]
        first = list(dict.fromkeys([*best, *self.near[module]]))
        rest = [each for each in self.all if each not in first] if self.budget >= BUDGET else []
        return [each for each in (first[:1], first[1:], rest) if each]

    def _near(self, module: str) -> list[str]:
        """Those named like the module, those that import it, those that run most of it."""
        layer, _, rest = module.partition("/")
        stem = Path(rest).stem
        named = [
            form.format(layer, each)
            for each in (stem, stem.split("_")[0])
            for form in ("tests/unit/{}/test_{}.py", "tests/vectors/test_recorded_{1}.py")
        ]
        mine = tree.name_of(module)
        users = {tree.name_of(other) for other, names in self.imports.items() if mine in names}
        importing = [each for each in self.all if mine in self.imports[each]]
        importing = importing or [each for each in self.all if users & self.imports[each]]
        most = [each for each, _ in Counter(self.touched.get(module, {})).most_common(4)]
        pages = [tree.PAGES] if layer in ("cli", "sdk") else []
        found = dict.fromkeys([*pages, *named, *importing, *most])
        return [each for each in found if each in self.all]

    def attempt(self, mutant: Mutant) -> tuple[int, int]:
        source = (tree.PACKAGE / mutant.module).read_text("utf-8")
        code = ast.parse(source) if mutant.number < 0 else changed(source, mutant.number)
        return forked(lambda pipe: self._child(pipe, mutant.module, code))

    def _child(self, pipe: int, module: str, code: ast.Module) -> NoReturn:
        import pytest

        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 1))
        signal.setitimer(signal.ITIMER_REAL, 10 * PATIENCE)
        sys.meta_path.insert(0, Finder(tree.name_of(module), Changed(tree.PACKAGE / module, code)))
        for files in self.stages(module):
            quick = Quick(self.seconds, self.functions, self.budget)
            if pytest.main(["-x", "--tb=native", *OPTIONS, *files], plugins=[quick]) not in (0, 5):
                os.write(pipe, (quick.failed or "import").encode())
                os._exit(1)
        os._exit(0)


def imported(path: Path) -> set[str]:
    """Names that a file imports, each as if it were a module."""
    found = set()
    package = path.parent.relative_to(tree.ROOT).parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            name = ".".join([*above, *filter(None, [node.module])])
            found |= {name, *(f"{name}.{each.name}" for each in node.names)}
    return found
