"""Encrypted result archives that both generations of the JavaScript SDK opened."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.protocol.archive import decrypt_result, decrypt_result_file

SUITE = "results"


@pytest.mark.witness("result archive of *", by="recorded")
def test_recorded(recorded: Any, vectors: Path) -> None:
    keys = {
        "right": (vectors / SUITE / "test-only-rsa-2048.pem").read_text(),
        "wrong": (vectors / SUITE / "test-only-rsa-2048-other.pem").read_text(),
        "none": "foo",
    }

    def opened(case: dict[str, Any]) -> object:
        data = base64.b64decode(case["archive"])
        key = keys[case.get("key", "right")]
        inner = decrypt_result(data, key)
        streamed = BytesIO()
        decrypt_result_file(BytesIO(data), streamed, key)
        assert streamed.getvalue() == inner
        return to_hex(inner)

    lines = dict.fromkeys(("v6", "v9", "mixed"), (opened, "inner"))
    recorded.run({**lines, "archive": (opened, None)})
