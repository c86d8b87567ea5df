"""A whole local iExec on one machine, built on the public library (sandbox.md, worker.md).

A private chain with the real contracts, the off-chain services (SMS, result proxy, IPFS-like
gateway, marketplace, bridge) and a worker that really runs an app's command. Everything listens on
loopback only; keys and chain ids are of no public chain.

The rooms. The machine: ``folders`` (where files are kept), ``processes``, ``packages`` (what npm
brings, and the cache), ``progress``, ``node`` (anvil). The chain: ``accounts``, ``deploy``
(contracts), ``ens``. The services: ``server`` (HTTP for all of them), ``database``, ``cid`` and
``store`` (files), ``sms``, ``result_proxy``, ``gateway``, ``faucet``. The marketplace: ``market``
(what it does), ``market_api`` (over HTTP), ``market_input``, ``market_book``, ``market_tables``,
``watcher`` (its eye on the chain). The worker: ``worker`` (the protocol), ``compute`` (one task),
``arguments``, ``inputs``, ``runner`` and ``result`` (one run of an app), ``uploads`` (its way to
the result proxy). All together: ``stack``, ``bridge`` (between two of them), ``service`` (the
background process), ``commands`` (what the command line calls) and ``demo``. Nothing is imported
here: a plain import of iexec_lite must not pay for any of it.
"""

from __future__ import annotations

__all__: list[str] = []
