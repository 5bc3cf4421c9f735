"""Example genesis: small contracts at real addresses of Ethereum, Base and Sepolia.

The contracts of `contracts/` are at the addresses of USDC, WETH and Uniswap's SwapRouter02 of each
chain, so calldata for the real ones runs unchanged. Prices and balances are invented.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signer.core.ethereum.keccak import keccak256
from streams.simulators.contracts import contracts
from streams.simulators.genesis import GAS_LIMIT_DEFAULT, GenesisError

# The same on every chain, in a range without real accounts.
REVERTS_WITH_ERROR = "0x00000000000000000000000000000000000e0001"
REVERTS_WITH_REASON = "0x00000000000000000000000000000000000e0002"
BURNS_GAS = "0x00000000000000000000000000000000000e0003"

FUNDED_USDC_BASE_UNITS = 10_000 * 10**6
POOL_WETH_WEI = 1_000 * 10**18
POOL_USDC_BASE_UNITS = 2_500_000 * 10**6
TIMESTAMP_S = 1_767_225_600  # 2026-01-01T00:00:00Z


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Addresses of the well-known contracts of one chain, and its usual base fee."""

    usdc: str
    weth: str
    router: str
    base_fee_wei: int


LANDMARKS: Mapping[int, Landmarks] = {
    1: Landmarks(
        usdc="0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
        weth="0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
        router="0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45",
        base_fee_wei=1_000_000_000,
    ),
    8453: Landmarks(
        usdc="0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
        weth="0x4200000000000000000000000000000000000006",
        router="0x2626664c2603336e57b271c5c0b26f421741e481",
        base_fee_wei=5_000_000,
    ),
    11155111: Landmarks(
        usdc="0x1c7d4b196cb0c7b01d743fbc6116a902379c7238",
        weth="0xfff9976782d46cc05630d1f6ebab18b2324d6b14",
        router="0x3bfa4769fb09eefc5a80d6e87c3b9c650f7ae48e",
        base_fee_wei=1_000_000_000,
    ),
}


def example_genesis(
    chain_id: int, funded: Mapping[str, int], *, timestamp_s: int = TIMESTAMP_S
) -> dict[str, Any]:
    """Build the JSON object of a genesis for one of the chains in LANDMARKS.

    `funded` maps addresses (lower-case hex) to balances in wei; each also holds
    FUNDED_USDC_BASE_UNITS. The router holds WETH and USDC to swap at about 2,500 USDC per ETH.
    Raises GenesisError: the chain has no example, or a funded address is a contract's.
    """
    if chain_id not in LANDMARKS:
        known = ", ".join(map(str, LANDMARKS))
        raise GenesisError(f"There is no example genesis for chain {chain_id}, only for {known}.")
    marks = LANDMARKS[chain_id]
    deployed = _deployed(marks, funded)
    if clashing := deployed.keys() & funded.keys():
        raise GenesisError(f"{min(clashing)} is a contract's address; fund another one.")
    accounts = {address: {"balance_wei": str(wei)} for address, wei in funded.items()}
    return {
        "version": 1,
        "chain_id": chain_id,
        "wrapped_native": marks.weth,
        "block": {
            "number": 1,
            "timestamp_s": timestamp_s,
            "base_fee_wei": str(marks.base_fee_wei),
            "gas_limit": GAS_LIMIT_DEFAULT,
        },
        "alloc": {**deployed, **accounts},
    }


def _deployed(marks: Landmarks, funded: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    usdc = dict.fromkeys(funded, FUNDED_USDC_BASE_UNITS) | {marks.router: POOL_USDC_BASE_UNITS}
    weth = {marks.router: POOL_WETH_WEI}
    supply = {_slot("Usdc", "totalSupply"): _word(sum(usdc.values()))}
    return {
        marks.usdc: {"code": "Usdc", "storage": _balances("Usdc", usdc) | supply},
        marks.weth: {
            "code": "Weth",
            "balance_wei": str(sum(weth.values())),
            "storage": _balances("Weth", weth),
        },
        marks.router: {
            "code": "Router",
            "storage": {_slot("Router", "WETH9"): _word(int(marks.weth, 16))},
        },
        REVERTS_WITH_ERROR: {"code": "RevertsWithError"},
        REVERTS_WITH_REASON: {"code": "RevertsWithReason"},
        BURNS_GAS: {"code": "BurnsGas"},
    }


def _balances(contract: str, holders: Mapping[str, int]) -> dict[str, str]:
    """Lay out `mapping(address => uint256) balanceOf` as Solidity does: keccak256(key . slot)."""
    slot = bytes.fromhex(_slot(contract, "balanceOf")[2:])
    return {
        "0x" + keccak256(bytes(12) + bytes.fromhex(address[2:]) + slot).hex(): _word(amount)
        for address, amount in holders.items()
    }


def _slot(contract: str, variable: str) -> str:
    return _word(contracts()[contract].storage_slots[variable])


def _word(value: int) -> str:
    return f"0x{value:064x}"
