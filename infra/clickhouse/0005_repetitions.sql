-- One row per authenticated intent. One that no gate has seen is not in it, and one without an
-- outcome is pending. An intent that repeats the request of an earlier one has no outcome of its
-- own: its outcome is `repeated`, and `repeats` is the earlier intent.
DROP VIEW IF EXISTS intents;
CREATE VIEW IF NOT EXISTS intents AS
SELECT
    one.intent AS intent, account, agent, kind, chain_id, `to`, value_wei, submitted_at,
    if(ended = '', if(again.first = '', 'pending', 'repeated'), ended) AS outcome,
    reason, transaction_hash, sequence,
    if(ended = '', again.first, '') AS repeats
FROM
(
    SELECT
        intent,
        argMinIf(account, seq, telling) AS account,
        argMinIf(agent, seq, telling) AS agent,
        if(argMinIf(kind, seq, telling) = '', 'transaction', argMinIf(kind, seq, telling)) AS kind,
        argMinIf(chain_id, seq, telling) AS chain_id,
        argMinIf(`to`, seq, telling) AS `to`,
        argMinIf(value_wei, seq, telling) AS value_wei,
        minIf(at, submitted) AS submitted_at,
        if(countIf(decided) = 0, '', argMinIf(toString(type), seq, decided)) AS ended,
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
    HAVING countIf(NOT submitted) > 0
) AS one
LEFT JOIN
(
    SELECT intent, argMin(JSONExtractString(body, 'detail'), seq) AS first
    FROM ledger
    WHERE topic = 'audit' AND type = 'audit' AND intent != ''
        AND match(JSONExtractString(body, 'detail'), '^0x[0-9a-f]{64}$')
        AND JSONExtractString(body, 'detail') != intent
    GROUP BY intent
) AS again ON again.intent = one.intent;
