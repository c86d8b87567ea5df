"""What the scheduler remembers of tasks, and tells. With a real chain: tests/stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.authorization import WORKERPOOL, Authorization, read_challenge
from iexec_lite.protocol.chains import Chain
from iexec_lite.sandbox.history import MAX_LOG, History
from iexec_lite.sandbox.pool_api import CHALLENGE_LIFE, PoolApi

TASK, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
WORKER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
HUB = "0xe21e80c1442FE2C85Ddecb4f34a71303e1B0524E"
SIGNER = KeySigner.from_key(b"\x11" * 32)
CHALLENGE = f"/tasks/logs/challenge?address={SIGNER.address.lower()}&chainId=5"
Ask = Callable[..., "tuple[int, dict[str, str], bytes]"]


class Clock:
    now = 1000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[History]:
    history = History(tmp_path / "tasks.sqlite", clock=clock)
    yield history
    history.close()


@pytest.fixture
def ask(history: History, nowhere: Rpc, clock: Clock, serve: Callable[[Any], Ask]) -> Ask:
    class Service:
        api = PoolApi(history, nowhere, Chain(id=5, hub=HUB), [SIGNER.address], clock=clock)
        app = api.app

        def reset(self) -> None:
            raise AssertionError

        def close(self) -> None:
            """The history is closed by its own fixture."""

    return serve(Service())


def test_statuses_and_runs(history: History, clock: Clock) -> None:
    assert history.task(TASK) is None
    history.note(TASK, "RECEIVED", "INITIALIZED")
    clock.now = 1002
    history.note(TASK, "CREATED", "COMPUTED", worker=WORKER)
    history.note(TASK, "FAILED", worker=WORKER, cause="APP_COMPUTE_FAILED")
    history.keep_run(TASK, WORKER, 3, b"out", b"\xff" + b"x" * MAX_LOG)
    assert history.task(TASK) == {
        "chainTaskId": TASK,
        "currentStatus": "INITIALIZED",
        "dateStatusList": [
            {"status": "RECEIVED", "date": 1000500},
            {"status": "INITIALIZED", "date": 1000500},
        ],
        "replicates": [
            {
                "chainTaskId": TASK,
                "walletAddress": WORKER,
                "currentStatus": "FAILED",
                "statusUpdateList": [
                    {"status": "CREATED", "date": 1002000},
                    {"status": "COMPUTED", "date": 1002000},
                    {"status": "FAILED", "date": 1002000, "cause": "APP_COMPUTE_FAILED"},
                ],
                "appExitCode": 3,
            }
        ],
    }
    (logs,) = history.logs(TASK)
    assert (logs["walletAddress"], logs["stdout"]) == (WORKER, "out")
    assert logs["stderr"] == "x" * MAX_LOG  # its end
    assert history.logs(OTHER) == []
    history.keep_run(TASK, WORKER, 0, b"again", b"")
    assert history.logs(TASK)[0]["stdout"] == "again"
    history.reset()
    assert history.task(TASK) is None


def test_a_task_over_http(ask: Ask, history: History) -> None:
    assert ask("GET", f"/tasks/{TASK}")[0] == 404
    history.note(TASK, "RECEIVED")
    status, _, body = ask("GET", f"/tasks/{TASK}")
    assert (status, json.loads(body)["currentStatus"]) == (200, "RECEIVED")


def test_challenges(ask: Ask, clock: Clock) -> None:
    def challenge() -> str:
        status, _, body = ask("GET", CHALLENGE)
        assert status == 200
        found = json.loads(body)
        assert found["domain"] == {"name": "iExec Core", "version": "1", "chainId": 5}
        return str(read_challenge(found, WORKERPOOL, 5).message["challenge"])

    first = challenge()
    clock.now += CHALLENGE_LIFE - 1
    assert challenge() == first
    clock.now += 1
    assert challenge() != first
    for query in ("", "?address=0x12&chainId=5", f"?address={WORKER}", "?chainId=5"):
        assert ask("GET", f"/tasks/logs/challenge{query}")[0] == 400


def test_logs_need_a_challenge_of_now(ask: Ask, clock: Clock, history: History) -> None:
    history.note(TASK, "RECEIVED")
    found = read_challenge(json.loads(ask("GET", CHALLENGE)[2]), WORKERPOOL, 5)
    token = str(Authorization.of(found, SIGNER.sign_typed_data(found), SIGNER.address))
    path = f"/tasks/{TASK}/logs"
    clock.now += CHALLENGE_LIFE
    assert ask("GET", path, Authorization=token)[0] == 401
    assert ask("GET", path, Authorization=token.upper())[0] == 401
    assert ask("GET", path)[0] == 400
    clock.now -= 1
    # it is asked who the requester is, of a node that does not answer
    assert ask("GET", path, Authorization=token)[0] == 500
