"""From words to a command: help, version, usage errors; what they load and never repeat."""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import iexec_lite
from iexec_lite.cli import dispatch, output, parser
from iexec_lite.errors import StateError

SECRET = "hunter2"
KEY = "0x" + "1b" * 32


def test_version(run) -> None:
    for words in (["--version"], ["-V"], ["--raw", "--version"]):
        done = run(*words)
        assert (done.status, done.out, done.err) == (0, f"{iexec_lite.__version__}\n", "")


COMMANDS = {
    f"{name} {command}".strip(): options
    for name in dispatch.GROUPS
    for command, options in dispatch.load(name).commands.items()
}
GROUPS = [name for name in dispatch.GROUPS if name not in COMMANDS]


def listed(title: str, text: str) -> list[str]:
    """The names in the block of a help text."""
    block = text.split(f"\n{title}:\n")[1].split("\n\n", maxsplit=1)[0]
    return [line.split()[0].rstrip(",") for line in block.splitlines() if line[2] != " "]


# What people read before they have the program: every help, at 96 columns.
PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["--quiet", "--help"]])
def test_help_of_the_program(run, words: list[str]) -> None:
    done = run(*words)
    assert (done.status, done.out, done.err) == (0, dispatch.top_help(), "")
    assert f"```text\n{done.out}```" in PAGE
    assert done.out.startswith("usage: iexec-lite GROUP COMMAND [options]\n\nThe iExec SDK")
    assert listed("groups", done.out) == list(dispatch.GROUPS)
    assert listed("options", done.out) == ["--version", "--help", "--raw", "--quiet"]
    assert listed("examples", done.out)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("form", ["{} --help", "{} -h", "help {}", "{} help", "--raw {} --help"])
def test_help_of_a_group(run, group: str, form: str) -> None:
    done = run(*form.format(group).split())
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(
        f"usage: iexec-lite {group} COMMAND\n\n{dispatch.GROUPS[group]}\n\ncommands:\n"
    )
    found = dispatch.load(group).commands
    assert listed("commands", done.out) == list(found)
    *_, commands, example = done.out.split("\n\n")
    wide = max(map(len, found)) + 2
    rows = [f"  {name:<{wide}}{command.description}" for name, command in found.items()]
    assert commands.splitlines()[1:] == rows
    assert example == f"{next(iter(found.values())).epilog}\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", ["{} --help", "help {}"])
def test_help_of_a_command(run, command: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "96")
    done = run(*form.format(command).split())
    assert (done.status, done.err) == (0, "")
    assert f"```text\n{done.out}```" in PAGE
    lines = done.out.splitlines()
    assert lines[0].startswith(f"usage: iexec-lite {command} ")
    assert lines[0].endswith("[options]")
    assert lines[2] == COMMANDS[command].description
    assert lines[-2] == "example:"
    assert lines[-1].startswith(f"  iexec-lite {command}")
    assert listed("options", done.out)[:3] == ["-h", "--raw", "--quiet"]
    silent = [a.dest for a in COMMANDS[command]._actions if a.help is None]
    assert silent == [], "an option without a word of help"


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_parse(run, command: str) -> None:
    words = str(COMMANDS[command].epilog).split("iexec-lite ", 1)[1]
    done = run(*shlex.split(words), "--no-such-option", "--raw")
    assert "unknown option '--no-such-option'" in done.json["error"]["message"]


@pytest.mark.parametrize("words", [["--help"], ["app"], ["app", "run", "--help"]])
def test_help_on_a_terminal_without_such_characters(project: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iexec_lite", *words],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    text = done.stdout + done.stderr
    assert text.startswith("usage: iexec-lite ")
    assert "internal error" not in text


def test_aliases(run) -> None:
    group = parser.Group("wallet")
    made = group.command("get-it", print, "text", example="wallet get-it", aliases=["getIt"])
    assert group.find("get-it") is group.find("getIt") is made
    assert group.find("getit") is None
    assert "getIt" not in group.format_help()


@pytest.mark.parametrize(
    ("words", "joined"),
    [
        (["5", "RLC", "x.eth"], ["5 RLC", "x.eth"]),
        ([".5", "--price", "1", "gwei", "0xab"], [".5", "--price", "1 gwei", "0xab"]),
        (
            ["--price", "1", "--tag", "tee", "gpu", "--x"],
            ["--price", "1", "--tag", "tee,gpu", "--x"],
        ),
        (["--tag", "tee", "0x" + "ab" * 20], ["--tag", "tee", "0x" + "ab" * 20]),
        (["--tag", "--x"], ["--tag", "--x"]),
        # What is no amount is told as one, with its unit.
        *(([no, "RLC"], [f"{no} RLC"]) for no in ("1e3", "0x10", "-5", "1,5", "\u0663", "+1")),
        (["--price", "-1", "gwei"], ["--price", "-1 gwei"]),
        (["--price"], ["--price"]),
        (["--", "5", "RLC"], ["--", "5", "RLC"]),
        (
            ["--price", "1", "--", "--tag", "tee", "gpu"],
            ["--price", "1", "--", "--tag", "tee", "gpu"],
        ),
        (["5", "RLC2"], ["5", "RLC2"]),
        (["1RLC", "x"], ["1RLC x"]),
        (["abc", "RLC"], ["abc", "RLC"]),
        (["ab" * 20, "5", "RLC"], ["ab" * 20, "5 RLC"]),
        (["12" * 20, "RLC"], ["12" * 20, "RLC"]),  # an address without 0x is no amount
        (["12" * 19, "RLC"], ["12" * 19 + " RLC"]),
        (["--tag", "tee", "alice.eth"], ["--tag", "tee", "alice.eth"]),
        (["--tag", "tee", "ab" * 20], ["--tag", "tee", "ab" * 20]),
        (["--tag", "tee,gpu", "eth"], ["--tag", "tee,gpu,eth"]),
        (["--params", "--price 1", "5"], ["--params=--price 1", "5"]),
        (["--params", "--", "5", "RLC"], ["--params=--", "5 RLC"]),
        (["--params"], ["--params"]),
        (["show", "RLC"], ["show", "RLC"]),
    ],
)
def test_amounts_and_lists_are_joined(words: list[str], joined: list[str]) -> None:
    command = parser.CommandParser("x", "text", arguments="")
    command.amounts |= {"amount", "--price"}
    command.lists |= {"--tag"}
    command.texts |= {"--params"}
    assert command._joined(words) == joined


def test_numbers_of_a_command_without_an_amount_are_words() -> None:
    command = parser.CommandParser("x", "text", arguments="")
    assert command._joined(["5", "RLC"]) == ["5", "RLC"]


def test_values_after_two_dashes() -> None:
    command = parser.CommandParser("x", "text", arguments="")
    command.add_argument("a")
    command.add_argument("--x")
    found = command.parse(["--x", "1", "--", "--x"])
    assert (found.a, found.x) == ("--x", "1")


@pytest.mark.parametrize("amount", ["1e3 RLC", "-5 RLC", "-5", "1,5 RLC", "0x10", "\u0663 RLC"])
def test_what_is_no_amount(run, wallet: Path, amount: str) -> None:
    done = run("account", "deposit", *amount.split(), "--keystoredir", "ks", "--chain", "bellecour")
    assert f"{amount} is not a valid amount" in done.err


def test_options_and_arguments_mix(run) -> None:
    command = parser.CommandParser("x", "text", arguments="")
    command.add_argument("a", nargs="?")
    command.add_argument("b", nargs="?")
    command.add_argument("--x")
    found = command.parse(["1", "--x", "2", "3"])
    assert (found.a, found.b, found.x) == ("1", "3", "2")


# -- usage errors ------------------------------------------------------------------------------

USAGE = {
    "": "missing command",
    "foo": "unknown command 'foo'",
    "wallet": "missing command",
    "wallet foo": "unknown command 'foo'",
    "--nope": "unknown option '--nope' here: options stand after the command",
    "wallet --nope show": "unknown option '--nope' here: options stand after the command",
    "wallet show --nope": "unknown option '--nope'",
    "wallet show --nope=1": "unknown option '--nope'",
    "wallet show --wallet-addr 0x": "unknown option '--wallet-addr'",
    "wallet show a b": "too many arguments",
    "wallet show --chain": "argument --chain: expected one argument",
    "wallet create --password a --password-file b": (
        "argument --password-file: not allowed with argument --password"
    ),
    "sandbox up --port 0": "argument --port: a port is a number from 1 to 65535",
    "sandbox up --port \u0664\u00b2": "argument --port: a port is a number from 1 to 65535",
    "create wallet": "unknown command 'create': did you mean iexec-lite wallet create?",
    "help foo": "unknown command 'foo'",
    "help wallet foo": "unknown command 'foo'",
    "init extra": "too many arguments",
    "account deposit": "missing required argument 'AMOUNT'",
    "account approve": "missing required argument 'AMOUNT, SPENDER'",
    "account approve 5 RLC": "missing required argument 'SPENDER'",
    "wallet cancel": "missing required argument 'TXHASH'",
    f"--{'n' * 31}": f"unknown option '--{'n' * 31}' here: options stand after the command",
    f"--{'n' * 32}": "unknown option here: options stand after the command",
    f"wallet show --{'n' * 31}": f"unknown option '--{'n' * 31}'",
    f"wallet show --{'n' * 32}": "unknown option",
    "wallet show -5x": "unknown option",
    "n" * 31: f"unknown command '{'n' * 31}'",
    "n" * 32: "unknown command",
    "--nope=1": "unknown option '--nope' here: options stand after the command",
    "show wallet extra": "unknown command 'show': did you mean iexec-lite wallet show?",
    "0x12 wallet": "unknown command",
}


class Full(io.StringIO):
    """A stream onto a disk that is full, or to a reader that has gone."""

    def __init__(self, descriptor: int, error: OSError) -> None:
        super().__init__()
        self._descriptor, self._error = descriptor, error

    def fileno(self) -> int:
        return self._descriptor

    def flush(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "No space left on device\n"),
        (BrokenPipeError(), ""),
    ],
)
def test_a_stdout_that_takes_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: OSError,
    told: str,
) -> None:
    """What the interpreter still writes at its end goes nowhere, and fails no more."""
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", Full(descriptor, error))
            assert dispatch.main(["--version"]) == 1
        assert os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev
    finally:
        os.close(descriptor)
    assert capsys.readouterr().err == (told and f'✖ Command "iexec-lite" failed: {told}')


def test_without_a_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert dispatch.main(["--version"]) == 0
        assert dispatch.main(["nonsense"]) == 1


@pytest.mark.parametrize("line", USAGE)
def test_usage_error(run, line: str) -> None:
    raw = run("--raw", *line.split())
    error = raw.json["error"]
    assert (raw.status, error["name"], error["code"]) == (1, "UsageError", "usage")
    known = [word for word in line.split() if word != "help"]
    depth = 2 if " ".join(known[:2]) in COMMANDS else (known or [""])[0] in dispatch.GROUPS
    about = " ".join(["iexec-lite", *known[:depth], "--help"])
    if known[1:2] == ["wallet"]:  # the words are the wrong way round
        about = "iexec-lite --help"
    assert error["message"] == f"{USAGE[line]} (see {about})"
    plain = run(*line.split())
    assert (plain.status, plain.out) == (1, "")
    if USAGE[line] == "missing command":
        assert plain.err == (dispatch.load(line).format_help() if line else dispatch.top_help())
    else:
        assert plain.err == f'✖ Command "{raw.json["command"]}" failed: {error["message"]}\n'


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("--raw", "iexec-lite"),
        ("bogus --raw", "iexec-lite"),
        ("wallet --raw bogus", "iexec-lite wallet"),
        ("wallet --raw", "iexec-lite wallet"),
        ("--raw wallet show --keystoredir none", "iexec-lite wallet show"),
        ("wallet --raw show --keystoredir none", "iexec-lite wallet show"),
        ("wallet show --keystoredir none --raw", "iexec-lite wallet show"),
        ("init --raw", "iexec-lite init"),
    ],
)
def test_command_member(run, line: str, command: str) -> None:
    document = run(*line.split()).json
    assert (document["ok"], document["command"]) == (False, command)
    assert list(document) == ["ok", "command", "error"]


def test_raw_after_two_dashes_is_a_value(run) -> None:
    done = run("wallet", "import", "--", "--raw")
    assert (done.status, done.out) == (1, "")
    assert "✖" in done.err
    assert "invalid private key" in done.err


def test_a_value_that_looks_like_raw_is_none(run, wallet: Path) -> None:
    done = run("wallet", "show", "--chain=--raw", "--keystoredir", "ks")
    assert done.err == (
        '✖ Command "iexec-lite wallet show" failed: ConfigurationError: '
        'Missing "--raw" chain in "chain.json" '
        "(known: arbitrum-mainnet, arbitrum-sepolia-testnet)\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["wallet", "--password", SECRET, "create"],
        ["--password", SECRET, "wallet", "create"],
        [f"--password={SECRET}", "wallet", "create"],
        ["wallet", "create", SECRET],
        ["wallet", "create", f"--pasword={SECRET}"],
        ["wallet", "create", "--pasword", SECRET],
        ["wallet", "create", "--password", SECRET, "--nope"],
        ["wallet", "create", "--password", SECRET, "--password-file", "x"],
        ["wallet", "import", "0x", KEY],
        ["wallet", "import", KEY, KEY],
        ["wallet", "import", f"-{KEY}"],
        ["wallet", KEY],
        ["wallet", KEY[2:]],
        [KEY],
        [f"--{KEY}"],
        ["wallet", "import", f"--{KEY[2:]}"],
        ["wallet", "import", KEY[:-1]],
        ["wallet", "import", KEY + "0"],
        ["wallet", "import", KEY.replace("b", "g")],
        ["wallet", "import", "0x" + "ff" * 32],
    ],
)
def test_no_secret_is_repeated(run, words: list[str]) -> None:
    for more in ([], ["--raw"]):
        done = run(*words, *more)
        assert done.status == 1
        for part in (SECRET, KEY[2:20], "1g1g1g", "ff" * 10):
            assert part not in done.out + done.err


def test_shared_options_stand_anywhere(run) -> None:
    for words in (
        ["--raw", "--quiet", "init", "--skip-wallet"],
        ["--quiet", "init", "--raw", "--skip-wallet"],
        ["init", "--skip-wallet", "--raw"],
    ):
        assert run(*words).json["ok"] is True


# -- failures of other kinds --------------------------------------------------------------------


def interrupted(error: Exception) -> Exception:
    error.__context__ = KeyboardInterrupt()
    return error


REPORT = "please report it; the environment variable DEBUG=iexec shows where it happened"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "Interrupted"),
        (interrupted(RuntimeError("release unlocked lock")), "Interrupted"),
        (EOFError(), "Operation aborted by user."),
        (OSError(28, "No space left on device", "x.json"), "x.json: No space left on device"),
        (OSError("odd"), "odd"),
        (
            ModuleNotFoundError("No module", name="urllib3"),
            "the Python module urllib3 is missing: install what iexec_lite needs",
        ),
        (KeyError(SECRET), f"internal error (KeyError): {REPORT}"),
        (RecursionError(), f"internal error (RecursionError): {REPORT}"),
    ],
)
def test_any_failure_is_one_document(run, monkeypatch, error: BaseException, message: str) -> None:
    from iexec_lite.cli import project

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(project, "may_write", broken)
    done = run("init", "--raw", "--skip-wallet")
    assert done.status == 1
    assert done.json["error"]["message"] == message
    plain = run("init", "--skip-wallet")
    name = "ConfigurationError: " if isinstance(error, ModuleNotFoundError) else ""
    assert plain.err == f'✖ Command "iexec-lite init" failed: {name}{message}\n'
    assert SECRET not in plain.err + done.err
    monkeypatch.setenv("DEBUG", "iexec*")
    assert "Traceback (most recent call last)" in run("init", "--skip-wallet").err
    assert run("init", "--raw", "--skip-wallet").json["ok"] is False


def test_what_was_shown_is_confirmed(
    run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only then are the transactions of a command done with, and only if it did not fail."""
    seen = []

    class Journal:
        def confirm(self) -> None:
            seen.append(capsys.readouterr().out)
            raise StateError("locked by another program")  # then the command shows it again

    def handler(options: argparse.Namespace) -> output.Result:
        options.journals = [Journal(), Journal()]
        if options.skip_wallet:
            raise StateError("failed")
        return output.Result(text="done")

    monkeypatch.setattr("iexec_lite.cli.init.init", handler)
    assert run("init").status == 0
    assert seen == ["done\n", ""]
    assert run("init", "--skip-wallet").status == 1
    assert len(seen) == 2


# -- in processes of their own -------------------------------------------------------------------

THIRD_PARTY = {"urllib3", "Crypto", "coincurve", "eth_hash", "eth_keys", "eth_utils", "pydantic"}
COSTLY = {"ssl", "sqlite3", "socket", "http", "asyncio", "xml"}
LOADED = """
import sys
from iexec_lite.cli import main
status = main(sys.argv[1:])
print()
print(status, *sorted(sys.modules))
"""


def loaded(*words: str, folder: Path) -> tuple[int, set[str]]:
    """Exit status and loaded modules of a command in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, *modules = done.stdout.splitlines()[-1].split()
    return int(status), set(modules)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("--version", 0),
        ("--help", 0),
        ("wallet --help", 0),
        ("wallet show --help", 0),
        ("help order sign", 0),
        ("order sign --help", 0),
        ("init --help", 0),
        ("sandbox demo --help", 0),
        ("nonsense", 1),
        ("wallet nonsense", 1),
        ("wallet create --nonsense", 1),
    ],
)
def test_help_loads_nothing(project: Path, line: str, status: int) -> None:
    got, modules = loaded(*line.split(), folder=project)
    assert got == status
    assert not modules & (THIRD_PARTY | COSTLY)
    own = {name for name in modules if name.startswith("iexec_lite.")}
    layers = {name.split(".")[1] for name in own}
    assert layers <= {"cli", "errors", "frozen", "interrupts", "sdk"}
    assert not {n for n in own if n.startswith("iexec_lite.sdk.")} - {"iexec_lite.sdk.files"}


def test_help_of_every_command_loads_nothing(project: Path) -> None:
    lines = ["--help", *(f"{line} --help" for line in (*dispatch.GROUPS, *COMMANDS))]
    code = (
        "import sys\nfrom iexec_lite.cli import main\n"
        "status = sum(main(line.split()) for line in sys.argv[1:])\n"
        "print()\nprint(status, *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *lines],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, *found = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert done.stdout.count("usage: iexec-lite") == len(lines)
    assert not set(found) & (THIRD_PARTY | COSTLY)
    own = {name for name in found if name.startswith("iexec_lite.")}
    allowed = tuple(f"iexec_lite.{part}" for part in ("cli", "errors", "interrupts", "sdk.files"))
    assert {n for n in own if not n.startswith(allowed)} <= {"iexec_lite.frozen", "iexec_lite.sdk"}


def loaded_by_the_curve() -> set[str]:
    """What eth_keys and older releases of coincurve load of their own is not our doing."""
    code = (
        "import sys\nfrom iexec_lite.eth.crypto import PrivateKey\n"
        "PrivateKey(b'1' * 32).address\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_commands_load_what_they_use(project: Path, wallet: Path) -> None:
    def check(*words: str, without: set[str]) -> None:
        status, modules = loaded(*words, folder=project)
        assert status == 0
        assert not modules & without
        assert "urllib3" not in modules

    network = {"ssl", "sqlite3", "socket", "http", "iexec_lite.net", "iexec_lite.sandbox"}
    network -= loaded_by_the_curve()
    curve = {"coincurve", "eth_keys"}
    check("init", "--skip-wallet", without=network | curve | {"iexec_lite.sdk.client"})
    check("wallet", "create", "--unencrypted", without=network | {"iexec_lite.protocol"})
    keystore = ["--keystoredir", "ks", "--chain", "bellecour"]
    check("order", "init", *keystore, without=network | curve | {"iexec_lite.sdk.client"})
    buys = {f"iexec_lite.sdk.{name}" for name in ("wallet", "account", "bridge", "purchase")}
    check("order", "sign", "--offline", "--password", "x", *keystore, without=network | buys)


def test_guard_sees_what_is_loaded(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import urllib3\n{LOADED}", "--version"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "urllib3" in done.stdout.split()


def test_as_a_module(project: Path) -> None:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "iexec_lite", *words],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = call("--version")
    assert (done.returncode, done.stdout) == (0, f"{iexec_lite.__version__}\n")
    failed = call("wallet", "show", "--raw")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert json.loads(failed.stderr)["command"] == "iexec-lite wallet show"


def test_console_script() -> None:
    from importlib.metadata import entry_points

    found = entry_points(group="console_scripts", name="iexec-lite")
    assert {point.load() for point in found} == {iexec_lite.cli.entry}


def test_a_process_ends_without_a_search_for_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def done() -> int:
        seen.append("done")
        return 7

    monkeypatch.setattr(dispatch, "main", done)
    monkeypatch.setattr(gc, "freeze", lambda: seen.append("frozen"))
    assert iexec_lite.cli.entry() == 7
    assert seen == ["done", "frozen"]
    monkeypatch.delattr(gc, "freeze")  # as in PyPy
    assert iexec_lite.cli.entry() == 7


@pytest.mark.skipif(os.name == "nt", reason="pipes report a missing reader on POSIX only")
def test_a_reader_that_left(project: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "iexec_lite", "--help"],
            cwd=project,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_an_address_is_no_amount() -> None:
    """Today's SDK wants the unit of an approval at the end."""
    approve, spender = dispatch.load("account").commands["approve"], "0x" + "7f" * 20
    for words, found in (
        (["1", spender, "RLC"], ("1", spender, "RLC")),
        (["1", "RLC", spender], ("1 RLC", spender, None)),
        (["1", spender[2:], "nRLC"], ("1", spender[2:], "nRLC")),
    ):
        options = approve.parse(words)
        assert (options.amount, options.spender, options.unit) == found


def test_the_words_are_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iexec-lite", "wallet", "--raw", "bogus"])
    assert dispatch.main() == 1
    assert json.loads(capsys.readouterr().err)["command"] == "iexec-lite wallet"
