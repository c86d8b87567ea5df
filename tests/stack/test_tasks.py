"""Tasks on the real contracts: from an order to a decrypted result, watched and claimed."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, utils
from iexec_lite.errors import (
    DecodingError,
    IpfsGatewayCallError,
    ObjectNotFoundError,
    StateError,
    ValidationError,
)
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.records import MatchResult

Client = Callable[..., IExec]
Buy = Callable[..., MatchResult]
PRICE, REFERENCE = 1000, 300
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def wait(sandbox: Sandbox, seconds: int) -> None:
    sandbox.node.rpc.request("evm_increaseTime", (seconds,))
    sandbox.node.mine()


@pytest.fixture(scope="module")
def rsa_keys() -> tuple[str, str]:
    return rsa_generate(1024)  # small, to be quick


# --- the whole way --------------------------------------------------------------------------------


def test_a_confidential_task(
    any_sandbox: Sandbox,
    client: Client,
    buy: Buy,
    secrets: Any,
    rsa_keys: tuple[str, str],
    tmp_path: Path,
) -> None:
    """Deposit, deploy, sign, match, run; then download, decrypt, and only then check."""
    seller, buyer = client(any_sandbox, "dataset-provider"), client(any_sandbox, "requester")
    secret, key = b"the secret of many words", seller.dataset.generate_encryption_key()
    (tmp_path / "secret.txt").write_bytes(secret)
    checksum = seller.dataset.encrypt_file(tmp_path / "secret.txt", tmp_path / "secret.enc", key)
    assert checksum == seller.dataset.compute_encrypted_file_checksum(tmp_path / "secret.enc")
    dataset = seller.dataset.deploy_dataset(
        {
            "owner": seller.wallet.get_address(),
            "name": "secret.txt",
            "multiaddr": f"/ipfs/{any_sandbox.store.add_file(tmp_path / 'secret.enc')}",
            "checksum": checksum,
        }
    ).address
    private, public = rsa_keys
    secrets.dataset_key(any_sandbox, "dataset-provider", dataset, key)
    secrets.result_key(any_sandbox, "requester", public)
    match = buy(
        any_sandbox,
        dataset=dataset,
        tag=["tee"],
        mrenclave=MEASUREMENT,
        params={"iexec_result_encryption": True, "iexec_args": "Alice"},
    )
    assert any_sandbox.worker.run_once() == 1
    task = buyer.task.show(match.taskids[0])
    assert (task.status_name, task.dealid, task.idx) == ("COMPLETED", match.dealid, 0)
    results = buyer.task.fetch_results(match.taskids[0])
    saved = results.save(tmp_path / "encrypted.zip")
    assert results.checked is False
    encrypted = saved.read_bytes()
    assert secret not in encrypted
    assert b"Alice" not in encrypted
    plain = utils.decrypt_result(encrypted, private)
    assert members(plain)["result.txt"].startswith(b"Hello, Alice!")
    assert b"begins with 'the secret" in members(plain)["result.txt"]
    utils.decrypt_result_file(saved, tmp_path / "plain.zip", private)
    assert results.check(tmp_path / "plain.zip") is True
    (tmp_path / "other.zip").write_bytes(tampered(plain))
    with pytest.raises(DecodingError, match="is not the result the workers agreed on"):
        results.check(tmp_path / "other.zip")


def test_a_standard_task(any_sandbox: Sandbox, client: Client, buy: Buy, tmp_path: Path) -> None:
    match = buy(any_sandbox, params="Bob")
    buyer, taskid = client(any_sandbox, "requester"), match.taskids[0]
    with pytest.raises(ObjectNotFoundError, match=f"No task found for id {taskid} on chain"):
        buyer.task.fetch_results(taskid)
    assert any_sandbox.worker.run_once() == 1
    results = buyer.task.fetch_results(taskid.upper().replace("0X", "0x"))
    assert results.checked is None
    data = results.read()
    assert members(data)["result.txt"].startswith(b"Hello, Bob!")
    assert b"".join(results) == data
    assert results.checked is None
    path = results.save(tmp_path / "result.zip")
    assert (path.read_bytes(), results.checked) == (data, True)
    with pytest.raises(StateError, match="exists already: say overwrite=True"):
        results.save(path)
    assert results.save(str(path), overwrite=True) == path
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.witness("view: task", by="contracts")
def test_what_a_task_shows(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(sandbox)
    sandbox.worker.run_once()
    taskid = match.taskids[0]
    answer = sandbox.node.rpc.call(sandbox.deployment.hub, HUB.viewTask.encode(taskid))
    raw: Any = HUB.viewTask.decode(answer)
    shown = client(sandbox, "worker-2").task.show(taskid)
    location = shown.results["location"] if shown.results else ""
    assert shown.to_dict() == {
        "taskid": taskid,
        "status": 3,
        "dealid": match.dealid,
        "idx": "0",
        "timeref": str(REFERENCE),
        "contributionDeadline": str(raw["contributionDeadline"]),
        "revealDeadline": str(raw["revealDeadline"]),
        "finalDeadline": str(raw["finalDeadline"]),
        "consensusValue": raw["consensusValue"],
        "revealCounter": "1",
        "winnerCounter": "1",
        "contributors": [accounts.addresses()["worker-1"]],
        "resultDigest": raw["resultDigest"],
        "results": {"storage": "ipfs", "location": location},
        "resultsTimestamp": str(raw["resultsTimestamp"]),
        "resultsCallback": "0x",
        "statusName": "COMPLETED",
        "taskTimedOut": False,
    }
    assert str(location).startswith("/ipfs/Qm")
    wait(sandbox, 10 * REFERENCE)
    assert client(sandbox, "worker-2").task.show(taskid).task_timed_out is False


# --- what a gateway may do ------------------------------------------------------------------------


def tampered(archive: bytes) -> bytes:
    """A sound archive whose result says something else."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, data in members(archive).items():
            file.writestr(name, data.replace(b"Hello", b"Gotcha") if "result" in name else data)
    return target.getvalue()


@pytest.fixture
def completed(sandbox: Sandbox, client: Client, buy: Buy) -> tuple[Any, Path]:
    """The results of a completed task, and the file at the gateway."""
    taskid = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 1
    results = client(sandbox, "requester").task.fetch_results(taskid)
    file = sandbox.store.path(results.location.removeprefix("/ipfs/"))
    assert file is not None
    return results, file


def test_another_result_is_refused_and_kept(completed: Any, tmp_path: Path) -> None:
    results, file = completed
    file.write_bytes(tampered(file.read_bytes()))
    target = tmp_path / "result.zip"
    with pytest.raises(DecodingError, match="is not the result the workers agreed on") as caught:
        results.save(target)
    assert target.read_bytes() == file.read_bytes()
    assert results.checked is None
    assert caught.value.details["expected"] == results.task.result_digest
    assert caught.value.details["digest"] != results.task.result_digest


def test_a_damaged_archive(completed: Any, tmp_path: Path) -> None:
    results, file = completed
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DecodingError):
        results.save(tmp_path / "result.zip")
    assert (tmp_path / "result.zip").read_bytes() == file.read_bytes()


def test_a_result_that_nobody_can_check(completed: Any, tmp_path: Path) -> None:
    results, file = completed
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("result.txt", "no computed.json here")
    results.save(tmp_path / "result.zip")
    assert results.checked is False


def test_a_gateway_without_the_file(sandbox: Sandbox, completed: Any, tmp_path: Path) -> None:
    results, file = completed
    file.unlink()
    with pytest.raises(IpfsGatewayCallError, match="API call error: 404") as caught:
        results.save(tmp_path / "result.zip")
    assert caught.value.retryable is False
    sandbox.server.stop()
    with pytest.raises(IpfsGatewayCallError, match="Failed to download the result") as caught:
        results.read()
    assert caught.value.retryable is True
    assert list(tmp_path.iterdir()) == []  # nothing half
    sandbox.serve(int(sandbox.server.url.rpartition(":")[2]))


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (b"", "No result uploaded for this task"),
        (b"null", "No result uploaded for this task"),
        (b'["ipfs"]', "No result uploaded for this task"),
        (b"\xff\xfe{}", "No result uploaded for this task"),
        (b'{"storage":"dropbox","location":"x"}', "Task result stored on dropbox, download not"),
        (b'{"storage":"ipfs"}', "Missing location key in task results"),
        (b'{"storage":"ipfs","location":7}', "Missing location key in task results"),
        (b'{"storage":"ipfs","location":"@evil.example/x"}', "Missing location key"),
        (b"{}", "download not supported"),
    ],
)
def test_results_that_cannot_be_had(
    sandbox: Sandbox, client: Client, buy: Buy, monkeypatch: Any, stored: bytes, text: str
) -> None:
    monkeypatch.setattr(sandbox.worker, "_link", lambda *_: stored)
    taskid = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 1
    buyer = client(sandbox, "requester")
    assert buyer.task.show(taskid).to_dict()["statusName"] == "COMPLETED"
    with pytest.raises(StateError, match=text):
        buyer.task.fetch_results(taskid)


# --- watch ----------------------------------------------------------------------------------------


def test_watch_every_state(any_sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match, worker = buy(any_sandbox), any_sandbox.worker
    watch = client(any_sandbox, "requester").task.obs_task(match.taskids[0], dealid=match.dealid)
    first = next(watch)
    assert (first.message, first.task.status_name) == ("TASK_UPDATED", "UNSET")
    assert first.task.to_dict() == {
        "taskid": match.taskids[0],
        "status": 0,
        "dealid": match.dealid,
        "statusName": "UNSET",
        "taskTimedOut": False,
    }
    worker._look()
    [task] = worker._open.values()
    worker._initialize(task)
    assert (update := next(watch)).task.status_name == "ACTIVE"
    assert update.message == "TASK_UPDATED"
    with pytest.raises(StateError, match=r"Task is not completed \(status ACTIVE\)"):
        client(any_sandbox, "requester").task.fetch_results(match.taskids[0])
    worker._contribute_until_consensus(task)
    assert next(watch).task.status_name == "REVEALING"
    worker._reveal_and_finalize(task)
    last = next(watch)
    assert (last.message, last.task.status_name) == ("TASK_COMPLETED", "COMPLETED")
    assert list(watch) == []
    assert last.to_dict()["message"] == "TASK_COMPLETED"


def test_watch_without_the_deal(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    taskid = buy(sandbox).taskids[0]
    iexec = client(sandbox, "requester")
    with pytest.raises(LookupError, match="No task found"):
        next(iexec.task.obs_task(taskid))
    with pytest.raises(ObjectNotFoundError, match="No deal found"):
        next(iexec.task.obs_task(taskid, dealid="0x" + "77" * 32))
    with pytest.raises(ValidationError, match="taskid"):
        iexec.task.obs_task("0x12")
    assert sandbox.worker.run_once() == 1
    assert [update.message for update in iexec.task.obs_task(taskid)] == ["TASK_COMPLETED"]


def test_watch_is_closed_or_left(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match, iexec = buy(sandbox), client(sandbox, "requester")
    watch = iexec.task.obs_task(match.taskids[0], dealid=match.dealid)
    for update in watch:
        assert update.message == "TASK_UPDATED"
        threading.Timer(0.3, watch.close).start()
    assert list(watch) == []


def test_a_final_state_is_final(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    """With ``confirms`` the end is told only when a reorganisation cannot take it back."""
    match = buy(sandbox)
    careful = client(sandbox, "requester", confirms=3)
    watch = careful.task.obs_task(match.taskids[0], dealid=match.dealid)
    deal = careful.deal.obs_deal(match.dealid)
    assert next(watch).task.status_name == "UNSET"
    assert next(deal).message == "DEAL_UPDATED"
    assert sandbox.worker.run_once() == 1
    for each in (watch, deal):
        assert each._poll() == (None, False)
    assert careful.task.show(match.taskids[0]).status_name == "COMPLETED"
    sandbox.node.mine()
    assert watch._poll() == (None, False)
    sandbox.node.mine()
    assert [update.message for update in watch] == ["TASK_COMPLETED"]
    assert [update.message for update in deal] == ["DEAL_COMPLETED"]


# --- claim ----------------------------------------------------------------------------------------


@pytest.mark.witness("calldata: claim a task", by="contracts")
def test_claim(any_sandbox: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(any_sandbox)
    iexec, worker, taskid = client(any_sandbox, "requester"), any_sandbox.worker, match.taskids[0]
    person = iexec.wallet.get_address()
    before = iexec.account.check_balance(person)
    with pytest.raises(LookupError, match="No task found"):
        iexec.task.claim(taskid)
    worker._look()
    [task] = worker._open.values()
    worker._initialize(task)
    with pytest.raises(StateError, match="Cannot claim a task before reaching the consensus dead"):
        iexec.task.claim(taskid)
    watch = iexec.task.obs_task(taskid)
    assert next(watch).message == "TASK_UPDATED"
    wait(any_sandbox, 10 * REFERENCE)
    last = next(watch)
    assert (last.message, last.task.status_name) == ("TASK_TIMEDOUT", "TIMEOUT")
    assert list(watch) == []
    tx_hash = iexec.task.claim(taskid)
    receipt = any_sandbox.node.rpc.request("eth_getTransactionReceipt", (tx_hash,))
    assert receipt["status"] == "0x1"
    task_now = iexec.task.show(taskid)
    assert (task_now.status_name, task_now.task_timed_out) == ("FAILED", True)
    after = iexec.account.check_balance(person)
    assert (after.stake - before.stake, after.locked) == (2 * PRICE, 0)
    with pytest.raises(StateError, match="Cannot claim a task having status FAILED"):
        iexec.task.claim(taskid)
    assert [update.message for update in iexec.task.obs_task(taskid)] == ["TASK_FAILED"]


def test_a_completed_task_cannot_be_claimed(sandbox: Sandbox, client: Client, buy: Buy) -> None:
    taskid = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 1
    wait(sandbox, 10 * REFERENCE)
    with pytest.raises(StateError, match="Cannot claim a task having status COMPLETED"):
        client(sandbox, "requester").task.claim(taskid)
