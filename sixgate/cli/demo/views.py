"""The demo's tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

from schemas.clearance import Gate
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED
from sixgate.cli.demo.run import DemoResult, DemoRun, SignatureCheck
from sixgate.cli.formats import address
from sixgate.cli.intents.intent_summary import KINDS, chain_name, fee_wei_max
from sixgate.cli.terminal import rows, safe, short, table

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
Numbered: TypeAlias = Sequence[tuple[int, DemoResult]]


def views(run: DemoRun) -> Iterator[tuple[Text, Table]]:
    """Yield headings and tables in order."""
    chains = {chain["chain_id"]: chain for chain in run.registry["chains"]}
    numbered = list(enumerate(run.results, start=1))
    numbers = {one.record.label: number for number, one in numbered}
    yield _heading("1  Agents", "and the limits of their policies"), _agents(run.registry)
    yield _heading("2  Intents", "admission, then six gates"), _matrix(numbered)
    yield _heading("3  Rejections", "as the signer decided"), _refusals(numbered)
    yield (
        _heading("4  Signed transactions", "✓ sender recovered, content as requested"),
        _signed([p for p in run.checks if p.of_transaction], numbers, chains),
    )
    yield (
        _heading("5  Signed messages", "✓ signer recovered, digest as requested"),
        _messages([p for p in run.checks if not p.of_transaction], numbers, chains),
    )
    yield _heading("6  Budgets", "charges of the last 24 hours"), _budgets(run.budgets)
    yield _heading("7  The ledger", "a hash chain of all events"), _ledger(run)


def closing_line(run: DemoRun) -> Text:
    """Return the last line: how many records ended as expected."""
    right = sum(one.as_expected for one in run.results)
    text = f"{right} of {len(run.results)} intents ended as expected; the ledger verifies."
    return safe(text, "bold green" if run.as_expected else "bold red")


def _heading(title: str, what: str) -> Text:
    return safe(title, "bold").append(safe(f"  {what}", "dim not bold"))


def _agents(registry: Json) -> Table:
    made = table("agent", "account", "each", "24 h", "recipients", "chains", tight=True)
    return rows(made, (_agent_row(agent, registry) for agent in registry["agents"].values()))


def _agent_row(agent: Json, registry: Json) -> tuple[object, ...]:
    policy = registry["policies"][agent["policy_id"]]["policy"]
    allowed = policy["tx_to_allowlist"]
    return (
        agent["agent"] if agent["active"] else f"{agent['agent']}, off",
        agent["account"],
        f"{policy['tx_max_value_eth']} ETH",
        f"{policy['tx_daily_limit_eth']} ETH",
        allowed if isinstance(allowed, str) else f"{len(allowed)} addresses",
        ", ".join(policy["tx_allowed_chains"]),
    )


def _matrix(numbered: Numbered) -> Table:
    made = table("", "intent", *HEADS.values(), "ended", "ms", right=("", "ms"), tight=True)
    for column in made.columns[2 : 2 + len(HEADS)]:
        column.justify = "center"
    return rows(made, (_row(number, one) for number, one in numbered))


def _row(number: int, one: DemoResult) -> tuple[object, ...]:
    color = "green" if one.ending == SIGNED else "red"
    again = ", as before" if one.repeated else ""
    ending = safe(one.ending + again, color if one.as_expected else "bold reverse red")
    return (number, one.record.label, *_marks(one), ending, one.took_ms)


def _marks(one: DemoResult) -> list[Text]:
    if one.trail is None:
        return [safe("✗", "red"), *[safe("·", "dim")] * (len(HEADS) - 1)]
    marks = {None: safe("·", "dim"), True: safe("✓", "green"), False: safe("✗", "red")}
    return [marks[step.passed] for step in one.trail.steps]


def _refusals(numbered: Numbered) -> Table:
    cells = (
        (number, one.event.get("gate", "admission"), one.ending, one.event["detail"])
        for number, one in numbered
        if one.ending != SIGNED
    )
    made = table("", "gate", "reason", "detail", right=("",), tight=True)
    return rows(made, cells)


def _signed(
    checks: Sequence[SignatureCheck], numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> Table:
    made = table(
        "",
        "on",
        "type",
        "nonce",
        "sender",
        "gas",
        "from",
        "fee at most",
        "from",
        "hash",
        right=("", "type", "nonce", "gas"),
        tight=True,
    )
    return rows(made, (_transaction(check, numbers, chains) for check in checks))


def _transaction(
    check: SignatureCheck, numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> tuple[object, ...]:
    event, chain = check.result.event, chains[check.result.event["chain_id"]]
    return (
        numbers[check.result.record.label],
        chain["name"],
        event.get("tx_type", 2),
        event["nonce"],
        _signer(check),
        f"{event['gas_limit']:,}",
        _source(event["gas_from"]),
        wei_to_eth(fee_wei_max(event)),
        _source(event["fees_from"]),
        f"{short(event['transaction_hash'], 8)}…",
    )


def _messages(
    checks: Sequence[SignatureCheck], numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> Table:
    made = table("", "on", "what", "about", "signer", "digest", right=("",), tight=True)
    return rows(made, (_message(check, numbers, chains) for check in checks))


def _message(
    check: SignatureCheck, numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> tuple[object, ...]:
    event = check.result.event
    subject = event.get("verifying_contract") or event.get("delegate")
    about = (event.get("primary_type"), subject and f"{address(subject)[:8]}…")
    return (
        numbers[check.result.record.label],
        chain_name(event["chain_id"], chains),
        KINDS[event["kind"]],
        " of ".join(part for part in about if part),
        _signer(check),
        f"{short(event['signed_digest'], 8)}…",
    )


def _signer(check: SignatureCheck) -> Text:
    mark = safe(" ✓", "green") if check.genuine else safe(" ✗ NOT as requested", "bold red")
    return safe(f"{address(check.recovered)[:8]}…").append(mark)


def _source(source: str) -> str:
    return {"chain-defaults": "chain", "simulation": "sim"}.get(source, source)


def _budgets(budgets: Sequence[Json]) -> Table:
    made = table("account", "agents", "used", "left", "of", "", right=("used", "left", "of"))
    return rows(made, map(_budget, _by_account(budgets)))


def _by_account(budgets: Sequence[Json]) -> list[Json]:
    """Merge agents that share an account and a limit."""
    joined: dict[tuple[str, str | None], Json] = {}
    for row in budgets:
        group = (row["account"], row["limit_wei"])
        before = joined.get(group, {"agents": []})
        joined[group] = row | {"agents": [*before["agents"], row["agent"]]}
    return list(joined.values())


def _budget(row: Json) -> tuple[object, ...]:
    spent_wei, names = int(row["spent_wei"]), ", ".join(row["agents"])
    used = f"{wei_to_eth(spent_wei)} ETH"
    if row["limit_wei"] is None:
        return (row["account"], names, used, "unlimited", "", "")
    limit_wei = int(row["limit_wei"])
    filled = min(BAR_WIDTH, -(-BAR_WIDTH * spent_wei // limit_wei)) if limit_wei else BAR_WIDTH
    gauge = safe("█" * filled, "yellow").append("░" * (BAR_WIDTH - filled), "dim")
    left, limit = wei_to_eth(int(row["left_wei"])), wei_to_eth(limit_wei)
    return (row["account"], names, used, f"{left} ETH", f"{limit} ETH", gauge)


def _ledger(run: DemoRun) -> Table:
    found = run.verified
    cells = (
        ("rows", f"{found['rows']:,}, every hash and derived column correct"),
        ("outcomes", f"{found['outcomes']} of {found['accounts']} accounts, none missing"),
        ("heads", f"{found['heads']}, signed by the ledger's key and stored outside"),
        ("verifiers", "SQL in the engine and Python outside it agree"),
        ("hash", found["hash"]),
    )
    return rows(table("verified", ""), cells)
