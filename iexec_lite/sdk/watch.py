"""Watching something that changes, patiently: the engine behind ``obs_task`` and ``obs_deal``.

A :class:`Watch` asks again and again. A fault that may pass (``error.retryable``) is waited out
until ``patience`` seconds went by without one good answer, then the watch ends with the last cause;
any other fault ends it at once (design.md, "Network").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ..errors import IExecError, WatchTimeoutError

__all__ = ["Watch"]

T = TypeVar("T")
Poll = Callable[[], tuple[T | None, bool]]


class Watch(Generic[T]):
    """An iterator over the states of something: the first at once, then each change.

    ``poll()`` returns ``(update or None, finished)``. The watch ends after the update that finishes
    it, on ``close()`` (from any thread, it wakes a sleeping watch) or when the loop is left.
    ``interval`` and ``patience`` are seconds.
    """

    def __init__(
        self,
        poll: Poll[T],
        *,
        interval: float = 5.0,
        patience: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poll = poll
        self._interval = interval
        self._patience = patience
        self._clock = clock
        self._closed = threading.Event()
        self._started = False
        self._finished = False
        self._last_answer = 0.0

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._finished and not self._closed.is_set():
            if not self._started:
                self._started, self._last_answer = True, self._clock()
            elif self._sleep():
                break
            update = self._ask()
            if update is not None:
                return update
        raise StopIteration

    def _sleep(self) -> bool:
        """Wait for the next poll; whether the watch was closed meanwhile."""
        try:
            return self._closed.wait(self._interval)
        except RuntimeError as error:
            # An interrupt between two steps of Event.wait comes out as "release unlocked lock".
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise

    def _ask(self) -> T | None:
        try:
            update, self._finished = self._poll()
        except IExecError as error:
            silence = self._clock() - self._last_answer
            if not error.retryable:
                self._finished = True
                raise
            if silence < self._patience:
                return None
            self._finished = True
            raise WatchTimeoutError(
                f"No good answer for {silence:.0f} s while watching; last cause: {error.message}",
                cause=error,
                retryable=True,
            ) from error
        self._last_answer = self._clock()
        return update

    def close(self) -> None:
        """End the watch; a thread that waits in it returns at once."""
        self._closed.set()

    def subscribe(
        self,
        next: Callable[[T], object],  # the V6 name (api.md, "Watch")
        error: Callable[[Exception], object] | None = None,
        complete: Callable[[], object] | None = None,
    ) -> Callable[[], None]:
        """Run the watch in a daemon thread; returns a function that unsubscribes.

        ``error`` gets what ends the watch, also an exception of ``next``. ``complete`` is called
        when the watch reaches its end, not when it is unsubscribed.
        """

        def run() -> None:
            try:
                for update in self:
                    next(update)
            except Exception as caught:
                if error is None:
                    raise  # the interpreter prints it: nobody else would ever know
                error(caught)
                return
            if complete is not None and not self._closed.is_set():
                complete()

        threading.Thread(target=run, name="iexec_lite-watch", daemon=True).start()
        return self.close
