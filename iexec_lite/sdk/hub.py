"""The hub's categories and constants (chain.md §3.5)."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import StateError, ValidationError, Web3ProviderCallError
from ..protocol import columns
from ..protocol.contracts import EVENTS, HUB
from ..protocol.objects import Category
from .context import Context

__all__ = ["Hub"]


class Hub:
    """Categories: how long a task may run. Reached as ``iexec.hub``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_hub_address(self) -> str:
        """EIP-55 address of the iExec hub."""
        return self._context.hub

    def count_category(self) -> int:
        """How many categories there are."""
        count = self._context.read(self._context.hub, HUB.countCategory)
        assert isinstance(count, int)  # noqa: S101  # uint256 decodes as int
        return count

    def show_category(self, index: int | str) -> Category:
        """The category with this index. Raises ValidationError where there is none."""
        context = self._context
        number = columns.parse_uint(index, "index")

        def read() -> Category:
            try:
                found = context.read(context.hub, HUB.viewCategory, number)
            except Web3ProviderCallError as error:
                count = self.count_category()
                if number < count:
                    raise
                raise ValidationError(
                    f"no category {number}: this chain has categories 0 to {count - 1}", cause=error
                ) from error
            assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
            return Category.from_dict(found)

        return context.once(f"category:{number}", read)  # a category never changes

    def get_timeout_ratio(self) -> int:
        """A deal's final deadline is its start plus this many times its category's reference."""
        context = self._context

        def read() -> int:
            ratio = context.read(context.hub, HUB.final_deadline_ratio)
            assert isinstance(ratio, int)  # noqa: S101  # uint256 decodes as int
            return ratio

        return context.once("timeout_ratio", read)

    def longest(self, category: int) -> int:
        """Seconds from a deal of this category to its final deadline."""
        context = self._context

        def read() -> int:  # without the category's texts, which may be such that no record has
            found = context.read(context.hub, HUB.viewCategory, category)
            assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
            return int(found["workClockTimeRef"])

        return self.get_timeout_ratio() * context.once(f"reference:{category}", read)

    def create_category(
        self, category: Category | Mapping[str, object], *, new: bool = False
    ) -> dict[str, object]:
        """Add a category; only the hub's owner may. Returns ``{"catid": int, "txHash": str}``."""
        context = self._context
        record = Category.from_dict(category)

        def check() -> None:
            owner = context.read(context.hub, HUB.owner)
            if owner != context.address:
                raise StateError(f"only category owner {owner} can create new categories")

        sent = context.send(
            "createCategory",
            record.to_dict(),
            context.hub,
            HUB.createCategory.encode(*record.packed()),
            expect=[(EVENTS.CreateCategory, context.hub)],
            check=check,
            new=new,
        )
        return {"catid": sent.events[0]["catid"], "txHash": sent.tx_hash}
