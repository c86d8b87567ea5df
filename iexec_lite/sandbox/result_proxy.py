"""The result proxy: workers hand in results with a token, anybody fetches them (services.md §3).

A wallet proves itself by signing a challenge and gets a token (a JWT without a signature, always
the same one). With it a worker stores a task's archive, once: a standard task's when the wallet has
revealed its contribution, a TEE task's as its requester, while the task is active (worker.md §3.1).
The archive lies in the store and is known by its task. Refused: 400 for what is missing, no JSON or
there already, 401 for a challenge unknown, used or older than an hour, for other tokens and for
wallets that may not. Archives are streamed, whatever their size.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import falcon

from ..errors import SandboxError, SignatureError, ValidationError
from ..net.rpc import Rpc
from ..protocol.authorization import RESULT_PROXY, Authorization, new_challenge
from ..protocol.contracts import HUB, Method
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .database import Database
from .gateway import send_file
from .server import new_app, spring_error
from .store import Store
from .uploads import read_model

__all__ = ["ResultProxy"]

CHALLENGE_LIFE = 3600  # seconds
ACTIVE, REVEALED = 1, 2  # of a task, of a contribution
MAX_ID = 2**256 - 1  # of a chain
MAX_TOKEN = 4096  # bytes of an authorization
TASK = re.compile(r"0x[0-9a-f]{64}\Z")

SCHEMA = """
CREATE TABLE IF NOT EXISTS challenge (digest BLOB PRIMARY KEY, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS token (wallet TEXT PRIMARY KEY, jwt TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS result (taskid TEXT PRIMARY KEY, cid TEXT NOT NULL);
"""


class ResultProxy:
    """The service: ``app`` to mount. ``hub`` on the node of ``rpc`` tells who may upload.

    ``empty_contract`` puts an empty ``verifyingContract`` beside the challenge's domain, as real
    servers may; the JavaScript SDK cannot sign that.
    """

    def __init__(
        self,
        path: Path,
        store: Store,
        rpc: Rpc,
        hub: str,
        *,
        empty_contract: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._database = Database(path, SCHEMA)
        self._rpc = rpc
        self._hub = hub
        self._extra = {"verifyingContract": ""} if empty_contract else {}
        self._clock = clock
        self.app = new_app(
            {
                "/results/challenge": _Challenge(self),
                "/results/login": _Login(self),
                "/": _Upload(self),
                "/results/{taskid}": _Result(self),
                "/results/{taskid}/ipfshash": _Hash(self),
                "/results/ipfs/{cid}": _File(self),
            },
            spring_error,
        )

    def reset(self) -> None:
        """Forget challenges, tokens and which task has which result."""
        self._database.clear()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # -- who asks -----------------------------------------------------------------------------

    def challenge(self, chain_id: int) -> dict[str, Any]:
        """A new challenge, as JSON."""
        challenge = new_challenge(RESULT_PROXY, chain_id, secrets.token_urlsafe(32))
        now = self._clock()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM challenge WHERE made < ?", (now - CHALLENGE_LIFE,))
            connection.execute("INSERT INTO challenge VALUES (?, ?)", (challenge.digest, now))
        document: dict[str, Any] = challenge.to_dict()
        document["domain"] = {**document["domain"], "chainId": chain_id, **self._extra}
        return document

    def login(self, text: str) -> str | None:
        """The token of who signed a challenge, which is used up; None where nobody did."""
        try:
            who = Authorization.parse(text)
        except SignatureError:
            return None
        with self._database.transaction() as connection:
            found = connection.execute(
                "DELETE FROM challenge WHERE digest = ? AND made >= ?",
                (who.digest, self._clock() - CHALLENGE_LIFE),
            )
            if found.rowcount != 1:
                return None
            connection.execute(
                "INSERT OR IGNORE INTO token VALUES (?, ?)", (who.address, self._new_token(who))
            )
            query = "SELECT jwt FROM token WHERE wallet = ?"
            return str(connection.execute(query, (who.address,)).fetchone()["jwt"])

    def _new_token(self, who: Authorization) -> str:
        claims = {"aud": who.address, "iat": int(self._clock()), "sub": secrets.token_hex(32)}
        return f"{_base64url({'alg': 'none'})}.{_base64url(claims)}."

    def wallet(self, request: Any) -> str:
        """The wallet whose token a request carries; 401 for another one."""
        token = request.get_header("Authorization", required=True)
        found = self._database.rows("SELECT wallet FROM token WHERE jwt = ?", token)
        if not found:
            raise falcon.HTTPStatus(falcon.HTTP_UNAUTHORIZED)
        return str(found[0]["wallet"])

    # -- results ------------------------------------------------------------------------------

    def cid(self, taskid: str) -> str | None:
        """Where a task's result lies in the store."""
        found = self._database.rows("SELECT cid FROM result WHERE taskid = ?", taskid.lower())
        return str(found[0]["cid"]) if found else None

    def may_upload(self, taskid: str, wallet: str) -> bool:
        """Whether this wallet may hand in the result of this task now."""
        if not TASK.match(taskid):
            return False
        task = self._view(HUB.viewTask, taskid)
        deal = self._view(HUB.viewDeal, task["dealid"])
        if to_mask(deal["tag"]) & TEE:
            return bool(task["status"] == ACTIVE and deal["requester"] == wallet)
        return bool(self._view(HUB.viewContribution, taskid, wallet)["status"] == REVEALED)

    def _view(self, method: Method, *args: object) -> Any:
        return method.decode(self._rpc.call(self._hub, method.encode(*args)))

    def add(self, body: Any, wallet: str) -> str:
        """Keep the result in a request's body; its location."""
        model: dict[str, str | None] = {}

        def archive() -> Iterator[bytes]:
            """Its pieces; the permission is known to be there before the store keeps the whole."""
            empty = True
            for piece in read_model(body.read, model):
                empty = empty and not piece
                yield piece
            if not self.may_upload((model.get("chainTaskId") or "").lower(), wallet):
                raise falcon.HTTPStatus(falcon.HTTP_UNAUTHORIZED)
            if empty:
                raise falcon.HTTPBadRequest

        try:
            cid = self.store.add(archive())
        except (ValidationError, SandboxError) as error:
            raise falcon.HTTPBadRequest from error
        with self._database.transaction() as connection:
            taskid = str(model["chainTaskId"]).lower()
            kept = connection.execute("INSERT OR IGNORE INTO result VALUES (?, ?)", (taskid, cid))
            if kept.rowcount != 1:
                raise falcon.HTTPStatus(falcon.HTTP_BAD_REQUEST)  # the first one stays
        return f"/ipfs/{cid}"


def _base64url(value: dict[str, object]) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class _Resource:
    def __init__(self, proxy: ResultProxy) -> None:
        self._proxy = proxy


def _text(response: Any, text: str) -> None:
    response.content_type = "text/plain;charset=UTF-8"
    response.text = text


class _Challenge(_Resource):
    def on_get(self, request: Any, response: Any) -> None:
        chain_id = request.get_param_as_int("chainId", required=True, min_value=1, max_value=MAX_ID)
        response.media = self._proxy.challenge(chain_id)


class _Login(_Resource):
    def on_post(self, request: Any, response: Any) -> None:
        request.get_param_as_int("chainId", required=True)
        body = request.bounded_stream.read(MAX_TOKEN)
        if not body:
            raise falcon.HTTPBadRequest
        token = self._proxy.login(body.decode("utf-8", "replace"))
        if token is None:
            raise falcon.HTTPStatus(falcon.HTTP_UNAUTHORIZED)
        _text(response, token)


class _Upload(_Resource):
    def on_post(self, request: Any, response: Any) -> None:
        _text(response, self._proxy.add(request.bounded_stream, self._proxy.wallet(request)))


class _Result(_Resource):
    def on_head(self, request: Any, response: Any, taskid: str) -> None:
        self._proxy.wallet(request)
        found = self._proxy.cid(taskid) is not None
        response.status = falcon.HTTP_NO_CONTENT if found else falcon.HTTP_NOT_FOUND

    def on_get(self, request: Any, response: Any, taskid: str) -> None:
        request.get_param_as_int("chainId", required=True)
        self._proxy.wallet(request)
        _send_archive(self._proxy, request, response, taskid, self._proxy.cid(taskid))


class _Hash(_Resource):
    def on_get(self, request: Any, response: Any, taskid: str) -> None:
        cid = self._proxy.cid(taskid)
        if cid is None:
            raise falcon.HTTPStatus(falcon.HTTP_NOT_FOUND)
        _text(response, cid)


class _File(_Resource):
    def on_get(self, request: Any, response: Any, cid: str) -> None:
        _send_archive(self._proxy, request, response, cid, cid)


def _send_archive(
    proxy: ResultProxy, request: Any, response: Any, name: str, cid: str | None
) -> None:
    send_file(request, response, proxy.store.path(cid or ""), "application/zip")
    response.set_header("Content-Disposition", f"attachment; filename=iexec-result-{name}.zip")
