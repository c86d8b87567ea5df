"""``order sign --stdin``: lines in and out, cut off and resumed, refused lines, closed pipes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import main, order_stream, orders
from iexec_lite.sdk import signing
from iexec_lite.sdk.files import create_private

from .conftest import KEY

CHAIN = ("--chain", "bellecour")
WORDS = ("order", "sign", "--stdin", "--request", *CHAIN)
APP = "0x" + "12" * 20
ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"


@pytest.fixture(autouse=True)
def plain(project: Path) -> None:
    create_private(project / "wallet.json", json.dumps({"privateKey": KEY.hex()}))


def line(number: int) -> bytes:
    return json.dumps({"app": APP, "category": 0, "params": f"{number}"}).encode() + b"\n"


def start(*words: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "iexec_lite", *WORDS, *words]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


def sign(lines: Iterable[bytes], *words: str) -> tuple[int, list[Any], str]:
    """Exit status, the documents of standard output, and what a person is told."""
    if "2" in words:  # several processes need one that they can be told from
        with start(*words) as process:
            out, err = process.communicate(b"".join(lines), timeout=100)
        return process.returncode, [json.loads(each) for each in out.splitlines()], err.decode()
    given, got = (io.TextIOWrapper(io.BytesIO(data)) for data in (b"".join(lines), b""))
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in (("stdin", given), ("stdout", got), ("stderr", told)):
            patch.setattr(f"sys.{name}", stream)
        status = main([*WORDS, *words])
    got.flush()
    documents = [json.loads(each) for each in got.buffer.getvalue().splitlines()]  # type: ignore[attr-defined]
    return status, documents, told.getvalue()


def numbers(documents: Iterable[Any]) -> list[object]:
    return [
        f"refused {each['line']}" if "error" in each else json.loads(each["params"])["iexec_args"]
        for each in documents
    ]


def written(file: Path) -> list[Any]:
    return [json.loads(each) for each in file.read_bytes().splitlines()]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_lines_in_lines_out(jobs: str) -> None:
    status, found, err = sign(map(line, range(300)), "--jobs", jobs)
    assert (status, numbers(found)) == (0, [str(number) for number in range(300)])
    assert err == "ℹ 300 signed\n"
    assert {each["requester"] for each in found} == {ADDRESS}
    assert list(found[0])[-2:] == ["salt", "sign"]


def test_lines_are_written_as_they_are_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is cut off has not been done for nothing."""
    file, seen = project / "out.jsonl", []

    class Asked(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            seen.append(len(written(file)))
            return super().readline(size)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Asked(b"".join(map(line, range(3))))))
    assert main([*WORDS, "--output", "out.jsonl"]) == 0
    assert seen == [0, 1, 2, 3]


def test_nothing_in_nothing_out() -> None:
    assert sign([]) == (0, [], "ℹ 0 signed\n")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_refused_lines_keep_their_place(jobs: str) -> None:
    """Not JSON, no order, far too long, not UTF-8, empty; and no line feed at the end."""
    huge = b'{"app": "' + b"x" * 3_000_000 + b'"}\n'
    bad = [b"nonsense\n", b"[]\n", huge, b'"\xff"\n', b"\n"]
    lines = [order_stream.BOM + line(0), *bad, line(6).strip()]
    status, found, err = sign(lines, "--jobs", jobs)
    assert status == 1
    assert numbers(found) == ["0", *(f"refused {number}" for number in range(2, 7)), "6"]
    assert "longer than 131072 bytes" in found[3]["error"]["message"]
    lines_told = err.splitlines()
    assert lines_told[:2] == ["ℹ 2 signed", "✖ 5 refused:"]
    for number, told in enumerate(lines_told[2:], 2):
        message = found[number - 1]["error"]["message"]
        assert told == f"  - line {number}: {message}"
    assert len(lines_told) == 7
    assert len(err) < 1000


@pytest.mark.parametrize(("count", "more"), [(10, []), (11, ["  - and 1 more"])])
def test_many_refused_lines_are_told_in_short(count: int, more: list[str]) -> None:
    status, found, err = sign([b"x\n"] * count)
    assert (status, numbers(found)) == (1, [f"refused {at}" for at in range(1, count + 1)])
    told = found[0]["error"]["message"]
    listed = [f"  - line {at}: {told}" for at in range(1, 11)]
    assert err.splitlines() == ["ℹ 0 signed", f"✖ {count} refused:", *listed, *more]
    document = json.loads(sign([b"x\n"] * count, "--raw", "--output", "out.jsonl")[2])
    assert (document["signed"], document["refused"], document["before"]) == (0, count, 0)


def test_the_bound_of_a_line_is_the_librarys() -> None:
    assert order_stream.MAX_LINE == signing.MAX_LINE


def test_stop_on_error_then_resume(project: Path) -> None:
    file = project / "out.jsonl"
    words = ("--output", str(file))
    lines = [line(0), line(1), b"x\n", line(3)]
    status, out, err = sign(lines, *words, "--stop-on-error", "--raw")
    error = json.loads(err)["error"]["message"]
    assert (status, out) == (1, [])
    refused = sign([b"x\n"])[1][0]["error"]["message"]
    assert error == f"stopped at line 3: {refused} (--resume goes on from there)"
    first = written(file)
    assert numbers(first) == ["0", "1"]
    lines[2] = line(2)
    status, out, err = sign(lines, *words, "--resume", "--raw")
    assert (status, out, err) == (0, [{"ok": True, "signed": 2, "refused": 0, "before": 2}], "")
    assert written(file)[:2] == first  # nothing was signed twice
    assert numbers(written(file)) == ["0", "1", "2", "3"]
    assert sign(lines, *words, "--resume") == (0, [], "ℹ 0 signed, 4 before\n")
    _, out, err = sign([line(0), b"x\n", line(2)], "--stop-on-error")
    assert numbers(out) == ["0"]
    assert err == f'✖ Command "iexec-lite order sign" failed: stopped at line 2: {refused}\n'


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_and_resumed(project: Path, jobs: str) -> None:
    """A kill in the middle of the work loses nothing, and nothing is signed twice."""
    file, words = project / "out.jsonl", ("--jobs", jobs, "--output", "out.jsonl")
    lines = [line(number) for number in range(1500)]
    with start(*words) as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(lines[:700]))
        process.stdin.flush()
        while not file.exists() or file.stat().st_size < 200_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    before = file.read_bytes()
    complete = before[: before.rindex(b"\n") + 1]
    file.write_bytes(before + b'{"app":"0x12')  # half a line, as a full disk leaves it
    status, _, err = sign(lines, *words, "--resume")
    assert status == 0, err
    assert file.read_bytes().startswith(complete)
    assert numbers(written(file)) == [str(number) for number in range(1500)]
    done = complete.count(b"\n")
    assert err == f"ℹ {1500 - done} signed, {done} before\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c(project: Path, jobs: str) -> None:
    file = project / "out.jsonl"
    with start("--jobs", jobs, "--output", "out.jsonl") as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(map(line, range(600))))
        process.stdin.flush()
        while not file.exists() or not file.stat().st_size:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")
    found = written(file)  # whole lines only
    assert numbers(found) == [str(number) for number in range(len(found))]
    text = "Interrupted (--resume goes on from there)"
    assert err.decode() == f'✖ Command "iexec-lite order sign" failed: {text}\n'


def test_the_reader_goes_away() -> None:
    with start("--jobs", "2") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"".join(map(line, range(500))))  # more than it reads ahead
        process.stdin.flush()
        json.loads(process.stdout.readline())
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for number in range(2000):
                os.write(process.stdin.fileno(), line(number))
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


def test_each_line_is_answered_at_once() -> None:
    """A program can talk to it: one order, one answer."""
    with start() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(line(number))
            process.stdin.flush()
            assert numbers([json.loads(process.stdout.readline())]) == [str(number)]
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="only POSIX tells what a process used")
def test_memory_does_not_grow_with_the_orders() -> None:
    """Thirty times the orders, the same memory (in kilobytes; a list would take 3 MB more)."""

    def peak(count: int) -> int:
        with start() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for number in range(count):
                process.stdin.write(line(number))
                process.stdin.flush()
                process.stdout.readline()
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        assert status == 0
        return usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss // 1024

    assert peak(3000) < peak(100) + 1500


def test_long_lines_and_marks_at_the_beginning() -> None:
    long = b'{"app": "' + b"x" * order_stream.MAX_LINE + b'"}'
    for bad in (long + b"\n", long * 3 + b"\n", long * 2):
        status, documents, _ = sign(
            [order_stream.BOM + line(0), bad, line(2)][: 2 if bad[-1:] != b"\n" else 3]
        )
        assert status == 1
        assert numbers(documents)[:2] == ["0", "refused 2"]
        assert numbers(documents)[2:] == (["2"] if bad.endswith(b"\n") else [])
    status, documents, _ = sign([line(0), order_stream.BOM + line(1)])
    assert numbers(documents) == ["0", "refused 2"]


def test_what_is_told_at_the_end(project: Path) -> None:
    words = ("--output", "out.jsonl")
    _, _, err = sign([line(0), line(1)], *words)
    assert err.endswith("ℹ 2 signed\n")
    _, _, err = sign([line(0), line(1), line(2)], *words, "--resume")
    assert err.endswith("ℹ 1 signed, 2 before\n")
    status, documents, _ = sign([line(0), b"x\n", line(2)], "--output", "new", "--raw")
    assert (status, documents) == (1, [])
    with open(project / "new", "ab") as file:
        file.write(b'{"app":"0x')
    status, _, err = sign([line(0), b"x\n", line(2), line(3)], "--output", "new", "--resume")
    assert (status, err.count("refused")) == (0, 0)
    assert numbers(written(project / "new")) == ["0", "refused 2", "2", "3"]


def test_another_input_is_not_resumed(project: Path) -> None:
    words = ("--output", "out.jsonl")
    lines = [line(0), b"x\n", line(2)]
    assert sign(lines, *words)[0] == 1
    before = (project / "out.jsonl").read_bytes()
    differs = (
        "--resume: line {0} of the output is not what line {0} of the input gives: "
        "give the same input, order kind, wallet and chain"
    )
    for other, why in (
        ([line(0), b"x\n", line(3)], differs.format(3)),
        ([line(0), b"x\n", b"x\n"], differs.format(3)),
        ([line(0)], "--resume: 3 lines are done, but 1 were given"),
        ([], "--resume: 3 lines are done, but 0 were given"),
    ):
        status, _, err = sign(other, *words, "--resume", "--raw")
        assert status == 1
        assert json.loads(err)["error"]["message"] == why
        assert (project / "out.jsonl").read_bytes() == before
    for other_output in (b"a letter\n", b"[1]\n", b"7\n", b'{"error": 1}\n', b'{"app": []}\n'):
        (project / "out.jsonl").write_bytes(other_output)
        _, _, err = sign(lines, *words, "--resume", "--raw")
        assert json.loads(err)["error"]["message"] == differs.format(1)
        assert (project / "out.jsonl").read_bytes() == other_output
    (project / "out.jsonl").write_bytes(before)
    assert sign(lines, *words, "--resume")[0] == 0


@pytest.mark.parametrize("output", [b"a letter\n", b'{"error": "of another program"}\n'])
def test_what_no_order_gave_is_no_refused_line_either(project: Path, output: bytes) -> None:
    (project / "out.jsonl").write_bytes(output)
    status, _, err = sign([b"x\n"], "--output", "out.jsonl", "--resume")
    assert status == 1
    assert "line 1 of the output is not what line 1 of the input gives" in err
    assert (project / "out.jsonl").read_bytes() == output


@pytest.mark.parametrize("kind", orders.RESOURCES)
def test_what_is_not_half_a_line_of_ours_is_not_cut_off(
    project: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another file, by mistake: one line without an end is all that many have."""
    path = project / "other"
    words = ["order", "sign", "--stdin", f"--{kind}", "--output", "other", "--resume", *CHAIN]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    for content in (
        b"a letter",
        b'{"apps": [1]}',
        b'{"app":{"owner":"0x"}}',
        b"[",
        b' {"app":"0x',
    ):
        path.write_bytes(content)
        assert main(words) == 1
        assert capsys.readouterr().err == (
            '✖ Command "iexec-lite order sign" failed: ConfigurationError: --resume: the end of '
            f"other is no part of a signed {kind}order: name the file that this command has "
            "written\n"
        )
        assert path.read_bytes() == content
    first = "app" if kind == "request" else kind
    for content in (b"{", f'{{"{first}":"0x12'.encode(), b'{"line": 1, "err'):
        path.write_bytes(content)
        assert main(words) == 0
        assert path.read_bytes() == b""


def test_a_first_resume_begins(project: Path) -> None:
    """Where there is no file yet, or an empty one."""
    words = ("--output", "out.jsonl", "--resume")
    assert sign([line(0)], *words) == (0, [], "ℹ 1 signed\n")
    (project / "out.jsonl").write_bytes(b"")
    assert sign([line(0)], *words) == (0, [], "ℹ 1 signed\n")
    (project / "out.jsonl").write_bytes(b'{"app":"0x12')
    assert sign([line(0)], *words) == (0, [], "ℹ 1 signed\n")
    assert numbers(written(project / "out.jsonl")) == ["0"]


def test_half_a_line_is_cut_off_where_nothing_is_left(project: Path) -> None:
    words = ("--output", "out.jsonl")
    sign([line(0)], *words)
    whole = (project / "out.jsonl").read_bytes()
    (project / "out.jsonl").write_bytes(whole + whole[:-9])
    assert sign([line(0)], *words, "--resume")[0] == 0
    assert (project / "out.jsonl").read_bytes() == whole


def test_a_refused_line_that_was_done_last(project: Path) -> None:
    """What is refused again is the same line, whatever the words."""
    words = ("--output", "out.jsonl")
    assert sign([line(0), b"x\n"], *words)[0] == 1
    assert sign([line(0), b"y\n", line(2)], *words, "--resume")[0] == 0
    assert numbers(written(project / "out.jsonl")) == ["0", "refused 2", "2"]


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(context: Any, kind: str, lines: Any, jobs: int) -> Iterator[str]:
        assert (kind, jobs) == ("requestorder", 1)  # nobody asked for more processes
        yield "{}"
        raise KeyboardInterrupt

    monkeypatch.setattr("iexec_lite.sdk.signing.sign_lines", interrupted)
    status, documents, err = sign([line(0)])
    assert (status, documents) == (1, [{}])
    assert err == '✖ Command "iexec-lite order sign" failed: Interrupted\n'
    err = sign([line(0)], "--output", "o.jsonl", "--raw")[2]
    assert json.loads(err)["error"]["message"] == "Interrupted (--resume goes on from there)"


def test_a_file_that_exists_is_kept(project: Path) -> None:
    file = project / "out.jsonl"
    file.write_text("precious")
    status, _, err = sign([line(0)], "--output", "out.jsonl", "--raw")
    question = '"out.jsonl" already exists, replace it? (--resume goes on with it)'
    assert status == 1
    assert json.loads(err)["error"]["message"] == (
        f"{question} There is nobody to ask: --force says yes"
    )
    assert file.read_text() == "precious"
    assert sign([line(0)], "--output", "out.jsonl", "--force")[0] == 0
    assert numbers(written(file)) == ["0"]


def test_a_person_keeps_a_file(
    person: None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "out.jsonl").write_text("precious")
    monkeypatch.setattr("iexec_lite.cli.prompts._read_line", lambda: "n\n")
    status, _, err = sign([line(0)], "--output", "out.jsonl")
    assert status == 1
    assert err.endswith("failed: Operation aborted by user. out.jsonl was kept\n")
    assert (project / "out.jsonl").read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--app",),
            "say of which one kind the orders are: --app, --dataset, --workerpool, --request",
        ),
        (("--resume",), "--resume goes on with a file: name it with --output"),
        (("--raw",), "with --raw, standard output is not for orders: give --output"),
        (
            ("--password-file", "-"),
            "standard input holds the orders: read the password from a file",
        ),
        (("--jobs", "0"), "ValidationError: jobs must be a whole number from 1 to 256"),
        (("--output", "no/o"), "no/o: No such file or directory"),
    ],
)
def test_what_cannot_begin(words: tuple[str, ...], message: str) -> None:
    status, out, err = sign([line(0)], *words)
    assert (status, out) == (1, [])
    if "--raw" in words:
        assert json.loads(err)["error"]["message"] == message
    else:
        told = err.partition("failed: ")[2].removeprefix("ConfigurationError: ")
        assert told == f"{message}\n"


def test_a_number_of_processes_that_is_none() -> None:
    assert "invalid int value" in sign([line(0)], "--jobs", "two")[2]


@pytest.mark.parametrize(
    "words", [("--jobs", "2"), ("--output", "x"), ("--resume",), ("--stop-on-error",)]
)
def test_options_of_a_stream_go_with_it(run: Any, words: tuple[str, ...]) -> None:
    done = run("order", "sign", "--request", "--chain", "bellecour", *words, "--raw")
    assert done.json["error"]["message"] == f"{words[0]} goes with --stdin"
