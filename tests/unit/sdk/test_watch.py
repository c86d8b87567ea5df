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
    with pytest.raises(WatchTimeoutError) as caught:
        next(watch)
    assert caught.value.to_dict() == {
        "name": "WatchTimeoutError",
        "code": "watch_timeout",
        "message": "No good answer for 300 s while watching; last cause: c",
        "retryable": True,
    }
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value.cause, TransportError)
    with pytest.raises(StopIteration):
        next(watch)


@pytest.mark.parametrize(("silence", "ends"), [(299.9, False), (300.0, True)])
def test_patience_is_counted_from_the_last_good_answer(silence: float, ends: bool) -> None:
    times = iter([5000.0, 5250.0, 5250.0 + silence, 6000.0])
    watch = Watch(
        scripted((1, False), passing(), (2, True)),
        interval=0,
        patience=300.0,
        clock=lambda: next(times),
    )
    assert next(watch) == 1
    if ends:
        with pytest.raises(WatchTimeoutError):
            next(watch)
    else:
        assert next(watch) == 2


def test_the_time_before_the_first_answer_counts_too() -> None:
    times = iter([5000.0, 5299.0, 5300.0])
    watch = Watch(
        scripted(passing(), passing()), interval=0, patience=300.0, clock=lambda: next(times)
    )
    with pytest.raises(WatchTimeoutError, match="No good answer for 300 s"):
        next(watch)


def test_the_first_state_comes_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float | None] = []

    class Never(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    watch = Watch(scripted((1, False), (None, False), (2, True)), interval=7)
    monkeypatch.setattr(watch, "_closed", Never())
    assert next(watch) == 1
    assert pauses == []
    assert next(watch) == 2
    assert pauses == [7, 7]


def test_what_is_closed_asks_nothing() -> None:
    watch = Watch(scripted())
    watch.close()
    assert list(watch) == []


def test_a_watch_that_is_closed_by_its_poll_gives_what_it_found() -> None:
    def poll() -> tuple[int, bool]:
        watch.close()
        return 1, False

    watch = Watch(poll, interval=3600)
    assert list(watch) == [1]


def test_a_thread_that_watches_keeps_no_program_alive() -> None:
    seen = threading.Event()
    threads: list[threading.Thread] = []
    stop = Watch(lambda: (1, False), interval=3600).subscribe(
        lambda _: (threads.append(threading.current_thread()), seen.set())
    )
    assert seen.wait(10)
    [thread] = threads
    assert (thread.name, thread.daemon) == ("iexec_lite-watch", True)
    stop()
    thread.join(10)
    assert not thread.is_alive()


def test_an_error_of_who_listens_ends_it() -> None:
    failed: list[Exception] = []
    over, completed = threading.Event(), threading.Event()

    def listen(_: object) -> None:
        raise ValueError("mine")

    Watch(scripted((1, False), (2, True)), interval=0).subscribe(
        listen, lambda error: (failed.append(error), over.set()), completed.set
    )
    assert over.wait(10)
    assert [str(each) for each in failed] == ["mine"]
    assert not completed.is_set()


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

    class Broken(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise RuntimeError("no more threads")

    monkeypatch.setattr(watch, "_closed", Broken())
    with pytest.raises(RuntimeError, match="no more threads"):
        next(watch)
