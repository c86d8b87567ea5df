"""Which compiled contracts are taken out of the packages of each generation, and where they lie.

Facts: sandbox.md §1; sandbox6.md §1, §4.
"""

from __future__ import annotations

__all__ = ["CONTRACTS", "DIAMOND_CONTRACTS", "EDITION", "FACETS"]

# build/contracts of the poco package: what deploy.py and ens.py create, and a callback receiver
# for trying. Count EDITION up when the list changes: it is part of the folder's name.
EDITION = 3
CONTRACTS = (
    "RLC",
    "IexecLibOrders_v5",
    "ERC1538UpdateDelegate",
    "ERC1538Proxy",
    "ERC1538QueryDelegate",
    "IexecAccessorsDelegate",
    "IexecAccessorsABILegacyDelegate",
    "IexecCategoryManagerDelegate",
    "IexecERC20Delegate",
    "IexecEscrowTokenDelegate",
    "IexecEscrowNativeDelegate",
    "IexecMaintenanceDelegate",
    "IexecOrderManagementDelegate",
    "IexecPoco1Delegate",
    "IexecPoco2Delegate",
    "IexecRelayDelegate",
    "ENSIntegrationDelegate",
    "IexecMaintenanceExtraDelegate",
    "AppRegistry",
    "DatasetRegistry",
    "WorkerpoolRegistry",
    "TestClient",
    "ENSRegistry",
    "PublicResolver",
    "ERLCTokenSwap",
    "IexecERC20DelegateKYC",
    "IexecEscrowTokenDelegateKYC",
    "IexecPoco1DelegateKYC",
    "IexecPoco2DelegateKYC",
)

# The PoCo 6 package keeps them in two places: by source file, and as deployed on Arbitrum, where
# the standard contracts of a diamond are.
FACETS = (
    "IexecAccessorsABILegacyFacet",
    "IexecCategoryManagerFacet",
    "IexecConfigurationExtraFacet",
    "IexecConfigurationFacet",
    "IexecERC20Facet",
    "IexecEscrowTokenFacet",
    "IexecOrderManagementFacet",
    "IexecPoco1Facet",
    "IexecPoco2Facet",
    "IexecPocoAccessorsFacet",
    "IexecRelayFacet",
)
DIAMOND_CONTRACTS = {
    "Diamond": "artifacts/contracts/Diamond.sol",
    "IexecLibOrders_v5": "artifacts/contracts/libs/IexecLibOrders_v5.sol",
    **{name: f"artifacts/contracts/facets/{name}.sol" for name in FACETS},
    "AppRegistry": "artifacts/contracts/registries/apps/AppRegistry.sol",
    "DatasetRegistry": "artifacts/contracts/registries/datasets/DatasetRegistry.sol",
    "WorkerpoolRegistry": "artifacts/contracts/registries/workerpools/WorkerpoolRegistry.sol",
    **dict.fromkeys(
        ("RLC", "DiamondInit", "DiamondCutFacet", "DiamondLoupeFacet", "OwnershipFacet"),
        "deployments/arbitrum",
    ),
}
