"""``order fill | check``: which orders, the request order that is made, what is bought or told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import StateError
from iexec_lite.protocol.matching import Reason
from iexec_lite.sdk.records import MatchCheck, MatchResult

from .records import APP, DATASET, DEALID, ME, Part
from .test_orderbook import SIGNED, apporder, poolorder, published, request
from .test_run import requestorder

OWN = ("--chain", "bellecour", "--keystoredir", "ks")
HASH = "0x" + "0a" * 32
DATASETORDER = {
    **{"dataset": DATASET, "datasetprice": 0, "volume": 9, "tag": "0x" + "00" * 32, **SIGNED},
    **dict.fromkeys(("apprestrict", "workerpoolrestrict", "requesterrestrict"), "0x" + "00" * 20),
}


def bought(volume: int = 1) -> MatchResult:
    ids = {at: f"0x{at:064x}" for at in range(volume)}
    return MatchResult(dealid=DEALID, volume=volume, tx_hash="0x99", taskids=ids)


def told(**more: Any) -> MatchCheck:
    given = {
        **{"volume": 2, "total": 8 * 10**9, "app_price": 10**9, "dataset_price": 0},
        **{"workerpool_price": 3 * 10**9, "workerpool_stake": 5 * 10**8},
        **{"requester_shortfall": 0, "workerpool_shortfall": 0, "reasons": ()},
    }
    return MatchCheck(**{**given, **more})


@pytest.fixture
def order(library: SimpleNamespace, wallet: Path) -> Part:
    """The library's ``order``: any purchase succeeds."""
    library.order = Part(
        match_orders=bought(),
        sponsor_match_orders=bought(),
        check_match_orders=told(),
        create_matching_requestorder=requestorder(),
    )
    found: Part = library.order
    return found


@pytest.fixture
def stored(project: Path) -> dict[str, Any]:
    """What orders.json holds: an app order and a workerpool order, and a request for both."""
    found = {"apporder": apporder(), "workerpoolorder": poolorder(), "requestorder": request()}
    own = {"134": {name: each.values() for name, each in found.items()}}
    (project / "orders.json").write_text(json.dumps(own))
    return found


def test_the_orders_of_the_file(run, order, stored, library) -> None:
    found = run("order", "fill", *OWN)
    assert found.out == (
        f"1 task successfully purchased with dealid {DEALID}\n  task 0: 0x{0:064x}\n"
    )
    assert found.err == ""
    more = {"check_request": True, "new": False, "deposit": False}
    assert order.calls == [("match_orders", {**stored, **more})]
    assert library.signer._question is None  # the request is signed already
    document = run("order", "fill", *OWN, "--raw").json
    assert document == {"ok": True, "dealid": DEALID, "volume": "1", "txHash": "0x99"}


def test_who_pays_and_what_is_checked(run, order, stored) -> None:
    words = ("order", "fill", *OWN, "--skip-request-check", "--new")
    run(*words, "--deposit")
    checks = {"check_request": False, "new": True}
    assert order.calls[-1] == ("match_orders", {**stored, **checks, "deposit": True})
    run(*words, "--sponsor")
    assert order.calls[-1] == ("sponsor_match_orders", {**stored, **checks})


def test_of_many_tasks_a_few_are_shown(run, order, stored) -> None:
    for volume, more in ((10, ""), (11, "  and 1 more\n")):
        order.answers["match_orders"] = bought(volume)
        out = run("order", "fill", *OWN).out
        assert out.startswith(f"{volume} tasks successfully purchased with dealid {DEALID}\n")
        assert out.count("  task ") == 10
        assert out.endswith(f"  task 9: 0x{9:064x}\n{more}")


def test_a_request_is_made_and_signed_after_a_question(run, order, stored, library) -> None:
    words = ("order", "fill", *OWN, "--params", "hi")
    assert run(*words).err == ""
    offers = {name: stored[name] for name in ("apporder", "workerpoolorder")}
    made = order.answers["create_matching_requestorder"]
    assert order.calls[0] == (
        "create_matching_requestorder",
        {**offers, "requester": ME, "params": "hi"},
    )
    assert order.calls[1][1]["requestorder"] == made
    question, about = library.signer._question
    assert question == (
        "the following requestorder has been created, do you want to sign it and complete your "
        "purchase?"
    )
    assert about["app"] == APP
    found = run(*words, "--request", HASH)
    assert found.err == "⚠ --params makes a requestorder: --request is not used\n"


def test_orders_by_hash_and_file(run, order, library, project: Path) -> None:
    (project / "pool.json").write_text(json.dumps(poolorder().values()))
    (project / "shown.json").write_text(json.dumps({"order": request(dataset=DATASET).values()}))
    (project / "data.json").write_text(json.dumps(DATASETORDER))
    library.orderbook = Part(fetch_apporder=published(apporder()))
    words = ("order", "check", *OWN, "--app", HASH, "--workerpool", "pool.json")
    words += ("--request", "shown.json")
    message = run(*words, "--raw").json["error"]["message"]
    assert message == (
        'Missing orders.json. You probably forgot to run "iexec-lite order sign" '
        "(or give --dataset <orderHash>)"
    )
    (project / "orders.json").write_text("{}")
    message = run(*words, "--raw").json["error"]["message"]
    assert message == "Missing datasetorder: give --dataset <orderHash>, or sign one"
    found = run(*words, "--dataset", "data.json")
    assert found.err == f"ℹ Fetching apporder {HASH} from iexec marketplace\n"
    ((_, asked),) = order.calls
    assert list(asked) == [
        *("apporder", "datasetorder", "workerpoolorder", "requestorder", "check_request")
    ]
    assert asked["check_request"] is True
    assert asked["datasetorder"].dataset == DATASET
    assert asked["apporder"] == apporder()


def test_a_dataset_that_nobody_asked_for(run, order, stored, project: Path) -> None:
    (project / "data.json").write_text(json.dumps(DATASETORDER))
    found = run("order", "check", *OWN, "--dataset", "data.json")
    assert found.err == "⚠ The requestorder names no dataset: the datasetorder is not used\n"
    assert "datasetorder" not in order.calls[0][1]
    # a request that is made is made for it
    run("order", "check", *OWN, "--dataset", "data.json", "--params", "x")
    assert order.calls[1][1]["datasetorder"].dataset == DATASET


def test_nobody_to_make_a_request_for(run, order, stored, wallet: Path) -> None:
    wallet.unlink()
    message = run("order", "check", *OWN, "--params", "x", "--raw").json["error"]["message"]
    assert message == "Missing requestorder: give --request, or a wallet to make one for"
    assert run("order", "check", *OWN).status == 0


def test_orders_that_match(run, order, stored) -> None:
    assert (
        run("order", "check", *OWN).out
        == """\
These orders match:
tasks:            2
price per task:   4.0 RLC (app 1.0 RLC, dataset 0.0 RLC, workerpool 3.0 RLC)
total:            8.0 RLC
workerpool stake: 0.5 RLC
"""
    )
    assert run("order", "check", *OWN, "--raw").json == {"ok": True, **told().to_dict()}


def test_orders_that_do_not(run, order, stored) -> None:
    reasons = (
        *(Reason("tag", "the tags differ"), Reason("stake", "too little")),
        *(Reason("request", "no token"), Reason("dataset", "no key")),
    )
    report = told(reasons=reasons, requester_shortfall=10**9, workerpool_shortfall=2 * 10**9)
    order.answers["check_match_orders"] = report
    found = run("order", "check", *OWN)
    assert found.status == 1
    assert [" ".join(line.split()) for line in found.out.splitlines()] == [
        "tasks: 2",
        "price per task: 4.0 RLC (app 1.0 RLC, dataset 0.0 RLC, workerpool 3.0 RLC)",
        "total: 8.0 RLC",
        "workerpool stake: 0.5 RLC",
        "missing on the requester's account: 1.0 RLC",
        "missing on the workerpool owner's account: 2.0 RLC",
    ]
    skip = (
        "If you consider this is not an issue, use --skip-{0}-check to skip {0} requirement check"
    )
    listed = ["the tags differ", "too little", f"no token ({skip.format('request')})"]
    listed.append(f"no key ({skip.format('preflight')})")
    lines = "".join(f"  - {each}\n" for each in listed)
    assert found.err == f"✖ These orders would not match:\n{lines}"
    document = json.loads(run("order", "check", *OWN, "--raw").err)
    assert document == {"ok": False, **report.to_dict()}


@pytest.mark.parametrize(
    ("left_out", "option"), [("apporder", "app"), ("workerpoolorder", "workerpool")]
)
def test_an_order_that_is_missing(
    run, order, stored, project: Path, left_out: str, option: str
) -> None:
    del stored[left_out]
    own = {"134": {name: each.values() for name, each in stored.items()}}
    (project / "orders.json").write_text(json.dumps(own))
    message = run("order", "fill", *OWN, "--raw").json["error"]["message"]
    assert message == f"Missing {left_out}: give --{option} <orderHash>, or sign one"
    (project / "orders.json").unlink()
    message = run("order", "fill", *OWN, "--raw").json["error"]["message"]
    assert message == (
        'Missing orders.json. You probably forgot to run "iexec-lite order sign" '
        "(or give --app <orderHash>)"
    )
    assert order.calls == []


def test_a_request_that_is_missing(run, order, stored, project: Path) -> None:
    """It is made for the wallet, without params."""
    del stored["requestorder"]
    own = {"134": {name: each.values() for name, each in stored.items()}}
    (project / "orders.json").write_text(json.dumps(own))
    assert run("order", "fill", *OWN).status == 0
    assert order.calls[0] == (
        "create_matching_requestorder",
        {**stored, "requester": ME, "params": None},
    )


def test_an_order_in_a_file_that_is_of_another_kind(run, order, stored, project: Path) -> None:
    (project / "pool.json").write_text(json.dumps(poolorder().values()))
    words = ("order", "check", *OWN, "--app", "pool.json", "--raw")
    assert run(*words).json["error"]["message"].startswith("apporder in pool.json: ")


def test_what_is_needed_of_the_chain(run, order, stored, project: Path) -> None:
    """The marketplace for a hash, the SMS for a check: neither else."""
    chain = {"id": "4242", "host": "https://n.org", "hub": ME, "iexecGateway": ""}
    (project / "chain.json").write_text(json.dumps({"chains": {"mine": chain}}))
    orders_of = json.loads((project / "orders.json").read_text())["134"]
    (project / "orders.json").write_text(json.dumps({"4242": orders_of}))
    own = ("--chain", "mine", "--keystoredir", "ks", "--raw")
    for command in ("check", "fill"):
        message = run("order", command, *own).json["error"]["message"]
        assert message == 'Missing sms in "chain.json" for chain 4242'
        own_words = (*own, "--skip-request-check")
        message = run("order", command, *own_words, "--app", HASH).json["error"]["message"]
        assert message == 'Missing iexecGateway in "chain.json" for chain 4242'
        assert run("order", command, *own_words).status == 0
    assert [asked["check_request"] for _, asked in order.calls] == [False, False]


def test_a_check_of_a_request_names_its_option(run, order, stored) -> None:
    order.answers["match_orders"] = StateError("no token", details={"check": "request"})
    message = run("order", "fill", *OWN, "--raw").json["error"]["message"]
    assert message == (
        "Request requirements check failed: no token (If you consider this is not an issue, use "
        "--skip-request-check to skip request requirement check)"
    )
