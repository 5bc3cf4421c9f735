"""Audit records of custody: KMS calls, and providers that failed while the others sufficed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from schemas.ledger.audit import audited, input_digest
from schemas.record import Outgoing
from signer.custody.errors import ProviderFailure
from signer.custody.kms.journal import JournaledCall, KmsJournal
from signer.keys.vault_paths import VersionId


@dataclass(slots=True)
class CustodyRecords:
    """Builds records in the name of ``actor``; ``run_id`` identifies one run of its process.

    A KMS call has no input that could name it, so its record is named by its number in this run.
    Records that were not committed when a process died are lost; the work that made those calls is
    repeated, with new calls.
    """

    actor: str
    run_id: str
    journal: KmsJournal
    _numbers: "count[int]" = field(default_factory=count)

    def records(
        self, failures: Iterable[tuple[VersionId, ProviderFailure]], at_ms: int
    ) -> list[Outgoing]:
        """Return the records of all KMS calls since the last call, and of ``failures``."""
        calls = [self._call(each) for each in self.journal.drain()]
        return calls + [
            self._failure(version_id, failure, at_ms) for version_id, failure in failures
        ]

    def _call(self, call: JournaledCall) -> Outgoing:
        context = call.context.decode("utf-8", "replace")
        ended = f"failed, {call.failed}" if call.failed else "done"
        return audited(
            "kms.call",
            self._source(),
            input_digest(call.context),
            f"{call.call} by {call.key_id}: {ended}. {context}",
            actor=self.actor,
            at_ms=call.at_ms,
        )

    def _failure(self, version_id: VersionId, failure: ProviderFailure, at_ms: int) -> Outgoing:
        return audited(
            "provider.failed",
            self._source(),
            input_digest(str(version_id).encode()),
            f"{failure.provider} ({failure.cause}), and the others sufficed for {version_id}",
            actor=self.actor,
            at_ms=at_ms,
        )

    def _source(self) -> str:
        return f"custody/{self.run_id}/{next(self._numbers)}"
