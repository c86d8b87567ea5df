"""URLs: what may be contacted, and what of a URL may be shown.

A URL may hold a key in its path, query or user name, so texts use ``Target.label`` (scheme, host,
port) and errors never quote the URL. Refused: schemes other than http and https, plain http beyond
loopback without a word for it, hosts that two parsers could read differently.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from ..errors import ConfigurationError, TransportError
from ..frozen import Frozen, field

__all__ = ["Target", "parse_target", "proxy_for", "redirected"]

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?\Z")
_NUMERIC = re.compile(r"(.*\.)?(0[xX][0-9a-fA-F]*|[0-9]+)\.?\Z")
_BLANK = re.compile(r"[\x00-\x20\x7f]")


class Target(Frozen, kw_only=False):
    """A URL, taken apart once.

    ``label`` (``https://host`` or ``https://host:port``) is all that texts may show. ``loopback``:
    it is the machine itself, by name or address (``0.0.0.0`` leads there too).
    """

    scheme: str
    host: str
    port: int | None
    path: str = field(repr=False)
    authorization: str | None = field(repr=False)
    label: str = field(init=False, repr=False, compare=False)
    loopback: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        object.__setattr__(self, "label", f"{self.scheme}://{host}{port}")
        object.__setattr__(self, "loopback", _is_loopback(self.host))


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def parse_target(url: str, *, allow_plain: bool = False) -> Target:
    """Check ``url`` (http or https) and take it apart; userinfo becomes basic authorization.

    ``ConfigurationError`` names what is wrong, but never shows the URL: it may hold a key.
    """
    if not isinstance(url, str) or _BLANK.search(url):
        raise ConfigurationError("a URL must be text without blanks or control characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError("not a usable URL: check its host and port") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"a URL must begin with https:// or http://, not {parts.scheme[:16]!r}"
        )
    if not _usable_host(host):
        raise ConfigurationError(
            "not a usable URL: its host must be a plain name (an international one in its xn-- "
            "form) or a whole IP address"
        )
    path = _without_dots(parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authorization = None
    if "@" in parts.netloc:
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        authorization = "Basic " + b64encode(pair).decode("ascii")
    target = Target(parts.scheme, host, port, path, authorization)
    if target.scheme == "http" and not target.loopback and not allow_plain:
        raise ConfigurationError(
            f"{target.label} would send everything unprotected: use https://, "
            "or allow_plain_http=True (--allow-plain-http) if the network itself is trusted"
        )
    return target


def _without_dots(path: str) -> str:
    """``/a/../b/.`` is ``/b/`` (RFC 3986 §5.2.4): no server is asked to climb."""
    kept: list[str] = []
    for part in path.split("/")[1:]:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if path.endswith(("/.", "/..")):
        kept.append("")
    return "/" + "/".join(kept)


def _usable_host(host: str) -> bool:
    if ":" not in host and not _NUMERIC.match(host):
        return len(host) <= 253 and _HOST.match(host) is not None
    try:
        # Not 127.1 or 0x7f000001: some parsers take these for names, the system for addresses.
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def redirected(origin: Target, location: str) -> Target:
    """Where a redirect leads, if it may: never to plain http or to loopback from beyond it.

    ``TransportError`` where it may not.
    """
    try:
        target = parse_target(urljoin(origin.label + origin.path, location), allow_plain=True)
    except (ConfigurationError, ValueError):
        raise TransportError(
            f"{origin.label} redirects to an unusable address; check its URL"
        ) from None
    if not origin.loopback and target.loopback:
        raise TransportError(f"{origin.label} redirects to this machine: refused; check its URL")
    if target.scheme == "http" and not target.loopback:
        raise TransportError(
            f"{origin.label} redirects to {target.label}, unprotected: refused; "
            "give an https:// URL"
        )
    return target


def proxy_for(target: Target) -> str | None:
    """The proxy URL of ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``; or None.

    Never one for loopback.
    """
    if target.loopback:
        return None
    import urllib.request

    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(target.scheme) or proxies.get("all")
    if not proxy:
        return None
    host = target.host if target.port is None else f"{target.host}:{target.port}"
    if urllib.request.proxy_bypass_environment(host, proxies):  # type: ignore[attr-defined]
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
