-- Who did what with secrets, keys and what is registered: uses of secrets, calls of KMSs, changes of
-- policies, grants and agents, recoveries, and what was refused. One row per event.
--
-- A change counts once the registry took it, so its own signed record tells of it: `actor` is then
-- the key that the envelope names, and whether it is that key's is what `verify` and the signer tell.
CREATE VIEW IF NOT EXISTS access_log AS
SELECT
    seq, fromUnixTimestamp64Milli(toInt64(least(tupleElement(told, 'at_ms'), 10413791999999)), 'UTC') AS at,
    multiIf(changed, tupleElement(entry, 'type'), type = 'secret.access', concat('secret.', tupleElement(told, 'operation')), tupleElement(told, 'action')) AS action,
    if(changed, JSONExtractString(body, 'signatures', 1, 'keyid'), tupleElement(told, 'actor')) AS actor,
    tupleElement(told, 'client_address') AS client_address,
    if(changed, tupleElement(entry, 'account'), tupleElement(told, 'account')) AS account,
    if(changed, tupleElement(entry, 'agent'), '') AS agent,
    if(changed, tupleElement(entry, 'vault'), tupleElement(told, 'vault')) AS vault,
    tupleElement(told, 'path') AS secret_path,
    tupleElement(told, 'version') AS secret_version,
    multiIf(type = 'secret.access', NOT tupleElement(told, 'allowed'), changed, false, endsWith(action, '.refused') OR endsWith(action, '.failed') OR match(tupleElement(told, 'detail'), '^[a-z ]+ by [^ ]+: failed, ')) AS refused,
    tupleElement(told, 'reason') AS reason,
    if(changed, tupleElement(told, 'note'), tupleElement(told, 'detail')) AS detail,
    event_id
FROM
(
    SELECT
        seq, type, body, event_id, topic = 'registry' AS changed,
        JSONExtract(if(changed, payload, body), 'Tuple(at_ms UInt64, action String, operation String, actor String, client_address String, account String, vault String, path String, version UInt64, allowed Bool, reason String, detail String, note String, entry Tuple(type String, account String, agent String, vault String))') AS told,
        tupleElement(told, 'entry') AS entry
    FROM ledger
    WHERE topic IN ('audit', 'registry')
    ORDER BY seq
    LIMIT 1 BY topic, event_id
);
