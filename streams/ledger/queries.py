"""Ledger queries of the signer and the API: outcomes and an intent's trail; take milliseconds.

The log may contain forged outcomes. Callers pass ``is_verified``, which tells whether a body has a
valid signature of its signer.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intents.intent import decode_intent, intent_digest, request_digest
from streams.ledger.clickhouse import ClickHouse

IsVerified = Callable[[bytes], bool]

_OUTCOMES = """
FROM ledger WHERE topic = 'outcomes'
    AND type IN ('transaction.signed', 'message.signed', 'intent.rejected')
"""
_NEWEST = f"""
SELECT account, body FROM ledger WHERE seq IN (
    SELECT argMax(seq, (sequence, -toInt64(seq))) {_OUTCOMES}
    AND account IN {{accounts:Array(String)}} GROUP BY account
)
"""  # noqa: S608 - built from constants
_OF_ACCOUNT = f"""
SELECT body {_OUTCOMES} AND account = {{account:String}}
ORDER BY sequence DESC, seq LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}
"""
_OF_INTENTS = f"""
SELECT intent, body, partition, offset {_OUTCOMES}
AND intent IN {{intents:Array(String)}} ORDER BY seq
"""
_FIRSTS = """
SELECT DISTINCT JSONExtractString(body, 'detail') AS first FROM ledger
WHERE topic = 'audit' AND type = 'audit' AND intent = {intent:String} AND first != intent
ORDER BY first LIMIT {limit:UInt64}
"""
_SUBMITTED = """
SELECT body FROM ledger WHERE topic = 'intents.submitted' AND intent = {intent:String}
ORDER BY seq LIMIT 1
"""
_TRAIL = """
SELECT stage, seq, topic, type, at_ms, event_id, body FROM trail
WHERE intent = {intent:String} ORDER BY stage, seq
"""
_PAGE_ROWS = 1000
_FIRSTS_MAX = 100


class TrailEvent(NamedTuple):
    """One event of an intent's trail; ``stage`` counts the topics in their order from 1."""

    stage: int
    seq: int
    topic: str
    type: str
    at_ms: int
    event_id: str
    body: str


class OutcomeRow(NamedTuple):
    """A redacted outcome, and where ``outcomes`` has it in full."""

    body: bytes
    partition: int
    offset: int


def newest_outcomes(
    clickhouse: ClickHouse, accounts: Sequence[str], is_verified: IsVerified
) -> dict[str, bytes]:
    """Return the verified outcome with the highest sequence, for each account that has one.

    Bodies are redacted. Pass the registry's accounts: anyone who can write to the topic can make
    the ledger name any number of others.
    """
    newest = {}
    for account, text in clickhouse.rows(_NEWEST, {"accounts": list(accounts)}):
        body = text.encode()
        older = _of_account(clickhouse, account)
        found = body if is_verified(body) else _first_verified(older, is_verified)
        if found is not None:
            newest[account] = found
    return newest


def outcomes_of(
    clickhouse: ClickHouse, intents: Sequence[str], is_verified: IsVerified
) -> dict[str, OutcomeRow]:
    """Return the first verified outcome of each intent that has one, by the intent's digest."""
    found: dict[str, OutcomeRow] = {}
    for intent, body, *place in clickhouse.rows(_OF_INTENTS, {"intents": list(intents)}):
        row = OutcomeRow(body.encode(), *place)
        if intent not in found and is_verified(row.body):
            found[intent] = row
    return found


def firsts_of(clickhouse: ClickHouse, intent: str) -> Iterator[str]:
    """Yield the intents whose request an intent repeats, according to the audit records.

    Audit records are not signed, so each one is proven: both intents must make the same request.
    """
    found = clickhouse.rows(_FIRSTS, {"intent": intent, "limit": _FIRSTS_MAX})
    request = _request_of(clickhouse, intent) if found else None
    for (first,) in found:
        if request is not None and _request_of(clickhouse, first) == request:
            yield first


def _request_of(clickhouse: ClickHouse, intent: str) -> str | None:
    """Return the digest of an intent's request, from its bytes as submitted."""
    for (text,) in clickhouse.rows(_SUBMITTED, {"intent": intent}):
        with suppress(MalformedError):
            body = Envelope.decode(text.encode()).body()
            if intent_digest(body) == intent:
                return request_digest(decode_intent(body))
    return None


def trail(clickhouse: ClickHouse, intent: str) -> list[TrailEvent]:
    """Return every event of an intent (its digest), in pipeline order."""
    return [TrailEvent(*row) for row in clickhouse.rows(_TRAIL, {"intent": intent})]


def _of_account(clickhouse: ClickHouse, account: str) -> Iterator[bytes]:
    """Yield an account's outcomes, highest sequence first, a page at a time."""
    offset = 0
    while page := clickhouse.rows(
        _OF_ACCOUNT, {"account": account, "limit": _PAGE_ROWS, "offset": offset}
    ):
        yield from (text.encode() for (text,) in page)
        offset += len(page)


def _first_verified(bodies: Iterator[bytes], is_verified: IsVerified) -> bytes | None:
    return next((body for body in bodies if is_verified(body)), None)
