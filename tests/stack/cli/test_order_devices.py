"""Orders of a key that never meets a network: export, carry, sign, carry back, publish, fill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.sandbox import accounts

from .conftest import edit
from .machine import Machine
from .selling import SELLERS, ZERO, Goods, deploy, seller, stored
from .test_orders_offline import NO_SOCKETS

SANDBOX = ("--flavour", "native")
SIGN = "Do you want to sign the following?"


@pytest.fixture(scope="module")
def goods(machine: Machine) -> Goods:
    return deploy(machine)


@pytest.fixture
def guard(tmp_path: Path) -> str:
    """A path under which no Python opens a socket."""
    folder = tmp_path / "guard"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_SOCKETS)
    return str(folder)


@pytest.fixture
def online(machine: Machine, tmp_path: Path) -> Path:
    """A project folder without any wallet."""
    folder = tmp_path / "online"
    folder.mkdir()
    machine.raw("init", "--skip-wallet", folder=folder)
    edit(folder, "chain.json", default="sandbox", chains={})
    return folder


def carry(file: Path, folder: Path) -> str:
    shutil.copy(file, folder)
    return file.name


def test_air_gap(
    machine: Machine, goods: Goods, project: Any, online: Path, guard: str, golden: Any
) -> None:
    """Four keys, each in a folder where no socket may be opened, and a folder without a key."""
    owners = {**SELLERS, "request": "requester"}
    safes = {name: project(owner) for name, owner in owners.items()}
    shown = machine.failure("wallet", "show", folder=safes["app"], path=guard)
    assert "RuntimeError" in shown["error"]["message"]  # the guard is there
    for safe in safes.values():
        (safe / "chain.json").unlink()  # signing a request needs no project, but for the wallet
    buyer = accounts.signer("requester").address
    dataset = {"dataset": goods.dataset, "datasetmaxprice": "0.1 RLC"}
    goods.write(online, app={}, dataset={}, workerpool={}, request={"requester": buyer, **dataset})
    text = machine.shown("order", "export", "--skip-request-check", folder=online)
    golden("order-export", text)
    words = ["order", "export", "--dataset", "--workerpool", "--request", "--skip-request-check"]
    document = machine.raw(*words, "--force", folder=online)
    assert list(document) == ["ok", "datasetorder", "workerpoolorder", "requestorder"]
    skip = {"app": [], "dataset": [], "workerpool": [], "request": ["--skip-request-check"]}
    for name, safe in safes.items():
        request = carry(online / f"{name}order.request.json", safe)
        words = ["order", "sign-request", request, "--force"]
        done = machine.run(*words, folder=safe, path=guard)
        assert done.returncode == 0, done.stderr
        told = done.stderr + done.stdout
        golden(f"order-sign-request-{name}", told.replace(str(machine.chain().id), "<chain>"))
        signed = carry(safe / f"{name}order.signed.json", online)
        words = ["order", "import-signature", signed]
        document = machine.raw(*words, folder=online, path=guard)
        assert stored(online, machine)[f"{name}order"] == document[f"{name}order"]
    hashes = {}
    for name, safe in safes.items():  # offers first: a request order needs them
        flag = f"--{name}"
        words = ["order", "publish", flag, "--export-challenge", "challenge.json"]
        document = machine.raw(*words, *skip[name], "--force", folder=online)[f"{name}order"]
        assert document["address"] == accounts.signer(owners[name]).address
        request = carry(online / "challenge.json", safe)
        signing = machine.raw("order", "sign-request", request, "--force", folder=safe, path=guard)
        assert signing["file"] == "challenge.signed.json"
        words = ["order", "publish", flag, *skip[name], "--force", "--authorization"]
        proof = carry(safe / "challenge.signed.json", online)
        done = machine.raw(*words, proof, folder=online)
        assert done == {"ok": True, f"{name}order": {"orderHash": document["orderHash"]}}
        hashes[name] = document["orderHash"]
        (fault,) = machine.failure(*words, proof, folder=online)["fail"]  # it serves once
        assert "order already published" in fault or "invalid authorization" in fault
    folder = project("beneficiary")  # anybody may match them: the requester pays
    words = [word for name, found in hashes.items() for word in (f"--{name}", found)]
    deal = machine.raw("order", "fill", *words, "--skip-request-check", folder=folder)
    with seller(machine, "requester") as iexec:
        assert iexec.deal.show(deal["dealid"]).dataset.pointer == goods.dataset


def test_unpublish_with_a_key_elsewhere(
    machine: Machine, goods: Goods, project: Any, online: Path
) -> None:
    safe = project("app-provider")
    order_hash = goods.publish("app")
    words = ["order", "unpublish", "--app", order_hash]
    text = machine.shown(*words, "--export-challenge", "login.json", folder=online)
    owner = accounts.signer("app-provider").address
    assert text == (
        f"login.json is to be signed by {owner}\n"
        "Carry it to the device with that key, and there: iexec-lite order sign-request FILE\n"
    )
    assert (online / "login.json").stat().st_mode & 0o777 == 0o600
    carry(online / "login.json", safe)
    words = ["order", "sign-request", "login.json", "--output", "proof.json"]
    with machine.terminal(*words, folder=safe) as terminal:
        seen = terminal.read(SIGN) + terminal.read("(Y/n) ")
        assert (
            "  what:    login to iExec Gateway: serves to publish or unpublish once in your name\n"
            in seen
        )
        terminal.answer("", "y")
        assert terminal.end()[0] == 0
    carry(safe / "proof.json", online)
    words = ["order", "unpublish", "--app", order_hash, "--authorization", "proof.json"]
    done = machine.raw(*words, folder=online)
    assert done == {"ok": True, "apporder": {"orderHash": order_hash}}
    kept = goods.sign("app")
    goods.keep(online, app=kept)
    words = ["order", "unpublish", "--app", "--export-challenge", "again.json"]
    assert machine.raw(*words, folder=online)["apporder"]["file"] == "again.json"
    words = ["order", "publish", "--app", "--request", "--export-challenge", "x.json"]
    text = "a challenge serves one order: give one of them at a time"
    assert machine.message(*words, folder=online) == text
    (fault,) = machine.failure(
        *("order", "publish", "--app", "--authorization", "again.json", "--force"), folder=online
    )["fail"]
    assert fault == "apporder: the document is not signed yet: it has no signature"


def test_export_offline(
    machine: Machine, goods: Goods, online: Path, guard: str, tmp_path: Path
) -> None:
    goods.write(online, app={}, request={"requester": ZERO})
    owner = accounts.signer("app-provider").address
    stick = tmp_path / "stick"
    stick.mkdir()
    words = ["order", "export", "--app", "--offline", "--output-dir", str(stick)]
    (fault,) = machine.failure(*words, folder=online, path=guard)["fail"]
    assert fault == "apporder: give --address: offline nobody knows who the owner is"
    words += ["--address", owner]
    document = machine.raw(*words, folder=online, path=guard)
    file = stick / "apporder.request.json"
    assert document == {"ok": True, "apporder": {"file": str(file), "address": owner}}
    content = json.loads(file.read_text())
    assert content["address"] == owner
    question = f'"{file.name}" already exists, replace it with new one?'
    (fault,) = machine.failure(*words, folder=online, path=guard)["fail"]
    assert fault == f"apporder: {question} There is nobody to ask: --force says yes"
    with machine.terminal(*words, folder=online) as terminal:
        terminal.answer(question, "n")
        assert f"Operation aborted by user. {file} was kept" in terminal.end()[1]
    assert json.loads(file.read_text()) == content
    machine.raw(*words, "--force", folder=online)
    assert json.loads(file.read_text()) != content  # another salt
    (fault,) = machine.failure("order", "export", "--request", "--offline", folder=online)["fail"]
    assert fault == (
        f"requestorder: the requester in iexec.json is {ZERO}: write there who it is, and who is "
        "the beneficiary"
    )
    words = ["order", "export", "--app", "--address"]
    (fault,) = machine.failure(*words, goods.app, folder=online)["fail"]
    assert fault.startswith("apporder: Invalid order signer, must be the resource owner")
    assert "0x12 is not a valid ethereum address" in machine.message(*words, "0x12", folder=online)
    words = ["order", "export", "--app", "--output-dir", "no"]
    assert machine.message(*words, folder=online) == "--output-dir: no is no folder"


def test_what_is_not_signed(machine: Machine, goods: Goods, project: Any, online: Path) -> None:
    """Another key's, what was tampered with, what is no request, and what a person refuses."""
    goods.write(online, app={})
    machine.raw("order", "export", "--app", folder=online)
    safe, other = project("app-provider"), project("requester")
    name = carry(online / "apporder.request.json", safe)
    words = ["order", "sign-request", name]
    carry(online / name, other)
    owner, wallet = (accounts.signer(who).address for who in ("app-provider", "requester"))
    text = f"this is to be signed by {owner}, the wallet is {wallet}"
    assert machine.message(*words, folder=other) == text
    assert machine.message(*words, folder=safe) == (
        f"{SIGN} There is nobody to ask: --force says yes"
    )
    with machine.terminal(*words, folder=safe) as terminal:
        seen = terminal.read(SIGN) + terminal.read("(Y/n) ")
        assert "  appprice: 0.1 RLC\n" in seen
        terminal.answer("", "n")
        assert terminal.end()[0] == 1
    assert not (safe / "apporder.signed.json").exists()
    document = json.loads((safe / name).read_text())
    document["typedData"]["message"]["appprice"] = "1"
    (safe / name).write_text(json.dumps(document))
    text = "the digest in the document is not that of what is to be signed: do not sign it"
    assert machine.message(*words, "--force", folder=safe) == text
    (safe / name).write_text("{}")
    assert machine.message(*words, "--force", folder=safe).startswith("not a signing request: ")
    text = machine.message("order", "sign-request", "no-file", folder=safe)
    assert text == "cannot read no-file: No such file or directory"


def test_what_is_not_imported(machine: Machine, goods: Goods, project: Any, online: Path) -> None:
    goods.write(online, app={})
    machine.raw("order", "export", "--app", folder=online)
    words = ["order", "import-signature"]
    text = machine.message(*words, "apporder.request.json", folder=online)
    assert text == "the document is not signed yet: it has no signature"
    safe = project("app-provider")
    name = carry(online / "apporder.request.json", safe)
    machine.raw("order", "sign-request", name, "--force", folder=safe)
    carry(safe / "apporder.signed.json", online)
    elsewhere = [*words, "apporder.signed.json", "--chain", "bellecour"]
    assert machine.message(*elsewhere, folder=online).startswith(
        "the order is for another hub or chain: "
    )
    document = json.loads((online / "apporder.signed.json").read_text())
    document["signature"] = document["signature"][:-4] + "ff1b"
    (online / "bad.json").write_text(json.dumps(document))
    assert machine.failure(*words, "bad.json", folder=online)["error"]["name"] == "SignatureError"
    assert not (online / "orders.json").exists()
    text = machine.shown(*words, "apporder.signed.json", folder=online)
    assert text == "apporder imported and saved in orders.json\n"
