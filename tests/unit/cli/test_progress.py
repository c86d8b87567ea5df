"""Progress for people at terminals, for logs, and for nobody."""

from __future__ import annotations

import threading
from argparse import Namespace

import pytest

from iexec_lite.cli import output, progress, terminal
from iexec_lite.cli.progress import Progress, bar

from .test_terminal import ERASED, Screen, at_terminal

MB = 1_000_000
PERSON = Namespace(raw=False, quiet=False)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(screen: Screen) -> list[str]:
    return [part.rstrip() for part in screen.getvalue().split("\r") if part.strip()]


def test_elsewhere_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(PERSON) as shown:
        for text in ("one", "one", "two", "one"):
            shown.say(lambda text=text: text)  # type: ignore[misc]
    assert capsys.readouterr() == ("", "ℹ one\nℹ two\nℹ one\n")


def test_elsewhere_a_line_for_each_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(PERSON) as shown:
        for percent in range(1, 101):
            shown.amount("Downloading", percent * MB, 100 * MB)
        shown.amount("small", 10, 10)
        for millions in range(1, 301):
            shown.amount("unknown", millions * MB)
        shown.amount("liar", 20, 10)
    assert capsys.readouterr().err.splitlines() == [
        "ℹ Downloading: 1 %  1.0 MB of 100.0 MB",
        "ℹ Downloading: 25 %  25.0 MB of 100.0 MB",
        "ℹ Downloading: 50 %  50.0 MB of 100.0 MB",
        "ℹ Downloading: 75 %  75.0 MB of 100.0 MB",
        "ℹ Downloading: 100 %  100.0 MB of 100.0 MB",
        "ℹ small: 100 %  10 bytes of 10 bytes",
        "ℹ unknown: 1.0 MB",
        "ℹ unknown: 100.0 MB",
        "ℹ liar: 100 %  20 bytes of 10 bytes",
    ]


@pytest.mark.parametrize("options", [{"raw": True}, {"quiet": True}])
@pytest.mark.parametrize("terminal", [True, False])
def test_silence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, bool],
    terminal: bool,
) -> None:
    seen = at_terminal(monkeypatch) if terminal else None
    with Progress(Namespace(**{"raw": False, "quiet": False, **options})) as shown:
        shown.say(lambda: "x")
        shown.amount("x", 1, 2)
    assert capsys.readouterr() == ("", "")
    assert seen is None or seen.getvalue() == ""


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with Progress(PERSON) as shown:
        shown.say(lambda: "x")
    assert screen.getvalue() == "ℹ x\n"


def test_a_terminal_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    with Progress(PERSON) as shown:
        shown.say(lambda: "one")
        output.info("news", Namespace(raw=False, quiet=False))
        shown.say(lambda: "two")
    text = screen.getvalue()
    assert text.startswith("\rone" + " " * 76 + "\r" + ERASED + "\x1b[34mℹ\x1b[0m news\n\rtwo ")
    assert text.endswith(" \r" + ERASED)
    assert "\x1b" not in text.replace("\x1b[34mℹ\x1b[0m", "")


def test_a_text_that_tells_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    monkeypatch.setattr(progress, "SECOND", 0.001)
    asked = threading.Semaphore(0)
    count = iter(range(10**9))

    def text() -> str:
        asked.release()
        return f"asked {next(count)} times"

    with Progress(PERSON) as shown:
        shown.say(text)
        for _ in range(4):
            assert asked.acquire(timeout=10)
    end = screen.getvalue()
    assert end.endswith(ERASED)
    assert drawn(screen)[:2] == ["asked 0 times", "asked 1 times"]
    for _ in range(20):  # whoever would still draw has asked by now
        if not asked.acquire(timeout=0.02):
            break
    assert screen.getvalue() == end


def test_numbers_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    clock = Clock()
    with Progress(PERSON, clock=clock) as shown:
        for percent in range(101):
            shown.amount("Downloading", percent * MB, 100 * MB)
            clock.now += 0.01
    lines = drawn(screen)
    assert 10 <= len(lines) <= 13
    assert lines[0] == "Downloading  " + "░" * 30 + "  0 %  0 bytes of 100.0 MB"
    assert lines[-1].endswith("  100 %  100.0 MB of 100.0 MB  100.0 MB/s")
    assert max(map(terminal.columns, lines)) <= 79


@pytest.mark.parametrize(
    ("room", "line"),
    [
        (79, "Get  ███████░░░░░░░░░░░░░░░░░░░░░░░  25 %  25.0 MB of 100.0 MB  2.0 MB/s"),
        (49, "Get  █░░░░░░  25 %  25.0 MB of 100.0 MB  2.0 MB/s"),
        (39, "Get  25 %  25.0 MB of 100.0 MB  2.0 MB/s"),
    ],
)
def test_bar(room: int, line: str) -> None:
    assert bar("Get", 25 * MB, 100 * MB, 2e6, room) == line


def test_bar_without_knowledge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bar("Get", 25 * MB, None, None, 79) == "Get  25.0 MB"
    assert bar("Get", 0, 0, 3.0, 79) == "Get  0 bytes  3 bytes/s"
    assert bar("日本", 2, 1, None, 79).count("█") == 30
    monkeypatch.setattr(terminal, "carries", lambda *_: False)
    assert bar("Get", 1, 2, None, 79).startswith("Get  " + "#" * 15 + "-" * 15 + "  50 %")
