"""What came of submitted intents, for people and for programs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from schemas.outcome import SIGNED_TYPES
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED, ended_as
from sixgate.cli.intents.advice import advice
from sixgate.cli.intents.intent_summary import asked, chain_name
from sixgate.cli.listing import Listing, Row
from sixgate.cli.terminal import safe, short

if TYPE_CHECKING:  # what was submitted long ago is shown too
    from sixgate.authoring.intent_lines import Submission

OUTCOMES = {
    "transaction.signed": "signed",
    "message.signed": "signed",
    "intent.rejected": "rejected",
    "intent.unattributed": "unattributed",
}
_STYLES = {"signed": "green", "rejected": "red", "unattributed": "red"}


def result_line(one: "Submission", answer: Json) -> Json:
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


def missed_expectation(one: "Submission", answer: Json) -> bool:
    """Tell whether an intent was to be rejected with a reason and ended otherwise."""
    return one.expect not in (SIGNED, ended_as(answer["result"]))


def result_list(results: Iterable[tuple["Submission", Json]], chains: Sequence[Json]) -> Listing:
    """Return all results, each with what was asked and why it ended so."""
    known = {chain["chain_id"]: chain for chain in chains}
    columns = ("line", "intent", "outcome", "reason or hash")
    return Listing(columns, [_row(one, answer, known) for one, answer in results], right=("line",))


def outcome_of(kind: str) -> Text:
    """Return the outcome that an event's type stands for, with its colour."""
    name = OUTCOMES.get(kind, kind)
    return safe(name, _STYLES.get(name, "yellow"))


def _row(one: "Submission", answer: Json, chains: Mapping[int, Json]) -> Row:
    outcome, result = outcome_of(answer["result"]["type"]), answer["result"]
    outcome.append(", as before" if answer["repeated"] else "")
    cells = (one.line, f"{short(one.digest)}…", outcome, _ending(result))
    what = f"{one.label or one.intent.agent}: {asked(one.intent, chains)}"
    chain = chain_name(one.intent.chain_id, chains)
    return Row(cells, [what, *_why(one, answer, chain)])


def _ending(result: Json) -> str:
    match result["type"]:
        case "transaction.signed":
            return f"{short(result['transaction_hash'])}…, nonce {result['nonce']}"
        case "message.signed":
            return f"{short(result['signed_digest'])}… signed"
    gate = f"{result['gate']}: " if "gate" in result else ""
    return f"{gate}{result['reason']}"


def _why(one: "Submission", answer: Json, chain: str) -> Iterator[object]:
    result = answer["result"]
    if result["type"] not in SIGNED_TYPES:
        yield result["detail"]
        if one.expect != result["reason"]:  # else there is nothing to mend
            yield safe(f"→ {advice(result['reason'], one.intent, chain)}", "cyan")
    if missed_expectation(one, answer):
        yield safe(f"expected {one.expect}", "bold red")
