"""Outcomes in the ledger whose signature is verified against the signers' keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import orjson

from schemas.canonical import canonical_bytes
from schemas.redaction import REDACTED_FIELDS, redacted, signed_part
from signer.core.signatures import signature_is_valid
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.queries import OutcomeRow, firsts_of, newest_outcomes, outcomes_of

SignerKeys: TypeAlias = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """A verified outcome as the ledger has it, and the place of the whole one on ``outcomes``.

    The ledger has digests of redacted fields. They are no values: ``whole`` takes these from the
    record, and ``without_redacted`` leaves them out.
    """

    _body: bytes
    partition: int
    offset: int

    def whole(self, value: bytes) -> dict[str, Any] | None:
        """Return the outcome in a record; None if it is not this one."""
        try:
            event: dict[str, Any] = orjson.loads(value)
            return event if canonical_bytes(redacted(event)) == self._body else None
        except (ValueError, TypeError, AttributeError):
            return None

    def without_redacted(self) -> dict[str, Any]:
        """Return the outcome without the fields of which the ledger has only digests."""
        event: dict[str, Any] = orjson.loads(self._body)
        gone = REDACTED_FIELDS.get(str(event["type"]), ())
        return {name: value for name, value in event.items() if name not in gone}


class VerifiedOutcomes(NamedTuple):
    """One ledger's outcomes, and all public keys (hex) that each signer ever had, by its name.

    Outcomes signed with a rotated key stay valid, so that a signer with a new key decides nothing
    twice.
    """

    clickhouse: ClickHouse
    signer_keys: SignerKeys

    def newest_sequences(
        self, accounts: Sequence[str], signer_keys: SignerKeys | None = None
    ) -> dict[str, int]:
        """Return the sequence of the newest outcome of each account that has one.

        With ``signer_keys``, only outcomes signed with these keys count.
        """
        by = self if signer_keys is None else self._replace(signer_keys=signer_keys)
        newest = newest_outcomes(self.clickhouse, accounts, by.is_verified)
        return {account: orjson.loads(body)["sequence"] for account, body in newest.items()}

    def newest_sequence(self, account: str) -> int:
        """Return the sequence of an account's newest outcome, or 0."""
        return self.newest_sequences([account]).get(account, 0)

    def outcomes(self, intents: Sequence[str]) -> dict[str, "RecordedOutcome"]:
        """Return the outcome of each intent that has one, by the intent's digest.

        An intent that repeats the request of another one shares that one's outcome.
        """
        found = outcomes_of(self.clickhouse, intents, self.is_verified)
        for intent in intents:
            if intent not in found and (row := self._shared(intent)) is not None:
                found[intent] = row
        return {intent: RecordedOutcome(*row) for intent, row in found.items()}

    def _shared(self, intent: str) -> OutcomeRow | None:
        firsts = list(firsts_of(self.clickhouse, intent))
        found = outcomes_of(self.clickhouse, firsts, self.is_verified) if firsts else {}
        return next((found[first] for first in firsts if first in found), None)

    def has_outcome(self, intent: str) -> bool:
        """Tell whether the intent already has an outcome, its own or a shared one."""
        return bool(self.outcomes([intent]))

    def is_verified(self, body: bytes) -> bool:
        """Tell whether a redacted outcome carries a valid signature of the signer it names."""
        event = orjson.loads(body)
        keys = self.signer_keys.get(str(event.get("signer")), ())
        try:
            signature = bytes.fromhex(str(event.get("signature", ""))[2:])
        except ValueError:
            return False
        signed = signed_part(event)
        return any(signature_is_valid(key, signature, signed) for key in keys)
