"""What ``iexec-lite sandbox …`` does: ``up``, ``down``, ``status``, ``store``, ``demo``.

One sandbox per user folder, in the background; ``demo`` brings a temporary one of its own, so it
disturbs nobody. All errors are SandboxError (or another IExecError) with what to do about them.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import IExecError, SandboxError
from ..net.http import Http
from ..net.rpc import Rpc
from ..protocol.chains import chain_entry
from ..sdk.files import PRIVATE, FileLock, atomic_write, locked, private_dir
from ..sdk.journal import FileJournal
from ..sdk.local import sandbox_records
from . import accounts
from .folders import read_json, sandbox_folder
from .kinds import Kind, kind_named, kind_of
from .packages import ensure
from .processes import (
    command_of,
    spawn,
    stop_child,
    stop_process,
    terminable,
    uninterrupted,
)
from .progress import Progress
from .service import LOCK, LOG, STATE, STOP_PATH, TOKEN_HEADER
from .stack import STORE, require_bridgeable, require_packages, saved_chain
from .store import Store

__all__ = ["DEFAULT_PORT", "Status", "demo", "down", "status", "store", "up"]

DEFAULT_PORT = 8545  # what local nodes use; another one is taken where it is in use
START_LIMIT = 60.0  # seconds for a deployment on a slow machine
STOP_LIMIT = 30.0
BUSY_LIMIT = 90.0  # seconds for an ``up`` or ``down`` of somebody else
SERVICE = "iexec_lite.sandbox.service"
_STAMP = re.compile(r"\S+ \S+ ERROR ")  # time and level of a line of the log
BRIDGED = "sandbox-native"  # the record at the other end of a bridge


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What runs, and where. Without ``running`` the rest is empty but ``folder``."""

    running: bool
    folder: str
    flavour: str | None = None
    generation: int | None = None
    chain_id: int | None = None
    node: str | None = None
    sms: str | None = None
    result_proxy: str | None = None
    iexec_gateway: str | None = None
    ipfs_gateway: str | None = None
    ipfs_node: str | None = None
    compass: str | None = None
    faucet: str | None = None
    hub: str | None = None
    chains: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """The JSON form; the URLs have the names of ``chain.json``. ``chains`` are the names that
        can be worked on: ``sandbox`` and, for some flavours and with a bridge, its twin;
        ``chainEntries`` what stands for them in a ``chain.json``, also of V6.

        ``accountsFile`` holds the (public) keys of ``accounts``; ``appsFile`` may be written by the
        user: which command stands for which app; ``log`` tells what the worker does.
        """
        result: dict[str, object] = {"running": self.running, "folder": self.folder}
        if self.running:
            result |= {
                "flavour": self.flavour,
                "generation": self.generation,
                "chainId": str(self.chain_id),
                "host": self.node,
                **{key: url for key, url in self._urls().items() if url is not None},
                "hub": self.hub,
                "chains": list(self.chains),
                "chainEntries": {name: dict(entry) for name, entry in self.chains.items()},
                "accounts": dict(self.accounts),
                "accountsFile": str(Path(self.folder) / "accounts.json"),
                "appsFile": str(Path(self.folder) / "apps.json"),
                "log": str(Path(self.folder) / LOG),
            }
        return result

    def _urls(self) -> dict[str, str | None]:
        """The services; which there are hangs on the generation."""
        return {
            "sms": self.sms,
            "resultProxy": self.result_proxy,
            "iexecGateway": self.iexec_gateway,
            "ipfsGateway": self.ipfs_gateway,
            "ipfsNode": self.ipfs_node,
            "compass": self.compass,
        }


def up(
    flavour: str = "token",
    port: int | None = None,
    *,
    generation: int = 5,
    fresh: bool = False,
    bridge: bool = False,
    progress: Progress | None = None,
) -> Status:
    """Start the sandbox in the background and return when it is ready.

    ``port`` is the node's (the services take the next one, or any); without it 8545 or any.
    ``generation`` 6: today's contracts and services. The chain of last time goes on unless
    ``fresh``. ``bridge``: with a native chain at the other end. One that runs already is left as it
    is, or refused where it is another or ``fresh`` is asked.
    """
    kind = kind_of(flavour, generation)
    require_bridgeable(kind, bridge=bridge)
    require_packages()  # before anything is fetched
    progress = progress or Progress()
    folder = private_dir(sandbox_folder())
    with terminable(), _alone(folder):
        running = status()
        if running.running:
            bridged = BRIDGED in running.chains
            what = kind_of(str(running.flavour), running.generation or 5)
            if what != kind or bridged != bridge or fresh:
                more = " with a bridge" if bridged else ""
                raise SandboxError(
                    f"a sandbox ({what}) is running{more}: stop it first, "
                    "with iexec-lite sandbox down"
                )
            return running
        _clean(folder)
        ensure(progress, generation=generation)
        if fresh:
            _forget_sent(kind, *[kind_of("native")] * bridge)
        progress.step(f"Starting a sandbox ({kind})")
        command = [sys.executable, "-m", SERVICE, str(folder)]
        command += ["--flavour", flavour, "--generation", str(generation)]
        command += ["--port", str(port or DEFAULT_PORT)]
        command += ["--port-required"] * (port is not None) + ["--fresh"] * fresh
        command += ["--bridge"] * bridge
        _start(command, folder)
        return status()


def down() -> bool:
    """Stop the sandbox; its chain is kept for the next ``up``. False where none was running."""
    folder = sandbox_folder()
    if not folder.exists():
        return False
    with _alone(folder):
        state = _state(folder)
        if state is None or not _alive(folder):
            _clean(folder)
            return False
        _ask_to_stop(state)
        pid = _pid(state, "pid")
        end = time.monotonic() + STOP_LIMIT
        while _alive(folder) or SERVICE in command_of(pid):
            if time.monotonic() > end:  # it hangs: by force, then
                stop_process(pid, SERVICE)
                break
            time.sleep(0.02)
        _clean(folder)
        return True


def status() -> Status:
    """Whether a sandbox runs, and where."""
    folder = sandbox_folder()
    state, chain = _state(folder), read_json(folder / "chain.json")
    if state is None or chain is None or not _alive(folder):
        return Status(running=False, folder=str(folder))
    kind = _kind(state)
    return Status(
        running=True,
        folder=str(folder),
        flavour=kind.flavour,
        generation=kind.generation,
        chain_id=int(str(chain["id"])),
        node=str(state["node"]),
        **{field: str(chain[field]) for field in kind.urls},
        hub=str(chain["hub"]),
        chains={name: chain_entry(chain) for name, chain in sandbox_records().items()},
        accounts=accounts.addresses(),
    )


def store(path: Path) -> str:
    """Put a file into the running sandbox's store, as one would on IPFS; its ``/ipfs/<CID>``."""
    if not status().running:
        raise SandboxError('No sandbox is running: start one with "iexec-lite sandbox up"')
    if not path.is_file():
        raise SandboxError(f"{path} is no file")
    return f"/ipfs/{Store(sandbox_folder() / STORE).add_file(path)}"


def demo(flavour: str = "token", *, generation: int = 5, progress: Progress | None = None) -> bytes:
    """A whole purchase in a sandbox of its own, told step by step; the app's result file."""
    from .demo import run_demo

    kind = kind_of(flavour, generation)
    require_packages()
    return run_demo(kind, progress or Progress())


# -- pieces ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One ``up`` or ``down`` at a time; a service without a word of itself is waited for."""
    busy = "another command is starting or stopping the sandbox: try again when it is done"
    with locked(folder / "command.lock", timeout=BUSY_LIMIT, busy=busy):
        end = time.monotonic() + STOP_LIMIT
        while _alive(folder) and _state(folder) is None:
            if time.monotonic() > end:
                raise SandboxError(
                    f"a sandbox process hangs: end it (its command line holds {SERVICE}) and "
                    "try again"
                )
            time.sleep(0.05)
        yield


def _forget_sent(*kinds: Kind) -> None:
    """Remove the journals of chains that are about to be gone.

    The new chain has the old one's id and nonces, so what was sent there and is sent again may be
    the very same bytes: they would count as sent.
    """
    for kind in kinds:
        for path in FileJournal().folder.glob(f"{kind.chain_id}-*.sqlite3*"):
            with contextlib.suppress(OSError):  # Windows, while another process has it open
                path.unlink()


def _start(command: list[str], folder: Path) -> None:
    """Start the service and wait until it is ready; it goes if that fails or is interrupted."""
    on_failure = contextlib.ExitStack()
    try:
        with uninterrupted():
            child = spawn(command, log=folder / LOG, detached=True)
            on_failure.callback(stop_child, child)
        end = time.monotonic() + START_LIMIT
        while not (folder / STATE).exists():
            if child.poll() is not None or time.monotonic() > end:
                raise SandboxError(f"the sandbox does not start: {_last_words(folder)}")
            time.sleep(0.02)
    except BaseException:
        with uninterrupted():
            on_failure.close()
            _clean(folder)
        raise


def _state(folder: Path) -> dict[str, object] | None:
    """What the service says of itself; None where it says nothing that can be used."""
    try:
        found = read_json(folder / STATE)
    except SandboxError:
        return None
    if not found or not {"pid", "kind", "node", "services", "token"} <= set(found):
        return None
    return found if kind_named(found["kind"]) else None


def _kind(state: Mapping[str, object]) -> Kind:
    kind = kind_named(state["kind"])
    assert kind is not None  # noqa: S101  # _state has seen to it
    return kind


def _alive(folder: Path) -> bool:
    """Whether the service lives: it holds its lock as long, however it ends."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    if not lock.acquire():
        return True
    lock.release()
    return False


def _ask_to_stop(state: Mapping[str, object]) -> None:
    url, token = f"{state['services']}{STOP_PATH}", str(state["token"])
    try:
        with Http(timeout=5.0) as http:
            http.request("POST", url, body=b"", headers={TOKEN_HEADER: token})
    except IExecError:  # it does not listen any more: a signal will do
        stop_process(_pid(state, "pid"), SERVICE)


def _clean(folder: Path) -> None:
    """What a service that died has left: its anvil, whose chain is kept, and its files."""
    if _alive(folder):
        return
    state = _state(folder)
    if state is not None:
        _end_orphan(folder, _kind(state), state)
        bridged = state.get("bridged")
        if isinstance(bridged, dict):
            _end_orphan(folder / "native", kind_of("native"), bridged)
    for path in (folder / STATE, *folder.glob("*chain.json")):
        path.unlink(missing_ok=True)


def _end_orphan(folder: Path, kind: Kind, state: Mapping[str, object]) -> None:
    """End the anvil of a service that died; its chain is kept in ``folder``."""
    marker, pid = f"--chain-id {kind.chain_id}", _pid(state, "anvilPid")
    if marker in command_of(pid):
        _save_chain(saved_chain(folder, kind), str(state.get("node")))
    stop_process(pid, marker)


def _save_chain(path: Path, node: str) -> None:
    """Best effort: an orphan that does not answer has to go all the same."""
    rpc = Rpc(node, timeout=STOP_LIMIT)
    try:
        dump = rpc.request("anvil_dumpState")
        if isinstance(dump, str):
            atomic_write(path, dump, mode=PRIVATE)
    except IExecError:
        pass
    finally:
        rpc.close()


def _pid(state: Mapping[str, object], name: str) -> int:
    value = state.get(name)
    return value if isinstance(value, int) else 0


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / LOG).read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    said = _STAMP.sub("", lines[-1])[-500:] if lines else "no reason was given"
    return f"{said} (see {folder / LOG})"
