"""The table of results, for a terminal and as RESULTS.md."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from importlib import metadata

from .measure import Effort, Measured

PACKAGES = (
    *("iexec-lite", "coincurve", "pycryptodome", "eth-hash", "eth-keys", "urllib3"),
    *("eth-account", "eth-abi", "eth-keyfile", "web3"),
)
Scale = Mapping[str, list[tuple[int, float, float]]]


def number(value: float, unit: str = "") -> str:
    """Three digits are all that a measurement has."""
    large = unit == "/s" or value >= 1000
    text = f"{float(f'{value:.3g}'):,.0f}" if large else f"{value:.3g}"
    return f"{text} {unit}".strip() if unit != "/s" else f"{text}/s"


def line(measured: Measured) -> list[str]:
    """The cells of a row: what, ours, target, reached, the peers, the floor."""
    row, reached = measured.row, measured.reached()
    peers, floor = [], "–"
    for each in row.contestants[1:]:
        text = f"{number(measured.median(each.name), row.unit)} ({_times(measured, each.name)})"
        if each.name == "floor":
            floor = f"{text}{_at_best(measured, each.name)}"
        else:
            peers.append(f"{each.name} {text}")
    wanted = []
    sign = "≤" if row.lower else "≥"
    if row.target is not None:
        wanted.append(f"{sign} {number(row.target, row.unit)}")
    if row.share is not None:
        wanted.append(f"{sign} {row.share:.2g} × {row.share_of}")
    missed = [word for word, good in reached.items() if not good]
    verdict = "–" if not reached else ("yes" if not missed else "no")
    if missed and len(reached) > len(missed):
        verdict = "in part"
    if missed == ["target"] and measured.meets(measured.best("ours")):
        verdict = "at best"
    note = f" ({row.note})" if row.note else ""
    ours = f"{number(measured.ours, row.unit)}{_at_best(measured, 'ours')}"
    return [row.title + note, ours, "; ".join(wanted), verdict, "; ".join(peers) or "–", floor]


def _at_best(measured: Measured, name: str) -> str:
    best = measured.best(name)
    alike = abs(best - measured.median(name)) <= 0.03 * best
    return "" if alike else f", at best {number(best, measured.row.unit)}"


def _times(measured: Measured, name: str) -> str:
    """How many times ours is better, or how much of it ours has."""
    ratio = measured.ratio(name)
    if measured.row.lower:
        ratio = 1 / ratio if ratio else 0.0
    return f"× {ratio:.2g}" if ratio < 10 else f"× {ratio:,.0f}"


HEAD = ["what", "ours", "target", "reached", "peers (× how many times better ours is)", "floor"]


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def document(
    measured: list[Measured],
    scale: Scale,
    sizes: Mapping[str, float],
    effort: Effort,
    scripts: Mapping[str, str],
) -> str:
    """RESULTS.md."""
    rounds = f"{effort.rounds} rounds of {effort.seconds:g} s turns, files of {effort.megabytes} MB"
    parts = [
        "# Results\n",
        "Made by `tox -e bench`; how to read it: [performance.md](../docs/performance.md). Medians "
        "of turns on one machine; a ratio is the median of the ratios of the rounds. The targets "
        "in numbers are for a machine like CI's when nothing else runs on it: *at best* is what "
        "the best turn did, which the machine shared least with others.\n",
        f"- {datetime.now(timezone.utc):%Y-%m-%d}, effort *{effort.name}*: {rounds}",
        f"- {platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()}), "
        f"load {os.getloadavg()[0]:.1f}",
        f"- {platform.python_implementation()} {platform.python_version()}, {_versions()}",
        f"- {', '.join(f'{name} {version}' for name, version in scripts.items()) or 'no node'}\n",
        table(HEAD, map(line, measured)),
        "\n## Scale\n",
        "Linear is the same time for each; peak memory where a process of its own does the work.\n",
        *(_scale(name, rows) for name, rows in scale.items()),
        "## Installed code\n",
        table(["part", "MB"], ([name, f"{size:.2f}"] for name, size in sizes.items())),
        "",
    ]
    return "\n".join(parts)


def _scale(name: str, rows: list[tuple[int, float, float]]) -> str:
    cells = [
        [f"{n:,}", f"{spent:.3g}", f"{spent / n * 1e6:,.0f}", f"{peak:.0f}" if peak else "–"]
        for n, spent, peak in rows
    ]
    return f"{table([name, 'seconds', 'µs each', 'peak MB'], cells)}\n"


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _processor() -> str:
    """The processor's name, where the system tells."""
    if sys.platform.startswith("linux"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for text in file:
                if text.startswith("model name"):
                    return text.partition(":")[2].strip()
    return platform.processor() or "unknown"
