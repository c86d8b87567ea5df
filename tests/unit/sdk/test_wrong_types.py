"""Whatever a caller gives, an error of ours comes out, and it comes from what was given.

Every public method of every namespace is called with junk in each of its parameters, on a client
whose node and services do not answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import IExecError
from iexec_lite.protocol.chains import Chain

SOMEWHERE = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
NOBODY = "http://127.0.0.1:1"
SPACES = (
    *("wallet", "account", "app", "dataset", "workerpool", "order", "orderbook", "deal", "task"),
    *("result", "storage", "network", "hub"),
)
JUNK: tuple[Any, ...] = (
    *(None, b"x", 1.5, float("nan"), True, -1, 2**300, "", "x", "0x", "\ud800", "x" * 100_000),
    *([], (), {}, {"a": 1}, {"order": None, "sign": 5}, ["tee", None], object(), set()),
)
# Python's own errors for files that cannot be opened are the natural ones for paths.
FILES = {"encrypt_file", "compute_encrypted_file_checksum"}


@pytest.fixture(scope="module")
def iexec() -> Any:
    chain = Chain(
        id=133,
        name="here",
        host=NOBODY,
        hub=SOMEWHERE,
        token=SOMEWHERE,
        app_registry=SOMEWHERE,
        dataset_registry=SOMEWHERE,
        workerpool_registry=SOMEWHERE,
        bridge_contract=SOMEWHERE,
        sms=NOBODY,
        result_proxy=NOBODY,
        iexec_gateway=NOBODY,
        ipfs_gateway=NOBODY,
    )
    with IExec(chain, "0x" + "11" * 32) as client:
        client._context.http.retries = 0
        yield client


def calls(method: Callable[..., Any]) -> list[dict[str, Any]]:
    """Arguments with junk in one parameter, and an address in the others that are needed."""
    parameters = [
        each
        for each in inspect.signature(method).parameters.values()
        if each.kind is not each.VAR_KEYWORD
    ]
    needed = {each.name: SOMEWHERE for each in parameters if each.default is each.empty}
    return [{**needed, each.name: junk} for each in parameters for junk in JUNK]


@pytest.mark.parametrize("space", SPACES)
def test_only_our_errors_come_out(iexec: IExec, space: str) -> None:
    asked = 0
    for name, method in inspect.getmembers(getattr(iexec, space), callable):
        if name.startswith("_"):
            continue
        allowed = (IExecError, OSError, UnicodeError) if name in FILES else (IExecError,)
        for arguments in calls(method):
            asked += 1
            try:
                method(**arguments)
            except allowed:
                continue
            except Exception as error:
                pytest.fail(f"{space}.{name}({arguments!r:.200}): {error!r}")
    assert asked
