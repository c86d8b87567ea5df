"""What a purchase would be, before anything is signed: the records of ``iexec.app.plan_…``.

Attributes and JSON as in ``records.py``. Prices and stakes are nRLC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from ..errors import MatchError, StateError
from ..frozen import Frozen
from ..protocol.matching import Reason
from ..protocol.orders import Apporder, Datasetorder, Order, Requestorder, Workerpoolorder
from ..protocol.units import format_rlc
from .records import MatchResult, Record

__all__ = ["PlannedOrder", "RequestPlan", "RunPlan", "RunResult", "Wish"]

O = TypeVar("O", bound=Order, covariant=True)  # noqa: E741, PLC0105


class Wish(Frozen, kw_only=False):
    """What the caller of ``run`` wants: a request order without prices, and limits of these."""

    request: Requestorder
    category: int | None
    limits: Mapping[str, int | None]

    @property
    def arguments(self) -> dict[str, object]:
        """What the journal knows it by."""
        category = None if self.category is None else str(self.category)
        return {**self.request.to_dict(), "category": category}

    def accept(self, note: Mapping[str, object]) -> None:
        """Whether what an earlier call has signed may go on: not beyond the limits of this one."""
        signed = note.get("requestorder")
        for kind, limit in self.limits.items():
            price = int(str(signed[f"{kind}maxprice"])) if isinstance(signed, Mapping) else 0
            if limit is not None and price > limit:
                raise StateError(
                    f"An earlier call for the same run has an unknown outcome, at the {kind} price "
                    f"{format_rlc(price)} RLC: it is not resumed beyond the limit of "
                    f"{format_rlc(limit)} RLC. Raise the limit to resume it, or start "
                    "another (new=True)"
                )


class PlannedOrder(Record, Generic[O]):
    """An order that a run would use: of the marketplace (signed), or of one's own, to be signed."""

    to_sign: bool
    order_hash: str | None = None
    order: O


class RequestPlan(Record):
    """A request order that ``request_execution`` would sign and publish.

    ``total`` is what all its tasks cost at most, ``stake`` what is free on the requester's account,
    ``shortfall`` what is missing there. ``reasons`` are all that stand against it.
    """

    requestorder: Requestorder
    total: int
    stake: int
    shortfall: int
    reasons: tuple[Reason, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands against it."""
        return not self.reasons

    def raise_if_bad(self) -> None:
        """Raise MatchError with all reasons, if there is one."""
        if self.reasons:
            texts = [reason.text for reason in self.reasons]
            details = {"reasons": _reasons(self.reasons), "total": str(self.total)}
            raise MatchError("; ".join(texts), errors=texts, details=details)

    def to_dict(self) -> dict[str, object]:
        """The JSON of the plan; a reason is ``{"code", "text"}``."""
        return {**Record.to_dict(self), "reasons": _reasons(self.reasons)}


class RunPlan(RequestPlan):
    """What ``run`` would buy: one task, for ``total``.

    The prices are those of the three orders, per task; the request order offers just them.
    ``unfinished``: the same call was made before and its outcome is unknown, so ``run`` would
    resume it and buy nothing else.
    """

    apporder: PlannedOrder[Apporder]
    datasetorder: PlannedOrder[Datasetorder] | None
    workerpoolorder: PlannedOrder[Workerpoolorder]
    app_price: int
    dataset_price: int
    workerpool_price: int
    unfinished: bool


class RunResult(MatchResult):
    """A new deal of one task; ``resumed``: it was bought by an earlier, identical call."""

    resumed: bool


def _reasons(reasons: tuple[Reason, ...]) -> list[dict[str, str]]:
    return [{"code": reason.code, "text": reason.text} for reason in reasons]
