"""A key in memory, sample transactions of every type, and a parser of transactions in JSON."""

from dataclasses import fields, replace
from typing import Any

from coincurve import PrivateKey
from hypothesis import strategies as st

from signer.core.ethereum.address import checksum_address, parse_address
from signer.core.ethereum.authorization import (
    Authorization,
    SignedAuthorization,
    authorization_hash,
)
from signer.core.ethereum.encoding import TRANSACTION_TYPES, encode, transaction_hash
from signer.core.ethereum.fields import AccessList
from signer.core.ethereum.signing import SignedTransaction, sign_digest
from signer.core.ethereum.transaction import (
    AccessListTransaction,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
)
from signer.keys.addresses.derivation import address_of


class MemoryKey:
    """A digest signer with a known secret, unlike the product's keys; it counts as open before."""

    def __init__(self, secret: bytes, *, opened: bool = False) -> None:
        self.opened = opened
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key.format(compressed=False))

    def sign(self, digest32: bytes) -> bytes:
        return self._key.sign_recoverable(digest32, hasher=None)


RECIPIENT = bytes.fromhex("d8da6bf26964af9d7eed9e03e53415d37aa96045")
AUTHORITY = MemoryKey(b"\x07" * 32)
BLOB_HASH = b"\x01" + bytes(31)
_CALL: dict[str, Any] = {
    "chain_id": 8453,
    "nonce": 7,
    "gas_limit": 21_000,
    "to": RECIPIENT,
    "value_wei": 5 * 10**17,
    "data": b"",
}
_FEES: dict[str, Any] = {"max_priority_fee_per_gas_wei": 10**6, "max_fee_per_gas_wei": 10**9}


def signed_unchecked(tx: Transaction, key: MemoryKey) -> SignedTransaction:
    """Sign a transaction without the protocol's checks, for tests of its bytes."""
    encoding = encode(tx)
    raw = encoding.signed(sign_digest(encoding.signing_hash(), key, key.address))
    return SignedTransaction(raw, transaction_hash(raw), key.address)


def authorize(key: MemoryKey = AUTHORITY, **terms: Any) -> SignedAuthorization:
    """Sign an authorization for Base to a contract at the address 22…22."""
    usual: dict[str, Any] = {"chain_id": 8453, "address": b"\x22" * 20, "nonce": 3}
    asked = Authorization(**usual | terms)
    return sign_terms(asked, key)


def sign_terms(asked: Authorization, key: MemoryKey = AUTHORITY) -> SignedAuthorization:
    """Sign an authorization as an entry of a transaction's list."""
    return SignedAuthorization(asked, sign_digest(authorization_hash(asked), key, key.address))


LEGACY = LegacyTransaction(**_CALL, gas_price_wei=10**9)
ACCESS = AccessListTransaction(**_CALL, gas_price_wei=10**9)
TRANSFER = FeeMarketTransaction(**_CALL, **_FEES)
BLOBS = BlobTransaction(
    **_CALL,
    **_FEES,
    access_list=(),
    max_fee_per_blob_gas_wei=10**9,
    blob_versioned_hashes=(BLOB_HASH,),
)
SET_CODE = SetCodeTransaction(
    **(_CALL | {"gas_limit": 46_000}), **_FEES, access_list=(), authorization_list=(authorize(),)
)
EVERY_TYPE: tuple[Transaction, ...] = (LEGACY, ACCESS, TRANSFER, BLOBS, SET_CODE)
SECRETS = st.binary(min_size=32, max_size=32).filter(
    lambda secret: 0 < int.from_bytes(secret, "big") < 2**255
)
_ADDRESSES = st.binary(min_size=20, max_size=20)
_HASHES = st.binary(min_size=32, max_size=32)
_VERSIONED_HASHES = _HASHES.map(lambda drawn: b"\x01" + drawn[1:])
ACCESS_LISTS = st.lists(
    st.tuples(_ADDRESSES, st.lists(_HASHES, max_size=3).map(tuple)), max_size=3
).map(tuple)


def _uints(bits: int) -> st.SearchStrategy[int]:
    """Draw numbers of every length; uniform draws would nearly all have the maximum length."""
    return st.integers(0, bits).flatmap(lambda length: st.integers(0, 2**length - 1))


_AUTHORIZATION = st.builds(
    Authorization, chain_id=_uints(256), address=_ADDRESSES, nonce=_uints(64)
)
AUTHORIZATIONS = _AUTHORIZATION.map(sign_terms)
# Entries that EIP-7702 allows in a list: a chain skips an entry without a valid signature.
ENTRIES = AUTHORIZATIONS | st.builds(
    SignedAuthorization, _AUTHORIZATION, st.binary(min_size=65, max_size=65)
)
_CALLS: dict[str, Any] = {
    "chain_id": _uints(64),
    "nonce": _uints(64),
    "gas_limit": _uints(64),
    "to": _ADDRESSES,
    "value_wei": _uints(256),
    "data": st.binary(max_size=200),
}
_CREATIONS = _CALLS | {"to": st.none() | _ADDRESSES}
_GAS_PRICES: dict[str, Any] = {"gas_price_wei": _uints(256)}
_FEE_MARKETS: dict[str, Any] = {
    "max_priority_fee_per_gas_wei": _uints(256),
    "max_fee_per_gas_wei": _uints(256),
    "access_list": ACCESS_LISTS,
}
LEGACIES = st.builds(
    LegacyTransaction, **_CREATIONS | _GAS_PRICES | {"chain_id": st.integers(1, 2**64 - 1)}
)
ACCESSES = st.builds(AccessListTransaction, **_CREATIONS | _GAS_PRICES, access_list=ACCESS_LISTS)
FEE_MARKETS = st.builds(FeeMarketTransaction, **_CREATIONS | _FEE_MARKETS)
BLOB_TRANSACTIONS = st.builds(
    BlobTransaction,
    **_CALLS | _FEE_MARKETS,
    max_fee_per_blob_gas_wei=_uints(256),
    blob_versioned_hashes=st.lists(_HASHES | _VERSIONED_HASHES, max_size=7).map(tuple)
    | st.lists(_VERSIONED_HASHES, min_size=1, max_size=7).map(tuple),
)
SET_CODES = st.builds(
    SetCodeTransaction,
    **_CALLS | _FEE_MARKETS,
    authorization_list=st.lists(ENTRIES, max_size=3).map(tuple),
)
TRANSACTIONS: st.SearchStrategy[Transaction] = st.one_of(
    LEGACIES, ACCESSES, FEE_MARKETS, BLOB_TRANSACTIONS, SET_CODES
)


def _fees_in_order(tx: Any) -> Any:
    low, high = sorted((tx.max_priority_fee_per_gas_wei, tx.max_fee_per_gas_wei))
    return replace(tx, max_priority_fee_per_gas_wei=low, max_fee_per_gas_wei=high)


# Every draw is valid under the protocol's rules.
_SOUND: dict[str, Any] = {
    "chain_id": st.integers(1, 2**64 - 1),
    "nonce": _uints(64).map(lambda drawn: min(drawn, 2**64 - 2)),
    "gas_limit": st.integers(10**6, 2**64 - 1),
    "value_wei": _uints(254),
}
_SOUND_GAS_PRICES: dict[str, Any] = {"gas_price_wei": _uints(180)}
_SOUND_FEES = _FEE_MARKETS | {
    "max_priority_fee_per_gas_wei": _uints(180),
    "max_fee_per_gas_wei": _uints(180),
}
_SOUND_AUTHORIZATIONS = st.builds(
    Authorization,
    chain_id=st.sampled_from((0, 8453)),
    address=_ADDRESSES,
    nonce=_SOUND["nonce"],
).map(sign_terms)
SOUND_TRANSACTIONS: st.SearchStrategy[Transaction] = st.one_of(
    st.builds(LegacyTransaction, **_CREATIONS | _SOUND | _SOUND_GAS_PRICES),
    st.builds(
        AccessListTransaction, **_CREATIONS | _SOUND | _SOUND_GAS_PRICES, access_list=ACCESS_LISTS
    ),
    st.builds(FeeMarketTransaction, **_CREATIONS | _SOUND | _SOUND_FEES).map(_fees_in_order),
    st.builds(
        BlobTransaction,
        **_CALLS | _SOUND | _SOUND_FEES,
        max_fee_per_blob_gas_wei=_uints(180),
        blob_versioned_hashes=st.lists(_VERSIONED_HASHES, min_size=1, max_size=6).map(tuple),
    ).map(_fees_in_order),
    st.builds(
        SetCodeTransaction,
        **_CALLS | _SOUND | _SOUND_FEES | {"chain_id": st.just(8453)},
        authorization_list=st.lists(_SOUND_AUTHORIZATIONS, min_size=1, max_size=3).map(tuple),
    ).map(_fees_in_order),
)
# Field names of eth-account and web3.
_SPELT = {
    "chain_id": "chainId",
    "nonce": "nonce",
    "gas_price_wei": "gasPrice",
    "max_priority_fee_per_gas_wei": "maxPriorityFeePerGas",
    "max_fee_per_gas_wei": "maxFeePerGas",
    "gas_limit": "gas",
    "to": "to",
    "value_wei": "value",
    "data": "data",
    "access_list": "accessList",
    "max_fee_per_blob_gas_wei": "maxFeePerBlobGas",
    "blob_versioned_hashes": "blobVersionedHashes",
    "authorization_list": "authorizationList",
}


def as_eth_account(tx: Transaction) -> dict[str, Any]:
    """Return a transaction with the field names of eth-account and web3."""
    spelt = {_SPELT[field.name]: getattr(tx, field.name) for field in fields(tx)}
    if tx.to is None:
        del spelt["to"]
    else:
        spelt["to"] = checksum_address(tx.to)
    if not isinstance(tx, LegacyTransaction):
        spelt |= {"type": EVERY_TYPE_NUMBER[type(tx)], "accessList": _access_list(tx.access_list)}
    if isinstance(tx, SetCodeTransaction):
        spelt["authorizationList"] = [_authorization(entry) for entry in tx.authorization_list]
    return spelt


EVERY_TYPE_NUMBER = {type(tx): number for number, tx in enumerate(EVERY_TYPE)}


def _access_list(access_list: AccessList) -> list[dict[str, Any]]:
    return [
        {"address": checksum_address(address), "storageKeys": ["0x" + key.hex() for key in keys]}
        for address, keys in access_list
    ]


def _authorization(signed: SignedAuthorization) -> dict[str, Any]:
    return {
        "chainId": signed.authorization.chain_id,
        "address": signed.authorization.address,
        "nonce": signed.authorization.nonce,
        "yParity": signed.signature[64],
        "r": int.from_bytes(signed.signature[:32], "big"),
        "s": int.from_bytes(signed.signature[32:64], "big"),
    }


def number_of(value: str | int | None) -> int:
    return int(value, 0) if isinstance(value, str) else value or 0


def bytes_of(value: str | None) -> bytes:
    return bytes.fromhex((value or "0x")[2:])


def signature_of(parts: dict[str, Any]) -> bytes:
    r, s = (number_of(parts[part]).to_bytes(32, "big") for part in ("r", "s"))
    return r + s + bytes([number_of(parts["yParity"])])


def transaction_of(number: int, fields: dict[str, Any]) -> Transaction:
    """Read the fields of one type; missing fields are zero or empty, other fields are ignored.

    Gas is ``gas`` or ``gasLimit``, as the libraries differ.
    """
    row = TRANSACTION_TYPES[number]
    names = [name for name, _ in row.fields] + ([] if number else ["chain_id"])
    return row.record(**{name: _READERS[name](fields) for name in names})


def authorization_of(entry: dict[str, Any]) -> Authorization:
    address = bytes_of(entry["address"])
    return Authorization(number_of(entry["chainId"]), address, number_of(entry["nonce"]))


def _read_access_list(fields: dict[str, Any]) -> AccessList:
    return tuple(
        (parse_address(entry["address"]), tuple(map(bytes_of, entry["storageKeys"])))
        for entry in fields.get("accessList") or ()
    )


def _authorizations(fields: dict[str, Any]) -> tuple[SignedAuthorization, ...]:
    return tuple(
        SignedAuthorization(authorization_of(entry), signature_of(entry))
        for entry in fields["authorizationList"]
    )


_READERS: dict[str, Any] = {
    "chain_id": lambda fields: number_of(fields.get("chainId")),
    "nonce": lambda fields: number_of(fields.get("nonce")),
    "gas_price_wei": lambda fields: number_of(fields.get("gasPrice")),
    "max_priority_fee_per_gas_wei": lambda fields: number_of(fields.get("maxPriorityFeePerGas")),
    "max_fee_per_gas_wei": lambda fields: number_of(fields.get("maxFeePerGas")),
    "gas_limit": lambda fields: number_of(fields.get("gas", fields.get("gasLimit"))),
    "to": lambda fields: parse_address(fields["to"]) if fields.get("to") else None,
    "value_wei": lambda fields: number_of(fields.get("value")),
    "data": lambda fields: bytes_of(fields.get("data")),
    "access_list": _read_access_list,
    "max_fee_per_blob_gas_wei": lambda fields: number_of(fields.get("maxFeePerBlobGas")),
    "blob_versioned_hashes": lambda fields: tuple(
        map(bytes_of, fields.get("blobVersionedHashes") or ())
    ),
    "authorization_list": _authorizations,
}
