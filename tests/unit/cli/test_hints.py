"""Every command that a message tells a person to run is one, with the options it is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import iexec_lite
from iexec_lite.cli import dispatch

ROOT = Path(iexec_lite.__file__).parent
# What is filled in where a word of a command stands.
FILLED = {
    "<kind>": ("app", "dataset", "workerpool"),
    "<resource>": ("app", "dataset", "workerpool", "request"),
    "<what>": ("deal", "task"),
}
# In messages, not in docstrings: the words after the name, up to the end of what is quoted.
HINT = re.compile(r"(?<![\w-])iexec-lite ([^\"'`();,\n]+)")


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module with their lines; what is filled in is named: ``<kind>``."""
    tree = ast.parse(source)
    docstrings, parts = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            docstrings.add(node.body[0].value)
        if isinstance(node, ast.JoinedStr):
            parts |= set(node.values)
            names = (
                part.value
                if isinstance(part, ast.Constant)
                else f"<{ast.unparse(part).strip('f{}').strip(chr(39) + chr(34)).strip('{}')}>"
                for part in node.values
            )
            yield node.lineno, "".join(map(str, names))
    for node in ast.walk(tree):
        alone = isinstance(node, ast.Constant) and node not in docstrings and node not in parts
        if alone and isinstance(node.value, str):
            yield node.lineno, node.value


def wrong(source: str) -> tuple[int, list[str]]:
    """How many hints a module gives, and what is wrong with them."""
    count, faults = 0, []
    for line, text in texts(source):
        for hint in HINT.findall(text):
            count += 1
            mark = next((mark for mark in FILLED if mark in hint), "")
            for filled in FILLED.get(mark, ("",)):
                words = hint.replace(mark, filled).split()
                faults += [f"line {line}: {hint}: {fault}" for fault in _faults(words)]
    return count, faults


def _faults(words: list[str]) -> Iterator[str]:
    if words[0] not in dispatch.GROUPS:
        yield f"no group {words[0]}"
        return
    group = dispatch.load(words[0])
    command = group.find("") or group.find(words[1] if len(words) > 1 else "")
    if command is None:
        yield "no such command"
        return
    for word in words[1:]:
        option = word.split("<")[0].split("=")[0].rstrip(".")
        if option.startswith("--") and option not in command._option_string_actions:
            yield f"no option {option}"


def test_hints() -> None:
    count, bad = 0, []
    for file in sorted(ROOT.rglob("*.py")):
        found, faults = wrong(file.read_text("utf-8"))
        count += found
        bad += [f"{file.relative_to(ROOT)} {fault}" for fault in faults]
    assert bad == []
    assert count > 30


def test_guard_sees_a_wrong_hint() -> None:
    for hint in (
        '"run iexec-lite walet create"',
        "f'Run \"iexec-lite {kind} deplou\" first'",
        "f'iexec-lite deal show {dealid} --wach{chain}'",
        '"iexec-lite order" " sing"',
        "f'iexec-lite {command}'",
    ):
        assert wrong(f"x = {hint}")[1], hint
    right = "f'iexec-lite deal show {dealid} --watch{chain}'"
    assert wrong(f"x = {right}") == (1, [])
