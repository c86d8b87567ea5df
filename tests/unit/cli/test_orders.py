"""Orders for people, and the pure parts of ``order`` and ``orderbook``."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import orderbook, orders
from iexec_lite.errors import ConfigurationError, IExecError, ValidationError
from iexec_lite.eth.eip712 import Domain
from iexec_lite.protocol.authorization import RESULT_PROXY, new_challenge
from iexec_lite.protocol.chains import CHAINS
from iexec_lite.protocol.detached import SigningRequest, order_request
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
    assert '"iexec_args":"x"' in shown["params"]
    for chain, price in ((CHAINS["enterprise"], "1.5 eRLC"), (None, "1.5 RLC")):
        assert orders.describe(order, chain)["appprice"] == price


def test_chosen() -> None:
    options = Namespace(app=None, dataset=True, workerpool=False, request="0x12")
    assert orders.chosen(options) == ["dataset", "request"]
    with pytest.raises(ConfigurationError, match="No option specified"):
        orders.chosen(Namespace(app=None, dataset=False, workerpool=None, request=None))


@pytest.mark.parametrize("text", ["", "0x", "ab" * 32, "0x" + "ab" * 31, "0x" + "ab" * 32 + "\n"])
def test_hash(text: str) -> None:
    assert orders.parse_hash("app", "0x" + "AB" * 32) == "0x" + "ab" * 32
    with pytest.raises(ValidationError, match="Invalid apporder hash"):
        orders.parse_hash("app", text)


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


def test_depth() -> None:
    assert orderbook.depth([(5, 1), (5, 2), (7, 10**30)]) == [(5, 3), (7, 10**30 + 3)]
    assert orderbook.depth([]) == []
    levels = [(i, i) for i in range(47)]
    found = orderbook.thinned(levels, 20)
    assert (len(found), found[0], found[-1]) == (16, (1, 1), (46, 46))
    assert orderbook.thinned(levels[:20], 20) == levels[:20]
    assert orderbook.thinned([], 20) == []


# -- on the device with the key --------------------------------------------------------------------


def sign(run: Any, request: SigningRequest, *words: str) -> Any:
    Path("it.json").write_text(json.dumps(request.to_dict()))
    options = ["--keystoredir", "ks", "--password", "x"]
    return run("order", "sign-request", "it.json", *options, *words)


@pytest.mark.usefixtures("wallet")
def test_what_is_signed_is_shown(run: Any) -> None:
    """Told from what is signed, whatever the file says of itself."""
    order = create_apporder(app=APP, tag="tee")
    known = order_request(order, ADDRESS, domain(134, HUB))
    done = sign(run, known, "--force")
    assert (done.status, done.out) == (0, f"Signed by {ADDRESS}: carry back it.signed.json\n")
    assert f"  hub:      {HUB} (bellecour)\n" in done.err
    assert "  tag:      tee\n" in done.err
    assert "  purpose:  sign an apporder (as the file says)\n" in done.err
    assert sign(run, known, "--force", "--raw").json == {
        "ok": True,
        "file": "it.signed.json",
        "summary": "AppOrder for 'iExecODB' version '5.0.0' on chain 134",
        "address": ADDRESS,
    }
    others = {
        "login to iExec Result Repository: serves to store results in your name": new_challenge(
            RESULT_PROXY, 134, "text"
        ),
        "Challenge for 'other' version '1' on chain 134": new_challenge("other", 134, "text"),
        "a personal message of 2 bytes": b"hi",
        "AppOrder for 'other' version '5.0.0' on chain 134": order_request(
            order, ADDRESS, Domain("other", "5.0.0", 134, bytes(20))
        ).payload,
    }
    for words, payload in others.items():
        request = SigningRequest(what="a gift", address=ADDRESS, chain_id=134, payload=payload)
        done = sign(run, request, "--force", "--output", "x.json")
        assert done.status == 0
        assert f"{words}\n" in done.err
        assert "a gift (as the file says)\n" in done.err
        assert ("0x6869\n" in done.err) == isinstance(payload, bytes)
