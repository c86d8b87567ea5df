"""Children of this process, some at a time, each trying one mutant."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, NoReturn

from .mutants import Mutant

MEMORY = 3 << 30


class Effort(NamedTuple):
    """How many processes, and until when."""

    jobs: int
    until: float


class End(NamedTuple):
    """How a child ended: 0 if no test failed, and what it said (which one did)."""

    status: int
    said: str


def forked(work: Callable[[int], NoReturn]) -> tuple[int, int]:
    """Start a child; (process id, where it writes to)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (1, 2):
                os.dup2(quiet, stream)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            work(writing)
        finally:
            os._exit(1)
    os.close(writing)
    return child, reading


def tried(
    mutants: Iterable[Mutant],
    start: Callable[[Mutant], tuple[int, int] | End],
    effort: Effort,
) -> Iterator[tuple[Mutant, End]]:
    """Try some at a time, as long as there is time."""
    running: dict[int, tuple[Mutant, int]] = {}
    for mutant in mutants:
        if time.time() > effort.until:
            break
        started = start(mutant)
        if isinstance(started, End):
            yield mutant, started
            continue
        running[started[0]] = mutant, started[1]
        if len(running) >= effort.jobs:
            yield _next(running)
    while running:
        yield _next(running)


def _next(running: dict[int, tuple[Mutant, int]]) -> tuple[Mutant, End]:
    while True:
        child, status = os.wait()
        if child in running:  # and not something that a test left
            mutant, reading = running.pop(child)
            os.set_blocking(reading, False)
            try:
                said = os.read(reading, 4096).decode()
            except BlockingIOError:
                said = ""
            os.close(reading)
            return mutant, End(status, said)
