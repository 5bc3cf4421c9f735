"""Every kind of intent, decided, pinned and signed; compared with eth-account."""

import json
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct, encode_typed_data

from schemas.intents.intent import (
    AnyIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
    decode_intent,
    intent_digest,
)
from schemas.intents.outcome import MessageSigned, TransactionSigned
from schemas.intents.reasons import Gate, Reason
from signer.core.decide import Allocation
from signer.core.rules import RULES
from tests.harness.builders.cases import (
    BASE,
    COMMON,
    GWEI,
    RECIPIENT,
    SECRET,
    STRANGER,
    address_of,
    case,
    intent,
    policy,
)
from tests.harness.builders.intent_kinds import FRESH, delegation, delegation_by, made, open_policy
from tests.harness.builders.signer_records import judge, refused

HASH_OF_BLOB = "0x01" + "6b" * 31
NO_MARKET = {"max_fee_per_gas_wei": None, "max_priority_fee_per_gas_wei": None}
PRICED = NO_MARKET | {"gas_price_wei": 2 * GWEI}
ACCESS = ({"address": STRANGER, "storage_keys": ("0x" + "07" * 32,)},)
DOCUMENT: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Vote": [{"name": "proposal", "type": "uint256"}, {"name": "yes", "type": "bool"}],
    },
    "primaryType": "Vote",
    "domain": {"chainId": BASE, "verifyingContract": STRANGER},
    "message": {"proposal": 7, "yes": True},
}


def message(content: bytes = b"hello") -> MessageIntent:
    return MessageIntent(**COMMON, message=f"0x{content.hex()}")


def typed(document: Any = None) -> TypedDataIntent:
    return TypedDataIntent(**COMMON, typed_data=json.dumps(document or DOCUMENT))


TYPES: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
    (0, PRICED, {"gasPrice": 2 * GWEI}),
    (1, PRICED | {"access_list": ACCESS}, {"type": 1, "gasPrice": 2 * GWEI, "accessList": ACCESS}),
    (2, {"access_list": ACCESS}, {"type": 2, "accessList": ACCESS}),
    (
        3,
        {"tx_type": 3, "max_fee_per_blob_gas_wei": 5, "blob_versioned_hashes": (HASH_OF_BLOB,)},
        {"type": 3, "maxFeePerBlobGas": 5, "blobVersionedHashes": (HASH_OF_BLOB,)},
    ),
    (
        4,
        {"tx_type": 4, "authorization_list": (delegation_by(b"\x02" * 32),)},
        {
            "type": 4,
            "authorizationList": (
                EthAccount.from_key(b"\x02" * 32).sign_authorization(
                    {"chainId": BASE, "address": STRANGER, "nonce": 0}
                ),
            ),
        },
    ),
]


@pytest.mark.parametrize(("tx_type", "asked", "expected"), TYPES)
def test_each_type_is_signed_as_eth_account_signs_it(
    tx_type: int, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    one = TransactionIntent.decode(intent(gas_limit=100_000, **asked).encode())
    event = made(one)
    assert isinstance(event, TransactionSigned)
    terms: dict[str, Any] = {
        "chainId": BASE, "nonce": 0, "gas": 100_000, "to": RECIPIENT, "value": 1, "data": "0x",
    }  # fmt: skip
    if tx_type >= 2:
        terms |= {"maxFeePerGas": GWEI, "maxPriorityFeePerGas": 1}
    if "accessList" in expected:
        entries = [{"address": e["address"], "storageKeys": e["storage_keys"]} for e in ACCESS]
        expected = expected | {"accessList": entries}
    oracle = EthAccount.sign_transaction(terms | expected, SECRET)
    assert event.raw_transaction == f"0x{bytes(oracle.raw_transaction).hex()}"
    assert event.transaction_hash == f"0x{bytes(oracle.hash).hex()}"
    assert event.tx_type == (None if tx_type == 2 else tx_type)


def test_a_message_is_signed_as_wallets_sign_it() -> None:
    event = made(message())
    assert isinstance(event, MessageSigned)
    oracle = EthAccount.sign_message(encode_defunct(b"hello"), SECRET)
    assert event.message_signature == f"0x{bytes(oracle.signature).hex()}"
    assert event.signed_digest == f"0x{bytes(oracle.message_hash).hex()}"


def test_typed_data_is_signed_as_wallets_sign_it() -> None:
    event = made(typed())
    assert isinstance(event, MessageSigned)
    oracle = EthAccount.sign_message(encode_typed_data(full_message=DOCUMENT), SECRET)
    assert event.message_signature == f"0x{bytes(oracle.signature).hex()}"
    assert (event.primary_type, event.verifying_contract) == ("Vote", STRANGER)


def test_a_delegation_is_signed_as_eth_account_signs_it() -> None:
    event = made(delegation())
    assert isinstance(event, MessageSigned)
    oracle = EthAccount.from_key(SECRET).sign_authorization(
        {"chainId": BASE, "address": STRANGER, "nonce": 1}
    )
    v = 27 + oracle.y_parity
    assert event.message_signature == f"0x{oracle.r:064x}{oracle.s:064x}{v:02x}"
    assert (event.delegate, event.nonce, event.sender) == (STRANGER, 1, address_of(SECRET))


@pytest.mark.parametrize("one", [message(), typed()])
def test_a_message_charges_nothing_and_uses_no_nonce(one: AnyIntent) -> None:
    judged = judge(case(one, open_policy(tx_daily_limit_eth="0")), FRESH)
    assert isinstance(judged, Allocation)
    assert (judged.account.spent, judged.account.nonces) == (FRESH.spent, {})
    assert judged.account.sequence == 1


@pytest.mark.parametrize("one", [message(), typed(), delegation()])
def test_messages_are_refused_unless_a_policy_allows_them(one: AnyIntent) -> None:
    rejected = refused(judge(case(one, policy()), FRESH))
    assert rejected.gate is Gate.ALLOWLIST
    assert rejected.kind == one.kind


@pytest.mark.parametrize("one", [message(), typed(), delegation()])
def test_chain_and_key_rules_apply_to_messages(one: AnyIntent) -> None:
    elsewhere = open_policy(tx_allowed_chains=("sepolia",))
    reasons = [
        refused(judge(case(one, elsewhere), FRESH)).reason,
        refused(judge(case(one, open_policy(), key=None), FRESH)).reason,
        refused(judge(case(one, open_policy(), key_problem=Reason.KEY_UNAVAILABLE), FRESH)).reason,
        refused(judge(case(one, open_policy(), chain=None), FRESH)).reason,
    ]
    assert reasons == [
        Reason.CHAIN_NOT_ALLOWED,
        Reason.KEY_UNKNOWN,
        Reason.KEY_UNAVAILABLE,
        Reason.CHAIN_UNKNOWN,
    ]


def test_a_delegation_for_every_chain_needs_a_policy_field() -> None:
    everywhere = delegation(chain_id=0)
    closed = judge(case(everywhere, open_policy(), chain=None), FRESH)
    assert refused(closed).reason is Reason.ANY_CHAIN_DELEGATION
    allowed = open_policy(allow_any_chain_delegation=True)
    assert isinstance(judge(case(everywhere, allowed, chain=None), FRESH), Allocation)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"tx_type": 5}, "tx_type_unknown", "tx_type"),
    ({"gas_price_wei": 1}, "fee_fields_contradict", "gas_price_wei"),
    ({"tx_type": 0}, "field_of_another_type", "max_fee_per_gas_wei"),
    (PRICED | {"tx_type": 2}, "field_of_another_type", "gas_price_wei"),
    (PRICED | {"tx_type": 0, "access_list": ACCESS}, "field_of_another_type", "access_list"),
    ({"blob_versioned_hashes": (HASH_OF_BLOB,)}, "field_of_another_type", "blob_versioned_hashes"),
    ({"authorization_list": ()}, "field_of_another_type", "authorization_list"),
    ({"max_fee_per_blob_gas_wei": 1}, "field_of_another_type", "max_fee_per_blob_gas_wei"),
    ({"tx_type": 4}, "authorizations_missing", "authorization_list"),
    ({"tx_type": 3, "max_fee_per_blob_gas_wei": 1}, "blob_hashes_missing", "blob_versioned_hashes"),
]


@pytest.mark.parametrize(("asked", "code", "place"), WRONG)
def test_fields_of_no_transaction_type_are_refused_with_their_place(
    asked: dict[str, Any], code: str, place: str
) -> None:
    terms: dict[str, Any] = {"gas_limit": 100_000, "idempotency_key": code} | asked
    rejected = refused(judge(case(intent(**terms), open_policy()), FRESH))
    assert rejected.reason is Reason.INVALID_TRANSACTION
    assert rejected.evidence == {"code": code, "place": place}


def test_every_delegate_of_a_transaction_is_judged_regardless_of_its_signer() -> None:
    listed, elsewhere = delegation_by(SECRET), delegation_by(b"\x03" * 32, address=RECIPIENT)
    both = intent(tx_type=4, gas_limit=100_000, authorization_list=(listed, elsewhere))
    rejected = refused(judge(case(both, open_policy()), FRESH))
    assert (rejected.gate, rejected.reason) == (Gate.ALLOWLIST, Reason.DELEGATE_NOT_ALLOWED)
    assert rejected.evidence == {"delegate": RECIPIENT, "place": "authorization_list[1]"}
    open_to_both = open_policy(delegate_allowlist=(RECIPIENT, STRANGER))
    assert isinstance(judge(case(both, open_to_both), FRESH), Allocation)


def test_a_transaction_with_a_delegation_for_every_chain_needs_a_policy_field() -> None:
    everywhere = delegation_by(b"\x02" * 32, chainId=0)
    one = intent(tx_type=4, gas_limit=100_000, authorization_list=(everywhere,))
    rejected = refused(judge(case(one, open_policy()), FRESH))
    assert rejected.reason is Reason.ANY_CHAIN_DELEGATION
    assert rejected.evidence == {"delegate": STRANGER, "place": "authorization_list[0]"}
    allowed = open_policy(allow_any_chain_delegation=True)
    assert isinstance(judge(case(one, allowed), FRESH), Allocation)


def test_the_fee_cap_includes_blobs() -> None:
    blobs = {"tx_type": 3, "blob_versioned_hashes": (HASH_OF_BLOB,) * 2}
    dear = intent(**blobs, gas_limit=21_000, max_fee_per_blob_gas_wei=10**12)
    rejected = refused(judge(case(dear, open_policy(tx_max_fee_eth="0.05")), FRESH))
    assert rejected.reason is Reason.FEE_TOO_HIGH
    unsaid = intent(**blobs, gas_limit=21_000)
    assert refused(judge(case(unsaid, open_policy()), FRESH)).reason is Reason.FEE_UNKNOWN


def test_every_kind_passes_every_gate() -> None:
    assert all(list(rules) == list(Gate) for rules in RULES.values())


@pytest.mark.parametrize("one", [intent(), message(), typed(), delegation()])
def test_every_kind_round_trips(one: AnyIntent) -> None:
    raw = one.encode()
    assert decode_intent(raw) == one
    assert intent_digest(raw) == intent_digest(decode_intent(raw).encode())
    assert one.model_copy(update={"mode": "submit"}).encode() != raw
