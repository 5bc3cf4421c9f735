"""Sends intents: signs drafts with their agents' keys, and counts what the pipeline accepted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from signer.custody.event_signing import Ed25519Signer
from sixgate.api import ApiError, Json
from sixgate.authoring.intent_form import IntentFormError
from sixgate.authoring.intent_lines import Draft, InvalidLine, Signers, Submission, finish, parts
from sixgate.authoring.producer import Directory
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.session import Session, new_idempotency_key
from sixgate.cli.terminal import progress
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import load_key_file


def signed(here: Session, drafts: Sequence[Draft]) -> tuple[list[Submission], list[InvalidLine]]:
    """Sign drafts with their agents' keys; return the signed intents and the invalid lines."""
    directory = Directory.of(here.registry)
    signers = signers_of(here.folder, directory)
    with progress("signing") as bar:
        return finish(bar.track(drafts), directory, signers, wall_ms(), new_idempotency_key)


def signers_of(folder: Folder, directory: Directory) -> Signers:
    """Return a function that loads an agent's key file, each file once.

    It raises ``IntentFormError`` if the file is missing.
    """

    @cache
    def signer(agent: str) -> Ed25519Signer:
        path = folder.agent_key(agent)
        if agent in directory.accounts and not path.exists():
            why = f"the key of {agent} is not in this folder: sign elsewhere and submit envelopes"
            raise IntentFormError([("agent", why)])
        return load_key_file(path, agent)

    return signer


@dataclass(slots=True)
class SubmissionProgress:
    """Counts of intents: in total, sent, and known to be durable.

    ``sent`` is raised before a request and ``accepted`` after its answer. The pair is therefore
    correct at every moment: the difference may have been accepted.
    """

    total: int
    saved: Path | None
    sent: int = 0
    accepted: int = 0

    def sentence(self) -> str:
        """Say what was accepted, what may have been, and whether it can be sent again."""
        if not self.sent:
            return "nothing was sent"
        return f"{self._known()} (see sixgate intents list); {self._again()}"

    def _known(self) -> str:
        unanswered = self.sent - self.accepted
        if not unanswered:
            return f"{self.accepted} of {self.total} intents were accepted and will be decided"
        if not self.accepted:
            return (
                f"up to {unanswered} of {self.total} intents may have been accepted: the answer is "
                "missing"
            )
        return (
            f"{self.accepted} of {self.total} intents were accepted and up to {unanswered} more "
            "may have been: the answer is missing"
        )

    def _again(self) -> str:
        if self.saved:
            return f"sixgate submit {self.saved} sends all of them again, and none is signed twice"
        return "submitting the file again creates new intents; use --save FILE to repeat safely"


@contextmanager
def reporting_interruption(counts: SubmissionProgress) -> Iterator[None]:
    """Report what was accepted if Ctrl-C or a lost connection ends the command."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError(ExitCode.INTERRUPTED, f"interrupted: {counts.sentence()}") from None
    except ApiError as error:
        if error.code != "connection_lost":
            raise
        why = f"the process that owns the folder closed the connection: {counts.sentence()}"
        raise CommandError(ExitCode.UNREACHABLE, why) from None


def answers(
    here: Session, ready: Sequence[Submission], counts: SubmissionProgress, *, wait: bool = True
) -> Iterator[tuple[Submission, Json]]:
    """Send intents in parts; yield each terminal event as it arrives, or what is durable.

    Without ``wait`` only refused intents and repetitions have an event.
    """
    for part in parts(ready):
        found = here.api.submit([one.record() for one in part], wait=wait)
        counts.sent += len(part)  # before the request: from here on it may be accepted
        first = next(found)
        counts.accepted += first["accepted"]
        counts.sent -= first["refused"]
        ended = set()
        for answer in found:
            ended.add(answer["index"])
            yield part[answer["index"]], answer
        if not wait:
            yield from ((one, {}) for index, one in enumerate(part) if index not in ended)
