"""What ``init`` writes into iexec.json (cli.md §4.2); one record of what generations differ in.

Members in the order of the JavaScript SDK. ``owner`` is the wallet's, the zero address its place.
Spec: cli.md §4.2; today.md §4.1, §4.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..frozen import Frozen, field

__all__ = ["CATEGORY", "DATASET", "TODAY", "V6", "WORKERPOOL", "Template", "Templates"]

Template = Mapping[str, object]

NULL_ADDRESS = "0x" + "0" * 40  # that of orders.py is above us: the rules bring this module

DATASET: Template = {
    "owner": NULL_ADDRESS,
    "name": "my-dataset",
    "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
    "checksum": "0x" + "0" * 64,
}
WORKERPOOL: Template = {"owner": NULL_ADDRESS, "description": "my-workerpool"}
CATEGORY: Template = {
    "name": "XXL",
    "description": "new hub category",
    "workClockTimeRef": "100",
}


class Templates(Frozen):
    """``tag`` names what orders ask for, ``tag_mask`` is the same as bytes32.

    ``tee_app`` is the app of those who ask for one that runs in an enclave. ``dapp`` is the name of
    the app that goes with a dataset, ``dapp_chain`` the id of the network where it is.
    """

    app: Template = field(hash=False)  # a dict has no hash; what is equal has one all the same
    tee_app: Template = field(hash=False)
    tag: tuple[str, ...]
    tag_mask: str
    dapp: str
    dapp_chain: str

    @property
    def buy_conf(self) -> Template:
        """How to buy the app."""
        return {
            "params": {"iexec_args": ""},
            "tag": self.tag_mask,
            "trust": "0",
            "callback": NULL_ADDRESS,
        }

    @property
    def dapps(self) -> list[Template]:
        """The apps that go with a dataset."""
        addresses = {self.dapp_chain: NULL_ADDRESS}
        return [{"name": self.dapp, "addresses": addresses, "buyConf": self.buy_conf}]


V6 = Templates(
    app={
        "owner": NULL_ADDRESS,
        "name": "python-hello-world",
        "type": "DOCKER",
        "multiaddr": "docker.io/iexechub/python-hello-world:1.0.0",
        "checksum": "0xa28d8ae83ae586b4c8addd60413a8302798891411a8f87b5f0987050d0d73816",
    },
    tee_app={
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
    },
    tag=(),
    tag_mask="0x" + "0" * 64,
    dapp="Recomanded-dapp-for-MyDataset",  # as V6 spells it
    dapp_chain="5",
)

_HELLO = {
    "owner": NULL_ADDRESS,
    "name": "hello-world",
    "type": "DOCKER",
    "multiaddr": "iexechub/python-hello-world:8.0.4",
    "checksum": "0xb0b664b7a6d249f81c067a9262b1763144eeb3ca63e553567f71673442ce9e84",
}
TODAY = Templates(
    app=_HELLO,
    tee_app=_HELLO,  # any image runs in an enclave, nothing of it is measured beforehand
    tag=("tee", "tdx"),
    tag_mask="0x" + "0" * 63 + "9",
    dapp="Recommended-dapp-for-MyDataset",
    dapp_chain="421614",
)
