"""Real chains for the tests: one anvil per process and flavour, a clean state for each test.

With pytest-xdist each process has its own chains. Isolation is a snapshot that is taken back. What
npm brings is looked for in ``IEXEC_LITE_CACHE``, else in the user's cache, and fetched if missing.
"""

from __future__ import annotations

import functools
import ipaddress
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.packages import Kit, ensure
from iexec_lite.sandbox.stack import Sandbox
from iexec_lite.sdk.records import MatchResult

from .api_coverage import ApiCoverage
from .cli import deals
from .cli.coverage import CliCoverage

Client = Callable[..., IExec]
Buy = Callable[..., MatchResult]


def pytest_configure(config: pytest.Config) -> None:
    api = ApiCoverage(config, Path(__file__).parent)
    config.pluginmanager.register(api)
    config.pluginmanager.register(CliCoverage(config, api.is_whole))


# Files that take longest, to be begun first: no process waits at the end while another is at one.
LONG = (
    *("test_tutorials", "test_readme", "test_dockerfile", "test_campaign"),
    *("test_today", "test_result", "test_order_devices", "test_secrets"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def kit() -> Kit:
    """Anvil and the contracts. Before the guard below: this may need the network, once."""
    return ensure()


@pytest.fixture(scope="session", autouse=True)
def loopback_only(kit: Kit, today_kit: Kit) -> Iterator[None]:
    """No test of this folder reaches beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise AssertionError(f"a test wanted to connect to {host}")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def today_kit() -> Kit:
    """Anvil and today's contracts. Likewise before the guard."""
    return ensure(generation=6)


def _running(flavour: str, kit: Kit, folder: Path) -> Iterator[Sandbox]:
    with Sandbox(folder, flavour=flavour, kit=kit, fresh=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def token_chain(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The token sandbox of this process; use ``sandbox`` in tests."""
    yield from _running("token", kit, tmp_path_factory.mktemp("token"))


@pytest.fixture(scope="session")
def native_chain(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The native sandbox of this process; use ``native_sandbox`` in tests."""
    yield from _running("native", kit, tmp_path_factory.mktemp("native"))


@pytest.fixture(scope="session")
def enterprise_chain(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The enterprise sandbox of this process; use ``enterprise_sandbox`` in tests."""
    yield from _running("enterprise", kit, tmp_path_factory.mktemp("enterprise"))


@pytest.fixture(scope="session")
def today_chain(today_kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox of today's generation of this process; use ``today`` in tests."""
    folder = tmp_path_factory.mktemp("today")
    with Sandbox(folder, generation=6, kit=today_kit, fresh=True) as sandbox:
        yield sandbox


def _isolated(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox as it was deployed, for one test; a worker that knows nothing."""
    snapshot = sandbox.node.rpc.request("evm_snapshot")
    sandbox.worker = sandbox.new_worker()
    yield sandbox
    assert sandbox.node.rpc.request("evm_revert", (snapshot,)) is True
    sandbox.reset_services()
    (sandbox.folder / "apps.json").unlink(missing_ok=True)
    shutil.rmtree(sandbox.folder / "tasks", ignore_errors=True)


@pytest.fixture
def sandbox(token_chain: Sandbox) -> Iterator[Sandbox]:
    """A token sandbox: ``.chain``, ``.node.rpc``, ``.store``, ``.sms``, ``.worker``."""
    yield from _isolated(token_chain)


@pytest.fixture
def native_sandbox(native_chain: Sandbox) -> Iterator[Sandbox]:
    """A native sandbox."""
    yield from _isolated(native_chain)


@pytest.fixture
def enterprise_sandbox(enterprise_chain: Sandbox) -> Iterator[Sandbox]:
    """An enterprise sandbox: everybody but ``beneficiary`` has a KYC."""
    yield from _isolated(enterprise_chain)


@pytest.fixture
def today(today_chain: Sandbox) -> Iterator[Sandbox]:
    """A sandbox of today's generation: PoCo 6, and the services of Arbitrum."""
    yield from _isolated(today_chain)


@pytest.fixture(params=["token", "native"])
def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each flavour in turn."""
    found = request.getfixturevalue("sandbox" if request.param == "token" else "native_sandbox")
    assert isinstance(found, Sandbox)
    return found


@pytest.fixture
def client() -> Iterator[Client]:
    """``client(sandbox, "requester")``: an IExec client of a named account, closed at the end."""
    made: list[IExec] = []

    def make(sandbox: Sandbox, name: str, **options: Any) -> IExec:
        made.append(IExec(sandbox.chain, accounts.signer(name), **options))
        return made[-1]

    yield make
    for iexec in made:
        iexec.close()


class Secrets:
    """Pushes secrets of named accounts to the SMS of a sandbox."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def dataset_key(self, sandbox: Sandbox, owner: str, dataset: str, key: str) -> None:
        self._client(sandbox, owner).dataset.push_dataset_secret(dataset, key)

    def result_key(self, sandbox: Sandbox, name: str, pem: str) -> None:
        self._client(sandbox, name).result.push_result_encryption_key(pem)

    def storage_token(self, sandbox: Sandbox, name: str) -> None:
        """Log in at the result proxy and push the token, unless one is there."""
        deals.push_storage_token(self._client(sandbox, name))


@pytest.fixture
def secrets(client: Client) -> Secrets:
    """``secrets.dataset_key(sandbox, "dataset-provider", address, key)`` and the others."""
    return Secrets(client)


@pytest.fixture
def buy(client: Client) -> Buy:
    """``buy(sandbox, …)``: see :func:`~.cli.deals.buy`."""
    return lambda sandbox, **options: deals.buy(functools.partial(client, sandbox), **options)
