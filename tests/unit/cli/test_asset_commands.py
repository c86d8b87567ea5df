"""``app | dataset | workerpool`` ``deploy | show | count | publish | unpublish | transfer``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import IExecError, ObjectNotFoundError, StateError
from iexec_lite.protocol import objects, orders
from iexec_lite.sdk.records import Deployed, OwnershipTransfer, Resource

from .records import APP, DATASET, ME, OTHER, POOL, Part

CHAIN = ("--chain", "bellecour")
OWN = (*CHAIN, "--keystoredir", "ks")
HASH, NEXT = "0x" + "0a" * 32, "0x" + "0b" * 32
ADDRESSES = {"app": APP, "dataset": DATASET, "workerpool": POOL}


# ---- deploy --------------------------------------------------------------------------------------


@pytest.fixture
def deploying(library: SimpleNamespace, project: Path, wallet: Path) -> Part:
    """iexec.json with an app; the library's ``app``, which deploys it at ``APP``."""
    (project / "iexec.json").write_text('{"app": {"name": "a", "colour": "red"}}')
    library.app = Part(deploy_app=Deployed(address=APP, tx_hash=HASH))
    library.app.record = SimpleNamespace(field_names=objects.App.field_names)
    found: Part = library.app
    return found


def test_deploy(run, deploying, project: Path) -> None:
    (project / "deployed.json").write_text('{"app": {"1": "old"}, "other": 7}')
    found = run("app", "deploy", *OWN)
    assert found.out == (
        f"Deployed new app at address {APP}\n"
        'Saved in "deployed.json"; offer it with: iexec-lite app publish\n'
    )
    assert found.err == "⚠ app in iexec.json: colour is not known\n"
    entry = {"name": "a", "colour": "red"}
    assert deploying.calls == [("deploy_app", entry, {"new": False})]
    noted = json.loads((project / "deployed.json").read_text())
    assert noted == {"app": {"1": "old", "134": APP}, "other": 7}
    document = run("app", "deploy", *OWN, "--new", "--raw").json
    assert document == {"ok": True, "address": APP, "txHash": HASH}
    assert deploying.calls[-1][2] == {"new": True}


def test_what_was_deployed_before(run, deploying) -> None:
    deploying.answers["deploy_app"] = StateError("App is there", details={"address": APP})
    message = run("app", "deploy", *OWN, "--raw").json["error"]["message"]
    told = "use it by this address, or change the app in iexec.json to deploy another"
    assert message == f"App is there: {told}"
    deploying.answers["deploy_app"] = StateError("Not enough")
    assert run("app", "deploy", *OWN, "--raw").json["error"]["message"] == "Not enough"


def test_an_address_that_cannot_be_noted_is_told(
    run, deploying, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise IExecError("disk full")

    monkeypatch.setattr("iexec_lite.cli.project.save_deployed", full)
    error = run("app", "deploy", *OWN, "--raw").json["error"]
    told = "but this could not be noted in deployed.json: disk full"
    assert error["message"] == f"Deployed new app at address {APP}, {told}"
    assert error["details"] == {"address": APP}
    assert error["txHash"] == HASH


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "iexec.json",
            "{}",
            'Missing app in "iexec.json". Did you forget to run "iexec-lite app init"?',
        ),
        ("iexec.json", '{"app": []}', '"app" in iexec.json must be an object'),
        ("deployed.json", '{"app": 7}', '"app" in deployed.json must be an object'),
    ],
)
def test_nothing_is_deployed(
    run, deploying, project: Path, file: str, text: str, message: str
) -> None:
    (project / file).write_text(text)
    assert run("app", "deploy", *OWN, "--raw").json["error"]["message"] == message
    assert deploying.calls == []


# ---- show and count ------------------------------------------------------------------------------


def resource(kind: str, **properties: Any) -> Resource:
    return Resource(obj_address=ADDRESSES[kind], kind=kind, properties=properties)


def test_show_by_address_or_index(run, library, wallet, project: Path) -> None:
    found = resource("app", owner=OTHER, appName="two\nlines", appMREnclave='{"version": "v1"}')
    library.app = Part(show_app=found, show_user_app=found)
    out = run("app", "show", APP, *CHAIN).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"App {APP}"
    assert f"owner: {OTHER}" in lines
    assert r"name: two\nlines" in lines
    assert "version: v1" in lines
    for which in ("my.app.eth", "0X12", "ab" * 20):
        run("app", "show", which, *CHAIN)
        assert library.app.calls[-1] == ("show_app", which)
    run("app", "show", "7", *OWN)
    assert library.app.calls[-1] == ("show_user_app", "7", ME)
    run("app", "show", "7", *CHAIN, "--user", OTHER)
    assert library.app.calls[-1] == ("show_user_app", "7", OTHER)
    message = run("app", "show", *CHAIN, "--raw").json["error"]["message"]
    assert message == 'app address not provided to CLI AND missing in "deployed.json"'
    (project / "deployed.json").write_text(json.dumps({"app": {"134": OTHER}}))
    document = run("app", "show", *CHAIN, "--raw").json
    assert library.app.calls[-1] == ("show_app", OTHER)
    assert document == {"ok": True, "address": APP, "app": found.to_dict()["app"]}


SHOWN = {
    "app": (
        {
            **{"owner": OTHER, "registry": POOL, "appName": "n", "appType": "DOCKER"},
            **{"appMultiaddr": "docker.io/x", "appChecksum": HASH, "appMREnclave": ""},
        },
        f"""\
App {APP}
  name:      n
  type:      DOCKER
  multiaddr: docker.io/x
  checksum:  {HASH}
  owner:     {OTHER}
  registry:  {POOL}
  enclave:   (none)
""",
    ),
    "dataset": (
        {
            **{"owner": OTHER, "registry": POOL, "datasetName": "a\r\nb"},
            **{"datasetMultiaddr": "/ipfs/Qm", "datasetChecksum": ""},
        },
        f"""\
Dataset {DATASET}
  name:      a\\nb
  multiaddr: /ipfs/Qm
  checksum:  (none)
  owner:     {OTHER}
  registry:  {POOL}
""",
    ),
    "workerpool": (
        {
            **{"owner": OTHER, "workerpoolDescription": "d", "workerStakeRatioPolicy": 35},
            "schedulerRewardRatioPolicy": 5,
        },
        f"""\
Workerpool {POOL}
  description:            d
  worker stake ratio:     35 %
  scheduler reward ratio: 5 %
  owner:                  {OTHER}
""",
    ),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_what_is_shown(run, library, kind: str) -> None:
    properties, shown = SHOWN[kind]
    answers = {f"show_{kind}": resource(kind, **properties), "get_workerpool_api_url": None}
    setattr(library, kind, Part(**answers))
    found = run(kind, "show", ADDRESSES[kind], *CHAIN)
    assert (found.out, found.err) == (shown, "")


@pytest.mark.parametrize(
    ("measured", "shown"),
    [
        ("no JSON\nat all", r"  enclave: no JSON\nat all"),
        ("[1]", "  enclave: [1]"),
        ('{"a\\nb": "c\\nd", "e": ""}', "  enclave:\n    a\\nb: c\\nd\n    e:    (none)"),
    ],
)
def test_what_is_measured(run, library, measured: str, shown: str) -> None:
    library.app = Part(show_app=resource("app", appMREnclave=measured))
    assert run("app", "show", APP, *CHAIN).out == f"App {APP}\n{shown}\n"


def test_show_a_workerpool(run, library) -> None:
    found = resource("workerpool", owner=OTHER, workerStakeRatioPolicy=35)
    library.workerpool = Part(show_workerpool=found, get_workerpool_api_url="https://api")
    done = run("workerpool", "show", POOL, *CHAIN)
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "API: https://api" in lines
    assert any(line.endswith(": 35 %") for line in lines)
    assert run("workerpool", "show", POOL, *CHAIN, "--raw").json["apiUrl"] == "https://api"
    library.workerpool.answers["get_workerpool_api_url"] = IExecError("silent")
    done = run("workerpool", "show", POOL, *CHAIN)
    assert (done.status, done.err) == (
        0,
        "⚠ Failed to find out the API of the workerpool: silent\n",
    )
    assert "API" not in done.out


@pytest.mark.parametrize(("number", "words"), [(0, "0 apps"), (1, "1 app"), (2, "2 apps")])
def test_count(run, library, wallet, number: int, words: str) -> None:
    library.app = Part(count_user_apps=number)
    assert run("app", "count", *OWN).out == f"User {ME} has a total of {words}\n"
    document = run("app", "count", "--user", OTHER, *CHAIN, "--raw").json
    assert document == {"ok": True, "count": str(number)}
    assert library.app.calls == [("count_user_apps", ME), ("count_user_apps", OTHER)]


# ---- publish and unpublish -----------------------------------------------------------------------


@pytest.fixture
def market(library: SimpleNamespace, wallet: Path) -> Part:
    """The library's ``order`` for an app, a dataset and a workerpool that are there."""
    kinds = ("app", "dataset", "workerpool")
    answers: dict[str, Any] = {f"publish_{kind}order": HASH for kind in kinds}
    for kind in kinds:
        setattr(library, kind, Part(**{f"show_{kind}": resource(kind)}))
        make = getattr(orders, f"create_{kind}order")
        more = {"category": 0} if kind == "workerpool" else {}
        answers[f"create_{kind}order"] = make(**{kind: ADDRESSES[kind]}, **more)
        answers[f"sign_{kind}order"] = f"signed {kind}order"
    library.hub = Part(show_category=None)
    library.order = Part(**answers)
    found: Part = library.order
    return found


def test_publish(run, library, market) -> None:
    words = ("app", "publish", APP, *OWN)
    out = run(*words).out
    assert out == (
        f"Successfully published apporder with orderHash {HASH}\n"
        f'Run "iexec-lite orderbook app {APP}" to show published apporders\n'
    )
    made = market.answers["create_apporder"]
    assert market.calls == [
        ("create_apporder", APP, {"volume": "1000000"}),
        ("sign_apporder", made, {"preflight_check": True}),
        ("publish_apporder", "signed apporder", {"preflight_check": False}),
    ]
    question, about = library.signer._question
    assert question == "Do you want to publish the following apporder?"
    assert about["app"] == APP
    more = ("--price", "2", "RLC", "--volume", "3", "--tag", "tee", "--skip-preflight-check")
    more += ("--dataset-restrict", DATASET, "--workerpool-restrict", POOL)
    document = run(*words, *more, "--requester-restrict", ME, "--raw").json
    assert document == {"ok": True, "orderHash": HASH}
    assert market.calls[3] == (
        *("create_apporder", APP),
        {
            **{"volume": "3", "appprice": "2 RLC", "tag": "tee", "datasetrestrict": DATASET},
            **{"workerpoolrestrict": POOL, "requesterrestrict": ME},
        },
    )
    assert market.calls[4][2] == {"preflight_check": False}


def test_publish_a_workerpool(run, library, market) -> None:
    words = ("workerpool", "publish", POOL, *OWN)
    assert run(*words).status == 0
    assert market.calls[0] == ("create_workerpoolorder", POOL, {"volume": "1", "category": "0"})
    assert [len(call) for call in market.calls[1:]] == [2, 2]  # nothing is checked
    assert library.hub.calls == [("show_category", "0")]
    run(*words, "--category", "4", "--trust", "2")
    assert market.calls[3][2] == {"volume": "1", "category": "4", "trust": "2"}
    assert library.hub.calls[-1] == ("show_category", "4")


def test_what_is_not_there_is_not_published(run, library, market) -> None:
    library.app.answers["show_app"] = ObjectNotFoundError("app", APP, 134)
    message = run("app", "publish", APP, *OWN, "--raw").json["error"]["message"]
    assert message == f"No app deployed at address {APP}"
    market.answers["sign_datasetorder"] = StateError("no key", details={"check": "dataset"})
    message = run("dataset", "publish", DATASET, *OWN, "--raw").json["error"]["message"]
    assert message.startswith("Dataset requirements check failed: no key (If you consider this")


def test_unpublish(run, library, wallet) -> None:
    library.order = Part(unpublish_last_apporder=HASH, unpublish_all_apporders=[HASH, NEXT])
    words = ("app", "unpublish", APP, *OWN)
    copies = "Whoever has a copy can still buy with it: to make it worthless, cancel it\n"
    out = run(*words).out
    assert out == f"Successfully unpublished last apporder\n  {HASH}\n{copies}"
    question = f"Do you want to unpublish your last apporder for app {APP}?"
    assert library.signer._question[0] == question
    out = run(*words, "--all").out
    assert out == f"Successfully unpublished all apporders\n  {HASH}\n  {NEXT}\n{copies}"
    question = f"Do you want to unpublish all your apporders for app {APP}?"
    assert library.signer._question[0] == question
    assert run(*words, "--raw").json == {"ok": True, "unpublished": HASH}
    assert run(*words, "--all", "--raw").json == {"ok": True, "unpublished": [HASH, NEXT]}
    assert library.order.calls[0] == ("unpublish_last_apporder", APP)


# ---- transfer ------------------------------------------------------------------------------------


def test_transfer(run, library, wallet) -> None:
    moved = OwnershipTransfer(address=DATASET, to=OTHER, tx_hash=HASH)
    library.dataset = Part(transfer_dataset=moved)
    words = ("dataset", "transfer", DATASET, *OWN)
    assert run(*words, "--raw").json["error"]["message"] == "Missing --to option"
    words += ("--to", OTHER)
    assert run(*words).out == (
        f"Ownership of the dataset {DATASET} successfully transferred to {OTHER}\n"
        f"transaction: {HASH}\n"
    )
    question = f"the ownership of the dataset {DATASET} to {OTHER} [chainId: 134]"
    assert library.signer._question == (f"Do you want to transfer {question}", None)
    document = run(*words, "--new", "--raw").json
    assert document == {"ok": True, **moved.to_dict()}
    assert library.dataset.calls[-1] == ("transfer_dataset", DATASET, OTHER, {"new": True})


def test_the_last_one_deployed_is_told(run, library, wallet, project: Path) -> None:
    library.dataset = Part(check_dataset_secret_exists=True)
    message = run("dataset", "check-secret", *CHAIN, "--raw").json["error"]["message"]
    cure = "give its address, or deploy one with: iexec-lite dataset deploy"
    assert message == (
        f'Missing datasetAddress and no dataset found in "deployed.json" for chain 134: {cure}'
    )
    message = run("dataset", "check-secret", "deployed", *CHAIN, "--raw").json["error"]["message"]
    assert message == f'No dataset found in "deployed.json" for chain 134: {cure}'
    (project / "deployed.json").write_text(json.dumps({"dataset": {"134": DATASET}}))
    last = f'last dataset deployed from "deployed.json": {DATASET}\n'
    found = run("dataset", "check-secret", *CHAIN)
    assert found.err == f"ℹ No dataset specified, using {last}"
    assert found.out == f"Secret found for dataset {DATASET}\n"
    assert run("dataset", "check-secret", "deployed", *CHAIN).err == f"ℹ Using {last}"
    assert run("dataset", "check-secret", OTHER, *CHAIN).err == ""
    library.dataset.answers["check_dataset_secret_exists"] = False
    out = run("dataset", "check-secret", OTHER, *CHAIN).out
    assert out == f"No secret found for dataset {OTHER}\n"
    document = run("dataset", "check-secret", OTHER, *CHAIN, "--raw").json
    assert document == {"ok": True, "isSecretSet": False}


# ---- the key of a dataset ------------------------------------------------------------------------


def test_the_key_of_a_dataset(run, library, wallet, project: Path) -> None:
    library.dataset = Part(check_dataset_secret_exists=False, push_dataset_secret=True)
    words = ("dataset", "push-secret", DATASET, *OWN)
    message = run(*words, "--raw").json["error"]["message"]
    default = ".secrets/datasets/dataset.key"
    assert message == (
        f'No secret file {default}: give --secret-path FILE, or run "iexec-lite dataset encrypt"'
    )
    (project / ".secrets" / "datasets").mkdir(parents=True)
    (project / default).write_text(" key\n")
    (project / default).chmod(0o600)
    found = run(*words)
    assert found.out == f"Secret successfully pushed for dataset {DATASET}\n"
    assert found.err == f"ℹ No --secret-path <path> option, using default {default}\n"
    assert library.dataset.calls[-1] == ("push_dataset_secret", DATASET, "key")
    (project / "other").write_text("own")
    (project / "other").chmod(0o600)
    assert run(*words, "--secret-path", "other").err == ""
    assert library.dataset.calls[-1] == ("push_dataset_secret", DATASET, "own")
    (project / "other").chmod(0o644)
    assert run(*words, "--secret-path", "other").err == (
        "⚠ other users of this machine may read other: chmod 600 it\n"
    )
    for size, refused in ((65536, False), (65537, True)):
        (project / "large").write_text("x" * size)
        (project / "large").chmod(0o600)
        done = run(*words, "--secret-path", "large")
        assert (done.status, "large is larger than 65536 bytes" in done.err) == (refused, refused)
    library.dataset.answers["check_dataset_secret_exists"] = True
    message = run(*words, "--raw").json["error"]["message"]
    assert message == f"Secret already exists for {DATASET} and can't be updated"
