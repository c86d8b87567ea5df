"""HTTP under faults: limits, redirects and redaction, against a real server on loopback."""

from __future__ import annotations

import gzip
import itertools
import logging
import os
import pickle
import socket
import ssl
import threading
import time
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from iexec_lite import __version__
from iexec_lite.errors import (
    ConfigurationError,
    RequestTimeoutError,
    TransportError,
    ValidationError,
)
from iexec_lite.net import http as module
from iexec_lite.net.http import Http, Timeout
from iexec_lite.net.target import parse_target, redirected

SECRET = "s3cr3tk3y"


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def http(pauses):
    with Http(timeout=5, sleep=pauses.append, random=lambda: 1.0) as client:
        yield client


def chain_text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


# --- plain answers ---------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "ok"), [(200, True), (299, True), (300, False), (404, False)])
def test_what_is_success(serve, http, status, ok):
    server = serve(lambda call: call.reply(status, b"x"))
    assert http.request("GET", server.url).ok is ok
    assert server.calls[0][2]["accept-encoding"] == "gzip, deflate"


def test_answer_with_status_headers_and_body(serve, http):
    server = serve(lambda call: call.reply(404, b"no", {"X-One": "1"}))
    answer = http.request("PUT", server.url + "/a?b=c", body=b"data", headers={"X-Two": "2"})
    assert (answer.status, answer.body, answer.ok) == (404, b"no", False)
    assert answer.headers["x-one"] == "1"
    method, path, headers, body = server.calls[0]
    assert (method, path, body) == ("PUT", "/a?b=c", b"data")
    assert headers["x-two"] == "2"
    assert headers["user-agent"] == f"iexec-lite/{__version__}"


def test_connections_are_kept(serve, http):
    ports = set()
    server = serve(lambda call: (ports.add(call.client_address), call.reply(200, b"ok")))
    for _ in range(5):
        http.request("GET", server.url)
    assert len(ports) == 1


@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        ("//other.example/b?x=1", "/other.example/b?x=1"),  # http.server shows one slash of two
        ("/a/../b", "/b"),
        ("/a%2fb?k=%2F&z=a%20b", "/a%2Fb?k=%2F&z=a%20b"),
        ("?key=1", "/?key=1"),
        ("/a:80/\u00e4", "/a:80/%C3%A4"),
    ],
)
def test_whatever_the_path_the_host_is_asked_for_it(serve, http, path, arrives):
    server = serve(lambda call: call.reply(200))
    assert http.request("GET", server.url + path).ok
    ((_, found, headers, _),) = server.calls
    assert (found, headers["Host"]) == (arrives, server.url.removeprefix("http://"))


def test_many_threads_share_one_pool(serve, http):
    server = serve(lambda call: call.reply(200, call.path.encode()))
    answers = {}

    def ask(i):
        answers[i] = [http.request("GET", f"{server.url}/{i}").body for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {i: [f"/{i}".encode()] * 5 for i in range(8)}


def test_json_is_strict(serve, http):
    bodies = {
        b'{"a": [1, 2.5, null]}': {"a": [1, 2.5, None]},
        b"<html>": None,
        b"NaN": None,
        b"[1e999]": None,
        b"1" * 5000: None,
        b"[" * 200_000: None,
        b"\xff": None,
        b"": None,
    }
    for body, expected in bodies.items():
        server = serve(lambda call, body=body: call.reply(200, body))
        answer = http.request("GET", server.url + "/" + SECRET)
        if expected is not None:
            assert answer.json() == expected
            continue
        with pytest.raises(TransportError, match=r"127.0.0.1:.*unreadable") as caught:
            answer.json()
        assert SECRET not in chain_text(caught.value)


# --- time ------------------------------------------------------------------------------------


def drip(call, head: bytes):
    call.raw(head)
    for _ in range(200):
        call.raw(b"a")
        time.sleep(0.02)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["status", "header", "body", "chunk", "until-close"],
)
def test_a_dripping_server_does_not_exceed_the_whole_call(serve, head):
    server = serve(lambda call: drip(call, head))
    with Http() as client:
        started = time.monotonic()
        with pytest.raises(RequestTimeoutError, match=r"within 0.3 s") as caught:
            client.request("GET", f"{server.url}/{SECRET}", timeout=Timeout(0.3, 0.3, 0.3))
        assert time.monotonic() - started < 1.0
    assert isinstance(caught.value, TimeoutError)
    assert SECRET not in chain_text(caught.value)


def test_a_silent_server_is_a_read_timeout(serve, http):
    stop = threading.Event()
    server = serve(lambda call: stop.wait(5))
    with pytest.raises(RequestTimeoutError, match="in time"):
        http.request("GET", server.url, timeout=Timeout(1, 0.1, 10))
    stop.set()


def test_the_timeout_of_one_call_does_not_leak_into_the_next(serve, http):
    server = serve(lambda call: (time.sleep(0.2), call.reply(200, b"ok")))
    with pytest.raises(RequestTimeoutError):
        http.request("GET", server.url, timeout=0.05)
    assert http.request("GET", server.url).body == b"ok"
    assert http.request("POST", server.url, body=b"x" * 300_000).body == b"ok"


def test_sending_may_take_longer_than_connecting(serve, http):
    server = serve(lambda call: call.reply(200, b"ok"))
    patient = Timeout(connect=0.2, read=5, total=5)
    for pause in (0, 0.4):
        server.pause = pause
        assert http.request("POST", server.url, body=b"x" * 20_000_000, timeout=patient).ok


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5"])
def test_a_timeout_is_a_positive_number(value):
    with pytest.raises((ConfigurationError, TypeError)):
        Http(timeout=value)


# --- size ------------------------------------------------------------------------------------


def test_a_declared_size_is_refused_before_reading(serve, http):
    server = serve(
        lambda call: call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"a")
    )
    with pytest.raises(TransportError, match="more than 1000 bytes"):
        http.request("GET", server.url, max_bytes=1000)


def test_head_may_announce_any_size(serve, http):
    server = serve(lambda call: call.reply(200, b"", {"Content-Length": "999999999999"}))
    answer = http.request("HEAD", server.url, max_bytes=10)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == "999999999999"


def test_a_large_redirect_does_not_count_for_what_follows(serve, http):
    server = serve(
        lambda call: (
            call.reply(302, b"x" * 5000, {"Location": "/b"})
            if call.path == "/a"
            else call.reply(200, b"ok")
        )
    )
    assert http.request("GET", server.url + "/a", max_bytes=10).body == b"ok"


@pytest.mark.parametrize("chunked", [True, False])
def test_an_undeclared_size_is_refused_while_reading(serve, http, chunked):
    def flood(call):
        call.close_connection = True
        if chunked:
            call.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            call.raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(1000):
            call.raw((b"10000\r\n" if chunked else b"") + b"a" * 65536 + b"\r\n" * chunked)

    server = serve(flood)
    with pytest.raises(TransportError, match="more than 100000 bytes"):
        http.request("GET", server.url, max_bytes=100_000)


def test_a_negative_chunk_does_not_escape_the_limit(serve, http):
    def flood(call):
        call.close_connection = True
        call.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        for _ in range(400):
            call.raw(b"a" * 65536)

    server = serve(flood)
    with pytest.raises(TransportError):
        http.request("GET", server.url, max_bytes=1000)


def test_endless_interim_answers_do_not_escape_the_limit(serve, http):
    def flood(call):
        for _ in range(10_000):
            call.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    server = serve(flood)
    with pytest.raises(TransportError, match="more than 1000 bytes"):
        http.request("GET", server.url, max_bytes=1000)


def test_exactly_the_limit_passes(serve, http):
    server = serve(lambda call: call.reply(200, b"a" * 1000))
    assert len(http.request("GET", server.url, max_bytes=1000).body) == 1000
    with pytest.raises(TransportError):
        http.request("GET", server.url, max_bytes=999)


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "raw-deflate", "stored", "identity", "members"]
)
def test_compressed_answers(serve, http, encoding):
    text = b"some text " * 1000
    packed = {
        "gzip": gzip.compress(text, mtime=0),
        "deflate": zlib.compress(text),
        "raw-deflate": zlib.compress(text)[2:-4],
        # bare too, and its first byte is that of zlib's header by chance
        "stored": b"\x08\x10\x27\xef\xd8" + text + b"\x01\x00\x00\xff\xff",
        "identity": text,
        "members": gzip.compress(text[:5000], mtime=0) + gzip.compress(text[5000:]) + b"\0\0",
    }[encoding]
    name = {"raw-deflate": "deflate", "stored": "deflate", "members": "gzip"}.get(
        encoding, encoding
    )
    server = serve(lambda call: call.reply(200, packed, {"Content-Encoding": name}))
    assert http.request("GET", server.url).body == text


def test_a_bomb_is_refused_without_its_memory(serve, http):
    import tracemalloc

    bomb = gzip.compress(b"\0" * 60_000_000, 9, mtime=0)
    server = serve(lambda call: call.reply(200, bomb, {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    with pytest.raises(TransportError, match="more than 1000000 bytes"):
        http.request("GET", server.url, max_bytes=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0)),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-12]),
        ("deflate", zlib.compress(b"x") + b"junk"),
    ],
)
def test_broken_or_unknown_encodings_are_refused(serve, http, encoding, body):
    server = serve(lambda call: call.reply(200, body, {"Content-Encoding": encoding}))
    with pytest.raises(TransportError) as caught:
        http.request("GET", server.url)
    assert str(caught.value) == (
        f"{server.url} sent a bad body: {caught.value.cause}; check that its URL is right, and "
        "the proxy if there is one"
    )


@pytest.mark.parametrize("chunked", [True, False])
def test_a_cut_answer_is_an_error(serve, http, chunked):
    def cut(call):
        call.close_connection = True
        if chunked:
            call.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc")
        else:
            call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    server = serve(cut)
    with pytest.raises(TransportError, match="cut its answer short") as caught:
        http.request("GET", server.url)
    assert caught.value.retryable


@pytest.mark.parametrize("noise", [b"\x16\x03\x01junk\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_what_is_not_http_is_an_error(serve, http, noise):
    server = serve(lambda call: (call.raw(noise), setattr(call, "close_connection", True)))
    with pytest.raises(TransportError):
        http.request("GET", server.url, timeout=1)


# --- stream ----------------------------------------------------------------------------------


def test_stream_gives_chunks_and_keeps_the_connection(serve, http):
    ports = set()
    server = serve(lambda call: (ports.add(call.client_address), call.reply(200, b"ab" * 100_000)))
    for _ in range(2):
        with http.stream("GET", server.url) as answer:
            assert answer.status == 200
            chunks = list(answer)
        assert b"".join(chunks) == b"ab" * 100_000
        assert max(map(len, chunks)) <= 65536
    assert len(ports) == 1


def test_stream_left_early_drops_its_connection(serve, http):
    ports = []
    server = serve(
        lambda call: (ports.append(call.client_address), call.reply(200, b"ab" * 1_000_000))
    )
    with http.stream("GET", server.url) as answer:
        assert next(iter(answer))
    assert http.request("GET", server.url).ok
    assert len(set(ports)) == 2


def test_stream_has_the_same_limits(serve, http):
    server = serve(lambda call: call.reply(200, b"a" * 5000))
    with http.stream("GET", server.url, max_bytes=10) as answer, pytest.raises(TransportError):
        answer.read()
    slow = serve(lambda call: drip(call, b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"))
    with (
        http.stream("GET", slow.url, timeout=0.2) as answer,
        pytest.raises(RequestTimeoutError),
    ):
        answer.read()


# --- retries ---------------------------------------------------------------------------------


def failing(times, then=b"ok", **failure):
    left = [times]

    def behave(call):
        if left[0] == 0:
            return call.reply(200, then)
        left[0] -= 1
        if failure.get("cut"):
            call.close_connection = True
            return None
        return call.reply(failure["status"], b"", failure.get("headers"))

    return behave


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_reads_are_retried_with_growing_pauses(serve, http, pauses, status):
    server = serve(failing(3, status=status))
    assert http.request("GET", server.url, retry=True).body == b"ok"
    assert pauses == [0.25, 0.5, 1.0]


def test_jitter_shortens_pauses_by_at_most_half(serve):
    pauses = []
    server = serve(failing(1, status=503))
    with Http(sleep=pauses.append, random=lambda: 0.0) as client:
        assert client.request("GET", server.url, retry=True).ok
    assert pauses == [0.125]


def test_writes_are_never_retried(serve, http, pauses):
    server = serve(failing(9, status=503))
    assert http.request("POST", server.url, body=b"x").status == 503
    cut = serve(failing(9, cut=True))
    with pytest.raises(TransportError, match="closed the connection"):
        http.request("POST", cut.url, body=b"x")
    assert (len(server.calls), len(cut.calls), pauses) == (1, 1, [])


def test_cut_reads_are_retried(serve, http, pauses):
    server = serve(failing(2, cut=True))
    assert http.request("GET", server.url, retry=True).body == b"ok"
    assert len(pauses) == 2


def test_pauses_grow_to_eight_seconds(serve, pauses):
    server = serve(failing(7, status=503))
    with Http(sleep=pauses.append, random=lambda: 1.0, retries=7) as client:
        assert client.request("GET", server.url, retry=True).ok
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize(("total", "status"), [(0.25, 503), (0.26, 200)])
def test_a_pause_must_fit_the_time_of_the_call(serve, pauses, total, status):
    server = serve(failing(1, status=503))
    with Http(sleep=pauses.append, random=lambda: 1.0, clock=lambda: 0.0) as client:
        assert client.request("GET", server.url, retry=True, timeout=total).status == status
    with (
        Http(sleep=pauses.append, random=lambda: 1.0, clock=lambda: 0.0, retries=1) as client,
        pytest.raises(TransportError, match="cannot be reached"),
    ):
        client.request("GET", "http://127.0.0.1:9/", retry=True, timeout=total)
    assert pauses == ([] if status == 503 else [0.25, 0.25])


def test_retries_are_bounded(serve, http, pauses):
    server = serve(failing(99, status=503))
    assert http.request("GET", server.url, retry=True).status == 503
    assert (len(server.calls), len(pauses)) == (4, 3)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 501])
def test_other_statuses_are_final(serve, http, status):
    server = serve(failing(1, status=status))
    assert http.request("GET", server.url, retry=True).status == status


def test_retry_after_is_honoured(serve, pauses, monkeypatch):
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1_000_000_000.0))
    for header, pause in (
        ("3", 3),
        (" 30 ", 30),
        ("Sun, 09 Sep 2001 01:46:47 GMT", 7),
        ("Sun, 09 Sep 2001 01:47:10 GMT", 30),
        ("Sun, 09 Sep 2001 01:46:39 GMT", 0.25),
        ("0", 0.25),
        ("junk", 0.25),
        ("-3", 0.25),
    ):
        server = serve(failing(1, status=429, headers={"Retry-After": header}))
        with Http(sleep=pauses.append, random=lambda: 1.0, timeout=60) as client:
            assert client.request("GET", server.url, retry=True).ok
        assert pauses.pop() == pause


@pytest.mark.parametrize("header", ["31", "3600", "9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_long_retry_after_is_not_waited_for(serve, http, pauses, header):
    server = serve(failing(1, status=429, headers={"Retry-After": header}))
    assert http.request("GET", server.url, retry=True, timeout=1000).status == 429
    assert pauses == []


def test_no_retry_beyond_the_time_of_the_call(serve, http, pauses):
    server = serve(failing(1, status=429, headers={"Retry-After": "4"}))
    assert http.request("GET", server.url, retry=True, timeout=3).status == 429
    assert pauses == []


def test_connection_refused(http, pauses):
    with pytest.raises(TransportError, match=r"http://127.0.0.1:9 cannot be reached") as caught:
        http.request("GET", f"http://127.0.0.1:9/{SECRET}", retry=True)
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.retryable
    assert len(pauses) == 3
    assert SECRET not in chain_text(caught.value)


# --- redirects -------------------------------------------------------------------------------


def test_redirects_of_reads_are_followed_without_credentials(serve, http):
    goal = serve(lambda call: call.reply(200, b"here"))
    start = serve(lambda call: call.reply(302, b"", {"Location": goal.url + "/x"}))
    url = start.url.replace("http://", f"http://user:{SECRET}@")
    headers = {"Authorization": f"Bearer {SECRET}", "X-Token": SECRET, "Accept": "text/plain"}
    assert http.request("GET", url, headers=headers).body == b"here"
    sent = goal.calls[0][2]
    assert sent["accept"] == "text/plain"
    assert SECRET not in str(sent)
    assert SECRET in str(start.calls[0][2])


def test_credentials_in_a_location_are_not_used(serve, http):
    goal = serve(lambda call: call.reply(200, b"here"))
    evil = goal.url.replace("http://", "http://planted:pass@")
    start = serve(lambda call: call.reply(302, b"", {"Location": evil}))
    assert http.request("GET", start.url).ok
    assert "authorization" not in {name.lower() for name in goal.calls[0][2]}


def test_relative_redirects(serve, http):
    server = serve(
        lambda call: (
            call.reply(301, b"", {"Location": "b?c"})
            if call.path == "/a/x"
            else call.reply(200, call.path.encode())
        )
    )
    assert http.request("GET", server.url + "/a/x").body == b"/a/b?c"


def test_redirects_are_bounded(serve, http):
    server = serve(lambda call: call.reply(302, b"", {"Location": "/again"}))
    with pytest.raises(TransportError) as caught:
        http.request("GET", server.url)
    assert str(caught.value) == (
        f"{server.url} redirects more than 5 times; give the URL it leads to"
    )
    assert len(server.calls) == 6


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_writes_do_not_follow_redirects(serve, http, method):
    goal = serve(lambda call: call.reply(200, b"here"))
    start = serve(lambda call: call.reply(307, b"", {"Location": goal.url}))
    assert http.request(method, start.url, body=b"secret").status == 307
    assert goal.calls == []


@pytest.mark.parametrize(
    "location",
    [
        "http://example.invalid/",
        "ftp://example.invalid/",
        "file:///etc/passwd",
        "http://exa mple/",
        "http://[::1",
        "//evil.invalid",
        "http://127.0.0.1:99999/",
    ],
)
def test_bad_redirects_are_refused(serve, location):
    server = serve(lambda call: call.reply(302, b"", {"Location": location}))
    with Http(allow_plain=True) as client, pytest.raises(TransportError, match="redirects to"):
        client.request("GET", server.url)


@pytest.mark.parametrize("line", ["GARBAGE /{}", "HTTP/1.1 x{}", "HTTP/1.1 200 OK\r\n{}"])
def test_what_a_host_echoes_is_not_chained(serve, http, line):
    server = serve(lambda call: call.raw(line.format(SECRET).encode() + b"\r\n\r\n"))
    try:
        shown = repr(http.request("GET", server.url, timeout=0.5))
    except TransportError as caught:
        shown = chain_text(caught) + repr(caught.cause)
    assert SECRET not in shown


def test_headers_of_an_answer_are_not_in_its_repr(serve, http):
    server = serve(lambda call: call.reply(201, b"", {"Location": f"/{SECRET}"}))
    answer = http.request("POST", server.url)
    assert answer.headers["location"] == f"/{SECRET}"
    assert SECRET not in repr(answer)


def test_a_user_agent_that_would_split_is_refused():
    with pytest.raises(ValidationError, match="user-agent"):
        Http(user_agent="x\r\nEvil: 1")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_opens_its_own_connections(serve, http, monkeypatch):
    server = serve(lambda call: call.reply(200, str(call.client_address[1]).encode()))
    first = http.request("GET", server.url).body
    assert http.request("GET", server.url).body == first, "kept alive"
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)
    assert http.request("GET", server.url).body != first


# --- what may be contacted -------------------------------------------------------------------


def test_plain_http_beyond_loopback_needs_a_word(http):
    with pytest.raises(ConfigurationError, match=r"^http://example\.invalid .*allow_plain") as bad:
        http.request("GET", f"http://example.invalid/{SECRET}")
    assert SECRET not in chain_text(bad.value)
    with Http(allow_plain=True) as client, pytest.raises(TransportError, match="unknown host"):
        client.request("GET", "http://example.invalid/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://127.0.0.1/",
        "127.0.0.1:80",
        "http://",
        "http:///path",
        "http://127.0.0.1:port/",
        "http://127.0.0.1 /",
        "http://127.0.0.1/\r\nX: 1",
        "http://127.0.0.1\\@example.invalid/",
        "http://exämple.invalid/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1:80:80/",
        None,
    ],
)
def test_unusable_urls_are_refused(http, url):
    with pytest.raises(ConfigurationError):
        http.request("GET", url)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "1.2.3", "256.1.1.1", "0x"])
def test_addresses_that_parsers_read_differently_are_refused(http, host):
    with pytest.raises(ConfigurationError, match="a whole IP address"):
        http.request("GET", f"https://{host}/")


def test_an_international_name_is_told_its_form(http):
    with pytest.raises(ConfigurationError, match="xn--"):
        http.request("GET", "https://exämple.invalid/")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "127.9.9.9"])
def test_every_way_to_this_machine_is_loopback(host):
    target = parse_target(f"http://{host}:1/")
    assert target.loopback
    with pytest.raises(TransportError, match="to this machine"):
        redirected(parse_target("https://example.invalid/"), f"https://{host}/")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", f"http://u:{SECRET}@ho st:1"])
def test_an_unusable_proxy_is_named(monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    with Http() as client, pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        client.request("GET", "https://example.invalid/")
    assert SECRET not in chain_text(caught.value)


def test_headers_that_would_split_are_refused_without_showing_them(serve, http):
    server = serve(lambda call: call.reply(200))
    for headers in ({"X": f"{SECRET}\r\nY: 1"}, {"X\r\n": "1"}, {"X": "snow ☃"}):
        with pytest.raises(ValidationError) as caught:
            http.request("GET", server.url, headers=headers)
        assert str(caught.value) == (
            f"header {next(iter(headers))!r} holds characters that a header cannot hold"
        )
        assert SECRET not in chain_text(caught.value)
    for method in ("GET / HTTP/1.1\r\n", "GET\n", "", "G T"):
        with pytest.raises(ValidationError, match=r"^an HTTP method must be a plain word$"):
            http.request(method, server.url)
    assert server.calls == []


def test_userinfo_becomes_basic_authorization(serve, http):
    server = serve(lambda call: call.reply(200))
    http.request("GET", server.url.replace("http://", "http://:p%40ss@"))
    assert server.calls[0][2]["authorization"] == "Basic OnBAc3M="


def test_a_closed_pool_refuses(serve):
    server = serve(lambda call: call.reply(200))
    client = Http()
    assert client.request("GET", server.url).ok
    client.close()
    client.close()
    with pytest.raises(TransportError) as caught:
        client.request("GET", server.url)
    assert str(caught.value) == "the connection pool is closed; build a new client"


def test_a_pool_is_not_pickled():
    with pytest.raises(TypeError, match=r"^a connection pool cannot be pickled or copied$"):
        pickle.dumps(Http())


# --- TLS -------------------------------------------------------------------------------------


def test_tls_certificates_are_verified(serve, http, tls_files):
    certificate, key = tls_files
    server = serve(lambda call: call.reply(200, b"safe"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http:", "https:") + "/" + SECRET
    with pytest.raises(TransportError, match="certificate is not trusted") as caught:
        http.request("GET", url)
    assert not caught.value.retryable
    assert SECRET not in chain_text(caught.value)
    with Http(ca_file=certificate) as trusting:
        assert trusting.request("GET", url).body == b"safe"
        wrong_name = url.replace("127.0.0.1", "localhost")
        with pytest.raises(TransportError, match="not trusted"):
            trusting.request("GET", wrong_name)


def test_tls_to_a_plain_server(serve, http):
    server = serve(lambda call: call.reply(200))
    with pytest.raises(TransportError, match=r"no TLS connection|cut its answer"):
        http.request("GET", server.url.replace("http:", "https:"))


def test_a_missing_ca_file_is_named(http):
    with Http(ca_file="/no/such.pem") as client, pytest.raises(ConfigurationError, match="such"):
        client.request("GET", "https://127.0.0.1:9/")


# --- proxies ---------------------------------------------------------------------------------


def test_a_proxy_is_used_beyond_loopback_only(serve, monkeypatch):
    proxy = serve(lambda call: call.reply(200, b"by proxy"))
    target = serve(lambda call: call.reply(200, b"direct"))
    user = proxy.url.replace("http://", f"http://user:{SECRET}@")
    monkeypatch.setenv("HTTP_PROXY", user)
    monkeypatch.setenv("http_proxy", user)
    with Http(allow_plain=True) as client:
        assert client.request("GET", "http://example.invalid/x").body == b"by proxy"
        assert client.request("GET", target.url).body == b"direct"
        monkeypatch.setenv("no_proxy", "example.invalid")
        with pytest.raises(TransportError, match="unknown host"):
            client.request("GET", "http://example.invalid/x")
    assert proxy.calls[0][1] == "http://example.invalid/x"
    assert "proxy-authorization" in {name.lower() for name in proxy.calls[0][2]}


def test_https_goes_through_a_tunnel(serve, monkeypatch):
    proxy = serve(lambda call: call.reply(407))
    monkeypatch.setenv("https_proxy", proxy.url)
    with Http() as client, pytest.raises(TransportError, match="the proxy to https://example"):
        client.request("GET", f"https://example.invalid/{SECRET}")
    assert proxy.calls[0][:2] == ("CONNECT", "example.invalid:443")


def test_a_dripping_proxy_is_bounded_too(serve, monkeypatch):
    proxy = serve(lambda call: drip(call, b"HTTP/1.1 200 OK\r\nX: "))
    monkeypatch.setenv("https_proxy", proxy.url)
    started = time.monotonic()
    with Http() as client, pytest.raises(RequestTimeoutError):
        client.request("GET", "https://example.invalid/", timeout=0.3)
    assert time.monotonic() - started < 1


# --- logs ------------------------------------------------------------------------------------


def test_logs_name_method_host_status_and_retry_only(serve, caplog):
    server = serve(failing(1, status=503))
    url = server.url.replace("http://", f"http://u:{SECRET}@") + f"/{SECRET}?k={SECRET}"
    clock = itertools.count().__next__
    with (
        caplog.at_level(logging.DEBUG),
        Http(timeout=99, sleep=lambda _: None, random=lambda: 1.0, clock=clock) as client,
    ):
        client.request("GET", url, headers={"X-Key": SECRET}, retry=True)
        with pytest.raises(TransportError):
            client.request("POST", f"http://127.0.0.1:9/{SECRET}")
    ours = [record.getMessage() for record in caplog.records if record.name == "iexec_lite"]
    took = [float(text.split()[-2]) for text in (ours[0], ours[2], ours[3])]
    assert all(seconds >= 1 and seconds.is_integer() for seconds in took)
    assert ours == [
        f"GET {server.url}: 503 in {took[0]:.3f} s",
        f"retry 1 in 0.25 s: GET {server.url} (503)",
        f"GET {server.url}: 200 in {took[1]:.3f} s",
        f"POST http://127.0.0.1:9: failed in {took[2]:.3f} s",
    ]
    # Not in ours, and not in what urllib3 would have logged either.
    assert SECRET not in caplog.text


def test_urllib3_logs_of_others_are_left_alone(serve, http, caplog):
    server = serve(lambda call: call.reply(200))
    http.request("GET", server.url)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("urllib3.connectionpool").debug("somebody else's line")
    assert "somebody else's line" in caplog.text


@pytest.mark.parametrize("body", [b'{"small": 1}', None])
def test_a_request_leaves_in_one_piece(http, body):
    """What is sent in two wakes the server twice."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        port = server.getsockname()[1]
        asked = pool.submit(
            http.request, "POST" if body else "GET", f"http://127.0.0.1:{port}", body=body
        )
        connection, _ = server.accept()
        with connection:
            first = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert asked.result().status == 204
    head, _, rest = first.partition(b"\r\n\r\n")
    assert head.startswith(b"POST / " if body else b"GET / ")
    assert rest == (body or b"")
