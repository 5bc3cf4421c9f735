"""Runs the demo's records through a pipeline and collects results; outcomes are not trusted.

Senders are recovered from the signatures, and the signed content is compared with the intent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED, result_of
from sixgate.cli.demo.script import DemoRecord
from sixgate.cli.demo.signature_checks import matches_intent, recovered_address
from sixgate.cli.intents.trail import Trail, trail_of
from sixgate.cli.progress import Bar
from sixgate.cli.session import Session
from sixgate.clocks import wall_ms


@dataclass(frozen=True, slots=True)
class DemoResult:
    """A record, its terminal event, and its trail if it was an intent.

    ``took_ms`` is the producer's wait, from sending to the terminal event.
    """

    record: DemoRecord
    event: Json
    repeated: bool
    trail: Trail | None
    took_ms: int

    @property
    def ending(self) -> str:
        """Return ``signed`` or the reason's code."""
        return result_of(self.event)

    @property
    def as_expected(self) -> bool:
        """Return whether the record ended as its line expects."""
        return self.ending == self.record.expect


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The address recovered from a signature, and whether it signs what the intent requested."""

    result: DemoResult
    recovered: str
    genuine: bool

    @property
    def of_transaction(self) -> bool:
        """Return whether a transaction was signed, not a message."""
        return "transaction_hash" in self.result.event


@dataclass(frozen=True, slots=True)
class DemoRun:
    """All results of one demo."""

    registry: Json
    results: Sequence[DemoResult]
    checks: Sequence[SignatureCheck]
    budgets: Sequence[Json]
    verified: Json
    head: Json

    @property
    def as_expected(self) -> bool:
        """Return whether every record ended as expected and every signature is genuine."""
        endings = all(one.as_expected for one in self.results)
        return endings and all(check.genuine for check in self.checks)


def run_demo(here: Session, records: Sequence[DemoRecord], bar: Bar) -> DemoRun:
    """Send all records, wait for their terminal events, read the trails, verify the ledger."""
    results = []
    for record, (answer, took_ms) in zip(records, _answers(here, records, bar), strict=True):
        results.append(_result(here, record, answer, took_ms))
        bar.show(len(records) + len(results), title="reading the trails")
    signed = [one for one in results if one.ending == SIGNED and not one.repeated]
    bar.show(2 * len(records), title="verifying the ledger")
    verified = [item["verified"] for item in here.api.verify(head=None) if "verified" in item]
    checks = [_check(one) for one in signed]
    head = here.api.head()["head"]
    return DemoRun(here.api.registry(), results, checks, here.api.budgets(), verified[-1], head)


def _answers(here: Session, records: Sequence[DemoRecord], bar: Bar) -> list[tuple[Json, int]]:
    """Return the answer to each record, with its latency in milliseconds."""
    sent_ms = wall_ms()
    answers: dict[int, tuple[Json, int]] = {}
    for answer in here.api.submit([record.record() for record in records], wait=True):
        if "index" in answer:
            answers[answer["index"]] = answer, wall_ms() - sent_ms
            bar.show(len(answers), 2 * len(records), "waiting for outcomes")
    return [answers[index] for index in range(len(records))]


def _result(here: Session, record: DemoRecord, answer: Json, took_ms: int) -> DemoResult:
    trail = trail_of(here.api.trail(answer["intent"])) if answer["intent"] else None
    return DemoResult(record, answer["result"], answer["repeated"], trail, took_ms)


def _check(one: DemoResult) -> SignatureCheck:
    found, intent = recovered_address(one.event), one.record.intent
    genuine = intent is not None and matches_intent(intent, one.event)
    return SignatureCheck(one, found, genuine and found == one.event["sender"])
