"""The chain, its entries and its order, against models and the independent verifier."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dsse import INTENT_TYPE
from schemas.record import PartitionId, Record
from schemas.topics import Topic
from streams.ledger.chain import EMPTY, Entry, Tip, entry_bytes, hashes, leaf
from streams.ledger.entry import entry_of
from streams.ledger.ordering import LEDGER_TOPICS, advance, batches, by_partition, merged
from streams.ledger.verifier import Row, VerificationError, verify
from streams.ledger.verifier.format import row_hash
from tests.harness.builders.ledger import Pipeline, chained, rows_of

U64 = st.integers(0, 2**64 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ENTRIES = st.builds(Entry, TEXT, U64, U64, TEXT, U64, TEXT, st.binary(max_size=40))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
ROWS = rows_of(Pipeline().run(6))


def unpacked(raw: bytes) -> Entry:
    """Parse entry bytes; that this is possible proves that no two entries share them."""
    partition, offset, at_ms = (int.from_bytes(raw[i : i + 8], "big") for i in (0, 8, 16))
    position, texts = 40, []
    for i in (24, 28, 32, 36):
        length = int.from_bytes(raw[i : i + 4], "big")
        texts.append(raw[position : position + length])
        position += length
    assert position == len(raw)
    topic, key, name, body = texts
    return Entry(topic.decode(), partition, offset, key.decode(), at_ms, name.decode(), body)


@given(ENTRIES)
def test_entry_bytes_can_be_read_back_so_no_two_entries_share_a_leaf(entry: Entry) -> None:
    assert unpacked(entry_bytes(entry)) == entry


@given(st.lists(ENTRIES, max_size=6), st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_writer_and_verifier_agree_on_every_hash(
    entries: list[Entry], rows: int, link: bytes
) -> None:
    for row in chained(entries, Tip(rows, link)):
        assert row_hash(row) == row.hash


@given(st.lists(ENTRIES, min_size=1, max_size=6), st.data())
def test_splitting_a_batch_gives_the_same_chain(entries: list[Entry], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    first = hashes(EMPTY, entries[:cut])
    base = Tip(cut, first[-1]) if first else EMPTY
    assert first + hashes(base, entries[cut:]) == hashes(EMPTY, entries)


@given(ENTRIES, ENTRIES)
def test_leaves_are_equal_only_of_equal_entries(one: Entry, other: Entry) -> None:
    assert (leaf(one) == leaf(other)) == (one == other)


@given(st.data())
def test_any_edit_is_reported_at_the_row_or_the_next_one(data: st.DataObject) -> None:
    seq = data.draw(st.integers(0, len(ROWS) - 1))
    name = data.draw(st.sampled_from(Row._fields))
    old = getattr(ROWS[seq], name)
    kinds = {int: U64, bytes: st.binary(max_size=64)}
    edit: dict[str, Any] = {name: data.draw(kinds.get(type(old), TEXT).filter(lambda v: v != old))}
    rows = [row._replace(**edit) if row.seq == seq else row for row in ROWS]
    with pytest.raises(VerificationError) as caught:
        verify(rows)
    assert caught.value.seq in {seq, seq + 1, edit.get("seq")}


@given(st.permutations(range(len(ROWS))), st.sets(st.integers(0, len(ROWS) - 1)))
def test_no_other_selection_of_rows_verifies_against_a_head(
    order: Sequence[int], dropped: set[int]
) -> None:
    rows = [ROWS[n] for n in order if n not in dropped]
    if rows == ROWS:
        return
    with pytest.raises(VerificationError):
        verify(rows, {ROWS[-1].seq: ROWS[-1].hash})


def is_canonical(value: Any) -> bool:
    """Return whether the rule of docs/format.md holds, implemented independently."""
    if isinstance(value, dict):
        return all(name.isascii() and is_canonical(item) for name, item in value.items())
    if isinstance(value, list):
        return all(is_canonical(item) for item in value)
    if isinstance(value, bool | str):
        return True
    return isinstance(value, int) and abs(value) < 2**53


def raw_json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _encoded(value: Any) -> bytes:
    """Return the JSON text of a value; empty if it has none (integers beyond 2^64)."""
    try:
        return raw_json(value)
    except orjson.JSONEncodeError:
        return b""


@given(st.binary(max_size=200) | JSON.map(_encoded))
def test_every_input_has_an_entry_whose_body_is_a_canonical_event(raw: bytes) -> None:
    entry = entry_of(Record(Topic.AUDIT, 0, 0, "a", raw, 0))
    body = orjson.loads(entry.body)
    assert raw_json(body) == entry.body
    assert is_canonical(body)
    assert verify(rows_of([Record(Topic.AUDIT, 0, 0, "a", raw, 0)])).rows == 1


@given(st.dictionaries(st.sampled_from(["a", "b", "é"]), JSON, max_size=3))
def test_an_event_is_stored_only_if_it_is_canonical(more: dict[str, Any]) -> None:
    raw = _encoded(more | {"id": "0x" + "ab" * 32, "type": "audit"})
    kept = entry_of(Record(Topic.AUDIT, 0, 0, "a", raw, 0)).body == raw
    assert kept == (raw != b"" and is_canonical(orjson.loads(raw)))


@given(JSON.map(_encoded))
def test_an_envelope_is_stored_only_if_its_payload_is_a_canonical_object(payload: bytes) -> None:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": INTENT_TYPE,
        "signatures": [{"keyid": "a", "sig": "AA=="}],
    }
    raw = raw_json(envelope)
    kept = entry_of(Record(Topic.SUBMITTED, 0, 0, "a", raw, 0)).body == raw
    decoded = orjson.loads(payload or b"null")
    assert kept == (isinstance(decoded, dict) and is_canonical(decoded))


@given(st.dictionaries(st.sampled_from(["type", "raw_transaction", "id"]), JSON, min_size=1))
def test_signed_bytes_never_stay_readable(more: dict[str, Any]) -> None:
    secret = "0x5ec7e7" * 8
    event = more | {"type": "transaction.signed", "id": "0x" + "ab" * 32, "raw_transaction": secret}
    entry = entry_of(Record(Topic.OUTCOMES, 0, 0, "a", raw_json(event), 0))
    assert secret.encode() not in entry.body


PLACES = st.tuples(st.sampled_from(LEDGER_TOPICS), st.integers(0, 2))


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Draw records of several partitions, with gaps in offsets and arbitrary times."""
    records = []
    for topic, partition in draw(st.sets(PLACES, max_size=4)):
        offsets = sorted(draw(st.sets(st.integers(0, 50), max_size=8)))
        records += [
            Record(topic, partition, offset, "a", b"", draw(st.integers(0, 5)))
            for offset in offsets
        ]
    return list(draw(st.permutations(records)))


def brute_force_order(records: list[Record]) -> list[Record]:
    """Repeatedly take the least of the partitions' next records."""
    waiting: dict[PartitionId, list[Record]] = {}
    for record in sorted(records, key=lambda r: r.offset):
        waiting.setdefault((record.topic, record.partition), []).append(record)
    reached = dict.fromkeys(waiting, 0)
    ordered = []
    while waiting:
        least = min(
            waiting,
            key=lambda p: (
                max(reached[p], waiting[p][0].at_ms),
                LEDGER_TOPICS.index(p[0]),
                p[1],
            ),
        )
        record = waiting[least].pop(0)
        reached[least] = max(reached[least], record.at_ms)
        ordered.append(record)
        waiting = {place: left for place, left in waiting.items() if left}
    return ordered


@given(logs())
def test_the_order_is_a_merge_of_partitions_by_time_and_stage(records: list[Record]) -> None:
    assert merged(by_partition(records)) == brute_force_order(records)


@given(logs())
def test_positions_are_behind_the_last_record(records: list[Record]) -> None:
    behind = advance(by_partition(records), {}, lambda _topic, _partition: 0)
    assert behind == {
        place: max(r.offset for r in records if (r.topic, r.partition) == place) + 1
        for place in {(r.topic, r.partition) for r in records}
    }


@given(logs(), st.integers(0, 2**40))
def test_batches_are_the_records_in_their_order(records: list[Record], row: int) -> None:
    cut = list(batches(records, row))
    assert [record for batch in cut for record in batch] == records
    assert all(cut)
