"""What a person sees of long work."""

from __future__ import annotations

import io

from iexec_lite.sandbox.progress import TerminalProgress


def test_a_stream_that_cannot_write_everything() -> None:
    raw = io.BytesIO()
    progress = TerminalProgress(io.TextIOWrapper(raw, encoding="ascii"))
    progress.step("caf\u00e9 \u2192 bar")
    assert raw.getvalue() == b"caf? ? bar\n"
    text = io.StringIO()  # has no encoding at all
    TerminalProgress(text).step("caf\u00e9")
    assert text.getvalue() == "caf\u00e9\n"


def test_amounts_off_a_terminal() -> None:
    text = io.StringIO()
    progress = TerminalProgress(text)
    for done in range(0, 101, 10):
        progress.amount("Fetching", done * 1_000_000, 100_000_000)
    assert text.getvalue().splitlines() == [
        "Fetching: 0.0 of 100.0 MB (0 %)",
        "Fetching: 100.0 of 100.0 MB (100 %)",
    ]
