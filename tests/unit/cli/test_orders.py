"""Orders for people, and the pure parts of ``order`` and ``orderbook``."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import orderbook, orders, output
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    SmsCallError,
    StateError,
    ValidationError,
)
from iexec_lite.eth.eip712 import Domain, TypedData
from iexec_lite.protocol.authorization import MARKET, RESULT_PROXY, new_challenge
from iexec_lite.protocol.chains import CHAINS
from iexec_lite.protocol.detached import SignedRequest, SigningRequest, order_request
from iexec_lite.protocol.orders import create_apporder, create_requestorder, domain

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
APP = "0x607F4C5BB672230e8672085532f7e901544a7375"
CHAIN = CHAINS["bellecour"]
HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"


def test_describe() -> None:
    order = create_apporder(app=APP, appprice="1.5 RLC", tag="gpu", requesterrestrict=ADDRESS)
    assert orders.describe(order, CHAIN) == {
        "app": APP,
        "appprice": "1.5 RLC",
        "volume": "1",
        "tag": "gpu",
        "requesterrestrict": ADDRESS,
    }
    assert orders.describe(order.salted(bytes(32)), CHAIN) == orders.describe(order, CHAIN)
    given = {"app": APP, "category": 3, "requester": ADDRESS, "params": "x", "trust": 2}
    shown = orders.describe(create_requestorder(**given, result_proxy="https://x.y"), CHAIN)
    assert (shown["category"], shown["trust"], shown["tag"]) == ("3", "2", "none")
    assert "callback" not in shown
    for trust in (0, 1):  # which is the same as none
        told = create_requestorder(**{**given, "trust": trust}, result_proxy="https://x.y")
        assert orders.describe(told, CHAIN).keys() == shown.keys() - {"trust"}
    assert '"iexec_args":"x"' in shown["params"]
    for chain, price in ((CHAINS["enterprise"], "1.5 eRLC"), (None, "1.5 RLC")):
        assert orders.describe(order, chain)["appprice"] == price


def test_chosen() -> None:
    options = Namespace(app=None, dataset=True, workerpool=False, request="0x12")
    assert orders.chosen(options) == ["dataset", "request"]
    with pytest.raises(ConfigurationError) as error:
        orders.chosen(Namespace(app=None, dataset=False, workerpool=None, request=None))
    assert error.value.message == (
        "No option specified, you should choose one (--app | --dataset | --workerpool | --request)"
    )


@pytest.mark.parametrize("text", ["", "0x", "ab" * 32, "0x" + "ab" * 31, "0x" + "ab" * 32 + "\n"])
def test_hash(text: str) -> None:
    assert orders.parse_hash("app", "0x" + "AB" * 32) == "0x" + "ab" * 32
    with pytest.raises(ValidationError) as error:
        orders.parse_hash("app", text)
    assert error.value.message == (f'Invalid apporder hash: "{text}" is not 0x and 64 hex digits')


def test_a_hash_of_any_length_is_told_in_short() -> None:
    with pytest.raises(ValidationError) as error:
        orders.parse_hash("request", "0x" + "f" * 98)
    assert error.value.message == (
        f'Invalid requestorder hash: "0x{"f" * 78}" is not 0x and 64 hex digits'
    )


def test_attempts() -> None:
    def work(name: str) -> tuple[object, str]:
        if name == "dataset":
            raise IExecError("no")
        if name == "workerpool":
            raise KeyboardInterrupt
        return {"x": 1}, f"{name} done"

    found = orders.attempt(orders.RESOURCES, work)
    assert found.done == {"apporder": {"x": 1}}
    assert (found.lines, found.failures) == (
        ["app done"],
        ["datasetorder: no", "workerpoolorder: Interrupted"],
    )
    with pytest.raises(KeyboardInterrupt):
        orders.attempt(["workerpool"], work)


def test_a_wallet_that_does_not_open_ends_it() -> None:
    tried: list[str] = []
    locked = IExecError("wrong password")

    def work(name: str) -> tuple[object, str]:
        tried.append(name)
        raise locked if name == "dataset" else IExecError("no")

    wallet: Any = Namespace(failure=locked)
    with pytest.raises(IExecError) as caught:
        orders.attempt(orders.RESOURCES, work, wallet)
    assert caught.value is locked
    assert tried == ["app", "dataset"]
    wallet.failure = None
    found = orders.attempt(["dataset", "app"], work, wallet)
    assert found.failures == ["datasetorder: wrong password", "apporder: no"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "f.json must hold a JSON object"),
        ("7", "f.json must hold a JSON object"),
        ("{", "f.json is not JSON: Expecting property name enclosed in double quotes: line 1 "),
    ],
)
def test_what_is_no_document(text: str, message: str) -> None:
    Path("f.json").write_text(text)
    with pytest.raises(ConfigurationError) as error:
        orders.read_document("f.json")
    assert error.value.message.startswith(message)
    assert (error.value.__cause__ is None) is (text != "{")


def test_an_order_in_a_file_that_is_none() -> None:
    """All that is wrong with it is told, and which file it is in."""
    with pytest.raises(ValidationError) as error:
        orders.read("app", {"app": "x", "sign": "0x"}, "own.json")
    errors = error.value.errors
    assert len(errors) > 1
    assert error.value.message.startswith("apporder in own.json: ")
    assert all(each in error.value.message for each in errors)


@pytest.mark.parametrize(
    ("check", "words", "option"),
    [
        ("request", "Request requirements check failed: no", "request"),
        ("dataset", "Dataset requirements check failed: no", "preflight"),
    ],
)
@pytest.mark.parametrize("kind", [StateError, SmsCallError])
def test_a_check_names_the_option_that_leaves_it_out(
    kind: type[IExecError], check: str, words: str, option: str
) -> None:
    found = kind("no", details={"check": check})
    with pytest.raises(StateError) as error, orders.checked():
        raise found
    assert error.value.message == (
        f"{words} (If you consider this is not an issue, use --skip-{option}-check to skip "
        f"{option} requirement check)"
    )
    assert error.value.__cause__ is found
    other = kind("no", details={"other": check})
    with pytest.raises(kind) as error, orders.checked():
        raise other
    assert error.value is other


def test_depth() -> None:
    assert orderbook.depth([(5, 1), (5, 2), (7, 10**30)]) == [(5, 3), (7, 10**30 + 3)]
    assert orderbook.depth([]) == []
    levels = [(i, i) for i in range(47)]
    found = orderbook.thinned(levels, 20)
    assert (len(found), found[0], found[-1]) == (16, (1, 1), (46, 46))
    assert orderbook.thinned(levels[:20], 20) == levels[:20]
    assert orderbook.thinned([], 20) == []


# -- on the device with the key --------------------------------------------------------------------


def sign(run: Any, request: SigningRequest, *words: str, stdin: str = "") -> Any:
    Path("it.json").write_text(json.dumps(request.to_dict()))
    options = ["--keystoredir", "ks", "--password", "x"]
    return run("order", "sign-request", "it.json", *options, *words, stdin=stdin)


KNOWN = f"""\
  what:     apporder: whoever has it signed may use it until it is canceled
  chain:    134
  signer:   {ADDRESS}
  hub:      {HUB} (bellecour)
  app:      {APP}
  appprice: 1.5 RLC
  volume:   1
  tag:      tee
  purpose:  sign an apporder (as the file says)
"""
SUMMARY = "AppOrder for 'iExecODB' version '5.0.0' on chain 134"


def apporder_request(address: str = HUB) -> SigningRequest:
    order = create_apporder(app=APP, tag="tee", appprice="1.5 RLC")
    return order_request(order, ADDRESS, domain(134, address))


@pytest.mark.usefixtures("wallet")
def test_what_is_signed_is_shown(run: Any, project: Path) -> None:
    done = sign(run, apporder_request(), "--force")
    assert (done.status, done.out) == (0, f"Signed by {ADDRESS}: carry back it.signed.json\n")
    assert done.err == f"ℹ Signing:\n{KNOWN}"
    written = project / "it.signed.json"
    signed = SignedRequest.from_dict(json.loads(written.read_text()))
    assert signed.address == ADDRESS
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.read_text().startswith('{\n  "format"')
    document = {"file": "it.signed.json", "summary": SUMMARY, "address": ADDRESS}
    assert sign(run, apporder_request(), "--force", "--raw").json == {"ok": True, **document}
    (project / "it.json").rename("my.request.json")
    words = ("order", "sign-request", "my.request.json", "--keystoredir", "ks", "--password", "x")
    assert run(*words, "--force").out == f"Signed by {ADDRESS}: carry back my.signed.json\n"


@pytest.mark.usefixtures("wallet")
def test_a_person_agrees_to_what_is_signed(run: Any, person: None, project: Path) -> None:
    done = sign(run, apporder_request(), stdin="n\n")
    assert done.status == 1
    assert done.err.startswith(f"? Do you want to sign the following?\n{KNOWN} (Y/n) ")
    assert not (project / "it.signed.json").exists()
    assert sign(run, apporder_request(), stdin="y\n").status == 0
    before = (project / "it.signed.json").read_text()
    done = sign(run, apporder_request(), stdin="y\nn\n")
    assert '"it.signed.json" already exists, replace it with new one?' in done.err
    assert (project / "it.signed.json").read_text() == before


def challenge(service: str) -> TypedData:
    return new_challenge(service, 134, "tëxt")


@pytest.mark.usefixtures("wallet")
@pytest.mark.parametrize(
    ("payload", "what", "more"),
    [
        (
            challenge(MARKET),
            "login to iExec Gateway: serves to publish or unpublish once in your name",
            {},
        ),
        (
            challenge(RESULT_PROXY),
            "login to iExec Result Repository: serves to store results in your name",
            {},
        ),
        (
            challenge("other"),
            "Challenge for 'other' version '1' on chain 134",
            {"message": '{"challenge": "tëxt"}'},
        ),
        (b"hi", "a personal message of 2 bytes", {"message": "0x6869"}),
    ],
)
def test_what_is_no_order_is_shown(
    run: Any, payload: TypedData | bytes, what: str, more: dict[str, str]
) -> None:
    """Told from what is signed, whatever the file says of itself."""
    request = SigningRequest(what="a gift", address=ADDRESS, chain_id=134, payload=payload)
    done = sign(run, request, "--force", "--output", "x.json")
    assert (done.status, done.out) == (0, f"Signed by {ADDRESS}: carry back x.json\n")
    about = {"what": what, "chain": "134", "signer": ADDRESS, **more}
    about["purpose"] = "a gift (as the file says)"
    assert done.err == f"ℹ Signing:\n{output.render(about, 2)}\n"
    assert Path("x.json").exists()


@pytest.mark.usefixtures("wallet")
def test_an_order_of_another_hub(run: Any) -> None:
    """The network is that of the chain's own hub; any other is named as strange."""
    done = sign(run, apporder_request(APP), "--force")
    assert f"  hub:      {APP} (of no network known here)\n" in done.err
    assert "  appprice: 1.5 RLC\n" in done.err
    other = SigningRequest(
        what="a gift",
        address=ADDRESS,
        chain_id=134,
        payload=order_request(
            create_apporder(app=APP), ADDRESS, Domain("other", "5.0.0", 134, bytes(20))
        ).payload,
    )
    done = sign(run, other, "--force")
    assert "  what:    AppOrder for 'other' version '5.0.0' on chain 134\n" in done.err
    assert f'  message: {{"app": "{APP}", ' in done.err


@pytest.mark.usefixtures("wallet")
def test_what_somebody_else_has_to_sign(run: Any) -> None:
    payload = challenge(MARKET)
    request = SigningRequest(what="x", address=APP, chain_id=134, payload=payload)
    # that is told before anybody is asked for anything
    assert sign(run, request, "--raw").json["error"]["message"] == (
        f"this is to be signed by {APP}, the wallet is {ADDRESS}"
    )
    assert not Path("it.signed.json").exists()
