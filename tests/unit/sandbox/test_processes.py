"""Ports and processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.sandbox.processes import (
    LOOPBACK,
    command_of,
    pick_port,
    spawn,
    stop_child,
    stop_process,
    terminable,
    uninterrupted,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)", "a-marker"]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_pick_port() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert pick_port(port) != port
        with pytest.raises(SandboxError, match=f"port {port} on 127.0.0.1 is in use"):
            pick_port(port, required=True)
    assert pick_port(port) == port
    assert pick_port(port, required=True) == port
    assert 0 < pick_port(65536) < 65536  # the store's, next to the last port


def test_sigterm_interrupts() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_for_the_end_of_what_must_not_be_cut(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(number)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt), terminable():
        work()
    assert done == ["inner", "outer"]


def test_only_our_own_process_is_stopped() -> None:
    child = spawn(SLEEP, log=None)
    try:
        wait_until(lambda: "a-marker" in command_of(child.pid))  # it has only just begun
        assert not stop_process(child.pid, "another-marker")
        assert child.poll() is None
        assert stop_process(child.pid, "a-marker", grace=5)
        assert child.wait(5) != 0
        assert not stop_process(child.pid, "a-marker")
    finally:
        stop_child(child)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to ignore")
def test_force(tmp_path: Path) -> None:
    code = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('ready', flush=True); time.sleep(60)"
    )
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", code], log=log)
    wait_until(lambda: bool(log.read_bytes()))
    stop_child(child, grace=0.1)
    assert child.returncode == -9
    stop_child(child)  # again: nothing to do


@pytest.mark.parametrize("pid", [0, 1, -1])
def test_ids_that_are_nobodys(pid: int) -> None:
    assert not stop_process(pid, "")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be started"):
        spawn([str(tmp_path / "none")], log=tmp_path / "log")


def test_no_terminal_no_input(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn([sys.executable, "-c", "import sys; print(sys.stdin.read())"], log=log)
    assert child.wait(10) == 0
    assert log.read_bytes().strip() == b""
    if os.name == "posix":
        assert log.stat().st_mode & 0o077 == 0
    assert isinstance(child, subprocess.Popen)
