"""Many orders: in order, refused ones in their place, shared out, and never more than some held."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner, SignedRequestorder
from iexec_lite.errors import ConfigurationError, IExecError, ValidationError
from iexec_lite.protocol.orders import verify_order
from iexec_lite.sdk import signing

SIGNER = KeySigner(b"\x11" * 32)
APP = "0x" + "12" * 20


class Elsewhere:
    """A signer without a key of its own."""

    address = SIGNER.address
    sign_message = SIGNER.sign_message
    sign_typed_data = SIGNER.sign_typed_data


@pytest.fixture(params=[134, 42161])
def iexec(request: pytest.FixtureRequest) -> IExec:
    return IExec(chain=request.param, signer=SIGNER)


def given(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        yield {"app": APP if number % 50 != 7 else "x", "category": 0, "params": f"{number}"}


def numbers(found: list[Any]) -> list[object]:
    """What each order is for; of a refused one its error."""
    return [
        type(each) if isinstance(each, IExecError) else json.loads(each.params)["iexec_args"]
        for each in found
    ]


WANTED = [str(number) if number % 50 != 7 else ValidationError for number in range(400)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_order_is_kept_and_each_order_is_signed(iexec: IExec, jobs: int) -> None:
    found = list(iexec.order.sign_many("requestorder", given(400), jobs=jobs))
    assert numbers(found) == WANTED
    domain = iexec.order._context.domain
    orders = [each for each in found if isinstance(each, SignedRequestorder)]
    for order in orders[:5]:
        verify_order(order, domain, SIGNER.address)
    assert len({order.salt for order in orders}) == len(orders) == 392
    assert not active_children()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_line_is_what_the_record_says(iexec: IExec, jobs: int) -> None:
    lines = [json.dumps(each) for each in given(100)]
    found = list(iexec.order.sign_lines("requestorder", lines, jobs=jobs))
    one = iexec.order.create_requestorder(APP, 0, params="3")
    for number, each in enumerate(found):
        assert isinstance(each, str if number % 50 != 7 else ValidationError)
    assert isinstance(found[3], str)
    signed = json.loads(found[3])
    assert {**one.to_dict(), "salt": signed["salt"], "sign": signed["sign"]} == signed


def test_records_are_signed_as_they_are(iexec: IExec) -> None:
    order = iexec.order.create_requestorder(APP, 1, volume=3, params="hello")
    other = iexec.order.create_requestorder(APP, 1, requester=APP)
    for jobs in (1, 2):
        signed, refused = iexec.order.sign_many("requestorder", [order, other], jobs=jobs)
        assert isinstance(signed, SignedRequestorder)
        assert signed.params == order.params
        assert "must be the requester" in str(refused)


@pytest.mark.parametrize("kind", ["apporder", "datasetorder", "workerpoolorder"])
def test_every_kind(iexec: IExec, kind: str) -> None:
    fields = {kind.removesuffix("order"): APP, f"{kind.removesuffix('order')}price": "1 RLC"}
    if kind == "workerpoolorder":
        fields["category"] = "3"
    (signed,) = iexec.order.sign_many(kind, [fields])
    assert not isinstance(signed, IExecError), signed
    assert signed.name == kind
    assert int(signed.tag, 16) == iexec.order._context.chain.rules.forced_tag


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        ("[1]", "must be a JSON object, got list"),
        ("null", "must be a JSON object, got NoneType"),
        ("[" * 100_000, "this is not JSON: JSON nested deeper"),
        (b'{"app": "\xff"}', "not JSON: 'utf-8'"),
        (" " * (signing.MAX_LINE + 1), "longer than 131072 bytes"),
        ('{"rules": 1, "\x1b[2J": 1}', "not JSON"),
        ('{"rules": 1, "\\u001b[2J": 1}', r"rules, \x1b[2J: not a field of requestorder"),
        ('{"result_proxy": "https://evil.invalid"}', "result_proxy: not a field of requestorder"),
        (
            json.dumps({"n" * 41 + str(number): 1 for number in range(11)}),
            ", ".join(["n" * 40] * 10) + ": not a field of requestorder",
        ),
        ("{}", "app is a required field"),
        (json.dumps({"app": APP, "category": 0, "sign": "0x"}), "sign: not a field"),
    ],
)
def test_bad_lines(line: str | bytes, message: str) -> None:
    iexec = IExec(chain=134, signer=SIGNER)
    good = json.dumps({"app": APP, "category": 0, "requester": None})
    refused, signed = iexec.order.sign_lines("requestorder", [line, good])
    assert isinstance(refused, ValidationError)
    assert message in refused.message
    assert isinstance(signed, str)
    assert signed == json.dumps(json.loads(signed), separators=(",", ":"))


def test_a_line_as_long_as_lines_may_be() -> None:
    iexec = IExec(chain=134, signer=SIGNER)
    line = json.dumps({"app": APP, "category": 0}).ljust(131072)
    for fits in (line, line.encode()):
        (signed,) = iexec.order.sign_lines("requestorder", [fits])
        assert isinstance(signed, str)
        (refused,) = iexec.order.sign_lines("requestorder", [fits + fits[-1:]])
        assert isinstance(refused, ValidationError)
        assert str(refused) == "longer than 131072 bytes"


def test_what_cannot_begin(iexec: IExec) -> None:
    order = iexec.order
    for kind in ("order", None, ["apporder"]):
        with pytest.raises(ValidationError) as caught:
            order.sign_many(kind, [])  # type: ignore[arg-type]
        assert str(caught.value) == (
            "kind must be one of apporder, datasetorder, workerpoolorder, requestorder"
        )
    for jobs in (0, -1, 257, True, 1.5, "2"):
        with pytest.raises(ValidationError, match=r"^jobs must be a whole number from 1 to 256$"):
            order.sign_many("requestorder", [], jobs=jobs)  # type: ignore[arg-type]
    for wrong in ({"app": APP}, json.dumps({"app": APP}), b"", 5, None):
        with pytest.raises(ValidationError) as caught:
            order.sign_many("requestorder", wrong)  # type: ignore[arg-type]
        assert str(caught.value) == f"many orders are needed, got one {type(wrong).__name__}"
    elsewhere = IExec(chain=134, signer=Elsewhere()).order
    with pytest.raises(
        ConfigurationError,
        match=r"^several processes need a signer that holds its key: use jobs=1$",
    ):
        elsewhere.sign_lines("requestorder", [], jobs=2)
    (signed,) = elsewhere.sign_many("requestorder", given(1))
    assert isinstance(signed, SignedRequestorder)
    for jobs in (2, 256):
        assert list(order.sign_many("requestorder", [], jobs=jobs)) == []


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2 * signing.AHEAD * signing.CHUNK)])
def test_no_more_is_taken_than_is_worked_on(jobs: int, most: int) -> None:
    """An endless source: what is read ahead is bounded, and closing ends the processes."""
    taken = 0

    def source() -> Iterator[dict[str, object]]:
        nonlocal taken
        while True:
            taken += 1
            yield {"app": APP, "category": 0}

    found = IExec(chain=134, signer=SIGNER).order.sign_many("requestorder", source(), jobs=jobs)
    for count, _ in enumerate(islice(found, 1000), 1):
        assert taken - count < most + signing.CHUNK
    found.close()
    assert not active_children()


def test_a_process_that_is_killed() -> None:
    iexec = IExec(chain=134, signer=SIGNER)

    def source() -> Iterator[dict[str, object]]:
        while True:
            yield {"app": APP, "category": 0}

    found = iexec.order.sign_many("requestorder", source(), jobs=2)
    next(found)
    active_children()[0].terminate()
    with pytest.raises(ConfigurationError) as caught:
        list(found)
    assert str(caught.value) == (
        "a process that signs ended before its work was done: memory may be short, or a script "
        'starts work without if __name__ == "__main__"'
    )
    assert isinstance(caught.value.cause, BrokenProcessPool)
    assert not active_children()


def test_the_key_is_in_no_argument() -> None:
    """Nor in what other users see of the processes."""
    iexec = IExec(chain=134, signer=SIGNER)
    found = iexec.order.sign_many("requestorder", given(500), jobs=2)
    next(found)
    processes = [Path(f"/proc/{each.pid}") for each in active_children()]
    if not processes[0].exists():
        pytest.skip("this system shows no processes as files")
    for process in processes:
        for name in ("cmdline", "environ"):
            content = (process / name).read_bytes()
            assert b"\x11" * 8 not in content
            assert b"11" * 16 not in content
    found.close()


def test_errors_of_the_source_come_through(iexec: IExec) -> None:
    def source() -> Iterator[dict[str, object]]:
        yield {"app": APP, "category": 0}
        raise OSError("the disk is gone")

    for jobs in (1, 2):
        with pytest.raises(OSError, match="the disk is gone"):
            list(iexec.order.sign_many("requestorder", source(), jobs=jobs))
    assert not active_children()


def test_what_each_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is for who started it; its end is their end, whatever they are doing."""
    done: list[object] = []

    class Thread:
        def __init__(self, target: Callable[[], object], daemon: bool) -> None:
            done.append(("thread", daemon))
            self.start = target

    class Parent:
        def join(self) -> None:
            done.append("the parent ended")

    parents = [Parent(), None]
    monkeypatch.setattr(signing, "_DESK", [])
    monkeypatch.setattr(signing.signal, "signal", lambda *given: done.append(given))
    monkeypatch.setattr(signing.threading, "Thread", Thread)
    monkeypatch.setattr(signing.multiprocessing, "parent_process", lambda: parents.pop(0))
    monkeypatch.setattr(signing.os, "_exit", lambda code: done.append(("exit", code)))
    context = IExec(chain=134, signer=SIGNER).order._context
    for _ in range(2):
        signing._begin("requestorder", context.chain, context.domain, b"\x11" * 32)
    begun = [(signal.SIGINT, signal.SIG_IGN), ("thread", True)]
    assert done == [*begun, "the parent ended", ("exit", 1), *begun]
    one, bad, two = signing._chunk(signing._Desk.sign, list(given(9))[6:])
    assert isinstance(bad, ValidationError)
    for order in (one, two):
        assert isinstance(order, SignedRequestorder)
        verify_order(order, context.domain, SIGNER.address)
    assert numbers([one, two]) == ["6", "8"]
