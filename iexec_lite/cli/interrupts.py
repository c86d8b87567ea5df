"""Ctrl-C is never lost.

Python throws away what is raised inside a destructor, a KeyboardInterrupt too, and every Keccak
object has a destructor: a command that hashes much would now and then go on after Ctrl-C, with
"Exception ignored in" as its only answer.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["asked_again"]

PAUSE = 0.01  # seconds: the destructor has ended by then, or we are called once more


def asked_again(otherwise: Callable[[Any], object]) -> Callable[[Any], object]:
    """A ``sys.unraisablehook``: a KeyboardInterrupt comes again, the rest goes to ``otherwise``."""
    pending: list[bool] = []  # however many are thrown away meanwhile, one comes

    def hook(ignored: Any) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            otherwise(ignored)
        elif not pending:
            from _thread import start_new_thread  # no lock of `threading`, which may be held here

            pending.append(True)
            start_new_thread(_interrupt_main, (pending,))

    return hook


def _interrupt_main(pending: list[bool]) -> None:
    """Signal the main thread, also out of a system call in which it waits."""
    import signal
    import threading
    import time

    time.sleep(PAUSE)
    numbers = signal.SIGINT, signal.SIGTERM  # of a background job, a shell has SIGINT ignored
    number = next((each for each in numbers if callable(signal.getsignal(each))), signal.SIGINT)
    pending.clear()  # before the signal: what comes of it may be thrown away at once
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
