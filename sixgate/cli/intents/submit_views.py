"""Results of a submission, as JSON lines and as a listing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from schemas.outcome import SIGNED_TYPES
from schemas.reasons import Reason
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED, result_of
from sixgate.cli.intents.advice import advice
from sixgate.cli.intents.intent_summary import chain_name, summary
from sixgate.cli.render import Listing, Row
from sixgate.cli.terminal import safe, short

if TYPE_CHECKING:  # slow, and lists of old intents do not need it
    from sixgate.authoring.intent_lines import Submission

OUTCOMES = {
    "transaction.signed": "signed",
    "message.signed": "signed",
    "intent.rejected": "rejected",
    "intent.unattributed": "unattributed",
}
STAYS_REFUSED = "→ nothing was signed, and this key stays refused: then use a new idempotency_key"
_STYLES = {"signed": "green", "rejected": "red", "unattributed": "red"}


def result_line(one: "Submission", answer: Json) -> Json:
    """Return one result as JSON; ``result`` is the whole terminal event."""
    return {
        "line": one.line,
        "label": one.label,
        "intent": one.digest,
        "idempotency_key": one.intent.idempotency_key,
        "outcome": OUTCOMES[answer["result"]["type"]],
        "expected": result_of(answer["result"]) == one.expect,
        "repeated": answer["repeated"],
        "result": answer["result"],
    }


def missed_expectation(one: "Submission", answer: Json) -> bool:
    """Return whether an intent that should be rejected did not end with that reason."""
    return one.expect not in (SIGNED, result_of(answer["result"]))


def result_list(results: Iterable[tuple["Submission", Json]], chains: Sequence[Json]) -> Listing:
    """Return a listing of results, each with a summary of the intent and the reason."""
    known = {chain["chain_id"]: chain for chain in chains}
    columns = ("line", "intent", "outcome", "reason or hash")
    return Listing(columns, [_row(one, answer, known) for one, answer in results], right=("line",))


def outcome_of(kind: str) -> Text:
    """Return the outcome for an event type, coloured."""
    name = OUTCOMES.get(kind, kind)
    return safe(name, _STYLES.get(name, "yellow"))


def _row(one: "Submission", answer: Json, chains: Mapping[int, Json]) -> Row:
    outcome, result = outcome_of(answer["result"]["type"]), answer["result"]
    outcome.append(", as before" if answer["repeated"] else "")
    cells = (one.line, f"{short(one.digest)}…", outcome, _ending(result))
    what = f"{one.label or one.intent.agent}: {summary(one.intent, chains)}"
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
        if one.expect != result["reason"]:  # else nothing needs fixing
            yield safe(f"→ {advice(result['reason'], one.intent, chain)}", "cyan")
            if answer["repeated"] and result["reason"] != Reason.IDEMPOTENCY_CONFLICT:
                yield safe(STAYS_REFUSED, "cyan")
    if missed_expectation(one, answer):
        yield safe(f"expected {one.expect}", "bold red")
