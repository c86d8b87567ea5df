"""Mutation testing: does a test fail when the code is changed? ``tox -e mutation``.

    python tools/mutate.py --sample 500 --out tests/mutation.json [MODULE …]

Mutants are small changes of one place: another comparison, operator, number, text, condition; a
statement or a ``not`` left out. Each is tried in a fork of one process that has pytest and the
dependencies loaded, against the tests of its module first and the properties of its layer then, as
long as nothing fails. The draw is by a fixed seed, so that runs in pieces add up; what survives is
in the output with its change, for a person to look at.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "iexec_lite"
WHOLE = ("protocol/*.py", "eth/abi*.py", "eth/rlp.py", "eth/eip712*.py", "eth/transaction.py")
PATIENCE = 180  # seconds of processor time for the tests of one mutant: endless loops are noticed

COMPARE = {
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE},
    **{ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In},
}
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
        new = copy.deepcopy(node)
        new.test = ast.UnaryOp(op=ast.Not(), operand=new.test)
        yield new
    elif isinstance(node, (ast.Raise, ast.Expr, ast.AugAssign)):
        yield ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(value=ast.Constant(value=None))
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield ast.Pass()


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(value=not value)
    elif isinstance(value, int):
        yield ast.Constant(value=value + 1)
    elif isinstance(value, (str, bytes)) and value:
        yield ast.Constant(value=value + ("x" if isinstance(value, str) else b"x"))


def _left_out(node: ast.AST) -> bool:
    """Docstrings, annotations, ``__all__`` and what only type checkers read."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return True
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("cast", "TypeVar", "NewType"):
        return True
    return isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom, ast.arg))


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every (parent, field, index, node) that may be changed: texts of messages are not."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        parent = waiting.pop()
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "decorator_list", "bases", "keywords_only"):
                continue
            for at, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or _left_out(node):
                    continue
                yield parent, name, at if isinstance(value, list) else None, node
                waiting.append(node)


def mutants(source: str, wanted: int | None = None) -> Iterator[tuple[str, str]]:
    """``(what was changed, "")`` of every mutant of a module; the source too of the one wanted."""
    tree, count = ast.parse(source), 0
    for parent, name, at, node in places(tree):
        for new in changes(node):
            line = getattr(node, "lineno", 0)
            before, after = (_short(ast.unparse(each)) for each in (node, new))
            changed = _with(tree, (parent, name, at), node, new) if count == wanted else ""
            count += 1
            yield f"line {line}: {before} → {after}", changed


def _with(tree: ast.Module, where: tuple[Any, str, int | None], old: ast.AST, new: ast.AST) -> str:
    """The source of a tree with one node replaced; the tree is as it was afterwards."""
    parent, name, at = where
    for node in (new, old):
        if at is None:
            setattr(parent, name, node)
        else:
            getattr(parent, name)[at] = node
        if node is new:
            text = ast.unparse(ast.fix_missing_locations(tree))
    return text


def made(module: str, number: int) -> str:
    """The source of a mutant."""
    source = (PACKAGE / module).read_text("utf-8")
    return next(text for _, text in mutants(source, number) if text)


def unchanged(module: str) -> str:
    """The source of a module, written anew as that of a mutant is."""
    return ast.unparse(ast.parse((PACKAGE / module).read_text("utf-8")))


def _short(text: str) -> str:
    return text.replace("\n", " ")[:90]


# ---- tests ---------------------------------------------------------------------------------------


def tests_of(module: str) -> list[str]:
    """The test files of a module, nearest first."""
    layer, _, rest = module.partition("/")
    stem = Path(rest).stem
    near = [
        f"tests/unit/{layer}/test_{stem}.py",
        f"tests/unit/{layer}/test_{stem.split('_')[0]}.py",
    ]
    recorded = sorted((ROOT / "tests/vectors").glob("test_recorded_*.py"))
    vectors = [path.relative_to(ROOT).as_posix() for path in recorded]
    more = {
        "eth": ["tests/unit/eth", *_properties("abi", "eip712", "eth_primitives"), *vectors],
        "protocol": ["tests/unit/protocol", *_properties("protocol", "formats"), *vectors],
    }.get(layer, [f"tests/unit/{layer}"])
    found = dict.fromkeys(each for each in [*near, *more] if (ROOT / each).exists())
    return list(found)


def _properties(*names: str) -> list[str]:
    return [f"tests/property/test_{name}.py" for name in names]


class Changed(importlib.abc.SourceLoader):
    """Loads one module from a changed source."""

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source

    def get_filename(self, name: str) -> str:
        return str(self.path)

    def get_data(self, path: Any) -> bytes:
        return self.source.encode()

    def path_stats(self, path: Any) -> Any:
        raise OSError  # no .pyc


class Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, loader: Changed) -> None:
        self.name, self.loader = name, loader

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.loader.path, loader=self.loader)


def survives(module: str, source: str, tests: Sequence[str], log: str = os.devnull) -> bool:
    """Whether all tests pass with a changed module; run in a fork, so that nothing of it stays."""
    child = os.fork()
    if child == 0:
        try:
            _child(module, source, tests, log)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _child(module: str, source: str, tests: Sequence[str], log: str) -> NoReturn:
    quiet = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 1))
    name = "iexec_lite." + module.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    sys.meta_path.insert(0, Finder(name, Changed(PACKAGE / module, source)))
    import pytest

    for each in tests:
        if pytest.main(["-x", "-q", "-p", "no:cacheprovider", each]) not in (0, 5):
            os._exit(1)
    os._exit(0)


# ---- a run ---------------------------------------------------------------------------------------


def chosen(names: list[str], sample: int, seed: str) -> list[tuple[str, str, int]]:
    """(module, change, number of the mutant) in the order in which they are tried."""
    paths = [PACKAGE / n for n in names] or sorted({p for w in WHOLE for p in PACKAGE.glob(w)})
    found = [
        (path.relative_to(PACKAGE).as_posix(), what, number)
        for path in paths
        for number, (what, _) in enumerate(mutants(path.read_text("utf-8")))
    ]
    random.Random(seed).shuffle(found)
    return found[:sample] if sample else found


def elsewhere() -> list[str]:
    """The modules that are not in ``WHOLE``: of these a sample is tried."""
    whole = {p for w in WHOLE for p in PACKAGE.glob(w)}
    layers = ("eth", "net", "sdk", "cli")
    found = [p for layer in layers for p in (PACKAGE / layer).glob("*.py") if p not in whole]
    return [p.relative_to(PACKAGE).as_posix() for p in sorted(found)]


def run(names: list[str], sample: int, out: Path, seed: str, seconds: float) -> Counter[str]:
    """Try mutants until the sample or the time is used up; the file says how each one ended."""
    known: dict[str, str] = json.loads(out.read_text("utf-8"))["mutants"] if out.exists() else {}
    end = time.monotonic() + seconds
    sound: set[str] = set()
    for module, what, number in chosen(names, sample, seed):
        key = f"{module} {what}"
        if key in known:
            continue
        if time.monotonic() > end:
            break
        tests = tests_of(module)
        log = str(out.with_suffix(".log"))
        if module not in sound and not survives(module, unchanged(module), tests[:1], log):
            raise SystemExit(f"{module} as it is does not pass {tests[0]}: see {log}")
        sound.add(module)
        known[key] = "survived" if survives(module, made(module, number), tests) else "killed"
        totals = Counter(known.values())
        content = {"totals": dict(totals), "mutants": dict(sorted(known.items()))}
        out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return Counter(known.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="below iexec_lite/; default: what must be whole")
    parser.add_argument("--elsewhere", action="store_true", help="all modules but those")
    parser.add_argument("--sample", type=int, default=0, help="so many, drawn; 0: all")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--seed", default="2026")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "mutation.json")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    os.nice(10)
    for name in (
        "pytest",  # not hypothesis: pytest warns where a plugin was there before it
        "coincurve",
        "eth_keys",
        "eth_hash.auto",
        "Crypto.Cipher.AES",
        "urllib3",
    ):
        importlib.import_module(name)
    names = elsewhere() if options.elsewhere else options.modules
    totals = run(names, options.sample, options.out, options.seed, options.seconds)
    killed, all_of_them = totals["killed"], sum(totals.values())
    print(f"{killed} of {all_of_them} mutants killed: {killed / max(1, all_of_them):.1%}")
    return 0 if killed >= 0.9 * all_of_them else 1


if __name__ == "__main__":
    sys.exit(main())
