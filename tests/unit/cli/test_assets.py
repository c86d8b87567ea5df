"""``app``, ``dataset``, ``workerpool``, ``category``: what needs no chain (cli.md §4.2, §8.4)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import assets, dispatch
from iexec_lite.protocol.orders import ORDER_KINDS

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
ZERO, NOTHING = "0x" + "0" * 40, "0x" + "0" * 64
BUY = {"params": {"iexec_args": ""}, "tag": NOTHING, "trust": "0", "callback": ZERO}
KINDS = ("app", "dataset", "workerpool")


@pytest.mark.parametrize("kind", KINDS)
def test_an_offer_says_all_that_an_order_can(kind: str) -> None:
    """A new field of an order class must be a line of ``TERMS``; no option is of nothing."""
    publish = dispatch.load(kind).commands["publish"]
    options = {a.option_strings[-1][2:] for a in publish._actions if a.option_strings}
    fields = {assets.order_field(kind, term) for term in assets.TERMS if term in options}
    assert fields == set(ORDER_KINDS[f"{kind}order"].field_names()) - {kind}


def test_templates_are_those_of_v6(run: Any, project: Path, wallet: Path) -> None:
    """Byte for byte what V6 writes: cli.md §4.2."""
    mine = {"mine": [1.5, "é"], "dataset": {"name": "old"}, "description": "x"}
    Path("iexec.json").write_text(json.dumps(mine))
    for kind in (*KINDS, "category"):
        words = [] if kind == "category" else ["--keystoredir", "ks"]
        words += ["--chain", "bellecour"] if kind in ("app", "dataset") else []
        document = run(kind, "init", *words, "--raw").json
        assert list(document) == ["ok", kind]
        assert document[kind] == json.loads(Path("iexec.json").read_text("utf-8"))[kind]
    dataset = {
        "owner": ADDRESS,
        "name": "my-dataset",
        "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "checksum": NOTHING,
    }
    expected = {
        "mine": [1.5, "é"],
        "dataset": dataset,  # in its old place, as V6
        "description": "x",
        "buyConf": BUY,
        "app": {
            "owner": ADDRESS,
            "name": "python-hello-world",
            "type": "DOCKER",
            "multiaddr": "docker.io/iexechub/python-hello-world:1.0.0",
            "checksum": "0xa28d8ae83ae586b4c8addd60413a8302798891411a8f87b5f0987050d0d73816",
        },
        "dapps": [
            {"name": "Recomanded-dapp-for-MyDataset", "addresses": {"5": ZERO}, "buyConf": BUY}
        ],
        "workerpool": {"owner": ADDRESS, "description": "my-workerpool"},
        "category": {"name": "XXL", "description": "new hub category", "workClockTimeRef": "100"},
    }
    text = Path("iexec.json").read_text("utf-8")
    assert text == json.dumps(expected, indent=2, ensure_ascii=False)


def test_the_tee_template(run: Any, project: Path) -> None:
    Path("iexec.json").write_text("{}")
    made = run("app", "init", "--tee", "--chain", "bellecour", "--raw").json["app"]
    members = ["owner", "name", "type", "multiaddr", "checksum", "mrenclave"]
    assert (list(made), made["owner"]) == (members, ZERO)
    assert made["mrenclave"] == {
        "provider": "SCONE",
        "version": "v5",
        "entrypoint": "python /app/app.py",
        "heapSize": 1073741824,
        "fingerprint": "eca3ace86f1e8a5c47123c8fd271319e9eb25356803d36666dc620f30365c0c1",
    }
    members = ["provider", "version", "entrypoint", "heapSize", "fingerprint"]
    assert list(made["mrenclave"]) == members


def test_templates_of_today(run: Any, project: Path) -> None:
    """A new project works on today's networks: an app without measurement, orders for TDX."""
    Path("iexec.json").write_text("{}")
    app = {
        "owner": ZERO,
        "name": "hello-world",
        "type": "DOCKER",
        "multiaddr": "iexechub/python-hello-world:8.0.4",
        "checksum": "0xb0b664b7a6d249f81c067a9262b1763144eeb3ca63e553567f71673442ce9e84",
    }
    buy = {**BUY, "tag": "0x" + "0" * 63 + "9"}
    for words in ((), ("--tee",), ("--chain", "42161")):
        assert run("app", "init", "--raw", *words).json["app"] == app
    assert run("dataset", "init", "--raw").json["ok"] is True
    orders = run("order", "init", "--raw").json
    assert [orders[f"{kind}order"]["tag"] for kind in KINDS] == [["tee", "tdx"]] * 3
    assert orders["requestorder"]["tag"] == ["tee", "tdx"]
    content = json.loads(Path("iexec.json").read_text("utf-8"))
    assert (content["app"], content["buyConf"]) == (app, buy)
    assert content["dapps"] == [
        {
            "name": "Recommended-dapp-for-MyDataset",
            "addresses": {"421614": ZERO},
            "buyConf": buy,
        }
    ]
    old = run("app", "init", "--raw", "--chain", "bellecour").json["app"]
    assert old["name"] == "python-hello-world"


def test_what_is_replaced_is_told(run: Any, project: Path) -> None:
    Path("iexec.json").write_text('{"app": {"name": "mine", "n": 3}, "buyConf": {"trust": "9"}}')
    done = run("app", "init")
    assert "⚠ No wallet found: write the owner's address into iexec.json\n" in done.err
    assert '⚠ The "app" of iexec.json was replaced. It was:\n  name: mine\n  n:    3\n' in done.err
    assert '⚠ The "buyConf" of iexec.json was replaced. It was:\n  trust: 9\n' in done.err
    assert "replaced" not in run("app", "init").err


def test_a_broken_project_stays_as_it_is(run: Any, project: Path) -> None:
    for content in ("{", "[]", '{"app": 1e999}'):
        Path("iexec.json").write_text(content)
        assert run("app", "init", "--raw").json["ok"] is False
        assert Path("iexec.json").read_text() == content
    Path("iexec.json").unlink()
    message = run("dataset", "init", "--encrypted", "--raw").json["error"]["message"]
    assert message.startswith('Missing "iexec.json" file')
    assert not Path(".secrets").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["app", "publish", "--all"],
        ["app", "publish", "--category", "1"],
        ["app", "publish", "--app-restrict", ADDRESS],
        ["app", "publish", ADDRESS, ADDRESS],
        ["app", "publish", "--price"],
        ["app", "publish", "--price", "1", "RLC", "RLC", "RLC"],
        ["dataset", "init", "--encrypted=1"],
        ["dataset", "encrypt", "a.csv"],
        ["workerpool", "init", "--tee"],
        ["category", "show"],
        ["registry", "validate"],
        ["info", "bellecour"],
    ],
)
def test_words_that_make_no_command(run: Any, words: list[str]) -> None:
    assert run(*words, "--raw").json["error"]["name"] == "UsageError"


def test_a_group_without_a_command_is_named(run: Any) -> None:
    assert run("app", "--raw").json["command"] == "iexec-lite app"


def test_help_of_these_groups_loads_nothing(project: Path) -> None:
    groups = (*KINDS, "category", "registry", "info")
    code = (
        "import sys\nfrom iexec_lite.cli import dispatch\n"
        f"for name in {groups}: dispatch.load(name)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('iexec_lite.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name for name in done.stdout.split() if not name.startswith("iexec_lite.cli")}
    least = ("errors", "frozen", "interrupts", "sdk", "sdk.files")
    assert loaded == {f"iexec_lite.{name}" for name in least}
