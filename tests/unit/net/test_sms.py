"""The SMS: what is asked, what each answer means, and that no secret is in a text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.errors import SmsCallError, StateError, TransportError
from iexec_lite.net.http import Response
from iexec_lite.net.sms import Sms

HOST = "https://sms.example"
NAMED = "/requesters/{address}/secrets/{name}"
UNKNOWN = " It is not known whether the secret is set: look, or push the same again."
UNEXPECTED = f"SMS at {HOST} answered with unexpected status: "
SECRET = "s3cr3t é"


class Service:
    """A transport whose answer is set: a status, or one with headers and body, or a fault."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.answer: Any = 204

    def request(self, method: str, url: str, **more: Any) -> Response:
        self.asked.append((method, url, more))
        if isinstance(self.answer, Exception):
            raise self.answer
        given = self.answer if isinstance(self.answer, tuple) else (self.answer, {}, b"")
        return Response(*given, HOST)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def sms(service: Service) -> Sms:
    return Sms(service, f"{HOST}/x//")


def push(sms: Sms, **more: Any) -> None:
    sms.push(NAMED, SECRET, "0xabcd", address="0xA", name="a b/c", **more)


def refused(act: Callable[[], object], kind: type[Exception]) -> Any:
    with pytest.raises(kind) as caught:
        act()
    assert SECRET not in f"{caught.value!r} {getattr(caught.value, 'details', '')}"
    return caught.value


@pytest.mark.parametrize(("replace", "method"), [(False, "POST"), (True, "PUT")])
def test_what_is_sent(sms: Sms, service: Service, replace: bool, method: str) -> None:
    push(sms, replace=replace)
    assert service.asked == [
        (
            method,
            f"{HOST}/x/requesters/0xA/secrets/a%20b%2Fc",
            {
                "body": SECRET.encode(),
                "headers": {"authorization": "0xabcd", "content-type": "text/plain"},
            },
        )
    ]
    assert sms.exists(NAMED, address="0xA", name="a b/c")
    assert len(service.asked) == 1  # what was just set is known


def test_what_is_asked(sms: Sms, service: Service) -> None:
    service.answer = 404
    assert sms.exists("/secrets/{address}", address="0xA") is False
    assert sms.exists("/secrets/{address}", address="0xA") is False
    service.answer = 200
    assert sms.exists("/secrets/{address}", address="0xA") is True
    assert sms.exists("/secrets/{address}", address="0xA") is True
    asked = ("HEAD", f"{HOST}/x/secrets/0xA", {"retry": True})
    assert service.asked == [asked] * 3  # a yes is kept, a no is not


def test_what_is_kept_is_bounded(sms: Sms, service: Service) -> None:
    for number in range(4097):
        assert sms.exists("/{n}", n=str(number))
    service.asked.clear()
    assert sms.exists("/{n}", n="4095")
    assert service.asked == []
    assert sms.exists("/{n}", n="4096")
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("status", "advice", "retryable"),
    [
        (400, "check that the URL is right", False),
        (401, "check the URL, and the key if it holds one", False),
        (429, "wait, or use a host with a higher limit", True),
        (499, "check that the URL is right", False),
        (500, "try again later", True),
    ],
)
def test_neither_yes_nor_no(
    sms: Sms, service: Service, status: int, advice: str, retryable: bool
) -> None:
    service.answer = status
    error = refused(lambda: sms.exists("/x"), SmsCallError)
    assert str(error) == f"{UNEXPECTED}{status}: {advice}"
    assert (error.details, error.retryable) == ({"status": status}, retryable)


def test_a_page_is_no_yes(sms: Sms, service: Service) -> None:
    service.answer = (200, {"content-type": "Text/HTML; charset=x"}, b"<html>")
    error = refused(lambda: sms.exists("/x"), SmsCallError)
    assert str(error) == f"{UNEXPECTED}200: check that the URL is right"
    error = refused(lambda: push(sms), SmsCallError)
    assert str(error) == f"{UNEXPECTED}200: check that the URL is right.{UNKNOWN}"
    service.answer = 404
    assert not sms.exists(NAMED, address="0xA", name="a b/c")


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (401, StateError, "The wallet is not allowed to set the secret for 0xA"),
        (409, StateError, 'Secret "a b/c" already exists for 0xA and can\'t be updated'),
        (413, SmsCallError, f"The SMS at {HOST} finds the secret too long"),
        (400, SmsCallError, UNEXPECTED + "400: check that the URL is right."),
        (499, SmsCallError, UNEXPECTED + "499: check that the URL is right."),
        (500, SmsCallError, UNEXPECTED + "500: try again later." + UNKNOWN),
        (
            TransportError("https://sms.example cut its answer short; try again", retryable=True),
            SmsCallError,
            "SMS didn't answer: https://sms.example cut its answer short; try again." + UNKNOWN,
        ),
    ],
)
def test_a_push_refused(
    sms: Sms, service: Service, answer: object, kind: type[Exception], message: str
) -> None:
    service.answer = answer
    error = refused(lambda: push(sms), kind)
    assert str(error) == message
    if answer not in (401, 409, 413):
        assert error.retryable is (isinstance(answer, Exception) or answer == 500)


def test_a_secret_without_a_name(sms: Sms, service: Service) -> None:
    service.answer = 409
    error = refused(lambda: sms.push("/{address}", "x", "0x", address="0xA"), StateError)
    assert service.asked[0][0] == "POST"
    assert str(error) == "Secret already exists for 0xA and can't be updated"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": ["too long", 5]}, " It says: too long; 5"),
        ({"error": "plain\x1b[2J"}, " It says: plain [2J"),
        ({"error": "x" * 501}, f" It says: {'x' * 500}…"),
        ({"error": [f"no {SECRET} of yours"]}, ""),
        ({"error": []}, ""),
        ({"message": "x"}, ""),
        (["error"], ""),
        (None, ""),
    ],
)
def test_its_own_words(sms: Sms, service: Service, body: object, said: str) -> None:
    service.answer = (400, {}, json.dumps(body).encode())
    error = refused(lambda: push(sms), SmsCallError)
    assert str(error) == f"{UNEXPECTED}400: check that the URL is right.{said}"


def test_nobody_there(sms: Sms, service: Service) -> None:
    service.answer = TransportError("gone")
    error = refused(lambda: sms.exists("/x"), SmsCallError)
    assert (str(error), error.retryable) == ("SMS didn't answer: gone.", False)
    assert error.cause is service.answer
