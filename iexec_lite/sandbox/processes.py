"""Processes: a free port, children that outlive us or not, a stop that hits the right one, signals.

A process id alone is no proof, as ids are used again: :func:`stop_process` looks at the command
line first and leaves a stranger alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from ..errors import SandboxError
from ..interrupts import interrupt

__all__ = [
    "LOOPBACK",
    "command_of",
    "pick_port",
    "spawn",
    "stop_child",
    "stop_process",
    "terminable",
    "uninterrupted",
]

LOOPBACK = "127.0.0.1"
GRACE = 10.0  # seconds between the polite and the final stop


def pick_port(preferred: int | None = None, *, required: bool = False) -> int:
    """A port that is free on loopback now: ``preferred`` if it is, else any.

    ``required``: SandboxError when the preferred one is taken.
    """
    if preferred and preferred > 65535:  # the one after the last
        preferred = None
    for port in (preferred or 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # on Windows this option would let us take a port in use
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                if required or not port:
                    raise SandboxError(
                        f"port {port} on {LOOPBACK} is in use: choose another one", cause=error
                    ) from error
                continue
            found: int = probe.getsockname()[1]
            return found
    raise AssertionError  # the second pass either returned or raised


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: by KeyboardInterrupt, with all that cleans up.

    Neither does so inside an import, which the threads of a sandbox would not survive.
    """
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody has a reason
        numbers.append(signal.SIGINT)
    with _handling(interrupt, *numbers):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while the block runs; the last of them acts at its end.

    For what must happen as a whole: start a process and remember it, or clean up.
    """
    seen: list[int] = []
    with _handling(lambda number, _: seen.append(number), signal.SIGINT, signal.SIGTERM):
        yield
    if seen:
        signal.raise_signal(seen[-1])


@contextlib.contextmanager
def _handling(
    handler: Callable[[int, FrameType | None], object], *numbers: signal.Signals
) -> Iterator[None]:
    """Another handler for signals; only the main thread has any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def spawn(
    command: Sequence[str],
    *,
    log: Path | None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    detached: bool = False,
) -> subprocess.Popen[bytes]:
    """Start ``command`` without a terminal; its output goes to ``log`` or nowhere.

    ``detached``: it survives us and our terminal. Otherwise it still has a process group of its
    own: Ctrl-C is for us, and we stop it in order. SandboxError when it cannot be started.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        flags |= subprocess.DETACHED_PROCESS if detached else 0
    with contextlib.ExitStack() as stack:
        output = subprocess.DEVNULL if log is None else stack.enter_context(_private(log))
        try:
            return subprocess.Popen(  # noqa: S603  # an argument list, never a shell
                list(command),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output if log is None else subprocess.STDOUT,
                start_new_session=os.name == "posix",
                creationflags=flags,
            )
        except OSError as error:
            raise SandboxError(f"{command[0]} cannot be started: {error}", cause=error) from error


def _private(log: Path) -> BinaryIO:
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def stop_child(child: subprocess.Popen[bytes], *, grace: float = GRACE) -> None:
    """End a process that we started, politely, then by force. Returns when it is gone."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


def command_of(pid: int) -> str:
    """The command line of a running process; empty when there is none (or it is a zombie)."""
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.joinpath("self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            return ""
    ask = (
        ["tasklist", "/FI", f"PID eq {pid}", "/FO", "CSV", "/NH"]
        if sys.platform == "win32"
        else ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    )
    try:
        answer = subprocess.run(  # noqa: S603  # fixed words and a number
            ask, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if str(pid) in answer.stdout or os.name == "posix" else ""


def stop_process(pid: int, marker: str, *, grace: float = GRACE) -> bool:
    """End the process ``pid`` if its command line holds ``marker``; False when it is not ours."""
    if pid <= 1 or marker not in command_of(pid):
        return False
    try:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + grace
        while time.monotonic() < end:
            if marker not in command_of(pid):
                return True
            time.sleep(0.02)
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except ProcessLookupError:
        return True
    except OSError as error:
        raise SandboxError(f"process {pid} cannot be stopped: {error}", cause=error) from error
    return True
