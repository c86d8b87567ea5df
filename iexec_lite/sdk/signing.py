"""Signing many orders: one after the other, or shared out to processes (chain.md §2).

What goes in comes out in the same order, an order that is refused as its error, and no more than
some chunks are held at a time: a million orders take no more memory than a thousand. Nobody is
asked anything: neither ownership nor secrets are checked. The processes are started anew
(``spawn``, the same on every system) and get the key through a pipe, never in their arguments; they
end with the generator, and where this process is killed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from ..errors import ConfigurationError, IExecError, ValidationError
from ..eth.codec import load_json
from ..eth.eip712 import Domain
from ..eth.signer import KeySigner, Signer, secret_of
from ..protocol import orders
from ..protocol.chains import Chain
from ..protocol.orders import Order, SignedOrder
from .context import Context

__all__ = ["MAX_JOBS", "MAX_LINE", "sign_lines", "sign_many"]

MAX_JOBS = 256
MAX_LINE = 128 * 1024  # of one order's JSON: nodes take no transaction that is longer
CHUNK = 64  # orders that go to a process at a time: long enough to outweigh the way there
AHEAD = 3  # chunks that each process has before it

_write = json.JSONEncoder(separators=(",", ":")).encode

Parts = tuple[str, Chain, Domain, bytes]  # of a desk, its key in bytes
G = TypeVar("G")
D = TypeVar("D")


class _Desk:
    """Creates and signs orders of one kind for one chain and key."""

    def __init__(self, kind: str, chain: Chain, domain: Domain, signer: Signer) -> None:
        self.kind, self.chain, self.domain, self.signer = kind, chain, domain, signer
        self._create: Callable[..., Order] = getattr(orders, f"create_{kind}")
        self._record = orders.ORDER_KINDS[kind]
        self._fixed: dict[str, object] = {"rules": chain.rules}
        self._own: dict[str, object] = {}
        if kind == "requestorder":
            self._fixed["result_proxy"] = chain.result_proxy
            self._own["requester"] = signer.address

    def sign(self, given: object) -> SignedOrder | IExecError:
        """The signed order of a record or of what ``create_…order`` takes, else its error."""
        try:
            if not isinstance(given, self._record):
                given = self._created(given)
            return orders.sign_order(given, self.signer, self.domain)
        except IExecError as error:
            return error

    def _created(self, given: object) -> Order:
        if not isinstance(given, Mapping):
            raise ValidationError(f"an order must be a JSON object, got {type(given).__name__}")
        unknown = [str(name) for name in given if name not in self._record.field_names()]
        if unknown:  # "rules", for one, is no field, but a word to those who create
            shown = ", ".join(ascii(name)[1:-1][:40] for name in unknown[:10])
            raise ValidationError(f"{shown}: not a field of {self._record.name}")
        fields = {name: value for name, value in given.items() if value is not None}
        return self._create(**{**self._own, **fields}, **self._fixed)

    def sign_line(self, line: str | bytes) -> str | IExecError:
        """The same from JSON text to JSON text."""
        try:
            if len(line) > MAX_LINE:
                raise ValidationError(f"longer than {MAX_LINE} bytes")
            given = load_json(line)
        except ValidationError as error:
            return error
        except ValueError as error:
            return ValidationError(f"this is not JSON: {error}")
        found = self.sign(given)
        return found if isinstance(found, IExecError) else _write(found.to_dict())


def sign_many(
    context: Context, kind: str, given: Iterable[Order | Mapping[str, object]], jobs: int
) -> Generator[SignedOrder | IExecError, None, None]:
    """Each order, signed, or why it was refused; ``kind`` is ``apporder`` or the like.

    ``jobs`` processes share the work: then the signer must hold its key. ConfigurationError where
    it does not, or where a process ends before its work.
    """
    return _run(_desk(context, kind), _Desk.sign, given, jobs)


def sign_lines(
    context: Context, kind: str, lines: Iterable[str | bytes], jobs: int
) -> Generator[str | IExecError, None, None]:
    """As :func:`sign_many` from JSON text to JSON text, one line for each order."""
    return _run(_desk(context, kind), _Desk.sign_line, lines, jobs)


def _desk(context: Context, kind: str) -> _Desk:
    if not isinstance(kind, str) or kind not in orders.ORDER_KINDS:
        raise ValidationError(f"kind must be one of {', '.join(orders.ORDER_KINDS)}")
    return _Desk(kind, context.chain, context.domain, context.signer)


# --- processes ------------------------------------------------------------------------------------


def _run(
    desk: _Desk, work: Callable[[_Desk, G], D], items: Iterable[G], jobs: int
) -> Generator[D, None, None]:
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MAX_JOBS:
        raise ValidationError(f"jobs must be a whole number from 1 to {MAX_JOBS}")
    if not isinstance(items, Iterable) or isinstance(items, (str, bytes, Mapping)):
        raise ValidationError(f"many orders are needed, got one {type(items).__name__}")
    if jobs == 1:
        return (work(desk, item) for item in items)
    if not isinstance(desk.signer, KeySigner):
        raise ConfigurationError("several processes need a signer that holds its key: use jobs=1")
    parts = (desk.kind, desk.chain, desk.domain, secret_of(desk.signer))
    return _shared_out(parts, work, iter(items), jobs)


def _shared_out(
    parts: Parts, work: Callable[[_Desk, G], D], items: Iterator[G], jobs: int
) -> Generator[D, None, None]:
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_begin, initargs=parts)
    waiting: deque[Future[list[D]]] = deque()
    try:
        while True:
            while len(waiting) < jobs * AHEAD and (chunk := list(islice(items, CHUNK))):
                waiting.append(pool.submit(_chunk, work, chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ConfigurationError(
            "a process that signs ended before its work was done: memory may be short, or a script "
            'starts work without if __name__ == "__main__"',
            cause=error,
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_DESK: list[_Desk] = []  # in a process that signs: its one desk


def _begin(kind: str, chain: Chain, domain: Domain, secret: bytes) -> None:
    """Make this process ready. Ctrl-C is for the one that started it, whose end ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _DESK[:] = [_Desk(kind, chain, domain, KeySigner(secret))]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _chunk(work: Callable[[_Desk, G], D], items: list[G]) -> list[D]:
    return [work(_DESK[0], item) for item in items]
