"""Building, validating, signing and decoding each transaction type, against eth-account."""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import rlp
from coincurve import PublicKey

from benchmarks import fixtures
from benchmarks.measure import Figure, Work, interleaved
from signer.core.ethereum.authorization import (
    Authorization,
    SignedAuthorization,
    authorization_hash,
)
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.signing import sign_digest, sign_transaction
from signer.core.ethereum.transaction import (
    AccessListTransaction,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
)
from signer.core.ethereum.validation import ValidTransaction
from signer.custody.handle import KeyHandle
from signer.keys.addresses.derivation import address_of
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender

ROUNDS, CALLS = 25, 80
SIGN_RATIO_MAX, DECODE_RATIO_MAX = 0.30, 1.3
TO, DELEGATE = bytes.fromhex(fixtures.RECIPIENT[2:]), b"\x22" * 20
CHAIN_ID, NONCE, VALUE_WEI, GAS = 8453, 7, 10**12, 60_000
FEE_WEI, TIP_WEI = 10**9, 10**6
STORAGE_KEY, BLOB_HASH = b"\x33" * 32, b"\x01" * 32


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    secret = secrets.token_bytes(32)
    key, peer = KeyHandle(bytearray(secret)), fixtures.peer_account(secret)
    address = address_of(key.public_key())
    draft = Authorization(CHAIN_ID, DELEGATE, NONCE)
    signed = SignedAuthorization(draft, sign_digest(authorization_hash(draft), key, address))
    for number, build in enumerate(_builders(signed)):
        work = _signer(build, key, address)
        fields = _peer_transaction(number, peer)
        assert work() == bytes(peer.sign_transaction(fields).raw_transaction)
        yield _signing(f"type {number}", work, partial(peer.sign_transaction, fields))
    yield _decoding(
        sign_transaction(ValidTransaction(_builders(signed)[2]()), key, address).raw, address
    )


def _builders(signed: SignedAuthorization) -> list[Callable[[], Transaction]]:
    access = ((TO, (STORAGE_KEY,)),)
    call = (GAS, TO, VALUE_WEI, b"")
    fees = (TIP_WEI, FEE_WEI)
    return [
        lambda: LegacyTransaction(NONCE, FEE_WEI, *call, CHAIN_ID),
        lambda: AccessListTransaction(CHAIN_ID, NONCE, FEE_WEI, *call, access),
        lambda: FeeMarketTransaction(CHAIN_ID, NONCE, *fees, *call, ()),
        lambda: BlobTransaction(CHAIN_ID, NONCE, *fees, *call, (), FEE_WEI, (BLOB_HASH,)),
        lambda: SetCodeTransaction(CHAIN_ID, NONCE, *fees, *call, (), (signed,)),
    ]


def _peer_transaction(number: int, peer: Any) -> dict[str, Any]:
    """Return the same transaction of type ``number`` in eth-account's format."""
    call = {
        "chainId": CHAIN_ID, "nonce": NONCE, "gas": GAS, "to": fixtures.RECIPIENT,
        "value": VALUE_WEI, "data": "0x",
    }  # fmt: skip
    price = {"gasPrice": FEE_WEI}
    fees = {"maxPriorityFeePerGas": TIP_WEI, "maxFeePerGas": FEE_WEI, "accessList": []}
    access = [{"address": fixtures.RECIPIENT, "storageKeys": ["0x" + STORAGE_KEY.hex()]}]
    terms = {"chainId": CHAIN_ID, "address": DELEGATE, "nonce": NONCE}
    return [
        call | price,
        call | price | {"type": 1, "accessList": access},
        call | fees | {"type": 2},
        call | fees | {
            "type": 3, "maxFeePerBlobGas": FEE_WEI, "blobVersionedHashes": [BLOB_HASH],
        },
        call | fees | {"type": 4, "authorizationList": [peer.sign_authorization(terms)]},
    ][number]  # fmt: skip


def _signer(
    build: Callable[[], Transaction], key: KeyHandle, address: bytes
) -> Callable[[], bytes]:
    def sign() -> bytes:
        return sign_transaction(ValidTransaction(build()), key, address).raw

    return sign


def _signing(what: str, work: Work, peer: Work) -> Figure:
    times = interleaved({"ours": work, "peer": peer}, ROUNDS, CALLS)
    return Figure(
        "signing",
        f"{what}: build, validate, sign, verify the sender",
        times["ours"],
        "µs",
        "eth-account signs the same",
        times["peer"],
        f"≤ {SIGN_RATIO_MAX:.2f} x the peer",
        times["ours"] <= SIGN_RATIO_MAX * times["peer"],
    )


def _decoding(raw: bytes, address: bytes) -> Figure:
    tx, signature = decode_of_any_chain(raw)
    digest = encode(tx).signing_hash()

    def peer() -> object:
        rlp.decode(raw[1:])
        point = PublicKey.from_signature_and_message(signature, digest, hasher=None)
        return keccak256(point.format(compressed=False)[1:])[-20:]

    assert peer() == sender(raw) == address
    times = interleaved({"ours": lambda: sender(raw), "peer": peer}, ROUNDS, CALLS)
    return Figure(
        "signing",
        "type 2: decode strictly, re-encode, recover the sender",
        times["ours"],
        "µs",
        "rlp.decode and coincurve recovery",
        times["peer"],
        f"≤ {DECODE_RATIO_MAX} x the peer",
        times["ours"] <= DECODE_RATIO_MAX * times["peer"],
    )
