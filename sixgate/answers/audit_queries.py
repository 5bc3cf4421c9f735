"""Ledger queries for the audit of the HTTP API: one event per row that says who did what.

API calls, uses of secrets, outcomes and registry records. The hash of an event is its row's hash in
the ledger's chain, so the audit is verified with the ledger.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sixgate.api import Json
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.table import LedgerTable
from streams.ledger.verifier import Row as VerifierRow
from streams.ledger.verifier import VerificationError, verify

_EVENTS = """
SELECT seq, hash, prev_hash, at_ms, event_id, type, topic, body,
    multiIf(
        type = 'api.call', JSONExtractString(body, 'action'),
        type = 'secret.access', concat('secret.', JSONExtractString(body, 'operation')),
        topic = 'registry', concat('registry.', JSONExtractString(payload, 'entry', 'type')),
        toString(type)) AS action,
    multiIf(
        type = 'api.call', JSONExtractString(body, 'actor'),
        type = 'secret.access', concat(
            if(has({people:Array(String)}, JSONExtractString(body, 'actor')), 'user:', 'agent:'),
            JSONExtractString(body, 'actor')),
        topic = 'registry', 'admin',
        concat('agent:', agent)) AS actor,
    multiIf(
        type = 'api.call', JSONExtractString(body, 'resource'),
        type = 'secret.access', concat(
            'vault:', JSONExtractString(body, 'vault'), '/', JSONExtractString(body, 'path')),
        topic = 'registry', concat('registry:', JSONExtractString(payload, 'sequence')),
        concat('transaction:', intent)) AS resource,
    JSONExtractString(body, 'client_address') AS client_address
FROM ledger
WHERE (topic = 'api.calls' AND type = 'api.call')
    OR (topic = 'audit' AND type = 'secret.access')
    OR (topic = 'outcomes' AND type IN ('transaction.signed', 'message.signed', 'intent.rejected'))
    OR topic = 'registry'
"""
_FILTER = """
WHERE ({action:String} = '' OR action = {action:String})
    AND ({actor:String} = '' OR actor = {actor:String})
    AND ({resource:String} = '' OR resource = {resource:String})
    AND at_ms >= {since:UInt64} AND at_ms < {until:UInt64} AND seq < {before:UInt64}
"""
_PAGE = f"""
SELECT seq, lower(hex(hash)), lower(hex(prev_hash)), at_ms, event_id, type, body, action, actor,
    resource, client_address
FROM ({_EVENTS}) {_FILTER}
ORDER BY seq DESC LIMIT {{limit:UInt64}} OFFSET {{offset:UInt64}}
"""  # noqa: S608 - built from constants
_COUNT = f"SELECT count() FROM ({_EVENTS}) {_FILTER}"  # noqa: S608 - built from constants
_RUN = """
SELECT minOrNull(seq), maxOrNull(seq) FROM
(
    SELECT seq FROM ledger WHERE at_ms >= {since:UInt64} AND at_ms < {until:UInt64}
    ORDER BY seq LIMIT {limit:UInt64}
)
"""
_ID_AT = "SELECT event_id FROM ledger WHERE seq = {seq:UInt64}"
_IDS_AT = "SELECT seq, event_id FROM ledger WHERE seq IN {seqs:Array(UInt64)}"
SEQ_MAX = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events; empty text means any. ``until_ms`` is excluded, ``before`` is a row number."""

    action: str = ""
    actor: str = ""
    resource: str = ""
    since_ms: int = 0
    until_ms: int = SEQ_MAX
    before: int = SEQ_MAX
    people: tuple[str, ...] = ()

    def parameters(self) -> Json:
        """Return the parameters of the queries."""
        return {
            "action": self.action,
            "actor": self.actor,
            "resource": self.resource,
            "since": self.since_ms,
            "until": self.until_ms,
            "before": self.before,
            "people": list(self.people),
        }


class AuditEvent(NamedTuple):
    """One event; ``body`` is its record in the ledger, ``previous_id`` that of the row before."""

    seq: int
    hash: str
    previous_hash: str
    at_ms: int
    event_id: str
    type: str
    body: str
    action: str
    actor: str
    resource: str
    client_address: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class AuditQueries:
    """Queries to one ledger."""

    clickhouse: ClickHouse
    table: LedgerTable

    def page(self, wanted: AuditFilter, limit: int, offset: int = 0) -> list[AuditEvent]:
        """Return events, newest first."""
        paging = {"limit": limit, "offset": offset}
        rows = self.clickhouse.rows(_PAGE, wanted.parameters() | paging)
        before = [int(row[0]) - 1 for row in rows]
        wanted_ids = {"seqs": [seq for seq in before if seq >= 0]}
        previous = dict(self.clickhouse.rows(_IDS_AT, wanted_ids))
        found = zip(rows, before, strict=True)
        return [AuditEvent._make((*row, previous.get(seq))) for row, seq in found]

    def count(self, wanted: AuditFilter) -> int:
        """Return the number of events."""
        ((count,),) = self.clickhouse.rows(_COUNT, wanted.parameters())
        return int(count)

    def verify(self, since_ms: int, until_ms: int, limit: int) -> Json:
        """Verify the hashes of the ledger's rows of a period; at most ``limit`` rows.

        Returns ``{valid, checked, first_event_id, last_event_id, broken_at, reason}``.
        """
        run = {"since": since_ms, "until": until_ms, "limit": limit}
        ((first, last),) = self.clickhouse.rows(_RUN, run)
        if first is None:
            return _report(checked=0)
        ids: dict[str, Any] = {
            "first_event_id": self._id_at(first),
            "last_event_id": self._id_at(last),
        }
        rows = (VerifierRow(*row) for row in self.table.rows(first, last + 1))
        try:
            report = verify(rows, part=first > 0)
        except VerificationError as error:
            broken = {"valid": False, "broken_at": error.seq, "reason": str(error)}
            return _report(checked=error.seq - first, **ids, **broken)
        return _report(checked=report.rows, **ids)

    def _id_at(self, seq: int) -> str:
        ((event_id,),) = self.clickhouse.rows(_ID_AT, {"seq": seq})
        return str(event_id)


def _report(**found: Any) -> Json:
    empty = {"valid": True, "first_event_id": None, "last_event_id": None}
    return empty | {"broken_at": None, "reason": None} | found
