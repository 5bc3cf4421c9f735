"""Intents, their ways and signed transactions as people see them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.text import Text

from schemas.clearance import Gate
from schemas.intent import Intent, intent_digest
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.cli.advice import advice
from sixgate.cli.agent_views import address
from sixgate.cli.listing import Listing, Row, Sheet
from sixgate.cli.submit_views import native, outcome_of, what
from sixgate.cli.terminal import safe, short
from sixgate.cli.times import moment, precise
from sixgate.cli.trail import Step, Way

View: TypeAlias = Listing | Sheet

DATA_SHOWN = 74  # a selector and the first word
PASSED, REJECTED, SKIPPED = (
    safe("✓ passed", "green"),
    safe("✗ rejected", "red"),
    safe("· not reached", "dim"),
)


def way_views(way: Way, events: Sequence[Json], chains: Sequence[Json]) -> Iterator[View]:
    """Yield what was asked, how each gate judged it, what came of it, and every record."""
    units = {chain["chain_id"]: chain for chain in chains}
    unit = units.get(way.intent.chain_id, {}).get("symbol", "") if way.intent else ""
    if way.intent is not None:
        yield Sheet("Asked", list(_asked(way.intent, units, unit)))
    yield Listing(("gate", "verdict", "time"), [_step(step, unit) for step in way.steps])
    if way.outcome is not None:
        yield Sheet("Outcome", [*_outcome(way.outcome, unit), *_next(way, units)])
    records = [Row((event["topic"], precise(event["at_ms"]))) for event in events]
    yield Listing(("record", "time"), records)


def signed_line(item: Json) -> Text:
    """Return one signed transaction as a line."""
    event = item["event"]
    parts = (
        str(item["position"]),
        moment(event["decided_at_ms"]),
        event["account"],
        f"chain {event['chain_id']}",
        f"nonce {event['nonce']}",
        wei_to_eth(int(event["value_wei"])),
        event["transaction_hash"],
    )
    return safe("  ".join(parts))


def verdict(step: Step) -> Text:
    """Return a step's verdict with its mark and colour."""
    if step.passed is None:
        return SKIPPED
    return PASSED if step.passed else REJECTED


def _step(step: Step, unit: str) -> Row:
    evidence = ", ".join(_evidence(*pair, unit) for pair in step.evidence.items())
    why = ": ".join(part for part in (step.reason, step.detail or evidence) if part)
    if step.passed and step.gate is Gate.SIMULATION and not step.evidence:
        why = "not asked for"
    at = precise(step.at_ms) if step.at_ms is not None else ""
    return Row((step.gate, verdict(step), at), (why,) if why else ())


def _evidence(name: str, value: str, unit: str) -> str:
    amount = re.fullmatch(r"(.+)_wei(_max)?", name)
    return f"{amount[1]} {native(value, unit)}" if amount else f"{name} {value}"


def _asked(intent: Intent, chains: Mapping[int, Json], unit: str) -> Iterator[tuple[str, str]]:
    yield "intent", intent_digest(intent.encode())
    yield "agent", f"{intent.agent} of account {intent.account}"
    name = chains.get(intent.chain_id, {}).get("name", "unknown")
    yield "chain", f"{name} ({intent.chain_id})"
    yield "to", address(intent.to) if intent.to else "new contract"
    yield "value", native(intent.value_wei, unit)
    if intent.data != "0x":
        yield (
            "data",
            intent.data if len(intent.data) <= DATA_SHOWN else f"{intent.data[:DATA_SHOWN]}…",
        )
    yield "key", intent.key_path
    yield "idempotency key", intent.idempotency_key
    yield "expires", moment(intent.expires_at_ms)


def _outcome(outcome: Json, unit: str) -> Iterator[tuple[str, object]]:
    yield "result", outcome_of(outcome["type"])
    yield "sequence", f"{outcome['sequence']} of account {outcome['account']}"
    if outcome["type"] == "intent.rejected":
        yield "reason", f"{outcome['gate']}: {outcome['reason']}"
        yield "detail", outcome["detail"]
        return
    yield "sender", address(outcome["sender"])
    yield "nonce", str(outcome["nonce"])
    yield "gas", f"{outcome['gas_limit']:,} from {outcome['gas_from']}"
    fee_wei = int(outcome["gas_limit"]) * int(outcome["max_fee_per_gas_wei"])
    yield "fee at most", f"{native(fee_wei, unit)} from {outcome['fees_from']}"
    yield "hash", outcome["transaction_hash"]
    yield "raw digest", outcome["raw_transaction"]  # the ledger holds no signed bytes


def _next(way: Way, chains: Mapping[int, Json]) -> Iterator[tuple[str, str]]:
    if way.intent and way.outcome and way.outcome["type"] == "intent.rejected":
        chain = chains.get(way.intent.chain_id, {}).get("name", str(way.intent.chain_id))
        yield "what helps", advice(way.outcome["reason"], way.intent, chain)


def intent_list(found: Sequence[Json], chains: Sequence[Json]) -> Listing:
    """Return the ledger's newest intents."""
    known = {chain["chain_id"]: chain for chain in chains}
    columns = ("submitted", "intent", "outcome", "reason or hash")
    return Listing(columns, [_row(row, known) for row in found])


def _row(row: Json, chains: Mapping[int, Json]) -> Row:
    ending = row["reason"] or short(row["transaction_hash"], 16)
    asked = what(int(row["chain_id"]), row["to"] or None, int(row["value_wei"]), "0x", chains)
    at, outcome = moment(int(row["submitted_at_ms"])), outcome_of(row["outcome"])
    return Row((at, short(row["intent"]), outcome, ending), (f"{row['agent']}: {asked}",))
