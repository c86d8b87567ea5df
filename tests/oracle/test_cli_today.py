"""``iexec`` 9.0.1 and ``iexec-lite`` take turns in one folder, on a sandbox of today's generation.

Each story is told twice, with the roles exchanged. What the SDKs make of each other's orders,
secrets and results is in test_today.py; here it is the files and the commands.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE

from .conftest import COMPILED, ROOT
from .turns import Team

COMMANDS = "iexec-9/dist/esm/cli/cmd"
PEOPLE = accounts.addresses()
OTHER = PEOPLE["beneficiary"]
NUMBERS = itertools.count(1)
TAG = "0x" + "0" * 63 + "9"


@pytest.fixture(scope="module")
def env(_oracle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str] | None]:
    """The environment of a person in whose home such a sandbox runs."""
    if isinstance(_oracle, str):
        yield None
        return
    home = str(tmp_path_factory.mktemp("home"))
    cache = os.environ.get("IEXEC_LITE_CACHE", str(Path.home() / ".cache" / "iexec_lite"))
    found = {
        **os.environ,
        **COMPILED,
        **dict.fromkeys(("HOME", "USERPROFILE", "IEXEC_LITE_HOME"), home),
        "IEXEC_LITE_CACHE": cache,
        "PYTHONPATH": str(ROOT),
    }
    for name in ("IEXEC_LITE_PASSWORD", "XDG_DATA_HOME", "DEBUG"):
        found.pop(name, None)
    command = [sys.executable, "-m", "iexec_lite", "sandbox"]
    up = [*command, "up", "--generation", "6", "--raw"]
    subprocess.run(up, env=found, check=True, stdout=subprocess.DEVNULL)
    yield found
    subprocess.run([*command, "down", "--raw"], env=found, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(params=["iexec", "iexec-lite"])
def team(oracle: Any, request: pytest.FixtureRequest, env: dict[str, str], tmp_path: Path) -> Team:
    """A project that both have worked on: each file is begun by one and finished by the other."""
    team = Team(tmp_path, env, first=request.param, commands=COMMANDS)
    name = {"iexec": "requester", "iexec-lite": "app-provider"}[request.param]
    team.first("init --skip-wallet")
    assert team.read("chain.json") == {
        "default": "arbitrum-sepolia-testnet",
        "chains": {"arbitrum-mainnet": {}, "arbitrum-sepolia-testnet": {}},
    }
    team.py("sandbox status --chain-json")
    team.edit("chain.json", lambda content: content.update(default="sandbox"))
    team.second(f"wallet import {to_hex(accounts.secret(name))} --unencrypted")
    return team


def deploy(team: Team) -> dict[str, str]:
    """An app and a workerpool of the wallet's."""
    team.first("app init")
    number = next(NUMBERS)
    change = {"multiaddr": SAMPLE_IMAGE, "name": f"app {number}"}
    team.edit("iexec.json", lambda content: content["app"].update(change))
    app = team.second("app deploy")["address"]
    team.second("workerpool init")
    change = {"description": f"pool {number}"}
    team.edit("iexec.json", lambda content: content["workerpool"].update(change))
    pool = team.first("workerpool deploy")["address"]
    return {"app": app, "workerpool": pool}


def undated(told: Any) -> Any:
    """What is told of a task without the times, which ours are in words (ISO 8601)."""
    for part in (told["offchainData"]["task"], *told["offchainData"]["replicates"]):
        assert all(change.pop("date") for change in part["statusHistory"])
    return told


def test_the_same_templates(team: Team) -> None:
    """Both begin with the same files; ours has the ``buyConf`` that the other one forgot."""
    made = [cli("app init") for cli in (team.js, team.py)]
    assert made[0] == made[1]
    orders = [cli("order init") for cli in (team.js, team.py)]
    assert orders[0] == orders[1]
    assert team.read("iexec.json")["buyConf"]["tag"] == TAG


def test_a_purchase_and_what_is_told_of_it(team: Team) -> None:
    """Orders that one signed the other fills, from the same orders.json."""
    a, b, goods = team.first, team.second, deploy(team)
    for kind, address in goods.items():
        assert a(f"{kind} show")["address"] == b(f"{kind} show")["address"] == address
    apps = [cli("app show") for cli in (a, b)]
    assert apps[0] == apps[1]
    pools = [cli("workerpool show") for cli in (a, b)]
    assert pools[0] == pools[1]
    assert pools[0]["apiUrl"] == team.read("chain.json")["chains"]["sandbox"]["compass"]
    a("app push-secret --secret-value s")
    assert b("app check-secret") == a("app check-secret") == {"isSecretSet": True}
    pushed = b("requester push-secret login --secret-value s")
    assert pushed == {"isPushed": True, "name": "login"}
    checks = [cli("requester check-secret login") for cli in (a, b)]
    assert checks[0] == checks[1] == {"isSet": True, "name": "login"}
    b("account deposit 5000")

    a("order init")
    secret = {"iexec_secrets": {"1": "login"}, "iexec_args": "Alice"}
    terms: dict[str, dict[str, Any]] = {
        "apporder": {"appprice": "5"},
        "workerpoolorder": {"workerpoolprice": "7"},
        "requestorder": {**goods, "appmaxprice": "5", "workerpoolmaxprice": "7", "params": secret},
    }
    team.edit("iexec.json", lambda c: [c["order"][kind].update(terms[kind]) for kind in terms])
    b("order sign --app --workerpool")
    a("order sign --request")
    (orders,) = team.read("orders.json").values()
    assert {order["tag"] for order in orders.values()} == {TAG}
    published = a("order publish --app --force")["apporder"]["orderHash"]
    shown = [cli(f"order show --app {published}") for cli in (a, b)]
    assert shown[0] == shown[1]
    books = [cli(f"orderbook app {goods['app']}") for cli in (a, b)]
    assert books[0] == books[1]
    filled = b("order fill --force")
    deals = [cli(f"deal show {filled['dealid']}")["deal"] for cli in (team.js, team.py)]
    assert deals[0].pop("tasks") == list(deals[1]["tasks"].values())  # today.md §0
    (taskid,) = deals[1].pop("tasks").values()
    assert deals[0] == deals[1]
    assert team.py(f"task show {taskid} --watch")["task"]["statusName"] == "COMPLETED"
    told = [undated(cli(f"task debug {taskid} --logs")) for cli in (a, b)]
    assert told[0] == told[1]
    assert "wrote result.txt" in told[0]["appLogs"][0]["stdout"]


def test_allowances_and_transfers(team: Team) -> None:
    a, b, goods = team.first, team.second, deploy(team)
    a(f"account approve 100 {OTHER} nRLC")
    assert team.js(f"account allowance {OTHER}") == {"amount": "64"}  # hexadecimal: today.md D2
    assert team.py(f"account allowance {OTHER}") == {"amount": "100"}
    b(f"account revoke {OTHER}")
    assert team.js(f"account allowance {OTHER}")["amount"] in ("0", "00")
    moved = b(f"app transfer {goods['app']} --to {OTHER} --force")
    assert (moved["address"], moved["to"]) == (goods["app"], OTHER)
    pool = a(f"workerpool transfer {goods['workerpool']} --to {OTHER} --force")
    assert pool["to"] == OTHER
    for cli in (a, b):
        assert cli("app show")["app"]["owner"] == OTHER
        assert "owner can transfer" in cli.refused(
            f"app transfer {goods['app']} --to {OTHER} --force"
        )
