"""The benchmarks still run, in their shortest form. What they find is not judged here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Every row of the table owes a target; these words stand for them.
ROWS = (
    *("signed order", "sign a ready", "hash a ready", "recover who", "matchOrders", "viewDeal"),
    *("dataset encryption", "checksum in the same pass", "result decryption", "peak memory"),
    *("--version", "import iexec_lite", "first offline signature", "first answer of a node"),
    *("keystore unlock", "one after the other", "batches of 100", "requests to show a deal"),
)  # fmt: skip


def cells(text: str) -> list[list[str]]:
    """The rows of the first table."""
    table = text[text.index("| what") : text.index("## Scale")]
    return [line.strip("|").split(" | ") for line in table.splitlines()[2:] if line]


def check(text: str) -> list[list[str]]:
    """Every row is there with a result and a target; no place of this machine is named."""
    rows = cells(text)
    for word in ROWS:
        assert any(word in row[0] for row in rows), word
    for what, ours, target, reached, *_ in rows:
        assert re.match(r"[\d.,e+]+( |/s)", ours), what
        assert reached != "at best" or "at best" in ours, what
        assert re.match(r"[≤≥] [\d.,]+", target), what
        assert reached in ("yes", "no", "in part", "at best"), what
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    for scale in ("orders signed", "tasks of a deal", "orders of an order book", "logs of a range"):
        assert scale in text
    return rows


@pytest.mark.skipif(sys.platform == "win32", reason="the benchmarks need fork and wait4")
def test_they_run(tmp_path: Path) -> None:
    output = tmp_path / "results.md"
    words = [sys.executable, "-m", "benchmarks", "--smoke", "--output", str(output)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    check(output.read_text("utf-8"))


def test_the_results_that_are_kept() -> None:
    rows = check((ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8"))
    assert all("iexec 6" in row[4] for row in rows if "signed order" in row[0])


def test_a_missing_row_is_seen() -> None:
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")
    without = "\n".join(line for line in text.splitlines() if "viewDeal" not in line)
    with pytest.raises(AssertionError, match="viewDeal"):
        check(without)


def test_a_large_deal_takes_three_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock, but a count: the deal, then its category and tasks, a thousand to a request."""
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.network import trips

    assert [trips(tasks) for tasks in (1, 998, 1000)] == [2, 2, 3]
