"""Audit records of signing keys: one for each opening for an intent, and for each refusal.

A signature with a key that is already open is in the outcome, and gets no audit record.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.keys.secret_access import ACCESS_MEANING, AccessReason
from schemas.record import Outgoing
from signer.core.registry.vault import Vault
from signer.keys.access import Access, Allowed, Refused
from signer.keys.access_records import Use, access_record
from signer.keys.descriptor import KeyDescriptor


class KeyUseRequest(NamedTuple):
    """The agent that uses a key, and the digest of its intent."""

    agent: str
    intent: str


@dataclass(slots=True)
class KeyAccesses:
    """Collects audit records until ``drain``."""

    at_ms: int = 0
    _records: list[Outgoing] = field(default_factory=list)

    def record_opening(self, org: str, key: KeyDescriptor, request: KeyUseRequest) -> None:
        """Add a record that an intent had a key opened, successfully or not."""
        self._record(org, key, request, Allowed())

    def record_refusal(self, org: str, key: KeyDescriptor, request: KeyUseRequest) -> None:
        """Add a record that no grant lets an agent sign with a key."""
        reason = AccessReason.KEY_NOT_GRANTED
        where = f"{request.agent}, {key.path} in {key.vault}"
        detail = f"{ACCESS_MEANING[reason].removesuffix('.')}: {where}"
        self._record(org, key, request, Refused(reason, detail))

    def drain(self) -> list[Outgoing]:
        """Return and clear the records."""
        drained, self._records = self._records, []
        return drained

    def _record(self, org: str, key: KeyDescriptor, request: KeyUseRequest, access: Access) -> None:
        use = Use(
            # An intent may open its key again after a restart, or after the key was evicted.
            request=f"{request.intent}/sign/{self.at_ms}",
            org=org,
            vault=Vault(key.account, key.vault, key.provisioned.mode),
            path=key.path,
            version=key.version,
            operation="sign",
            actor=request.agent,
            client_address="",
            at_ms=self.at_ms,
        )
        self._records.append(access_record(use, access))
