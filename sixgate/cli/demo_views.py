"""The demo's tables."""

from collections.abc import Sequence

from rich.text import Text

from schemas.clearance import Gate
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED
from sixgate.cli.demo_run import DemoResult, DemoRun
from sixgate.cli.formats import address
from sixgate.cli.outcomes import KINDS, chain_name, fee_wei_max
from sixgate.cli.render import Field, View, table
from sixgate.cli.terminal import safe, short

HEADS = {
    Gate.ADMISSION: "adm",
    Gate.ALLOWLIST: "to",
    Gate.VALUE_CAP: "cap",
    Gate.DAILY_LIMIT: "day",
    Gate.CHAIN_RESTRICTION: "chn",
    Gate.SIMULATION: "sim",
    Gate.SIGNING: "sig",
}
BAR_WIDTH = 16


def views(run: DemoRun) -> list[View]:
    """Return the tables in order."""
    chains = {chain["chain_id"]: chain for chain in run.registry["chains"]}
    transactions = [one for one in run.signed if "transaction_hash" in one.event]
    messages = [one for one in run.signed if "transaction_hash" not in one.event]
    policies = run.registry["policies"]
    agents = [one | policies[one["policy_id"]] for one in run.registry["agents"].values()]
    return [
        _AGENTS(agents),
        _INTENTS(run.results),
        _REJECTIONS(one for one in run.results if one.ending != SIGNED),
        table(
            _NUMBER,
            Field("on", lambda one: chain_name(one.event["chain_id"], chains)),
            *_TRANSACTION,
            title=_heading("4  Signed transactions", "✓ sender recovered, content as requested"),
        )(transactions),
        table(
            _NUMBER,
            Field("on", lambda one: chain_name(one.event["chain_id"], chains)),
            *_MESSAGE,
            title=_heading("5  Signed messages", "✓ signer recovered, digest as requested"),
        )(messages),
        _BUDGETS(_by_account(run.budgets)),
        _LEDGER(_verified(run.verified)),
    ]


def closing_line(run: DemoRun) -> Text:
    """Return the last line: how many records ended as expected."""
    right = sum(one.as_expected for one in run.results)
    text = f"{right} of {len(run.results)} intents ended as expected; the ledger verifies."
    return safe(text, "bold green" if run.as_expected else "bold red")


def _heading(title: str, what: str) -> Text:
    return safe(title, "bold").append(safe(f"  {what}", "dim not bold"))


def _recipients(agent: Json) -> str:
    allowed = agent["policy"]["tx_to_allowlist"]
    return allowed if isinstance(allowed, str) else f"{len(allowed)} addresses"


_AGENTS = table(
    Field("agent", lambda one: one["agent"] if one["active"] else f"{one['agent']}, off"),
    Field("account"),
    Field("each", lambda one: f"{one['policy']['tx_max_value_eth']} ETH"),
    Field("24 h", lambda one: f"{one['policy']['tx_daily_limit_eth']} ETH"),
    Field("recipients", _recipients),
    Field("chains", lambda one: ", ".join(one["policy"]["tx_allowed_chains"])),
    title=_heading("1  Agents", "and the limits of their policies"),
)


def _mark(one: DemoResult, position: int) -> Text:
    if one.trail is None:
        return safe("·", "dim") if position else safe("✗", "red")
    marks = {None: safe("·", "dim"), True: safe("✓", "green"), False: safe("✗", "red")}
    return marks[one.trail.steps[position].passed]


def _gate(position: int, label: str) -> Field:
    return Field(label, lambda one: _mark(one, position))


def _ending(one: DemoResult) -> Text:
    color = "green" if one.ending == SIGNED else "red"
    again = ", as before" if one.repeated else ""
    return safe(one.ending + again, color if one.as_expected else "bold reverse red")


_NUMBER = Field("", lambda one: one.number, right=True)
_INTENTS = table(
    _NUMBER,
    Field("intent", lambda one: one.record.label),
    *(_gate(position, label) for position, label in enumerate(HEADS.values())),
    Field("ended", _ending),
    Field("ms", lambda one: one.took_ms, right=True),
    title=_heading("2  Intents", "admission, then six gates"),
)
_REJECTIONS = table(
    _NUMBER,
    Field("reason", lambda one: one.ending),
    Field("detail", lambda one: one.event["detail"]),
    title=_heading("3  Rejections", "as the signer decided"),
)


def _signer(one: DemoResult) -> Text:
    mark = safe(" ✓", "green") if one.genuine else safe(" ✗ NOT as requested", "bold red")
    return safe(f"{address(one.recovered)[:8]}…").append(mark)


def _source(source: str) -> str:
    return {"chain-defaults": "chain", "simulation": "sim"}.get(source, source)


_TRANSACTION = (
    Field("type", lambda one: one.event.get("tx_type", 2), right=True),
    Field("nonce", lambda one: one.event["nonce"], right=True),
    Field("sender", _signer),
    Field("gas", lambda one: f"{one.event['gas_limit']:,}", right=True),
    Field("from", lambda one: _source(one.event["gas_from"])),
    Field("fee at most", lambda one: wei_to_eth(fee_wei_max(one.event))),
    Field("from", lambda one: _source(one.event["fees_from"])),
    Field("hash", lambda one: f"{short(one.event['transaction_hash'], 8)}…"),
)


def _about(one: DemoResult) -> str:
    subject = one.event.get("verifying_contract") or one.event.get("delegate")
    parts = (one.event.get("primary_type"), subject and f"{address(subject)[:8]}…")
    return " of ".join(part for part in parts if part)


_MESSAGE = (
    Field("what", lambda one: KINDS[one.event["kind"]]),
    Field("about", _about),
    Field("signer", _signer),
    Field("digest", lambda one: f"{short(one.event['signed_digest'], 8)}…"),
)


def _by_account(budgets: Sequence[Json]) -> list[Json]:
    """Merge agents that share an account and a limit."""
    joined: dict[tuple[str, str | None], Json] = {}
    for row in budgets:
        group = (row["account"], row["limit_wei"])
        before = joined.get(group, {"agents": []})
        joined[group] = row | {"agents": [*before["agents"], row["agent"]]}
    return list(joined.values())


def _eth(wei: str | None, without: str = "") -> str:
    return without if wei is None else f"{wei_to_eth(int(wei))} ETH"


def _gauge(row: Json) -> Text:
    if row["limit_wei"] is None:
        return safe("")
    spent_wei, limit_wei = int(row["spent_wei"]), int(row["limit_wei"])
    filled = min(BAR_WIDTH, -(-BAR_WIDTH * spent_wei // limit_wei)) if limit_wei else BAR_WIDTH
    return safe("█" * filled, "yellow").append("░" * (BAR_WIDTH - filled), "dim")


_BUDGETS = table(
    Field("account"),
    Field("agents", lambda row: ", ".join(row["agents"])),
    Field("used", lambda row: _eth(row["spent_wei"]), right=True),
    Field("left", lambda row: _eth(row["left_wei"], "unlimited"), right=True),
    Field("of", lambda row: _eth(row["limit_wei"]), right=True),
    Field("", _gauge),
    title=_heading("6  Budgets", "charges of the last 24 hours"),
)


def _verified(found: Json) -> list[tuple[str, str]]:
    return [
        ("rows", f"{found['rows']:,}, every hash and derived column correct"),
        ("outcomes", f"{found['outcomes']} of {found['accounts']} accounts, none missing"),
        ("heads", f"{found['heads']}, signed by the ledger's key and stored outside"),
        ("verifiers", "SQL in the engine and Python outside it agree"),
        ("hash", found["hash"]),
    ]


_LEDGER = table(
    Field("verified", lambda row: row[0]),
    Field("", lambda row: row[1]),
    title=_heading("7  The ledger", "a hash chain of all events"),
)
