"""The check of a request: which secrets are asked of the SMS, and what is said without them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import (
    ConfigurationError,
    ObjectNotFoundError,
    SmsCallError,
    StateError,
    ValidationError,
)
from iexec_lite.frozen import replace
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.matching import OrderSet
from iexec_lite.protocol.orders import (
    Apporder,
    Datasetorder,
    SignedApporder,
    SignedDatasetorder,
    SignedWorkerpoolorder,
    Workerpoolorder,
    create_requestorder,
)
from iexec_lite.protocol.rules import V6, V9
from iexec_lite.sdk.request import check_match, check_order, check_request

KEY = "0x" + "11" * 32
ME = KeySigner.from_key(KEY).address
OTHER = "0x" + "77" * 20
APP, DATASET = "0x" + "22" * 20, "0x" + "33" * 20
HUB = "0x" + "44" * 20
KEY_OF_RESULTS = "iexec-result-encryption-public-key"


class Sms(ThreadingHTTPServer):
    """Knows the secrets whose paths are in ``known``; or answers ``status`` to everything."""

    daemon_threads = True

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asked: list[str] = []
        self.status = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                server.asked.append(self.path)
                self.send_response_only(
                    server.status or (204 if self.path in server.known else 404)
                )
                self.end_headers()

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def sms() -> Iterator[Sms]:
    server = Sms()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(sms: Sms) -> Iterator[Any]:
    """``client(rules)``: a client whose node is never asked, on a network of these rules."""
    made: list[IExec] = []

    def make(rules: Any = V6, url: str | None = None) -> IExec:
        chain = Chain(id=4242, name="test", hub=HUB, result_proxy="https://p.org", rules=rules)
        made.append(IExec("http://127.0.0.1:1", KEY, chain=chain, sms_url=url or sms.url))
        return made[-1]

    yield make
    for iexec in made:
        iexec.close()


def web2(owner: str, name: str) -> str:
    return f"/secrets/web2?ownerAddress={owner}&secretName={name}"


def order(iexec: IExec, **fields: Any) -> Any:
    return iexec.order.create_requestorder(APP, 0, **fields)


def check(iexec: IExec, **fields: Any) -> None:
    check_request(iexec._context, order(iexec, **fields))


def test_the_storage_token_of_the_requester(client: Any, sms: Sms) -> None:
    iexec = client()
    token = web2(ME, "iexec-result-iexec-ipfs-token")
    with pytest.raises(StateError) as caught:
        check(iexec, beneficiary=OTHER)
    assert caught.value.message == (
        'Requester storage token is not set for selected provider "ipfs". '
        f"Result archive upload will fail. (requester {ME}, who has to push one: "
        "storage.push_storage_token, iexec-lite storage init)"
    )
    sms.known = {token}
    check(iexec, beneficiary=OTHER)
    assert sms.asked == [token, token]


def test_dropbox(client: Any, sms: Sms) -> None:
    fields = {"tag": ["tee"], "params": {"iexec_result_storage_provider": "dropbox"}}
    for rules in (V6, V9):
        iexec = client(rules)
        with pytest.raises(StateError, match='provider "dropbox"'):
            check(iexec, **fields)
    assert sms.asked == [web2(ME, "iexec-result-dropbox-token")] * 2


def test_the_result_key_of_the_beneficiary(client: Any, sms: Sms) -> None:
    iexec = client()
    sms.known = {web2(ME, "iexec-result-iexec-ipfs-token")}
    with pytest.raises(StateError) as caught:
        check(iexec, beneficiary=OTHER, params={"iexec_result_encryption": True})
    assert caught.value.message == (
        "Beneficiary result encryption key is not set in the SMS. Result encryption will fail. "
        f"(beneficiary {OTHER}, who has to push one: result.push_result_encryption_key, "
        "iexec-lite result push-encryption-key)"
    )
    sms.known |= {web2(OTHER, KEY_OF_RESULTS)}
    check(iexec, beneficiary=OTHER, params={"iexec_result_encryption": True})
    check(iexec, beneficiary=OTHER, params={"iexec_result_encryption": False})
    assert sms.asked.count(web2(OTHER, KEY_OF_RESULTS)) == 2


def test_nothing_is_asked_where_nothing_is_stored(client: Any, sms: Sms) -> None:
    check(client(), callback=OTHER)
    assert sms.asked == []


def test_signing_asks_first(client: Any, sms: Sms) -> None:
    iexec = client()
    with pytest.raises(StateError, match="storage token is not set") as caught:
        iexec.order.sign_requestorder(order(iexec))
    assert caught.value.details == {"check": "request"}
    assert sms.asked


def test_an_error_says_what_was_checked(client: Any, sms: Sms) -> None:
    context = client(V9)._context
    context.registry = {"app": OTHER}.__getitem__
    context.read_many = lambda *_: [True, b"{}"]
    app, dataset = Apporder(app=APP), Datasetorder(dataset=DATASET, tag="0x" + "00" * 31 + "01")
    for each, check in ((app, "app"), (dataset, "dataset")):
        with pytest.raises(StateError) as caught:
            check_order(context, each)
        assert caught.value.details == {"check": check}
    context.read_many = lambda *_: [False, b"{}"]
    with pytest.raises(ObjectNotFoundError) as missing:
        check_order(context, app)
    assert missing.value.details["check"] == "app"
    check_order(context, Datasetorder(dataset=DATASET))  # it is not encrypted
    check_order(context, Workerpoolorder(workerpool=APP, category=0))  # nothing is asked of it
    sms.known = {f"/secrets/web3?secretAddress={DATASET}"}
    check_order(context, dataset)


def test_params_that_workers_do_not_understand(client: Any, sms: Sms) -> None:
    iexec = client()
    loose = {**order(iexec).to_dict(), "params": '{"iexec_args":"x"}'}
    with pytest.raises(ValidationError, match="iexec_result_storage_provider is a required field"):
        iexec.order.sign_requestorder(loose)
    for params in ("[]", "7", '{"iexec_result_storage_provider":"ftp"}', '{"other":1}'):
        with pytest.raises(ValidationError):
            iexec.order.sign_requestorder({**loose, "params": params})
    assert sms.asked == []


def test_what_counts_for_a_match_is_the_tag_of_the_deal(client: Any, sms: Sms) -> None:
    """The dataset is decrypted in an enclave that the app alone has asked for."""
    context = client(V9)._context
    context.registry = lambda _: OTHER
    context.read_many = lambda *_: [True, b""]
    plain, tee = "0x" + "00" * 32, "0x" + "00" * 31 + "09"
    salt: Any = {"salt": plain, "sign": "0x"}
    given = {"app": APP, "category": 0, "requester": ME, "dataset": DATASET, "tag": plain}
    asking = create_requestorder(**given, result_proxy="https://p", rules=V9, tag_as_given=True)
    bundle = OrderSet(
        SignedApporder(app=APP, tag=tee, **salt),
        SignedDatasetorder(dataset=DATASET, **salt),
        SignedWorkerpoolorder(workerpool=OTHER, category=0, **salt),
        asking.salted(bytes(32)),
    )
    with pytest.raises(StateError, match=r"^Dataset encryption key is not set") as caught:
        check_match(context, bundle)
    assert caught.value.details == {"check": "dataset"}
    check_match(context, bundle._replace(apporder=replace(bundle.apporder, tag=plain)))
    sms.known = {f"/secrets/web3?secretAddress={DATASET}"}
    check_match(context, bundle)


def test_todays_networks_ask_for_the_dataset_and_the_requesters_secrets(
    client: Any, sms: Sms
) -> None:
    iexec = client(V9)
    app: list[object] = [True, b""]  # registered, and without an MREnclave
    iexec._context.registry = lambda _: OTHER
    iexec._context.read_many = lambda *_: app
    fields = {"dataset": DATASET, "params": {"iexec_secrets": {"1": "my-secret", "2": "b"}}}
    with pytest.raises(StateError) as caught:
        check(iexec, **fields)
    assert caught.value.message == (
        f"Dataset encryption key is not set for dataset {DATASET} in the SMS. "
        "Dataset decryption will fail. (its owner's dataset.push_dataset_secret sets it, "
        "iexec-lite dataset push-secret)"
    )
    sms.known = {f"/secrets/web3?secretAddress={DATASET}"}
    with pytest.raises(StateError) as caught:
        check(iexec, **fields)
    assert caught.value.message == (
        f'Requester secret "my-secret" is not set for requester {ME} in the SMS. '
        "Requester secret provisioning will fail. (who has to push one: "
        "secrets.push_requester_secret, iexec-lite requester push-secret)"
    )
    sms.known |= {f"/requesters/{ME}/secrets/{name}" for name in ("my-secret", "b")}
    check(iexec, **fields)
    assert not any("ipfs" in path for path in sms.asked)
    with pytest.raises(ValidationError, match="'my secret' is no name of a secret"):
        check(iexec, params={"iexec_secrets": {"1": "my secret"}})
    app[1] = b'{"provider":"SCONE"}'
    with pytest.raises(StateError) as caught:
        check(iexec, **fields)
    assert caught.value.message == f"App {APP} has an MREnclave, which is no longer supported"
    app[0] = False
    with pytest.raises(ObjectNotFoundError, match=f"No app found for id {APP}"):
        check(iexec, **fields)


def test_the_newer_name_of_the_check(client: Any, sms: Sms) -> None:
    iexec = client()
    for name in ("node", "domain"):
        iexec._context.once(name, lambda: True)  # the node is never asked
    mine = order(iexec)
    for options in ({"check_request": False}, {"preflight_check": False}):
        assert iexec.order.sign_requestorder_request(mine, **options).address == ME
    for options in ({}, {"preflight_check": True, "check_request": False}):
        with pytest.raises(StateError, match="storage token is not set"):
            iexec.order.sign_requestorder_request(mine, **options)


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (401, False), (429, True)])
def test_neither_yes_nor_no(client: Any, sms: Sms, status: int, retryable: bool) -> None:
    sms.status = status
    iexec = client()
    iexec._context.http.retries = 0
    with pytest.raises(SmsCallError, match=f"unexpected status: {status}") as caught:
        check(iexec)
    assert caught.value.retryable is retryable


def test_no_answer(client: Any) -> None:
    iexec = client(url="http://127.0.0.1:1/secret-key")
    iexec._context.http.retries = 0
    with pytest.raises(SmsCallError, match="SMS didn't answer") as caught:
        check(iexec)
    assert "secret-key" not in caught.value.message
    assert caught.value.retryable
    iexec = client()
    iexec._context.once("chain", lambda: Chain(id=4242, hub=HUB, result_proxy="https://p.org"))
    with pytest.raises(ConfigurationError, match="sms_url option not set"):
        check(iexec)
