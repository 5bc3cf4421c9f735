"""Listings of intents, trails and signed outcomes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.text import Text

from schemas.clearance import Gate
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.cli.intents.intent_summary import KINDS, intent_rows, message, native, transfer
from sixgate.cli.intents.outcome_view import outcome_rows
from sixgate.cli.intents.submit_views import outcome_of
from sixgate.cli.intents.trail import Step, Trail
from sixgate.cli.render import Listing, Row, Sheet
from sixgate.cli.terminal import safe, short
from sixgate.cli.times import format_time, format_time_ms

View: TypeAlias = Listing | Sheet

PASSED, REJECTED, SKIPPED = (
    safe("✓ passed", "green"),
    safe("✗ rejected", "red"),
    safe("· not reached", "dim"),
)


def trail_views(trail: Trail, events: Sequence[Json], chains: Sequence[Json]) -> Iterator[View]:
    """Yield the intent, each gate's verdict, the outcome, and all records."""
    units = {chain["chain_id"]: chain for chain in chains}
    unit = units.get(trail.intent.chain_id, {}).get("symbol", "") if trail.intent else ""
    if trail.intent is not None:
        repeats = [("repeats", trail.repeats)] if trail.repeats else []
        yield Sheet("Intent", [*intent_rows(trail.intent, units, unit), *repeats])
    yield Listing(("gate", "verdict", "time"), [_step(step, unit) for step in trail.steps])
    if trail.outcome is not None:
        yield Sheet(
            "Outcome", list(outcome_rows(trail.outcome, trail.intent, units, redacted=True))
        )
    records = [Row((event["topic"], format_time_ms(event["at_ms"]))) for event in events]
    yield Listing(("record", "time"), records)


def signed_line(item: Json) -> Text:
    """Format one signed transaction or message as a line."""
    event = item["event"]
    begin = (str(item["position"]), format_time(event["decided_at_ms"]), event["account"])
    return safe("  ".join((*begin, f"chain {event['chain_id']}", *_signed_parts(event))))


def _signed_parts(event: Json) -> tuple[str, ...]:
    if event["type"] == "message.signed":
        return KINDS[event["kind"]], event["signed_digest"]
    amount = wei_to_eth(int(event["value_wei"]))
    return f"nonce {event['nonce']}", amount, event["transaction_hash"]


def verdict(step: Step) -> Text:
    """Return a step's verdict as coloured text."""
    if step.passed is None:
        return SKIPPED
    return PASSED if step.passed else REJECTED


def _step(step: Step, unit: str) -> Row:
    evidence = ", ".join(_evidence(*pair, unit) for pair in step.evidence.items())
    why = ": ".join(part for part in (step.reason, step.detail or evidence) if part)
    if step.passed and step.gate is Gate.SIMULATION and not step.evidence:
        why = "not requested"
    at = format_time_ms(step.at_ms) if step.at_ms is not None else ""
    return Row((step.gate, verdict(step), at), (why,) if why else ())


def _evidence(name: str, value: str, unit: str) -> str:
    amount = re.fullmatch(r"(.+)_wei(_max)?", name)
    return f"{amount[1]} {native(value, unit)}" if amount else f"{name} {value}"


def intent_list(found: Sequence[Json], chains: Sequence[Json]) -> Listing:
    """Return a listing of intents."""
    known = {chain["chain_id"]: chain for chain in chains}
    columns = ("submitted", "intent", "outcome", "reason or hash")
    return Listing(columns, [_row(row, known) for row in found])


def _row(row: Json, chains: Mapping[int, Json]) -> Row:
    ending = row["reason"] or short(row["transaction_hash"], 16)
    if row["repeats"]:
        ending = f"of {short(row['repeats'])}…"
    at, outcome = format_time(int(row["submitted_at_ms"])), outcome_of(row["outcome"])
    what = f"{row['agent']}: {_what(row, chains)}"
    return Row((at, short(row["intent"]), outcome, ending), (what,))


def _what(row: Json, chains: Mapping[int, Json]) -> str:
    chain_id = int(row["chain_id"])
    if row["kind"] == "transaction":
        return transfer(chain_id, row["to"] or None, int(row["value_wei"]), "0x", chains)
    return message(row["kind"], chain_id, chains)
