"""Questions to a person at a terminal, and that nobody else is ever asked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from iexec_lite.cli import prompts
from iexec_lite.errors import ConfigurationError, IExecError, ValidationError

from ...pseudo_terminal import PseudoTerminal

pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")

NEW = "Please choose a password for wallet encryption"
AGAIN = "Please confirm your password"
CHEAP = """
import sys
from iexec_lite.eth import keystore
keystore.encrypt.__kwdefaults__["n"] = 2
from iexec_lite.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def terminal(project: Path) -> Iterator[Callable[..., PseudoTerminal]]:
    with ExitStack() as stack:

        def start(*words: str, piped: bool = False) -> PseudoTerminal:
            command = [sys.executable, "-c", CHEAP, *words]
            env = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
            made = PseudoTerminal(command, project, env, piped=piped)
            return stack.enter_context(made)

        yield start


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_create(terminal, project: Path) -> None:
    session = terminal("wallet", "create", "--keystoredir", "ks")
    session.answer(NEW, "sésame\n")
    session.answer(AGAIN, "sésame\n")
    status, seen = session.end()
    assert status == 0, seen
    assert "sésame" not in seen
    assert "Your wallet address is 0x" in seen
    (file,) = (project / "ks").iterdir()
    from iexec_lite.eth import keystore

    assert keystore.decrypt(file.read_text(), "sésame").address.hex() in file.read_text()


def test_create_mismatch(terminal, project: Path) -> None:
    session = terminal("wallet", "create", "--keystoredir", "ks")
    session.answer(NEW, "one\n")
    session.answer(AGAIN, "two\n")
    status, seen = session.end()
    assert status == 1
    assert "Password missmatch" in seen
    assert names(project / "ks") == []


@pytest.mark.parametrize("typed", ["\n", "\x04"])
def test_create_without_a_password(terminal, project: Path, typed: str) -> None:
    session = terminal("wallet", "create", "--keystoredir", "ks")
    session.answer(NEW, typed)
    status, seen = session.end()
    assert status == 1
    assert ("The password is empty" if typed == "\n" else "Operation aborted by user.") in seen
    assert names(project / "ks") == []


@pytest.mark.parametrize(
    ("typed", "status", "kept"),
    [("n\n", 1, True), ("maybe\nno\n", 1, True), ("\x04", 1, True), ("\n", 0, False)],
)
def test_overwrite(terminal, project: Path, typed: str, status: int, kept: bool) -> None:
    old = '{"privateKey": "precious"}'
    (project / "wallet.json").write_text(old)
    session = terminal("wallet", "create", "--unencrypted")
    session.answer('"wallet.json" already exists, replace it with new one? (Y/n) ', typed)
    got, seen = session.end()
    assert got == status, seen
    assert ((project / "wallet.json").read_text() == old) is kept
    assert ("Operation aborted by user." in seen) is kept
    assert names(project) == ["wallet.json"]


@pytest.mark.parametrize(
    ("words", "question"),
    [(["--unencrypted"], "(Y/n) "), (["--keystoredir", "ks"], NEW + ": ")],
)
def test_interrupt(terminal, project: Path, words: list[str], question: str) -> None:
    """The question keeps its line."""
    (project / "wallet.json").write_text("{}")
    session = terminal("wallet", "create", *words)
    session.read(question)
    session.process.send_signal(2)
    status, seen = session.end()
    assert status == 1
    assert seen.endswith(question + '\n✖ Command "iexec-lite wallet create" failed: Interrupted\n')
    assert (project / "wallet.json").read_text() == "{}"


def test_an_answer_that_is_no_text(terminal, project: Path, monkeypatch) -> None:
    (project / "wallet.json").write_text("{}")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    session = terminal("wallet", "create", "--unencrypted")
    session.read("(Y/n) ")
    os.write(session.master, b"\xff\n")
    status, seen = session.end()
    assert status == 1
    assert "The answer is not text in the encoding of this terminal" in seen
    assert (project / "wallet.json").read_text() == "{}"


def test_init_asks_everything_first(terminal, project: Path) -> None:
    (project / "iexec.json").write_text('{"mine": true}')
    (project / "chain.json").write_text('{"default": "mainnet", "chains": {}}')
    session = terminal("init", "--keystoredir", "ks")
    session.answer('"iexec.json" already exists, replace it with new one?', "n\n")
    session.answer('"chain.json" already exists, replace it with new one?', "y\n")
    session.read(NEW)
    assert (project / "chain.json").read_text() == '{"default": "mainnet", "chains": {}}'
    os.write(session.master, b"x\n")
    session.answer(AGAIN, "x\n")
    status, seen = session.end()
    assert status == 0, seen
    assert seen.endswith("iExec project is ready\n")
    assert "iexec.json was kept as it is" in seen
    assert (project / "iexec.json").read_text() == '{"mine": true}'
    assert "arbitrum" in (project / "chain.json").read_text()


def test_unlock(terminal, project: Path, wallet: Path) -> None:
    (project / "iexec.json").write_text("{}")
    flags = ("--keystoredir", "ks", "--chain", "bellecour")
    assert terminal("order", "init", *flags, "--request").end()[0] == 0
    for typed, expected in [("wrong\n", 1), ("\n", 1), ("x\n", 0)]:
        session = terminal("order", "sign", "--offline", "--request", *flags)
        session.read(f"Using wallet {wallet.name}\n")
        session.answer("Please enter your password to unlock your wallet: ", typed)
        status, seen = session.end()
        assert status == expected, seen
        assert ("WrongPasswordError: invalid password" in seen) is bool(expected)
        assert (project / "orders.json").exists() is (expected == 0)


def test_result_apart_from_questions(terminal, wallet: Path, project: Path) -> None:
    session = terminal("wallet", "create", "--unencrypted", piped=True)
    _, seen = session.end()
    assert seen == "⚠ The key is stored in clear: whoever reads wallet.json owns the wallet\n"
    out, _ = session.process.communicate(timeout=30)
    assert out.startswith(b"Your wallet address is 0x")


def test_raw_never_asks_even_at_a_terminal(terminal, project: Path) -> None:
    (project / "wallet.json").write_text("{}")
    for words in (["wallet", "create", "--unencrypted"], ["wallet", "create"], ["init"]):
        status, seen = terminal(*words, "--raw").end()
        assert status == 1
        document = json.loads(seen)
        assert "there is nobody to ask" in document["error"]["message"].lower()
    assert names(project) == ["wallet.json"]


# -- without a terminal ------------------------------------------------------------------------


def test_a_question_cannot_steer_the_terminal(monkeypatch) -> None:
    """What is asked about may come from a marketplace."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("sys.stdin", Screen("what\nY\n"))
    assert prompts.confirm("Publish\n\x1b[8m this?", options()) is True
    assert screen.getvalue() == "? Publish\n\\x1b[8m this? (Y/n) " * 2


@pytest.mark.parametrize(
    ("typed", "default", "answer"),
    [
        ("\n", True, True),
        ("\n", False, False),
        ("y\n", False, True),
        (" YES \n", False, True),
        ("n\n", True, False),
        ("No\n", True, False),
        ("yep\nnope\nn\n", True, False),
    ],
)
@pytest.mark.usefixtures("person")
def test_yes_or_no(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    default: bool,
    answer: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert prompts.confirm("Really?", options(), default=default) is answer
    question = "? Really? (Y/n) " if default else "? Really? (y/N) "
    assert capsys.readouterr() == ("", question * typed.count("\n"))
    assert prompts.confirm("Really?", options(force=True), default=default)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("person")
def test_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The question that is broken off keeps its line."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(EOFError):
        prompts.confirm("Really?", options())
    assert capsys.readouterr() == ("", "? Really? (Y/n) \n")
    broken = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", broken)
    with pytest.raises(ValidationError) as caught:
        prompts.confirm("Really?", options())
    assert str(caught.value) == "The answer is not text in the encoding of this terminal"


@pytest.mark.usefixtures("person")
def test_agreeing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"app": "0x12", "price": {"nRLC": 5}}
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nn\nn\n"))
    prompts.agree("Sign it?", options(), about=about)
    shown = "? Sign it?\n  app:   0x12\n  price:\n    nRLC: 5\n (Y/n) "
    assert capsys.readouterr().err == shown
    with pytest.raises(IExecError, match=r"^Operation aborted by user\.$"):
        prompts.agree("Sign it?", options())
    with pytest.raises(IExecError, match=r"^Operation aborted by user\. It was kept$"):
        prompts.agree("Sign it?", options(), otherwise="It was kept")
    with pytest.raises(ConfigurationError) as caught:
        prompts.agree("Sign it?", options(raw=True), about=about)
    assert str(caught.value) == "Sign it? There is nobody to ask: --force says yes"


@pytest.mark.usefixtures("person")
def test_replacing_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    prompts.replace("sub/new", options())
    assert capsys.readouterr().err == ""
    (project / "old").write_text("")
    path = project / "link"
    path.symlink_to("nowhere")
    with pytest.raises(IExecError) as caught:
        prompts.replace(path, options())
    assert str(caught.value) == f"Operation aborted by user. {path} was kept"
    question = '? "link" already exists, replace it with new one? (Y/n) '
    assert capsys.readouterr().err == question


@pytest.mark.usefixtures("person")
def test_passwords_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, typed = [], ["one", "one", "one", "two", "", "old"]

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return typed.pop(0)

    monkeypatch.setattr("getpass.getpass", getpass)
    again = "? Please confirm your password: "
    assert prompts.password("New\x1b", options(), new=True) == "one"
    assert asked == ["? New\\x1b: ", again]
    with pytest.raises(ValidationError) as caught:
        prompts.password("New", options(), new=True)
    assert str(caught.value) == "Password missmatch: they differ, nothing was written"
    with pytest.raises(ValidationError) as caught:
        prompts.password("New", options(), new=True)
    assert str(caught.value) == "The password is empty: nothing was written"
    assert prompts.password("Old", options()) == "old"
    assert asked[2:] == ["? New: ", again, "? New: ", "? Old: "]
    with pytest.raises(ConfigurationError) as nobody:
        prompts.hidden("Paste it", options(raw=True), "--file FILE")
    assert str(nobody.value) == "Paste it: there is nobody to ask; give --file FILE"


@pytest.mark.parametrize("broken", [EOFError, KeyboardInterrupt])
@pytest.mark.usefixtures("person")
def test_a_password_that_nobody_types(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broken: type[BaseException],
) -> None:
    def getpass(prompt: str) -> str:
        raise broken

    monkeypatch.setattr("getpass.getpass", getpass)
    with pytest.raises(broken):
        prompts.password("Old", options())
    assert capsys.readouterr() == ("", "\n")


def test_who_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who types and sees the question: both streams are a terminal."""
    for seen in ((), ("stdin",), ("stderr",), ("stdin", "stderr")):
        streams = [getattr(sys, name) for name in seen]
        monkeypatch.setattr(
            "iexec_lite.cli.terminal.is_terminal", lambda stream, streams=streams: stream in streams
        )
        assert prompts.interactive(options()) is (len(seen) == 2)
        assert not prompts.interactive(options(raw=True))


def test_a_secret_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin, message in (
        (None, "--x: the first line is empty"),
        (io.StringIO("\r\nmore"), "--x: the first line is empty"),
        (
            io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"),
            "--x: standard input is not UTF-8 text",
        ),
    ):
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises((ConfigurationError, ValidationError)) as caught:
            prompts.read_secret("-", "--x")
        assert str(caught.value) == message
    monkeypatch.setattr("sys.stdin", io.StringIO("one\r\ntwo"))
    assert [prompts.read_secret("-", "--x") for _ in range(2)] == ["one", "two"]


def options(**changes: object) -> Namespace:
    known = {"raw": False, "force": False, "password": None, "password_file": None}
    return Namespace(**{**known, **changes})


def test_order_of_sources(monkeypatch, project: Path) -> None:
    (project / "pw").write_text("from file\nsecond line\n")
    monkeypatch.setenv("IEXEC_LITE_PASSWORD", "from environment")
    both = options(password="from option", password_file="pw")
    assert prompts.password("?", both) == "from option"
    assert prompts.password("?", options(password_file="pw")) == "from file"
    assert prompts.password("?", options()) == "from environment"
    for empty in ("", None):
        if empty is None:
            monkeypatch.delenv("IEXEC_LITE_PASSWORD")
        else:
            monkeypatch.setenv("IEXEC_LITE_PASSWORD", empty)
        with pytest.raises(ConfigurationError) as caught:
            prompts.password("Who?", options())
        assert str(caught.value) == (
            "Who?: there is nobody to ask; give --password-file FILE, --password or the "
            "environment variable IEXEC_LITE_PASSWORD"
        )


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\nmore", "secret"),
        (b"\xef\xbb\xbfsecret\n", "secret"),
        (b" sp ace \n", " sp ace "),
        ("sésame\n".encode(), "sésame"),
        (b"x" * 4096, "x" * 4096),
    ],
)
def test_password_file(project: Path, content: bytes, password: str) -> None:
    (project / "pw").write_bytes(content)
    assert prompts.password("?", options(password_file="pw"), new=True) == password


def test_a_password_file_that_others_may_read(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (project / "pw").write_text("x")
    for mode, told in ((0o600, 0), (0o644, 1)):
        (project / "pw").chmod(mode)
        assert prompts.password("?", options(password_file="pw")) == "x"
        assert len(caplog.records) == told
    assert caplog.records[0].getMessage() == (
        "other users of this machine may read pw: chmod 600 it"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "--password-file: the first line is empty"),
        (b"\nsecret\n", "--password-file: the first line is empty"),
        (b"\xff\xfesecret", "pw is not UTF-8 text"),
        (b"x" * 4097, "pw is larger than 4096 bytes: refused"),
        (None, "cannot read pw: No such file or directory"),
    ],
)
def test_bad_password_file(run, project: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (project / "pw").write_bytes(content)
    done = run("wallet", "create", "--password-file", "pw", "--keystoredir", "ks", "--raw")
    assert done.json["error"]["message"] == message
    assert names(project / "ks") == []


def test_standard_input_is_read_line_by_line(run, cheap, project: Path) -> None:
    key = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
    words = ["--private-key-file", "-", "--password-file", "-", "--keystoredir", "local"]
    done = run("wallet", "import", *words, "--raw", stdin=f"{key}\nx\n")
    assert done.json["address"] == "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
    empty = run("wallet", "create", "--password-file", "-", "--keystoredir", "local", "--raw")
    assert empty.json["error"]["message"] == "--password-file: the first line is empty"


def test_closed_standard_input(project: Path) -> None:
    """V6 ends with status 0 and nothing done (cli.md B2)."""
    for words in (["--password-file", "-"], []):
        done = subprocess.run(
            [
                *("sh", "-c", '"$0" -m iexec_lite "$@" <&-', sys.executable),
                *("wallet", "create", "--raw", "--keystoredir", "ks", *words),
            ],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        message = json.loads(done.stderr)["error"]["message"]
        assert "first line is empty" in message if words else "nobody to ask" in message
        assert names(project / "ks") == []


def test_new_passwords_are_not_empty(run, monkeypatch, project: Path) -> None:
    with pytest.raises(ValidationError, match="The password is empty"):
        prompts.password("?", options(password=""), new=True)
    assert prompts.password("?", options(password="")) == ""
    done = run("wallet", "create", "--password", "", "--keystoredir", "ks", "--raw")
    assert done.json["error"]["message"] == "The password is empty: nothing was written"
    assert names(project / "ks") == []
