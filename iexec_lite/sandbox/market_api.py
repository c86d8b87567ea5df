"""The marketplace over HTTP: a WSGI app with the routes, statuses and bodies of API v5.3.0.

And what later releases added, where the marketplace is one of those (``market_tables.Edition``).

``market_app(market)`` answers JSON; unknown routes and methods get plain text. Refused: bodies over
1 MB or that are not a JSON object or list (500, as the server does); a body that does not say it is
JSON counts as empty. The rate limit is off, as the server's is for loopback; ``per_minute`` turns
it on, so that what clients make of a 429 can be tried. Spec: market.md; services.md §1.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import falcon

from ..errors import IExecError
from ..net.rpc import Rpc
from ..protocol.chains import Chain
from ..protocol.params import load_json
from .database import Database
from .market import SCHEMA, Market
from .market_input import (
    ADDRESS,
    ANY_ADDRESS,
    BOOLEAN,
    BYTES32,
    COUNT,
    UINT,
    Field,
    Kind,
    Refusal,
    chain_field,
    check,
    check_order,
    check_unpublish,
    integer,
    required,
)
from .market_tables import CATEGORY_BOUNDS, DEAL_QUERY, KINDS, Edition, OrderKind, strict_flag

__all__ = ["MarketService", "market_app"]

MAX_BODY = 1024 * 1024  # bytes
JSON, TEXT = "application/json; charset=utf-8", "text/plain; charset=utf-8"
RATE_WINDOW = 60  # seconds

log = logging.getLogger("iexec_lite.sandbox")

Query = Mapping[str, Any]


def market_app(
    market: Market, *, per_minute: int | None = None, clock: Callable[[], float] = time.time
) -> falcon.App[falcon.Request, falcon.Response]:
    """The WSGI app of a marketplace. ``per_minute`` limits the requests of one address."""
    app = falcon.App(middleware=[] if per_minute is None else [_Limit(per_minute, clock)])
    app.req_options.strip_url_path_trailing_slash = True
    app.add_error_handler(Exception, _failed)
    app.add_error_handler(IExecError, _chain_failed)
    app.add_error_handler(falcon.HTTPError, _not_served)
    app.add_error_handler(Refusal, _refused)
    app.add_route("/version", _Version(market.edition))
    for path, resource in {
        "/challenge": _Challenge(market),
        "/ohlc": _Ohlc(market),
        "/metrics": _Metrics(market),
    }.items():
        app.add_route(path, resource)
    for path, group in {
        **{f"/{kind}s": _Orders(market, kind) for kind in KINDS},
        "/deals": _Deals(market),
        "/categories": _Categories(market),
    }.items():
        app.add_route(path, group)
        app.add_route(f"{path}/{{key}}", group, suffix="one")
    return app


class MarketService:
    """The marketplace as the sandbox mounts it: ``app`` and the data in the file ``path``."""

    def __init__(self, path: Path, rpc: Rpc, chain: Chain) -> None:
        self._market = Market(Database(path, SCHEMA), rpc, chain)
        self.app = market_app(self._market)

    def reset(self) -> None:
        """Forget every order, deal and challenge."""
        self._market.reset()

    def close(self) -> None:
        """Close the file."""
        self._market.close()


# --- answers --------------------------------------------------------------------------------------


def _send(response: falcon.Response, value: Mapping[str, object], status: int = 200) -> None:
    response.status = status
    response.content_type = JSON
    response.text = json.dumps(value, separators=(",", ":"))  # ASCII: texts of others may be broken


def _answer(response: falcon.Response, value: Mapping[str, object]) -> None:
    _send(response, {"ok": True, **value})


def _error(response: falcon.Response, status: int, text: str) -> None:
    _send(response, {"ok": False, "error": text}, status)


def _refused(
    request: falcon.Request, response: falcon.Response, error: Refusal, params: object
) -> None:
    _error(response, error.status, error.text)


def _chain_failed(
    request: falcon.Request, response: falcon.Response, error: IExecError, params: object
) -> None:
    log.warning("marketplace: %s", error.message)
    _error(response, 500, "Something went wrong, you should retry later.")


def _failed(
    request: falcon.Request, response: falcon.Response, error: Exception, params: object
) -> None:
    log.error("marketplace: %s %s", request.method, request.path, exc_info=error)
    _error(response, 500, "Internal error")


def _not_served(
    request: falcon.Request, response: falcon.Response, error: falcon.HTTPError, params: object
) -> None:
    """Unknown routes and methods: text, not JSON."""
    response.set_headers(dict(error.headers or {}))
    response.status = error.status
    response.content_type = TEXT
    response.text = falcon.code_to_http_status(error.status_code).partition(" ")[2]


# --- requests -------------------------------------------------------------------------------------


def _body(request: falcon.Request) -> object:
    """The JSON of a body; ValueError where it is none, or too long."""
    if (request.content_type or "").partition(";")[0].strip().lower() != "application/json":
        return {}
    if (request.content_length or 0) > MAX_BODY:
        raise ValueError("the body is too long")
    text = request.bounded_stream.read().decode("utf-8")
    body = load_json(text) if text else {}
    if not isinstance(body, (dict, list)):
        raise ValueError("the body is neither object nor list")
    return body


class _Resource:
    """What the resources share: the marketplace, and how to read a query."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._chain = chain_field(market.chain.id)

    def query(self, request: falcon.Request, fields: Mapping[str, Field] | None = None) -> Query:
        """The validated query; ``chainId`` is always needed."""
        return check({"chainId": self._chain, **(fields or {})}, request.params)

    def paged(self, fields: Mapping[str, Field]) -> Mapping[str, Field]:
        """The fields of a list, with those for its pages."""
        return {**fields, **_PAGES} if self.market.edition.finds else fields

    def key(self, request: falcon.Request, name: str, field: Field, given: str) -> Any:
        """The validated last part of a path, after the query."""
        self.query(request)
        return check({name: field}, {name: given})[name]


class _Version:
    def __init__(self, edition: Edition) -> None:
        self._edition = edition

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        _answer(response, {"version": self._edition.version})

    on_head = on_get


class _Challenge(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        address = self.query(request, {"address": required(ADDRESS)})["address"]
        _answer(response, {"data": self.market.challenge(address)})

    on_head = on_get


class _Orders(_Resource):
    """The order book of one kind."""

    def __init__(self, market: Market, kind: str) -> None:
        super().__init__(market)
        self._kind = kind
        self._fields = _query_fields(KINDS[kind], market.edition)

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        fields = _with_needs(KINDS[self._kind], self._fields, request.params)
        _answer(response, self.market.orders(self._kind, self.query(request, fields)))

    on_head = on_get

    def on_get_one(self, request: falcon.Request, response: falcon.Response, key: str) -> None:
        order_hash = self.key(request, "orderHash", required(BYTES32), key)
        _answer(response, self.market.order(self._kind, order_hash))

    on_head_one = on_get_one

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        body, authorized = self._authorized(request)
        order = check_order(self._kind, body, self.market.edition.max_integer)
        _answer(response, {"published": self.market.publish(self._kind, order, authorized)})

    def on_put(self, request: falcon.Request, response: falcon.Response) -> None:
        body, authorized = self._authorized(request)
        target, of = check_unpublish(KINDS[self._kind].resource, body)
        hashes = self.market.unpublish(self._kind, target, of, authorized)
        _answer(response, {"unpublished": hashes})

    def _authorized(self, request: falcon.Request) -> tuple[object, str]:
        """The body, not yet validated, and who sends it."""
        body = _body(request)
        self.query(request)
        return body, self.market.authorize(request.get_header("Authorization"))


class _Deals(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        fields = {name: Field(_query_kind(name)) for name in (*DEAL_QUERY, "page")}
        _answer(response, self.market.deals(self.query(request, self.paged(fields))))

    on_head = on_get

    def on_get_one(self, request: falcon.Request, response: falcon.Response, key: str) -> None:
        dealid = self.key(request, "dealid", required(BYTES32), key)
        _answer(response, self.market.deal(dealid))

    on_head_one = on_get_one


class _Categories(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        fields = {name: Field(UINT) for name in ("catid", *CATEGORY_BOUNDS, "page")}
        _answer(response, self.market.categories(self.query(request, self.paged(fields))))

    on_head = on_get

    def on_get_one(self, request: falcon.Request, response: falcon.Response, key: str) -> None:
        catid = self.key(request, "catid", required(UINT), key)
        _answer(response, self.market.category(catid))

    on_head_one = on_get_one


class _Ohlc(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        category = self.query(request, {"category": required(UINT)})["category"]
        _answer(response, {"ohlc": self.market.ohlc(category)})

    on_head = on_get


class _Metrics(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        self.query(request)
        _answer(response, self.market.metrics())

    on_head = on_get


_NUMBERS = ("category", "minTrust", "maxTrust", "page")
_PAGES = {"pageIndex": Field(UINT), "pageSize": Field(integer(10, 1000))}


def _query_fields(table: OrderKind, edition: Edition) -> dict[str, Field]:
    """What a list of orders can be asked for."""
    fields = {name: Field(_query_kind(name)) for name in table.query}
    if not edition.finds:
        return fields
    for name in {*table.exact, *table.including} - {"workerpoolOwner"}:
        if fields[name].kind is ADDRESS:
            fields[name] = Field(ANY_ADDRESS)
    fields |= {strict_flag(role): Field(BOOLEAN) for role in table.including}
    if edition.bulk and table.resource == "dataset":
        fields["bulkOnly"] = Field(BOOLEAN)
    return {**fields, **_PAGES}


def _query_kind(name: str) -> Kind:
    """The kind of a query parameter, by its name."""
    if name == "minVolume":
        return COUNT
    if name in _NUMBERS:
        return UINT
    return BYTES32 if name.endswith(("Tag", "Hash")) else ADDRESS


def _with_needs(
    table: OrderKind, fields: Mapping[str, Field], given: Mapping[str, object]
) -> Mapping[str, Field]:
    """``fields``, of which the first that the kind needs is required without the second."""
    if table.needs is None or given.get(table.needs[1]):
        return fields
    first = table.needs[0]
    return {**fields, first: Field(fields[first].kind, f"{' or '.join(table.needs)} is required")}


# --- the rate limit -------------------------------------------------------------------------------


class _Limit:
    """So many requests of one address in a minute, counted from its first."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, int]] = {}  # address → end of its minute, requests

    def process_request(self, request: falcon.Request, response: falcon.Response) -> None:
        address = (
            request.get_header("X-Real-IP")
            or request.get_header("X-Forwarded-For")
            or request.remote_addr
        )
        now = self._clock()
        with self._lock:
            self._seen = {who: each for who, each in self._seen.items() if each[0] > now}
            end, count = self._seen.get(address, (now + RATE_WINDOW, 0))
            self._seen[address] = end, count + 1
        response.set_header("X-RateLimit-Limit", str(self._most))
        response.set_header("X-RateLimit-Remaining", str(max(0, self._most - count - 1)))
        response.set_header("X-RateLimit-Reset", str(int(end)))
        if count >= self._most:
            response.set_header("Retry-After", str(max(1, int(end - now))))
            _error(response, 429, "Rate limit exceeded")
            response.complete = True
