"""What is shown, on which stream, and that nothing in it can hurt a terminal or a program."""

from __future__ import annotations

import io
import json
import logging
from argparse import Namespace

import pytest

from iexec_lite.cli import output
from iexec_lite.errors import ConfigurationError, IExecError

RESULT = output.Result(payload={"a": 1}, text="one\ntwo")
PARTLY = output.Result(
    payload={"a": 1}, text="one", failures=["b: bad", "c: worse"], title="Failed to sign"
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_success(capsys) -> None:
    assert output.show(RESULT, raw=True) == 0
    assert capsys.readouterr() == ('{"ok":true,"a":1}\n', "")
    assert output.show(RESULT, raw=False) == 0
    assert capsys.readouterr() == ("one\ntwo\n", "")
    assert output.show(output.Result(), raw=False) == 0
    assert capsys.readouterr() == ("", "")


def test_partial_failure(capsys) -> None:
    assert output.show(PARTLY, raw=True) == 1
    assert capsys.readouterr() == ("", '{"ok":false,"a":1,"fail":["b: bad","c: worse"]}\n')
    assert output.show(PARTLY, raw=False) == 1
    assert capsys.readouterr() == ("one\n", "✖ Failed to sign:\n  - b: bad\n  - c: worse\n")
    told = output.Result(payload={"failedTasks": [1]}, failures=["task 1"], listed=False)
    assert output.show(told, raw=True) == 1
    assert capsys.readouterr() == ("", '{"ok":false,"failedTasks":[1]}\n')


def test_failure(capsys) -> None:
    error = ConfigurationError("no such thing")
    output.fail(error, command="iexec-lite x", raw=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "ok": False,
        "command": "iexec-lite x",
        "error": {
            "name": "ConfigurationError",
            "code": "configuration",
            "message": "no such thing",
        },
    }
    output.fail(error, command="iexec-lite x", raw=False)
    text = '✖ Command "iexec-lite x" failed: ConfigurationError: no such thing\n'
    assert capsys.readouterr() == ("", text)


def test_information_and_warnings(capsys) -> None:
    for raw, quiet, shown in [
        (False, False, "ℹ i\n⚠ w\n"),
        (False, True, "⚠ w\n"),
        (True, False, ""),
        (True, True, ""),
    ]:
        options = Namespace(raw=raw, quiet=quiet)
        output.info("i", options)
        output.warn("w", options)
        assert capsys.readouterr() == ("", shown)


def test_colour_on_a_terminal_only(monkeypatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    output.warn("w", Namespace(raw=False))
    assert terminal.getvalue() == "\x1b[33m⚠\x1b[0m w\n"
    monkeypatch.setenv("NO_COLOR", "1")
    output.warn("w", Namespace(raw=False))
    assert terminal.getvalue().endswith("m w\n⚠ w\n")


def test_nothing_steers_a_terminal(capsys) -> None:
    text = "a\x1b[2Jb\x07\r\u202ec\x9b\ud800\ttab é✖"
    output.show(output.Result(text=text), raw=False)
    expected = r"a\x1b[2Jb\x07\x0d\u202ec\x9b\ud800" + "\ttab é✖\n"
    assert capsys.readouterr().out == expected
    output.show(output.Result(payload={"x": text}), raw=True)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"ok": True, "x": text}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_any_encoding(monkeypatch, encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    monkeypatch.setattr("sys.stdout", stream)
    assert output.show(output.Result(text="1 ✖ é"), raw=False) == 0
    shown = raw.getvalue().decode(encoding)
    assert shown == ("1 \\u2716 \\xe9\n" if encoding == "ascii" else "1 \\u2716 é\n")


def test_closed_streams(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stderr", None)
    output.fail(IExecError("x"), command="c", raw=True)
    output.fail(IExecError("x"), command="c", raw=False)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.stdout", None)
    assert output.show(RESULT, raw=True) == 0


def test_render() -> None:
    value = {
        "name": "x",
        "longer": 12,
        "flag": True,
        "none": None,
        "empty": [],
        "nested": {"a": "1", "list": ["b", {"c": False}]},
        "text": "",
    }
    assert output.render(value).splitlines() == [
        "name:   x",
        "longer: 12",
        "flag:   yes",
        "none:   (none)",
        "empty:  (none)",
        "nested:",
        "  a:    1",
        "  list:",
        "    - b",
        "    -",
        "      c: no",
        "text:",
    ]
    assert output.render("x") == "x"


def test_values_cannot_pass_for_keys() -> None:
    """A line end in a name, from whoever registered it, begins no line of its own."""
    value = {"name": "x\nowner: 0x12", "owner": "me", "k\ney": ["a\nb"]}
    assert output.render({"app": value}, 0).splitlines() == [
        "app:",
        "  name:    x",
        "           owner: 0x12",
        "  owner:   me",
        r"  k\x0aey:",
        "    - a",
        "      b",
    ]


def test_wide_keys() -> None:
    assert output.render({"日本": 1, "name": 2, "e\u0301": 3}) == "日本: 1\nname: 2\ne\u0301:    3"


def test_what_the_library_tells(monkeypatch, capsys) -> None:
    log = logging.getLogger("iexec_lite")

    def told(**more: bool) -> str:
        for _ in range(2):  # the second command of a process does not tell all twice
            output.narrate(Namespace(**{"raw": False, "quiet": False, **more}))
        log.debug("GET https://n: 200")
        log.info("sent %s", "0x12")
        log.warning("careful")
        log.error("worse")
        out, err = capsys.readouterr()
        assert out == ""
        return str(err)

    assert told() == "ℹ sent 0x12\n⚠ careful\n⚠ worse\n"
    assert told(quiet=True) == "⚠ careful\n⚠ worse\n"
    assert told(raw=True) == ""
    monkeypatch.setenv("DEBUG", "foo,iexec*")
    assert told() == "ℹ GET https://n: 200\nℹ sent 0x12\n⚠ careful\n⚠ worse\n"
    assert told(raw=True) == ""
    monkeypatch.setenv("DEBUG", "other")
    assert told() == "ℹ sent 0x12\n⚠ careful\n⚠ worse\n"
    other = logging.NullHandler()
    log.addHandler(other)
    told()
    assert other in log.handlers  # somebody else's stays


def test_where_a_failure_comes_from(monkeypatch, capsys) -> None:
    def origin() -> None:
        raise ConfigurationError("no such thing")

    with pytest.raises(ConfigurationError) as caught:
        origin()
    line = '✖ Command "x" failed: ConfigurationError: no such thing\n'
    for debug, shown in (("", False), ("other", False), ("iexec*", True)):
        monkeypatch.setenv("DEBUG", debug)
        output.fail(caught.value, command="x", raw=False)
        err = capsys.readouterr().err
        assert err.startswith(line)
        rest = err.removeprefix(line)
        assert bool(rest) is shown
        if shown:
            assert rest.startswith("Traceback (most recent call last):\n")
            assert rest.endswith("iexec_lite.errors.ConfigurationError: no such thing\n\n")
        output.fail(caught.value, command="x", raw=True)
        assert "Traceback" not in capsys.readouterr().err


def test_signs_that_a_stream_does_not_have(monkeypatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(raw, encoding="cp1252", newline="\n"))
    options = Namespace(raw=False, quiet=False)
    output.info("i", options)
    output.warn("w", options)
    output.fail(IExecError("e"), command="c", raw=False)
    assert raw.getvalue() == b'i i\n! w\nx Command "c" failed: e\n'
