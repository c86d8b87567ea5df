"""Ctrl-C inside a destructor, where Python throws it away, and inside an import: it comes again."""

from __future__ import annotations

import _imp
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite import interrupts
from iexec_lite.cli import dispatch, main
from iexec_lite.sandbox.processes import terminable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")


class Doomed:
    """Something whose end does ``last``."""

    def __init__(self, last: Callable[[], object]) -> None:
        self.last = last

    def __del__(self) -> None:
        self.last()


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def long_work(*last: Callable[[], object]) -> Callable[..., int]:
    """A command that drops one object after the other, then waits, longer than a test may."""

    def work(*_: object, **__: object) -> int:
        for each in last:
            Doomed(each)
        time.sleep(20)
        return 0

    return work


def test_python_loses_it() -> None:
    lost: list[type[BaseException]] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda args: lost.append(args.exc_type)
    try:
        Doomed(interrupt)
    finally:
        sys.unraisablehook = before
    assert lost == [KeyboardInterrupt]  # and here we are, as if nothing had been asked


@pytest.mark.parametrize("times", [1, 3])
def test_it_comes_again_and_once(
    times: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.unraisablehook
    monkeypatch.setattr(interrupts, "PAUSE", 0.3)  # all are thrown away by then
    monkeypatch.setattr(dispatch, "_run", long_work(*[interrupt] * times))
    assert main(["info"]) == 1
    assert capsys.readouterr().err == '✖ Command "iexec-lite" failed: Interrupted\n'
    assert sys.unraisablehook is before
    time.sleep(0.6)  # a second one would end this


def test_again_inside_a_destructor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interrupts, "PAUSE", 0.3)  # the second destructor runs by then
    asked: list[str] = []

    def stay() -> None:
        asked.append("stay")
        time.sleep(20)
        asked.append("stayed")

    monkeypatch.setattr(dispatch, "_run", long_work(interrupt, stay))
    assert main(["info"]) == 1
    assert asked == ["stay"]
    assert "Interrupted" in capsys.readouterr().err


def test_sigterm_where_the_shell_has_ctrl_c_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = long_work(lambda: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(dispatch, "_run", work)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminable():
            assert main(["info"]) == 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Interrupted" in capsys.readouterr().err


def test_other_failures_of_destructors_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: told.append(args.exc_value))
    failure = ValueError("not an interrupt")

    def fail() -> None:
        raise failure

    def work(*_: object, **__: object) -> int:
        Doomed(fail)
        return 0

    monkeypatch.setattr(dispatch, "_run", work)
    assert main(["info"]) == 0
    assert told == [failure]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_not_inside_the_import_system(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it would leave the lock of all imports held, and other threads waiting for ever."""
    system: Any = sys.modules["_frozen_importlib"]
    asks = partial(signal.raise_signal, number)  # no frame of its own
    taken = SimpleNamespace(**{**vars(_imp), "acquire_lock": asks, "release_lock": lambda: None})
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    seen: list[object] = []

    def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(system, "_imp", taken)
            import colorsys
        seen.append(colorsys)
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt), terminable():
        work()
    assert seen == [sys.modules["colorsys"]]


def test_ctrl_c_that_somebody_else_handles() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with terminable():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]
