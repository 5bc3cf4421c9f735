"""``sixgate intents`` and ``sixgate signed``: shows intents, trails and signed outcomes."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from rich.text import Text

from schemas.intents.money import wei_to_eth
from schemas.intents.reasons import Gate
from sixgate.api import Json, Position
from sixgate.cli.declare import Option, argument, command, group
from sixgate.cli.formats import format_time, format_time_ms
from sixgate.cli.options import Checked, account_filter, agent_filter, config_option, data_option
from sixgate.cli.outcomes import (
    KINDS,
    Chains,
    Step,
    by_id,
    intent_rows,
    message,
    native,
    outcome_of,
    outcome_rows,
    trail_of,
    transfer,
)
from sixgate.cli.render import Answer, Field, Listing, Sheet, View, prints_lines, table
from sixgate.cli.session import Session, session, shows
from sixgate.cli.terminal import safe, short

VERDICTS = {
    True: safe("✓ passed", "green"),
    False: safe("✗ rejected", "red"),
    None: safe("· not reached", "dim"),
}
app = group("intents", example="list")


def _ending(row: Json) -> str:
    if row["repeats"]:
        return f"of {short(row['repeats'])}…"
    return row["reason"] or short(row["transaction_hash"], 16)


def _what(row: Json, chains: Chains) -> str:
    chain_id = int(row["chain_id"])
    if row["kind"] == "transaction":
        what = transfer(chain_id, row["to"] or None, int(row["value_wei"]), "0x", chains)
    else:
        what = message(row["kind"], chain_id, chains)
    return f"{row['agent']}: {what}"


def _intents(found: list[Json], *, chains: Chains) -> Listing:
    return table(
        Field("submitted", lambda row: format_time(int(row["submitted_at_ms"]))),
        Field("intent", lambda row: short(row["intent"])),
        Field("outcome", lambda row: outcome_of(row["outcome"])),
        Field("reason or hash", _ending),
        details=lambda row: [_what(row, chains)],
    )(found)


@app.command("list", example="--agent payroll --limit 50")
@agent_filter
@account_filter
@Option("--key KEY", "Only intents with this idempotency key.")
@Option("--limit", "Maximum number of intents.", type=click.IntRange(1, 100_000), default=20)
@shows(_intents)
def list_(
    here: Session, *, agent: str | None, account: str | None, key: str | None, limit: int
) -> Answer:
    """List the newest intents, newest first."""
    if agent is not None:
        here.agent(agent)
    if account is not None:
        here.require_account(account)
    here.warn_pending()
    found = here.api.intents(limit=limit, account=account, agent=agent, idempotency_key=key)
    return Answer(found, chains=by_id(here.registry["chains"]))


def _why(step: Step, unit: str) -> list[str]:
    if step.passed and step.gate is Gate.SIMULATION and not step.evidence:
        return ["not requested"]
    evidence = ", ".join(_evidence(*pair, unit) for pair in step.evidence.items())
    why = ": ".join(part for part in (step.reason, step.detail or evidence) if part)
    return [why] if why else []


def _evidence(name: str, value: str, unit: str) -> str:
    amount = re.fullmatch(r"(.+)_wei(_max)?", name)
    return f"{amount[1]} {native(value, unit)}" if amount else f"{name} {value}"


def _trail(events: list[Json], *, chains: Chains) -> list[View]:
    """Return the intent, each gate's verdict, the outcome, and all records."""
    trail, views = trail_of(events), list[View]()
    intent, unit = trail.intent, ""
    if intent is not None:
        unit = chains.get(intent.chain_id, {}).get("symbol", "")
        repeats = [("repeats", trail.repeats)] if trail.repeats else []
        views.append(Sheet("Intent", [*intent_rows(intent, chains, unit), *repeats]))
    steps = table(
        Field("gate", lambda step: step.gate),
        Field("verdict", lambda step: VERDICTS[step.passed]),
        Field("time", lambda step: "" if step.at_ms is None else format_time_ms(step.at_ms)),
        details=lambda step: _why(step, unit),
    )
    views.append(steps(trail.steps))
    if trail.outcome is not None:
        rows = outcome_rows(trail.outcome, intent, chains, redacted=True)
        views.append(Sheet("Outcome", list(rows)))
    records = table(
        Field("record", "topic"), Field("time", lambda event: format_time_ms(event["at_ms"]))
    )
    return [*views, records(events)]


@app.command("show", example="0x3fa9")
@argument("INTENT", "Digest or transaction hash of the intent, or its start.")
@shows(_trail)
def show(here: Session, *, intent: str) -> Answer:
    """Show all events of an intent, with each gate's verdict, reason and time."""
    here.warn_pending()
    events = here.api.trail(intent.rstrip("….").lower())
    return Answer(events, chains=by_id(here.registry["chains"]))


def _signed_line(item: Json) -> Text:
    event = item["event"]
    begin = (str(item["position"]), format_time(event["decided_at_ms"]), event["account"])
    if event["type"] == "message.signed":
        end: tuple[str, ...] = (KINDS[event["kind"]], event["signed_digest"])
    else:
        amount = wei_to_eth(int(event["value_wei"]))
        end = (f"nonce {event['nonce']}", amount, event["transaction_hash"])
    return safe("  ".join((*begin, f"chain {event['chain_id']}", *end)))


def _position(value: str) -> Position:
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,19})*", value):
        raise ValueError(f"{value!a} is not a position from the first column of the output")
    return value if "." in value else int(value)


@command("signed", example="--follow --json")
@click.option("--follow", "-f", is_flag=True, help="Wait for new ones.")
@Option(
    "--after",
    "Start after this position (first column).",
    type=Checked("position", _position),
    default="0",
)
@prints_lines(_signed_line)
@data_option
@config_option
def signed(*, follow: bool, after: Position, data: Path) -> Iterator[Json]:
    """List signed transactions and messages, oldest first; --json has the raw bytes."""
    with session(data) as here:
        if not follow:
            here.warn_pending()
        yield from here.api.signed(after=after, follow=follow)
