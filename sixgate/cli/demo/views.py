"""The demo as its audience sees it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from rich.table import Table
from rich.text import Text

from schemas.clearance import Gate
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED
from sixgate.cli.agents.views import address
from sixgate.cli.demo.run import Proof, Scene, Show
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
Numbered: TypeAlias = Sequence[tuple[int, Scene]]


def views(show: Show) -> Iterator[tuple[Text, Table]]:
    """Yield headings and tables, from top to bottom."""
    chains = {chain["chain_id"]: chain for chain in show.registry["chains"]}
    numbered = list(enumerate(show.scenes, start=1))
    numbers = {scene.act.label: number for number, scene in numbered}
    yield _heading("1  Who may do what", "agents, and their policies' limits"), _cast(show.registry)
    yield _heading("2  The way of every intent", "admission, then six gates"), _matrix(numbered)
    yield _heading("3  Why not", "what the signer itself found"), _refusals(numbered)
    yield (
        _heading("4  Signed transactions", "✓ sender recovered, content as asked"),
        _signed([p for p in show.proofs if p.of_transaction], numbers, chains),
    )
    yield (
        _heading("5  Signed messages", "✓ signer recovered, digest as asked"),
        _messages([p for p in show.proofs if not p.of_transaction], numbers, chains),
    )
    yield _heading("6  Budgets", "what the last 24 hours came to"), _budgets(show.budgets)
    yield _heading("7  The ledger", "every event, chained by hashes"), _ledger(show)


def closing(show: Show) -> Text:
    """Return the last line: did everything end as it should?"""
    right = sum(scene.as_expected for scene in show.scenes)
    text = f"{right} of {len(show.scenes)} intents ended as expected; the ledger verifies."
    return safe(text, "bold green" if show.as_expected else "bold red")


def _heading(title: str, what: str) -> Text:
    return safe(title, "bold").append(safe(f"  {what}", "dim not bold"))


def _cast(registry: Json) -> Table:
    made = table("agent", "account", "each", "24 h", "recipients", "chains", tight=True)
    return rows(made, (_player(agent, registry) for agent in registry["agents"].values()))


def _player(agent: Json, registry: Json) -> tuple[object, ...]:
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
    return rows(made, (_row(number, scene) for number, scene in numbered))


def _row(number: int, scene: Scene) -> tuple[object, ...]:
    color = "green" if scene.ending == SIGNED else "red"
    again = ", as before" if scene.repeated else ""
    ending = safe(scene.ending + again, color if scene.as_expected else "bold reverse red")
    return (number, scene.act.label, *_marks(scene), ending, scene.took_ms)


def _marks(scene: Scene) -> list[Text]:
    if scene.way is None:
        return [safe("✗", "red"), *[safe("·", "dim")] * (len(HEADS) - 1)]
    marks = {None: safe("·", "dim"), True: safe("✓", "green"), False: safe("✗", "red")}
    return [marks[step.passed] for step in scene.way.steps]


def _refusals(numbered: Numbered) -> Table:
    cells = (
        (number, scene.result.get("gate", "admission"), scene.ending, scene.result["detail"])
        for number, scene in numbered
        if scene.ending != SIGNED
    )
    made = table("", "gate", "reason", "detail", right=("",), tight=True)
    return rows(made, cells)


def _signed(
    proofs: Sequence[Proof], numbers: Mapping[str, int], chains: Mapping[int, Json]
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
    return rows(made, (_transaction(proof, numbers, chains) for proof in proofs))


def _transaction(
    proof: Proof, numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> tuple[object, ...]:
    event, chain = proof.scene.result, chains[proof.scene.result["chain_id"]]
    return (
        numbers[proof.scene.act.label],
        chain["name"],
        event.get("tx_type", 2),
        event["nonce"],
        _signer(proof),
        f"{event['gas_limit']:,}",
        _source(event["gas_from"]),
        wei_to_eth(fee_wei_max(event)),
        _source(event["fees_from"]),
        f"{short(event['transaction_hash'], 8)}…",
    )


def _messages(
    proofs: Sequence[Proof], numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> Table:
    made = table("", "on", "what", "about", "signer", "digest", right=("",), tight=True)
    return rows(made, (_message(proof, numbers, chains) for proof in proofs))


def _message(
    proof: Proof, numbers: Mapping[str, int], chains: Mapping[int, Json]
) -> tuple[object, ...]:
    event = proof.scene.result
    subject = event.get("verifying_contract") or event.get("delegate")
    about = (event.get("primary_type"), subject and f"{address(subject)[:8]}…")
    return (
        numbers[proof.scene.act.label],
        chain_name(event["chain_id"], chains),
        KINDS[event["kind"]],
        " of ".join(part for part in about if part),
        _signer(proof),
        f"{short(event['signed_digest'], 8)}…",
    )


def _signer(proof: Proof) -> Text:
    mark = safe(" ✓", "green") if proof.genuine else safe(" ✗ NOT what was asked", "bold red")
    return safe(f"{address(proof.recovered)[:8]}…").append(mark)


def _source(source: str) -> str:
    return {"chain-defaults": "chain", "simulation": "sim"}.get(source, source)


def _budgets(budgets: Sequence[Json]) -> Table:
    made = table("account", "agents", "used", "left", "of", "", right=("used", "left", "of"))
    return rows(made, map(_budget, _by_account(budgets)))


def _by_account(budgets: Sequence[Json]) -> list[Json]:
    """Join the agents that spend from one account under one limit."""
    joined: dict[tuple[str, str | None], Json] = {}
    for row in budgets:
        place = (row["account"], row["limit_wei"])
        before = joined.get(place, {"agents": []})
        joined[place] = row | {"agents": [*before["agents"], row["agent"]]}
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


def _ledger(show: Show) -> Table:
    found = show.verified
    cells = (
        ("rows", f"{found['rows']:,}, every hash and every derived column right"),
        ("outcomes", f"{found['outcomes']} of {found['accounts']} accounts, none missing"),
        ("heads", f"{found['heads']}, signed by the ledger's key and outside of it"),
        ("verifiers", "SQL in the engine, and Python without it: they agree"),
        ("hash", found["hash"]),
    )
    return rows(table("verified", ""), cells)
