"""Refusing to move more than there is, before anything is sent (chain.md §6, §8)."""

from __future__ import annotations

from ..errors import StateError

__all__ = ["require_funds"]


def require_funds(what: str, wanted: int, held: int, unit: str = "nRLC") -> None:
    """StateError where ``wanted`` is more than the wallet holds; ``what`` names the amount."""
    if wanted > held:
        raise StateError(
            f"{what} exceed wallet balance ({wanted} {unit} wanted, {held} {unit} available)",
            details={"amount": str(wanted), "balance": str(held)},
        )
