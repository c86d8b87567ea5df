"""What holds for every test: no secret leaves (``leaks.py``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import leaks

GUARD = leaks.Guard()


def pytest_configure() -> None:
    GUARD.listen()


def pytest_unconfigure() -> None:
    GUARD.stop()


@pytest.fixture(autouse=True)
def _no_secret_leaves(request: pytest.FixtureRequest) -> Iterator[None]:
    GUARD.found.clear()
    yield
    told = leaks.told(GUARD, request.node.iter_markers("shows_secrets"))
    assert not told, f"secrets left: {told}"
