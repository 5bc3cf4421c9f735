"""Outcomes in the ledger whose signature is verified against the signers' keys."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import orjson

from schemas.redaction import signed_part
from signer.core.signatures import signature_is_valid
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.queries import firsts_of, newest_outcomes, outcome_of

SignerKeys: TypeAlias = Mapping[str, Collection[str]]


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

    def outcome(self, intent: str) -> dict[str, Any] | None:
        """Return an intent's outcome with redacted fields as digests, or None.

        An intent that repeats the request of another one shares that one's outcome.
        """
        names = chain([intent], firsts_of(self.clickhouse, intent))
        bodies = (outcome_of(self.clickhouse, name, self.is_verified) for name in names)
        body = next(filter(None, bodies), None)
        return orjson.loads(body) if body else None

    def has_outcome(self, intent: str) -> bool:
        """Tell whether the intent already has an outcome, its own or a shared one."""
        return self.outcome(intent) is not None

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
