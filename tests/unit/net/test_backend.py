"""What urllib3 and the system raise, in the words of this package: each kind, whole."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Callable

import pytest
from urllib3 import exceptions

from iexec_lite.errors import ConfigurationError, RequestTimeoutError, TransportError
from iexec_lite.net.backend import cause_of, failure, load
from iexec_lite.net.limits import Limits, Timeout

HOST = "https://node.example:8545"
PATH = "/v3/s3cr3t"
SLOW = "; try again, or give it longer (timeout=)"


def limits(now: float = 0.0) -> Limits:
    made = Limits(Timeout(total=2.5), 1000, lambda: now)
    return made


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def tls(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] no")
    error.reason = reason  # type: ignore[assignment]
    return error


UNTRUSTED = (
    "%s: its TLS certificate is not trusted (self-signed certificate); check the URL, or name the "
    "authority that signed it by ca_file="
)
NO_TLS = "%s: no TLS connection (%s); check that this port speaks https"
NO_NAME = "%s: unknown host name; check the URL, and that the network is there"
CLOSED, CUT = "%s closed the connection; try again", "%s cut its answer short; try again"
IN_TIME = "%s did not answer in time" + SLOW
IMPROPER = "%s does not speak proper HTTP (%s); check that its URL is right"
REACHED = "%s cannot be reached: %s; check that it runs, and its URL"

FAULTS: list[tuple[BaseException, str, bool]] = [
    (certificate(), UNTRUSTED % HOST, False),
    (exceptions.SSLError(certificate()), UNTRUSTED % HOST, False),
    (tls("WRONG_VERSION_NUMBER"), NO_TLS % (HOST, "WRONG_VERSION_NUMBER"), False),
    (tls(None), NO_TLS % (HOST, "protocol error"), False),
    (ssl.SSLEOFError(8, "EOF"), CUT % HOST, True),
    (socket.gaierror(socket.EAI_NONAME, "no such name"), NO_NAME % HOST, False),
    (socket.gaierror(socket.EAI_AGAIN, "later"), NO_NAME % HOST, True),
    (system(errno.ECONNRESET), CLOSED % HOST, True),
    (system(errno.ECONNABORTED), CLOSED % HOST, True),
    (system(errno.EPIPE), CLOSED % HOST, True),
    (exceptions.ProtocolError(PATH, system(errno.ECONNRESET)), CLOSED % HOST, True),
    (http.client.IncompleteRead(b"", 5), CUT % HOST, True),
    (TimeoutError("timed out"), IN_TIME % HOST, True),
    (exceptions.ReadTimeoutError(None, PATH, "slow"), IN_TIME % HOST, True),  # type: ignore[arg-type]
    (http.client.BadStatusLine(PATH), IMPROPER % (HOST, "BadStatusLine"), False),
    (ValueError(PATH), IMPROPER % (HOST, "ValueError"), False),
    (system(errno.ECONNREFUSED), REACHED % (HOST, "Connection refused"), True),
    (system(errno.EHOSTUNREACH), REACHED % (HOST, "No route to host"), True),
    (OSError("bare"), REACHED % (HOST, "OSError"), True),
    (RuntimeError(PATH), f"{HOST}: RuntimeError", False),
    (
        exceptions.ProxyError(PATH, system(errno.ECONNREFUSED)),
        REACHED % (f"the proxy to {HOST}", "Connection refused"),
        True,
    ),
]


@pytest.mark.parametrize(
    ("fault", "message", "retryable"), FAULTS, ids=[repr(fault)[:40] for fault, *_ in FAULTS]
)
def test_faults(fault: BaseException, message: str, retryable: bool) -> None:
    found = failure(fault, HOST, limits())
    assert (str(found), found.retryable) == (message, retryable)
    assert isinstance(found, RequestTimeoutError) is ("in time" in message)
    assert "s3cr3t" not in repr(cause_of(fault))


def test_a_fault_without_an_exception() -> None:
    assert str(failure(None, HOST, limits())) == f"{HOST}: NoneType"


def test_our_own_error_is_kept() -> None:
    error = TransportError("ours")
    assert failure(error, HOST, limits(9)) is error


def test_too_much_or_too_late_is_said_before_what_came_of_it() -> None:
    reset = system(errno.ECONNRESET)
    late = f"{HOST} did not answer in full within 2.5 s{SLOW}"

    def expired(found: Limits) -> None:
        found.expired = True

    def oversize(found: Limits) -> None:
        found.oversize = found.expired = True

    cases: list[tuple[float, Callable[[Limits], None], str, bool]] = [
        (0.0, lambda _: None, CLOSED % HOST, True),
        (0.0, expired, late, True),
        (
            0.0,
            oversize,
            f"{HOST} sent more than 1000 bytes: refused; check that its URL is right",
            False,
        ),
    ]
    for _, change, message, retryable in cases:
        found = limits()
        change(found)
        told = failure(reset, HOST, found)
        assert (str(told), told.retryable) == (message, retryable)
    times = iter([0.0, 2.5])  # made, and asked just when the time is over
    told = failure(reset, HOST, Limits(Timeout(total=2.5), 1000, lambda: next(times)))
    assert (str(told), told.retryable, type(told)) == (late, True, RequestTimeoutError)


def test_the_systems_own_error_is_chained_and_no_other() -> None:
    refused = system(errno.ECONNREFUSED)
    deep = exceptions.ProxyError(PATH, exceptions.ProtocolError(PATH, refused))
    assert cause_of(deep) is refused
    outer = exceptions.HTTPError(PATH)
    outer.__cause__ = refused
    assert cause_of(outer) is refused
    # A class of urllib3 is the system's too, by inheritance: it holds what the host sent.
    for fault in (exceptions.IncompleteRead(1, 2), ValueError(PATH), exceptions.HTTPError(PATH)):
        found = cause_of(fault)
        assert (type(found), str(found)) == (OSError, type(fault).__name__)
    mixed = type("Timeout", (TimeoutError,), {"__module__": "urllib3.somewhere"})(PATH)
    assert (type(cause_of(mixed)), str(cause_of(mixed))) == (OSError, "Timeout")


# --- connections ----------------------------------------------------------------------------------


def test_the_time_of_a_call_in_the_form_of_urllib3() -> None:
    backend = load()
    for timeout, connect, read in (
        (Timeout(connect=1, read=2, total=9), 1, 2),
        (Timeout(connect=5, read=7, total=3), 3, 3),
    ):
        made = backend.timeout(Limits(timeout, 1, lambda: 0.0))
        assert (made.connect_timeout, made.read_timeout) == (connect, read)


def test_a_ca_file_that_is_none() -> None:
    for name in ("/no/such.pem", __file__):
        with pytest.raises(ConfigurationError) as caught:
            load().manager(None, True, name)
        assert str(caught.value) == f"ca_file {name!r} is not a readable PEM file"


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load().manager("socks5://127.0.0.1:1", False, None)
    assert str(caught.value) == (
        "the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY): "
        "a URL must begin with https:// or http://, not 'socks5'"
    )


def test_each_address_of_a_name_is_tried_and_the_last_failure_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = load()
    with socket.socket() as taken, socket.create_server(("127.0.0.1", 0)) as open_one:
        taken.bind(("127.0.0.1", 0))
        closed, port = taken.getsockname(), open_one.getsockname()[1]
        kinds = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        found: list[object] = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        pool = backend.manager(None, False, None).connection_from_url(f"http://127.0.0.1:{port}")
        with backend.bounded(limits()):
            with pytest.raises(OSError, match=r"^the name has no address$"):
                pool._new_conn()._new_conn()
            found[:] = [(*kinds, closed)]
            with pytest.raises(ConnectionRefusedError):
                pool._new_conn()._new_conn()
            found[:] = [(*kinds, closed), (*kinds, open_one.getsockname())]
            with pool._new_conn()._new_conn() as made:
                assert made.getpeername() == open_one.getsockname()
                assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert made.gettimeout() == 2.5
