"""Mutation testing: does a test fail when the code is changed? ``tox -e mutation``.

    python tools/mutate.py --jobs 2 --elsewhere 800 --out .tox/mutation.jsonl
    python tools/mutation_report.py .tox/mutation.jsonl

Mutants are small changes of one place: another comparison, operator, number, text, condition; a
statement or a ``not`` left out. First every test runs once, alone, under coverage.py: which lines
it runs and how long it takes. Then a mutant inside a function (*warm*) is tried in a fork of that
process, where the code of the function is exchanged and the tests that run the line follow, those
first that killed its neighbours, then the quickest, until one fails. What is made when a module is
imported (*cold*: tables, fields, defaults) is tried in a fork of a process that has not imported
the package: the test files of the module first, then every quick test.

Why not mutmut 3: of our mutants it has no 27 %, because it leaves out what is outside functions and
every decorated function (events, rules and templates would have 4 mutants of 256).
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib.abc
import importlib.util
import inspect
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import _lru_cache_wrapper
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "iexec_lite"
WHOLE = ("protocol/*.py", "eth/abi*.py", "eth/rlp.py", "eth/eip712*.py", "eth/transaction.py")
LAYERS = ("eth", "net", "sdk", "cli")
PAGES = "tests/meta/test_docs.py"  # every help text and default is in a page of docs/
TESTS = [*(f"tests/unit/{each}" for each in ("eth", "protocol", "net", "sdk", "cli"))]
TESTS += ["tests/vectors", "tests/property", PAGES]

SEED = "2026"
BUDGET = 40.0  # seconds of tests for a mutant, as they took when nothing was changed
CONTROL = 100  # one try in so many is of the code as it is
PATIENCE = 180  # seconds of processor time for a cold mutant: endless loops are noticed
GRACE = 5  # seconds of processor time more than ten times what a test took: then it loops
MEMORY = 3 << 30

COMPARE = {
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE},
    **{ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In},
}
NEGATED = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
OPERATE = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult},
    **{
        ast.BitAnd: ast.BitOr,
        ast.BitOr: ast.BitAnd,
        ast.LShift: ast.RShift,
        ast.RShift: ast.LShift,
    },
    **{ast.Mod: ast.Add, ast.Pow: ast.Mult},
}


# ---- mutants -------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """One change: ``number`` finds it again, ``lines`` are those of its statement."""

    module: str
    number: int
    what: str
    lines: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"{self.module} {self.what}"


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What one node may be changed to."""
    if isinstance(node, ast.Compare):
        for at, kind in enumerate(node.ops):
            new = copy.deepcopy(node)
            new.ops[at] = COMPARE[type(kind)]()
            yield new
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATE:
        new = copy.deepcopy(node)
        new.op = OPERATE[type(node.op)]()
        yield new
    elif isinstance(node, ast.BoolOp):
        new = copy.deepcopy(node)
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield new
        yield node.values[0]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        if not _negatable(node.test):  # its own mutant is the same
            new = copy.deepcopy(node)
            new.test = ast.UnaryOp(op=ast.Not(), operand=new.test)
            yield new
    elif isinstance(node, (ast.Raise, ast.Expr, ast.AugAssign)):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield ast.Return(value=ast.Constant(value=None))
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield ast.Pass()


def _negatable(test: ast.expr) -> bool:
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not)
    return isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], NEGATED)


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(value=not value)
    elif isinstance(value, int):
        yield ast.Constant(value=value + 1)
    elif isinstance(value, (str, bytes)) and value:
        yield ast.Constant(value=value + ("x" if isinstance(value, str) else b"x"))


def _left_out(node: ast.AST) -> bool:
    """Docstrings, ``__all__``, f-strings and what only type checkers read."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return True
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
        return True
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "TypeVar", "NewType"):
        return True
    return isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.arg))


class Place(NamedTuple):
    """Where a node hangs, and the statement that it is in."""

    parent: Any
    name: str
    at: int | None
    node: ast.AST
    statement: ast.AST

    def put(self, node: ast.AST) -> None:
        if self.at is None:
            setattr(self.parent, self.name, node)
        else:
            getattr(self.parent, self.name)[self.at] = node


def places(tree: ast.Module) -> Iterator[Place]:
    """Every node that may be changed."""
    waiting: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while waiting:
        parent, around = waiting.pop()
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for at, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or _left_out(node):
                    continue
                statement = node if isinstance(node, ast.stmt) else around
                yield Place(parent, name, at if isinstance(value, list) else None, node, statement)
                waiting.append((node, statement))


def _lines(place: Place) -> tuple[int, ...]:
    """Those of the statement (of its head, if it has a body) and of the node."""
    found: set[int] = set()
    for node in (place.statement, place.node):
        first = getattr(node, "lineno", None)
        if first is not None:
            body = getattr(node, "body", None)
            head = isinstance(body, list) and body
            last = max(first, body[0].lineno - 1) if head else node.end_lineno  # type: ignore
            found.update(range(first, last + 1))
    return tuple(sorted(found))


def mutants(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module."""
    found: dict[str, Mutant] = {}
    number = 0
    for place in places(ast.parse(source)):
        for new in changes(place.node):
            line, column = (getattr(place.node, each, 0) for each in ("lineno", "col_offset"))
            before, after = (_short(ast.unparse(each)) for each in (place.node, new))
            what = f"{line}:{column}: {before} → {after}"
            found.setdefault(what, Mutant(module, number, what, _lines(place)))
            number += 1
    return list(found.values())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "…"


def changed(source: str, number: int) -> ast.Module:
    """The tree of a mutant: what is not changed stays on its line."""
    tree = ast.parse(source)
    everything = ((place, new) for place in places(tree) for new in changes(place.node))
    place, new = next(each for at, each in enumerate(everything) if at == number)
    place.put(ast.copy_location(new, place.node))
    return ast.fix_missing_locations(tree)


def swaps(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """(code, new code) of every function that differs; None if something outside them does."""
    olds, news = ([c for c in code.co_consts if isinstance(c, CodeType)] for code in (old, new))
    found: list[tuple[CodeType, CodeType]] = []
    if old.co_flags & inspect.CO_NEWLOCALS and old.co_flags & inspect.CO_OPTIMIZED:
        found.append((old, new))
    elif len(olds) != len(news) or _own(old) != _own(new):
        return None
    for one, other in zip(olds, news, strict=False):
        if one != other:
            inner = swaps(one, other)
            if inner is None:
                return None
            found += inner
    return found


def _own(code: CodeType) -> tuple[Any, ...]:
    rest = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, rest


# ---- processes -----------------------------------------------------------------------------------


class Effort(NamedTuple):
    """How many processes, and until when."""

    jobs: int
    until: float


class End(NamedTuple):
    """How a child ended: 0 if no test failed, and what it said (which one did)."""

    status: int
    said: str


def forked(work: Callable[[int], NoReturn]) -> tuple[int, int]:
    """Start a child; (process id, where it writes to)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(quiet, stream)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            work(writing)
        finally:
            os._exit(1)
    os.close(writing)
    return child, reading


def tried(
    mutants: Iterable[Mutant],
    start: Callable[[Mutant], tuple[int, int] | End],
    effort: Effort,
) -> Iterator[tuple[Mutant, End]]:
    """Try some at a time, as long as there is time."""
    running: dict[int, tuple[Mutant, int]] = {}
    for mutant in mutants:
        if time.time() > effort.until:
            break
        started = start(mutant)
        if isinstance(started, End):
            yield mutant, started
            continue
        running[started[0]] = mutant, started[1]
        if len(running) >= effort.jobs:
            yield _next(running)
    while running:
        yield _next(running)


def _next(running: dict[int, tuple[Mutant, int]]) -> tuple[Mutant, End]:
    while True:
        child, status = os.wait()
        if child in running:  # and not something that a test left
            mutant, reading = running.pop(child)
            os.set_blocking(reading, False)
            try:
                said = os.read(reading, 4096).decode()
            except BlockingIOError:
                said = ""
            os.close(reading)
            return mutant, End(status, said)


# ---- warm: the function is exchanged -------------------------------------------------------------


class Warm:
    """A pytest session that, once everything is loaded, tries mutants instead of running tests."""

    def __init__(self, cov: Any, budget: float, then: Callable[[Warm], None]) -> None:
        self.cov, self.budget, self.then = cov, budget, then
        self.items: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}
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
        for module in (*whole(), *elsewhere()):  # also those that are loaded when they are needed
            importlib.import_module(_name(module))
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

    def measure(self, folder: Path, effort: Effort) -> list[str]:
        """Run each test alone in a fork; those that do not pass are of no use, and returned."""
        numbers = {name: at for at, name in enumerate(self.items)}
        bad = []

        def start(one: Mutant) -> tuple[int, int]:
            out = folder / f"{numbers[one.module]}.json"
            return forked(lambda pipe: self._measured(pipe, one.module, out))

        tests = [Mutant(name, -1, "", ()) for name in self.items]
        for (name, *_), end in tried(tests, start, effort):
            if end.status or end.said:
                bad.append(f"{name}: {end.said}")
                del self.items[name]
            else:
                told = json.loads((folder / f"{numbers[name]}.json").read_text("utf-8"))
                self.seconds[name] = told["seconds"]
                self._ran(told["lines"], name)
        return bad

    def save(self, path: Path) -> None:
        """Keep what was measured; tests by their place in a list, -1 for importing."""
        number = {"": -1, **{name: at for at, name in enumerate(self.seconds)}}
        lines = {
            file: {line: sorted(number[name] for name in tests) for line, tests in found.items()}
            for file, found in self.lines.items()
        }
        told = {"seconds": self.seconds, "lines": lines, "touched": self._touched()}
        path.write_text(json.dumps(told), "utf-8")

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
            module = Path(path).relative_to(PACKAGE).as_posix()
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
        lines = self.lines.get(str(PACKAGE / mutant.module), {})
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
        path = PACKAGE / mutant.module
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
            signal.setitimer(
                signal.ITIMER_PROF, GRACE + 10 * taken
            )  # whoever loops for ever is ended
            signal.setitimer(signal.ITIMER_REAL, 60 + 60 * taken)
            reports = runtestprotocol(self.items[each], nextitem=None, log=False)
            if any(report.failed for report in reports):
                os.write(pipe, each.encode())
                os._exit(1)
        os._exit(0)


def _ours(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and code.co_filename.startswith(f"{PACKAGE}{os.sep}")


def warm(tests: list[str], budget: float, then: Callable[[Warm], None]) -> None:
    """Run all tests once, then what is to be done with them."""
    import pytest

    cov = _coverage()
    cov.start()
    words = [*OPTIONS, "--tb=native", *_existing(tests)]
    if pytest.main(words, plugins=[Warm(cov, budget, then)]) != 0:
        raise SystemExit("the tests do not run")


def _coverage() -> Any:
    import coverage

    cov = coverage.Coverage(data_file=None, include=[f"{PACKAGE}/*"], config_file=False)
    cov.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
    return cov


def _lines_of(cov: Any) -> dict[str, list[int]]:
    data = cov.get_data()
    return {path: sorted(data.lines(path)) for path in data.measured_files()}


OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


def _existing(paths: Iterable[str]) -> list[str]:
    return [each for each in dict.fromkeys(paths) if (ROOT / each).exists()]


# ---- cold: the package is imported anew ----------------------------------------------------------


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
    """Only tests of which is known that they pass, quickest first, as long as there is time."""

    def __init__(self, seconds: dict[str, float], budget: float) -> None:
        self.seconds, self.budget, self.failed = seconds, budget, ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        known = [each for each in items if each.nodeid in self.seconds]
        known.sort(key=lambda each: self.seconds[each.nodeid])
        spent = accumulate(self.seconds[each.nodeid] for each in known)
        items[:] = [each for each, total in zip(known, spent, strict=True) if total < self.budget]

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = report.nodeid


class Cold:
    """Tries mutants in forks of a process that has everything loaded but the package."""

    def __init__(self, told: dict[str, Any], budget: float) -> None:
        self.seconds, self.touched, self.budget = told["seconds"], told["touched"], budget
        self.kills: dict[str, Counter[str]] = defaultdict(Counter)
        self.all = sorted({each.partition("::")[0] for each in self.seconds})

    def stages(self, module: str) -> list[list[str]]:
        """Test files that are tried one after the other: those that killed, near ones, the rest."""
        layer, _, rest = module.partition("/")
        stem = Path(rest).stem
        near = [f"tests/unit/{layer}/test_{each}.py" for each in (stem, stem.split("_")[0])]
        near = [PAGES, *near] if layer in ("cli", "sdk") else near
        best = [each for each, _ in self.kills[module].most_common(3)]
        most = [each for each, _ in Counter(self.touched.get(module, {})).most_common(4)]
        first = [each for each in dict.fromkeys([*best, *near, *most]) if each in self.all]
        return [*([each] for each in first), *([self.all] if self.budget >= BUDGET else [])]

    def attempt(self, mutant: Mutant) -> tuple[int, int]:
        source = (PACKAGE / mutant.module).read_text("utf-8")
        tree = ast.parse(source) if mutant.number < 0 else changed(source, mutant.number)
        return forked(lambda pipe: self._child(pipe, mutant.module, tree))

    def _child(self, pipe: int, module: str, tree: ast.Module) -> NoReturn:
        import pytest

        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 1))
        signal.setitimer(signal.ITIMER_REAL, 10 * PATIENCE)
        sys.meta_path.insert(0, Finder(_name(module), Changed(PACKAGE / module, tree)))
        for files in self.stages(module):
            quick = Quick(self.seconds, self.budget)
            if pytest.main(["-x", "--tb=native", *OPTIONS, *files], plugins=[quick]) not in (0, 5):
                os.write(pipe, (quick.failed or "import").encode())
                os._exit(1)
        os._exit(0)


def _name(module: str) -> str:
    """``iexec_lite.eth.rlp`` of ``eth/rlp.py``."""
    parts = [PACKAGE.name, *Path(module).with_suffix("").parts]
    return ".".join(parts).removesuffix(".__init__")


# ---- a run ---------------------------------------------------------------------------------------


def whole() -> list[str]:
    """The modules of which every mutant is tried."""
    found = {path for each in WHOLE for path in PACKAGE.glob(each)}
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found)


def elsewhere() -> list[str]:
    """The other modules: of these a sample is tried."""
    paths = [path for each in LAYERS for path in sorted((PACKAGE / each).glob("*.py"))]
    found = [path.relative_to(PACKAGE).as_posix() for path in paths]
    return [each for each in found if each not in whole()]


def chosen(modules: Iterable[str], sample: int, seed: str) -> list[Mutant]:
    """Mutants in the order in which they are tried; the draw is the same for the same code."""
    found = [
        mutant
        for module in modules
        for mutant in mutants(module, (PACKAGE / module).read_text("utf-8"))
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
            bad = session.measure(Path(folder), effort)
        session.save(notes)
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
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders")
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="seconds of tests each: less is quick"
    )
    parser.add_argument("--measured", action="store_true", help="the tests are as last time")
    parser.add_argument("--retry", dest="again", action="store_const", const="survived", default="")
    parser.add_argument("--out", type=Path, default=ROOT / ".tox" / "mutation.jsonl")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    os.nice(10)
    wanted = chosen(options.modules or whole(), options.sample, options.seed)
    if options.elsewhere:
        wanted += chosen(elsewhere(), options.elsewhere, options.seed)
    results = Results(options.out)
    run(wanted, results, options)
    results.read()
    ends = Counter(map(results.found, wanted))
    done = ends["killed"] + ends["survived"]
    print(f"{ends['killed']} of {done} killed: {ends['killed'] / max(1, done):.1%}")
    return 0 if ends["killed"] >= 0.9 * done else 1


if __name__ == "__main__":
    sys.exit(main())
