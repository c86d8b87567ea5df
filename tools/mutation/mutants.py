"""Mutants: every small change of one place of a module, and the code that comes of it."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

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
