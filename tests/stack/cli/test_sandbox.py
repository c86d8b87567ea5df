"""``iexec-lite sandbox``: up, status, down, demo, and what ``--chain-json`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.protocol.chains import CHAINS, ChainFile

from .machine import Machine

SANDBOX = ("--flavour", "enterprise")
NAMES = ["sandbox", "sandbox-standard"]


def content(folder: Path) -> Any:
    return json.loads((folder / "chain.json").read_text("utf-8"))


def test_up_says_what_belongs_into_chain_json(machine: Machine, tmp_path: Path) -> None:
    up = ("sandbox", "up", "--flavour", "enterprise")
    document = machine.raw(*up, folder=tmp_path)
    assert list(document["chainEntries"]) == NAMES
    shown = machine.shown(*up, folder=tmp_path)
    _, _, rest = shown.partition('For "chains" in chain.json (--chain-json puts it there):\n')
    pasted, end = json.JSONDecoder().raw_decode(rest)
    assert pasted == document["chainEntries"]
    assert "Use it as network" in rest[end:]
    assert not (tmp_path / "chain.json").exists()
    selected = ChainFile.from_dict({"chains": pasted}).select("sandbox")
    assert selected.chain.hub == machine.chain().hub == document["hub"]
    assert selected.twin is not None
    assert selected.twin.hub == pasted["sandbox-standard"]["hub"] != selected.chain.hub


def test_a_new_chain_json(machine: Machine, tmp_path: Path) -> None:
    words = ("sandbox", "up", "--flavour", "enterprise", "--chain-json")
    shown = machine.shown(*words, folder=tmp_path)
    assert "\nchain.json has sandbox and sandbox-standard now\n" in shown
    assert '"host"' not in shown
    entries = machine.raw("sandbox", "status", folder=tmp_path)["chainEntries"]
    assert content(tmp_path) == {"default": "sandbox", "chains": entries}
    assert machine.raw("wallet", "show", "0x" + "12" * 20, folder=tmp_path)["balance"]


def test_what_a_person_wrote_is_kept(machine: Machine, tmp_path: Path) -> None:
    """But for what is of an older sandbox."""
    file = tmp_path / "chain.json"
    entries = machine.raw("sandbox", "status", folder=tmp_path)["chainEntries"]
    old = {
        **entries["sandbox"],
        "host": "http://127.0.0.1:1",
        "bridge": {"bridgedChainName": "x", "contract": "0x" + "12" * 20},
        "compass": "http://127.0.0.1:2",
    }
    mine = {
        "providers": {"infura": "a key"},
        "chains": {"mainnet": {"host": "https://n.example"}, "sandbox": old},
        "default": "mainnet",
    }
    file.write_text(json.dumps(mine), "utf-8")
    machine.raw("sandbox", "status", "--chain-json", folder=tmp_path)
    found = content(tmp_path)
    assert list(found) == list(mine)
    assert found["chains"] == {
        "mainnet": mine["chains"]["mainnet"],
        "sandbox": {"compass": "http://127.0.0.1:2", **entries["sandbox"]},
        "sandbox-standard": entries["sandbox-standard"],
    }
    assert found["default"] == "mainnet"
    assert found["providers"] == mine["providers"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "SyntaxError: "),
        ('{"chains": []}', '"chains" in chain.json must be an object'),
        ('{"chains": {"sandbox": 1}}', '"sandbox" in chains of chain.json must be an object'),
        ('{"chains": {"sandbox": {"id": "5"}}}', '"sandbox" in chain.json is another network'),
    ],
)
def test_a_chain_json_that_cannot_be_used(
    machine: Machine, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "chain.json"
    file.write_text(text, "utf-8")
    for command in (("up", "--flavour", "enterprise"), ("status",)):
        found = machine.message("sandbox", *command, "--chain-json", folder=tmp_path)
        assert found.startswith(message)
        assert file.read_text("utf-8") == text


def test_without_a_sandbox(machine: Machine, tmp_path: Path) -> None:
    """Nothing is written; what cannot be written is told before anything starts."""
    home = {"IEXEC_LITE_HOME": str(tmp_path / "home")}
    status = machine.raw("sandbox", "status", folder=tmp_path, env=home)
    assert status == {"ok": True, "running": False, "folder": str(tmp_path / "home" / "sandbox")}
    told = machine.message("sandbox", "status", "--chain-json", folder=tmp_path, env=home)
    assert told == "No sandbox is running. Start it with: iexec-lite sandbox up"
    assert not (tmp_path / "chain.json").exists()
    (tmp_path / "chain.json").write_text("{", "utf-8")
    machine.message("sandbox", "up", "--chain-json", folder=tmp_path, env=home)
    assert machine.raw("sandbox", "status", folder=tmp_path, env=home)["running"] is False
    shown = machine.shown("sandbox", "status", folder=tmp_path, env=home)
    assert "Start it with: iexec-lite sandbox up" in shown


def test_another_one(machine: Machine, tmp_path: Path) -> None:
    """A home of its own: with every option, for a person, until it is stopped."""
    home = {"IEXEC_LITE_HOME": str(tmp_path / "home")}
    up = ("sandbox", "up", "--flavour", "token", "--bridge", "--fresh", "--chain-json")
    assert "sandbox and sandbox-native now" in machine.shown(*up, folder=tmp_path, env=home)
    chains = ChainFile.from_dict(content(tmp_path))
    for here, there in (("sandbox", "sandbox-native"), ("sandbox-native", "sandbox")):
        selected = chains.select(here)
        assert selected.bridged is not None
        assert selected.bridged.name == there
        assert selected.bridged.bridge_contract
        assert selected.chain.native is (here == "sandbox-native")
    told = machine.message("sandbox", "up", "--port", "x", folder=tmp_path, env=home)
    assert "a port is a number" in told
    assert "down" in machine.refused("sandbox", *up[1:], folder=tmp_path, env=home)
    stopped = machine.shown("sandbox", "down", folder=tmp_path, env=home)
    assert stopped == "The sandbox is stopped, its data is kept\n"
    assert "unknown option" in machine.message("sandbox", "down", "--now", folder=tmp_path)


def test_the_port_of_choice(machine: Machine, tmp_path: Path) -> None:
    home = {"IEXEC_LITE_HOME": str(tmp_path / "home")}
    first = machine.raw("sandbox", "up", folder=tmp_path, env=home)
    machine.raw("sandbox", "down", folder=tmp_path, env=home)
    port = first["host"].rpartition(":")[2]
    again = machine.raw("sandbox", "up", "--port", port, folder=tmp_path, env=home)
    assert again["host"] == first["host"]
    machine.raw("sandbox", "down", folder=tmp_path, env=home)


def test_demo(machine: Machine, tmp_path: Path) -> None:
    document = machine.raw("sandbox", "demo", folder=tmp_path)
    assert "Hello, Alice!" in document["result"]
    told = machine.shown("sandbox", "demo", "--flavour", "native", folder=tmp_path)
    assert "Hello, Alice!" in told
    today = machine.raw("sandbox", "demo", "--generation", "6", folder=tmp_path)
    assert "Hello, Alice!" in today["result"]
    assert "invalid choice" in machine.message(
        "sandbox", "demo", "--flavour", "vanilla", folder=tmp_path
    )


def test_names_of_public_networks_are_not_taken() -> None:
    assert not any(name.startswith("sandbox") for name in CHAINS)
