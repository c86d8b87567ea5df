"""URLs taken apart: what may be contacted, what is shown, and which proxy leads there."""

from __future__ import annotations

import pytest

from iexec_lite.errors import ConfigurationError, TransportError
from iexec_lite.net.target import Target, parse_target, proxy_for, redirected

BLANKS = "a URL must be text without blanks or control characters"
UNUSABLE = "not a usable URL: check its host and port"
HOSTS = (
    "not a usable URL: its host must be a plain name (an international one in its xn-- form) or a "
    "whole IP address"
)


def begins(scheme: str) -> str:
    return f"a URL must begin with https:// or http://, not '{scheme}'"


@pytest.mark.parametrize(
    ("url", "path", "label", "loopback"),
    [
        ("https://node.example", "/", "https://node.example", False),
        ("HTTPS://Node.Example/a/b?c=d#e", "/a/b?c=d", "https://node.example", False),
        ("https://node.example:8545?x", "/?x", "https://node.example:8545", False),
        ("https://node.example./", "/", "https://node.example.", False),
        ("https://n/", "/", "https://n", False),
        ("https://xn--exmple-cua.example", "/", "https://xn--exmple-cua.example", False),
        ("https://my_node-1.example", "/", "https://my_node-1.example", False),
        ("https://0x1.example", "/", "https://0x1.example", False),
        ("https://1.2.3.4", "/", "https://1.2.3.4", False),
        ("https://[2001:db8::1]:5/", "/", "https://[2001:db8::1]:5", False),
        ("http://LOCALHOST.:1/x", "/x", "http://localhost.:1", True),
        ("http://127.0.0.1", "/", "http://127.0.0.1", True),
        ("http://[::ffff:127.0.0.1]", "/", "http://[::ffff:127.0.0.1]", True),
        ("https://[::ffff:8.8.8.8]", "/", "https://[::ffff:8.8.8.8]", False),
        ("http://0.0.0.0:8", "/", "http://0.0.0.0:8", True),
        ("https://n/a/../b/./?c=/../d", "/b/?c=/../d", "https://n", False),
        ("https://n/../../b/..", "/", "https://n", False),
        ("https://n/.well-known//x:1", "/.well-known//x:1", "https://n", False),
    ],
)
def test_taken_apart(url: str, path: str, label: str, loopback: bool) -> None:
    found = parse_target(url)
    assert (found.path, found.label, found.loopback) == (path, label, loopback)
    assert found.authorization is None


@pytest.mark.parametrize(
    ("user", "basic"),
    [
        ("u:p", "dTpw"),
        (":p%40ss", "OnBAc3M="),
        ("key", "a2V5Og=="),
        ("u:p:q", "dTpwOnE="),
        ("a@b:c", "YUBiOmM="),
    ],
)
def test_userinfo_is_basic_authorization_and_never_shown(user: str, basic: str) -> None:
    found = parse_target(f"https://{user}@node.example/s3cr3t")
    assert found.authorization == f"Basic {basic}"
    assert repr(found) == "Target(scheme='https', host='node.example', port=None)"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, BLANKS),
        ("https://a b", BLANKS),
        ("https://a\x00", BLANKS),
        ("https://a\x7f", BLANKS),
        (" https://a", BLANKS),
        ("https://a:port", UNUSABLE),
        ("https://a:65536", UNUSABLE),
        ("https://[::1", UNUSABLE),
        ("", begins("")),
        ("ftp://a", begins("ftp")),
        ("abcdefghijklmnopq://a", begins("abcdefghijklmnop")),
        ("https://", HOSTS),
        ("https://-a", HOSTS),
        ("https://a-", HOSTS),
        ("https://a..", HOSTS),
        ("https://exämple", HOSTS),
        ("https://[fe80::1%25eth0]", HOSTS),
        ("https://[fe80::1%eth0]", HOSTS),
        ("https://" + "a" * 254, HOSTS),
        ("https://127.1", HOSTS),
        ("https://127.0.0.1.", HOSTS),
        ("https://a.0x1", HOSTS),
        ("https://a.5", HOSTS),
        ("https://0xg.0X", HOSTS),
    ],
)
def test_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_target(url)
    assert str(caught.value) == message


def test_the_longest_name() -> None:
    assert parse_target("https://" + "a" * 253).host == "a" * 253


def test_plain_http_needs_a_word() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_target("http://u:p@node.example:1/s3cr3t")
    assert str(caught.value) == (
        "http://node.example:1 would send everything unprotected: use https://, "
        "or allow_plain_http=True (--allow-plain-http) if the network itself is trusted"
    )
    assert parse_target("http://node.example", allow_plain=True).scheme == "http"


# --- redirects ------------------------------------------------------------------------------------

FAR = parse_target("https://node.example/a/b?k=s3cr3t")
HERE = parse_target("http://127.0.0.1:1/a")


@pytest.mark.parametrize(
    ("origin", "location", "label", "path"),
    [
        (FAR, "https://other.example/x", "https://other.example", "/x"),
        (FAR, "c", "https://node.example", "/a/c"),
        (FAR, "/c?d", "https://node.example", "/c?d"),
        (HERE, "http://localhost:2/", "http://localhost:2", "/"),
        (HERE, "https://node.example/", "https://node.example", "/"),
    ],
)
def test_redirects(origin: Target, location: str, label: str, path: str) -> None:
    found = redirected(origin, location)
    assert (found.label, found.path) == (label, path)


@pytest.mark.parametrize(
    ("origin", "location", "message"),
    [
        (FAR, "ftp://x", "redirects to an unusable address; check its URL"),
        (FAR, "http://[::1", "redirects to an unusable address; check its URL"),
        (FAR, "https://localhost/", "redirects to this machine: refused; check its URL"),
        (FAR, "http://127.0.0.1/", "redirects to this machine: refused; check its URL"),
        (
            FAR,
            "http://other.example/s3cr3t",
            "redirects to http://other.example, unprotected: refused; give an https:// URL",
        ),
        (
            HERE,
            "http://other.example:5/",
            "redirects to http://other.example:5, unprotected: refused; give an https:// URL",
        ),
    ],
)
def test_redirects_refused(origin: Target, location: str, message: str) -> None:
    with pytest.raises(TransportError) as caught:
        redirected(origin, location)
    assert str(caught.value) == f"{origin.label} {message}"


# --- proxies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "url", "proxy"),
    [
        ({}, "https://n.example", None),
        ({"https_proxy": "http://p:1"}, "https://n.example", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://n.example", None),
        ({"http_proxy": "p:1"}, "http://n.example", "http://p:1"),
        ({"all_proxy": "https://p"}, "https://n.example", "https://p"),
        ({"all_proxy": "https://p", "https_proxy": "q"}, "https://n.example", "http://q"),
        ({"all_proxy": "http://p"}, "https://127.0.0.1", None),
        ({"all_proxy": "http://p", "no_proxy": "n.example"}, "https://n.example", None),
        ({"all_proxy": "http://p", "no_proxy": "n.example"}, "https://n.example:8", None),
        ({"all_proxy": "http://p", "no_proxy": "n.example:8"}, "https://n.example:8", None),
        ({"all_proxy": "http://p", "no_proxy": "n.example:8"}, "https://n.example", "http://p"),
    ],
)
def test_proxies(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(parse_target(url, allow_plain=True)) == proxy
