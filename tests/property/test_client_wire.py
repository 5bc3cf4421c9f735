"""The client's wire format gives the same bytes, digests and verdicts as the signer's."""

import json
import sys
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sixgate_client.kafka import wire

from schemas import canonical as oracle
from schemas.canonical import Canonical
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import (
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
    decode_intent,
    intent_digest,
)
from schemas.intents.intent_parts import AccessListEntry, SignedAuthorization
from schemas.intents.outcome import AnyOutcome, IntentRejected, MessageSigned, Signed
from schemas.intents.reasons import Gate, Reason
from schemas.partition import murmur2, partition_of
from schemas.redaction import REDACTED_FIELDS
from schemas.topics import Topic
from signer.core.signatures import open_envelope
from tests.harness.builders.cases import (
    ALICE,
    COMMON,
    MALLORY,
    SIGNER,
    intent,
    signed,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
INTEGERS = st.integers(-wire.SAFE_INTEGER_MAX, wire.SAFE_INTEGER_MAX)
PLAIN = st.recursive(
    st.booleans() | INTEGERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
)
WEI = st.integers(0, 2**256 - 1)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
ALICES_KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
ENTRIES = st.fixed_dictionaries(
    {"address": ADDRESSES, "storage_keys": st.lists(DIGESTS, max_size=2)}
)
AUTHORIZATIONS = st.fixed_dictionaries(
    {
        "chain_id": st.integers(0, 2**53 - 1),
        "address": ADDRESSES,
        "nonce": st.integers(0, 2**53 - 1),
        "y_parity": st.integers(0, 1),
        "r": WEI,
        "s": WEI,
    }
)
TRANSACTIONS = st.fixed_dictionaries(
    {
        "to": ADDRESSES,
        "value_wei": WEI,
        "data": st.binary(max_size=64),
        "simulate_first": st.booleans(),
    },
    optional={
        "gas_limit": st.integers(1, 10**9),
        "max_fee_per_gas_wei": WEI,
        "max_fee_per_blob_gas_wei": WEI,
        "nonce": st.none() | st.integers(0, 2**53 - 1),
        "access_list": st.lists(ENTRIES, max_size=2),
        "authorization_list": st.lists(AUTHORIZATIONS, max_size=2),
        "blob_versioned_hashes": st.lists(DIGESTS, max_size=2),
    },
)
COMMON_FIELDS = {"v": 1, **COMMON}
REJECTED = IntentRejected(
    **{
        name: getattr(signed(intent()), name)
        for name in (
            "id",
            "signer",
            "org",
            "account",
            "agent",
            "intent",
            "idempotency_key",
            "sequence",
            "decided_at_ms",
            "chain_id",
        )
    },
    gate=Gate.VALUE_CAP,
    reason=Reason.VALUE_TOO_HIGH,
    detail="2 ETH is over the cap of \u201c1 ETH\u201d",
    evidence={"value_wei": "2"},
)


def identified(outcome: AnyOutcome) -> AnyOutcome:
    """Return an outcome with the id that the signer derives."""
    return outcome.model_copy(update={"id": oracle.event_id("outcome", outcome.intent)})


TRANSACTION = signed(intent(), transaction_hash="0x" + "22" * 32, raw_transaction="0x02f8")
MESSAGE = MessageSigned(
    **{name: getattr(TRANSACTION, name) for name in Signed.model_fields.keys() - {"signature"}},
    kind="personal_sign",
    signed_digest="0x" + "33" * 32,
    message_signature="0x" + "44" * 65,
)
OUTCOMES = [identified(one) for one in (TRANSACTION, MESSAGE, REJECTED)]
EVERY = pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: one.type)


@given(PLAIN)
def test_canonical_bytes_are_the_same(value: Any) -> None:
    assert wire.canonical(value) == oracle.canonical_bytes(value)


@pytest.mark.parametrize(
    "value",
    [0.5, None, 2**53, -(2**53), {"a": None}, [1.0], {"é": 1}, {1: 2}, {"a": b""}, float("nan")],
)
def test_a_value_without_canonical_bytes_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"canonical|ASCII"):
        wire.canonical(value)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        wire.canonical("\ud800")


@given(NAMES, st.binary(max_size=80))
def test_digests_are_the_same(tag: str, body: bytes) -> None:
    assert wire.digest(tag, body) == oracle.digest(tag, body)
    assert wire.intent_digest(body) == intent_digest(body)
    assert wire.event_id(tag, "a/0/1") == oracle.event_id(tag, "a/0/1")


@given(st.binary(max_size=70), st.text(max_size=30), st.integers(1, 4096))
def test_partitions_are_the_same(key: bytes, account: str, partitions: int) -> None:
    assert wire.murmur2(key) == murmur2(key)
    assert wire.partition_of(account, partitions) == partition_of(account, partitions)


def test_topics_have_the_same_names() -> None:
    assert (wire.SUBMITTED, wire.OUTCOMES, wire.SIGNED) == (
        Topic.SUBMITTED,
        Topic.OUTCOMES,
        Topic.SIGNED,
    )
    assert (wire.UNATTRIBUTED, wire.AUDIT) == (Topic.UNATTRIBUTED, Topic.AUDIT)
    kinds = {outcome.type for outcome in OUTCOMES}
    known = {kind: fields for kind, fields in REDACTED_FIELDS.items() if kind in kinds}
    assert {kind: (field,) for kind, field in wire.REDACTED.items()} == known


@given(TRANSACTIONS)
def test_a_transaction_is_encoded_as_the_signer_reads_it(fields: dict[str, Any]) -> None:
    body = wire.canonical(wire.wire_form(COMMON_FIELDS | {"kind": "transaction"} | fields))
    read = decode_intent(body)
    assert isinstance(read, TransactionIntent)
    assert read == intent_of(fields)


def intent_of(fields: dict[str, Any]) -> TransactionIntent:
    """Return the signer's model of the same fields."""
    parts: dict[str, type[Canonical]] = {
        "access_list": AccessListEntry,
        "authorization_list": SignedAuthorization,
    }
    given = dict(fields, data="0x" + fields["data"].hex())
    for name in given.keys() & {*parts, "blob_versioned_hashes"}:
        given[name] = tuple(
            parts[name](**_tuples(one)) if name in parts else one for one in given[name]
        )
    return TransactionIntent(**(COMMON | given))


def _tuples(part: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(one) if isinstance(one, list) else one for name, one in part.items()}


@given(TEXT, PLAIN)
def test_messages_and_typed_data_are_encoded_as_the_signer_reads_them(
    text: str, plain: Any
) -> None:
    message = decode_intent(
        wire.canonical(wire.wire_form(COMMON_FIELDS | {"kind": "personal_sign", "message": text}))
    )
    assert isinstance(message, MessageIntent)
    assert bytes.fromhex(message.message[2:]) == text.encode()
    fields = {"kind": "typed_data", "typed_data": {"message": plain}}
    typed = decode_intent(wire.canonical(wire.wire_form(COMMON_FIELDS | fields)))
    assert isinstance(typed, TypedDataIntent)
    assert json.loads(typed.typed_data) == {"message": plain}


def test_names_with_checksums_are_lowered() -> None:
    delegate = "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"
    fields = {"kind": "authorization", "delegate": delegate}
    read = decode_intent(wire.canonical(wire.wire_form(COMMON_FIELDS | fields)))
    assert isinstance(read, AuthorizationIntent)
    assert read.delegate == delegate.lower()


@given(st.binary(max_size=200))
def test_an_envelope_is_the_one_that_the_signer_makes(body: bytes) -> None:
    sealed = wire.envelope(body, ALICE.keyid, ALICES_KEY)
    assert sealed == ALICE.sign_envelope(INTENT_TYPE, body).encode()
    assert open_envelope(Envelope.decode(sealed), INTENT_TYPE, ALICE.public_key) == body


@EVERY
def test_what_the_signer_signed_is_verified(outcome: AnyOutcome) -> None:
    raw = SIGNER.sign_event(outcome)
    found = wire.verified(raw, [MALLORY.public_key, SIGNER.public_key])
    assert found.event == orjson.loads(raw)
    assert found.state == ("refused" if isinstance(outcome, IntentRejected) else "signed")
    redacted = REDACTED_FIELDS.get(outcome.type, ())
    assert [found.raw] == [found.event[name] for name in redacted] or found.raw is None


def test_the_redacted_form_of_the_ledger_is_not_what_was_signed_twice() -> None:
    event = orjson.loads(SIGNER.sign_event(OUTCOMES[0]))
    event["raw_transaction"] = wire.digest("sixgate/gated/v1", event["raw_transaction"].encode())
    with pytest.raises(wire.ForgedEventError):
        wire.verified(wire.canonical(event), [SIGNER.public_key])


@EVERY
def test_a_changed_field_is_detected(outcome: AnyOutcome) -> None:
    true = orjson.loads(SIGNER.sign_event(outcome))
    for name in true:
        for changed in (true | {name: "0x00"}, {n: v for n, v in true.items() if n != name}):
            with pytest.raises(wire.ForgedEventError):
                wire.verified(wire.canonical(changed), [SIGNER.public_key])


@EVERY
def test_another_signers_outcome_is_refused(outcome: AnyOutcome) -> None:
    with pytest.raises(wire.ForgedEventError):
        wire.verified(MALLORY.sign_event(outcome), [SIGNER.public_key])
    with pytest.raises(wire.ForgedEventError):
        wire.verified(SIGNER.sign_event(outcome), [])


@given(st.binary(max_size=60) | PLAIN.map(orjson.dumps))
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(wire.ForgedEventError):
        wire.verified(raw, [SIGNER.public_key])


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b""])
def test_hostile_records_are_refused(raw: bytes) -> None:
    sys.setrecursionlimit(1_000)  # Python's own; hypothesis raises it
    with pytest.raises(wire.ForgedEventError):
        wire.verified(raw, [SIGNER.public_key])


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "0x" + "00" * 64, None, 5, []])
def test_a_broken_signature_is_refused(signature: object) -> None:
    event = orjson.loads(SIGNER.sign_event(OUTCOMES[0])) | {"signature": signature}
    with pytest.raises(wire.ForgedEventError):
        wire.verified(orjson.dumps(event), [SIGNER.public_key])
