"""Sending signed intents in parts, and telling what came of them, however that ends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sixgate.api import Json
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandFailed
from sixgate.cli.progress import progress
from sixgate.cli.session import Session
from sixgate.cli.submit_views import missed_expectation, result_line, result_table
from sixgate.cli.terminal import notices, print_json_line, safe, screen
from sixgate.intent_form import SIGNED
from sixgate.intent_lines import Submission, ended_as, parts


@dataclass(slots=True)
class Sending:
    """Intents on their way; ``accepted`` counts those that are known to be durable."""

    here: Session
    ready: Sequence[Submission]
    saved: Path | None
    as_json: bool
    accepted: int = 0

    def accept(self) -> ExitCode:
        """Send all and end when they are durable."""
        with self._telling_how_far():
            for part in parts(self.ready):
                for answer in self.here.api.submit([one.record() for one in part], wait=False):
                    self.accepted += answer["accepted"]
                for one in part if self.as_json else ():
                    print_json_line({"line": one.line, "label": one.label, "intent": one.digest})
        count = len(self.ready)
        notices().print(f"Accepted {count} intents: sixgate intents list shows their outcomes.")
        return ExitCode.OK

    def follow(self) -> ExitCode:
        """Send all and wait for every outcome."""
        results: list[tuple[Submission, Json]] = []
        try:
            with (
                self._telling_how_far(),
                progress("waiting for outcomes", len(self.ready)) as bar,
            ):
                for one, answer in self._answers():
                    results.append((one, answer))
                    bar.show(len(results))
                    if self.as_json:
                        print_json_line(result_line(one, answer))
        finally:  # also when the pipeline halts or the user has waited enough
            self._tell(results)
        as_expected = all(one.expect == ended_as(answer["result"]) for one, answer in results)
        return ExitCode.OK if as_expected else ExitCode.REJECTED

    def _answers(self) -> Iterator[tuple[Submission, Json]]:
        for part in parts(self.ready):
            answers = self.here.api.submit([one.record() for one in part], wait=True)
            self.accepted += next(answers)["accepted"]  # from here on nothing is lost
            for answer in answers:
                yield part[answer["index"]], answer

    def _tell(self, results: list[tuple[Submission, Json]]) -> None:
        if not self.as_json:
            results.sort(key=lambda pair: pair[0].line)
            screen().print(result_table(results, self.here.registry["chains"]))
        signed = sum(ended_as(answer["result"]) == SIGNED for _, answer in results)
        out = notices()
        out.print(f"{signed} of {len(results)} intents are signed.", highlight=False)
        if missed := sum(missed_expectation(*pair) for pair in results):
            out.print(safe(f"{missed} did not end as their line expects.", "bold red"))

    @contextmanager
    def _telling_how_far(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise CommandFailed(ExitCode.INTERRUPTED, self._how_far()) from None

    def _how_far(self) -> str:
        again = (
            f"sixgate submit {self.saved} sends them all again and nothing is signed twice"
            if self.saved
            else "the same file again would be new intents; with --save FILE it can be repeated"
        )
        return (
            f"interrupted: {self.accepted} of {len(self.ready)} intents were accepted and will be "
            f"judged (sixgate intents list); {again}"
        )
