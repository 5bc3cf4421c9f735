"""Admission: authenticated intents pass, other records end with their digest."""

import pytest

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE
from schemas.intents.clearance import Unattributed
from schemas.intents.intent import intent_digest
from schemas.intents.reasons import Reason
from schemas.ledger.audit import input_digest
from schemas.partition import partition_of
from schemas.record import Record
from schemas.registry.records import AccountOpened
from schemas.topics import SUBMITTED_BYTES_MAX, Topic
from signer.core.account import Account
from streams.gates.admission import admit
from streams.gates.passage import GateProjections, Passage
from tests.harness.builders.cases import (
    ACCOUNT,
    ALICE,
    MALLORY,
    NOW_MS,
    agent,
    intent,
    provisioned,
    registered,
    sealed,
)

REGISTRY = registered(
    AccountOpened(account="ops"),
    agent(agent="carol", account="ops", public_key=MALLORY.public_key),
)[1]
VIEW = GateProjections(
    REGISTRY, provisioned(REGISTRY).reference, lambda name: Account(account=name)
)
HOME = partition_of(ACCOUNT, REGISTRY.partitions)
SOUND = sealed(intent()).encode()


def record(value: bytes, key: str = ACCOUNT, partition: int = HOME, offset: int = 7) -> Record:
    return Record(Topic.SUBMITTED, partition, offset, key, value, NOW_MS)


def end(value: bytes, key: str = ACCOUNT, partition: int = HOME) -> Unattributed:
    ended = admit(record(value, key, partition), VIEW, NOW_MS)
    assert isinstance(ended, Unattributed)
    return ended


def test_a_valid_record_is_admitted_under_its_intents_digest() -> None:
    admitted = admit(record(SOUND), VIEW, NOW_MS)
    assert isinstance(admitted, Passage)
    assert admitted.case.intent == intent()
    assert admitted.case.digest == admitted.clearance.intent == intent_digest(intent().encode())
    assert admitted.clearance.envelope == sealed(intent())
    assert admitted.source == f"intents.submitted/{HOME}/7"
    assert admitted.case.facts.key is not None


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (b"", "bytes"),
        (b"not json", "bytes"),
        (b"\xff\xfe", "bytes"),
        (SOUND + b"\n", "bytes"),
        (SOUND[:-1], "bytes"),
        (intent().encode(), "payload"),
        (b"\x00" * (SUBMITTED_BYTES_MAX + 1), "bytes"),
        (SOUND.replace(b'"sig":"', b'"sig":"!'), "signatures.0.sig"),
        (ALICE.sign_envelope(INTENT_TYPE, b"{}").encode(), "bytes"),
        (ALICE.sign_envelope(INTENT_TYPE, intent().encode() + b" ").encode(), "bytes"),
        (ALICE.sign_envelope(INTENT_TYPE, b"x" * 180_000).encode(), "bytes"),
        (
            ALICE.sign_envelope(
                INTENT_TYPE, intent().encode().replace(b'"value_wei":"1"', b'"value_wei":1.0')
            ).encode(),
            "transaction.value_wei",
        ),
    ],
)
def test_malformed_bytes_end_with_their_digest_and_the_invalid_field(
    value: bytes, where: str
) -> None:
    ended = end(value)
    assert ended.reason is Reason.MALFORMED
    assert ended.detail.startswith(where + ":")
    assert (ended.input_digest, ended.size_bytes) == (input_digest(value), len(value))


def test_a_body_of_a_megabyte_is_malformed_before_it_is_read() -> None:
    ended = end(ALICE.sign_envelope(INTENT_TYPE, b"[" * 2**20).encode())
    assert ended.reason is Reason.MALFORMED
    assert str(SUBMITTED_BYTES_MAX) in ended.detail


def test_the_largest_body_that_may_be_submitted_is_read() -> None:
    assert end(b"[" * SUBMITTED_BYTES_MAX).detail != end(b"[" * (SUBMITTED_BYTES_MAX + 1)).detail


@pytest.mark.parametrize(
    "junk", [b'"' + b"Z" * 9_000 + b'":1,"agent"', b'"\\u001b[2J\\u0000":1,"agent"']
)
def test_the_detail_of_malformed_bytes_repeats_none_of_them(junk: bytes) -> None:
    lie = intent().encode().replace(b'"agent"', junk)
    ended = end(ALICE.sign_envelope(INTENT_TYPE, lie).encode())
    assert ended.reason is Reason.MALFORMED
    assert ended.detail.isprintable()
    assert "ZZ" not in ended.detail
    assert Unattributed.decode(ended.encode()) == ended


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (sealed(intent(), MALLORY).encode(), Reason.SIGNATURE_INVALID),
        (
            ALICE.sign_envelope(KEY_REQUEST_TYPE, intent().encode()).encode(),
            Reason.SIGNATURE_INVALID,
        ),
        (
            SOUND.replace(
                sealed(intent()).payload.encode(), sealed(intent(value_wei=2)).payload.encode()
            ),
            Reason.SIGNATURE_INVALID,
        ),
        (sealed(intent(agent="nobody")).encode(), Reason.AGENT_UNKNOWN),
        (sealed(intent(org="evil")).encode(), Reason.AGENT_UNKNOWN),
        (sealed(intent(account="ops")).encode(), Reason.AGENT_UNKNOWN),
        (sealed(intent(agent="carol"), MALLORY).encode(), Reason.AGENT_UNKNOWN),
    ],
)
def test_an_agent_cannot_sign_for_another(value: bytes, reason: Reason) -> None:
    assert end(value).reason is reason


def test_the_name_of_the_key_is_a_hint_and_proves_nothing() -> None:
    renamed = SOUND.replace(b'"keyid":"alice"', b'"keyid":"carol"')
    assert isinstance(admit(record(renamed), VIEW, NOW_MS), Passage)


@pytest.mark.parametrize("key", ["", "ops", "alice", "treasury ", "TREASURY"])
def test_a_record_under_another_key_is_misrouted(key: str) -> None:
    assert end(SOUND, key=key).reason is Reason.MISROUTED


def test_a_record_in_another_partition_is_misrouted() -> None:
    for partition in set(range(REGISTRY.partitions)) - {HOME}:
        assert end(SOUND, partition=partition).reason is Reason.MISROUTED


def test_a_misrouted_forgery_has_the_reason_of_a_forgery() -> None:
    assert end(sealed(intent(), MALLORY).encode(), key="ops").reason is Reason.SIGNATURE_INVALID


def test_the_id_of_an_unattributed_input_depends_on_its_place() -> None:
    once, again = end(b"junk"), end(b"junk")
    elsewhere = admit(record(b"junk", offset=8), VIEW, NOW_MS)
    assert isinstance(elsewhere, Unattributed)
    assert once == again
    assert once.id != elsewhere.id
    assert once.input_digest == elsewhere.input_digest
