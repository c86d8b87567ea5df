"""The part of ``iexec.order`` that buys; how, is in ``buying.py``.

That is loaded at first use, as whoever only signs needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .publish import Publishing, wanted

if TYPE_CHECKING:
    from ..protocol.orders import (
        Requestorder,
        SignedApporder,
        SignedDatasetorder,
        SignedRequestorder,
        SignedWorkerpoolorder,
    )
    from .records import MatchCheck, MatchEstimate, MatchResult, PublishedOrder

    Loose = Mapping[str, object]
    AnyApporder = SignedApporder | PublishedOrder[SignedApporder] | Loose
    AnyDatasetorder = SignedDatasetorder | PublishedOrder[SignedDatasetorder] | Loose
    AnyWorkerpoolorder = SignedWorkerpoolorder | PublishedOrder[SignedWorkerpoolorder] | Loose
    AnyRequestorder = Requestorder | PublishedOrder[SignedRequestorder] | Loose

__all__ = ["Matching"]


class Matching(Publishing):
    """The part of ``iexec.order`` that buys."""

    def match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
        deposit: bool = False,
        check_request: bool = True,
        preflight_check: bool | None = None,
        new: bool = False,
    ) -> MatchResult:
        """Buy: turn four signed orders into a deal, as many tasks as all of them allow.

        Everything the contracts would refuse is checked first, against the chain, and reported at
        once as MatchError with all reasons; nothing is sent then. The requester's account on the
        hub pays, whoever sends. With ``deposit`` what is missing there comes out of the requester's
        wallet, in the same transaction if the hub can do that, in one before it otherwise. A
        ``Requestorder`` that is not signed yet is signed after the checks; the same purchase again
        resumes one of unknown outcome, under the salt of then. ``preflight_check`` is the newer
        name of ``check_request``.
        """
        from . import buying

        return buying.match_orders(
            self._context,
            (apporder, datasetorder, workerpoolorder, requestorder),
            deposit=deposit,
            preflight=wanted(check_request, preflight_check),
            new=new,
        )

    def sponsor_match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
        check_request: bool = True,
        preflight_check: bool | None = None,
        new: bool = False,
    ) -> MatchResult:
        """As :meth:`match_orders`, but the wallet's own account on the hub pays for the requester.

        The deal names the wallet as ``sponsor``. Hubs before PoCo 5.5 refuse it, and nothing is
        sent.
        """
        from . import buying

        return buying.sponsor_match_orders(
            self._context,
            (apporder, datasetorder, workerpoolorder, requestorder),
            preflight=wanted(check_request, preflight_check),
            new=new,
        )

    def estimate_match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
    ) -> MatchEstimate:
        """What :meth:`match_orders` would buy now, and what is missing on the accounts for it.

        Needs no signer. Raises MatchError with all reasons that money cannot mend.
        """
        from . import buying

        orders = (apporder, datasetorder, workerpoolorder, requestorder)
        return buying.estimate_match_orders(self._context, orders)

    def check_match_orders(
        self,
        *,
        apporder: AnyApporder,
        workerpoolorder: AnyWorkerpoolorder,
        requestorder: AnyRequestorder,
        datasetorder: AnyDatasetorder | None = None,
        check_request: bool = True,
        preflight_check: bool | None = None,
    ) -> MatchCheck:
        """As :meth:`estimate_match_orders`, but what stands against the match is no error.

        All of it is in ``reasons``: missing money too, and what the SMS lacks, where it is asked
        as in :meth:`match_orders`. Needs no signer.
        """
        from . import buying

        orders = (apporder, datasetorder, workerpoolorder, requestorder)
        return buying.check_match_orders(
            self._context, orders, preflight=wanted(check_request, preflight_check)
        )
