"""``/v1/audit`` and ``/v1/attestation``: recorded actions, and evidence of the signer's machine."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from sixgate.answers.audit_queries import SEQ_MAX, AuditEvent, AuditFilter, AuditQueries
from sixgate.api.callers import AnyCaller, PersonCaller, ServicesOf
from sixgate.api.json_route import JsonRoute
from sixgate.api.models.audit import AuditEventReply, AuditList, AuditVerification
from sixgate.api.models.base import Time, time_ms, timestamp
from sixgate.api.pages import UNKNOWN_CURSOR, CursorQuery, LimitQuery
from sixgate.api.problems import invalid

router = APIRouter(prefix="/v1", tags=["audit"], route_class=JsonRoute)
DAY_MS = 24 * 60 * 60 * 1000
EXPORT_DAYS, EXPORT_PAGE = 90, 1000
VERIFIED_ROWS_MAX = 1_000_000
Action = Annotated[str, Query(max_length=512, description="Only events with this action.")]
Actor = Annotated[str, Query(max_length=512, description="Only events of this actor.")]
Resource = Annotated[str, Query(max_length=512, description="Only events about this resource.")]
From = Annotated[
    Time | None, Query(alias="from", description="RFC 3339; only events at this time or later.")
]
To = Annotated[
    Time | None, Query(alias="to", description="RFC 3339; only events before this time.")
]


async def _filter(  # noqa: PLR0913 - the query's members
    services: ServicesOf,
    *,
    action: Action = "",
    actor_id: Actor = "",
    actor: Actor = "",
    resource_id: Resource = "",
    resource: Resource = "",
    since: From = None,
    until: To = None,
) -> AuditFilter:
    """Return the filter of a request; ``actor`` and ``resource`` are later names of members."""
    since_ms, until_ms = _period_ms(since, until)
    return AuditFilter(
        action=action,
        actor=actor_id or actor,
        resource=resource_id or resource,
        since_ms=since_ms,
        until_ms=until_ms,
        people=tuple(person.id for person in services.people.all()),
    )


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("/audit/events")
@router.get("/audit", include_in_schema=False)
def list_events(
    _caller: PersonCaller,
    services: ServicesOf,
    wanted: Wanted,
    limit: LimitQuery = 1000,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="Events to skip.")] = 0,
    cursor: CursorQuery = None,
) -> AuditList:
    """List audit events, newest first."""
    queries = services.backend.evidence.ledger().settled().audit
    after = replace(wanted, before=_before(cursor))
    page = queries.page(after, limit, offset)
    full = len(page) == limit
    return AuditList(
        events=[_reply(event) for event in page],
        count=len(page),
        total=queries.count(wanted),
        next_cursor=str(page[-1].seq) if full else None,
    )


@router.get("/audit/verify")
def verify(
    _caller: PersonCaller,
    services: ServicesOf,
    since: From = None,
    until: To = None,
    limit: Annotated[
        int, Query(ge=1, le=VERIFIED_ROWS_MAX, description="Maximum number of rows.")
    ] = VERIFIED_ROWS_MAX,
) -> AuditVerification:
    """Verify the ledger's rows of a period by computing their hashes again."""
    report = (
        services.backend.evidence.ledger().settled().audit.verify(*_period_ms(since, until), limit)
    )
    valid, checked = report["valid"], report["checked"]
    return AuditVerification(
        **report,
        chain_valid=valid,
        events_verified=checked,
        events_checked=checked if valid else checked + 1,
    )


@router.get("/audit/export", response_class=StreamingResponse)
def export(
    _caller: PersonCaller,
    services: ServicesOf,
    wanted: Wanted,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> StreamingResponse:
    """Stream audit events as JSON or CSV, newest first; by default those of the last 90 days."""
    if wanted.since_ms == 0:
        wanted = replace(wanted, since_ms=services.now_ms() - EXPORT_DAYS * DAY_MS)
    events = _every(services.backend.evidence.ledger().settled().audit, wanted)
    name = {"Content-Disposition": f'attachment; filename="audit.{form}"'}
    if form == "csv":
        return StreamingResponse(_csv(events), media_type="text/csv", headers=name)
    return StreamingResponse(_json(events), media_type="application/json", headers=name)


@router.get("/attestation")
def attestation(
    _caller: AnyCaller,
    services: ServicesOf,
    nonce: Annotated[str, Query(max_length=256, description="32 to 64 bytes in hex.")],
) -> dict[str, Any]:
    """Return fresh evidence of the signer's machine, bound to the caller's nonce."""
    return services.backend.evidence.attestation(nonce)


def _period_ms(since: str | None, until: str | None) -> tuple[int, int]:
    """Return the bounds of a period; without ``until`` it has no end."""
    until_ms = time_ms(until)
    return time_ms(since) or 0, SEQ_MAX if until_ms is None else until_ms


def _before(cursor: str | None) -> int:
    if cursor is None:
        return SEQ_MAX
    if not (cursor.isascii() and cursor.isdecimal() and int(cursor[:20]) < SEQ_MAX):
        raise invalid({"cursor": UNKNOWN_CURSOR})
    return int(cursor)


def _every(queries: AuditQueries, wanted: AuditFilter) -> Iterator[AuditEventReply]:
    """Yield all events, a page at a time: the whole list may not fit into memory."""
    while page := queries.page(wanted, EXPORT_PAGE):
        yield from map(_reply, page)
        wanted = replace(wanted, before=page[-1].seq)


def _json(events: Iterator[AuditEventReply]) -> Iterator[str]:
    yield '{"events":['
    for number, event in enumerate(events):
        yield ("," if number else "") + event.model_dump_json()
    yield "]}"


def _csv(events: Iterator[AuditEventReply]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(AuditEventReply.model_fields)
    for event in events:
        cells = event.model_dump() | {"details": json.dumps(event.details, sort_keys=True)}
        writer.writerow(map(_cell, cells.values()))
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet runs as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def _reply(event: AuditEvent) -> AuditEventReply:
    kind, _, _ = event.actor.partition(":")
    return AuditEventReply(
        id=event.event_id,
        event_id=event.event_id,
        prev_event_id=event.previous_id,
        integrity_hash=event.hash,
        previous_hash=event.previous_hash,
        sequence=event.seq,
        actor_id=event.actor,
        actor=event.actor,
        actor_type=kind,
        action=event.action,
        resource_type=event.resource.partition(":")[0],
        resource_id=event.resource,
        resource=event.resource,
        timestamp=timestamp(event.at_ms),
        created_at=timestamp(event.at_ms),
        ip_address=event.client_address or None,
        client_ip=event.client_address or None,
        details=json.loads(event.body),
    )
