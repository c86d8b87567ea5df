"""The sandbox of today's generation: contracts, services and workers, on the real chain.

What today's JavaScript SDK makes of it is in tests/oracle.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import SandboxError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak, rsa_generate
from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.http import Http
from iexec_lite.protocol.archive import Archive, decrypt_result
from iexec_lite.protocol.authorization import WORKERPOOL, Authorization, read_challenge
from iexec_lite.protocol.contracts import EVENTS, HUB
from iexec_lite.protocol.deployment import DIAMOND
from iexec_lite.sandbox import accounts, deploy, deploy_diamond
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sandbox.progress import Progress
from iexec_lite.sandbox.sms import APP, REQUESTER
from iexec_lite.sandbox.stack import Sandbox

PEOPLE = accounts.addresses()
NULL = "0x" + "0" * 40
Client = Callable[..., IExec]
Buy = Callable[..., Any]


def read(sandbox: Sandbox, method: Any, *args: object) -> Any:
    hub = sandbox.deployment.hub
    return method.decode(sandbox.node.rpc.call(hub, method.encode(*args)))


def map_app(sandbox: Sandbox, code: str) -> str:
    """Let ``code`` be the app with this image name."""
    command = [sys.executable, "-c", f"import json,os,sys;{code}"]
    (sandbox.folder / "apps.json").write_text(json.dumps({"my/app": command}))
    return "my/app"


DONE = (
    "o=os.environ['IEXEC_OUT']; open(o+'/r.txt','w').write(json.dumps(dict(os.environ)));"
    "json.dump({'deterministic-output-path': o+'/r.txt'}, open(o+'/computed.json','w'));"
)


def files_of(iexec: IExec, taskid: str, folder: Path) -> dict[str, str]:
    """Name → text of each file of a result, whose digest is checked."""
    path = folder / f"{taskid}.zip"
    results = iexec.task.fetch_results(taskid)
    results.save(path)
    assert results.check(path)
    with Archive(path) as archive:
        return {each.name: archive.read(each.name, 1 << 20).decode() for each in archive.members}


def events(sandbox: Sandbox, event: Any) -> list[dict[str, Any]]:
    query = {"address": sandbox.deployment.hub, "topics": [event.topic], "fromBlock": "0x0"}
    return [event.decode(entry) for entry in sandbox.node.rpc.request("eth_getLogs", (query,))]


# --- contracts ------------------------------------------------------------------------------------


def test_the_diamond(today: Sandbox) -> None:
    assert today.deployment.hub == "0xe21e80c1442FE2C85Ddecb4f34a71303e1B0524E"
    facets = read(today, DIAMOND.facets)
    assert len(facets) == 14
    assert sum(len(facet["functionSelectors"]) for facet in facets) == 98
    assert read(today, HUB.owner) == PEOPLE["admin"]
    assert read(today, HUB.token) == today.deployment.token
    for kind, registry in today.deployment.registries.items():
        assert read(today, getattr(HUB, f"{kind}registry")) == registry
    assert read(today, HUB.countCategory) == len(deploy.CATEGORIES)
    assert read(today, HUB.callbackgas) == 100_000
    domain = read(today, HUB.domain)
    assert (domain["name"], domain["version"]) == ("iExecODB", "5.0.0")
    assert (domain["chainId"], domain["verifyingContract"]) == (today.chain.id, today.chain.hub)


def test_the_record(today: Sandbox) -> None:
    chain, services = today.chain, today.server.url
    assert (chain.name, chain.rules.name, chain.native) == ("sandbox", "v9", False)
    assert chain.result_proxy is None
    urls = (chain.sms, chain.iexec_gateway, chain.ipfs_gateway, chain.ipfs_node, chain.compass)
    assert set(urls) == {services}
    assert chain.id not in (42161, 421614, kind_of("token").chain_id)


def test_blocks_have_a_base_fee(today: Sandbox) -> None:
    assert int(today.node.rpc.block()["baseFeePerGas"], 16) > 0


def test_a_deployed_chain_is_loaded_next_time(today_kit: Kit, tmp_path: Path) -> None:
    steps: list[str] = []

    class Listener(Progress):
        def step(self, text: str) -> None:
            steps.append(text)

    for _ in range(2):
        node = Node(today_kit.anvil, kind_of("token", 6))
        node.start()
        try:
            found = deploy.prepare(node, today_kit, cache=tmp_path, progress=Listener())
            assert found.hub == deploy_diamond.HUB_ADDRESS
        finally:
            node.stop()
    assert steps == ["Deploying the PoCo contracts (token, PoCo 6)"]


def test_other_contracts_are_noticed(today_kit: Kit) -> None:
    changed = Kit(today_kit.anvil, today_kit.poco)
    diamond = today_kit.contracts["Diamond"]
    changed.contracts["Diamond"] = type(diamond)(diamond.abi, diamond.bytecode[:-2] + "00")
    node = Node(today_kit.anvil, kind_of("token", 6))
    node.start()
    try:
        with pytest.raises(SandboxError, match="the hub came out at"):
            deploy.prepare(node, changed)
        with pytest.raises(SandboxError, match="no hub at"):
            deploy.verify(node)
    finally:
        node.stop()


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_in_one_step(today: Sandbox, client: Client, buy: Buy, tmp_path: Path) -> None:
    match = buy(today, token=False, params={"iexec_args": "Alice"})
    assert today.worker.run_once() == 1
    files = files_of(client(today, "requester"), match.taskids[0], tmp_path)
    assert set(files) == {"computed.json", "result.txt", "stdout.txt"}
    assert files["result.txt"] == "Hello, Alice!\nThis is task 1 of 1.\n"
    (contribution,) = events(today, EVENTS.TaskContribute)
    worker = contribution["worker"]
    assert today.node.rpc.request("eth_getTransactionCount", (worker, "latest")) == "0x1"
    assert today.worker.run_once() == 0
    assert list((today.folder / "tasks").iterdir()) == []


def test_trust_takes_more_workers(today: Sandbox, buy: Buy) -> None:
    buy(today, token=False, trust=3)
    assert today.worker.run_once() == 1
    assert len(events(today, EVENTS.TaskContribute)) == 2
    assert len(events(today, EVENTS.TaskReveal)) == 2


def test_a_callback(today: Sandbox, client: Client, buy: Buy) -> None:
    code = (
        "o=os.environ['IEXEC_OUT'];"
        "json.dump({'callback-data': '0x2a'}, open(o+'/computed.json','w'))"
    )
    match = buy(today, token=False, image=map_app(today, code), callback=PEOPLE["admin"])
    assert today.worker.run_once() == 1
    task = read(today, HUB.viewTask, match.taskids[0])
    assert (task["resultsCallback"], task["resultDigest"]) == (b"\x2a", to_hex(keccak(b"\x2a")))
    stored = {"storage": "ethereum", "location": PEOPLE["admin"].lower()}
    assert json.loads(task["results"]) == stored


def test_what_the_app_is_told(today: Sandbox, client: Client, buy: Buy, tmp_path: Path) -> None:
    url = f"{today.server.url}/ipfs/{today.store.add_bytes(b'input')}"
    params = {
        "iexec_args": "a 'b c'",
        "iexec_input_files": [url],
        "iexec_secrets": {"1": "login", "3": "nobody-knows"},
    }
    match = buy(today, token=False, image=map_app(today, DONE), params=params)
    requester = PEOPLE["requester"].lower()
    deal = client(today, "requester").deal.show(match.dealid)
    today.sms.keep(APP, deal.app.pointer.lower(), "1", "app's", update=False)
    today.sms.keep(REQUESTER, requester, "login", "me", update=False)
    assert today.worker.run_once() == 1
    files = files_of(client(today, "requester"), match.taskids[0], tmp_path)
    seen = json.loads(files["r.txt"])
    assert seen["IEXEC_DEAL_ID"] == match.dealid
    assert seen["IEXEC_TASK_INDEX"] == seen["IEXEC_BOT_TASK_INDEX"] == "0"
    assert seen["IEXEC_DATASET_ADDRESS"] == seen["IEXEC_DATASET_FILENAME"] == NULL
    assert seen["IEXEC_INPUT_FILE_NAME_1"].startswith("0x")
    assert {name: seen[name] for name in seen if "SECRET" in name} == {
        "IEXEC_APP_DEVELOPER_SECRET": "app's",
        "IEXEC_APP_DEVELOPER_SECRET_1": "app's",
        "IEXEC_REQUESTER_SECRET_1": "me",
    }


def test_a_result_counts_however_the_app_ended(
    today: Sandbox, client: Client, buy: Buy, tmp_path: Path
) -> None:
    image = map_app(today, DONE + "print('out'); sys.exit('so so')")
    match = buy(today, token=False, image=image)
    assert today.worker.run_once() == 1
    files = files_of(client(today, "requester"), match.taskids[0], tmp_path)
    assert (files["stdout.txt"], files["stderr.txt"]) == ("out\n", "so so\n")


def test_an_encrypted_result_has_todays_form(
    today: Sandbox, client: Client, buy: Buy, secrets: Any, tmp_path: Path
) -> None:
    private, public = rsa_generate(2048)
    secrets.result_key(today, "requester", public)
    match = buy(today, token=False, params={"iexec_result_encryption": True})
    assert today.worker.run_once() == 1
    found = client(today, "requester").task.fetch_results(match.taskids[0]).read()
    path = tmp_path / "encrypted.zip"
    path.write_bytes(found)
    with Archive(path) as archive:
        assert len(archive.read("aes-key.rsa", 1000)) == 256  # raw, not base64
    assert decrypt_result(found, private).startswith(b"PK")


def test_a_task_without_its_keys_is_given_up(today: Sandbox, client: Client, buy: Buy) -> None:
    match = buy(today, token=False, params={"iexec_result_encryption": True})
    assert today.worker.run_once() == 0
    assert read(today, HUB.viewTask, match.taskids[0])["status"] == 1  # ACTIVE: claimed later


# --- what is told of tasks ------------------------------------------------------------------------


def get(url: str, **headers: str) -> tuple[int, Any]:
    with Http() as http:
        answer = http.request("GET", url, headers=headers)
        return answer.status, json.loads(answer.body)


def authorization(today: Sandbox, signer: KeySigner, of: str | None = None) -> str:
    """What ``signer`` makes of the challenge of an address, its own by default."""
    query = f"address={of or signer.address}&chainId={today.chain.id}"
    _, answer = get(f"{today.chain.compass}/tasks/logs/challenge?{query}")
    challenge = read_challenge(answer, WORKERPOOL, today.chain.id)
    return str(Authorization.of(challenge, signer.sign_typed_data(challenge), signer.address))


def test_the_scheduler_tells_of_a_task(today: Sandbox, client: Client, buy: Buy) -> None:
    code = DONE + "print('said'); print('moaned', file=sys.stderr)"
    match = buy(today, token=False, image=map_app(today, code))
    assert today.worker.run_once() == 1
    pool = client(today, "requester").deal.show(match.dealid).workerpool.pointer
    status, answer = get(f"{today.chain.compass}/{today.chain.id}/workerpools/{pool}")
    assert (status, answer) == (200, {"apiUrl": today.server.url})
    taskid = match.taskids[0]
    url = f"{answer['apiUrl']}/tasks/{taskid}"
    _, told = get(url)
    assert told["currentStatus"] == told["dateStatusList"][-1]["status"] == "COMPLETED"
    (replicate,) = told["replicates"]
    assert replicate["walletAddress"] == PEOPLE["worker-1"]
    assert replicate["currentStatus"] == "COMPLETED"
    assert "appExitCode" not in replicate  # 0
    requester = accounts.signer("requester")
    _, logs = get(f"{url}/logs", Authorization=authorization(today, requester))
    assert logs["computeLogsList"] == [
        {"walletAddress": PEOPLE["worker-1"], "stdout": "said\n", "stderr": "moaned\n"}
    ]


def test_logs_are_the_requesters_alone(today: Sandbox, buy: Buy) -> None:
    taskid = buy(today, token=False).taskids[0]
    assert today.worker.run_once() == 1
    url = f"{today.server.url}/tasks/{taskid}/logs"
    requester, other = accounts.signer("requester"), accounts.signer("beneficiary")
    for header in (
        authorization(today, other),
        authorization(today, requester, of=other.address),  # not the challenge of its own
        "nonsense",
    ):
        assert get(url, Authorization=header)[0] == 401
    assert get(url)[0] == 400
    unknown = f"{today.server.url}/tasks/0x{'11' * 32}"
    assert get(unknown)[0] == 404
    assert get(f"{unknown}/logs", Authorization=authorization(today, requester))[0] == 401


def test_compass_knows_our_pools_only(today: Sandbox, client: Client) -> None:
    stranger = KeySigner.from_key(b"\x77" * 32)
    owner = client(today, "workerpool-owner")
    pool = owner.workerpool.deploy_workerpool(
        {"owner": stranger.address, "description": "another's"}
    ).address
    root = today.chain.compass
    for address in (pool, PEOPLE["admin"], "0x12", "x"):
        assert get(f"{root}/{today.chain.id}/workerpools/{address}")[0] == 404
    assert get(f"{root}/1/workerpools/{pool}")[0] == 404


def test_a_failed_run_is_told_too(today: Sandbox, buy: Buy) -> None:
    image = map_app(today, "print('so far'); sys.exit(3)")
    taskid = buy(today, token=False, image=image).taskids[0]
    assert today.worker.run_once() == 0
    _, told = get(f"{today.server.url}/tasks/{taskid}")
    assert told["currentStatus"] == "FAILED"
    assert told["replicates"][0]["appExitCode"] == 3
    assert told["replicates"][0]["currentStatus"] == "ABORTED"
    assert today.services.history is not None
    assert today.services.history.logs(taskid)[0]["stdout"] == "so far\n"
