"""A whole local iExec on one machine, built on the public library (sandbox.md, worker.md).

A private chain with the real contracts, the off-chain services (SMS, result proxy, IPFS-like
gateway, marketplace, bridge) and a worker that really runs an app's command; all that as SDK V6
knew it, or as it is today. Everything listens on loopback only; keys and chain ids are of no public
chain.

The rooms. The machine: ``folders`` (where files are kept), ``processes``, ``packages`` and
``contract_files`` (what npm brings, and the cache), ``progress``, ``node`` (anvil). The chain:
``kinds`` (of sandboxes: what differs between generations and flavours), ``accounts``, ``deploy``,
``deployer``, ``deploy_proxy`` and ``deploy_diamond`` (contracts), ``ens``. The services:
``services`` (which there are), ``server`` (HTTP for all of them), ``database``, ``store``
(files), ``sms``, ``result_proxy``, ``gateway``, ``faucet``, ``ipfs_node``, ``history``
and ``pool_api`` (what is told of tasks). The marketplace: ``market`` (what it does), ``market_api``
(over HTTP), ``market_input``, ``market_book``, ``market_tables``, ``watcher`` (its eye on the
chain). The worker: ``worker`` (the protocol), ``jobs`` (what the chain says of a task), ``compute``
(one task), ``runtime`` (what differs between generations), ``arguments``, ``inputs``, ``runner``
and ``result`` (one run of an app), ``uploads`` (its way to the store). All together: ``stack``,
``bridge`` (between two of them), ``service`` (the background process), ``commands`` (what the
command line calls) and ``demo``. Nothing is imported here: a plain import of iexec_lite must not
pay for any of it.
"""

from __future__ import annotations

__all__: list[str] = []
