"""The watch: first state at once, patience with faults that pass, an end to all others."""

from __future__ import annotations

import threading

import pytest

from iexec_lite import Page, Watch
from iexec_lite.errors import TransportError, ValidationError, WatchTimeoutError


def scripted(*answers: object):
    """A poll that plays answers: (update, finished) pairs or errors."""
    left = list(answers)

    def poll():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return poll


def passing(text: str = "cut") -> TransportError:
    return TransportError(text, retryable=True)


def test_yields_changes_until_finished() -> None:
    watch = Watch(
        scripted((1, False), (None, False), (2, False), (3, True)), interval=0, patience=1
    )
    assert list(watch) == [1, 2, 3]
    assert list(watch) == []


def test_waits_out_a_passing_fault() -> None:
    watch = Watch(scripted((1, False), passing(), passing(), (2, True)), interval=0, patience=60)
    assert list(watch) == [1, 2]


def test_ends_when_patience_is_spent() -> None:
    times = iter([0.0, 1.0, 50.0, 200.0, 301.0])
    watch = Watch(
        scripted((1, False), passing("a"), passing("b"), passing("c")),
        interval=0,
        patience=299.5,
        clock=lambda: next(times),
    )
    assert next(watch) == 1
    with pytest.raises(WatchTimeoutError, match="last cause: c") as caught:
        next(watch)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value.cause, TransportError)
    with pytest.raises(StopIteration):
        next(watch)


def test_a_final_fault_ends_it_at_once() -> None:
    watch = Watch(scripted((1, False), ValidationError("no")), interval=0)
    assert next(watch) == 1
    with pytest.raises(ValidationError, match="no"):
        next(watch)
    assert list(watch) == []


def test_close_from_another_thread_wakes_it() -> None:
    polled = threading.Event()

    def poll():
        polled.set()
        return None, False

    watch = Watch(poll, interval=3600)
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    assert polled.wait(10)
    watch.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == []


def test_subscribe_reports_all_three() -> None:
    done = threading.Event()
    seen: list[object] = []
    Watch(scripted((1, False), (2, True)), interval=0).subscribe(seen.append, None, done.set)
    assert done.wait(10)
    assert seen == [1, 2]
    failed = threading.Event()
    errors: list[Exception] = []
    Watch(scripted(ValidationError("bad")), interval=0).subscribe(
        seen.append, lambda error: (errors.append(error), failed.set())
    )
    assert failed.wait(10)
    assert str(errors[0]) == "bad"


def test_unsubscribe_does_not_complete() -> None:
    first, completed = threading.Event(), threading.Event()
    stop = Watch(lambda: (1, False), interval=3600).subscribe(
        lambda _: first.set(), None, completed.set
    )
    assert first.wait(10)
    stop()
    assert not completed.wait(0.2)


def test_page_walks_to_the_end() -> None:
    last: Page[int] = Page([3], 3)
    first = Page([1, 2], 3, lambda: last)
    assert (list(first), len(first), first.count) == ([1, 2], 2, 3)
    assert first.next() is last
    assert last.next() is None
    assert list(first.all()) == [1, 2, 3]


def test_a_fault_that_nobody_listens_for_is_not_swallowed(monkeypatch) -> None:
    seen: list[object] = []
    over = threading.Event()
    monkeypatch.setattr(
        threading, "excepthook", lambda args: (seen.append(args.exc_value), over.set())
    )

    def poll():
        raise ValidationError("gone")

    Watch(poll).subscribe(lambda _: None)
    assert over.wait(5)
    assert isinstance(seen[0], ValidationError)


def test_an_interrupt_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two steps of ``Event.wait`` it would become a RuntimeError (46 of 100,000 did)."""
    watch = Watch(scripted((1, False)), interval=60)
    assert next(watch) == 1

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            lock = threading.Lock()
            try:
                raise KeyboardInterrupt
            finally:
                lock.release()

    with pytest.raises(RuntimeError, match="release unlocked lock"):
        Interrupted().wait()
    monkeypatch.setattr(watch, "_closed", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        next(watch)
