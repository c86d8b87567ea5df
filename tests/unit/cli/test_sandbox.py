"""``sandbox up | down | status | store | demo``: what is asked of the sandbox, what is shown.

A running one is in tests/stack; here it says what a test wants.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from iexec_lite.cli import dispatch
from iexec_lite.errors import SandboxError
from iexec_lite.sandbox import commands
from iexec_lite.sandbox.commands import Status
from iexec_lite.sandbox.progress import TerminalProgress

TOKEN, NATIVE = str(0x69457865), str(0x6945786E)  # ids of the kinds of generation 5
HUB = "0x" + "aa" * 20
START = "Start it with: iexec-lite sandbox up"


def entry(number: str = TOKEN, **more: object) -> dict[str, object]:
    return {"id": number, "host": "http://127.0.0.1:8545", "hub": HUB, **more}


def status(**chains: dict[str, object]) -> Status:
    return Status(
        **{"running": True, "folder": "/home/me/sandbox", "flavour": "token", "generation": 5},
        **{
            "chain_id": int(TOKEN),
            "node": "http://127.0.0.1:8545",
            "sms": "http://127.0.0.1:1/sms",
        },
        **{"hub": HUB, "chains": chains or {"sandbox": entry()}, "accounts": {"first": "0x12"}},
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the sandbox was asked for; it runs, and stops."""
    calls: list[tuple[Any, ...]] = []
    answers = {
        **{"up": status(), "status": status(), "down": True},
        **{"store": "/ipfs/Qm12", "demo": b"hello\xff"},
    }
    for name, answer in answers.items():

        def call(*given: Any, name: str = name, answer: Any = answer, **more: Any) -> Any:
            calls.append((name, *given, more))
            return answer

        monkeypatch.setattr(commands, name, call)
    return calls


SHOWN = """\
running:      yes
folder:       /home/me/sandbox
flavour:      token
generation:   5
chainId:      1766160485
host:         http://127.0.0.1:8545
sms:          http://127.0.0.1:1/sms
hub:          0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
chains:
  - sandbox
accounts:
  first: 0x12
accountsFile: /home/me/sandbox/accounts.json
appsFile:     /home/me/sandbox/apps.json
log:          /home/me/sandbox/service.log
"""
HINT = 'Use it as network "sandbox"; stop it with: iexec-lite sandbox down\n'


def test_up(run, asked, project: Path) -> None:
    found = run("sandbox", "up")
    entries = json.dumps({"sandbox": entry()}, indent=2)
    assert found.out == (
        f'{SHOWN}For "chains" in chain.json (--chain-json puts it there):\n{entries}\n{HINT}'
    )
    assert not (project / "chain.json").exists()
    (name, flavour, port, more) = asked[0]
    progress = more.pop("progress")
    assert (name, flavour, port) == ("up", "token", None)
    assert more == {"generation": 5, "fresh": False, "bridge": False}
    assert isinstance(progress, TerminalProgress)
    words = ("--flavour", "native", "--port", "65535", "--generation", "6", "--fresh", "--bridge")
    document = run("sandbox", "up", *words, "--raw").json
    assert document == {"ok": True, **status().to_dict()}
    (_, flavour, port, more) = asked[1]
    assert not isinstance(more.pop("progress"), TerminalProgress)
    assert (flavour, port) == ("native", 65535)
    assert more == {"generation": 6, "fresh": True, "bridge": True}
    run("sandbox", "up", "--quiet", "--port", "1")
    assert asked[2][2] == 1
    assert not isinstance(asked[2][3]["progress"], TerminalProgress)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "1.5"])
def test_no_port(run, asked, port: str) -> None:
    message = run("sandbox", "up", f"--port={port}", "--raw").json["error"]["message"]
    assert message == (
        "argument --port: a port is a number from 1 to 65535 (see iexec-lite sandbox up --help)"
    )
    assert asked == []


def test_down(run, asked, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("sandbox", "down").out == "The sandbox is stopped, its data is kept\n"
    assert run("sandbox", "down", "--raw").json == {"ok": True, "stopped": True}
    monkeypatch.setattr(commands, "down", lambda: False)
    assert run("sandbox", "down").out == "No sandbox was running\n"
    assert run("sandbox", "down", "--raw").json == {"ok": True, "stopped": False}


def test_status(run, asked, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    assert run("sandbox", "status").out == SHOWN
    assert run("sandbox", "status", "--raw").json == {"ok": True, **status().to_dict()}
    monkeypatch.setattr(commands, "status", lambda: Status(running=False, folder="/x"))
    assert run("sandbox", "status").out == f"running: no\nfolder:  /x\n{START}\n"
    error = run("sandbox", "status", "--chain-json", "--raw").json["error"]
    assert (error["name"], error["message"]) == (
        "SandboxError",
        f"No sandbox is running. {START}",
    )
    assert not (project / "chain.json").exists()


def test_store(run, asked) -> None:
    assert run("sandbox", "store", "data/a.enc").out == "multiaddr: /ipfs/Qm12\n"
    assert run("sandbox", "store", "b", "--raw").json == {"ok": True, "multiaddr": "/ipfs/Qm12"}
    assert asked == [("store", Path("data/a.enc"), {}), ("store", Path("b"), {})]


def test_demo(run, asked) -> None:
    """The story is told on stdout; where nobody wants it the result is."""
    assert run("sandbox", "demo").out == ""
    assert run("sandbox", "demo", "--quiet", "--flavour", "enterprise").out == "hello\ufffd\n"
    run("sandbox", "demo", "--raw", "--flavour", "token", "--generation", "5")
    assert asked.pop()[1:] == ("token", {"generation": 5, "progress": ANY})
    document = run("sandbox", "demo", "--raw", "--generation", "6").json
    assert document == {"ok": True, "result": "hello\ufffd"}
    told = [isinstance(more.pop("progress"), TerminalProgress) for *_, more in asked]
    assert told == [True, False, False]
    assert asked == [
        ("demo", "token", {"generation": 5}),
        ("demo", "enterprise", {"generation": 5}),
        ("demo", "token", {"generation": 6}),
    ]


def test_progress_goes_to_the_stream_of_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``up`` tells on stderr, ``demo`` on stdout; where a stream is closed nothing is told."""

    def told(*_: object, progress: Any, **__: object) -> Any:
        progress.step("a step")
        return b"" if told.demo else status()  # type: ignore[attr-defined]

    monkeypatch.setattr(commands, "up", told)
    monkeypatch.setattr(commands, "demo", told)
    told.demo = True  # type: ignore[attr-defined]
    assert dispatch.main(["sandbox", "demo"]) == 0
    assert capsys.readouterr() == ("a step\n", "")
    told.demo = False  # type: ignore[attr-defined]
    assert dispatch.main(["sandbox", "up"]) == 0
    assert capsys.readouterr().err == "a step\n"
    monkeypatch.setattr("sys.stderr", None)
    assert dispatch.main(["sandbox", "up"]) == 0


# ---- chain.json ----------------------------------------------------------------------------------


def chain_json(project: Path) -> Any:
    return json.loads((project / "chain.json").read_text())


@pytest.mark.parametrize("command", ["up", "status"])
def test_a_new_chain_file(run, asked, project: Path, command: str) -> None:
    found = run("sandbox", command, "--chain-json")
    hint = HINT if command == "up" else ""
    assert found.out == f"{SHOWN}chain.json has sandbox now\n{hint}"
    assert chain_json(project) == {"default": "sandbox", "chains": {"sandbox": entry()}}


def test_what_else_the_chain_file_has_is_kept(
    run, asked, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = status(sandbox=entry(), **{"sandbox-native": entry(NATIVE, native=True)})
    monkeypatch.setattr(commands, "up", lambda *_, **__: twins)
    old = {"id": TOKEN, "host": "http://127.0.0.1:1", "sms": "http://old", "mine": 1}
    other = {"id": TOKEN, "mine": 2}  # of another kind: nothing of it holds
    content = {
        "default": "mainnet",
        "chains": {"mainnet": {}, "sandbox": old, "sandbox-native": other},
        "providers": {"infura": "x"},
    }
    (project / "chain.json").write_text(json.dumps(content))
    out = run("sandbox", "up", "--chain-json").out
    assert "chain.json has sandbox and sandbox-native now\n" in out
    assert out.endswith(
        'Use it as network "sandbox" or "sandbox-native"; stop it with: iexec-lite sandbox down\n'
    )
    assert chain_json(project) == {
        **content,
        "chains": {
            "mainnet": {},
            "sandbox": {"mine": 1, **entry()},
            "sandbox-native": entry(NATIVE, native=True),
        },
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"chains": {"sandbox": {"id": "5"}}},
            '"sandbox" in chain.json is another network (id 5): rename it there, then run '
            "iexec-lite sandbox status --chain-json",
        ),
        ({"chains": []}, '"chains" in chain.json must be an object'),
        ({"chains": {"sandbox": 5}}, '"sandbox" in chains of chain.json must be an object'),
    ],
)
def test_a_chain_file_that_cannot_be_used(
    run, asked, project: Path, content: object, message: str
) -> None:
    (project / "chain.json").write_text(json.dumps(content))
    assert run("sandbox", "status", "--chain-json", "--raw").json["error"]["message"] == message
    assert chain_json(project) == content


def test_a_broken_chain_file_is_told_before_anything_starts(run, asked, project: Path) -> None:
    (project / "chain.json").write_text("{")
    message = run("sandbox", "up", "--chain-json", "--raw").json["error"]["message"]
    assert message.startswith("SyntaxError: ")
    assert asked == []


def test_what_the_sandbox_says_is_the_error(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SandboxError("a sandbox is running: stop it first")

    monkeypatch.setattr(commands, "up", refuse)
    found = run("sandbox", "up")
    assert (found.status, found.out) == (1, "")
    assert found.err == (
        '✖ Command "iexec-lite sandbox up" failed: SandboxError: '
        "a sandbox is running: stop it first\n"
    )
