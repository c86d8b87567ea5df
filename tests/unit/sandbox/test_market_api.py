"""The marketplace over a real socket, as far as it answers without a chain: routes, input, logins.

The texts of refused input are what yup 0.32.11 said of the server's schemas (market.md); more of
them, beside yup itself, in tests/oracle/test_market.py.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.http import Http
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.authorization import MARKET, Authorization, read_challenge
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.rules import V9
from iexec_lite.sandbox.database import Database
from iexec_lite.sandbox.market import SCHEMA, Market
from iexec_lite.sandbox.market_api import MAX_BODY, market_app
from iexec_lite.sandbox.market_tables import KINDS
from iexec_lite.sandbox.server import WSGI, Server

CHAIN = 65535
HUB = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
APP, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
HASH = "0x" + "ab" * 32
SIGNER = KeySigner.from_key(b"\x11" * 32)
JSON_TYPE = "application/json; charset=utf-8"
HINT = '\n If "null" is intended as an empty value be sure to mark the schema as `.nullable()`'
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """A marketplace whose node does not answer."""
    database = Database(tmp_path / "market.sqlite3", SCHEMA)
    with Http(retries=0) as pool:
        rpc = Rpc("http://127.0.0.1:1", http=pool)
        market = Market(
            database, rpc, Chain(id=CHAIN, hub=HUB), draw=iter(map(str, range(99))).__next__
        )
        yield market
    market.close()


@pytest.fixture
def serve() -> Iterator[Callable[[WSGI], int]]:
    """``serve(app)``: an app on a loopback port; the port."""
    with contextlib.ExitStack() as stack:

        def start(app: WSGI) -> int:
            server = Server({"": app})
            stack.callback(server.stop)
            server.start()
            return int(server.url.rpartition(":")[2])

        yield start


def request(port: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Status, headers, text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.suppress(BrokenPipeError):  # refused before all of it was sent
        connection.request(method, path, body, names)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


@pytest.fixture
def port(market: Market, serve: Any) -> int:
    return int(serve(market_app(market)))


@pytest.fixture
def ask(port: int) -> Ask:
    """``ask("GET", path)``: status and JSON."""

    def call(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        status, found, text = request(port, method, path, body, **headers)
        assert found["Content-Type"].lower() == JSON_TYPE
        return status, json.loads(text)

    return call


def error(text: str) -> dict[str, object]:
    return {"ok": False, "error": text}


def login(ask: Ask) -> str:
    status, answer = ask("GET", f"/challenge?chainId={CHAIN}&address={SIGNER.address}")
    assert status == 200
    challenge = read_challenge(answer, MARKET, CHAIN)
    return str(Authorization.of(challenge, SIGNER.sign_typed_data(challenge), SIGNER.address))


# --- routes ---------------------------------------------------------------------------------------


def test_version(ask: Ask) -> None:
    assert ask("GET", "/version") == (200, {"ok": True, "version": "5.3.0"})
    assert ask("GET", "/version/") == (200, {"ok": True, "version": "5.3.0"})


def test_challenge(ask: Ask, market: Market) -> None:
    market._draw = lambda: "abc"
    status, answer = ask("GET", f"/challenge?chainId={CHAIN}&address={APP}")
    assert status == 200
    assert answer == {
        "ok": True,
        "data": {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                ],
                "Challenge": [{"name": "challenge", "type": "string"}],
            },
            "primaryType": "Challenge",
            "domain": {"name": "iExec Gateway", "version": "1", "chainId": str(CHAIN)},
            "message": {"challenge": "Sign this message to log into iExec Gateway: abc"},
        },
    }


def test_a_challenge_is_drawn_once_for_each_address(ask: Ask, market: Market) -> None:
    def text(address: str) -> str:
        _, answer = ask("GET", f"/challenge?chainId={CHAIN}&address={address}")
        return str(answer["data"]["message"]["challenge"]).rpartition(" ")[2]

    forms = (APP, OTHER, APP, "0X" + APP[2:], APP[2:])
    assert [text(each) for each in forms] == ["0", "1", "0", "0", "0"]
    market.reset()
    assert text(APP) not in ("0", "1")


def test_challenges_are_32_letters_and_digits(market: Market) -> None:
    from iexec_lite.sandbox.market import _draw

    drawn = {_draw() for _ in range(50)}
    assert len(drawn) == 50
    assert all(len(each) == 32 and each.isascii() and each.isalnum() for each in drawn)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/", 404, "Not Found"),
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", "/apporders/a/b", 404, "Not Found"),
        ("POST", "/nothing", 404, "Not Found"),
        ("POST", "/version", 405, "Method Not Allowed"),
        ("DELETE", "/apporders", 405, "Method Not Allowed"),
        ("PUT", f"/apporders/{HASH}", 405, "Method Not Allowed"),
        ("POST", "/deals", 405, "Method Not Allowed"),
    ],
)
def test_unknown_routes_and_methods_are_text(
    port: int, method: str, path: str, status: int, text: str
) -> None:
    found, headers, body = request(port, method, path)
    assert (found, body) == (status, text)
    assert headers["Content-Type"].startswith("text/plain")
    assert ("GET" in headers.get("Allow", "")) is (status == 405)


def test_head(port: int) -> None:
    status, headers, text = request(port, "HEAD", "/version")
    assert (status, headers["Content-Type"].lower(), text) == (200, JSON_TYPE, "")


def test_a_node_that_does_not_answer(ask: Ask) -> None:
    query = f"chainId={CHAIN}&app={APP}"
    again = (500, error("Something went wrong, you should retry later."))
    for path in ("/apporders", f"/apporders/{HASH}", "/deals", "/categories/0", "/metrics"):
        assert ask("GET", f"{path}?{query}") == again


def test_a_mistake_of_ours(ask: Ask, market: Market, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(market, "deals", lambda query: 1 // 0)
    assert ask("GET", f"/deals?chainId={CHAIN}") == (500, error("Internal error"))
    assert "ZeroDivisionError" in caplog.text


# --- queries --------------------------------------------------------------------------------------

NEEDED = "{} is a required field"
NUMBER = '{} must be a `number` type, but the final value was: `NaN` (cast from the value `"{}"`).'
TWICE = '{} must be a `string` type, but the final value was: `[\n  "\\"{}\\"",\n  "\\"{}\\""\n]`.'
QUERIES: list[tuple[str, dict[str, Any], str]] = [
    ("challenge", {}, NEEDED.format("address")),
    ("challenge", {"address": APP}, NEEDED.format("chainId")),
    ("challenge", {"chainId": "", "address": APP}, NEEDED.format("chainId")),
    ("challenge", {"chainId": 17, "address": APP}, "chainId 17 is not supported"),
    ("challenge", {"chainId": "0xffff", "address": APP}, "chainId 0xffff is not supported"),
    ("challenge", {"chainId": 17, "address": "x"}, "address is not a valid ethereum address"),
    ("challenge", {"chainId": CHAIN, "address": ""}, "address is not a valid ethereum address"),
    (
        "challenge",
        {"chainId": [1, 2], "address": APP},
        TWICE.format("chainId", 1, 2),
    ),
    ("apporders", {}, "app or appOwner is required"),
    ("apporders", {"chainId": 17}, "app or appOwner is required"),
    ("apporders", {"chainId": 17, "app": APP}, "chainId 17 is not supported"),
    ("apporders", {"app": ""}, "app is not a valid ethereum address"),
    ("apporders", {"app": "a.eth"}, "app is not a valid ethereum address"),
    ("apporders", {"app": "any"}, "app is not a valid ethereum address"),
    ("apporders", {"app": APP, "appOwner": ""}, "appOwner is not a valid ethereum address"),
    ("apporders", {"app": "foo", "appOwner": APP}, "app is not a valid ethereum address"),
    ("apporders", {"app": "foo", "appOwner": "bar"}, "appOwner is not a valid ethereum address"),
    ("apporders", {"app": [APP, APP]}, TWICE.format("app", APP, APP)),
    ("apporders", {"app": APP, "page": -1}, "page must be greater than or equal to 0"),
    ("apporders", {"app": APP, "page": "x"}, NUMBER.format("page", "x")),
    ("apporders", {"app": APP, "page": ""}, NUMBER.format("page", "")),
    ("apporders", {"chainId": 1, "page": "x"}, NUMBER.format("page", "x")),
    ("apporders", {"chainId": 1, "page": -1}, "page must be greater than or equal to 0"),
    ("apporders", {"app": APP, "page": 1.5}, "page must be an integer"),
    (
        "apporders",
        {"app": APP, "page": 2**53},
        "page must be less than or equal to 9007199254740990",
    ),
    ("apporders", {"app": APP, "minVolume": 0}, "minVolume must be greater than or equal to 1"),
    ("apporders", {"app": APP, "minTag": "tee"}, "minTag must be a bytes32 hexstring"),
    ("apporders", {"app": APP, "maxTag": "0x1"}, "maxTag must be a bytes32 hexstring"),
    ("apporders", {"app": APP, "requester": "x"}, "requester is not a valid ethereum address"),
    ("datasetorders", {}, "dataset or datasetOwner is required"),
    ("datasetorders", {"app": "x", "dataset": APP}, "app is not a valid ethereum address"),
    ("workerpoolorders", {"chainId": None}, NEEDED.format("chainId")),
    ("workerpoolorders", {"category": "S"}, NUMBER.format("category", "S")),
    ("workerpoolorders", {"minTrust": -1}, "minTrust must be greater than or equal to 0"),
    ("requestorders", {"maxTrust": -1}, "maxTrust must be greater than or equal to 0"),
    ("requestorders", {"beneficiary": "x"}, "beneficiary is not a valid ethereum address"),
    ("requestorders", {"workerpool": "x", "page": -1}, "page must be greater than or equal to 0"),
    ("deals", {"apporderHash": "x"}, "apporderHash must be a bytes32 hexstring"),
    ("deals", {"workerpoolOwner": "x"}, "workerpoolOwner is not a valid ethereum address"),
    ("categories", {"minWorkClockTimeRef": "x"}, NUMBER.format("minWorkClockTimeRef", "x")),
    ("categories/x", {}, NUMBER.format("catid", "x")),
    ("categories/x", {"chainId": 17}, "chainId 17 is not supported"),
    ("deals/0x1", {}, "dealid must be a bytes32 hexstring"),
    ("apporders/0x1", {}, "orderHash must be a bytes32 hexstring"),
    ("requestorders/0x1", {"chainId": 17}, "chainId 17 is not supported"),
    ("ohlc", {}, NEEDED.format("category")),
    ("metrics", {"chainId": None}, NEEDED.format("chainId")),
]


@pytest.mark.parametrize(("path", "query", "text"), QUERIES)
def test_queries_that_are_refused(ask: Ask, path: str, query: dict[str, Any], text: str) -> None:
    if path != "challenge":
        query = {"chainId": CHAIN, **query}
    given = urlencode({k: v for k, v in query.items() if v is not None}, doseq=True)
    assert ask("GET", f"/{path}?{given}") == (400, error(text))


def test_a_repeated_tag_makes_the_server_stumble(ask: Ask) -> None:
    query = f"chainId={CHAIN}&app={APP}&minTag={HASH}&minTag={HASH}"
    assert ask("GET", f"/apporders?{query}") == (500, error("Internal error"))


# --- bodies ---------------------------------------------------------------------------------------

TEXT = "{} must be a `string` type, but the final value was: `null`." + HINT
OBJECT = "{} must be a `object` type, but the final value was: `null`{}." + HINT
BODIES: list[tuple[str, Any, str]] = [
    ("POST", {}, NEEDED.format("order.sign")),
    ("POST", {"order": {}}, NEEDED.format("order.sign")),
    ("POST", {"order": {"sign": "0x"}}, NEEDED.format("order.salt")),
    ("POST", [], OBJECT.format("this", " (cast from the value `[]`)")),
    ("POST", {"order": None}, OBJECT.format("order", "")),
    ("POST", {"order": 5}, OBJECT.format("order", " (cast from the value `5`)")),
    ("POST", {"order": "x"}, OBJECT.format("order", ' (cast from the value `"x"`)')),
    ("POST", {"order": '{"app":1}'}, NEEDED.format("order.sign")),
    ("POST", {"order": {"app": None}}, TEXT.format("order.app")),
    ("POST", {"order": {"sign": "zz"}}, "order.sign must be a valid signature"),
    ("POST", {"order": {"sign": 10**400}}, "order.sign must be a valid signature"),
    (
        "POST",
        {"order": {"sign": ["\ud800é"]}},
        'order.sign must be a `string` type, but the final value was: `[\n  "\\"\ud800é\\""\n]`.',
    ),
    ("PUT", {}, NEEDED.format("orderHash")),
    ("PUT", {"orderHash": "0x1"}, "orderHash must be a bytes32 hexstring"),
    (
        "PUT",
        {"target": "x", "orderHash": "zz"},
        "target must be one of the following values: "
        "unpublish_orderHash, unpublish_last, unpublish_all",
    ),
    ("PUT", {"target": None}, TEXT.format("target")),
    ("PUT", {"target": "unpublish_last"}, NEEDED.format("app")),
    ("PUT", {"target": "unpublish_all", "app": "x"}, "app is not a valid ethereum address"),
    (
        "PUT",
        {"target": "unpublish_all", "app": APP, "orderHash": {}},
        "orderHash must be a `string` type, but the final value was: `{}`.",
    ),
]


@pytest.mark.parametrize(("method", "body", "text"), BODIES)
def test_bodies_that_are_refused(ask: Ask, method: str, body: Any, text: str) -> None:
    found = ask(
        method,
        f"/apporders?chainId={CHAIN}",
        json.dumps(body),
        Authorization=login(ask),
        Content_Type="application/json",
    )
    assert found == (400, error(text))


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_that_do_not_say_they_are_json_are_empty(ask: Ask, kind: str) -> None:
    body = json.dumps({"order": {"sign": "zz"}, "orderHash": HASH})
    for kind_of in ({}, {"Content_Type": "text/plain"}):
        for method, text in (("POST", "order.sign"), ("PUT", "orderHash")):
            path, token = f"/{kind}s?chainId={CHAIN}", login(ask)
            found = ask(method, path, body, Authorization=token, **kind_of)
            assert found == (400, error(NEEDED.format(text)))


@pytest.mark.parametrize(
    "body",
    [b"{", b"nothing", b"5", b'"x"', b"null", b'{"a":NaN}', b"\xff{}", b" " * MAX_BODY + b"{}"],
)
def test_bodies_that_are_not_json_or_too_long(ask: Ask, body: bytes) -> None:
    """They are read before anything else is looked at."""
    found = ask("POST", "/apporders", body, Content_Type="application/json; charset=utf-8")
    assert found == (500, error("Internal error"))


def test_a_body_of_the_largest_size(ask: Ask) -> None:
    body = b"{" + b" " * (MAX_BODY - 2) + b"}"
    path, token = f"/apporders?chainId={CHAIN}", login(ask)
    found = ask("PUT", path, body, Authorization=token, Content_Type="application/json")
    assert found == (400, error(NEEDED.format("orderHash")))


def test_the_chain_is_checked_before_the_authorization(ask: Ask) -> None:
    assert ask("POST", "/apporders") == (400, error(NEEDED.format("chainId")))
    assert ask("PUT", "/apporders?chainId=17") == (400, error("chainId 17 is not supported"))
    bad = (403, error("invalid authorization"))
    assert ask("POST", f"/apporders?chainId={CHAIN}") == bad
    assert ask("PUT", f"/apporders?chainId={CHAIN}", Authorization="Bearer x") == bad


def test_one_challenge_serves_one_of_many_at_once(ask: Ask, market: Market) -> None:
    token, answers = login(ask), []

    def put() -> None:
        answers.append(ask("PUT", f"/apporders?chainId={CHAIN}", Authorization=token)[0])

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [400] + [403] * 5


# --- the rate limit -------------------------------------------------------------------------------


def test_rate_limit(market: Market, serve: Any) -> None:
    now = [1000.5]
    port = serve(market_app(market, per_minute=2, clock=lambda: now[0]))

    def get(**headers: str) -> tuple[int, list[str | None], str]:
        status, found, text = request(port, "GET", "/version", **headers)
        names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
        return status, [found.get(name) for name in names], text

    assert get()[:2] == (200, ["2", "1", "1060", None])
    now[0] += 20
    assert get()[:2] == (200, ["2", "0", "1060", None])
    status, headers, text = get()
    assert (status, headers) == (429, ["2", "0", "1060", "40"])
    assert json.loads(text) == error("Rate limit exceeded")
    assert get(X_Real_IP="10.0.0.1")[1][1] == "1"
    assert get(X_Forwarded_For="10.0.0.1")[1][1] == "0"
    assert get(X_Real_IP="10.0.0.2", X_Forwarded_For="10.0.0.1")[0] == 200
    now[0] += 40
    assert get()[:2] == (200, ["2", "1", "1120", None])


def test_no_rate_limit_by_itself(ask: Ask, port: int) -> None:
    for _ in range(150):
        status, headers, _text = request(port, "GET", "/version")
        assert status == 200
        assert "X-RateLimit-Limit" not in headers


# --- today's edition ------------------------------------------------------------------------------


@pytest.fixture
def ask_today(tmp_path: Path, serve: Any) -> Iterator[Ask]:
    """A marketplace of today, whose node does not answer: what gets beyond validation is a 500."""
    database = Database(tmp_path / "today.sqlite3", SCHEMA)
    with Http(retries=0) as pool:
        rpc = Rpc("http://127.0.0.1:1", http=pool)
        market = Market(database, rpc, Chain(id=CHAIN, hub=HUB, rules=V9))
        port = serve(market_app(market))

        def call(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
            status, _, text = request(port, method, path, body, **headers)
            return status, json.loads(text)

        yield call
        market.close()


ASKED = 500, error("Something went wrong, you should retry later.")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apporders?app=any&dataset=ANY&isDatasetStrict=true&pageIndex=0&pageSize=10", ASKED),
        (f"/datasetorders?datasetOwner={APP}&bulkOnly=false&pageSize=1000", ASKED),
        ("/workerpoolorders?workerpool=any&app=any&isAppStrict=true", ASKED),
        ("/requestorders?requester=any&beneficiary=any&isWorkerpoolStrict=false", ASKED),
        ("/deals?pageIndex=3&pageSize=10", ASKED),
        ("/categories?pageIndex=3&pageSize=10", ASKED),
        ("/apporders?page=20&app=any", ASKED),
        (
            "/apporders?app=any&pageSize=9",
            (400, error("pageSize must be greater than or equal to 10")),
        ),
        (
            "/apporders?app=any&pageSize=1001",
            (400, error("pageSize must be less than or equal to 1000")),
        ),
        (
            "/deals?pageIndex=-1",
            (400, error("pageIndex must be greater than or equal to 0")),
        ),
        (
            "/apporders?app=any&isDatasetStrict=x",
            (
                400,
                error('isDatasetStrict must be a `boolean` type, but the final value was: `"x"`.'),
            ),
        ),
        ("/apporders?app=all", (400, error("app is not a valid ethereum address"))),
        ("/apporders?dataset=any", (400, error("app or appOwner is required"))),
        (
            "/workerpoolorders?workerpoolOwner=any",
            (400, error("workerpoolOwner is not a valid ethereum address")),
        ),
    ],
)
def test_lists_of_today(ask_today: Ask, path: str, expected: object) -> None:
    assert ask_today("GET", f"{path}&chainId={CHAIN}") == expected


def test_other_novelties_of_today(ask_today: Ask, ask: Ask) -> None:
    assert ask_today("GET", "/version") == (200, {"ok": True, "version": "7.1.2"})
    signer = SIGNER.address.lower()  # in any case
    _, answer = ask_today("GET", f"/challenge?chainId={CHAIN}&address={signer}")
    challenge = read_challenge(answer, MARKET, CHAIN)
    token = str(Authorization.of(challenge, SIGNER.sign_typed_data(challenge), SIGNER.address))
    order = {"order": {"volume": 2**53}}
    headers = {"Content_Type": "application/json", "Authorization": token}
    found = ask_today("POST", f"/apporders?chainId={CHAIN}", json.dumps(order), **headers)
    assert found[0] == 400
    # what the past does not know, it ignores, and refuses the word for any address
    assert ask("GET", f"/apporders?app=any&chainId={CHAIN}")[0] == 400
    assert ask("GET", f"/deals?pageIndex=x&chainId={CHAIN}")[0] == 500
