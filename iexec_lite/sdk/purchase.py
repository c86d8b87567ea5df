"""Buying one run of an app in one call, or asking everybody for it (cli.md §8.5, §8.6).

``plan_run`` finds the orders and says what they cost; ``run`` signs and matches them, once. Its
intent in the journal is what the caller asked for, without what the call finds or draws itself
(prices, salts, time), so a run that was cut off is resumed by the same call: before any new plan,
question or signature. Refused: orders dearer than the caller's limits, also when they are resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from ..errors import IExecError, MarketCallError, ValidationError
from ..frozen import fields, replace
from ..log import log
from ..protocol import orders, units
from ..protocol.orders import NULL_ADDRESS, Requestorder
from .context import Context

if TYPE_CHECKING:
    from ..protocol.matching import OrderSet
    from .plan import RequestPlan, RunPlan, RunResult, Wish

__all__ = ["Purchasing"]

P = TypeVar("P", bound="RequestPlan")
Tag = str | Iterable[str]  # bytes32, names joined by commas, or names
Params = str | Mapping[str, object]
Amount = int | str  # nRLC, or text with a unit


class Purchasing:
    """The part of ``iexec.app`` that buys."""

    _context: Context

    # -- run ----------------------------------------------------------------------------------

    def plan_run(
        self,
        app: str,
        *,
        dataset: str | None = None,
        workerpool: str | None = None,
        category: int | str | None = None,
        tag: Tag | None = None,
        trust: int | str = 0,
        beneficiary: str | None = None,
        callback: str | None = None,
        params: Params | None = None,
        app_max_price: Amount | None = None,
        dataset_max_price: Amount | None = None,
        workerpool_max_price: Amount | None = None,
        requester: str | None = None,
        check_request: bool = True,
    ) -> RunPlan:
        """What :meth:`run` would buy now, and what is missing for it. Signs and sends nothing.

        ``requester`` is who would buy: the wallet by default; without one nothing else needs it.
        StateError where an order is missing altogether, with the V6 text.
        """
        wish = self._wish(
            requester,
            category,
            _limits(app_max_price, dataset_max_price, workerpool_max_price),
            app=app,
            dataset=dataset,
            workerpool=workerpool,
            tag=tag,
            trust=trust,
            beneficiary=beneficiary,
            callback=callback,
            params=params,
        )
        unfinished = requester is None and self._context.unfinished("runApp", wish.arguments)
        if unfinished:
            log.warning(
                "the same run was begun before, its outcome is unknown: it would be resumed"
            )
        from .planning import plan_run

        return plan_run(self._context, wish, check=check_request, unfinished=unfinished)

    def run(
        self,
        app: str,
        *,
        dataset: str | None = None,
        workerpool: str | None = None,
        category: int | str | None = None,
        tag: Tag | None = None,
        trust: int | str = 0,
        beneficiary: str | None = None,
        callback: str | None = None,
        params: Params | None = None,
        app_max_price: Amount | None = None,
        dataset_max_price: Amount | None = None,
        workerpool_max_price: Amount | None = None,
        check_request: bool = True,
        confirm: Callable[[RunPlan], bool] | None = None,
        new: bool = False,
    ) -> RunResult:
        """Buy one run of an app: find orders, sign, match, once.

        Own app, dataset and workerpool cost nothing, an order for them is signed on the fly; the
        others are bought by the cheapest order of the marketplace that holds on chain and costs at
        most ``…_max_price``. Without ``workerpool`` any will do, without ``category`` that of the
        first order found, from 0 on. ``check_request`` asks the SMS whether the secrets that the
        run needs are there. ``confirm`` gets the plan before anything is signed, and says yes.

        The same call after one of unknown outcome resumes that one (``resumed``), whatever orders
        it would find now, unless ``new``. MatchError with all reasons where it cannot be bought.
        """
        wish = self._wish(
            None,
            category,
            _limits(app_max_price, dataset_max_price, workerpool_max_price),
            app=app,
            dataset=dataset,
            workerpool=workerpool,
            tag=tag,
            trust=trust,
            beneficiary=beneficiary,
            callback=callback,
            params=params,
        )
        from .match import made_deal, match
        from .plan import RunResult
        from .planning import plan_run, sign

        context = self._context

        def prepare() -> OrderSet:
            plan = plan_run(context, wish, check=check_request)
            _agree(plan, confirm)
            return sign(context, plan)

        sent = match(context, "runApp", wish.arguments, prepare, new=new, accept=wish.accept)
        deal = made_deal(context, sent)
        values = {item.name: getattr(deal, item.name) for item in fields(deal)}
        return RunResult(**values, resumed=sent.resumed)

    # -- request --------------------------------------------------------------------------------

    def plan_request_execution(
        self,
        app: str,
        *,
        dataset: str | None = None,
        workerpool: str | None = None,
        category: int | str = 0,
        tag: Tag | None = None,
        trust: int | str = 0,
        beneficiary: str | None = None,
        callback: str | None = None,
        params: Params | None = None,
        app_price: Amount = 0,
        dataset_price: Amount = 0,
        workerpool_price: Amount = 0,
        volume: int | str = 1,
        requester: str | None = None,
        check_request: bool = True,
    ) -> RequestPlan:
        """What :meth:`request_execution` would publish now, and what is missing for it.

        Signs and sends nothing; ``requester`` as in :meth:`plan_run`.
        """
        request = self._request(
            requester,
            app=app,
            dataset=dataset,
            workerpool=workerpool,
            category=category,
            tag=tag,
            trust=trust,
            beneficiary=beneficiary,
            callback=callback,
            params=params,
            appmaxprice=app_price,
            datasetmaxprice=dataset_price,
            workerpoolmaxprice=workerpool_price,
            volume=volume,
        )
        if request.volume == 0:
            raise ValidationError("volume must be greater than or equal to 1")
        if request.dataset == NULL_ADDRESS:
            request = replace(request, datasetmaxprice=0)
        from .planning import plan_request

        return plan_request(self._context, request, check=check_request)

    def request_execution(
        self,
        app: str,
        *,
        dataset: str | None = None,
        workerpool: str | None = None,
        category: int | str = 0,
        tag: Tag | None = None,
        trust: int | str = 0,
        beneficiary: str | None = None,
        callback: str | None = None,
        params: Params | None = None,
        app_price: Amount = 0,
        dataset_price: Amount = 0,
        workerpool_price: Amount = 0,
        volume: int | str = 1,
        check_request: bool = True,
        confirm: Callable[[RequestPlan], bool] | None = None,
    ) -> str:
        """Ask everybody to run an app: sign a request order and publish it. Returns its hash.

        The prices are the highest that are paid for one task, ``volume`` is how many tasks.
        ``check_request`` and ``confirm`` as in :meth:`run`. MatchError with all reasons where
        nobody could take it. A MarketCallError has the signed order in ``details["order"]``.
        """
        plan = self.plan_request_execution(
            app,
            dataset=dataset,
            workerpool=workerpool,
            category=category,
            tag=tag,
            trust=trust,
            beneficiary=beneficiary,
            callback=callback,
            params=params,
            app_price=app_price,
            dataset_price=dataset_price,
            workerpool_price=workerpool_price,
            volume=volume,
            check_request=check_request,
        )
        _agree(plan, confirm)
        from .publish import Publishing

        context = self._context
        signed = orders.sign_order(plan.requestorder, context.signer, context.domain)
        try:
            return Publishing(context).publish_requestorder(signed, check_request=False)
        except MarketCallError as error:
            error.details["order"] = signed.to_dict()
            raise

    # -- shared ---------------------------------------------------------------------------------

    def _request(self, requester: str | None, **given: object) -> Requestorder:
        """The request order of what was given; all faults at once."""
        context = self._context
        given["requester"] = context.address if requester is None else requester
        return orders.create_requestorder(
            rules=context.chain.rules,
            result_proxy=context.chain.result_proxy,
            **context.addresses(Requestorder, given),  # type: ignore[arg-type]
        )

    def _wish(
        self,
        requester: str | None,
        category: int | str | None,
        limits: Mapping[str, Amount | None],
        **given: object,
    ) -> Wish:
        from .plan import Wish

        faults: list[str] = []
        known: dict[str, int | None] = {}
        for kind, limit in limits.items():
            try:
                known[kind] = None if limit is None else units.parse_rlc(limit)
            except ValidationError as error:
                faults.append(f"{kind}_max_price: {error.message}")
        try:
            request = self._request(
                requester, category=0 if category is None else category, **given
            )
        except ValidationError as error:
            raise ValidationError.collect([*faults, *error.errors]) from error
        if faults:
            raise ValidationError.collect(faults)
        return Wish(request, None if category is None else request.category, known)


def _limits(
    app: Amount | None, dataset: Amount | None, workerpool: Amount | None
) -> dict[str, Amount | None]:
    return {"app": app, "dataset": dataset, "workerpool": workerpool}


def _agree(plan: P, confirm: Callable[[P], bool] | None) -> None:
    """Nothing stands against the plan, and the caller wants it."""
    plan.raise_if_bad()
    if confirm is not None and not confirm(plan):
        raise IExecError("Operation aborted by user.")
