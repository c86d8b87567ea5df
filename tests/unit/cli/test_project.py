"""The JSON files of a project: what is written, what is kept, what is refused (cli.md §4, §5)."""

from __future__ import annotations

import json
import os
import stat
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import KeySigner
from iexec_lite.cli import output
from iexec_lite.cli import project as files
from iexec_lite.errors import ConfigurationError, ValidationError
from iexec_lite.protocol import chains

NAMES = ("iexec.json", "chain.json")
WRITTEN = {"ok": True, "configFile": "iexec.json", "chainConfigFile": "chain.json"}
KEPT = {"ok": True, "chainConfigFile": ""}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- init ------------------------------------------------------------------------------------------


def test_init(run, project: Path) -> None:
    assert run("init", "--skip-wallet", "--raw").json == WRITTEN
    assert names(project) == ["chain.json", "iexec.json"]
    config = (project / "iexec.json").read_bytes().decode()
    assert config == json.dumps(files.CONFIG_TEMPLATE, indent=2)
    assert json.loads(config) == {  # as V6: cli.md §4.1
        "description": "My iExec ressource description, must be at least 150 chars long in order "
        "to pass the validation checks. Describe your application, dataset or workerpool to your "
        "users",
        "license": "MIT",
        "author": "?",
        "social": {"website": "?", "github": "?"},
        "logo": "logo.png",
    }
    assert list(json.loads(config)) == ["description", "license", "author", "social", "logo"]
    chain = json.loads((project / "chain.json").read_bytes())
    assert chain["default"] in chain["chains"]
    assert chains.ChainFile.from_dict(chain).select().chain.name == chain["default"]
    if os.name != "nt":
        assert stat.S_IMODE((project / "iexec.json").stat().st_mode) == 0o644


def test_init_with_a_wallet(run, cheap, project: Path) -> None:
    document = run("init", "--password", "x", "--keystoredir", "ks", "--raw").json
    assert list(document) == [
        "ok", "walletAddress", "walletFile", "configFile", "chainConfigFile"
    ]  # fmt: skip
    assert (project / document["walletFile"]).is_file()
    done = run("init", "--unencrypted")
    assert done.status == 0
    assert done.out.startswith("iexec.json:\n  description:")
    assert "You must backup your wallet file in a safe place!\n" in done.out
    assert done.out.endswith("iExec project is ready\n")
    assert "privateKey" not in done.out


def test_what_init_tells(run, project: Path) -> None:
    out = run("init", "--skip-wallet", "--chain", "bellecour").out
    written = json.loads((project / "chain.json").read_bytes())
    config = output.render(dict(files.CONFIG_TEMPLATE), 2)
    chain = output.render(written, 2)
    told = f"iexec.json:\n{config}\n%s\niExec project is ready\n"
    assert out == told % f"chain.json:\n{chain}"
    assert written["default"] == "bellecour"
    (project / "iexec.json").write_text("{}")
    document = run("init", "--skip-wallet", "--chain", "bellecour", "--raw").json
    assert document == {"ok": True, "chainConfigFile": "chain.json"}
    (project / "chain.json").write_text("{}")
    (project / "iexec.json").unlink()
    document = run("init", "--skip-wallet", "--raw").json
    assert document == {"ok": True, "configFile": "iexec.json", "chainConfigFile": ""}


@pytest.mark.usefixtures("person")
def test_what_is_kept_is_told(run, project: Path) -> None:
    (project / "iexec.json").write_text("{}")
    (project / "chain.json").write_text("{}")
    found = run("init", "--skip-wallet", stdin="n\nn\n")
    assert found.out == (
        "iexec.json was kept as it is\nchain.json was kept as it is\niExec project is ready\n"
    )
    question = '? "{}" already exists, replace it with new one? (Y/n) '
    assert found.err == question.format("iexec.json") + question.format("chain.json")


def test_init_on_a_chain(run, project: Path) -> None:
    """By name or id; the sandbox that runs is one too."""
    for given, name in (("bellecour", "bellecour"), ("42161", "arbitrum-mainnet")):
        run("init", "--skip-wallet", "--chain", given, "--force")
        assert json.loads((project / "chain.json").read_bytes())["default"] == name
    kept = (project / "chain.json").read_bytes()
    done = run("init", "--unencrypted", "--chain", "nowhere", "--force")
    assert (done.status, 'Missing "nowhere" chain' in done.err) == (1, True)
    assert "sandbox up" in run("init", "--unencrypted", "--chain", "sandbox", "--force").err
    assert (project / "chain.json").read_bytes() == kept
    assert names(project) == ["chain.json", "iexec.json"]


def test_init_without_a_password_writes_nothing(run, project: Path) -> None:
    for more in ([], ["--raw"]):
        done = run("init", "--keystoredir", "ks", *more)
        assert done.status == 1
        assert "there is nobody to ask; give --password-file FILE" in done.err
    assert names(project) == ["ks"]
    assert names(project / "ks") == []


def test_init_keeps_what_somebody_edited(run, project: Path) -> None:
    mine = '{"mine": 1}'
    (project / "iexec.json").write_text(mine)
    (project / "chain.json").write_text("not even JSON")
    assert run("init", "--skip-wallet", "--raw").json == KEPT
    asked = run("init", "--skip-wallet")
    assert asked.status == 1
    assert (
        '"iexec.json" already exists, replace it with new one? There is nobody to ask: --force'
        in asked.err
    )
    assert (project / "iexec.json").read_text() == mine
    assert (project / "chain.json").read_text() == "not even JSON"
    assert run("init", "--skip-wallet", "--raw", "--force").json == WRITTEN
    assert "license" in json.loads((project / "iexec.json").read_text())
    assert run("init", "--skip-wallet", "--raw").json == WRITTEN  # as they were: nothing is lost
    assert run("init", "--skip-wallet").status == 0


NO_NUMBER = "is not a number of JSON, or out of range"


# -- load and save ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "SyntaxError: Expecting value: line 1 column 1 (char 0) in iexec.json"),
        ("[]", "iexec.json must hold a JSON object"),
        ('{"a": NaN}', f"SyntaxError: NaN {NO_NUMBER} in iexec.json"),
        ('{"a": -Infinity}', f"SyntaxError: -Infinity {NO_NUMBER} in iexec.json"),
        ('{"a": 1e999}', f"SyntaxError: 1e999 {NO_NUMBER} in iexec.json"),
        (f'{{"a": 1{"0" * 50}e999}}', f"SyntaxError: 1{'0' * 39} {NO_NUMBER} in iexec.json"),
        ("[" * 10_000, "SyntaxError: JSON nested deeper than 500 levels in iexec.json"),
        (b"\xff", "iexec.json is not UTF-8 text"),
        (b"x" * (16 * 2**20 + 1), "iexec.json is larger than 16777216 bytes: refused"),
    ],
)
def test_faulty_file(project: Path, text: str | bytes, message: str) -> None:
    (project / "iexec.json").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises((ConfigurationError, ValidationError)) as caught:
        files.load("iexec.json")
    assert str(caught.value) == message


def test_missing_file(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        files.load("iexec.json")
    text = 'Missing "iexec.json" file, did you forget to run "iexec-lite init"?'
    assert caught.value.message == text
    assert files.load("iexec.json", missing={"a": 1}) == {"a": 1}
    (project / "iexec.json").symlink_to("nowhere")
    with pytest.raises(ValidationError, match=r"cannot read iexec.json"):
        files.load("iexec.json", missing={})
    (project / "deployed.json").mkdir()
    with pytest.raises(ValidationError, match=r"cannot read deployed.json"):
        files.load("deployed.json", missing={})


def test_round_trip(project: Path) -> None:
    """Unknown keys, their order, big numbers, every text: all of it survives."""
    text = json.dumps(
        {
            "zebra": [1, 2.5, -0.0, 10**40, 1e300, True, None],
            "": {"nested": {"é✖": "\u2028\t"}},
            "lone": "\ud800",
            "a": "",
        },
        indent=2,
    )
    (project / "iexec.json").write_text("\ufeff" + text, encoding="utf-8")
    content = files.load("iexec.json")
    files.save("iexec.json", content)
    again = (project / "iexec.json").read_bytes()
    assert json.dumps(json.loads(again), indent=2) == text
    files.save("iexec.json", {"é": "✖"})
    assert (project / "iexec.json").read_bytes() == '{\n  "é": "✖"\n}'.encode()


# -- deployed.json ---------------------------------------------------------------------------------


def test_deployed_address(project: Path) -> None:
    assert files.deployed_address("app", 134) is None
    address = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
    content = {"app": {"134": address.lower()}, "dataset": {"134": "0x12"}, "workerpool": []}
    (project / "deployed.json").write_text(json.dumps(content))
    assert files.deployed_address("app", 134) == address
    assert files.deployed_address("app", 1) is None
    with pytest.raises(ValidationError, match=r"dataset 134 in deployed.json"):
        files.deployed_address("dataset", 134)
    with pytest.raises(ConfigurationError) as caught:
        files.deployed_address("workerpool", 134)
    assert str(caught.value) == '"workerpool" in deployed.json must be an object'
    files.save_deployed("app", 5, "0x12")
    content["app"]["5"] = "0x12"
    assert (project / "deployed.json").read_text() == json.dumps(content, indent=2)
    assert files.resource_address("app", None, 134) == address
    assert files.resource_address("app", "deployed", 134) == address
    assert files.resource_address("app", "0x12", 134) == "0x12"


# -- chains ----------------------------------------------------------------------------------------


def select(name: str | None = None) -> chains.Selection:
    return files.selected_chain(Namespace(chain=name))


def test_chain_without_a_file(project: Path) -> None:
    assert select().chain.name == chains.DEFAULT_CHAIN
    assert select("bellecour").chain.id == 134
    assert select("134").chain.name == "bellecour"
    known = r"\(known: arbitrum-mainnet, arbitrum-sepolia-testnet\)$"
    with pytest.raises(ConfigurationError, match=rf'^Missing "nope" chain in "chain.json" {known}'):
        select("nope")


def test_chain_file_of_v6(project: Path) -> None:
    (project / "chain.json").write_text(
        json.dumps(
            {
                "default": "viviani",
                "chains": {
                    "goerli": {},
                    "viviani": {},
                    "mainnet": {},
                    "bellecour": {},
                    "enterprise": {},
                    "enterprise-testnet": {},
                },
            }
        )
    )
    assert select().chain.id == 133
    assert select("enterprise").chain.enterprise
    assert select("arbitrum-mainnet").chain.id == 42161


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"default": "x"}, "chains is a required field in chain.json"),
        ({"default": "x", "chains": {}}, 'Missing "x" chain in "chain.json"'),
        ({"chains": {}}, "Missing chain parameter. Check your"),
        ({"default": "a", "chains": {"a": {"hots": "x"}}}, 'Unknown key "hots" in chain.json'),
        ({"default": "a", "chains": {"a": {"id": 5}}}, "id must be a `string` type"),
        ({"default": "a", "chains": {"a": {}}}, 'Missing id in "chain.json" for chain a'),
        ({"default": "a", "chains": {"a": {"id": "77"}}}, "Missing RPC host, no "),
        ({"default": "a", "chains": [], "foo": 1}, 'Unknown key "foo"'),
    ],
)
def test_faulty_chain_file(run, project: Path, content: object, message: str) -> None:
    (project / "chain.json").write_text(json.dumps(content))
    with pytest.raises((ConfigurationError, ValidationError), match=message):
        select()
    error = run("wallet", "show", "0x" + "1" * 40, "--raw").json["error"]
    assert message in error["message"]


def test_broken_chain_file_is_not_ignored(run, project: Path) -> None:
    (project / "chain.json").write_text('{"default": ')
    for chain in ("bellecour", "sandbox"):
        error = run("wallet", "show", "0x" + "1" * 40, "--chain", chain, "--raw").json["error"]
        assert error["message"].startswith("SyntaxError: ")
        assert error["message"].endswith(" in chain.json")


def test_sandbox(project: Path, monkeypatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^No sandbox is running: start one with"):
        select("sandbox")
    (project / "chain.json").write_text('{"default": "sandbox", "chains": {}}')
    with pytest.raises(ConfigurationError, match=r"^No sandbox is running"):
        select()
    folder = Path(os.environ["IEXEC_LITE_HOME"], "sandbox")
    folder.mkdir()
    record = chains.resolve("bellecour").with_overrides(name="sandbox", host="http://127.0.0.1:1")
    (folder / "chain.json").write_text(json.dumps(record.to_dict()))
    assert select().chain == record
    (folder / "chain.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is damaged"):
        select("sandbox")
    mine = {"sandbox": {"id": "65535", "host": "http://127.0.0.1:2", "hub": "0x" + "1" * 40}}
    (project / "chain.json").write_text(json.dumps({"default": "sandbox", "chains": mine}))
    assert select().chain.id == 65535


KEY = "0x" + "11" * 32


def test_what_a_client_is_made_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other end of the bridge, the twin with eRLC, the nodes, prices; a journal that holds."""
    made: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr("iexec_lite.sdk.client.IExec", lambda *a, **k: made.append((a, k)))
    closed: list[Any] = []
    monkeypatch.setattr("atexit.register", closed.append)
    chains_file = {"default": "mainnet", "chains": {"mainnet": {"host": "https://n.invalid"}}}
    (project / "chain.json").write_text(json.dumps(chains_file))
    given = {"raw": True, "quiet": False, "allow_plain_http": True}
    options = Namespace(**given, gas_price="1 gwei", confirms="3")
    selection = select()
    files.connect(selection, options)
    bellecour, enterprise = chains.resolve("bellecour"), chains.resolve("enterprise")
    common = {
        "gas_price": 10**9,
        "confirms": 3,
        "bridged_network_conf": {
            "rpc_url": bellecour.host,
            "chain_id": 134,
            "hub_address": bellecour.hub,
            "bridge_address": bellecour.bridge_contract,
        },
        "enterprise_swap_conf": {"hub_address": enterprise.hub},
        "allow_plain_http": True,
    }
    [((urls,), found)] = made
    assert urls == ("https://n.invalid",)
    assert found == {**common, "chain": selection.chain, "quorum": 1}
    assert not hasattr(options, "journals")
    signer = KeySigner.from_key(KEY)
    files.connect(selection, options, signer)
    files.connect(selection, options, signer)
    (provider,), found = made[1]
    assert found == {**common, "journal": options.journals[0]}
    assert (provider.host, provider.signer, provider.urls, provider.quorum) == (
        *(selection.chain, signer),
        *(("https://n.invalid",), 1),
    )
    assert closed == [journal.close for journal in options.journals]
    assert len(closed) == 2
    (project / "chain.json").unlink()
    files.connect(select("bellecour"), Namespace(**{**given, "allow_plain_http": False}))
    assert set(made[-1][1]) == {"chain", "quorum", "allow_plain_http", "bridged_network_conf"}
    assert made[-1][1]["allow_plain_http"] is False
    for journal in options.journals:
        journal.close()


def test_what_is_of_no_use_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that only networks of V6 have, beside a network of today."""
    chain = {"arbitrum-mainnet": {"resultProxy": "https://r.invalid", "useGas": True}}
    (project / "chain.json").write_text(
        json.dumps({"default": "arbitrum-mainnet", "chains": chain})
    )
    options = Namespace(chain=None, raw=False, quiet=False)
    files.selected_chain(options)
    assert capsys.readouterr().err == (
        "⚠ resultProxy, useGas in chain.json: of no use on arbitrum-mainnet, ignored\n"
    )


def test_nodes_of_a_symbolic_host(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``mainnet`` means public nodes; the file may hold a key for them, which is never shown."""
    (project / "chain.json").write_text(
        json.dumps(
            {"default": "mainnet", "chains": {"mainnet": {}}, "providers": {"infura": "s3cret"}}
        )
    )
    options = Namespace(raw=True, quiet=False, allow_plain_http=False)
    with files.connect(select(), options) as client:
        assert client.chain.id == 1
        assert "s3cret" not in repr(client)
    options.raw = False
    files.connect(select(), options).close()
    assert capsys.readouterr() == ("", "ℹ Using chain mainnet [chainId: 1]\n")
