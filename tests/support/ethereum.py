"""A key in memory and sample transactions for the tests of signer/ethereum."""

from typing import Any

from coincurve import PrivateKey
from hypothesis import strategies as st

from signer.ethereum.address import address_of, checksum_address
from signer.ethereum.transaction import FeeMarketTransaction

RECIPIENT = bytes.fromhex("d8da6bf26964af9d7eed9e03e53415d37aa96045")
TRANSFER = FeeMarketTransaction(
    chain_id=8453,
    nonce=7,
    max_priority_fee_per_gas_wei=10**6,
    max_fee_per_gas_wei=10**9,
    gas_limit=21_000,
    to=RECIPIENT,
    value_wei=5 * 10**17,
    data=b"",
)


class MemoryKey:
    """A digest signer whose secret is known, as no key of the product's is."""

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key.format(compressed=False))

    def sign(self, digest32: bytes) -> bytes:
        return self._key.sign_recoverable(digest32, hasher=None)


SECRETS = st.binary(min_size=32, max_size=32).filter(
    lambda secret: 0 < int.from_bytes(secret, "big") < 2**255
)
_ADDRESSES = st.binary(min_size=20, max_size=20)
_STORAGE_KEYS = st.binary(min_size=32, max_size=32)
ACCESS_LISTS = st.lists(
    st.tuples(_ADDRESSES, st.lists(_STORAGE_KEYS, max_size=3).map(tuple)), max_size=3
).map(tuple)


def _uints(bits: int) -> st.SearchStrategy[int]:
    """Draw numbers of every length: uniform ones would nearly all be as long as can be."""
    return st.integers(0, bits).flatmap(lambda length: st.integers(0, 2**length - 1))


TRANSACTIONS = st.builds(
    FeeMarketTransaction,
    chain_id=_uints(64),
    nonce=_uints(64),
    max_priority_fee_per_gas_wei=_uints(256),
    max_fee_per_gas_wei=_uints(256),
    gas_limit=_uints(64),
    to=st.none() | _ADDRESSES,
    value_wei=_uints(256),
    data=st.binary(max_size=200),
    access_list=ACCESS_LISTS,
)


def as_eth_account(tx: FeeMarketTransaction) -> dict[str, Any]:
    """Spell a transaction as eth-account and web3 do."""
    fields = {
        "type": 2,
        "chainId": tx.chain_id,
        "nonce": tx.nonce,
        "maxPriorityFeePerGas": tx.max_priority_fee_per_gas_wei,
        "maxFeePerGas": tx.max_fee_per_gas_wei,
        "gas": tx.gas_limit,
        "value": tx.value_wei,
        "data": tx.data,
        "accessList": [
            {
                "address": checksum_address(address),
                "storageKeys": ["0x" + key.hex() for key in keys],
            }
            for address, keys in tx.access_list
        ],
    }
    return fields if tx.to is None else fields | {"to": checksum_address(tx.to)}
