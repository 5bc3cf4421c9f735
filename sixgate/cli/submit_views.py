"""What came of submitted intents, for people and for programs."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from schemas.intent import Intent
from schemas.money import wei_to_eth
from sixgate.api import Json
from sixgate.cli.terminal import rows, safe, short, table
from sixgate.intent_form import SIGNED
from sixgate.intent_lines import Submission, ended_as

OUTCOMES = {
    "transaction.signed": "signed",
    "intent.rejected": "rejected",
    "intent.unattributed": "unattributed",
}
_STYLES = {"signed": "green", "rejected": "red", "unattributed": "red"}


def result_line(one: Submission, answer: Json) -> Json:
    """Return one result for programs; ``result`` is the terminal event in full."""
    return {
        "line": one.line,
        "label": one.label,
        "intent": one.digest,
        "idempotency_key": one.intent.idempotency_key,
        "outcome": OUTCOMES[answer["result"]["type"]],
        "expected": ended_as(answer["result"]) == one.expect,
        "repeated": answer["repeated"],
        "result": answer["result"],
    }


def missed_expectation(one: Submission, answer: Json) -> bool:
    """Tell whether an intent was to be rejected with a reason and ended otherwise."""
    return one.expect not in (SIGNED, ended_as(answer["result"]))


def result_table(results: Iterable[tuple[Submission, Json]], chains: Sequence[Json]) -> Table:
    """Return the table of all results."""
    known = {chain["chain_id"]: chain for chain in chains}
    cells = (
        (
            one.line,
            f"{short(one.digest)}…",
            one.label or one.intent.agent,
            _asked(one.intent, known),
            *_ending(one, answer),
        )
        for one, answer in results
    )
    return rows(table("line", "intent", "from", "what", "outcome", "how", right=("line",)), cells)


def what(
    chain_id: int, to: str | None, value_wei: int, data: str, chains: Mapping[int, Json]
) -> str:
    """Say in a few words what an intent asks for."""
    chain = chains.get(chain_id, {"name": f"chain {chain_id}", "symbol": ""})
    call = f" + {len(data) // 2 - 1} bytes" if data != "0x" else ""
    value = f"{wei_to_eth(value_wei)} {chain['symbol']}".strip()
    return f"{value}{call} → {short(to, 6) + '…' if to else 'new contract'} on {chain['name']}"


def outcome_of(kind: str) -> Text:
    """Return the outcome that an event's type stands for, with its colour."""
    name = OUTCOMES.get(kind, kind)
    return safe(name, _STYLES.get(name, "yellow"))


def _asked(intent: Intent, chains: Mapping[int, Json]) -> str:
    return what(intent.chain_id, intent.to, intent.value_wei, intent.data, chains)


def _ending(one: Submission, answer: Json) -> tuple[Text, str]:
    outcome = outcome_of(answer["result"]["type"])
    missed = safe(f", expected {one.expect}", "bold red") if missed_expectation(one, answer) else ""
    return outcome.append(" again" if answer["repeated"] else "").append(missed), _how(
        answer["result"]
    )


def _how(result: Json) -> str:
    if result["type"] == "transaction.signed":
        return f"nonce {result['nonce']}, {short(result['transaction_hash'])}…"
    gate = f"{result['gate']}: " if "gate" in result else ""
    return f"{gate}{result['reason']}, {result['detail']}"
