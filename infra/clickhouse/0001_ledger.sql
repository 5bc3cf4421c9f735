-- The ledger: one row per record of every topic that is kept. docs/format.md describes the hashes.
--
-- Columns without a default are the row; the hash covers them all. The engine recomputes it at
-- every insert, so a row that does not hash to what it says cannot be stored. ALIAS and
-- MATERIALIZED columns are query aids that no client can supply; `verify` recomputes them from
-- the expressions in this file, one column to a line. A clearance repeats its intent's envelope
-- and has no facts of its own.
CREATE TABLE IF NOT EXISTS ledger
(
    seq UInt64 CODEC(Delta, ZSTD(1)),
    prev_hash FixedString(32) CODEC(NONE),
    hash FixedString(32) CODEC(NONE),
    topic LowCardinality(String),
    partition UInt32,
    offset UInt64 CODEC(Delta, ZSTD(1)),
    key LowCardinality(String),
    at_ms UInt64 CODEC(Delta, ZSTD(1)),
    event_id String CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),

    doc Tuple(type String, id String, intent String, payloadType String, payload String) ALIAS JSONExtract(body, 'Tuple(type String, id String, intent String, payloadType String, payload String)'),
    payload String ALIAS tryBase64Decode(tupleElement(doc, 'payload')),
    facts Tuple(type String, kind String, account String, agent String, sequence UInt64, chain_id UInt64, `to` String, value_wei String, spent_wei String, decided_at_ms UInt64, transaction_hash String, reason String, action String, subject String) ALIAS JSONExtract(multiIf(tupleElement(doc, 'type') = 'clearance', '', tupleElement(doc, 'payload') = '', body, payload), 'Tuple(type String, kind String, account String, agent String, sequence UInt64, chain_id UInt64, `to` String, value_wei String, spent_wei String, decided_at_ms UInt64, transaction_hash String, reason String, action String, subject String)'),
    type LowCardinality(String) MATERIALIZED multiIf(tupleElement(doc, 'type') != '', tupleElement(doc, 'type'), tupleElement(facts, 'kind') != '', 'intent', tupleElement(facts, 'type')),
    intent String MATERIALIZED multiIf(tupleElement(doc, 'payloadType') = 'application/vnd.sixgate.intent.v1+json', event_id, tupleElement(facts, 'action') = 'intent.duplicate', tupleElement(facts, 'subject'), tupleElement(doc, 'intent')) CODEC(ZSTD(1)),
    account LowCardinality(String) MATERIALIZED tupleElement(facts, 'account'),
    agent LowCardinality(String) MATERIALIZED tupleElement(facts, 'agent'),
    sequence UInt64 MATERIALIZED tupleElement(facts, 'sequence') CODEC(ZSTD(1)),
    chain_id UInt64 MATERIALIZED tupleElement(facts, 'chain_id'),
    `to` String MATERIALIZED tupleElement(facts, 'to') CODEC(ZSTD(1)),
    value_wei UInt256 MATERIALIZED toUInt256OrZero(tupleElement(facts, 'value_wei')) CODEC(ZSTD(1)),
    spent_wei UInt256 MATERIALIZED toUInt256OrZero(tupleElement(facts, 'spent_wei')) CODEC(ZSTD(1)),
    decided_at_ms UInt64 MATERIALIZED tupleElement(facts, 'decided_at_ms') CODEC(ZSTD(1)),
    transaction_hash String MATERIALIZED tupleElement(facts, 'transaction_hash') CODEC(ZSTD(1)),
    reason LowCardinality(String) MATERIALIZED tupleElement(facts, 'reason'),
    at DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(least(at_ms, 10413791999999)), 'UTC'),

    CONSTRAINT chained CHECK hash = SHA256(concat('sixgate/ledger/v1\0', reinterpretAsFixedString(byteSwap(seq)), prev_hash, SHA256(concat('\0', reinterpretAsFixedString(byteSwap(toUInt64(partition))), reinterpretAsFixedString(byteSwap(offset)), reinterpretAsFixedString(byteSwap(at_ms)), reinterpretAsFixedString(byteSwap(toUInt32(length(topic)))), reinterpretAsFixedString(byteSwap(toUInt32(length(key)))), reinterpretAsFixedString(byteSwap(toUInt32(length(event_id)))), reinterpretAsFixedString(byteSwap(toUInt32(length(body)))), topic, key, event_id, body)))),

    PROJECTION by_event (SELECT _part_offset ORDER BY event_id),
    PROJECTION by_intent (SELECT _part_offset ORDER BY intent),
    PROJECTION by_agent (SELECT _part_offset ORDER BY agent, at_ms)
)
ENGINE = MergeTree
-- By number, never by time: a batch that lies in two partitions would not be stored as one.
PARTITION BY intDiv(seq, 16777216)
ORDER BY seq
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    -- A merge compresses every body again, and rows come in order: few merges of many parts.
    min_parts_to_merge_at_once = 10,
    non_replicated_deduplication_window = 10000;
