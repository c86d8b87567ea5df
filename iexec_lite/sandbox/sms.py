"""The secret management service: write-only secrets of resources and of wallets.

``/secrets/web3``: one secret for each contract, written once by its ``owner()``.
``/secrets/web2``: named secrets of a wallet, which it may replace. Today's has two more families,
written once: the secret of an app, by its owner, and named secrets of a requester. A writer signs
the secret itself (EIP-191); asked for is only whether one exists. Refused as the real one refuses:
400 for what is missing, 401 for another signer or a contract that is not there, 409 for a second
secret, 404 for the update of none. Secrets are kept in a private file and never logged. Spec:
services.md §2, §9.3; today.md §2.1.

A sandbox has no enclaves to prove who asks: its worker, in the same process, reads secrets by
:meth:`Sms.secret`. Over HTTP nobody can.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import falcon

from ..errors import SignatureError, ValidationError, Web3ProviderCallError
from ..eth.codec import address_to_bytes, from_hex
from ..eth.signer import hash_message, verify_digest
from ..net.rpc import Rpc
from ..protocol.authorization import (
    app_secret_digest,
    web2_secret_digest,
    web3_secret_digest,
)
from ..protocol.contracts import HUB
from ..sdk.secrets import RESULT_KEY, STORAGE_TOKENS
from .database import Database
from .server import new_app, spring_error

__all__ = ["APP", "PAST", "REQUESTER", "TODAY", "WEB2", "WEB3", "Family", "Sms"]

MAX_PAST = 64 * 1024  # bytes; keys and tokens have one or two thousand at most
MAX_TODAY = 4096
NAME = re.compile(r"[0-9A-Za-z_-]{1,64}\Z")
APP_INDEX = "1"  # the one secret of an app

SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (
    family TEXT, address TEXT, name TEXT, value TEXT NOT NULL,
    PRIMARY KEY (family, address, name)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of secret: where it is asked for, who signs what, whether it may be replaced.

    ``path`` may hold ``{address}`` and ``{secret}``; what it does not hold is a query parameter,
    whose name ``address`` and ``secret`` say. ``fixed`` is the name of the only secret that there
    is. ``digest(address, name, value)`` is what is signed, by the ``owner()`` of the address
    (``owned``) or by the address itself. A value beyond ``max_bytes`` gets the status
    ``too_large``; ``explains``: refusals say why.
    """

    name: str
    path: str
    address: str | None = None
    secret: str | None = None
    fixed: str = ""
    digest: Callable[[str, str, str], bytes]
    owned: bool = False
    updatable: bool = False
    max_bytes: int = MAX_PAST
    too_large: str = falcon.HTTP_413
    explains: bool = False


WEB3 = Family(
    name="web3",
    path="/secrets/web3",
    address="secretAddress",
    digest=lambda address, _, value: web3_secret_digest(address, value),
    owned=True,
)
WEB2 = Family(
    name="web2",
    path="/secrets/web2",
    address="ownerAddress",
    secret="secretName",  # noqa: S106  # the name of a parameter
    digest=web2_secret_digest,
    updatable=True,
)
APP = Family(
    name="app",
    path="/apps/{address}/secrets",
    fixed=APP_INDEX,
    digest=lambda address, _, value: app_secret_digest(address, value),
    owned=True,
    max_bytes=MAX_TODAY,
    explains=True,
)
REQUESTER = Family(
    name="requester",
    path="/requesters/{address}/secrets/{secret}",
    digest=web2_secret_digest,
    max_bytes=MAX_TODAY,
    too_large=falcon.HTTP_BAD_REQUEST,
    explains=True,
)
PAST = (WEB3, WEB2)
TODAY = (*(replace(each, max_bytes=MAX_TODAY) for each in PAST), APP, REQUESTER)


class Sms:
    """The service: ``app`` to mount, ``secret`` for the worker. Owners are asked of ``rpc``."""

    def __init__(self, path: Path, rpc: Rpc, families: Sequence[Family] = PAST) -> None:
        self._database = Database(path, SCHEMA)
        self._rpc = rpc
        routes: dict[str, object] = {"/up": _Up()}
        if APP in families:
            routes = {"/tee/framework": _Framework(), "/version": _Version()}
        for family in families:
            kind = _UpdatableSecrets if family.updatable else _Secrets
            routes[family.path] = kind(self, family)
        self.app = new_app(routes, spring_error)

    def reset(self) -> None:
        """Forget every secret."""
        self._database.clear()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def secret(self, family: Family, address: str, name: str = "") -> str | None:
        """A secret, or None. ``address`` in any letter case."""
        found = self._database.rows(
            "SELECT value FROM secret WHERE family = ? AND address = ? AND name = ?",
            *(family.name, address.lower(), name),
        )
        return str(found[0]["value"]) if found else None

    # What :class:`~iexec_lite.sandbox.compute.Compute` reads.

    def dataset_key(self, dataset: str) -> str | None:
        """The key of a dataset, without the line end of the file it came from."""
        key = self.secret(WEB3, dataset)
        return key and key.strip()

    def result_key(self, beneficiary: str) -> str | None:
        """base64 of the PEM text that results of ``beneficiary`` are encrypted with."""
        return self.secret(WEB2, beneficiary, RESULT_KEY)

    def storage_token(self, requester: str) -> str | None:
        """The result proxy's token of a requester."""
        return self.secret(WEB2, requester, STORAGE_TOKENS["ipfs"])

    def app_secret(self, app: str) -> str | None:
        """What the owner of an app lets it know."""
        return self.secret(APP, app, APP_INDEX)

    def requester_secret(self, requester: str, name: str) -> str | None:
        """What a requester lets the apps know that it buys."""
        return self.secret(REQUESTER, requester, name)

    def keep(self, family: Family, address: str, name: str, value: str, *, update: bool) -> bool:
        """Keep a secret; False where there is one already, or none to ``update``."""
        command = (
            "UPDATE secret SET value = ? WHERE family = ? AND address = ? AND name = ?"
            if update
            else "INSERT OR IGNORE INTO secret (value, family, address, name) VALUES (?, ?, ?, ?)"
        )
        with self._database.transaction() as connection:
            done = connection.execute(command, (value, family.name, address, name))
            return done.rowcount == 1

    def is_signed(
        self, family: Family, address: str, name: str, value: str, signature: str
    ) -> bool:
        """Whether who may write this secret has signed it."""
        try:
            writer = self._owner(address) if family.owned else address
            digest = family.digest(address, name, value)
            verify_digest(writer, hash_message(digest), from_hex(signature))
        except (SignatureError, ValidationError):
            return False
        return True

    def _owner(self, address: str) -> str:
        """The owner of a contract; ValidationError where there is none."""
        address_to_bytes(address)
        try:  # the function of the hub is that of every app, dataset and workerpool
            return str(HUB.owner.decode(self._rpc.call(address, HUB.owner.encode())))
        except Web3ProviderCallError as error:  # it reverts
            raise ValidationError(f"{address} has no owner", cause=error) from error


class _Secrets:
    """The secrets of one family over HTTP."""

    def __init__(self, sms: Sms, family: Family) -> None:
        self._sms = sms
        self._family = family

    def on_head(self, request: Any, response: Any, **path: str) -> None:
        which = self._which(request, path)
        if not self._is_name(which[1]):
            self._refuse(response, falcon.HTTP_BAD_REQUEST, "Invalid secret name")
        elif self._sms.secret(self._family, *which) is None:
            self._refuse(response, falcon.HTTP_NOT_FOUND, "Secret not found")
        else:
            response.status = falcon.HTTP_NO_CONTENT

    def on_post(self, request: Any, response: Any, **path: str) -> None:
        self._write(request, response, path, update=False)

    def _write(self, request: Any, response: Any, path: Mapping[str, str], *, update: bool) -> None:
        family = self._family
        signature = request.get_header("Authorization", required=True)
        which = self._which(request, path)
        body = request.bounded_stream.read(MAX_PAST + 1)
        if not body:
            raise falcon.HTTPBadRequest
        value = body.decode("utf-8", "replace")
        if len(body) <= MAX_PAST and not self._sms.is_signed(family, *which, value, signature):
            self._refuse(response, falcon.HTTP_UNAUTHORIZED, "Invalid authorization")
        elif not self._is_name(which[1]):
            self._refuse(response, falcon.HTTP_BAD_REQUEST, "Invalid secret name")
        elif len(body) > family.max_bytes:
            self._refuse(response, family.too_large, "Secret size should not exceed 4 Kb")
        elif self._sms.keep(family, *which, value, update=update):
            response.status = falcon.HTTP_NO_CONTENT
        else:
            missing = falcon.HTTP_NOT_FOUND if update else falcon.HTTP_CONFLICT
            self._refuse(response, missing, "Secret already exists")

    def _refuse(self, response: Any, status: str, why: str) -> None:
        response.status = status
        if self._family.explains:
            response.media = {"data": None, "error": [why]}

    def _is_name(self, name: str) -> bool:
        """Names in a path are of few characters; those in a query may be any text."""
        return "{secret}" not in self._family.path or NAME.match(name) is not None

    def _which(self, request: Any, path: Mapping[str, str]) -> tuple[str, str]:
        family = self._family
        address = (
            request.get_param(family.address, required=True) if family.address else path["address"]
        )
        name = (
            request.get_param(family.secret, required=True)
            if family.secret
            else path.get("secret", family.fixed)
        )
        return address.lower(), name


class _UpdatableSecrets(_Secrets):
    def on_put(self, request: Any, response: Any, **path: str) -> None:
        self._write(request, response, path, update=True)


class _Up:
    def on_get(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"Up! ({time.strftime('%a %b %d %H:%M:%S UTC %Y', time.gmtime())})"


class _Framework:
    def on_get(self, request: Any, response: Any) -> None:
        response.media = "TDX"


class _Version:
    def on_get(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = "9.3.1"
