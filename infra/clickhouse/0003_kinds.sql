-- Signatures are of several kinds. An outcome that does not say which is a transaction's.
ALTER TABLE ledger ADD COLUMN IF NOT EXISTS
    kind LowCardinality(String) MATERIALIZED tupleElement(facts, 'kind');

-- Every outcome once, in decision time.
DROP VIEW IF EXISTS decisions;
CREATE VIEW IF NOT EXISTS decisions AS
SELECT
    seq, type AS outcome, if(kind = '', 'transaction', kind) AS kind, intent, account, agent, sequence, chain_id, `to`, value_wei, spent_wei,
    reason, transaction_hash, fromUnixTimestamp64Milli(toInt64(least(decided_at_ms, 10413791999999)), 'UTC') AS decided_at
FROM ledger
WHERE topic = 'outcomes' AND type IN ('transaction.signed', 'message.signed', 'intent.rejected')
ORDER BY seq
LIMIT 1 BY event_id;

-- One row per authenticated intent. One that no gate has seen is not in it, and one without an
-- outcome is pending. What an intent says is read from the envelope it came in, which its digest
-- covers, and from its outcome.
DROP VIEW IF EXISTS intents;
CREATE VIEW IF NOT EXISTS intents AS
SELECT
    intent,
    argMinIf(account, seq, telling) AS account,
    argMinIf(agent, seq, telling) AS agent,
    if(argMinIf(kind, seq, telling) = '', 'transaction', argMinIf(kind, seq, telling)) AS kind,
    argMinIf(chain_id, seq, telling) AS chain_id,
    argMinIf(`to`, seq, telling) AS `to`,
    argMinIf(value_wei, seq, telling) AS value_wei,
    minIf(at, submitted) AS submitted_at,
    if(countIf(decided) = 0, 'pending', argMinIf(type, seq, decided)) AS outcome,
    argMinIf(reason, seq, decided) AS reason,
    argMinIf(transaction_hash, seq, decided) AS transaction_hash,
    argMinIf(sequence, seq, decided) AS sequence
FROM
(
    SELECT
        seq, at, intent, account, agent, kind, chain_id, `to`, value_wei, type, reason, transaction_hash,
        sequence, topic = 'intents.submitted' AS submitted, topic = 'outcomes' AS decided,
        submitted OR decided AS telling
    FROM ledger
    WHERE intent != ''
        AND topic IN ('intents.submitted', 'intents.admitted', 'intents.decided', 'outcomes')
        AND type IN ('intent', 'clearance', 'transaction.signed', 'message.signed', 'intent.rejected')
)
GROUP BY intent
HAVING countIf(NOT submitted) > 0;
