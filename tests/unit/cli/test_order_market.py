"""``order publish | unpublish | cancel | show``: which order, after which question, and the end."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.errors import MarketCallError, StateError
from iexec_lite.sdk.page import Page
from iexec_lite.sdk.records import MarketDeal

from .records import APP, DEALID, ME, NOBODY, OTHER, POOL, share
from .test_orderbook import apporder, poolorder, published

CHAIN = ("--chain", "bellecour")
HASH, ELSEWHERE = "0x" + "0a" * 32, "0x" + "0b" * 32


@pytest.fixture
def stored(project: Path, wallet: Path) -> dict[str, Any]:
    """What orders.json holds: an app order and a workerpool order."""
    found = {"apporder": apporder().values(), "workerpoolorder": poolorder().values()}
    (project / "orders.json").write_text(json.dumps({"134": found}))
    return found


class Library:
    """The library's ``order``: notes what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.hashes = {"apporder": HASH, "workerpoolorder": ELSEWHERE}

    def __getattr__(self, name: str) -> Any:
        verb, _, kind = name.partition("_")

        def call(order: Any, **more: Any) -> Any:
            if verb == "hash":
                return self.hashes[kind]
            given = order if isinstance(order, str) else order.name
            self.calls.append((name, given, more))
            return SimpleNamespace(tx_hash="0x99") if verb == "cancel" else HASH

        return call


@pytest.fixture
def order(library: SimpleNamespace, stored: dict[str, Any]) -> Library:
    library.order = Library()
    found: Library = library.order
    return found


def asked(verb: str, *words: str) -> tuple[str, ...]:
    return ("order", verb, *words, *CHAIN, "--keystoredir", "ks")


# ---- publish, unpublish, cancel ------------------------------------------------------------------


def test_publish(run, order, library) -> None:
    found = run(*asked("publish", "--app", "--workerpool", "--force"))
    assert found.out == (
        f"apporder successfully published with orderHash {HASH}\n"
        f"workerpoolorder successfully published with orderHash {HASH}\n"
    )
    assert order.calls == [
        ("publish_apporder", "apporder", {"authorization": None, "preflight_check": True}),
        ("publish_workerpoolorder", "workerpoolorder", {"authorization": None}),
    ]
    assert library.signer.address == ME
    document = run(*asked("publish", "--app", "--force", "--skip-preflight-check", "--raw")).json
    assert document == {"ok": True, "apporder": {"orderHash": HASH}}
    assert order.calls[-1][2]["preflight_check"] is False


@pytest.mark.parametrize(
    ("verb", "end"),
    [
        ("publish", f"apporder successfully published with orderHash {HASH}\n"),
        ("unpublish", f"apporder with orderHash {HASH} successfully unpublished\n"),
        ("cancel", "apporder successfully canceled (0x99)\n"),
    ],
)
def test_a_person_sees_what_it_is_about(run, order, person, verb: str, end: str) -> None:
    found = run(*asked(verb, "--app"), stdin="n\n")
    about = f"  app:      {APP}\n  appprice: 1.0 RLC\n  volume:   9\n  tag:      none\n"
    question = f"? Do you want to {verb} the following apporder?\n{about} (Y/n) "
    file = "ℹ No orderHash specified for unpublish apporder, using orders.json\n"
    failed = f"✖ Failed to {verb}:\n  - apporder: Operation aborted by user.\n"
    assert found.err == (file if verb == "unpublish" else "") + question + failed
    assert (found.status, order.calls) == (1, [])
    found = run(*asked(verb, "--app"), stdin="y\n")
    assert (found.status, found.out) == (0, end)
    ((name, _, more),) = order.calls
    assert name == f"{verb}_apporder"
    assert ("new" in more) is (verb == "cancel")


@pytest.mark.parametrize("verb", ["publish", "unpublish", "cancel"])
def test_an_order_that_is_not_there(run, order, project: Path, verb: str) -> None:
    words = asked(verb, "--dataset", "--raw")
    missing = 'Missing signed datasetorder for chain 134 in "orders.json"'
    if verb == "unpublish":
        missing = (
            'No orderHash specified and no signed datasetorder found for chain 134 in "orders.json"'
        )
    assert run(*words).json["fail"] == [f"datasetorder: {missing}"]
    (project / "orders.json").unlink()
    hint = 'Missing orders.json. You probably forgot to run "iexec-lite order sign"'
    assert run(*words).json["fail"] == [f"datasetorder: {hint}"]


def test_unpublish_by_hash(run, order) -> None:
    found = run(*asked("unpublish", "--app", ELSEWHERE.upper().replace("0X", "0x")))
    assert (found.status, found.err) == (0, "")
    assert order.calls == [("unpublish_apporder", ELSEWHERE, {"authorization": None})]
    document = run(*asked("unpublish", "--app", ELSEWHERE, "--raw")).json
    assert document == {"ok": True, "apporder": {"orderHash": HASH}}
    (failure,) = run(*asked("unpublish", "--app", "0x12", "--raw")).json["fail"]
    assert failure == 'apporder: Invalid apporder hash: "0x12" is not 0x and 64 hex digits'


def test_the_order_of_the_file_is_told(run, order) -> None:
    found = run(*asked("unpublish", "--app", "--force"))
    assert found.err == "ℹ No orderHash specified for unpublish apporder, using orders.json\n"
    assert order.calls == [("unpublish_apporder", HASH, {"authorization": None})]


def test_cancel_by_hash(run, order, library) -> None:
    """The order of the file, if it is the one; else that of the marketplace."""
    seen: list[str] = []

    def fetch(order_hash: str) -> Any:
        seen.append(order_hash)
        return published(poolorder())

    library.orderbook = SimpleNamespace(fetch_apporder=fetch)
    found = run(*asked("cancel", "--app", HASH, "--force", "--new"))
    assert (found.out, found.err) == ("apporder successfully canceled (0x99)\n", "")
    assert seen == []
    assert order.calls == [("cancel_apporder", "apporder", {"new": True})]
    found = run(*asked("cancel", "--app", ELSEWHERE, "--force", "--new"))
    assert found.err == f"ℹ Fetching apporder {ELSEWHERE} from iexec marketplace\n"
    assert seen == [ELSEWHERE]
    assert order.calls[-1][1] == "workerpoolorder"
    assert run(*asked("cancel", "--app", HASH, "--force", "--raw")).json == {
        "ok": True,
        "apporder": {"txHash": "0x99"},
    }


def test_an_order_that_nobody_published(run, order, library) -> None:
    def fetch(_: str) -> Any:
        raise MarketCallError("API error: no apporder found", details={"status": status})

    library.orderbook = SimpleNamespace(fetch_apporder=fetch)
    told = {
        404: f"apporder: apporder {ELSEWHERE} is not published on iexec marketplace",
        500: "apporder: API error: no apporder found",
    }
    for status, message in told.items():  # noqa: B007
        words = asked("cancel", "--app", ELSEWHERE, "--raw")
        assert run(*words).json["fail"] == [message]


@pytest.mark.parametrize(("check", "name"), [("dataset", "preflight"), ("request", "request")])
def test_a_check_is_told_with_the_option_that_leaves_it_out(
    run, order, check: str, name: str
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise StateError("no secret", details={"check": check})

    order.publish_apporder = refuse  # type: ignore[attr-defined]
    (failure,) = run(*asked("publish", "--app", "--force", "--raw")).json["fail"]
    assert failure == (
        f"apporder: {check.capitalize()} requirements check failed: no secret (If you consider "
        f"this is not an issue, use --skip-{name}-check to skip {name} requirement check)"
    )

    def other(*_: Any, **__: Any) -> Any:
        raise StateError("no check at all")

    order.publish_apporder = other  # type: ignore[attr-defined]
    found = run(*asked("publish", "--app", "--force", "--raw")).json
    assert found["fail"] == ["apporder: no check at all"]


# ---- a key elsewhere -----------------------------------------------------------------------------


def test_a_challenge_instead_of_a_signature(run, order, library, project: Path) -> None:
    challenge = SimpleNamespace(address=OTHER, to_dict=lambda: {"say": "é"})
    seen: list[str] = []

    def publish_challenge(order: Any) -> Any:
        seen.append(order.name)
        return challenge

    order.publish_challenge = publish_challenge  # type: ignore[attr-defined]
    library.orderbook = SimpleNamespace(fetch_apporder=lambda _: published(poolorder()))
    for verb, words in (("publish", ()), ("unpublish", ()), ("unpublish", (HASH,))):
        name = f"{verb}{len(words)}.json"
        command = asked(verb, "--app", *words, "--export-challenge", name)
        found = run(*command)
        assert found.out == (
            f"{name} is to be signed by {OTHER}\nCarry it to the device with that key, and there: "
            "iexec-lite order sign-request FILE\n"
        )
        assert json.loads((project / name).read_text()) == {"say": "é"}
        document = run(*command, "--force", "--raw").json
        assert document["apporder"] == {"orderHash": HASH, "file": name, "address": OTHER}
    assert order.calls == []
    assert library.signer is None
    # the order of the file, or that which the marketplace has under the hash; each twice
    assert seen == ["apporder"] * 4 + ["workerpoolorder"] * 2


def test_a_challenge_that_was_signed(run, order, library, project: Path) -> None:
    (project / "signed.json").write_text('{"sign": "0x12"}')
    for verb in ("publish", "unpublish"):
        run(*asked(verb, "--app", "--force", "--authorization", "signed.json"))
        assert order.calls[-1][2]["authorization"] == {"sign": "0x12"}
        assert library.signer is None
        words = asked(verb, "--app", "--workerpool", "--raw")
        for option in (("--authorization", "signed.json"), ("--export-challenge", "c.json")):
            message = run(*words, *option).json["error"]["message"]
            assert message == "a challenge serves one order: give one of them at a time"


# ---- show ----------------------------------------------------------------------------------------


def market_deal(**more: Any) -> MarketDeal:
    hashes = ("app_hash", "dataset_hash", "workerpool_hash", "request_hash", "transaction_hash")
    counts = ("volume", "trust", "start_time", "bot_first", "block_number", "worker_stake")
    given = {
        **{"dealid": DEALID, "chain_id": 134, "app": share(APP, 10**9)},
        **{"dataset": share(NOBODY, 2 * 10**9), "workerpool": share(POOL, 4 * 10**9)},
        **{"requester": ME, "beneficiary": ME, "callback": NOBODY, "params": "{}"},
        **dict.fromkeys(hashes, HASH),
        **dict.fromkeys(counts, 0),
        **{"category": 0, "tag": HASH, "bot_size": 3, "scheduler_reward_ratio": 1},
        "block_timestamp": "2027-01-15T06:00:00Z",
    }
    return MarketDeal(**{**given, **more})


@pytest.fixture
def shown(library: SimpleNamespace, order: Library, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that the marketplace was asked for; it has one app order, and a deal of it."""
    monkeypatch.setenv("COLUMNS", "300")
    seen: list[str] = []

    def fetch(order_hash: str) -> Any:
        seen.append(order_hash)
        return published(apporder(), 10)

    library.orderbook = SimpleNamespace(fetch_apporder=fetch)
    library.deal = SimpleNamespace(
        fetch_deals_by_apporder=lambda order_hash: Page([market_deal()], 7)
    )
    return seen


def test_show(run, shown) -> None:
    found = run("order", "show", "--app", HASH, *CHAIN)
    assert (found.status, found.err) == (0, "")
    assert (
        found.out
        == f"""\
apporder with orderHash 0x{10:064x} details:
  status:    open
  remaining: 5 of 9
  published: 2027-01-15 07:00:00 UTC (1 hour ago)
  signer:    {ME}
  app:       {APP}
  appprice:  1.0 RLC
  volume:    9
  tag:       none
"""
    )
    assert shown == [HASH]


def test_show_that_of_the_file(run, shown) -> None:
    found = run("order", "show", "--app", *CHAIN)
    assert found.err == 'ℹ No order hash specified, showing apporder from "orders.json"\n'
    assert shown == [HASH]
    (failure,) = run("order", "show", "--request", *CHAIN, "--raw").json["fail"]
    assert failure == 'requestorder: Missing requestorder in "orders.json" for chain 134'


def test_show_with_deals(run, shown, library) -> None:
    words = ("order", "show", "--app", HASH, "--deals", *CHAIN)
    out = run(*words).out
    assert out.startswith(run(*words[:4], *CHAIN).out.rstrip("\n") + "\n\nDeals count: 7\n")
    title, head, row = out.splitlines()[-3:]
    assert title == "Last deals:"
    assert head.split() == ["tasks", "price", "per", "task", "requester", "dealid", "made"]
    assert row.split() == [
        "3",
        "7.0",
        "RLC",
        ME,
        DEALID,
        *["2027-01-15", "06:00:00", "UTC", "(2", "hours", "ago)"],
    ]
    document = run(*words, "--raw").json
    assert document["apporder"]["deals"] == {"count": 7, "lastDeals": [market_deal().to_dict()]}
    assert document["apporder"]["order"] == apporder().values()
    library.deal.fetch_deals_by_apporder = lambda order_hash: Page([], 0)
    assert run(*words).out.endswith("\n\nDeals count: 0\n")
    assert "deals" not in run(*words[:4], *CHAIN, "--raw").json["apporder"]


def test_no_order_was_named(run, shown) -> None:
    for verb in ("show", "cancel", "publish", "unpublish"):
        message = run("order", verb, *CHAIN, "--raw").json["error"]["message"]
        assert message == (
            "No option specified, you should choose one "
            "(--app | --dataset | --workerpool | --request)"
        )


def test_a_title_for_what_could_not_be_shown(run, shown, library) -> None:
    def fetch(_: str) -> Any:
        raise MarketCallError("gone")

    library.orderbook.fetch_apporder = fetch
    found = run("order", "show", "--app", HASH, *CHAIN)
    assert found.err == "✖ Failed to show:\n  - apporder: gone\n"


def test_a_wallet_that_does_not_open_ends_it(run, order, library) -> None:
    """Nobody is asked for the same password for each order."""

    def refuse(*_: Any, **__: Any) -> Any:
        library.signer.failure = error
        raise error

    for verb in ("publish", "unpublish", "cancel"):
        error = StateError("locked")
        setattr(order, f"{verb}_apporder", refuse)
        before = len(order.calls)
        found = run(*asked(verb, "--app", "--workerpool", "--force", "--raw")).json
        assert found["error"]["message"] == "locked"
        assert len(order.calls) == before
