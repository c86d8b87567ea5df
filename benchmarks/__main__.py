"""``python -m benchmarks [--quick | --smoke] [--only ROW …] [--output FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.node import node_program, npm_folder

from . import files, network, programs, report, scale, signing
from .measure import EFFORTS, Effort, Measured, Row, measure
from .nodes import Fake
from .peers import Script

RESULTS = Path(__file__).with_name("RESULTS.md")


def rows(folder: Path, url: str, script: Script | None, work: signing.Work) -> Iterator[Row]:
    """Every row, in the order of the table."""
    scripts = script is not None
    yield from signing.rows(work, script)
    yield from files.rows(folder, scripts)
    yield from programs.rows(folder, url)
    yield from files.keystore_rows(folder, scripts)
    yield from network.rows(url, script)


def run(effort: Effort, only: Sequence[str] = (), *, with_scale: bool = True) -> str:
    """Measure all rows, or those with these keys; the document of the results."""
    scripts = node_program() is not None and npm_folder() is not None
    if not scripts:
        print("without node and its packages (tools/npm_install.py), no JS peers", file=sys.stderr)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work, script = signing.Work(), None
        if scripts:
            server = stack.enter_context(Script("serve"))
            url = f"http://127.0.0.1:{server.answer()}"
            script = stack.enter_context(Script(json.dumps(work.for_peers(url))))
        else:  # slower than ours, so that the rows of the network then say little
            url = stack.enter_context(Fake()).url
        measured: list[Measured] = []
        for row in rows(folder, url, script, work):
            if not only or row.key in only:
                measured.append(measure(row, effort))
                print(" | ".join(report.line(measured[-1])), file=sys.stderr, flush=True)
        versions = {} if script is None else script.ask(op="versions")
        assert isinstance(versions, dict)
        tables = scale.tables(effort, folder) if with_scale and not only else {}
        return report.document(measured, tables, programs.sizes(), effort, versions)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    ways = parser.add_mutually_exclusive_group()
    for name in ("quick", "smoke"):
        ways.add_argument(f"--{name}", action="store_const", const=name, dest="effort")
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help="rows by their keys")
    parser.add_argument("--output", type=Path, default=None, metavar="FILE")
    options = parser.parse_args()
    text = run(EFFORTS[options.effort or "full"], options.only)
    print(text)
    output = options.output or (RESULTS if not options.only else None)
    if output is not None:
        output.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
