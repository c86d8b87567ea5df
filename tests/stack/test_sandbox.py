"""The sandbox on real chains: deployment, worker, background process, demo."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec
from iexec_lite.errors import SandboxError
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.eth.crypto import keccak, rsa_generate
from iexec_lite.net.http import Http
from iexec_lite.net.sms import Sms
from iexec_lite.protocol import cipher
from iexec_lite.protocol.archive import Archive, decrypt_result_file
from iexec_lite.protocol.contracts import HUB, Method
from iexec_lite.sandbox import accounts, commands, deploy
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.processes import command_of
from iexec_lite.sandbox.progress import Progress
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sandbox.worker import Worker
from iexec_lite.sdk.files import FileLock
from iexec_lite.sdk.journal import FileJournal, MemoryJournal
from iexec_lite.sdk.request import STORAGE_TOKENS
from iexec_lite.sdk.transactions import Intent, Transactions

ACTIVE, REVEALING, COMPLETED = 1, 2, 3
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}
WRITE_RESULT = (
    "o=os.environ['IEXEC_OUT'];open(o+'/r.txt','w').write({text});"
    "json.dump({{'deterministic-output-path':o+'/r.txt'}}, open(o+'/computed.json','w'))"
)


def read(sandbox: Sandbox, method: Method, *args: object) -> Any:
    return method.decode(sandbox.node.rpc.call(sandbox.deployment.hub, method.encode(*args)))


def status(sandbox: Sandbox, taskid: str) -> int:
    return int(read(sandbox, HUB.viewTask, taskid)["status"])


def map_app(sandbox: Sandbox, code: str, image: str = "my/app") -> str:
    """Let ``code`` be the app with this image name."""
    command = [sys.executable, "-c", f"import json,os,sys,time;{code}"]
    (sandbox.folder / "apps.json").write_text(json.dumps({image: command}))
    return image


def result_text(iexec: IExec, taskid: str, folder: Path, name: str = "result.txt") -> str:
    """Download, check the digest, and read one file."""
    results = iexec.task.fetch_results(taskid)
    path = results.save(folder / f"{taskid}.zip")
    assert results.checked is True
    with Archive(path) as archive:
        return archive.read(name, 1 << 20).decode()


# -- deployment --------------------------------------------------------------------------------


def test_deployment_is_what_it_should_be(any_sandbox: Sandbox) -> None:
    sandbox = any_sandbox
    assert sandbox.chain.hub == "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
    domain = read(sandbox, HUB.domain)
    assert (domain["name"], domain["version"]) == ("iExecODB", "5.0.0")
    assert domain["chainId"] == sandbox.chain.id == sandbox.node.rpc.chain_id()
    assert read(sandbox, HUB.owner) == accounts.addresses()["admin"]
    assert read(sandbox, HUB.countCategory) == len(deploy.CATEGORIES)
    for index, (name, seconds) in enumerate(deploy.CATEGORIES.items()):
        found = read(sandbox, HUB.viewCategory, index)
        assert (found["name"], found["workClockTimeRef"]) == (name, seconds)
    for kind, address in sandbox.deployment.registries.items():
        assert read(sandbox, getattr(HUB, f"{kind}registry")) == address
    for name, address in accounts.addresses().items():
        staked = read(sandbox, HUB.viewAccount, address)["stake"]
        assert staked == (deploy.STAKE if name.startswith("worker-") else 0)


def test_everybody_has_money(any_sandbox: Sandbox, client: Callable[..., IExec]) -> None:
    for name in accounts.NAMES:
        balances = client(any_sandbox, name).wallet.check_balances(accounts.addresses()[name])
        assert balances.nrlc >= deploy.MEANS
        assert balances.wei >= deploy.GAS_MONEY


@pytest.mark.parametrize("flavour", ["token", "native"])
def test_a_deployed_chain_is_loaded_next_time(kit: Kit, tmp_path: Path, flavour: str) -> None:
    steps: list[str] = []

    class Listener(Progress):
        def step(self, text: str) -> None:
            steps.append(text)

    hashes = []
    for expected in (1, 1):  # deployed once, then only loaded
        node = Node(kit.anvil, kind_of(flavour))
        node.start()
        try:
            found = deploy.prepare(node, kit, cache=tmp_path, progress=Listener())
            assert found.hub == deploy.HUB_ADDRESS
            hashes.append(node.rpc.block()["stateRoot"])
        finally:
            node.stop()
        assert len(steps) == expected
    assert hashes[0] == hashes[1]


def test_a_kept_chain_goes_by_the_clock(kit: Kit, tmp_path: Path) -> None:
    """However old it is: what asks its newest block for the time must not be hours behind."""
    cache = tmp_path / "cache"
    with Sandbox(tmp_path / "first", kit=kit, cache=cache) as sandbox:
        made = int(sandbox.node.rpc.block()["timestamp"], 16)
        before = int(sandbox.node.rpc.block()["number"], 16)
    with Sandbox(tmp_path / "second", kit=kit, cache=cache) as sandbox:
        block = sandbox.node.rpc.block()
    assert int(block["timestamp"], 16) >= max(made, int(time.time()) - 30)
    assert int(block["number"], 16) == before  # one more than the kept chain had


def test_a_damaged_saved_chain_is_made_anew(kit: Kit, tmp_path: Path) -> None:
    chains = tmp_path / "chains"
    chains.mkdir()
    saved = chains / deploy.state_name(kind_of("token"))
    saved.write_text("0x1234")
    node = Node(kit.anvil, kind_of("token"))
    node.start()
    try:
        assert deploy.prepare(node, kit, cache=tmp_path).hub == deploy.HUB_ADDRESS
        assert saved.stat().st_size > 100_000
    finally:
        node.stop()


def test_a_cache_that_cannot_be_written(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "chains").touch()  # a file where a folder should be
    node = Node(kit.anvil, kind_of("native"))
    node.start()
    try:
        assert deploy.prepare(node, kit, cache=tmp_path).hub == deploy.HUB_ADDRESS
    finally:
        node.stop()


def test_other_contracts_are_noticed(kit: Kit) -> None:
    changed = Kit(kit.anvil, kit.poco, kit.factory_path)
    proxy = kit.contracts["ERC1538Proxy"]
    code = proxy.bytecode[:-2] + "00"  # its metadata only: works, but lies elsewhere
    changed.contracts["ERC1538Proxy"] = type(proxy)(proxy.abi, code)
    node = Node(kit.anvil, kind_of("token"))
    node.start()
    try:
        with pytest.raises(SandboxError, match="the hub came out at"):
            deploy.prepare(node, changed)
    finally:
        node.stop()


# -- worker ------------------------------------------------------------------------------------


@pytest.mark.witness(
    "calldata: initialize, contribute, reveal, finalize",
    "result hash and seal",
    "authorization of a worker",
    by="contracts",
)
def test_a_task(any_sandbox: Sandbox, buy: Any, client: Any, tmp_path: Path) -> None:
    match = buy(any_sandbox, params={"iexec_args": "Alice 'and Bob'"})
    taskid = match.taskids[0]
    assert any_sandbox.worker.run_once() == 1
    assert any_sandbox.worker.open_tasks == ()
    assert any_sandbox.worker.run_once() == 0
    requester = client(any_sandbox, "requester")
    task = requester.task.show(taskid)
    assert task.status == COMPLETED
    assert task.contributors == (accounts.addresses()["worker-1"],)
    assert result_text(requester, taskid, tmp_path).startswith("Hello, Alice and Bob!\n")


def test_a_bag_of_tasks(sandbox: Sandbox, buy: Any, client: Any, tmp_path: Path) -> None:
    match = buy(sandbox, volume=3)
    assert sandbox.worker.run_once() == 3
    texts = [
        result_text(client(sandbox, "requester"), taskid, tmp_path)
        for taskid in match.taskids.values()
    ]
    assert [text.splitlines()[1] for text in texts] == [
        f"This is task {i} of 3." for i in (1, 2, 3)
    ]


@pytest.mark.parametrize(("trust", "contributors"), [(1, 1), (2, 1), (4, 2), (5, 3)])
def test_trust(sandbox: Sandbox, buy: Any, trust: int, contributors: int) -> None:
    image = map_app(sandbox, WRITE_RESULT.format(text="'same'"))
    taskid = buy(sandbox, trust=trust, image=image).taskids[0]
    assert sandbox.worker.run_once() == 1
    task = read(sandbox, HUB.viewTask, taskid)
    assert task["status"] == COMPLETED
    assert task["winnerCounter"] == task["revealCounter"] == contributors


def test_results_that_differ_make_no_consensus(sandbox: Sandbox, buy: Any) -> None:
    image = map_app(sandbox, WRITE_RESULT.format(text="str(time.time_ns())"))
    taskid = buy(sandbox, trust=5, image=image).taskids[0]
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == ACTIVE
    assert "do not make a consensus" in heard[-1]
    assert sandbox.worker.open_tasks == ()


@pytest.mark.witness("signature of an enclave", by="contracts")
def test_a_tee_task(sandbox: Sandbox, buy: Any, client: Any, secrets: Any, tmp_path: Path) -> None:
    seller, key = client(sandbox, "dataset-provider"), cipher.generate_encryption_key()
    data = seller.dataset.encrypt(b"the secret", key)
    dataset = seller.dataset.deploy_dataset(
        {
            "owner": seller.wallet.get_address(),
            "name": "secret.txt",
            "multiaddr": f"/ipfs/{sandbox.store.add_bytes(data)}",
            "checksum": cipher.checksum(data),
        }
    ).address
    private, public = rsa_generate(1024)
    secrets.dataset_key(sandbox, "dataset-provider", dataset, key)
    secrets.result_key(sandbox, "requester", public)
    match = buy(
        sandbox,
        dataset=dataset,
        tag=["tee"],
        mrenclave=MEASUREMENT,
        params={"iexec_result_encryption": True},
    )
    assert sandbox.worker.run_once() == 1
    contribution = read(
        sandbox, HUB.viewContribution, match.taskids[0], accounts.addresses()["worker-1"]
    )
    assert int(contribution["enclaveChallenge"], 16) != 0
    results = client(sandbox, "requester").task.fetch_results(match.taskids[0])
    results.save(tmp_path / "encrypted.zip")
    assert results.checked is False  # cannot be, before it is decrypted
    decrypt_result_file(tmp_path / "encrypted.zip", tmp_path / "plain.zip", private)
    assert results.check(tmp_path / "plain.zip") is True
    with Archive(tmp_path / "plain.zip") as archive:
        assert b"begins with 'the secret'" in archive.read("result.txt", 1 << 20)


def test_a_tee_task_without_a_storage_token(sandbox: Sandbox, buy: Any, secrets: Any) -> None:
    """No session, no contribution. The token may come late: a restart looks again."""
    taskid = buy(sandbox, tag=["tee"], mrenclave=MEASUREMENT, token=False).taskids[0]
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == ACTIVE
    assert "no storage token is in the SMS" in heard[-1]
    secrets.storage_token(sandbox, "requester")
    sandbox.worker = sandbox.new_worker()
    assert sandbox.worker.run_once() == 1
    assert status(sandbox, taskid) == COMPLETED


def test_a_standard_task_needs_no_storage_token(sandbox: Sandbox, buy: Any) -> None:
    buy(sandbox, token=False)
    assert sandbox.worker.run_once() == 1


def test_several_enclaves_hand_in_one_result(sandbox: Sandbox, buy: Any) -> None:
    image = map_app(sandbox, WRITE_RESULT.format(text="'same'"))
    taskid = buy(sandbox, tag=["tee"], mrenclave=MEASUREMENT, trust=5, image=image).taskids[0]
    assert sandbox.worker.run_once() == 1
    task = read(sandbox, HUB.viewTask, taskid)
    assert (task["status"], task["winnerCounter"]) == (COMPLETED, 3)
    assert not list((sandbox.folder / "tasks").iterdir())


def test_a_standard_task_gets_the_dataset_as_it_is(
    sandbox: Sandbox, buy: Any, client: Any, tmp_path: Path
) -> None:
    seller = client(sandbox, "dataset-provider")
    data = b"sold as seen"
    dataset = seller.dataset.deploy_dataset(
        {
            "owner": seller.wallet.get_address(),
            "name": "data.txt",
            "multiaddr": f"{sandbox.server.url}/ipfs/{sandbox.store.add_bytes(data)}",
            "checksum": cipher.checksum(data),
        }
    ).address
    match = buy(sandbox, dataset=dataset)
    assert sandbox.worker.run_once() == 1
    text = result_text(client(sandbox, "requester"), match.taskids[0], tmp_path)
    assert "data.txt: 12 bytes, 3 words, begins with 'sold as seen'" in text


@pytest.mark.witness("result digest of callback data", by="contracts")
def test_a_callback(sandbox: Sandbox, buy: Any, kit: Kit) -> None:
    callback = deploy_contract(sandbox, kit.contracts["TestClient"].bytecode)
    image = map_app(
        sandbox,
        "json.dump({'callback-data':'0x'+'00'*31+'2a'},"
        "open(os.environ['IEXEC_OUT']+'/computed.json','w'))",
    )
    taskid = buy(sandbox, image=image, callback=callback).taskids[0]
    assert sandbox.worker.run_once() == 1
    task = read(sandbox, HUB.viewTask, taskid)
    assert task["status"] == COMPLETED
    assert task["resultsCallback"] == bytes(31) + b"\x2a"
    assert task["resultDigest"] == to_hex(keccak(bytes(31) + b"\x2a"))
    expected = f'{{ "storage": "ethereum", "location": "{callback.lower()}" }}'
    assert task["results"] == expected.encode()
    stored = Method("store(bytes32) view returns (bytes)")
    answer = sandbox.node.rpc.call(callback, stored.encode(taskid))
    assert stored.decode(answer) == bytes(31) + b"\x2a"


def test_callback_data_without_a_callback_does_no_harm(sandbox: Sandbox, buy: Any) -> None:
    image = map_app(
        sandbox,
        "o=os.environ['IEXEC_OUT'];open(o+'/r','w').close();"
        "json.dump({'deterministic-output-path':o+'/r','callback-data':'0x01'},"
        "open(o+'/computed.json','w'))",
    )
    taskid = buy(sandbox, image=image).taskids[0]
    assert sandbox.worker.run_once() == 1
    assert status(sandbox, taskid) == COMPLETED


def test_a_task_that_fails_is_left_alone(sandbox: Sandbox, buy: Any, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    image = map_app(sandbox, f"open({str(runs)!r},'a').write('x');sys.exit(1)")
    failing = buy(sandbox, image=image).taskids[0]
    working = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 1
    assert sandbox.worker.run_once() == 0
    assert runs.read_text() == "x"  # once
    assert status(sandbox, failing) == ACTIVE
    assert status(sandbox, working) == COMPLETED


def test_an_unknown_app_ends_in_an_error_result(
    sandbox: Sandbox, buy: Any, client: Any, tmp_path: Path
) -> None:
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    match = buy(sandbox, image="nobody/knows:it")
    assert sandbox.worker.run_once() == 1
    text = result_text(client(sandbox, "requester"), match.taskids[0], tmp_path, "error.txt")
    assert "cause:APP_IMAGE_DOWNLOAD_FAILED" in text
    assert any("add it to apps.json" in line for line in heard)


@pytest.mark.parametrize("operation", ["initialize", "contribute", "reveal", "finalize"])
def test_a_restart_goes_on_where_it_was(
    sandbox: Sandbox, buy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, operation: str
) -> None:
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r},'a').write('x');" + WRITE_RESULT.format(text="'x'")
    taskid = buy(sandbox, image=map_app(sandbox, code)).taskids[0]
    send = Worker._send

    class KilledError(BaseException):
        pass

    def send_or_die(self: Worker, signer: Any, found: str, *rest: Any) -> None:
        if found == operation:
            raise KilledError
        send(self, signer, found, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_send", send_or_die)
        with pytest.raises(KilledError):
            sandbox.worker.run_once()
    sandbox.worker = sandbox.new_worker()
    assert sandbox.worker.run_once() == 1
    assert status(sandbox, taskid) == COMPLETED
    # Before the contribution it is computed again, afterwards what was kept is revealed.
    assert runs.read_text() == ("xx" if operation == "contribute" else "x")
    assert not list((sandbox.folder / "tasks").iterdir())


def test_somebody_elses_pool_is_ignored(sandbox: Sandbox, buy: Any) -> None:
    taskid = buy(sandbox).taskids[0]
    stranger = Worker(
        sandbox.node.rpc,
        sandbox.chain,
        sandbox.worker._compute,
        sandbox.worker._uploads,
        owners=[accounts.signer("requester")],
        workers=[accounts.signer("worker-1")],
        folder=sandbox.folder / "tasks",
    )
    assert stranger.run_once() == 0
    assert stranger.open_tasks == ()
    assert status(sandbox, taskid) == 0


def test_a_worker_without_stake(sandbox: Sandbox, buy: Any, client: Any) -> None:
    worker = client(sandbox, "worker-1")
    worker.account.withdraw(worker.account.check_balance(worker.wallet.get_address()).stake)
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    taskid = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == ACTIVE
    assert "0 nRLC staked, the deal demands 300" in heard[-1]


def test_too_late(sandbox: Sandbox, buy: Any) -> None:
    taskid = buy(sandbox).taskids[0]
    sandbox.node.rpc.request("evm_increaseTime", (7 * deploy.CATEGORIES["XS"],))
    sandbox.node.mine()
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == 0
    assert "contribution deadline has passed" in heard[-1]


def test_too_late_after_a_restart(sandbox: Sandbox, buy: Any, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    image = map_app(sandbox, f"open({str(runs)!r},'a').write('x');sys.exit(1)")
    taskid = buy(sandbox, image=image).taskids[0]
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == ACTIVE
    sandbox.node.rpc.request("evm_increaseTime", (7 * deploy.CATEGORIES["XS"],))
    sandbox.node.mine()
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    assert sandbox.worker.run_once() == 0
    assert "contribution deadline has passed" in heard[-1]
    assert runs.read_text() == "x"  # not run again for nothing


def test_a_category_without_time(sandbox: Sandbox, buy: Any, client: Any) -> None:
    category = client(sandbox, "admin").hub.create_category(
        {"name": "none", "description": "{}", "workClockTimeRef": 0}
    )
    taskid = buy(sandbox, category=int(str(category["catid"]))).taskids[0]
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    assert sandbox.worker.run_once() == 0
    assert status(sandbox, taskid) == 0
    assert "leaves no time to contribute" in heard[-1]


def test_a_deal_with_too_many_tasks(
    sandbox: Sandbox, buy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iexec_lite.sandbox.worker.MAX_TASKS", 2)
    heard: list[str] = []
    sandbox.worker = with_report(sandbox, heard)
    match = buy(sandbox, volume=3)
    assert sandbox.worker.run_once() == 2
    assert "has 3 tasks: only the first 2" in heard[0]
    assert status(sandbox, match.taskids[2]) == 0


def test_an_odd_deal_does_not_keep_the_others_waiting(
    sandbox: Sandbox, buy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = buy(sandbox)
    good = buy(sandbox)
    take = Worker._take

    def refuse(self: Worker, dealid: str) -> None:
        if dealid == odd.dealid:
            raise SandboxError("cannot be read")
        take(self, dealid)

    monkeypatch.setattr(Worker, "_take", refuse)
    assert sandbox.worker.run_once() == 1
    assert status(sandbox, good.taskids[0]) == COMPLETED


def test_a_chain_that_was_set_back(sandbox: Sandbox, buy: Any) -> None:
    snapshot = sandbox.node.rpc.request("evm_snapshot")
    buy(sandbox)
    assert sandbox.worker.run_once() == 1
    assert sandbox.node.rpc.request("evm_revert", (snapshot,)) is True
    assert sandbox.worker.run_once() == 0
    taskid = buy(sandbox).taskids[0]
    assert sandbox.worker.run_once() == 1
    assert status(sandbox, taskid) == COMPLETED


def with_report(sandbox: Sandbox, heard: list[str]) -> Worker:
    sandbox._report = heard.append
    try:
        return sandbox.new_worker()
    finally:
        sandbox._report = None


def deploy_contract(sandbox: Sandbox, bytecode: str) -> str:
    signer = accounts.signer("admin")
    transactions = Transactions(sandbox.node.rpc, sandbox.chain, signer, journal=MemoryJournal())
    intent = Intent(chain_id=sandbox.chain.id, sender=signer.address, operation="test")
    return str(transactions.send(intent, None, from_hex(bytecode)).receipt["contractAddress"])


# -- the command line --------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit: Kit) -> Iterator[Path]:
    """A user's data folder of its own; whatever is running in it at the end is stopped."""
    monkeypatch.setenv("IEXEC_LITE_HOME", str(tmp_path / "home"))
    yield tmp_path / "home" / "sandbox"
    cli("down")


def cli(*arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iexec_lite", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=check)


def raw(*arguments: str) -> Any:
    found = cli(*arguments, "--raw")
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def service(home: Path) -> dict[str, Any]:
    found = json.loads((home / "service.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("flavour", ["token", "native"])
def test_up_status_down(home: Path, flavour: str) -> None:
    assert raw("status")["running"] is False
    port = free_port()
    first = raw("up", "--flavour", flavour, "--port", str(port))
    assert first["running"] is True
    assert first["host"] == f"http://127.0.0.1:{port}"
    assert first["hub"] == deploy.HUB_ADDRESS
    base = f"http://127.0.0.1:{urlsplit(first['ipfsGateway']).port}"
    assert [first[name] for name in ("sms", "resultProxy", "iexecGateway", "ipfsGateway")] == [
        f"{base}/sms",
        f"{base}/result",
        f"{base}/market",
        base,
    ]
    with urllib.request.urlopen(f"{base}/sms/up", timeout=30) as answer:
        assert answer.read().startswith(b"Up! (")
    assert raw("status") == first == raw("up", "--flavour", flavour)
    other = "native" if flavour == "token" else "token"
    refused = cli("up", "--flavour", other)
    assert refused.returncode == 1
    assert f"a sandbox ({flavour}, PoCo 5) is running" in refused.stderr
    pids = [service(home)[name] for name in ("pid", "anvilPid")]
    assert all(command_of(pid) for pid in pids)
    assert raw("down")["stopped"] is True
    assert not any("iexec_lite" in command_of(pid) or "anvil" in command_of(pid) for pid in pids)
    assert raw("status")["running"] is False
    assert raw("down")["stopped"] is False
    assert not (home / "chain.json").exists()


def test_up_of_todays_generation(home: Path) -> None:
    first = raw("up", "--generation", "6")
    assert (first["generation"], first["flavour"]) == (6, "token")
    assert "resultProxy" not in first
    services = {first[name] for name in ("sms", "iexecGateway", "ipfsGateway", "ipfsNode")}
    assert services == {first["compass"]}  # one root: clients of today keep the host only
    assert raw("up", "--generation", "6") == first
    for options in ((), ("--flavour", "native", "--generation", "5")):
        refused = cli("up", *options)
        assert refused.returncode == 1
        assert "a sandbox (token, PoCo 6) is running: stop it first" in refused.stderr
    with IExec("sandbox") as iexec:
        assert iexec.chain.rules.name == "v9"
        assert iexec.chain.result_proxy is None
    assert raw("down")["stopped"] is True
    assert (home / "token-6.state").exists()
    assert raw("up", "--generation", "6")["chainId"] == first["chainId"]
    with IExec("sandbox") as iexec:  # the chain of last time
        assert iexec.hub.count_category() == len(deploy.CATEGORIES)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--flavour", "native"), "there is no native chain of generation 6"),
        (("--flavour", "enterprise"), "there is no enterprise chain of generation 6"),
        (("--bridge",), "a bridge begins on a token chain"),
    ],
)
def test_what_todays_generation_has_not(home: Path, options: Sequence[str], why: str) -> None:
    for command in ("up", "demo") if options[0] == "--flavour" else ("up",):
        refused = cli(command, "--generation", "6", *options)
        assert refused.returncode == 1
        assert why in refused.stderr
    assert not home.exists()


class Running:
    """Of the sandbox in the background, what the fixtures look at."""

    def __init__(self, iexec: IExec) -> None:
        self.chain = iexec.chain


def test_the_chain_goes_on_after_a_stop(home: Path, secrets: Any) -> None:
    def blocks() -> int:
        with IExec("sandbox") as iexec:
            return int(str(iexec._context.block()["number"]), 16)

    def has_token() -> bool:
        with IExec("sandbox") as iexec, Http() as http:
            sms = Sms(http, str(iexec.chain.sms))
            path = iexec.chain.rules.sms_user_path
            return sms.exists(path, address=address, name=STORAGE_TOKENS["ipfs"])

    def offers() -> list[str]:
        with IExec("sandbox") as iexec:
            book = iexec.orderbook.fetch_workerpool_orderbook(category=0)
            return [each.order_hash for each in book]

    raw("up", "--port", str(free_port()))
    with IExec("sandbox", accounts.signer("requester")) as iexec:
        assert iexec.network.get_network().is_native is False
        iexec.account.deposit("5 RLC")
        secrets.storage_token(Running(iexec), "requester")
        pool = {"owner": iexec.wallet.get_address(), "description": "pool"}
        order = iexec.order.create_workerpoolorder(
            iexec.workerpool.deploy_workerpool(pool).address, 0
        )
        published = iexec.order.publish_workerpoolorder(iexec.order.sign_workerpoolorder(order))
        before = blocks()
    raw("down")
    raw("up", "--port", str(free_port()))
    address = accounts.addresses()["requester"]
    assert has_token()
    assert offers() == [published]
    assert blocks() >= before
    with IExec("sandbox") as iexec:
        assert iexec.account.check_balance(address).stake == 5 * 10**9
    raw("down")
    raw("up", "--port", str(free_port()), "--fresh")
    with IExec("sandbox") as iexec:
        assert iexec.account.check_balance(address).stake == 0
    assert not has_token()
    assert offers() == []


def test_a_fresh_chain_has_no_past(home: Path) -> None:
    """The same bytes, sent on the old chain and on the new one."""
    sent = []
    for more in ([], ["--fresh"]):
        raw("up", "--port", str(free_port()), *more)
        with IExec("sandbox", accounts.signer("requester"), journal=FileJournal()) as iexec:
            sent.append(iexec.wallet.send_eth(1, accounts.addresses()["admin"]))
        raw("down")
    assert sent[0] == sent[1]


def test_the_background_worker_works(home: Path, buy: Any) -> None:
    raw("up", "--port", str(free_port()))
    with IExec("sandbox") as iexec:
        match = buy(Running(iexec))
        watch = iexec.task.obs_task(match.taskids[0], dealid=match.dealid, patience=60)
        assert [update.task.status_name for update in watch][-1] == "COMPLETED"


def test_a_port_in_use(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = cli("up", "--port", str(port))
    assert found.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in found.stderr
    assert raw("status")["running"] is False


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_service_that_was_killed(home: Path) -> None:
    raw("up", "--port", str(free_port()))
    state = service(home)
    with IExec("sandbox", accounts.signer("requester")) as iexec:
        iexec.account.deposit("5 RLC")
    os.kill(state["pid"], signal.SIGKILL)
    wait_until(lambda: raw("status")["running"] is False)
    assert "anvil" in command_of(state["anvilPid"])  # an orphan
    assert raw("up", "--port", str(free_port()))["running"] is True
    assert "anvil" not in command_of(state["anvilPid"])
    assert service(home)["pid"] != state["pid"]
    with IExec("sandbox") as iexec:  # its chain was kept
        assert iexec.account.check_balance(accounts.addresses()["requester"]).stake == 5 * 10**9


def test_two_at_once(home: Path) -> None:
    command = [sys.executable, "-m", "iexec_lite", "sandbox", "up", "--raw", "--flavour"]
    both = [
        subprocess.Popen([*command, flavour], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for flavour in ("token", "native")
    ]
    texts = [b"".join(child.communicate(timeout=60)).decode() for child in both]
    assert sorted(child.returncode for child in both) == [0, 1], texts
    winner, loser = texts if both[0].returncode == 0 else reversed(texts)
    flavour = json.loads(winner)["flavour"]
    assert f"a sandbox ({flavour}, PoCo 5) is running" in loser
    assert raw("status")["flavour"] == flavour


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_bridge_on_request(home: Path) -> None:
    """Two chains that know each other by name; both go on after a stop, and after a kill."""
    up = ("up", "--bridge", "--port", str(free_port()))
    assert raw(*up)["chains"] == ["sandbox", "sandbox-native"]
    refused = cli("up")
    assert refused.returncode == 1
    assert "a sandbox (token, PoCo 5) is running with a bridge" in refused.stderr
    me = accounts.addresses()["requester"]
    with IExec("sandbox", accounts.signer("requester")) as iexec:
        before = iexec.wallet.check_bridged_balances(me).nrlc
        assert iexec.wallet.bridge_to_sidechain("5 RLC", timeout=60).receive_tx_hash
    assert cli("down").returncode == 0
    raw(*up)
    with IExec("sandbox-native") as iexec:
        assert iexec.wallet.check_balances(me).nrlc == before + 5 * 10**9
    state = service(home)
    os.kill(state["pid"], signal.SIGKILL)
    wait_until(lambda: raw("status")["running"] is False)
    cli("down")
    for pid in (state["anvilPid"], state["bridged"]["anvilPid"]):
        assert "anvil" not in command_of(pid)
    refused = cli("up", "--flavour", "native", "--bridge")
    assert refused.returncode == 1
    assert "a bridge begins on a token chain" in refused.stderr


def test_down_ends_a_running_app_and_keeps_the_chain(home: Path, buy: Any, tmp_path: Path) -> None:
    raw("up", "--port", str(free_port()))
    begun = tmp_path / "begun"
    code = f"import os,time; open({str(begun)!r},'w').write(str(os.getpid())); time.sleep(100)"
    (home / "apps.json").write_text(json.dumps({"my/app": [sys.executable, "-c", code]}))
    with IExec("sandbox") as iexec:
        buy(Running(iexec), image="my/app")
    wait_until(lambda: begun.exists() and begun.read_text() != "")
    start = time.monotonic()
    assert raw("down")["stopped"] is True
    assert time.monotonic() - start < 15
    assert (home / "token.state").exists()
    assert "begun" not in command_of(int(begun.read_text()))
    assert not list((home / "runs").iterdir())


def test_a_service_file_that_makes_no_sense(home: Path) -> None:
    home.mkdir(parents=True)
    for text in ('{"pid":', "[]", "{}"):
        (home / "service.json").write_text(text)
        assert commands.status().running is False
        assert commands.down() is False


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(home: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "iexec_lite", "sandbox", "up", "--port", str(free_port())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        assert "Starting" in up.stderr.readline()
        wait_until((home / "service.log").exists)
        up.send_signal(number)
        assert "Interrupted" in up.stderr.read()
        assert up.wait(20) == 1
    lock = FileLock(home / "service.lock")
    assert lock.acquire()
    lock.release()
    assert not (home / "service.json").exists()


def test_only_who_knows_the_token_can_stop_it(home: Path) -> None:
    raw("up", "--port", str(free_port()))
    url = service(home)["services"] + "/control/stop"
    for headers in ({}, {"X-Sandbox-Token": "guess"}):
        request = urllib.request.Request(url, method="POST", headers=headers, data=b"")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        caught.value.close()
        assert caught.value.code == 403
    assert raw("status")["running"] is True


@pytest.mark.parametrize(
    "options",
    [
        ("--flavour", "token"),
        ("--flavour", "native"),
        ("--flavour", "enterprise"),
        ("--generation", "6"),
    ],
)
def test_demo(home: Path, options: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")  # a pipe in a plain environment
    found = cli("demo", *options)
    assert found.returncode == 0, found.stderr
    story = found.stdout + found.stderr
    assert "Hello, Alice!" in story
    assert "begins with 'name;balance'" in story
    assert "requester: -13.0 RLC" in story
    assert ("IEXEC_REQUESTER_SECRET_1: 16 characters" in story) is ("6" in options)
    wide = [line for line in story.splitlines() if len(line) > 80]
    assert wide == []
    assert not home.exists()  # a sandbox of its own


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", ["A private chain", "A worker does the task"])
def test_an_interrupted_demo_leaves_nothing(
    home: Path, tmp_path: Path, number: signal.Signals, words: str
) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONUNBUFFERED": "1"}
    (tmp_path / "tmp").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "iexec_lite", "sandbox", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as demo:
        assert demo.stdout is not None
        node = ""
        for line in demo.stdout:
            if "node http" in line:
                node = line.partition("node ")[2].strip()
            if words in line and (node or words != "A worker does the task"):
                if not node:
                    node = demo.stdout.readline().partition("node ")[2].strip()
                demo.send_signal(number)
                break
        rest = demo.stdout.read()
        assert demo.wait(20) != 0, rest
    assert "Traceback" not in rest
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(OSError):  # noqa: PT011 # refused: nobody listens any more
        socket.create_connection(("127.0.0.1", int(node.rpartition(":")[2])), timeout=1)


def test_a_demo_that_nobody_reads_any_more(home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "iexec_lite", "sandbox", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if "is taken on" in line:  # from now on it is the worker's thread that writes
                break
        demo.stdout.close()
        words = demo.stderr.read()
        assert demo.wait(20) == 1
    assert "Traceback" not in words
    assert not list(tmp_path.glob("iexec-demo-*"))


def wait_until(condition: Callable[[], bool], limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
