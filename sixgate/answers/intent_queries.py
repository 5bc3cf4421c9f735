"""Ledger queries about intents, for clients."""

from typing import NamedTuple

import orjson

from schemas.topics import Topic
from sixgate.api import ApiError, Json
from sixgate.gateway.idempotency import hashed_key
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.queries import IsVerified, TrailEvent, firsts_of, trail

# Intents submitted within one second are listed in the order of submission.
_NEWEST = """
WITH submitted AS
(
    SELECT intent, min(seq) AS seq FROM ledger
    WHERE topic = 'intents.submitted' AND intent != '' GROUP BY intent
)
SELECT intent, account, agent, kind, chain_id, `to`, toString(value_wei) AS value_wei,
    toUnixTimestamp64Milli(submitted_at) AS submitted_at_ms, outcome, reason, transaction_hash,
    sequence, repeats
FROM
(
    SELECT intents.*, submitted.seq AS seq
    FROM intents LEFT JOIN submitted ON submitted.intent = intents.intent
    WHERE ({account:String} = '' OR account = {account:String})
        AND ({agent:String} = '' OR agent = {agent:String}) AND KEY
    ORDER BY submitted_at DESC, seq DESC LIMIT {limit:UInt64}
)
ORDER BY toStartOfSecond(submitted_at) DESC, seq
"""
# Submitted records are not authenticated, but the view only has intents that a gate admitted.
_WITH_KEY = """
intents.intent IN (
    SELECT intent FROM ledger
    WHERE topic = 'intents.submitted' AND ({agent:String} = '' OR agent = {agent:String})
        AND JSONExtractString(payload, 'idempotency_key') IN {keys:Array(String)}
)
"""
_ENDS = (Topic.OUTCOMES, Topic.SIGNED)
_NAMED = "SELECT DISTINCT intent FROM trail WHERE startsWith(intent, {prefix:String}) LIMIT 2"
_SIGNED = """
SELECT intent, body FROM ledger
WHERE topic = 'outcomes' AND type = 'transaction.signed'
    AND startsWith(transaction_hash, {prefix:String}) LIMIT 100
"""


class IntentQueries(NamedTuple):
    """Queries to one ledger. ``is_verified`` verifies the signature of an outcome."""

    clickhouse: ClickHouse
    is_verified: IsVerified

    def newest(
        self, limit: int, account: str | None, agent: str | None, idempotency_key: str | None
    ) -> list[Json]:
        """Return the newest rows of the ``intents`` view."""
        parameters = {
            "account": account or "",
            "agent": agent or "",
            # The gateway stores keys hashed.
            "keys": []
            if idempotency_key is None
            else [idempotency_key, hashed_key(idempotency_key)],
            "limit": limit,
        }
        sql = _NEWEST.replace("KEY", "true" if idempotency_key is None else _WITH_KEY)
        answer = self.clickhouse.query(sql, parameters)
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def trail(self, prefix: str) -> list[Json]:
        """Return every event of the intent whose digest or transaction hash begins with ``prefix``.

        Those of a repetition are followed by the outcome that it shares.
        Raises ``intent_unknown`` if no intent or several match.
        """
        found = self._named(prefix) or self._signed(prefix)
        if len(found) != 1:
            what = "no intent or transaction begins" if not found else "several intents begin"
            raise ApiError("intent_unknown", f"{what} with {prefix}: see sixgate intents list")
        return [
            {"topic": e.topic, "at_ms": e.at_ms, "event": orjson.loads(e.body)}
            for e in self._with_shared(found.pop())
        ]

    def _with_shared(self, intent: str) -> list[TrailEvent]:
        events = trail(self.clickhouse, intent)
        if any(event.topic == Topic.OUTCOMES for event in events):
            return events
        shared = (
            [event for event in trail(self.clickhouse, first) if event.topic in _ENDS]
            for first in firsts_of(self.clickhouse, intent)
        )
        return events + next(filter(None, shared), [])

    def _named(self, prefix: str) -> set[str]:
        return {intent for (intent,) in self.clickhouse.rows(_NAMED, {"prefix": prefix})}

    def _signed(self, prefix: str) -> set[str]:
        found = self.clickhouse.rows(_SIGNED, {"prefix": prefix})
        return {intent for intent, body in found if self.is_verified(body.encode())}
