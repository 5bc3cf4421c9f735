"""``sixgate submit``: signs intents from a file, sends them and shows their outcomes.

1. Read the file, sign the intents and, with ``--save``, write the envelopes durably.
   *If the process ends before step 2, nothing was sent.*
2. Send the envelopes in parts.
   *If the process ends during this step, some may be accepted. Submitting a saved file again is
   safe: the same envelopes are the same intents. Without ``--save`` the same lines are new
   intents.*
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from signer.custody.atomic_write import atomic_file
from sixgate.authoring.intent_lines import (
    LINES_MAX,
    Draft,
    InvalidLine,
    Submission,
    finish,
    read,
    split,
)
from sixgate.authoring.producer import Directory
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.intents.sending import Sending, reporting_interruption
from sixgate.cli.intents.signers import signers_of
from sixgate.cli.intents.submission_progress import SubmissionProgress
from sixgate.cli.progress import progress
from sixgate.cli.session import Session, fail_usage, new_idempotency_key, session
from sixgate.cli.terminal import notices, safe
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.clocks import wall_ms

SHOWN_COUNT_MAX = 20


def submit(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-", allow_dash=True, help="JSON lines; - reads standard input."
        ),
    ],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for every outcome.")] = True,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Send the valid lines even if others are invalid.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the envelopes first. Submitting this file again is safe."
        ),
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
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
            _refuse(wrong, drafts, keep_going=keep_going)
        with session(data) as here:
            ready, late = _signed(here, drafts)
            wrong = sorted([*wrong, *late], key=lambda one: one.line)
            _refuse(wrong, ready, keep_going=keep_going)
            if save:
                _save(save, ready)
            counts.total = len(ready)
            # 2. If the process ends here, up to ``counts.sent`` intents may be accepted.
            sending = Sending(here, ready, counts, as_json)
            code = sending.send_and_wait() if wait else sending.send()
    raise typer.Exit(ExitCode.USAGE if wrong else code)


def _drafts(file: Path) -> tuple[list[Draft], list[InvalidLine]]:
    raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    lines = list(split(raw))
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
        notices().print(f"Skipped {what} that only sixgate demo can run.", highlight=False)
    return drafts, wrong


def _refuse(wrong: Sequence[InvalidLine], right: Sequence[object], *, keep_going: bool) -> None:
    """Report invalid lines; end the command unless ``keep_going`` and there are valid ones."""
    console = notices()
    for one in wrong[:SHOWN_COUNT_MAX]:
        console.print(safe(f"line {one.line}: ", "bold red"), safe(one.why), sep="", soft_wrap=True)
    if len(wrong) > SHOWN_COUNT_MAX:
        console.print(f"{len(wrong) - SHOWN_COUNT_MAX} more lines are invalid.", highlight=False)
    if wrong and not (keep_going and right):
        what, them = ("1 line is", "it") if len(wrong) == 1 else (f"{len(wrong)} lines are", "them")
        hint = "" if keep_going else ", or add --keep-going"
        fail_usage(f"{what} invalid and nothing was sent: fix {them}{hint}")


def _signed(here: Session, drafts: Sequence[Draft]) -> tuple[list[Submission], list[InvalidLine]]:
    directory = Directory.of(here.registry)
    signers = signers_of(here.folder, directory)
    with progress("signing") as bar:
        return finish(bar.track(drafts), directory, signers, wall_ms(), new_idempotency_key)


def _save(path: Path, ready: Sequence[Submission]) -> None:
    """Write the envelopes to a new file, durably, so that the submission can be repeated."""
    with atomic_file(path, replace=False) as file:
        file.writelines(one.envelope + b"\n" for one in ready)
