"""One page of a longer list, and the way to the next (api.md, ``orderbook``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from ..errors import MarketCallError

__all__ = ["Page"]

T = TypeVar("T")


class Page(Generic[T]):
    """``items`` of this page, ``count`` of the whole list; a page costs one request.

    Iterate for this page, ``next()`` for the following one (None after the last), ``all()`` to walk
    from here to the end. ``orders`` and ``deals`` are V6's names of ``items``, ``more`` of
    ``next``. ``skipped`` says of each item that is listed but cannot be used why not.
    """

    __slots__ = ("_more", "count", "items", "skipped")

    def __init__(
        self,
        items: Sequence[T],
        count: int,
        more: Callable[[], Page[T]] | None = None,
        skipped: Sequence[MarketCallError] = (),
    ) -> None:
        self.items = tuple(items)
        self.count = count
        self.skipped = tuple(skipped)
        self._more = more

    @property
    def orders(self) -> tuple[T, ...]:
        """``items``, of an order book."""
        return self.items

    @property
    def deals(self) -> tuple[T, ...]:
        """``items``, of a list of deals."""
        return self.items

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def next(self) -> Page[T] | None:
        """The following page, or None."""
        return self._more() if self._more is not None else None

    def more(self) -> Page[T] | None:
        """As :meth:`next`."""
        return self.next()

    def all(self) -> Iterator[T]:
        """Every item from this page on, asking for further pages as they are needed."""
        page: Page[T] | None = self
        while page is not None:
            yield from page.items
            page = page.next()
