"""Text on terminals: what is shown, how wide it is, and the line that is drawn over."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from iexec_lite.cli import output, terminal

ERASED = "\r" + " " * 79 + "\r"


class Screen(io.StringIO):
    """A terminal of 80 columns, which it does not tell."""

    def isatty(self) -> bool:
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Where stderr goes from now on."""
    found = Screen()
    monkeypatch.setattr("sys.stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return found


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("ｱ", 1), ("✖", 1), ("🚀", 2)],
)
def test_columns(text: str, columns: int) -> None:
    assert terminal.columns(text) == columns


def test_clip() -> None:
    assert terminal.clip("0123456789", 10) == "0123456789"
    assert terminal.clip("0123456789a", 10) == "0123456..."
    assert terminal.clip("012345 789a", 10) == "012345..."
    assert terminal.clip("日本日本日本", 9) == "日本日..."
    assert [terminal.clip("abcdef", n) for n in (0, 1, 3, 4)] == ["", ".", "...", "a..."]


def test_one_line() -> None:
    assert terminal.one_line("a é 日") == "a é 日"
    assert terminal.one_line("a\nb\tc\x1b[2J\u2028") == r"a\x0ab\x09c\x1b[2J\u2028"
    assert terminal.one_line("\xad \xff \u0600 \U000e0001") == "\\xad \xff \\u0600 \\ue0001"
    assert terminal.harmless("a\nb\tc\r\x7f") == "a\nb\tc\\x0d\\x7f"


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    assert terminal.has_colours(screen)
    assert not terminal.has_colours(io.StringIO())
    assert not terminal.has_colours(None)
    for name, value, expected in [
        ("NO_COLOR", "1", False),
        ("NO_COLOR", "", True),  # as if it were not there: https://no-color.org
        ("TERM", "dumb", False),
    ]:
        monkeypatch.setenv(name, value)
        assert terminal.has_colours(screen) is expected
        monkeypatch.undo()
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
    # Consoles of Windows that know escape codes say so.
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("TERM")
    monkeypatch.delenv("WT_SESSION", raising=False)
    assert not terminal.has_colours(screen)
    monkeypatch.setenv("WT_SESSION", "1")
    assert terminal.has_colours(screen)


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal.width(None) == terminal.width(io.StringIO()) == 80
    with open(os.devnull, "w") as file:
        assert terminal.width(file) == 80
        for columns, expected in ((123, 123), (0, 80)):
            size = os.terminal_size((columns, 40))
            monkeypatch.setattr(os, "get_terminal_size", lambda fd, size=size: size)
            assert terminal.width(file) == expected


def test_what_a_stream_can_carry() -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert terminal.carries("abc", ascii_only)
    assert not terminal.carries("é", ascii_only)
    assert terminal.carries("é✖", None)
    assert terminal.carries("é✖", io.StringIO())
    assert not terminal.carries("\ud800", None)


def test_writing() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", newline="")
    terminal.write("a\x1bé✖", stream, mark="\x1b[1m>\x1b[0m ", end="!\n")
    assert raw.getvalue() == b"\x1b[1m>\x1b[0m a\\x1b\xe9\\u2716!\n"
    terminal.write("x", None)


def test_other_text_takes_the_line_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = at_terminal(monkeypatch)
    terminal.draw("first")
    terminal.draw("a\nb")
    drawn = "\rfirst" + " " * 74 + "\r" + "\r" + r"a\x0ab" + " " * 73 + "\r"
    assert screen.getvalue() == drawn
    output.show(output.Result(text="result"), raw=False)
    assert screen.getvalue() == drawn + ERASED
    assert capsys.readouterr().out == "result\n"
    output.show(output.Result(text="more"), raw=False)
    assert screen.getvalue() == drawn + ERASED


def test_a_line_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    terminal.draw("日" * 60)
    shown = screen.getvalue().split("\r")[1]
    assert terminal.columns(shown) == 79
    with terminal.taken_away():
        pass
    assert screen.getvalue().endswith(ERASED)


def test_a_line_that_nobody_wants_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = at_terminal(monkeypatch)
    terminal.draw("x", lambda: False)
    assert screen.getvalue() == ""


def test_a_terminal_with_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    monkeypatch.setattr("sys.stderr", stream)
    terminal.draw("é ✖ a")
    with terminal.taken_away():
        pass
    assert raw.getvalue().startswith(b"\r? ? a ")
    output.warn("é", type("Options", (), {"raw": False}))  # type: ignore[arg-type]
    assert raw.getvalue().endswith(b"! \\xe9\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("kind", ["full disk", "reader gone"])
def test_stdout_that_takes_nothing(kind: str, unbuffered: str) -> None:
    if kind == "full disk":
        if not os.path.exists("/dev/full"):
            pytest.skip("there is no /dev/full on this system")
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, out = os.pipe()
        os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "iexec_lite", "--help"],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(out)
    assert done.returncode == 1
    full = '✖ Command "iexec-lite" failed: No space left on device\n'
    assert done.stderr == (full if kind == "full disk" else "")
