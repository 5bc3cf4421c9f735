"""Reads transactions as ethers, viem, web3 and eth-account write them in JSON."""

from typing import Any

from signer.ethereum.address import parse_address
from signer.ethereum.authorization import Authorization, SignedAuthorization
from signer.ethereum.encoding import TRANSACTION_TYPES
from signer.ethereum.fields import AccessList
from signer.ethereum.transaction import Transaction


def number_of(value: str | int | None) -> int:
    return int(value, 0) if isinstance(value, str) else value or 0


def bytes_of(value: str | None) -> bytes:
    return bytes.fromhex((value or "0x")[2:])


def signature_of(parts: dict[str, Any]) -> bytes:
    r, s = (number_of(parts[part]).to_bytes(32, "big") for part in ("r", "s"))
    return r + s + bytes([number_of(parts["yParity"])])


def transaction_of(number: int, fields: dict[str, Any]) -> Transaction:
    """Read the fields of one type; a field left out is zero or empty, those of others are not read.

    Gas is ``gas`` or ``gasLimit``, as the libraries differ.
    """
    row = TRANSACTION_TYPES[number]
    names = [name for name, _ in row.fields] + ([] if number else ["chain_id"])
    return row.record(**{name: _READERS[name](fields) for name in names})


def authorization_of(entry: dict[str, Any]) -> Authorization:
    address = bytes_of(entry["address"])
    return Authorization(number_of(entry["chainId"]), address, number_of(entry["nonce"]))


def _access_list(fields: dict[str, Any]) -> AccessList:
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
    "access_list": _access_list,
    "max_fee_per_blob_gas_wei": lambda fields: number_of(fields.get("maxFeePerBlobGas")),
    "blob_versioned_hashes": lambda fields: tuple(
        map(bytes_of, fields.get("blobVersionedHashes") or ())
    ),
    "authorization_list": _authorizations,
}
