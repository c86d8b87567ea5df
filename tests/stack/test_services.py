"""SMS and result proxy where they ask the chain: owners, contributions, requesters."""

from __future__ import annotations

import http.client
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec
from iexec_lite.errors import SandboxError, StateError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.net.http import Http
from iexec_lite.protocol.authorization import web3_secret_digest
from iexec_lite.protocol.cid import cid_of
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sandbox.uploads import Uploads, write_model
from iexec_lite.sandbox.worker import Worker

Client = Callable[..., IExec]
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}


def ask(
    sandbox: Sandbox, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(str(urlsplit(sandbox.server.url).netloc), timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# --- who owns what --------------------------------------------------------------------------------


@pytest.fixture
def dataset(sandbox: Sandbox, client: Client) -> str:
    seller = client(sandbox, "dataset-provider")
    return seller.dataset.deploy_dataset(
        {
            "owner": seller.wallet.get_address(),
            "name": "d",
            "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
            "checksum": "0x" + "0b" * 32,
        }
    ).address


def push(sandbox: Sandbox, who: str, address: str, value: str) -> int:
    signature = accounts.signer(who).sign_message(web3_secret_digest(address, value))
    return ask(
        sandbox,
        "POST",
        f"/sms/secrets/web3?secretAddress={address}",
        value.encode(),
        Authorization=to_hex(signature),
    )[0]


def test_only_the_owner_sets_a_secret_and_once(sandbox: Sandbox, dataset: str) -> None:
    assert push(sandbox, "requester", dataset, "key") == 401
    assert ask(sandbox, "HEAD", f"/sms/secrets/web3?secretAddress={dataset}")[0] == 404
    assert push(sandbox, "dataset-provider", dataset.lower(), "key") == 204
    assert ask(sandbox, "HEAD", f"/sms/secrets/web3?secretAddress={dataset}")[0] == 204
    assert push(sandbox, "dataset-provider", dataset, "key") == 409
    assert push(sandbox, "requester", dataset, "key") == 401
    assert sandbox.sms.dataset_key(dataset) == "key"


def test_what_has_no_owner(sandbox: Sandbox) -> None:
    """A wallet, nothing at all, a contract that knows no such function."""
    factory = str(sandbox.kit.factory["address"])
    for address in (accounts.addresses()["requester"], "0x" + "0b" * 20, factory):
        assert push(sandbox, "requester", address, "key") == 401


def test_a_request_is_checked_as_on_a_public_network(
    sandbox: Sandbox, client: Client, secrets: Any
) -> None:
    order = client(sandbox, "requester").order
    request = order.create_requestorder(
        app="0x" + "0b" * 20, category=0, params={"iexec_result_encryption": True}, tag=["tee"]
    )
    assert json.loads(request.params)["iexec_result_storage_proxy"] == sandbox.chain.result_proxy
    with pytest.raises(StateError, match="result encryption key is not set"):
        order.sign_requestorder(request)
    secrets.result_key(sandbox, "requester", rsa_generate(1024)[1])
    with pytest.raises(StateError, match="storage token is not set"):
        order.sign_requestorder(request)
    secrets.storage_token(sandbox, "requester")
    assert order.sign_requestorder(request).sign != "0x"


# --- who hands in what ----------------------------------------------------------------------------


@pytest.fixture
def proxy(sandbox: Sandbox) -> Any:
    with Http() as http:
        yield Uploads(str(sandbox.chain.result_proxy), sandbox.chain.id, http)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("result.txt", "hello")
    return tmp_path / "x.zip"


def upload(sandbox: Sandbox, taskid: str, archive: Path, token: str) -> tuple[int, bytes]:
    _, pieces = write_model(archive, {"chainTaskId": taskid})
    return ask(sandbox, "POST", "/result", b"".join(pieces), Authorization=token)


def stopped_before(sandbox: Sandbox, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker go as far as its first ``operation``."""
    send = Worker._send

    def until(self: Worker, signer: Any, found: str, *rest: Any) -> None:
        if found == operation:
            raise SandboxError("stopped here")
        send(self, signer, found, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_send", until)
        assert sandbox.worker.run_once() == 0


def test_a_standard_result_is_handed_in_by_who_revealed(
    sandbox: Sandbox,
    buy: Any,
    proxy: Uploads,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taskid = buy(sandbox).taskids[0]
    token = proxy.login(accounts.signer("worker-1"))
    strangers = [proxy.login(accounts.signer(name)) for name in ("worker-2", "requester")]
    assert upload(sandbox, taskid, archive, token) == (401, b"")
    stopped_before(sandbox, "reveal", monkeypatch)
    assert upload(sandbox, taskid, archive, token) == (401, b"")  # only contributed
    monkeypatch.setattr(Worker, "_link", lambda *_: 1 / 0)
    sandbox.worker = sandbox.new_worker()
    with pytest.raises(ZeroDivisionError):
        sandbox.worker.run_once()  # revealed, not handed in
    monkeypatch.undo()
    for other in strangers:
        assert upload(sandbox, taskid, archive, other) == (401, b"")
    assert proxy.location(taskid) is None
    header = {"Authorization": token}
    assert ask(sandbox, "HEAD", f"/result/results/{taskid}", **header)[0] == 404
    cid = cid_of(archive.read_bytes())
    assert upload(sandbox, taskid, archive, token) == (200, f"/ipfs/{cid}".encode())
    assert ask(sandbox, "HEAD", f"/result/results/{taskid}", **header)[0] == 204
    assert upload(sandbox, taskid, archive, token)[0] == 400  # there is one
    assert ask(sandbox, "GET", f"/result/results/{taskid}/ipfshash") == (200, cid.encode())
    data = archive.read_bytes()
    path = f"/result/results/{taskid}?chainId={sandbox.chain.id}"
    assert ask(sandbox, "GET", path, **header) == (200, data)
    assert ask(sandbox, "GET", path, Authorization="x")[0] == 401
    assert ask(sandbox, "GET", f"/result/results/ipfs/{cid}") == (200, data)
    assert ask(sandbox, "GET", f"/ipfs/{cid}") == (200, data)
    sandbox.worker = sandbox.new_worker()
    assert sandbox.worker.run_once() == 1  # takes what is there
    task = HUB.viewTask.decode(
        sandbox.node.rpc.call(str(sandbox.chain.hub), HUB.viewTask.encode(taskid))
    )
    assert isinstance(task, dict)
    assert f"/ipfs/{cid}".encode() in task["results"]


def test_a_tee_result_is_handed_in_for_the_requester(
    sandbox: Sandbox,
    buy: Any,
    proxy: Uploads,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taskid = buy(sandbox, tag=["tee"], mrenclave=MEASUREMENT).taskids[0]
    token = proxy.login(accounts.signer("requester"))
    assert upload(sandbox, taskid, archive, token) == (401, b"")  # not active yet
    with monkeypatch.context() as patch:
        patch.setattr(sandbox.worker._compute, "run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sandbox.worker.run_once()
    for name in ("worker-1", "workerpool-owner", "beneficiary"):
        other = proxy.login(accounts.signer(name))
        assert upload(sandbox, taskid, archive, other) == (401, b"")
    assert upload(sandbox, taskid, archive, token)[0] == 200
    assert upload(sandbox, taskid, archive, token)[0] == 400
    assert proxy.upload(taskid, archive, token) == f"/ipfs/{cid_of(archive.read_bytes())}"


def test_bodies_that_make_no_sense(
    sandbox: Sandbox, buy: Any, proxy: Uploads, archive: Path
) -> None:
    taskid = buy(sandbox).taskids[0]
    token = proxy.login(accounts.signer("requester"))
    files = {path.name for path in sandbox.store.folder.iterdir()}
    for body, expected in (
        (b"", 400),
        (b"[]", 400),
        (b'{"zip":"?"}', 400),
        (b'{"zip":"UEs="}', 401),
        (json.dumps({"chainTaskId": "0x12", "zip": "UEs="}).encode(), 401),
        (json.dumps({"chainTaskId": "0x" + "ab" * 32, "zip": "UEs="}).encode(), 401),
        (json.dumps({"chainTaskId": taskid, "zip": "UEs="}).encode(), 401),
    ):
        assert ask(sandbox, "POST", "/result/", body, Authorization=token)[0] == expected
    assert {path.name for path in sandbox.store.folder.iterdir()} == files


def test_many_at_once(sandbox: Sandbox, secrets: Any, client: Client, buy: Any) -> None:
    """Secrets, tokens, files and a task, all at the same time."""
    taskid = buy(sandbox).taskids[0]

    def one(index: int) -> int:
        data = f"file {index}".encode()
        assert ask(sandbox, "POST", "/ipfs/", data)[0] == 201
        secrets.storage_token(sandbox, list(accounts.NAMES)[index % 9])
        return ask(sandbox, "GET", f"/ipfs/{cid_of(data)}")[0]

    with ThreadPoolExecutor(9) as pool:
        running = pool.map(one, range(9))
        assert sandbox.worker.run_once() == 1
        assert list(running) == [200] * 9
    results = client(sandbox, "requester").task.fetch_results(taskid)
    assert results.read().startswith(b"PK")
