"""Sending: submits signed intents in parts and reports outcomes, even if interrupted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sixgate.api import ApiError, Json
from sixgate.authoring.expected_results import SIGNED, result_of
from sixgate.authoring.intent_lines import Submission, parts
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.intents.submission_progress import SubmissionProgress
from sixgate.cli.intents.submit_views import missed_expectation, result_line, result_list
from sixgate.cli.progress import progress
from sixgate.cli.render import show
from sixgate.cli.session import Session
from sixgate.cli.terminal import notices, print_json_line, safe, screen


@dataclass(slots=True)
class Sending:
    """A submission in progress."""

    here: Session
    ready: Sequence[Submission]
    counts: SubmissionProgress
    as_json: bool = False

    def send(self) -> ExitCode:
        """Send all intents and return when they are durable."""
        for part in parts(self.ready):
            for _ in self._send_part(part, wait=False):
                pass
            for one in part:
                self._print_accepted(one)
        count = count_of(len(self.ready))
        notices().print(f"{count} accepted: sixgate intents list shows the outcomes.")
        return ExitCode.OK

    def send_and_wait(self) -> ExitCode:
        """Send all intents and wait for their outcomes."""
        results: list[tuple[Submission, Json]] = []
        try:
            with progress("waiting for outcomes", len(self.ready)) as bar:
                for one, answer in self.answers():
                    results.append((one, answer))
                    bar.show(len(results))
                    if self.as_json:
                        print_json_line(result_line(one, answer))
        finally:  # also if the pipeline halts or the user presses Ctrl-C
            if results:
                self._print(results)
        as_expected = all(one.expect == result_of(answer["result"]) for one, answer in results)
        return ExitCode.OK if as_expected else ExitCode.REJECTED

    def answers(self) -> Iterator[tuple[Submission, Json]]:
        """Send all intents; yield each terminal event as it arrives."""
        for part in parts(self.ready):
            for answer in self._send_part(part, wait=True):
                yield part[answer["index"]], answer

    def _send_part(self, part: Sequence[Submission], *, wait: bool) -> Iterator[Json]:
        """Send a part; once it is durable, yield its terminal events."""
        answers = self.here.api.submit([one.record() for one in part], wait=wait)
        self.counts.sent += len(part)  # before the request: from here on it may be accepted
        self.counts.accepted += next(answers)["accepted"]
        yield from answers

    def _print_accepted(self, one: Submission) -> None:
        if self.as_json:
            print_json_line({"line": one.line, "label": one.label, "intent": one.digest})
        else:
            screen().print(one.digest, highlight=False, soft_wrap=True)

    def _print(self, results: list[tuple[Submission, Json]]) -> None:
        if not self.as_json:
            results.sort(key=lambda pair: pair[0].line)
            show(result_list(results, self.here.registry["chains"]), screen())
        out = notices()
        out.print(_summary(results), highlight=False)
        if missed := sum(missed_expectation(*pair) for pair in results):
            what = (
                "1 did not end as its line expects"
                if missed == 1
                else (f"{missed} did not end as their lines expect")
            )
            out.print(safe(f"{what}.", "bold red"))


def _summary(results: Sequence[tuple[Submission, Json]]) -> str:
    signed = sum(result_of(answer["result"]) == SIGNED for _, answer in results)
    line = f"{signed} of {count_of(len(results))} signed"
    if all(one.expect == SIGNED for one, _ in results):
        return f"{line}."
    met = sum(result_of(answer["result"]) == one.expect for one, answer in results)
    return f"{met} of {len(results)} ended as their lines expect; {line}."


def count_of(intents: int) -> str:
    """Return a count of intents with its verb."""
    return "1 intent is" if intents == 1 else f"{intents} intents are"


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
