"""``log``: the standard logger ``iexec_lite``, loaded when there is something to say.

``logging`` takes 5 ms to load, a tenth of a program that signs one order and has nothing to say.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger
    from typing import Any

__all__ = ["log"]


class _Log:
    def __getattr__(self, name: str) -> Any:
        import logging

        found = getattr(logging.getLogger("iexec_lite"), name)
        if callable(found):
            setattr(self, name, found)  # asked for once
        return found


log: Logger = _Log()  # type: ignore[assignment]  # has all that the logger has
