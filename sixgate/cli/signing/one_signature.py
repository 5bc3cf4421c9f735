"""Signs and submits one intent from the command line and prints its outcome."""

from collections.abc import Mapping
from pathlib import Path

import typer

from schemas.outcome import SIGNED_TYPES
from sixgate.api import Json
from sixgate.authoring.intent_form import read_form
from sixgate.authoring.intent_lines import Draft, Submission, finish
from sixgate.authoring.producer import Directory
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.intents.intent_summary import summary
from sixgate.cli.intents.outcome_view import outcome_rows
from sixgate.cli.intents.sending import Sending, reporting_interruption
from sixgate.cli.intents.signers import signers_of
from sixgate.cli.intents.submission_progress import SubmissionProgress
from sixgate.cli.progress import progress
from sixgate.cli.render import Sheet, show
from sixgate.cli.session import Session, new_idempotency_key, session
from sixgate.cli.terminal import print_json, screen
from sixgate.clocks import wall_ms


def sign_one(members: Json, *, as_json: bool, data: Path) -> None:
    """Submit the intent with these members, wait for its outcome and print it.

    Options that were not given are None. Exits with ``REJECTED`` unless the intent is signed.
    """
    form = read_form({name: value for name, value in members.items() if value is not None})
    with session(data) as here:
        directory = Directory.of(here.registry)
        signers = signers_of(here.folder, directory)
        drafts = [Draft(1, form)]
        ready, wrong = finish(drafts, directory, signers, wall_ms(), new_idempotency_key)
        if wrong:
            raise CommandError(ExitCode.USAGE, wrong[0].why)
        result = _ended(here, ready[0])
        chains = {chain["chain_id"]: chain for chain in here.registry["chains"]}
    if as_json:
        print_json(result)
    else:
        _print(ready[0], result, chains)
    if result["type"] not in SIGNED_TYPES:
        raise typer.Exit(ExitCode.REJECTED)


def _ended(here: Session, one: Submission) -> Json:
    counts = SubmissionProgress(1, None)
    with reporting_interruption(counts), progress("waiting for the outcome"):
        for _, answer in Sending(here, [one], counts).answers():
            result: Json = answer["result"]
            return result
    raise CommandError(ExitCode.INTERNAL, "the outcome did not arrive: see sixgate intents list")


def _print(one: Submission, result: Json, chains: Mapping[int, Json]) -> None:
    sheet: list[tuple[str, object]] = [("request", summary(one.intent, chains))]
    sheet.append(("intent", one.digest))
    sheet += outcome_rows(result, one.intent, chains, redacted=False)
    show(Sheet("", sheet), screen())
