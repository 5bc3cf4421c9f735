"""The default chains, compared with an independent list."""

from decimal import Decimal

import pytest

from schemas.intents.money import eth_to_wei
from schemas.registry.policy import FEE_ETH_MAX_DEFAULT
from schemas.registry.records import ChainSet
from signer.core.ethereum.gas import TRANSACTION_GAS
from sixgate.config.chains import default_chains

CHAINS = """
1 ETH etherscan.io ethereum|10 ETH optimistic.etherscan.io optimism|25 CRO cronoscan.com cronos
56 BNB bscscan.com bnb-smart-chain|100 xDAI gnosisscan.io gnosis|137 POL polygonscan.com polygon
146 S sonicscan.org sonic|250 FTM ftmscan.com fantom|324 ETH explorer.zksync.io zksync-era
480 ETH worldscan.org world-chain|1088 METIS andromeda-explorer.metis.io metis
1101 ETH zkevm.polygonscan.com polygon-zkevm|1284 GLMR moonscan.io moonbeam
1329 SEI seitrace.com sei|5000 MNT mantlescan.xyz mantle|8217 KAIA kaiascan.io kaia
8453 ETH basescan.org base|34443 ETH modescan.io mode|42161 ETH arbiscan.io arbitrum-one
42170 ETH nova.arbiscan.io arbitrum-nova|42220 CELO celoscan.io celo
43114 AVAX snowtrace.io avalanche-c-chain|59144 ETH lineascan.build linea
80094 BERA berascan.com berachain|81457 ETH blastscan.io blast|167000 ETH taikoscan.io taiko
534352 ETH scrollscan.com scroll|7777777 ETH explorer.zora.energy zora
11155111 ETH sepolia.etherscan.io sepolia|84532 ETH sepolia.basescan.org base-sepolia
"""
ALIASES = {
    "arbitrum": 42161,
    "bsc": 56,
    "matic": 137,
    "op": 10,
    "avax": 43114,
    "eth": 1,
    "mainnet": 1,
    "zksync": 324,
    "xdai": 100,
}


def test_every_chain_has_its_id_symbol_explorer_and_name() -> None:
    wanted = {tuple(row.split()) for row in CHAINS.replace("|", "\n").split("\n") if row}
    found = {
        (str(c.chain_id), c.symbol, c.explorer.removeprefix("https://"), c.name)
        for c in default_chains()
    }
    assert found == wanted


def test_testnets_are_marked() -> None:
    assert {c.name for c in default_chains() if c.testnet} == {"sepolia", "base-sepolia"}


def test_no_two_chains_share_a_name_or_an_alias() -> None:
    names = [name for c in default_chains() for name in (c.name, *c.aliases)]
    assert len(names) == len(set(names))
    ids = {name: c.chain_id for c in default_chains() for name in (c.name, *c.aliases)}
    assert ids.items() >= ALIASES.items()


@pytest.mark.parametrize("chain", default_chains(), ids=lambda chain: chain.name)
def test_a_plain_transfer_fits_below_the_default_fee_cap(chain: ChainSet) -> None:
    fees = chain.default_fees
    assert fees is not None
    assert fees.gas_limit >= TRANSACTION_GAS
    assert fees.max_priority_fee_per_gas_wei <= fees.max_fee_per_gas_wei
    assert fees.gas_limit * fees.max_fee_per_gas_wei < eth_to_wei(FEE_ETH_MAX_DEFAULT)
    assert Decimal(fees.max_fee_per_gas_wei) > 0


def test_no_address_of_a_node_is_built_in() -> None:
    assert [chain.name for chain in default_chains() if chain.rpc_url] == []
