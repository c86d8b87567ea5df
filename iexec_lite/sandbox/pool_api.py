"""Where a workerpool is asked about its tasks, and what it answers (today.md §2.4).

*Compass* knows the address of each workerpool's API: ``GET /<chain id>/workerpools/<address>``,
here for the pools whose scheduler the sandbox is. The API: ``GET /tasks/<id>`` tells the statuses
to everybody; ``GET /tasks/<id>/logs`` tells what the app wrote to the task's requester, who proves
himself with a signed challenge of ``GET /tasks/logs/challenge`` (401 otherwise). A challenge serves
its own address for an hour. 404 for tasks and pools that are not ours.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Collection
from typing import Any

import falcon

from ..errors import IExecError, ValidationError
from ..eth.codec import address_to_bytes, checksum_address
from ..eth.eip712 import TypedData
from ..net.rpc import Rpc
from ..protocol.authorization import WORKERPOOL, Authorization, new_challenge
from ..protocol.chains import Chain
from ..protocol.contracts import ENTRY, HUB, REGISTRY, Method
from .history import History
from .server import new_app, spring_error

__all__ = ["PoolApi"]

CHALLENGE_LIFE = 3600  # seconds


class PoolApi:
    """Both services: ``compass`` and ``app`` are to be mounted, at the root of one server.

    ``owners`` are the accounts whose workerpools the sandbox works for.
    """

    def __init__(
        self,
        history: History,
        rpc: Rpc,
        chain: Chain,
        owners: Collection[str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.history = history
        self._rpc = rpc
        self._chain = chain
        self._owners = owners
        self._clock = clock
        self._challenges: dict[str, tuple[float, TypedData]] = {}
        self.compass = new_app({"/{chain_id}/workerpools/{address}": _Workerpool(self)})
        self.app = new_app(
            {
                "/tasks/logs/challenge": _Challenge(self),
                "/tasks/{taskid}": _Task(self),
                "/tasks/{taskid}/logs": _Logs(self),
            },
            spring_error,
        )

    def reset(self) -> None:
        """Forget every task and challenge."""
        self.history.reset()
        self._challenges.clear()

    def close(self) -> None:
        """Close the file."""
        self.history.close()

    def serves(self, chain_id: str, address: str) -> bool:
        """Whether this is a workerpool that the sandbox works for."""
        if chain_id != str(self._chain.id):
            return False
        try:
            pool = checksum_address(address_to_bytes(address))
        except ValidationError:
            return False
        registry = str(self._chain.workerpool_registry)
        return bool(
            self._read(registry, REGISTRY.isRegistered, pool)
            and self._read(pool, ENTRY.owner) in self._owners
        )

    def challenge(self, address: str) -> TypedData:
        """The challenge of an address, the same one for an hour."""
        who = checksum_address(address_to_bytes(address.lower()))
        now = self._clock()
        made, challenge = self._challenges.get(who, (0.0, None))
        if challenge is None or now >= made + CHALLENGE_LIFE:
            text = base64.b64encode(secrets.token_bytes(32)).decode()
            challenge = new_challenge(WORKERPOOL, self._chain.id, text)
            self._challenges[who] = now, challenge
        return challenge

    def may_read_logs(self, taskid: str, authorization: str) -> bool:
        """Whether the task's requester proves himself."""
        try:
            proved = Authorization.parse(authorization)
            made, challenge = self._challenges[proved.address]
            if proved.digest != challenge.digest or self._clock() >= made + CHALLENGE_LIFE:
                return False
            hub = self._chain.require_hub()
            task = self._read(hub, HUB.viewTask, taskid)
            deal = self._read(hub, HUB.viewDeal, task["dealid"])
        except (IExecError, KeyError) as error:
            if isinstance(error, IExecError) and error.retryable:
                raise
            return False
        return bool(deal["requester"] == proved.address)

    def _read(self, to: str, method: Method, *args: object) -> Any:
        return method.decode(self._rpc.call(to, method.encode(*args)))


class _Resource:
    def __init__(self, api: PoolApi) -> None:
        self.api = api


class _Workerpool(_Resource):
    def on_get(self, request: Any, response: Any, chain_id: str, address: str) -> None:
        if not self.api.serves(chain_id, address):
            raise falcon.HTTPNotFound(description=f"No workerpool {address} on chain {chain_id}")
        response.media = {"apiUrl": request.prefix}


class _Challenge(_Resource):
    def on_get(self, request: Any, response: Any) -> None:
        address = request.get_param("address", required=True)
        request.get_param_as_int("chainId", required=True)
        try:
            challenge = self.api.challenge(address)
        except ValidationError as error:
            raise falcon.HTTPBadRequest(description=error.message) from error
        response.media = challenge.to_dict()


class _Task(_Resource):
    def on_get(self, request: Any, response: Any, taskid: str) -> None:
        found = self.api.history.task(taskid)
        if found is None:
            raise falcon.HTTPNotFound
        response.media = found


class _Logs(_Resource):
    def on_get(self, request: Any, response: Any, taskid: str) -> None:
        header = request.get_header("Authorization", required=True)
        if not self.api.may_read_logs(taskid, header):
            raise falcon.HTTPUnauthorized
        if self.api.history.task(taskid) is None:
            raise falcon.HTTPNotFound
        response.media = {"taskId": taskid, "computeLogsList": self.api.history.logs(taskid)}
