-- Views for analysts. Of two events with one id the first counts. They show what the ledger holds.
-- Whether an outcome is really the signer's is what `verify` tells.

-- The ledger with its hashes in hex.
CREATE VIEW IF NOT EXISTS records AS
SELECT
    seq, concat('0x', lower(hex(prev_hash))) AS prev_hash, concat('0x', lower(hex(hash))) AS hash,
    topic, partition, offset, key, at_ms, at, event_id, type, intent, account, agent, body
FROM ledger;

-- Every outcome once, in decision time.
CREATE VIEW IF NOT EXISTS decisions AS
SELECT
    seq, type AS outcome, intent, account, agent, sequence, chain_id, `to`, value_wei, spent_wei,
    reason, transaction_hash, fromUnixTimestamp64Milli(toInt64(least(decided_at_ms, 10413791999999)), 'UTC') AS decided_at
FROM ledger
WHERE topic = 'outcomes' AND type IN ('transaction.signed', 'intent.rejected')
ORDER BY seq
LIMIT 1 BY event_id;

-- One row per authenticated intent. One that no gate has seen is not in it, and one without an
-- outcome is pending. What an intent says is read from the envelope it came in, which its digest
-- covers, and from its outcome.
CREATE VIEW IF NOT EXISTS intents AS
SELECT
    intent,
    argMinIf(account, seq, telling) AS account,
    argMinIf(agent, seq, telling) AS agent,
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
        seq, at, intent, account, agent, chain_id, `to`, value_wei, type, reason, transaction_hash,
        sequence, topic = 'intents.submitted' AS submitted, topic = 'outcomes' AS decided,
        submitted OR decided AS telling
    FROM ledger
    WHERE intent != ''
        AND topic IN ('intents.submitted', 'intents.admitted', 'intents.decided', 'outcomes')
        AND type IN ('intent', 'clearance', 'transaction.signed', 'intent.rejected')
)
GROUP BY intent
HAVING countIf(NOT submitted) > 0;

-- What each agent spent, by the hour of the decision (UTC).
CREATE VIEW IF NOT EXISTS spend_by_agent_hour AS
SELECT
    account, agent, toStartOfHour(decided_at) AS hour,
    count() AS transactions, sum(decisions.spent_wei) AS spent_wei
FROM decisions
WHERE outcome = 'transaction.signed'
GROUP BY account, agent, hour;

-- How often each reason refused, among authenticated intents and among what is none.
CREATE VIEW IF NOT EXISTS rejections_by_reason AS
SELECT
    reason, type AS event, count() AS rejections, uniqExact(agent) AS agents,
    min(at) AS first_at, max(at) AS last_at
FROM
(
    SELECT reason, type, agent, at
    FROM ledger
    WHERE (topic = 'outcomes' AND type = 'intent.rejected')
        OR (topic = 'intents.unattributed' AND type = 'intent.unattributed')
    ORDER BY seq
    LIMIT 1 BY event_id
)
GROUP BY reason, event;

-- Every event of an intent. Filter by intent, order by stage and seq.
CREATE VIEW IF NOT EXISTS trail AS
SELECT
    intent,
    indexOf(['intents.submitted', 'intents.admitted', 'intents.allowlisted', 'intents.capped', 'intents.within-limit', 'intents.chain-cleared', 'intents.decided', 'outcomes', 'transactions.signed', 'audit'], toString(topic)) AS stage,
    seq, topic, type, at, at_ms, reason, event_id, body
FROM ledger
WHERE intent != ''
ORDER BY seq
LIMIT 1 BY intent, topic, event_id;
