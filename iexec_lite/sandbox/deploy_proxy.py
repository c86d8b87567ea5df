"""The contracts of PoCo 5: an ERC-1538 proxy and its modules (sandbox.md §3, §4).

In the order of upstream: token, CREATE2 factory, library, proxy, its modules, registries, settings,
categories. The addresses follow from account and code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..eth import abi
from ..eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from ..eth.crypto import keccak
from ..eth.transaction import parse
from ..protocol.contracts import TOKEN
from ..protocol.deployment import DEPLOY_ERLC, FACTORY, OWNED, PROXY
from ..protocol.orders import NULL_ADDRESS
from . import accounts
from .deployer import LIBRARY, REGISTRY_KINDS, RLC_UNIT, Deployer
from .node import Node
from .packages import Kit

__all__ = ["ENTERPRISE_HUB", "ERLC", "FUNCTIONS", "HUB_ADDRESS", "NO_KYC", "REGISTRIES", "RLC"]
__all__ += ["ProxyDeployer", "count_functions"]

MODULES = (
    "ERC1538QueryDelegate",
    "IexecAccessorsDelegate",
    "IexecAccessorsABILegacyDelegate",
    "IexecCategoryManagerDelegate",
    "IexecERC20Delegate",
    "IexecEscrow{flavour}Delegate",
    "IexecMaintenanceDelegate",
    "IexecOrderManagementDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
    "IexecRelayDelegate",
    "ENSIntegrationDelegate",
    "IexecMaintenanceExtraDelegate",
)
# In the enterprise hub these stand in for the modules of the same name: they ask for a KYC.
KYC_MODULES = (
    "IexecERC20Delegate",
    "IexecEscrowTokenDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
)
# What must come out: the constants of upstream's own tests, and the count of the hub's functions.
HUB_ADDRESS = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
RLC = "0x5e0Ad34eC9DD31086E946f463a6820ef522B2c58"
REGISTRIES = {
    "app": "0xfdf44ef23E1c80ab7cf8EFE16dE7AbE038d794d7",
    "dataset": "0x9C55Cf45123190F61A3b56Fa5D5826E5E5CA76f4",
    "workerpool": "0xD9FcF393CB26143794b54d3e2641Ce1cAA30A568",
}
FUNCTIONS = {"token": 97, "native": 96, "enterprise": 97}
ENTERPRISE_HUB = "0xb80C02d24791fA92fA8983f15390274698A75D23"
ERLC = "0x938Fa27C1eD3d0Eec3F7156D0643631e04936bfB"

ZERO_SALT = bytes(32)
SALT = from_hex("0xbe1a") + bytes(30)
ENTERPRISE_SALT = (1).to_bytes(32, "big")
WRAPPED = 40_000_000 * RLC_UNIT  # nRLC that become eRLC on an enterprise chain

# Who has no KYC on an enterprise chain, so that refusals can be seen.
NO_KYC = "beneficiary"


def count_functions(node: Node, hub: str) -> int:
    """How many functions the hub has."""
    total = PROXY.totalFunctions
    return int(str(total.decode(node.rpc.call(hub, total.encode()))))


class ProxyDeployer(Deployer):
    """The steps, in order."""

    library_mark = f"__{LIBRARY}".ljust(40, "_")
    description = "{}"

    def __init__(self, node: Node, kit: Kit) -> None:
        super().__init__(node, kit)
        self._factory = address_to_bytes(kit.factory["address"])

    def run(self) -> None:
        """Everything."""
        self._fund()
        token = NULL_ADDRESS if self._native else self._expect("RLC", self._created("RLC"), RLC)
        self._place_factory()
        self._library = self._create(LIBRARY)
        self._create_hub(HUB_ADDRESS, SALT, MODULES)
        for kind in REGISTRY_KINDS:
            registry = self._create_owned(f"{kind.capitalize()}Registry")
            self._initialize(kind, self._expect(f"{kind} registry", registry, REGISTRIES[kind]))
        self._configure(HUB_ADDRESS, token, REGISTRIES, "Staked RLC", "SRLC")
        people = accounts.addresses()
        if not self._native:
            self._share(token, people)
        self._stake(HUB_ADDRESS, token)
        if self._node.kind.enterprise:
            members = {name: people[name] for name in people if name != NO_KYC}
            erlc = self._create_erlc(token, members)
            self._share(erlc, members)
            self._stake(ENTERPRISE_HUB, erlc)

    def _place_factory(self) -> None:
        """Set the code of the CREATE2 factory, without sending its pre-signed transaction.

        Its constructor does not look at the sender, so what it returns is what it would deploy.
        """
        init = parse(from_hex(self._kit.factory["tx"])).transaction.data
        code = self._node.rpc.request("eth_call", ({"data": to_hex(init)}, "latest"))
        self._node.set_code(checksum_address(self._factory), code)

    def _create_hub(self, known: str, salt: bytes, modules: Iterable[str]) -> None:
        update = self._create("ERC1538UpdateDelegate")
        arguments = abi.encode(["address"], [address_to_bytes(update)])
        hub = self._create_owned("ERC1538Proxy", arguments, salt=salt)
        self._expect("hub", hub, known)
        flavour = "Native" if self._native else "Token"
        for name in modules:
            module = name.format(flavour=flavour)
            signatures = _signatures(self._artifact(module).abi)
            call = PROXY.updateContract.encode(
                self._create(module), signatures, f"Linking {module}"
            )
            self._send(f"link {module}", hub, call)

    def _create_erlc(self, rlc: str, members: Mapping[str, str]) -> str:
        """The enterprise token and its hub, side by side with RLC and the standard one (§4)."""
        settings = (address_to_bytes(rlc), "iExec ERLC Token", "ERLC", 0)
        admins = [address_to_bytes(self._admin)]
        types = ["address", "string", "string", "uint256", "address[]", "address[]"]
        arguments = abi.encode(types, [*settings, admins, []])
        erlc = self._created("ERLCTokenSwap", arguments)
        self._expect("ERLC", erlc, ERLC)
        modules = [
            f"{name}KYC" if name in KYC_MODULES else name
            for name in (each.format(flavour="Token") for each in MODULES)
        ]
        self._create_hub(ENTERPRISE_HUB, ENTERPRISE_SALT, modules)
        self._configure(ENTERPRISE_HUB, erlc, REGISTRIES, "Staked eRLC", "SeRLC")
        role = DEPLOY_ERLC.KYC_ADMIN_ROLE
        admin_role = role.decode(self._node.rpc.call(erlc, role.encode()))
        self._send("KYC admin", erlc, DEPLOY_ERLC.grantRole.encode(admin_role, self._admin))
        known = [ENTERPRISE_HUB, *members.values()]
        self._send("KYC", erlc, DEPLOY_ERLC.grantKYC.encode(known))
        self._send("wrap", rlc, TOKEN.approveAndCall.encode(erlc, WRAPPED, b""))
        return erlc

    # -- pieces -------------------------------------------------------------------------------

    def _creation(self, code: bytes) -> tuple[str, bytes, str]:
        call = FACTORY.createContract.encode_raw(code, ZERO_SALT)
        return checksum_address(self._factory), call, self._address(code, ZERO_SALT)

    def _create_owned(self, name: str, arguments: bytes = b"", *, salt: bytes = SALT) -> str:
        """A contract that the factory hands over to ``admin``: the call is part of the address."""
        code = self._code(name, arguments)
        hand_over = OWNED.transferOwnership.encode(self._admin)
        call = FACTORY.createContractAndCall.encode_raw(code, salt, hand_over)
        self._send(f"create {name}", checksum_address(self._factory), call)
        return self._address(code, salt, hand_over)

    def _address(self, code: bytes, salt: bytes, call: bytes = b"") -> str:
        digest = keccak(b"\xff" + self._factory + keccak(salt + call) + keccak(code))
        return checksum_address(digest[12:])


def _signatures(entries: Iterable[Mapping[str, object]]) -> str:
    """What ``updateContract`` links: ``receive;fallback;`` first, then every function."""
    special, functions = "", ""
    for entry in entries:
        if entry["type"] in ("receive", "fallback"):
            special += f"{entry['type']};"
        elif entry["type"] == "function":
            functions += abi.function_from_json(entry).signature + ";"
    return special + functions
