"""The views of analysts and the signer, compared with counts made from the records."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.canonical import event_id
from schemas.intents.clearance import Unattributed
from schemas.intents.intent import intent_digest
from schemas.intents.reasons import Reason
from schemas.keys.secret_access import AccessReason
from schemas.ledger.audit import AuditRecord, audited
from schemas.record import Record
from schemas.redaction import signed_part
from schemas.registry.access import Grant
from schemas.registry.records import AccessSet
from schemas.topics import Topic
from signer.core.registry.vault import Vault
from signer.custody.kms.journal import KmsJournal
from signer.keys.access import Allowed, Refused
from signer.keys.access_records import Use, access_record
from signer.keys.custody_records import CustodyRecords
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.queries import newest_outcomes, outcomes_of, trail
from streams.ledger.verified_outcomes import VerifiedOutcomes
from tests.harness.builders.cases import ADMIN, Operator, founding
from tests.harness.builders.ledger import (
    ORG,
    SIGNER_KEY,
    SIGNER_PUBLIC,
    START_MS,
    Pipeline,
    clearances,
    filled,
    sample_intent,
    sample_outcome,
    sealed,
    signed,
)

HOUR_MS = 3_600_000
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
Fresh = Callable[[], ClickHouse]


def is_verified(body: bytes) -> bool:
    event = orjson.loads(body)
    try:
        signature = bytes.fromhex(event["signature"][2:])
        SIGNER_KEY.public_key().verify(signature, signed_part(event))
    except InvalidSignature:
        return False
    return True


def name_of(n: int, accounts: int = 4) -> str:
    return intent_digest(sample_intent(n, f"account-{n % accounts}").encode())


def outcome_record(offset: int, n: int, sequence: int, key: Ed25519PrivateKey) -> Record:
    made = signed(sample_outcome(n, sample_intent(n, "account-0"), sequence, START_MS), key)
    return Record(Topic.OUTCOMES, 0, offset, "account-0", made.encode(), START_MS)


def test_there_is_one_row_per_intent_with_its_outcome(fresh: Fresh) -> None:
    clickhouse = filled(fresh(), Pipeline().run(50)).clickhouse
    rows = clickhouse.query("SELECT * FROM intents ORDER BY submitted_at").named_results()
    found = list(rows)
    assert [row["intent"] for row in found] == [name_of(n) for n in range(50)]
    for n, row in enumerate(found):
        intent = sample_intent(n, f"account-{n % 4}")
        assert (row["agent"], row["account"]) == (intent.agent, intent.account)
        assert (row["chain_id"], row["to"], row["value_wei"]) == (8453, intent.to, intent.value_wei)
        rejected = n % 5 == 4
        assert row["outcome"] == ("intent.rejected" if rejected else "transaction.signed")
        assert row["reason"] == ("value_too_high" if rejected else "")
        assert row["transaction_hash"] == ("" if rejected else f"0x{n:064x}")


def test_an_intent_without_an_outcome_is_pending(fresh: Fresh) -> None:
    admitted = Pipeline().run(1)[:3]
    clickhouse = filled(fresh(), admitted).clickhouse
    assert clickhouse.rows("SELECT outcome, agent, value_wei FROM intents") == [
        ("pending", "agent-0", 10**17)
    ]


def undecided(pipeline: Pipeline, n: int, **changes: object) -> str:
    """Append an intent that the gates have cleared; return its digest."""
    again = sample_intent(n, "account-0").model_copy(update={"expires_at_ms": 7} | changes)
    name, envelope = intent_digest(again.encode()), sealed(again)
    pipeline.append(Topic.SUBMITTED, again.account, envelope.encode(), START_MS + 1)
    for clearance, topic in clearances(name, envelope, START_MS + 1):
        pipeline.append(topic, again.account, clearance.encode(), START_MS + 1)
    return name


def repeated(pipeline: Pipeline, n: int, first: str, **changes: object) -> str:
    """Append an intent and the audit record that calls it a repetition; return its digest."""
    name = undecided(pipeline, n, **changes)
    event = audited("intent.duplicate", name, name, first, actor="signer-1", at_ms=START_MS)
    pipeline.append(Topic.AUDIT, "", event.value)
    return name


def test_a_repetition_is_not_pending_and_names_the_intent_that_it_repeats(fresh: Fresh) -> None:
    pipeline = Pipeline()
    pipeline.run(2)
    again = repeated(pipeline, 0, name_of(0))
    pipeline.append(Topic.AUDIT, "", duplicate_of(name_of(1)))
    waiting = undecided(pipeline, 5)  # its own bytes were sent twice
    pipeline.append(Topic.AUDIT, "", duplicate_of(waiting))
    clickhouse = filled(fresh(), pipeline.records).clickhouse
    assert set(clickhouse.rows("SELECT intent, outcome, repeats FROM intents")) == {
        (name_of(0), "transaction.signed", ""),
        (name_of(1), "transaction.signed", ""),
        (again, "repeated", name_of(0)),
        (waiting, "pending", ""),
    }
    assert clickhouse.rows("SELECT count() FROM decisions") == [(2,)]


def test_a_repetition_shares_the_outcome_of_its_first_intent(fresh: Fresh) -> None:
    pipeline = Pipeline()
    pipeline.run(5)
    again = repeated(pipeline, 0, name_of(0))
    of_other_value = repeated(pipeline, 1, name_of(1), value_wei=1)
    of_another = repeated(pipeline, 2, name_of(3), expires_at_ms=8)
    of_none = repeated(pipeline, 9, "0x" + "0a" * 32)
    outcomes = VerifiedOutcomes(
        filled(fresh(), pipeline.records).clickhouse, {"signer-1": [f"0x{SIGNER_PUBLIC.hex()}"]}
    )
    found = outcomes.outcomes([name_of(0), again])
    assert found[again] == found[name_of(0)]
    assert outcomes.has_outcome(again)
    for forged in (of_other_value, of_another, of_none):
        assert not outcomes.has_outcome(forged), "an unsigned audit record was believed"
    assert not outcomes._replace(signer_keys={}).has_outcome(again)


def duplicate_of(name: str) -> bytes:
    event = audited("intent.duplicate", f"{name}/again", name, name, actor="signer-1", at_ms=1)
    return event.value


def test_input_that_no_gate_admitted_is_not_an_intent(fresh: Fresh) -> None:
    forged = Pipeline().run(3)[0]
    clickhouse = filled(fresh(), [forged]).clickhouse
    assert clickhouse.rows("SELECT count() FROM intents") == [(0,)]


def test_redelivered_records_count_once(fresh: Fresh) -> None:
    records = Pipeline(accounts=1).run(10)
    again = [Record(r.topic, 1, r.offset, r.key, r.value, r.at_ms + 60_000) for r in records]
    clickhouse = filled(fresh(), [*records, *again]).clickhouse
    assert clickhouse.rows("SELECT count() FROM intents") == [(10,)]
    assert clickhouse.rows("SELECT count() FROM decisions") == [(10,)]
    assert clickhouse.rows("SELECT sum(transactions) FROM spend_by_agent_hour") == [(8,)]
    assert clickhouse.rows("SELECT sum(rejections) FROM rejections_by_reason") == [(2,)]
    assert len(trail(clickhouse, name_of(0, 1))) == 9


def test_spend_is_exact_per_agent_and_hour(fresh: Fresh) -> None:
    pipeline = Pipeline()
    numbers = [*range(30), *range(3600, 3630)]
    for n in numbers:
        pipeline.run(1, n)
    clickhouse = filled(fresh(), pipeline.records).clickhouse
    expected: dict[tuple[str, str, int], int] = defaultdict(int)
    for n in numbers:
        if n % 5 != 4:
            hour = (START_MS + n * 1000 + 5) // HOUR_MS
            expected[f"account-{n % 4}", f"agent-{n % 3}", hour] += 10**17 + n
    found = clickhouse.rows(
        "SELECT account, agent, intDiv(toUnixTimestamp(hour), 3600), spent_wei "
        "FROM spend_by_agent_hour"
    )
    assert {tuple(row[:3]): row[3] for row in found} == expected


def test_a_spend_past_64_bits_stays_exact(fresh: Fresh) -> None:
    intent = sample_intent(0, "account-0").model_copy(update={"value_wei": 2**255})
    made = signed(sample_outcome(0, intent, 1, START_MS)).encode()
    record = Record(Topic.OUTCOMES, 0, 0, "account-0", made, START_MS)
    clickhouse = filled(fresh(), [record]).clickhouse
    assert clickhouse.rows("SELECT spent_wei FROM spend_by_agent_hour") == [(2**255,)]


def test_rejections_are_counted_by_reason(fresh: Fresh) -> None:
    pipeline = Pipeline()
    pipeline.run(25)
    for n in range(3):
        unattributed = Unattributed(
            id=event_id("unattributed", f"0/{n}"),
            at_ms=START_MS,
            input_digest="0x" + "0a" * 32,
            size_bytes=7,
            reason=Reason.MALFORMED,
            detail="bytes",
        )
        pipeline.append(Topic.UNATTRIBUTED, "", unattributed.encode())
    clickhouse = filled(fresh(), pipeline.records).clickhouse
    found = clickhouse.rows("SELECT reason, event, rejections, agents FROM rejections_by_reason")
    assert Counter({tuple(row) for row in found}) == Counter({
        ("value_too_high", "intent.rejected", 5, 3): 1,
        ("malformed", "intent.unattributed", 3, 1): 1,
    })  # fmt: skip


def test_the_trail_is_in_pipeline_order_whatever_the_order_of_arrival(fresh: Fresh) -> None:
    pipeline = Pipeline()
    pipeline.run(3)
    name = name_of(1)
    duplicate = AuditRecord(
        id="0x" + "0d" * 32,
        action="intent.duplicate",
        actor="signer-1",
        at_ms=START_MS,
        subject=name,
        detail="again",
    )
    pipeline.append(Topic.AUDIT, "", duplicate.encode())
    clickhouse = filled(fresh(), list(reversed(pipeline.records))).clickhouse
    events = trail(clickhouse, name)
    assert [event.topic for event in events] == [
        "intents.submitted",
        "intents.admitted",
        "intents.allowlisted",
        "intents.capped",
        "intents.within-limit",
        "intents.chain-cleared",
        "intents.decided",
        "outcomes",
        "transactions.signed",
        "audit",
    ]
    assert trail(clickhouse, "0x" + "00" * 32) == []


def test_a_signed_envelope_of_the_submitted_intent_is_in_its_trail(fresh: Fresh) -> None:
    clickhouse = filled(fresh(), Pipeline().run(1)).clickhouse
    assert trail(clickhouse, name_of(0))[0].body == (
        sealed(sample_intent(0, "account-0")).encode().decode()
    )


def test_the_newest_outcome_is_that_of_the_highest_sequence(fresh: Fresh) -> None:
    clickhouse = filled(fresh(), Pipeline().run(50)).clickhouse
    accounts = [f"account-{n}" for n in range(6)]
    newest = newest_outcomes(clickhouse, accounts, is_verified)
    sequences = {account: orjson.loads(body)["sequence"] for account, body in newest.items()}
    assert sequences == {"account-0": 13, "account-1": 13, "account-2": 12, "account-3": 12}
    assert newest_outcomes(clickhouse, [], is_verified) == {}


def test_a_forged_outcome_of_a_higher_sequence_is_ignored(fresh: Fresh) -> None:
    records = [outcome_record(0, 0, 1, SIGNER_KEY), outcome_record(1, 1, 2, SIGNER_KEY)]
    records += [outcome_record(2 + n, 5 + n, 100 + n, OTHER_KEY) for n in range(5)]
    clickhouse = filled(fresh(), records).clickhouse
    newest = newest_outcomes(clickhouse, ["account-0"], is_verified)
    assert orjson.loads(newest["account-0"])["sequence"] == 2
    assert newest_outcomes(clickhouse, ["account-0"], lambda _body: False) == {}


def test_accounts_that_are_not_open_are_not_queried(fresh: Fresh) -> None:
    clickhouse = filled(fresh(), Pipeline().run(10)).clickhouse
    asked: list[bytes] = []

    def noting(body: bytes) -> bool:
        asked.append(body)
        return True

    newest_outcomes(clickhouse, ["account-1"], noting)
    assert [orjson.loads(body)["account"] for body in asked] == ["account-1"]


def test_an_intents_outcome_is_the_first_with_a_valid_signature(fresh: Fresh) -> None:
    forged, real = outcome_record(0, 0, 7, OTHER_KEY), outcome_record(1, 0, 1, SIGNER_KEY)
    clickhouse = filled(fresh(), [forged, real]).clickhouse
    name = intent_digest(sample_intent(0, "account-0").encode())
    found = outcomes_of(clickhouse, [name], is_verified)[name]
    assert orjson.loads(found.body)["sequence"] == 1
    assert outcomes_of(clickhouse, ["0x" + "00" * 32], is_verified) == {}


def test_outcomes_on_other_topics_are_ignored(fresh: Fresh) -> None:
    """A writer of clearances must not be able to make an intent look ended."""
    real = outcome_record(0, 0, 1, SIGNER_KEY)
    elsewhere = Record(Topic.DECIDED, 0, 0, real.key, real.value, real.at_ms)
    clickhouse = filled(fresh(), [elsewhere]).clickhouse
    name = intent_digest(sample_intent(0, "account-0").encode())
    assert outcomes_of(clickhouse, [name], is_verified) == {}
    assert newest_outcomes(clickhouse, ["account-0"], is_verified) == {}
    assert clickhouse.rows("SELECT count() FROM decisions") == [(0,)]


def test_the_access_log_has_every_access_and_refusal(fresh: Fresh) -> None:
    pipeline, admin = Pipeline(), Operator()
    vault = Vault("main", "prod", "envelope")
    use = Use("one", ORG, vault, "db/url", 3, "get", "trader", "10.0.0.9:4711", START_MS)
    refusal = Refused(AccessReason.NOT_GRANTED, "No grant of the agent allows it.")
    journal = KmsJournal(lambda: START_MS)
    journal.record("unwrap", "keys/root", b"prod", failed="denied")
    journal.record("unwrap", "keys/root", b"prod")
    grant = Grant(effect="allow", vault="prod", paths="db/**", rights=("read",))
    pipeline.append(Topic.REGISTRY, "", admin.write(founding()))
    pipeline.append(Topic.REGISTRY, "", admin.write(AccessSet(agent="trader", grants=(grant,))))
    custody_records = CustodyRecords("signer-1", "life", journal).records([], START_MS)
    for event in (
        access_record(use, Allowed()),
        access_record(replace(use, request="two"), refusal),
        *custody_records,
    ):
        pipeline.append(Topic.AUDIT, "", event.value)
        pipeline.append(Topic.AUDIT, "", event.value)
    clickhouse = filled(fresh(), pipeline.records).clickhouse
    found = clickhouse.rows(
        "SELECT action, actor, agent, account, vault, secret_path, secret_version, "
        "client_address, refused, reason FROM access_log ORDER BY seq"
    )
    secret = ("trader", "", "main", "prod", "db/url", 3, "10.0.0.9:4711")
    assert found == [
        ("org.created", ADMIN.keyid, "", "", "", "", 0, "", False, ""),
        ("access.set", ADMIN.keyid, "trader", "", "", "", 0, "", False, ""),
        ("secret.get", *secret, False, ""),
        ("secret.get", *secret, True, "not_granted"),
        ("kms.call", "signer-1", "", "", "", "", 0, "", True, ""),
        ("kms.call", "signer-1", "", "", "", "", 0, "", False, ""),
    ]
