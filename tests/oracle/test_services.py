"""The JavaScript SDK V6, unchanged, at the sandbox's SMS, result proxy and gateway.

It is the second witness of what the services and ours exchange: challenges, signatures, statuses,
texts, and the archive that our worker encrypts and hands in.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.net.http import Http
from iexec_lite.protocol import cipher
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.runner import SAMPLE_IMAGE
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sandbox.uploads import Uploads

from .conftest import js_chain

PRICE = 1000
MEASUREMENT = {
    "provider": "SCONE",
    "version": "v5",
    "entrypoint": "python /app/app.py",
    "heapSize": 1073741824,
    "fingerprint": "00" * 32,
}
Ask = Callable[..., Any]


@pytest.fixture
def encrypted(sandbox: Sandbox, py: Any) -> tuple[str, str]:
    """Address and key of an encrypted dataset."""
    seller = py("dataset-provider")
    key = seller.dataset.generate_encryption_key()
    data = seller.dataset.encrypt(b"the secret", key)
    found = seller.dataset.deploy_dataset(
        {
            "owner": seller.wallet.get_address(),
            "name": "secret.txt",
            "multiaddr": f"/ipfs/{sandbox.store.add_bytes(data)}",
            "checksum": cipher.checksum(data),
        }
    )
    return found.address, key


def refused(words: str) -> Any:
    return pytest.raises(Exception, match=re.escape(words))


def test_dataset_secrets(js: Ask, sandbox: Sandbox, encrypted: tuple[str, str]) -> None:
    dataset, key = encrypted
    owner, stranger = "dataset-provider", "requester"
    assert js(stranger, "dataset.checkDatasetSecretExists", dataset) is False
    who = accounts.addresses()[stranger]
    with refused(f"Wallet {who} is not allowed to set secret for {dataset}"):
        js(stranger, "dataset.pushDatasetSecret", dataset, key)
    with refused("is not allowed to set secret for"):
        js(stranger, "dataset.pushDatasetSecret", accounts.addresses()["worker-1"], key)
    assert js(owner, "dataset.pushDatasetSecret", dataset, key) is True
    assert js(stranger, "dataset.checkDatasetSecretExists", dataset) is True
    assert sandbox.sms.dataset_key(dataset) == key
    with refused(f"Secret already exists for {dataset} and can't be updated"):
        js(owner, "dataset.pushDatasetSecret", dataset, "another")


def test_result_encryption_keys(js: Ask, sandbox: Sandbox) -> None:
    who, exists = accounts.addresses()["requester"], "result.checkResultEncryptionKeyExists"
    push = "result.pushResultEncryptionKey"
    assert js("worker-1", exists, who) is False
    text = "unité ☂ 😀\n"
    assert js("requester", push, text) == {"isPushed": True, "isUpdated": False}
    assert sandbox.sms.result_key(who) == text
    assert js("worker-1", exists, who) is True
    with refused(f'Secret "iexec-result-encryption-public-key" already exists for {who}'):
        js("requester", push, "x")
    again = {"forceUpdate": True}
    assert js("requester", push, "new", again) == {"isPushed": True, "isUpdated": True}
    assert sandbox.sms.result_key(who) == "new"
    assert js("worker-1", push, "own", again) == {"isPushed": True, "isUpdated": False}
    with refused("SMS answered with unexpected status: 400 Bad Request"):
        js("worker-2", push, "")


def test_storage_login_and_token(js: Ask, sandbox: Sandbox) -> None:
    who = accounts.addresses()["requester"]
    token = js("requester", "storage.defaultStorageLogin")
    head, claims, end = token.split(".")
    assert json.loads(base64.b64decode(head + "=" * (-len(head) % 4))) == {"alg": "none"}
    assert json.loads(base64.b64decode(claims + "=" * (-len(claims) % 4)))["aud"] == who
    assert end == ""
    assert js("requester", "storage.defaultStorageLogin") == token
    with Http() as http:  # our client gets the same one
        proxy = Uploads(str(sandbox.chain.result_proxy), sandbox.chain.id, http)
        assert proxy.login(accounts.signer("requester")) == token
    assert js("worker-1", "storage.defaultStorageLogin") != token
    exists = "storage.checkStorageTokenExists"
    assert js("worker-1", exists, who) is False
    pushed = js("requester", "storage.pushStorageToken", token)
    assert pushed == {"isPushed": True, "isUpdated": False}
    assert sandbox.sms.storage_token(who) == token
    assert js("worker-1", exists, who) is True
    assert js("worker-1", exists, who, {"provider": "dropbox"}) is False
    with refused("already exists"):
        js("requester", "storage.pushStorageToken", token)
    pushed = js("requester", "storage.pushStorageToken", token, {"forceUpdate": True})
    assert pushed == {"isPushed": True, "isUpdated": True}
    dropbox = {"provider": "dropbox"}
    assert js("requester", "storage.pushStorageToken", "abc", dropbox)["isUpdated"] is False


@pytest.mark.witness("gateway: download of a result", "result archive of V6", by="js")
def test_a_confidential_purchase(
    oracle: Any, js: Ask, py: Any, sandbox: Sandbox, encrypted: tuple[str, str]
) -> None:
    """All of it from JavaScript, but the worker: secrets, orders, deal, result."""
    people, (dataset, key) = accounts.addresses(), encrypted
    app = js(
        "app-provider",
        "app.deployApp",
        {
            "owner": people["app-provider"],
            "name": "sample",
            "type": "DOCKER",
            "multiaddr": SAMPLE_IMAGE,
            "checksum": "0x" + "00" * 32,
            "mrenclave": MEASUREMENT,
        },
    )["address"]
    pool = js(
        "workerpool-owner",
        "workerpool.deployWorkerpool",
        {"owner": people["workerpool-owner"], "description": "pool"},
    )["address"]
    js("requester", "account.deposit", 3 * PRICE)
    js("workerpool-owner", "account.deposit", PRICE)
    tag = ["tee"]
    orders = {
        "app": ("app-provider", {"app": app, "appprice": PRICE, "tag": tag}),
        "dataset": ("dataset-provider", {"dataset": dataset, "datasetprice": PRICE, "tag": tag}),
        "workerpool": (
            "workerpool-owner",
            {"workerpool": pool, "workerpoolprice": PRICE, "category": 0, "tag": tag},
        ),
    }
    four = {}
    for kind, (name, values) in orders.items():
        order = js(name, f"order.create{kind.capitalize()}order", values)
        four[f"{kind}order"] = js(name, f"order.sign{kind.capitalize()}order", order)
    wanted = {
        "app": app,
        "dataset": dataset,
        "workerpool": pool,
        "category": 0,
        "tag": tag,
        "appmaxprice": PRICE,
        "datasetmaxprice": PRICE,
        "workerpoolmaxprice": PRICE,
        "params": {"iexec_args": "Alice", "iexec_result_encryption": True},
    }
    request = js("requester", "order.createRequestorder", wanted)
    assert request["params"]["iexec_result_storage_proxy"] == sandbox.chain.result_proxy

    with refused("Beneficiary result encryption key is not set in the SMS"):
        js("requester", "order.signRequestorder", request)
    private, public = rsa_generate(2048)
    pem = base64.b64encode(public.encode()).decode()
    js("requester", "result.pushResultEncryptionKey", pem)
    with refused("Requester storage token is not set for selected provider"):
        js("requester", "order.signRequestorder", request)
    token = js("requester", "storage.defaultStorageLogin")
    js("requester", "storage.pushStorageToken", token)
    js("dataset-provider", "dataset.pushDatasetSecret", dataset, key)
    four["requestorder"] = js("requester", "order.signRequestorder", request)
    deal = js("requester", "order.matchOrders", four)["dealid"]
    taskid = js("requester", "deal.computeTaskId", deal, 0)

    assert sandbox.worker.run_once() == 1
    assert js("requester", "task.show", taskid)["statusName"] == "COMPLETED"
    chain = js_chain(sandbox, "requester")
    downloaded = oracle.ask("results", chain=chain, taskid=taskid)
    assert base64.b64decode(downloaded) == py("requester").task.fetch_results(taskid).read()
    plain = base64.b64decode(oracle.ask("decryptResult", archive=downloaded, key=private))
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        text = archive.read("result.txt").decode()
    assert text.startswith("Hello, Alice!")
    assert "begins with 'the secret'" in text


def test_services_that_are_gone(oracle: Any, js: Ask, sandbox: Sandbox) -> None:
    """In the SDK's words, with the server stopped; it comes back on its port."""
    who = accounts.addresses()["requester"]
    sandbox.server.stop()
    try:
        with refused(f"SMS at {sandbox.chain.sms} didn't answered"):
            js("requester", "result.checkResultEncryptionKeyExists", who)
        with refused("Failed to get authorization"):
            js("requester", "storage.defaultStorageLogin")
    finally:
        sandbox.serve(int(sandbox.server.url.rpartition(":")[2]))
    assert js("requester", "result.checkResultEncryptionKeyExists", who) is False
