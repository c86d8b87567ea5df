"""The URL check of V6: which input files a request may name (chain.md §12).

``http``, ``https``, ``ftp`` or no scheme, then ``//`` and a host that looks public: an IPv4
address, or a name with a dot. Refused: ``localhost``, IPv6 hosts, other schemes, blanks, empty
text. Decides as V6's pattern does, in linear time, where that pattern backtracks without end.
"""

from __future__ import annotations

import re

__all__ = ["is_public_url"]

# Letters beyond ASCII are those of the Basic Multilingual Plane, as in JavaScript.
_BEYOND = "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
_LETTER = f"[a-zA-Z{_BEYOND}]"
_WORD = f"[a-zA-Z0-9{_BEYOND}]"
_PLAIN = f"a-zA-Z0-9._~!$&'()*+,;=:{_BEYOND}-"
_SCHEME = re.compile(r"(?:(?:[hH][tT][tT][pP][sS]?|[fF][tT][pP]):)?//")
_AUTHORITY_END = re.compile(r"[/?#]")
_USER = re.compile(f"(?:[{_PLAIN}]|%[0-9a-fA-F]{{2}})*")
_PORT = re.compile(r"[0-9]*")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_HOST = re.compile(f"[a-zA-Z0-9._~{_BEYOND}-]+")
_HOST_ENDS = re.compile(f"{_WORD}(?:.*{_LETTER})?", re.DOTALL)
_HOST_JOINT = re.compile(rf"{_WORD}\.{_LETTER}")
_PATH = re.compile(f"(?:[{_PLAIN}@/]|%[0-9a-fA-F]{{2}})*")
_QUERY = re.compile(f"(?:[{_PLAIN}@/?\ue000-\uf8ff]|%[0-9a-fA-F]{{2}})*")
_FRAGMENT = re.compile(f"(?:[{_PLAIN}@/?]|%[0-9a-fA-F]{{2}})*")


def _is_public_host(host: str) -> bool:
    """An IPv4 address, or two or more parts joined by dots, the last of letters at both ends.

    The parts may hold dots themselves, so one joint and the two ends decide: no backtracking.
    """
    if _IPV4.fullmatch(host):
        return True
    host = host[:-1] if host.endswith(".") else host
    return bool(_HOST.fullmatch(host) and _HOST_ENDS.fullmatch(host) and _HOST_JOINT.search(host))


def is_public_url(text: str) -> bool:
    """Whether V6 takes ``text`` as the URL of an input file."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return False
    rest = text[scheme.end() :]
    end = _AUTHORITY_END.search(rest)
    split = end.start() if end else len(rest)
    user, at, host = rest[:split].rpartition("@")
    host, _, port = host.partition(":")
    rest, _, fragment = rest[split:].partition("#")
    path, _, query = rest.partition("?")
    return bool(
        (not at or _USER.fullmatch(user))
        and _is_public_host(host)
        and _PORT.fullmatch(port)
        and not path.startswith("//")
        and _PATH.fullmatch(path)
        and _QUERY.fullmatch(query)
        and _FRAGMENT.fullmatch(fragment)
    )
