"""``app run | request-execution``: what the library is asked for, plan, question and end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import IExecError, MatchError, ValidationError
from iexec_lite.protocol import orders
from iexec_lite.protocol.matching import Reason
from iexec_lite.sdk.plan import PlannedOrder, RequestPlan, RunPlan, RunResult

from .records import APP, DATASET, DEALID, ME, NOBODY, OTHER, POOL, TASKID, task, update
from .test_orderbook import apporder, poolorder

CHAIN = ("--chain", "bellecour", "--keystoredir", "ks")
HASH = "0x" + "0a" * 32


def requestorder(**more: Any) -> orders.Requestorder:
    given = {
        **{"app": APP, "category": 0, "requester": ME, "params": {"iexec_args": "hi"}},
        **{"appmaxprice": 10**9, "workerpoolmaxprice": 3 * 10**9, "workerpool": POOL},
    }
    return orders.create_requestorder(**{**given, **more}, result_proxy="https://x.y")


def plan(*reasons: Reason, **more: Any) -> RunPlan:
    """One run for 4 RLC, of an account with 5."""
    given = {
        **{"requestorder": requestorder(), "total": 4 * 10**9, "stake": 5 * 10**9},
        **{"shortfall": 0, "reasons": reasons, "datasetorder": None, "unfinished": False},
        **{"app_price": 10**9, "dataset_price": 0, "workerpool_price": 3 * 10**9},
        "apporder": PlannedOrder(to_sign=True, order=apporder()),
        "workerpoolorder": PlannedOrder(to_sign=False, order_hash=HASH, order=poolorder()),
    }
    return RunPlan(**{**given, **more})


class App:
    """The library's ``app``: notes what is wished for; asks before it buys."""

    def __init__(self) -> None:
        self.wishes: list[dict[str, Any]] = []
        self.plan: Any = plan()
        self.resumed = False
        self.error: IExecError | None = None

    def plan_run(self, **wish: Any) -> Any:
        self.wishes.append(wish)
        return self.plan

    plan_request_execution = plan_run

    def _agreed(self, wish: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        confirm = wish.pop("confirm")
        self.wishes.append(wish)
        if not self.resumed and not confirm(self.plan):
            raise IExecError("Operation aborted")

    def run(self, **wish: Any) -> RunResult:
        self._agreed(wish)
        ids = {"dealid": DEALID, "volume": 1, "tx_hash": "0x99", "taskids": {0: TASKID}}
        return RunResult(**ids, resumed=self.resumed)  # type: ignore[arg-type]

    def request_execution(self, **wish: Any) -> str:
        self._agreed(wish)
        return HASH


@pytest.fixture
def app(library: SimpleNamespace, wallet: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("COLUMNS", "300")
    category = SimpleNamespace(name="XS")
    library.hub = SimpleNamespace(show_category=lambda _: category, longest=lambda _: 3000)
    library.wallet = SimpleNamespace(get_address=lambda: ME)
    library.app = App()
    found: App = library.app
    return found


# ---- what is wished for --------------------------------------------------------------------------


def test_what_is_said_is_wished_for(run, app) -> None:
    assert run("app", "run", APP, *CHAIN, "--force").status == 0
    nothing = dict.fromkeys(("category", "tag", "beneficiary", "callback"))
    usual = {"app": APP, **nothing, "trust": "0", "params": {}, "check_request": True}
    assert app.wishes == [{**usual, "new": False}]
    run(
        *("app", "run", APP, *CHAIN, "--force", "--new", "--skip-request-check"),
        *("--dataset", DATASET, "--workerpool", POOL, "--args", "--a 'b c'"),
        *("--input-files", "https://a.b/c,https://d.e", "--category", "2", "--tag", "tee,gpu"),
        *("--trust", "5", "--storage-provider", "dropbox", "--encrypt-result"),
        *("--callback", OTHER, "--beneficiary", OTHER, "--app-max-price", "1"),
        *("--dataset-max-price", "2", "nRLC", "--workerpool-max-price", "3", "RLC"),
    )
    assert app.wishes[1] == {
        **{"app": APP, "dataset": DATASET, "workerpool": POOL, "category": "2", "trust": "5"},
        **{"tag": "tee,gpu", "beneficiary": OTHER, "callback": OTHER, "check_request": False},
        **{"app_max_price": "1 nRLC", "dataset_max_price": "2 nRLC"},
        **{"workerpool_max_price": "3 RLC", "new": True},
        "params": {
            "iexec_args": "--a 'b c'",
            "iexec_input_files": ["https://a.b/c", "https://d.e"],
            "iexec_result_storage_provider": "dropbox",
            "iexec_result_encryption": True,
        },
    }


@pytest.mark.parametrize("text", ["-v", "--verbose", "--tag"])
def test_arguments_of_an_app_that_look_like_options(run, app, text: str) -> None:
    assert run("app", "run", APP, *CHAIN, "--force", "--args", text).status == 0
    assert app.wishes[0]["params"] == {"iexec_args": text}


def test_options_go_over_params(run, app) -> None:
    params = {"iexec_args": "old", "iexec_developer_logger": True, "iexec_secrets": {"1": "a"}}
    words = ["--params", json.dumps(params), "--args", "new", "--secret", "2=b,3=c"]
    words += ["--keystoredir", "ks", "--force"]
    assert run("app", "run", APP, "--chain", "arbitrum-mainnet", *words).status == 0
    assert app.wishes[0]["params"] == {
        **{"iexec_args": "new", "iexec_developer_logger": True},
        "iexec_secrets": {"1": "a", "2": "b", "3": "c"},
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--params", "[]"], "[] is not a valid params, must be a json (an object)"),
        (["--params", "{"], "{ is not a valid params, must be a json (an object)"),
        (
            ["--storage-provider", "disk"],
            '"disk" is not a valid storage provider use one of ipfs, dropbox',
        ),
        *(
            (
                ["--secret", word],
                f"'{word}' is not a valid secret mapping syntax "
                "(must be <appSecretKey>=<requesterSecretName>)",
            )
            for word in ("login", "=login", "1=")
        ),
        *(
            (
                ["--secret", f"{key}=x"],
                "requester secret mapping keys must be strictly positive integers",
            )
            for key in ("0", "a", "1.0", "01", "١")
        ),
        (["--secret", "1=a", "--secret", "1=b"], "--secret: number 1 is given twice"),
    ],
)
def test_faults(run, app, words: list[str], message: str) -> None:
    command = ("app", "run", APP, "--chain", "arbitrum-mainnet", "--keystoredir", "ks", "--raw")
    assert run(*command, *words).json["error"]["message"] == message
    assert app.wishes == []


def test_secrets_where_no_sms_keeps_them(run, app) -> None:
    message = run("app", "run", APP, *CHAIN, "--secret", "1=a", "--raw").json["error"]["message"]
    assert message == (
        "--secret: the SMS of bellecour keeps no secrets of requesters, today's networks do"
    )


def test_secrets_beside_params_that_are_none(run, app) -> None:
    """What is no mapping in --params is the library's to refuse, unless options say better."""
    command = ("app", "run", APP, "--chain", "arbitrum-mainnet", "--keystoredir", "ks", "--force")
    params = json.dumps({"iexec_secrets": "a"})
    assert run(*command, "--params", params).status == 0
    assert run(*command, "--params", params, "--secret", "10=b").status == 0
    found = [wish["params"]["iexec_secrets"] for wish in app.wishes]
    assert found == ["a", {"10": "b"}]


def test_what_was_deployed_last(run, app, project: Path) -> None:
    message = run("app", "run", *CHAIN, "--raw").json["error"]["message"]
    assert "app" in message
    assert "deployed.json" in message
    deployed = {"app": {"134": APP}, "dataset": {"134": DATASET}}
    (project / "deployed.json").write_text(json.dumps(deployed))
    run("app", "run", *CHAIN, "--force", "--dataset", "deployed")
    assert app.wishes[0]["app"].lower() == APP.lower()
    assert app.wishes[0]["dataset"].lower() == DATASET.lower()


# ---- the plan ------------------------------------------------------------------------------------

PLAN = f"""\
resource    address                                     price per task  order
app         {APP}         1.0 RLC  yours, signed for this run
workerpool  {POOL}         3.0 RLC  {HASH}

total:        4.0 RLC
your account: 5.0 RLC, 1.0 RLC afterwards
category:     0 (XS, at most 50 minutes)
params:
  iexec_result_storage_provider: ipfs
  iexec_result_storage_proxy:    https://x.y
  iexec_args:                    hi
"""


def test_dry_run(run, app) -> None:
    words = ("app", "run", APP, *CHAIN, "--dry-run")
    found = run(*words)
    told = "\nNothing was signed or sent: without --dry-run it would be\n"
    assert (found.status, found.out, found.err) == (0, PLAN + told, "")
    assert run(*words, "--raw").json == {"ok": True, "plan": app.plan.to_dict()}


def test_a_dry_run_fails_where_the_command_would(run, app) -> None:
    datasetorder = orders.create_datasetorder(dataset=DATASET, datasetprice=7)
    app.plan = plan(
        Reason("requester-stake", "stake too low"),
        Reason("request", "no result key"),
        Reason("category", "no such category"),
        stake=10**9,
        requestorder=requestorder(trust=3, tag="tee", beneficiary=OTHER, callback=OTHER, volume=2),
        datasetorder=PlannedOrder(to_sign=False, order=datasetorder),
        dataset_price=7,
    )
    words = ("app", "run", APP, *CHAIN, "--dry-run")
    found = run(*words)
    assert found.status == 1
    assert found.err == (
        "✖ Something is missing:\n"
        "  - Not enough RLC on your account (4.0 RLC required). "
        'Run "iexec-lite account deposit" to topup your account.\n'
        "  - no result key (If you consider this is not an issue, use --skip-request-check to skip "
        "request requirement check)\n"
        "  - no such category\n"
    )
    assert [" ".join(line.split()) for line in found.out.splitlines()] == [
        "resource address price per task order",
        f"app {APP} 1.0 RLC yours, signed for this run",
        f"dataset {DATASET} 0.000000007 RLC yours, signed for this run",
        f"workerpool {POOL} 3.0 RLC {HASH}",
        "",
        "total: 4.0 RLC",
        "your account: 1.0 RLC, 3.0 RLC short",
        "category: 0 (XS, at most 50 minutes)",
        "trust: 3",
        "tag: tee",
        f"beneficiary: {OTHER}",
        f"callback: {OTHER}",
        "volume: 2",
        "params:",
        "iexec_args: hi",
    ]
    document = json.loads(run(*words, "--raw").err)
    assert document == {"ok": False, "plan": app.plan.to_dict()}


def test_a_category_that_is_not_there(run, app, library) -> None:
    def show_category(_: int) -> Any:
        raise ValidationError("no such category")

    library.hub.show_category = show_category
    out = run("app", "run", APP, *CHAIN, "--dry-run").out
    assert out.startswith(PLAN.replace("0 (XS, at most 50 minutes)", "0"))


def test_the_plan_of_a_request(run, app) -> None:
    request = requestorder(workerpool=NOBODY, dataset=DATASET, datasetmaxprice=2 * 10**9, volume=3)
    app.plan = RequestPlan(
        requestorder=request, total=18 * 10**9, stake=18 * 10**9, shortfall=0, reasons=()
    )
    words = ("app", "request-execution", APP, *CHAIN, "--dry-run")
    found = run(*words)
    assert (found.status, found.err) == (0, "")
    assert [" ".join(line.split()) for line in found.out.splitlines()] == [
        "resource address most per task",
        f"app {APP} 1.0 RLC",
        f"dataset {DATASET} 2.0 RLC",
        "workerpool any 3.0 RLC",
        "",
        "total: 18.0 RLC",
        "your account: 18.0 RLC, 0.0 RLC afterwards",
        "category: 0 (XS, at most 50 minutes)",
        "volume: 3",
        "params:",
        "iexec_result_storage_provider: ipfs",
        "iexec_result_storage_proxy: https://x.y",
        "iexec_args: hi",
        "",
        "Nothing was signed or sent: without --dry-run it would be",
    ]
    assert run(*words, "--raw").json == {"ok": True, "plan": app.plan.to_dict()}


def test_a_plan_can_be_made_where_nothing_can_be_published(run, app, project: Path) -> None:
    chain = {"id": "4242", "host": "https://n.org", "hub": OTHER, "iexecGateway": ""}
    (project / "chain.json").write_text(json.dumps({"default": "mine", "chains": {"mine": chain}}))
    app.plan = RequestPlan(requestorder=requestorder(), total=1, stake=1, shortfall=0, reasons=())
    words = ("app", "request-execution", APP, "--keystoredir", "ks", "--skip-request-check")
    assert run(*words, "--dry-run").status == 0
    assert app.wishes[0]["check_request"] is False


# ---- run -----------------------------------------------------------------------------------------


def test_run(run, app) -> None:
    found = run("app", "run", APP, *CHAIN, "--force")
    assert (found.status, found.err) == (0, "")
    assert found.out == (
        f"Deal submitted with dealid {DEALID}\n"
        f"task:        {TASKID}\ntransaction: 0x99\nprice:       4.0 RLC\n"
    )
    bought = {"dealid": DEALID, "volume": "1", "txHash": "0x99"}
    document = run("app", "run", APP, *CHAIN, "--force", "--raw").json
    assert document == {"ok": True, "deals": [bought]}


def test_a_person_sees_the_plan(run, app, person) -> None:
    found = run("app", "run", APP, *CHAIN, stdin="n\n")
    question = "Do you want to spend 4.0 RLC to execute the following request:"
    failed = '✖ Command "iexec-lite app run" failed: Operation aborted\n'
    assert found.err == f"? {question}\n\n{PLAN}\nContinue? (Y/n) {failed}"
    assert (found.status, found.out) == (1, "")
    assert run("app", "run", APP, *CHAIN, stdin="y\n").status == 0


def test_who_agrees_to_all_is_shown_nothing(run, app, library, person) -> None:
    del library.hub  # nor is it asked for what would be shown
    assert run("app", "run", APP, *CHAIN, "--force").err == ""


def test_nobody_to_ask(run, app) -> None:
    message = run("app", "run", APP, *CHAIN, "--raw").json["error"]["message"]
    question = "Do you want to spend 4.0 RLC to execute the following request:"
    assert message == f"{question} There is nobody to ask: --force says yes"


def test_what_was_resumed_is_told(run, app) -> None:
    app.resumed = True
    assert run("app", "run", APP, *CHAIN).out == (
        f"Deal submitted with dealid {DEALID}, by an earlier call of this command whose end was "
        f"not seen\ntask:        {TASKID}\ntransaction: 0x99\n"
    )


def test_what_stands_against_it(run, app) -> None:
    reasons = [{"code": "requester-stake", "text": "?"}, {"code": "x", "text": "no workerpool"}]
    details = {"reasons": reasons, "total": str(4 * 10**9)}
    for words, library_error, told in (
        ("run", MatchError("?", details=details), True),
        ("request-execution", MatchError("?", details=details), True),
        ("run", MatchError("no offer"), False),
    ):
        app.error = library_error
        error = run("app", words, APP, *CHAIN, "--raw").json["error"]
        needed = "Not enough RLC on your account (4.0 RLC required). "
        topup = 'Run "iexec-lite account deposit" to topup your account.; no workerpool'
        assert error["message"] == (needed + topup if told else "no offer")
        assert error["name"] == ("StateError" if told else "MatchError")
        assert error.get("details") == (details if told else None)


# ---- run --watch ---------------------------------------------------------------------------------


def watched(library: SimpleNamespace, *updates: Any, end: BaseException | None = None) -> None:
    def obs_deal(dealid: str) -> Iterator[Any]:
        assert dealid == DEALID
        yield from updates
        if end is not None:
            raise end

    library.deal = SimpleNamespace(obs_deal=obs_deal)


def test_a_watch_to_the_end(run, app, library) -> None:
    done = task("COMPLETED")
    watched(library, update("DEAL_COMPLETED", done))
    found = run("app", "run", APP, *CHAIN, "--force", "--watch")
    assert found.err == (f"ℹ Deal submitted with dealid {DEALID}\nℹ 1/1 tasks completed\n")
    assert found.out == (
        f"App run successful\nDeal {DEALID}\n1/1 tasks completed\n"
        f"Download the result: iexec-lite task show {TASKID} --download\n"
    )
    document = run("app", "run", APP, *CHAIN, "--force", "--watch", "--raw").json
    bought = {"dealid": DEALID, "volume": "1", "txHash": "0x99"}
    tasks = [{"idx": "0", "taskid": TASKID, **done.to_dict()}]
    assert document == {"ok": True, "deals": [bought], "tasks": tasks}


def test_a_run_that_fails(run, app, library) -> None:
    watched(library, update("DEAL_TIMEDOUT", task("COMPLETED"), task("TIMEOUT", 1)))
    words = ("app", "run", APP, *CHAIN, "--force", "--watch")
    found = run(*words)
    late = task("TIMEOUT", 1)
    assert found.status == 1
    assert found.out == (
        f"Deal {DEALID}\n1/2 tasks completed\n1/2 tasks failed\n"
        f"Download the result: iexec-lite task show {TASKID} --download\n"
    )
    told = f"✖ App run failed:\n  - Task idx 1 ({late.taskid}) status TIMEOUT\n"
    assert found.err.endswith(told)
    document = json.loads(run(*words, "--raw").err)
    assert document["ok"] is False
    assert document["failedTasks"] == [{"idx": "1", "taskid": late.taskid, **late.to_dict()}]
    assert [each["idx"] for each in document["tasks"]] == ["0", "1"]
    assert "fail" not in document


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (IExecError("no answer"), "no answer. The deal was made: iexec-lite deal show"),
        (
            KeyboardInterrupt(),
            "Interrupted: the deal goes on, only the watching ended; watch it again with: "
            "iexec-lite deal show",
        ),
    ],
)
def test_a_watch_that_ends_early(
    run, app, library, monkeypatch, end: BaseException, words: str
) -> None:
    """The error tells of the deal: the same command buys anew then."""
    told: list[object] = []
    monkeypatch.setattr("iexec_lite.cli.project.confirm", told.append)
    watched(library, end=end)
    error = run("app", "run", APP, *CHAIN, "--force", "--watch", "--raw").json["error"]
    assert error["message"] == f"{words} {DEALID} --watch --chain bellecour"
    assert error["details"] == {"deals": [{"dealid": DEALID, "volume": "1", "txHash": "0x99"}]}
    assert error["txHash"] == "0x99"
    assert len(told) == 1


def test_an_interrupt_before_there_is_a_watch(run, app, library, monkeypatch) -> None:
    def follow_deal(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("iexec_lite.cli.watching.follow_deal", follow_deal)
    error = run("app", "run", APP, *CHAIN, "--force", "--watch", "--raw").json["error"]
    assert error["message"] == (
        f"Interrupted. The deal was made: iexec-lite deal show {DEALID} --watch --chain bellecour"
    )


def test_a_run_of_which_nothing_was_completed(run, app, library) -> None:
    watched(library, update("DEAL_TIMEDOUT", task("FAILED")))
    found = run("app", "run", APP, *CHAIN, "--force", "--watch")
    assert (found.status, found.out) == (1, f"Deal {DEALID}\n1/1 tasks failed\n")


# ---- request-execution ---------------------------------------------------------------------------


def test_request_execution(run, app) -> None:
    words = ("app", "request-execution", APP, *CHAIN)
    found = run(*words, "--force")
    assert found.out == (
        f"Successfully published requestorder with orderHash {HASH}\n"
        f'Run "iexec-lite orderbook requester {ME}" to show published requestorders\n'
    )
    wish = app.wishes[0]
    assert (wish["category"], wish["volume"], wish["params"]) == ("0", "1", {})
    more = ("--category", "3", "--volume", "7", "--workerpool-price", "1", "RLC")
    assert run(*words, *more, "--force", "--raw").json == {"ok": True, "orderHash": HASH}
    wish = app.wishes[1]
    assert (wish["category"], wish["volume"], wish["workerpool_price"]) == ("3", "7", "1 RLC")
    assert "app_price" not in wish


def test_a_person_is_told_what_a_request_means(run, app, person) -> None:
    found = run("app", "request-execution", APP, *CHAIN, stdin="n\n")
    assert found.err == (
        "? Do you want to place the following execution request for 4.0 RLC:\n"
        " - The amount will be taken from your account only if your request is filled.\n"
        " - Your request will be disabled if your stake drops under 4.0 RLC.\n\n"
        f"{PLAN}\nContinue? (Y/n) "
        '✖ Command "iexec-lite app request-execution" failed: Operation aborted\n'
    )


def test_nobody_to_ask_about_a_request(run, app) -> None:
    message = run("app", "request-execution", APP, *CHAIN, "--raw").json["error"]["message"]
    assert message == (
        "Do you want to place the following execution request for 4.0 RLC: There is nobody to ask: "
        "--force says yes"
    )
