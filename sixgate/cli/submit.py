"""``sixgate submit``: signs intents from a file, sends them and shows their outcomes.

1. Read the file, sign the intents and, with ``--save``, write the envelopes durably.
   *If the process ends before step 2, nothing was sent.*
2. Send the envelopes in parts.
   *If the process ends during this step, some may be accepted. Submitting a saved file again is
   safe: the same envelopes are the same intents. Without ``--save`` the same lines are new
   intents.*
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import click

from schemas.intents.outcome import SIGNED_TYPES
from schemas.intents.reasons import Reason
from signer.custody.atomic_write import atomic_file
from sixgate.api import REFUSED, Json
from sixgate.authoring.form_fields import SIGNED, result_of
from sixgate.authoring.intent_lines import (
    LINES_MAX,
    Draft,
    InvalidLine,
    Submission,
    read,
    split,
)
from sixgate.cli.advice import advice
from sixgate.cli.declare import Option, argument, command, flag
from sixgate.cli.exit_codes import ExitCode, fail_usage
from sixgate.cli.files import read_input
from sixgate.cli.options import FILE, FILE_OR_INPUT, config_option, data_option
from sixgate.cli.outcomes import OUTCOMES, Chains, by_id, chain_name, outcome_of, summary
from sixgate.cli.render import Field, Listing, show, table
from sixgate.cli.sending import SubmissionProgress, answers, reporting_interruption, signed
from sixgate.cli.session import Session, session
from sixgate.cli.terminal import notice, notices, print_json_line, progress, safe, short

SHOWN_COUNT_MAX = 20
SIGN_AGAIN = "this signed intent stays refused: submit its line again, with the same key"
OWNS_NO_KEY = (Reason.IDEMPOTENCY_CONFLICT, Reason.RATE_EXCEEDED)
Results: TypeAlias = list[tuple[Submission, Json]]
"""Intents with the answers to them."""
STAYS_REFUSED = "→ nothing was signed, and this key stays refused: then use a new idempotency_key"


@command(
    "submit",
    example="intents.jsonl --save sent.jsonl\n"
    """echo '{"agent": "payroll", "chain": "base", "to": "0x…", "value": "0.5"}' """
    "| sixgate submit -",
)
@argument("FILE|-", "JSON lines; - reads standard input.", "file", type=FILE_OR_INPUT)
@Option("--wait/--no-wait", "Wait for every outcome.", default=True)
@flag("--keep-going", "Send the valid lines even if others are invalid.")
@Option("--save FILE", "Write the envelopes first. Submitting this file again is safe.", type=FILE)
@flag("--json", "Print JSON for programs.", "as_json")
@data_option
@config_option
def submit(
    *, file: Path, wait: bool, keep_going: bool, save: Path | None, as_json: bool, data: Path
) -> None:
    """Sign intents with their agents' keys, submit them, and show the outcomes.

    One invalid line refuses the whole file before anything is sent, unless --keep-going. A line may
    name its expected result ("expect": "signed" or a reason's code); the exit code reports a miss.
    """
    # 1. If the process ends here, nothing was sent.
    counts = SubmissionProgress(0, save)
    with reporting_interruption(counts):
        drafts, wrong = _drafts(file)
        if not drafts:
            refuse(wrong, drafts, keep_going=keep_going)
        with session(data) as here:
            ready, late = signed(here, drafts)
            wrong = sorted([*wrong, *late], key=lambda one: one.line)
            refuse(wrong, ready, keep_going=keep_going)
            if save:
                with atomic_file(save, replace=False) as saved:
                    saved.writelines(one.envelope + b"\n" for one in ready)
            counts.total = len(ready)
            # 2. If the process ends here, up to ``counts.sent`` intents may be accepted.
            send = decided if wait else _send
            results = send(here, ready, counts, as_json=as_json)
    met = all(one.expect == result_of(answer["result"]) for one, answer in results)
    code = ExitCode.OK if met else ExitCode.REJECTED
    raise click.exceptions.Exit(ExitCode.USAGE if wrong else code)


def _drafts(file: Path) -> tuple[list[Draft], list[InvalidLine]]:
    lines = list(split(read_input(file)))
    if len(lines) > LINES_MAX:
        fail_usage(
            f"{file} has {len(lines)} lines: split it into files of at most {LINES_MAX} lines"
        )
    with progress("reading") as bar:
        drafts, wrong, demo = read(bar.track(lines))
    if not drafts and not wrong:
        fail_usage(f"{file} has no intent to submit: write one JSON object per line")
    if demo:
        what = "1 line" if len(demo) == 1 else f"{len(demo)} lines"
        notice(f"Skipped {what} that only sixgate demo can run.")
    return drafts, wrong


def refuse(
    wrong: Sequence[InvalidLine], right: Sequence[object] = (), *, keep_going: bool = False
) -> None:
    """Report invalid lines; end the command unless ``keep_going`` and there are valid ones."""
    console = notices()
    for one in wrong[:SHOWN_COUNT_MAX]:
        console.print(safe(f"line {one.line}: ", "bold red"), safe(one.why), sep="", soft_wrap=True)
    if len(wrong) > SHOWN_COUNT_MAX:
        notice(f"{len(wrong) - SHOWN_COUNT_MAX} more lines are invalid.")
    if wrong and not (keep_going and right):
        what, them = ("1 line is", "it") if len(wrong) == 1 else (f"{len(wrong)} lines are", "them")
        hint = "" if keep_going else ", or add --keep-going"
        fail_usage(f"{what} invalid and nothing was sent: fix {them}{hint}")


def _send(
    here: Session, ready: Sequence[Submission], counts: SubmissionProgress, *, as_json: bool
) -> Results:
    """Send all intents and return, when they are durable, what was refused before that."""
    refused: Results = []
    for one, answer in answers(here, ready, counts, wait=False):
        if answer and answer["result"]["type"] == REFUSED:
            refused.append((one, answer))
            if as_json:
                print_json_line(_line(one, answer))
        elif as_json:
            print_json_line({"line": one.line, "label": one.label, "intent": one.digest})
        else:
            show(one.digest)
    if refused and not as_json:
        _show_results(here, refused)
    accepted = _count(len(ready) - len(refused))
    notice(f"{accepted} accepted: sixgate intents list shows the outcomes.")
    return refused


def decided(
    here: Session, ready: Sequence[Submission], counts: SubmissionProgress, *, as_json: bool = False
) -> Results:
    """Send all intents, wait for their outcomes, print and return them."""
    results: Results = []
    try:
        with progress("waiting for outcomes", len(ready)) as bar:
            for one, answer in answers(here, ready, counts):
                results.append((one, answer))
                bar.show(len(results))
                if as_json:
                    print_json_line(_line(one, answer))
    finally:  # also if the pipeline halts or the user presses Ctrl-C
        if results and not as_json:
            _show_results(here, results)
        if results:
            _summarise(results)
    return results


def _show_results(here: Session, results: Results) -> None:
    results.sort(key=lambda pair: pair[0].line)
    show(_results(results, by_id(here.registry["chains"])))


def _line(one: Submission, answer: Json) -> Json:
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


def _results(results: Results, chains: Chains) -> Listing:
    return table(
        Field("line", lambda pair: pair[0].line, right=True),
        Field("intent", lambda pair: f"{short(pair[0].digest)}…"),
        Field("outcome", lambda pair: _outcome(pair[1])),
        Field("reason or hash", lambda pair: _ending(pair[1]["result"])),
        details=lambda pair: list(_details(pair[0], pair[1], chains)),
    )(results)


def _outcome(answer: Json) -> object:
    again = ", as before" if answer["repeated"] else ""
    return outcome_of(answer["result"]["type"]).append(again)


def _ending(result: Json) -> str:
    match result["type"]:
        case "transaction.signed":
            return f"{short(result['transaction_hash'])}…, nonce {result['nonce']}"
        case "message.signed":
            return f"{short(result['signed_digest'])}… signed"
    gate = f"{result['gate']}: " if "gate" in result else ""
    return f"{gate}{result['reason']}"


def _missed(one: Submission, answer: Json) -> bool:
    """Return whether an intent that should be rejected did not end with that reason."""
    return one.expect not in (SIGNED, result_of(answer["result"]))


def _details(one: Submission, answer: Json, chains: Chains) -> Iterator[object]:
    result = answer["result"]
    yield f"{one.label or one.intent.agent}: {summary(one.intent, chains)}"
    if result["type"] not in SIGNED_TYPES:
        yield result["detail"]
        if one.expect != result["reason"]:  # else nothing needs fixing
            chain = chain_name(one.intent.chain_id, chains)
            stays = answer["repeated"] and result["reason"] == Reason.RATE_EXCEEDED
            step = SIGN_AGAIN if stays else advice(result["reason"], one.intent, chain)
            yield safe(f"→ {step}", "cyan")
            if answer["repeated"] and result["reason"] not in OWNS_NO_KEY:
                yield safe(STAYS_REFUSED, "cyan")
    if _missed(one, answer):
        yield safe(f"expected {one.expect}", "bold red")


def _summarise(results: Results) -> None:
    """Print how many intents were signed, and how many ended as their lines expect."""
    signed = sum(result_of(answer["result"]) == SIGNED for _, answer in results)
    line = f"{signed} of {_count(len(results))} signed."
    if any(one.expect != SIGNED for one, _ in results):
        met = sum(result_of(answer["result"]) == one.expect for one, answer in results)
        line = f"{met} of {len(results)} ended as their lines expect; {line}"
    notice(line)
    if missed := sum(_missed(*pair) for pair in results):
        their = "its line expects" if missed == 1 else "their lines expect"
        notices().print(safe(f"{missed} did not end as {their}.", "bold red"))


def _count(intents: int) -> str:
    return "1 intent is" if intents == 1 else f"{intents} intents are"
