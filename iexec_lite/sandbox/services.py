"""The services of a sandbox, by generation: which there are, where they answer, where results go.

Those of V6 live under a path each. Those of today share one root, as their clients keep the host
of a URL only: the first part of a path tells whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..net.http import Http
from ..net.rpc import Rpc
from ..protocol.chains import Chain
from . import accounts, sms
from .gateway import gateway_app
from .history import History
from .ipfs_node import ipfs_node_app
from .market_api import MarketService
from .market_tables import KINDS
from .pool_api import PoolApi
from .result_proxy import ResultProxy
from .server import WSGI, Service
from .store import Store
from .uploads import ResultStore, StoreUploads, Uploads

__all__ = ["PastServices", "Services", "TodayServices"]

MARKET_ROOTS = (
    *(f"/{kind}s" for kind in KINDS),
    *("/deals", "/categories", "/challenge", "/ohlc", "/metrics", "/version"),
)
SMS_ROOTS = ("/secrets", "/apps", "/requesters", "/tee")


class Services:
    """What both generations have: ``sms``, a market, a gateway. Each keeps its data in ``folder``.

    ``history`` is what the scheduler writes down of tasks, where somebody can ask for it.
    """

    families: Sequence[sms.Family] = sms.PAST
    history: History | None = None

    def __init__(self, folder: Path, store: Store, rpc: Rpc, chain: Chain) -> None:
        self.store = store
        self.sms = sms.Sms(folder / "sms.sqlite", rpc, self.families)
        self.market = MarketService(folder / "market.sqlite", rpc, chain)

    def mounts(self) -> dict[str, WSGI]:
        """Path prefix → app."""
        return {"": gateway_app(self.store)}

    def result_store(self, chain: Chain, http: Http) -> ResultStore:
        """Where workers hand in results."""
        return StoreUploads(self.store)

    def reset(self) -> None:
        """Let every service forget all it knows; files stay in the store."""
        for service in self._all():
            service.reset()

    def close(self) -> None:
        """Close their files, once nobody asks any more."""
        for service in self._all():
            service.close()

    def _all(self) -> Iterable[Service]:
        return (self.sms, self.market)


class PastServices(Services):
    """Those of V6: with a result proxy."""

    def __init__(self, folder: Path, store: Store, rpc: Rpc, chain: Chain) -> None:
        super().__init__(folder, store, rpc, chain)
        self.result_proxy = ResultProxy(
            folder / "result-proxy.sqlite", store, rpc, chain.require_hub()
        )

    def mounts(self) -> dict[str, WSGI]:
        """Path prefix → app."""
        own: dict[str, Service] = {
            "/sms": self.sms,
            "/result": self.result_proxy,
            "/market": self.market,
        }
        return {**super().mounts(), **{path: service.app for path, service in own.items()}}

    def result_store(self, chain: Chain, http: Http) -> ResultStore:
        """Results pass the proxy."""
        return Uploads(str(chain.result_proxy), chain.id, http)

    def _all(self) -> Iterable[Service]:
        return (*super()._all(), self.result_proxy)


class TodayServices(Services):
    """Those of today: with an IPFS node, compass and the workerpools' own API."""

    families = sms.TODAY

    def __init__(self, folder: Path, store: Store, rpc: Rpc, chain: Chain) -> None:
        super().__init__(folder, store, rpc, chain)
        self.history = History(folder / "tasks.sqlite")
        owners = accounts.addresses().values()
        self.pools = PoolApi(self.history, rpc, chain, owners)
        self._compass = f"/{chain.id}"

    def mounts(self) -> dict[str, WSGI]:
        """Path prefix → app; each app sees the whole path."""
        roots: Mapping[str, WSGI] = {
            **dict.fromkeys(MARKET_ROOTS, self.market.app),
            **dict.fromkeys(SMS_ROOTS, self.sms.app),
            self._compass: self.pools.compass,
            "/tasks": self.pools.app,
            "/api": ipfs_node_app(self.store),
        }
        return {**super().mounts(), **{root: _whole(root, app) for root, app in roots.items()}}

    def _all(self) -> Iterable[Service]:
        return (*super()._all(), self.pools)


def _whole(root: str, app: WSGI) -> WSGI:
    """The app under a prefix that is part of the paths it knows."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = "", root + environ["PATH_INFO"]
        return app(environ, start)

    return answer
