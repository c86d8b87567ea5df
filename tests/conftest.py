"""What holds for every test: no secret leaves (``leaks.py``); cases are drawn by the run's seed.

Also, a test can interrupt what it starts: a run in the background of a shell ignores SIGINT, and so
would its children.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import hypothesis
import pytest

from . import leaks, seed

GUARD = leaks.Guard()


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if seed.given():
        hypothesis.settings.register_profile("seeded", derandomize=True, database=None)
        hypothesis.settings.load_profile("seeded")
    GUARD.listen()


def pytest_unconfigure() -> None:
    GUARD.stop()


@pytest.fixture(autouse=True)
def _no_secret_leaves(request: pytest.FixtureRequest) -> Iterator[None]:
    GUARD.found.clear()
    yield
    told = leaks.told(GUARD, request.node.iter_markers("shows_secrets"))
    assert not told, f"secrets left: {told}"
