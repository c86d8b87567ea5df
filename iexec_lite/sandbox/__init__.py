"""A whole local iExec on one machine, built on the public library (sandbox.md, worker.md).

A private chain with the real contracts, the off-chain services (SMS, result proxy, IPFS-like
gateway) and a worker that really runs an app's command. Everything listens on loopback only; keys
and chain ids are of no public chain.

The rooms: ``packages`` (what npm brings, and the cache), ``node`` (anvil), ``accounts``, ``deploy``
(contracts), ``cid`` and ``store`` (files), ``server`` (HTTP for all services), ``database``,
``sms``, ``result_proxy`` and ``gateway`` (the services), ``uploads`` (a worker's way to the result
proxy), ``arguments``, ``runner``, ``result`` and ``inputs`` (one run of an app), ``worker`` (the
protocol), ``stack`` (all of it together), ``service`` (the background process), ``commands`` (what
the command line calls) and ``demo``. Nothing is imported here: ``import iexec_lite`` must not pay
for any of it.
"""

from __future__ import annotations

__all__: list[str] = []
