"""Intents, their ways and signed transactions as people see them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from schemas.intent import Intent
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.cli.agent_views import address
from sixgate.cli.submit_views import outcome_of, what
from sixgate.cli.terminal import rows, safe, short, table
from sixgate.cli.times import clock, moment
from sixgate.cli.trail import Step, Way

DATA_SHOWN = 74  # a selector and the first word
PASSED, REJECTED, SKIPPED = (
    safe("✓ passed", "green"),
    safe("✗ rejected", "red"),
    safe("· not reached", "dim"),
)


def way_views(way: Way, events: Sequence[Json], chains: Sequence[Json]) -> Iterator[Table]:
    """Yield what was asked, how each gate judged it, what came of it, and every record."""
    if way.intent is not None:
        yield rows(table("asked", ""), _asked(way.intent, chains))
    yield rows(table("gate", "verdict", "reason", "detail", "time"), map(_step, way.steps))
    if way.outcome is not None:
        yield rows(table("outcome", ""), _outcome(way.outcome))
    made = table("record", "time", right=())
    yield rows(made, ((event["topic"], clock(event["at_ms"])) for event in events))


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


def _step(step: Step) -> tuple[object, ...]:
    detail = step.detail or ", ".join(_evidence(*pair) for pair in step.evidence.items())
    at = clock(step.at_ms) if step.at_ms is not None else ""
    return (step.gate, verdict(step), step.reason, detail, at)


def _evidence(name: str, value: str) -> str:
    amount = re.fullmatch(r"(.+)_wei(_max)?", name)
    return f"{amount[1]} {wei_to_eth(int(value))}" if amount else f"{name} {value}"


def _asked(intent: Intent, chains: Sequence[Json]) -> Iterator[tuple[str, str]]:
    names = {chain["chain_id"]: chain["name"] for chain in chains}
    yield "agent", f"{intent.agent} of account {intent.account}"
    yield "chain", f"{names.get(intent.chain_id, 'unknown')} ({intent.chain_id})"
    yield "to", address(intent.to) if intent.to else "new contract"
    yield "value", wei_to_eth(intent.value_wei)
    if intent.data != "0x":
        yield (
            "data",
            intent.data if len(intent.data) <= DATA_SHOWN else f"{intent.data[:DATA_SHOWN]}…",
        )
    yield "key", intent.key_path
    yield "idempotency key", intent.idempotency_key
    yield "expires", moment(intent.expires_at_ms)


def _outcome(outcome: Json) -> Iterator[tuple[str, str]]:
    yield "", outcome["type"]
    yield "sequence", f"{outcome['sequence']} of account {outcome['account']}"
    if outcome["type"] == "intent.rejected":
        yield "reason", f"{outcome['gate']}: {outcome['reason']}"
        yield "detail", outcome["detail"]
        return
    yield "sender", address(outcome["sender"])
    yield "nonce", str(outcome["nonce"])
    yield "gas", f"{outcome['gas_limit']:,} from {outcome['gas_from']}"
    fee = wei_to_eth(int(outcome["gas_limit"]) * int(outcome["max_fee_per_gas_wei"]))
    yield "fee at most", f"{fee} from {outcome['fees_from']}"
    yield "hash", outcome["transaction_hash"]
    yield "raw digest", outcome["raw_transaction"]  # the ledger holds no signed bytes


def intent_list(found: Sequence[Json], chains: Sequence[Json]) -> Table:
    """Return the table of the ledger's newest intents."""
    known = {chain["chain_id"]: chain for chain in chains}
    made = table("submitted", "intent", "agent", "what", "outcome", "reason or hash")
    return rows(made, (_row(row, known) for row in found))


def _row(row: Json, chains: Mapping[int, Json]) -> tuple[object, ...]:
    ending = row["reason"] or short(row["transaction_hash"], 16)
    asked = what(int(row["chain_id"]), row["to"] or None, int(row["value_wei"]), "0x", chains)
    return (
        moment(int(row["submitted_at_ms"])),
        short(row["intent"]),
        row["agent"],
        asked,
        outcome_of(row["outcome"]),
        ending,
    )
