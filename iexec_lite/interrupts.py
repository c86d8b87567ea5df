"""Interrupts that come at a bad moment come again a moment later.

Python throws away what is raised inside a destructor, a KeyboardInterrupt too, and every Keccak
object has a destructor: what hashes much would now and then go on after Ctrl-C, with "Exception
ignored in" as its only answer. And where one is raised inside the import system it may leave the
lock of all imports held: other threads that import then wait for ever, and who waits for them too.
"""

from __future__ import annotations

import sys
from _thread import start_new_thread  # no lock of `threading`, which may be held at such a moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

__all__ = ["interrupt", "never_lost"]

PAUSE = 0.01  # seconds: the bad moment has passed by then, or we are called once more

_pending: set[int] = set()  # signals on their way: however many are put off meanwhile, one comes


def never_lost(otherwise: Callable[[Any], object]) -> Callable[[Any], object]:
    """A ``sys.unraisablehook``: a KeyboardInterrupt comes again, the rest goes to ``otherwise``."""

    def hook(ignored: Any) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            otherwise(ignored)
            return
        import signal

        numbers = signal.SIGINT, signal.SIGTERM  # of a background job, a shell has SIGINT ignored
        _put_off(next((each for each in numbers if callable(signal.getsignal(each))), numbers[0]))

    return hook


def interrupt(number: int, frame: FrameType | None) -> None:
    """A signal handler that raises KeyboardInterrupt, but not inside the import system."""
    if frame is None or not frame.f_code.co_filename.startswith("<frozen importlib"):
        raise KeyboardInterrupt
    _put_off(number)


def _put_off(number: int) -> None:
    if number not in _pending:
        _pending.add(number)
        start_new_thread(_send_again, (number,))


def _send_again(number: int) -> None:
    """Signal the main thread, also out of a system call in which it waits."""
    import signal
    import threading
    import time

    time.sleep(PAUSE)
    _pending.discard(number)  # before the signal: what comes of it may be put off at once
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
