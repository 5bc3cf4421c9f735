"""Outcomes that the ledger holds and a signer really made."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from schemas.gating import signed_part
from signer.signatures import proves
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.lookups import newest_outcomes, outcome_of


class ProvenOutcomes(NamedTuple):
    """One ledger's outcomes, and the hex public key they must be signed with."""

    clickhouse: ClickHouse
    signer_key: str

    def newest_sequences(self, accounts: Sequence[str]) -> dict[str, int]:
        """Return the sequence of each account's newest outcome, of those that have one."""
        newest = newest_outcomes(self.clickhouse, accounts, self.proved)
        return {account: orjson.loads(body)["sequence"] for account, body in newest.items()}

    def outcome(self, intent: str) -> dict[str, Any] | None:
        """Return an intent's outcome with gated fields as digests, if the ledger has it."""
        body = outcome_of(self.clickhouse, intent, self.proved)
        return orjson.loads(body) if body else None

    def has_outcome(self, intent: str) -> bool:
        """Tell whether an intent ended before."""
        return self.outcome(intent) is not None

    def proved(self, body: bytes) -> bool:
        """Tell whether the signer made a gated outcome."""
        event = orjson.loads(body)
        try:
            signature = bytes.fromhex(str(event.get("signature", ""))[2:])
        except ValueError:
            return False
        return proves(self.signer_key, signature, signed_part(event))
