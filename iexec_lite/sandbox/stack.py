"""A whole sandbox as one object: node, contracts, services and worker, in this process.

``Sandbox`` starts them in order and stops them in reverse, on every path. Its folder holds
``chain.json`` (while it runs: the record that ``"sandbox"`` stands for), ``accounts.json`` (the
named accounts with their public test keys), ``apps.json`` (written by the user: which command
stands for which app), ``store/``, ``services/`` (a database for each), ``tasks/`` and, after a stop
with ``save``, the chain itself.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import IExecError, SandboxError
from ..net.http import Http
from ..protocol.chains import Chain
from ..sdk.files import PRIVATE, atomic_write, private_dir, read_text
from ..sdk.local import SANDBOX, record_path
from . import accounts
from .compute import Compute
from .deploy import Deployment, prepare, record, twin_of, verify
from .folders import cache_folder, write_json
from .kinds import KINDS, Kind, kind_of
from .node import Node
from .packages import Kit, ensure
from .processes import pick_port, uninterrupted
from .progress import Progress
from .runner import AppMap
from .store import Store
from .worker import Worker

if TYPE_CHECKING:
    from .bridge import Bridge
    from .server import WSGI
    from .services import Services
    from .sms import Sms

__all__ = ["STORE", "Sandbox", "require_bridgeable", "require_packages", "saved_chain"]

STORE = "store"  # in the folder of a sandbox
MAX_SAVED = 512 * 1024 * 1024  # bytes of a saved chain
WORK_INTERVAL = 0.1  # seconds between two looks of the worker
HEARTBEAT = 15.0  # seconds after which an idle chain gets a block, so that its clock goes on


def saved_chain(folder: Path, kind: Kind) -> Path:
    """The file that keeps the chain of a stopped sandbox."""
    return folder / f"{kind.name}.state"


def require_packages() -> None:
    """SandboxError where a package of the ``sandbox`` extra is missing. Loads none of them."""
    for name in ("falcon", "waitress"):
        if find_spec(name) is None:
            raise SandboxError(
                f"the sandbox needs {name}: install the sandbox extra "
                "(pip install 'iexec-lite[sandbox]')"
            )


def require_bridgeable(kind: Kind, *, bridge: bool) -> None:
    """SandboxError where a bridge is asked for that cannot begin on a chain of this kind."""
    if bridge and not kind.bridgeable:
        raise SandboxError(f"a bridge begins on a token chain as V6 knew it, not here ({kind})")


def _load_services() -> None:
    from . import faucet, services  # noqa: F401


class Sandbox:
    """A sandbox in ``folder``. ``with Sandbox(folder) as sandbox: …`` or ``start`` and ``stop``.

    ``fresh`` forgets all of last time. ``report`` hears what the worker does. ``apps`` are mounted
    beside the services. ``bridge``: with a native sandbox, ``bridged``, at the other end of one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        flavour: str = "token",
        generation: int = 5,
        name: str = SANDBOX,
        bridge: bool = False,
        port: int | None = None,
        port_required: bool = False,
        service_port: int | None = None,
        fresh: bool = False,
        kit: Kit | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
        report: Callable[[str], None] | None = None,
        apps: Mapping[str, WSGI] | None = None,
    ) -> None:
        self.folder = folder
        self.kind = kind_of(flavour, generation)
        require_bridgeable(self.kind, bridge=bridge)
        self.bridge: Bridge | None = None
        self.bridged: Sandbox | None = None
        self._name = name
        self._bridge = bridge
        self._fresh = fresh
        self._cache = cache or cache_folder()
        self._kit = kit
        self._progress = progress or Progress()
        self._report = report
        self._apps = dict(apps or {})
        self._ports = (port, port_required, service_port)
        self._closing = contextlib.ExitStack()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start everything; on failure nothing is left running."""
        try:
            self._start()
        except BaseException:
            with uninterrupted():
                self._closing.close()
            raise

    def _start(self) -> None:
        require_packages()
        private_dir(self.folder)
        if self._fresh:
            self._forget()
        self.kit = self._kit or ensure(
            self._progress, cache=self._cache, generation=self.kind.generation
        )
        port, required, service_port = self._ports
        self.node = Node(
            self.kit.anvil,
            self.kind,
            port=port,
            port_required=required,
            log=self.folder / "anvil.log",
        )
        self._closing.callback(self.node.stop)
        self.node.start(meanwhile=_load_services)  # both take a tenth of a second
        self._remove_leftovers()
        self.deployment = self._restore()
        # The newest block of a kept chain is of last time, and blocks are asked for the time.
        self.node.mine()
        self.store = Store(self.folder / STORE)
        self._http = self._closing.enter_context(Http())
        self.services = self._make_services()
        self._closing.callback(self.services.close)
        try:
            self.serve(pick_port(service_port))
        except SandboxError:  # another one found the same port free, and was faster
            self.serve(0)
        url = self.server.url
        self.chain: Chain = record(self.node, self.deployment, name=self._name, services=url)
        self.worker = self.new_worker()
        if self._bridge:
            self._build_bridge()
        write_json(self.folder / "accounts.json", accounts.describe())
        self._write_record(self.chain)
        if self.chain.enterprise:
            self._write_record(twin_of(self.chain))

    def _build_bridge(self) -> None:
        from .bridge import Bridge

        other = Sandbox(
            self.folder / "native",
            flavour="native",
            name=f"{self._name}-native",
            fresh=self._fresh,
            kit=self.kit,
            cache=self._cache,
            progress=self._progress,
            report=self._report,
        )
        self._closing.callback(other.stop)
        other.start()
        self.bridge, self.bridged = Bridge(self, other, report=self._report), other
        self._write_record(other.chain)

    def _write_record(self, chain: Chain) -> None:
        """Let a record be found by its name, as long as we run."""
        path = record_path(self.folder, chain.name)
        write_json(path, chain.to_dict())
        self._closing.callback(path.unlink, missing_ok=True)

    def stop(self, *, save: bool = False) -> None:
        """Stop everything; ``save`` keeps the chain for the next start. May be called twice."""
        self._stopping.set()
        with uninterrupted():
            try:
                if self.bridged is not None:
                    self.bridged.stop(save=save)
                if save and self.node.alive:
                    atomic_write(self._saved, self.node.dump(), mode=PRIVATE)
            finally:
                self._closing.close()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- the services -------------------------------------------------------------------------

    def serve(self, port: int) -> None:
        """Start the server of all services."""
        from .faucet import faucet_app
        from .server import Server

        chain = record(self.node, self.deployment, name=self._name)
        own = faucet_app([chain, twin_of(chain)] if chain.enterprise else [chain])
        apps = {**self.services.mounts(), "/faucet": own, **self._apps}
        self.server = Server(apps, port=port)
        self._closing.callback(self.server.stop)
        self.server.start()

    def _make_services(self) -> Services:
        from .services import PastServices, TodayServices

        chain = record(self.node, self.deployment)
        make = PastServices if self.kind.rules.storage_proxy else TodayServices
        return make(self.folder / "services", self.store, self.node.rpc, chain)

    @property
    def sms(self) -> Sms:
        """The SMS; a worker in this process may read it."""
        return self.services.sms

    def reset_services(self) -> None:
        """Let every service forget all it knows; files stay in the store."""
        self.services.reset()

    # -- the worker ---------------------------------------------------------------------------

    def new_worker(self) -> Worker:
        """A worker that knows nothing yet, as after a restart."""
        uploads = self.services.result_store(self.chain, self._http)
        compute = Compute(
            self.folder / "runs",
            apps=AppMap(self.folder / "apps.json"),
            gateway=self.server.url,
            secrets=self.sms,
            uploads=uploads,
            http=self._http,
            stopped=self._is_stopping,
            rules=self.kind.rules,
            runtime=self.kind.runtime,
        )
        names = [name for name in accounts.NAMES if name.startswith("worker-")]
        return Worker(
            self.node.rpc,
            self.chain,
            compute,
            uploads,
            owners=[accounts.signer(name) for name in accounts.NAMES],
            workers=[accounts.signer(name) for name in names],
            folder=self.folder / "tasks",
            report=self._report,
            runtime=self.kind.runtime,
            history=self.services.history,
        )

    def _is_stopping(self) -> bool:
        return self._stopping.is_set()

    def work(self, stop: threading.Event, *, heartbeat: float | None = HEARTBEAT) -> None:
        """Let the worker work until ``stop`` is set, which ends a running app, or the node is gone
        (SandboxError).

        ``heartbeat``: seconds after which an idle chain gets a block; None leaves it alone.
        """
        idle, heard = 0.0, ""
        self._stopping = stop
        while not stop.wait(WORK_INTERVAL):
            for sandbox in self._all():
                if not sandbox.node.alive:
                    raise SandboxError(f"anvil has ended; see {sandbox.folder / 'anvil.log'}")
            try:
                idle = 0.0 if self._run_once() else idle + WORK_INTERVAL
                if heartbeat is not None and idle >= heartbeat:
                    for sandbox in self._all():
                        sandbox.node.mine()
                    idle = 0.0
                heard = ""
            except IExecError as error:
                if stop.is_set() or not self.node.alive:
                    continue
                if error.message != heard:  # once, not ten times a second
                    heard = error.message
                    (self._report or self._progress.step)(f"the worker stumbled: {heard}")

    def _all(self) -> list[Sandbox]:
        return [self] if self.bridged is None else [self, self.bridged]

    def _run_once(self) -> int:
        """All that can be done now: tasks, and what waits at the bridge."""
        done = sum(sandbox.worker.run_once() for sandbox in self._all())
        return done + (self.bridge.run_once() if self.bridge is not None else 0)

    # -- the chain ----------------------------------------------------------------------------

    @property
    def _saved(self) -> Path:
        return saved_chain(self.folder, self.kind)

    def _restore(self) -> Deployment:
        """The chain of last time, else a new one."""
        if not self._saved.exists():
            return prepare(self.node, self.kit, cache=self._cache, progress=self._progress)
        try:
            self.node.load(read_text(self._saved, MAX_SAVED))
            return verify(self.node)
        except IExecError as error:
            raise SandboxError(
                f"the chain of last time ({self._saved}) cannot be restored: {error.message}; "
                "start a new one with --fresh",
                cause=error,
            ) from error

    def _remove_leftovers(self) -> None:
        """What a process that was killed had begun: runs of apps, files half stored."""
        shutil.rmtree(self.folder / "runs", ignore_errors=True)
        for part in (self.folder / "store").glob(".part-*"):
            part.unlink(missing_ok=True)

    def _forget(self) -> None:
        for name in ("store", "services", "tasks", "runs"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for kind in KINDS:
            saved_chain(self.folder, kind).unlink(missing_ok=True)
