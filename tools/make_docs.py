"""Make the pages of docs/ that follow from code and tests: ``python tools/make_docs.py``.

``methods.md``: every method of the JavaScript SDK V6 (``v6_methods.json``) and ours for it.
``cli.md``: every command and its options.
``witness.md``: who, besides us, has seen each message (``tests/witness.py``). ``README.md``: an
index of the pages. A test makes them anew and compares.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
RULE = "|---|---|---|---|"
MADE = "Made by `tools/make_docs.py`: change what it is made of, not this page.\n"


def load(path: Path) -> ModuleType:
    """A module that belongs to no package, by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- methods.md -----------------------------------------------------------------------------------


def snake(name: str) -> str:
    """``sendRLC`` → ``send_rlc``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class _Plain:
    """An annotation that is shown as it was written."""

    def __init__(self, text: object) -> None:
        self._text = str(text)

    def __repr__(self) -> str:
        return self._text


def _shown(default: object) -> object:
    """A default value; a record by its name, if it has one."""
    name = getattr(default, "name", None)
    return _Plain(str(name).upper()) if name else default


def signature(function: object) -> str:
    """``(amount: int | str, to: str, *, new: bool = False) -> str``."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    shown = [
        each.replace(annotation=_Plain(each.annotation), default=_shown(each.default))
        for each in found.parameters.values()
        if each.name != "self"
    ]
    text = str(found.replace(parameters=shown, return_annotation=_Plain(found.return_annotation)))
    return text.replace("|", "\\|")


def row(name: str, function: object) -> str:
    """Two cells of a table: a method with its signature, and what it does."""
    first = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", first).replace("``", "`").replace("|", "\\|")
    return f"| `{name}{signature(function)}` | {text} |"


def methods_page(v6: dict[str, object], methods: dict[str, tuple[object, str]]) -> str:
    """docs/methods.md: what V6 has, what we have beyond, what we do not owe."""
    ours = {name: getattr(owner, attribute) for name, (owner, attribute) in methods.items()}
    owed, left_out = v6["owed"], v6["not_owed"]
    assert isinstance(owed, list)
    assert isinstance(left_out, dict)
    rows, used = [], set()
    for theirs in owed:
        name = ".".join(map(snake, theirs.split(".")))
        used.add(name)
        found = ours.get(name)
        rows.append(f"| `{theirs}` " + (row(name, found) if found else "| **missing** | |"))
    beyond = [row(name, found) for name, found in sorted(ours.items()) if name not in used]
    return "\n".join(
        [
            "# Methods: the JavaScript SDK V6 and iexec_lite\n",
            "Every method that V6 documents and ours for it, below `iexec.` (but for `utils.`).",
            MADE,
            "| V6 | here | |",
            "|---|---|---|",
            *rows,
            "\n## Beyond V6's documentation\n",
            "| here | |",
            "|---|---|",
            *beyond,
            "\n## In the package of V6, but not documented\n",
            "| V6 | |",
            "|---|---|",
            *(f"| `{name}` | {reason} |" for name, reason in left_out.items()),
            "",
        ]
    )


# --- witness.md -----------------------------------------------------------------------------------


def witness_page(table: ModuleType, tests: Path) -> str:
    """docs/witness.md: a section for each group of messages."""
    found = table.witnesses(tests)
    seen = sum(bool(by) for by in found.values())
    lines = [
        "# Who else has seen these bytes\n",
        "For every message that is hashed, signed or exchanged, the tests in which somebody but",
        "this library saw it: the JavaScript SDK or ethers run beside ours, the real contracts and",
        "node, or answers recorded from them or published with a specification (`vectors/`).",
        f"Seen: {seen} of {len(found)}. {MADE}",
    ]
    for title, names in table.MESSAGES.items():
        lines += [f"## {title}\n", "| message | JavaScript | contracts | recorded |", RULE]
        for name in names:
            by = found[name]
            cells = [_cell(by.get(each, [])) for each in table.WITNESSES]
            lines.append(f"| {name} | {' | '.join(cells) if by else '**none** | |'} |")
        lines.append("")
    return "\n".join(lines)


def _cell(tests: list[str]) -> str:
    return "<br>".join(f"`{test}`" for test in tests)


# --- cli.md ---------------------------------------------------------------------------------------


def cli_page() -> str:
    """docs/cli.md: the help of the program, of each group and of each command, as it is shown."""
    from iexec_lite.cli import dispatch

    with patch.dict(os.environ, COLUMNS="96", NO_COLOR="1"):  # argparse looks at the terminal
        return "\n".join(_cli_lines(dispatch))


def _cli_lines(dispatch: ModuleType) -> list[str]:
    lines = [
        "# The command line\n",
        "Every command of `iexec-lite` with its options, as `--help` shows them.",
        MADE,
        f"```text\n{dispatch.top_help()}```",
    ]
    for name, text in dispatch.GROUPS.items():
        group = dispatch.load(name)
        lines += [f"\n## {name}\n", f"{text[0].upper()}{text[1:]}."]
        for command, found in group.commands.items():
            others = [alias for alias, own in group.aliases.items() if own == command]
            also = f"\nAlso as {', '.join(f'`{alias}`' for alias in others)}." if others else ""
            title = [f"\n### {name} {command}\n"] if command else [""]
            lines += [*title, f"```text\n{found.format_help()}```", *([also] if also else [])]
    return [*lines, ""]


# --- README.md ------------------------------------------------------------------------------------


def index_page(pages: dict[str, str]) -> str:
    """docs/README.md: the title and the first sentence of each page."""
    lines = ["# Documentation\n"]
    for name, text in sorted(pages.items()):
        title, _, rest = text.removeprefix("# ").partition("\n")
        sentence = re.split(r"(?<=[.:])\s", " ".join(rest.split()), maxsplit=1)[0]
        lines.append(f"- [{title}]({name}): {sentence.rstrip('.:')}.")
    return "\n".join([*lines, "", MADE])


def pages() -> dict[str, str]:
    """Name → text of every page that is made."""
    v6 = json.loads((ROOT / "tools" / "v6_methods.json").read_text("utf-8"))
    tests = ROOT / "tests"
    methods = load(tests / "stack" / "api_coverage.py").public_methods()
    made = {
        "methods.md": methods_page(v6, methods),
        "witness.md": witness_page(load(tests / "witness.py"), tests),
        "cli.md": cli_page(),
    }
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
    written.pop("README.md", None)
    return {**made, "README.md": index_page({**written, **made})}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, "utf-8")
