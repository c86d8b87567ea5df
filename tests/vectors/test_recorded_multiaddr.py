"""Multiaddresses against the recorded answers of the JavaScript SDK."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.protocol.multiaddr import to_bytes, to_text

SUITE = "multiaddr"

TABLE = {
    "write": (lambda case: to_hex(to_bytes(case["text"])), "bytes"),
    "read": (lambda case: to_text(from_hex(case["bytes"])), "text"),
}


@pytest.mark.witness("multiaddress", by="recorded")
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
