"""The background process of ``sandbox up``: ``python -m iexec_lite.sandbox.service FOLDER …``.

Starts a :class:`~iexec_lite.sandbox.stack.Sandbox`, of which anvil is a process of its own, and
works until it is told to stop: by ``POST /control/stop`` with the token of ``service.json``, or by
a signal. Then it saves the chain, ends anvil and goes. It holds ``service.lock`` while it lives, so
that there is one per folder and everybody can tell whether it does.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import IExecError, SandboxError
from ..sdk.files import FileLock, private_dir
from .folders import write_json
from .kinds import FLAVOURS, GENERATIONS
from .stack import Sandbox

__all__ = ["LOCK", "LOG", "STATE", "STOP_PATH", "TOKEN_HEADER", "main"]

LOCK, STATE, LOG = "service.lock", "service.json", "service.log"
CONTROL = "/control"
STOP_PATH = f"{CONTROL}/stop"
TOKEN_HEADER = "X-Sandbox-Token"  # noqa: S105  # the name of a header
LOCK_LIMIT = 3.0  # seconds: somebody may be looking just now

log = logging.getLogger("iexec_lite.sandbox")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stopped. 0 after a clean stop, 1 with the reason in the log otherwise."""
    options = _parser().parse_args(argv)
    folder = Path(options.folder)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("iexec_lite").setLevel(logging.WARNING)  # not each HTTP request
    log.setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        private_dir(folder)
        with _held(folder / LOCK):
            _serve(folder, options, stop)
    except IExecError as error:
        log.error("%s", error.message)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m iexec_lite.sandbox.service")
    parser.add_argument("folder", help="the folder of the sandbox")
    parser.add_argument("--flavour", choices=FLAVOURS, default="token")
    parser.add_argument("--generation", type=int, choices=GENERATIONS, default=5)
    parser.add_argument("--port", type=int, help="port of the node")
    parser.add_argument("--port-required", action="store_true", help="no other port will do")
    parser.add_argument("--fresh", action="store_true", help="forget the chain of last time")
    parser.add_argument("--bridge", action="store_true", help="with a native chain, bridged")
    return parser


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    lock = FileLock(path)
    end = time.monotonic() + LOCK_LIMIT
    while not lock.acquire():
        if time.monotonic() > end:
            raise SandboxError("a sandbox is already running in this folder")
        time.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


def _serve(folder: Path, options: argparse.Namespace, stop: threading.Event) -> None:
    from .server import new_app

    token = secrets.token_hex(16)
    sandbox = Sandbox(
        folder,
        flavour=options.flavour,
        generation=options.generation,
        bridge=options.bridge,
        port=options.port,
        port_required=options.port_required,
        service_port=None if options.port is None else options.port + 1,
        fresh=options.fresh,
        report=log.info,
        apps={CONTROL: new_app({"/stop": _Stop(stop, token)})},
    )
    sandbox.start()
    state = folder / STATE
    other = sandbox.bridged
    bridged = other and {"anvilPid": other.node.pid, "node": other.node.url}
    try:
        write_json(
            state,
            {
                "pid": os.getpid(),
                "anvilPid": sandbox.node.pid,
                "kind": sandbox.kind.name,
                "node": sandbox.node.url,
                "services": sandbox.server.url,
                "token": token,
                "bridged": bridged,
            },
        )
        log.info("ready: node %s, services %s", sandbox.node.url, sandbox.server.url)
        sandbox.work(stop)
    finally:
        try:
            sandbox.stop(save=True)
        finally:
            state.unlink(missing_ok=True)
            log.info("stopped")


class _Stop:
    """``POST`` with the token ends the service."""

    def __init__(self, stop: threading.Event, token: str) -> None:
        self._stop = stop
        self._token = token

    def on_post(self, request: Any, response: Any) -> None:
        given = request.get_header(TOKEN_HEADER, default="")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            response.status, response.media = 403, {"error": "not allowed"}
            return
        self._stop.set()
        response.status, response.media = 202, {"stopping": True}


if __name__ == "__main__":
    sys.exit(main())
