"""Rows of contestants that take turns: medians, and ratios of the same round.

Machines are shared and change their clock, so a number counts beside those of the same round: each
round measures every contestant once, in an order that turns, and a ratio is the median of the
rounds' ratios.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Effort:
    """How hard to try: rounds, seconds of each turn, and the megabytes of a large file."""

    name: str
    rounds: int
    seconds: float
    megabytes: int
    scale: int  # the largest number of things in the tables of scale


FULL = Effort("full", 15, 0.4, 1024, 100_000)
QUICK = Effort("quick", 5, 0.1, 128, 10_000)
SMOKE = Effort("smoke", 1, 0.0, 1, 100)
EFFORTS = {effort.name: effort for effort in (FULL, QUICK, SMOKE)}

Take = Callable[[Effort], float]  # one turn: a value in the row's unit


@dataclass(frozen=True)
class Contestant:
    """Somebody who does the work of a row. ``at_most``: not more turns than that, where slow."""

    name: str
    take: Take
    at_most: int = 1000


@dataclass(frozen=True)
class Row:
    """One line of the table: ours first, the floor last.

    ``target`` is what ours must reach on a machine like CI's; ``share`` what it must reach beside
    ``share_of`` in the same run. Both are at least, or at most where ``lower`` is better.
    """

    key: str
    title: str
    unit: str
    contestants: Sequence[Contestant]
    target: float | None = None
    share: float | None = None
    share_of: str = "floor"
    lower: bool = False
    note: str = ""


@dataclass
class Measured:
    """The rounds of a row, by contestant."""

    row: Row
    rounds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ours(self) -> float:
        """Our median."""
        return self.median("ours")

    def median(self, name: str) -> float:
        """The median of a contestant."""
        return median(self.rounds[name])

    def best(self, name: str) -> float:
        """The best turn of a contestant: the one that the machine shared least with others."""
        return (min if self.row.lower else max)(self.rounds[name])

    def ratio(self, name: str) -> float:
        """Ours beside ``name``: how many times as much, the median of the rounds."""
        pairs = zip(self.rounds["ours"], self.rounds[name], strict=False)
        return median(ours / theirs if theirs else 0.0 for ours, theirs in pairs)

    def meets(self, value: float) -> bool:
        """Whether a value of ours is what the target in numbers asks for."""
        target = self.row.target
        return target is None or (value <= target if self.row.lower else value >= target)

    def reached(self) -> dict[str, bool]:
        """Which of the targets are reached; what was not measured is left out."""
        row, found = self.row, {}
        if row.target is not None:
            found["target"] = self.meets(self.ours)
        if row.share is not None and row.share_of in self.rounds:
            ratio = self.ratio(row.share_of)
            found["share"] = ratio <= row.share if row.lower else ratio >= row.share
        return found


def measure(row: Row, effort: Effort) -> Measured:
    """All rounds of a row, the contestants in turns."""
    result = Measured(row, {each.name: [] for each in row.contestants})
    for number in range(effort.rounds):
        start = number % len(row.contestants)
        for each in [*row.contestants[start:], *row.contestants[:start]]:
            if number < each.at_most:
                result.rounds[each.name].append(each.take(effort))
    return result


# --- what can be measured -------------------------------------------------------------------------


class PerSecond:
    """How often a second ``call`` can be made, measured for about the effort's seconds."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._count = 1

    def __call__(self, effort: Effort) -> float:
        """One turn; the first ones also find out how many calls fill it."""
        while True:
            call, start = self._call, time.perf_counter()
            for _ in range(self._count):
                call()
            spent = time.perf_counter() - start
            if spent >= effort.seconds / 2:
                return self._count / spent
            self._count = max(2 * self._count, int(self._count * effort.seconds / max(spent, 1e-6)))


@dataclass(frozen=True)
class Usage:
    """What a process took: wall-clock and processor seconds, and its peak memory in megabytes."""

    wall: float
    cpu: float
    peak: float
    out: str


@cache
def _launcher() -> subprocess.Popen[str]:
    """The process that starts programs, see launcher.py."""
    script = Path(__file__).with_name("launcher.py")
    pipe = subprocess.PIPE
    # What is compiled is kept, as everywhere: compiling is not starting.
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    found = subprocess.Popen(
        [sys.executable, "-S", str(script)], stdin=pipe, stdout=pipe, text=True, env=env
    )
    atexit.register(_end, found)
    return found


def _end(launcher: subprocess.Popen[str]) -> None:
    launcher.communicate()


def process(*command: str, stdin: bytes = b"", cwd: Path | None = None) -> Usage:
    """Run a program to its end. It finds this package first; its output is kept."""
    launcher = _launcher()
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    with tempfile.NamedTemporaryFile() as given, tempfile.NamedTemporaryFile() as out:
        given.write(stdin)
        given.flush()
        asked = [command, str(cwd or Path.cwd()), given.name, out.name]
        launcher.stdin.write(json.dumps(asked) + "\n")
        launcher.stdin.flush()
        wall, cpu, peak, status = json.loads(launcher.stdout.readline())
        text = Path(out.name).read_text("utf-8", errors="replace")
    if status:
        raise RuntimeError(f"{command[:3]} failed: {text[-2000:]}")
    return Usage(wall, cpu, peak, text)


def python(code: str, *arguments: str, **options: object) -> Usage:
    """Run Python code in a process of its own."""
    return process(sys.executable, "-c", code, *arguments, **options)  # type: ignore[arg-type]
