"""What ``init`` of app, dataset, workerpool and category writes into iexec.json (cli.md §4.2).

Members in the order of V6; ``owner`` is the wallet's, these are its place.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["APP", "BUY_CONF", "CATEGORY", "DAPPS", "DATASET", "TEE_APP", "WORKERPOOL"]

Template = Mapping[str, object]

NULL_ADDRESS = "0x" + "0" * 40
NULL_BYTES32 = "0x" + "0" * 64

APP: Template = {
    "owner": NULL_ADDRESS,
    "name": "python-hello-world",
    "type": "DOCKER",
    "multiaddr": "docker.io/iexechub/python-hello-world:1.0.0",
    "checksum": "0xa28d8ae83ae586b4c8addd60413a8302798891411a8f87b5f0987050d0d73816",
}
TEE_APP: Template = {
    "owner": NULL_ADDRESS,
    "name": "tee-python-hello-world",
    "type": "DOCKER",
    "multiaddr": "nexus.iex.ec/tee-python-hello-world:6.2.0",
    "checksum": "0x15bed530c76f1f3b05b2db8d44c417128b8934899bc85804a655a01b441bfa78",
    "mrenclave": {
        "provider": "SCONE",
        "version": "v5",
        "entrypoint": "python /app/app.py",
        "heapSize": 1073741824,
        "fingerprint": "eca3ace86f1e8a5c47123c8fd271319e9eb25356803d36666dc620f30365c0c1",
    },
}
BUY_CONF: Template = {
    "params": {"iexec_args": ""},
    "tag": NULL_BYTES32,
    "trust": "0",
    "callback": NULL_ADDRESS,
}
DATASET: Template = {
    "owner": NULL_ADDRESS,
    "name": "my-dataset",
    "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
    "checksum": NULL_BYTES32,
}
DAPPS = [
    {
        "name": "Recomanded-dapp-for-MyDataset",  # as V6 spells it
        "addresses": {"5": NULL_ADDRESS},
        "buyConf": BUY_CONF,
    }
]
WORKERPOOL: Template = {"owner": NULL_ADDRESS, "description": "my-workerpool"}
CATEGORY: Template = {
    "name": "XXL",
    "description": "new hub category",
    "workClockTimeRef": "100",
}
