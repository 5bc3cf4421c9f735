"""The stand-alone verifier, with rows of the writer and rows changed by attackers."""

import re
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from schemas.intents.outcome import decode_outcome
from schemas.record import Record
from schemas.topics import Topic
from streams.ledger.chain import Entry, Tip
from streams.ledger.verifier import Row, VerificationError, faults, verify
from tests.harness.builders.ledger import (
    OTHER_KEY,
    ROWS,
    SIGNER_PUBLIC,
    chained,
    changed,
    outcome,
    outcomes,
    rows_of,
)

# The distinguishing words of each description; the tests below compare with the constants.
FAULTS = {
    "HASH": "hash does not match its content",
    "LINK": "link is not .*previous row",
    "OFFSET": "offset does not increase",
    "EVENT_ID": "event id does not match",
    "BODY": "body is not a valid event",
    "HEAD_WITH_OTHER_HASH": "hash differs.* head",
    "CONTRADICTING_HEADS": "two .*heads.* different",
    "missing": "row is missing.* 31$",
    "cut_off": "row is missing.* head names row 31$",
}


def fault_of(rows: Sequence[Row], **options: Any) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        verify(rows, **options)
    return caught.value


def test_every_fault_is_described_in_its_own_words() -> None:
    constants = {name: text for name, text in vars(faults).items() if name.isupper()}
    texts = constants | {"missing": faults.missing(31)}
    for name, text in texts.items():
        assert [fault for fault, words in FAULTS.items() if re.search(words, text)] == [name]


def test_rows_of_the_writer_verify() -> None:
    report = verify(ROWS, signers=[SIGNER_PUBLIC])
    assert (report.rows, report.hash) == (len(ROWS), ROWS[-1].hash)
    assert (report.outcomes, report.accounts, report.forged) == (20, 4, 0)


def test_an_empty_ledger_verifies() -> None:
    assert verify([]).rows == 0


@pytest.mark.parametrize(
    "field", [name for name in Row._fields if name not in {"seq", "prev_hash", "hash"}]
)
def test_any_changed_field_is_found_by_the_hash(field: str) -> None:
    value = getattr(ROWS[30], field)
    other = value + 1 if isinstance(value, int) else value[:-1] + value[:1]
    fault = fault_of(changed(30, **{field: other}))
    assert (fault.seq, fault.what) == (30, faults.HASH)


@pytest.mark.parametrize("field", ["prev_hash", "hash"])
def test_a_changed_hash_is_found(field: str) -> None:
    flipped = bytes([getattr(ROWS[30], field)[0] ^ 1]) + getattr(ROWS[30], field)[1:]
    assert fault_of(changed(30, **{field: flipped})).seq == 30


@pytest.mark.parametrize("bit", range(8))
def test_every_bit_of_a_body_counts(bit: int) -> None:
    body = bytearray(ROWS[7].body)
    body[len(body) // 2] ^= 1 << bit
    assert fault_of(changed(7, body=bytes(body))).seq == 7


def test_a_deleted_row_is_named() -> None:
    fault = fault_of(ROWS[:30] + ROWS[31:])
    assert (fault.seq, fault.what) == (30, faults.missing(31))


def test_a_deleted_first_row_is_named() -> None:
    assert fault_of(ROWS[1:]).seq == 0


def test_an_inserted_row_is_found() -> None:
    assert fault_of([*ROWS[:30], ROWS[29], *ROWS[30:]]).seq == 29


def test_swapped_rows_are_found() -> None:
    swapped = [*ROWS[:30], ROWS[31], ROWS[30], *ROWS[32:]]
    assert fault_of(swapped).seq == 30


def test_rows_swapped_with_their_numbers_are_found() -> None:
    first, second = ROWS[30]._replace(seq=31), ROWS[31]._replace(seq=30)
    assert fault_of([*ROWS[:30], second, first, *ROWS[32:]]).seq == 30


def test_a_row_rehashed_alone_breaks_the_next_link() -> None:
    forged = entry(30)._replace(at_ms=1)
    own = chained([forged], Tip(30, ROWS[29].hash))
    fault = fault_of([*ROWS[:30], *own, *ROWS[31:]])
    assert (fault.seq, fault.what) == (31, faults.LINK)


def test_a_remembered_head_detects_truncation_and_the_first_missing_row_is_named() -> None:
    fault = fault_of(ROWS[:30], heads={35: ROWS[35].hash, 40: ROWS[40].hash})
    assert (fault.seq, fault.what) == (30, faults.cut_off(40))


@pytest.mark.parametrize(("heads", "beyond"), [([], 50), ([30], 19), ([30, 49], 0)])
def test_rows_that_no_head_vouches_for_are_counted(heads: list[int], beyond: int) -> None:
    rows = ROWS[:50]
    assert verify(rows, {seq: rows[seq].hash for seq in heads}).beyond_heads == beyond


def test_a_part_after_every_head_is_not_vouched_for() -> None:
    report = verify(ROWS[40:50], {30: ROWS[30].hash}, part=True)
    assert (report.rows, report.beyond_heads) == (10, 10)


def test_a_remembered_head_detects_a_rewritten_suffix() -> None:
    entries = [entry(n) for n in range(30, len(ROWS))]
    entries[0] = entries[0]._replace(at_ms=1)
    rewritten = [*ROWS[:30], *chained(entries, Tip(30, ROWS[29].hash))]
    assert verify(rewritten).rows == len(ROWS)
    fault = fault_of(rewritten, heads={40: ROWS[40].hash})
    assert (fault.seq, fault.what) == (40, faults.HEAD_WITH_OTHER_HASH)


def test_older_heads_stay_valid_in_a_longer_ledger() -> None:
    assert verify(ROWS, {0: ROWS[0].hash, 12: ROWS[12].hash}).heads == 2


def test_an_offset_taken_twice_is_found() -> None:
    entries = [entry(n) for n in range(18)]
    entries[9] = entries[9]._replace(offset=0)
    fault = fault_of(chained(entries))
    assert fault.seq == 9
    assert fault.what == faults.OFFSET


def test_an_event_id_that_is_not_the_bodys_is_found() -> None:
    entries = [entry(0), entry(1)._replace(event_id="0x" + "00" * 32)]
    assert fault_of(chained(entries)).what == faults.EVENT_ID


@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"[]", b"1", b"{}", b'{"payloadType":[]}', b'{"type":"opaque"}']
)
def test_a_body_that_is_not_an_event_is_found(body: bytes) -> None:
    assert fault_of(chained([entry(0)._replace(body=body)])).what == faults.BODY


def test_opaque_rows_verify() -> None:
    garbage = [Record(Topic.DECIDED, 0, n, "a", b"\x00\xff" * n, 0) for n in range(5)]
    assert verify(rows_of(garbage)).rows == 5


# outcomes


def test_a_gap_in_an_accounts_sequence_is_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(1, 3)))
    assert (fault.seq, fault.what) == (1, "outcome 2 of account treasury is missing before it")


def test_a_sequence_starts_at_one() -> None:
    assert fault_of(outcomes(outcome(0, 2))).seq == 0


def test_two_outcomes_with_one_number_are_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(1, 1)))
    assert fault.what == "it is a second outcome 1 of account treasury"


def test_a_second_outcome_of_an_intent_is_found() -> None:
    fault = fault_of(outcomes(outcome(0, 1), outcome(0, 2)))
    assert fault.what.startswith("it is a second, different outcome of intent 0x")


def test_a_redelivered_outcome_is_accepted() -> None:
    twice = outcomes(outcome(0, 1), outcome(1, 2), outcome(0, 1))
    assert verify(twice, signers=[SIGNER_PUBLIC]).outcomes == 2


@pytest.mark.parametrize("topics", [(Topic.SIGNED, Topic.OUTCOMES), (Topic.OUTCOMES, Topic.SIGNED)])
def test_a_signed_transaction_that_is_not_its_outcome_is_found(topics: tuple[Topic, Topic]) -> None:
    values = [outcome(0, 1), outcome(0, 1).replace(b'"nonce":0', b'"nonce":9')]
    pairs = zip(topics, values, strict=True)
    rows = rows_of([Record(topic, 0, 0, "a", value, 0) for topic, value in pairs])
    fault = fault_of(rows)
    assert fault.seq == 1
    assert "second, different outcome" in fault.what


def test_a_signed_transaction_may_come_before_its_outcome() -> None:
    topics = (Topic.SIGNED, Topic.OUTCOMES)
    rows = rows_of([Record(topic, 0, 0, "a", outcome(0, 1), 0) for topic in topics])
    assert verify(rows, signers=[SIGNER_PUBLIC]).outcomes == 1


def test_outcomes_without_a_valid_signature_are_counted_and_ignored() -> None:
    rows = outcomes(outcome(0, 1), outcome(5, 9, OTHER_KEY), outcome(1, 2))
    report = verify(rows, signers=[SIGNER_PUBLIC])
    assert (report.outcomes, report.forged, report.first_forged) == (2, 1, 1)


def test_an_edited_outcome_leaves_a_gap_even_if_hashes_are_recomputed() -> None:
    edited = outcome(0, 1).replace(b'"nonce":0', b'"nonce":9')
    fault = fault_of(outcomes(edited, outcome(1, 2)), signers=[SIGNER_PUBLIC])
    assert fault.what == "outcome 1 of account treasury is missing before it"


def test_without_signers_every_outcome_is_forged() -> None:
    report = verify(ROWS, signers=[])
    assert (report.outcomes, report.forged > 0) == (0, True)


def test_any_of_several_signers_is_accepted() -> None:
    rows = outcomes(outcome(0, 1), outcome(1, 2, OTHER_KEY))
    keys = [SIGNER_PUBLIC, OTHER_KEY.public_key().public_bytes_raw()]
    assert verify(rows, signers=keys).outcomes == 2


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "0xzz"},
        {"signature": 7},
        {"signature": ""},
        {"sequence": "1"},
        {"sequence": True},
        {"intent": 7},
        {"account": ["a"]},
        {"type": "intent.imagined"},
    ],
)
def test_a_malformed_outcome_is_counted_as_forged(change: dict[str, object]) -> None:
    event = orjson.loads(outcome(0, 1)) | change
    rows = outcomes(orjson.dumps(event, option=orjson.OPT_SORT_KEYS))
    report = verify(rows, signers=[SIGNER_PUBLIC])
    assert (report.outcomes, report.forged) == (0, 1)


def test_the_redacted_form_of_an_outcome_decodes() -> None:
    body = next(row.body for row in ROWS if row.topic == Topic.OUTCOMES)
    decode_outcome(body)


# parts


@pytest.mark.parametrize("start", [1, 7, 8, 100])
def test_a_part_verifies_with_the_option_part(start: int) -> None:
    report = verify(ROWS[start:], signers=[SIGNER_PUBLIC], part=True)
    assert (report.first, report.rows) == (start, len(ROWS) - start)
    assert fault_of(ROWS[start:]).seq == 0


def test_a_part_with_a_gap_is_refused() -> None:
    assert fault_of([*ROWS[50:60], *ROWS[61:]], part=True).seq == 60


# files and command line


def entry(seq: int) -> Entry:
    return Entry(*ROWS[seq][3:])
