"""The sandbox's node: one anvil process on loopback (sandbox.md §2, §7, §8).

The chain has no accounts of the node's own: balances are set, keys stay with ``accounts``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import Popen

from ..errors import SandboxError
from ..net.rpc import Rpc
from .folders import temporary_folder
from .kinds import Kind
from .processes import LOOPBACK, pick_port, spawn, stop_child, uninterrupted

__all__ = ["Node"]

# Seconds between the first block and the second: the JavaScript SDK looks for a block of yesterday,
# without end.
AGE = 2 * 86_400

START_LIMIT = 15.0  # seconds; usual is 0.1
ATTEMPTS = 3  # somebody may take the port between our look and anvil's


class Node:
    """An anvil process and the connection to it. ``start`` first; ``stop`` ends the process."""

    def __init__(
        self,
        binary: Path,
        kind: Kind,
        *,
        port: int | None = None,
        port_required: bool = False,
        log: Path | None = None,
    ) -> None:
        self.kind = kind
        self.chain_id = kind.chain_id
        self.url = ""
        self._binary = binary
        self._port = port
        self._required = port_required
        self._log = log
        self._process: Popen[bytes] | None = None
        self._rpc: Rpc | None = None

    @property
    def pid(self) -> int:
        """Process id of anvil."""
        if self._process is None:
            raise SandboxError("the node is not running")
        return self._process.pid

    @property
    def rpc(self) -> Rpc:
        """The connection."""
        if self._rpc is None:
            raise SandboxError("the node is not running")
        return self._rpc

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start anvil and wait until it answers. SandboxError with its last words otherwise.

        ``meanwhile`` is called while it starts, perhaps more than once.
        """
        for attempt in range(ATTEMPTS):
            port = pick_port(self._port, required=self._required)
            with temporary_folder("iexec-node-") as folder:
                mark = folder / "listens.json"
                command = [*self._command(port), "--config-out", str(mark)]
                try:
                    with uninterrupted():
                        self._process = spawn(command, log=self._log, cwd=self._binary.parent)
                    meanwhile()
                    if self._listens(mark):
                        self.url = f"http://{LOOPBACK}:{port}"
                        self._rpc = Rpc(self.url, timeout=60.0)
                        self._rpc.request("anvil_setTime", (int(time.time()),))
                        return
                except BaseException:
                    self.stop()  # before the folder goes: it may be writing there just now
                    raise
                self.stop()
            if self._required or attempt == ATTEMPTS - 1:
                break
        words = self._log.read_text("utf-8", "replace").strip() if self._log else ""
        raise SandboxError(f"anvil does not start: {words[-500:] or 'it said nothing'}")

    def _command(self, port: int) -> list[str]:
        price = self.kind.gas_price
        return [
            str(self._binary),
            "--quiet",
            *("--host", LOOPBACK),
            *("--port", str(port)),
            *("--chain-id", str(self.chain_id)),
            *("--accounts", "0"),
            *("--hardfork", self.kind.hardfork),
            *("--timestamp", str(int(time.time()) - AGE)),
            *("--gas-limit", str(self.kind.gas_limit)),
            *(() if price is None else ("--gas-price", str(price))),
        ]

    def _listens(self, mark: Path) -> bool:
        """Wait until our process listens; False where it ends or takes too long.

        It writes ``mark`` once the port is its own. A connection would prove nothing: of two
        sandboxes that start at once both find the same port free, and one gets it.
        """
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and self.alive:
            if mark.exists():
                return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """End the process. Nothing of the chain is kept: see :meth:`dump`."""
        with uninterrupted():
            if self._rpc is not None:
                self._rpc.close()
                self._rpc = None
            if self._process is not None:
                stop_child(self._process)
                self._process = None

    # -- anvil's own methods ------------------------------------------------------------------

    def set_balances(self, balances: Mapping[str, int]) -> None:
        """Give accounts this many wei."""
        answers = self.rpc.batch(
            [("anvil_setBalance", (account, hex(wei))) for account, wei in balances.items()]
        )
        for answer in answers:
            if isinstance(answer, Exception):
                raise SandboxError(f"anvil_setBalance: {answer}", cause=answer) from answer

    def set_code(self, account: str, code: str) -> None:
        """Make ``account`` a contract with this runtime code (hex)."""
        self.rpc.request("anvil_setCode", (account, code))

    def mine(self) -> None:
        """Make one block now."""
        self.rpc.request("evm_mine")

    def dump(self) -> str:
        """The whole chain as one hex text, for :meth:`load`."""
        state = self.rpc.request("anvil_dumpState")
        if not isinstance(state, str):
            raise SandboxError("anvil_dumpState gave no text")
        return state

    def load(self, state: str) -> None:
        """Restore what :meth:`dump` gave, on a fresh node of the same kind."""
        if self.rpc.request("anvil_loadState", (state,)) is not True:
            raise SandboxError("anvil_loadState refused the saved chain: start with fresh")
