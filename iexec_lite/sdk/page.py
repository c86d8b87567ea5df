"""One page of a longer list, and the way to the next (api.md, ``orderbook``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

__all__ = ["Page"]

T = TypeVar("T")


class Page(Generic[T]):
    """``items`` of this page, ``count`` of the whole list; a page costs one request.

    Iterate for this page, ``next()`` for the following one (None after the last), ``all()`` to walk
    from here to the end.
    """

    __slots__ = ("_more", "count", "items")

    def __init__(
        self, items: Sequence[T], count: int, more: Callable[[], Page[T]] | None = None
    ) -> None:
        self.items = tuple(items)
        self.count = count
        self._more = more

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def next(self) -> Page[T] | None:
        """The following page, or None."""
        return self._more() if self._more is not None else None

    def all(self) -> Iterator[T]:
        """Every item from this page on, asking for further pages as they are needed."""
        page: Page[T] | None = self
        while page is not None:
            yield from page.items
            page = page.next()
