"""Outcomes that the ledger holds and a signer really made."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from schemas.redaction import signed_part
from signer.signatures import signature_is_valid
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.queries import newest_outcomes, outcome_of

SignerKeys: TypeAlias = Mapping[str, Collection[str]]


class ProvenOutcomes(NamedTuple):
    """One ledger's outcomes, and all hex public keys that each signer ever had, by its name.

    What it signed with an old key stays true: a signer with a new one decides nothing twice.
    """

    clickhouse: ClickHouse
    signer_keys: SignerKeys

    def newest_sequences(
        self, accounts: Sequence[str], signer_keys: SignerKeys | None = None
    ) -> dict[str, int]:
        """Return the sequence of each account's newest outcome, of those that have one.

        Where ``signer_keys`` are named, of what was signed with these alone.
        """
        by = self if signer_keys is None else self._replace(signer_keys=signer_keys)
        newest = newest_outcomes(self.clickhouse, accounts, by.proved)
        return {account: orjson.loads(body)["sequence"] for account, body in newest.items()}

    def outcome(self, intent: str) -> dict[str, Any] | None:
        """Return an intent's outcome with redacted fields as digests, if the ledger has it."""
        body = outcome_of(self.clickhouse, intent, self.proved)
        return orjson.loads(body) if body else None

    def has_outcome(self, intent: str) -> bool:
        """Tell whether an intent ended before."""
        return self.outcome(intent) is not None

    def proved(self, body: bytes) -> bool:
        """Tell whether the signer that a redacted outcome names made it."""
        event = orjson.loads(body)
        keys = self.signer_keys.get(str(event.get("signer")), ())
        try:
            signature = bytes.fromhex(str(event.get("signature", ""))[2:])
        except ValueError:
            return False
        signed = signed_part(event)
        return any(signature_is_valid(key, signature, signed) for key in keys)
