"""Each time a signing key is opened for an agent's intent, or kept shut from one: for ``audit``.

That a key that was open signed again is in the outcome, and makes no record of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.access import ACCESS_MEANING, AccessReason
from schemas.record import Outgoing
from signer.access import Access, Allowed, Refused
from signer.access_records import Use, access_record
from signer.keys.descriptor import KeyDescriptor
from signer.vaults.vault import Vault


def never() -> int:
    """Count the openings where nothing is ever opened."""
    return 0


class KeyUseRequest(NamedTuple):
    """Who wants a key: an agent, for the intent of that name."""

    agent: str
    intent: str


@dataclass(slots=True)
class KeyAccesses:
    """Notes accesses until they are taken; ``openings`` counts what was opened, or tried to be."""

    openings: Callable[[], int] = never
    at_ms: int = 0
    _noted: list[Outgoing] = field(default_factory=list)

    @contextmanager
    def watching(self, org: str, key: KeyDescriptor, asked: KeyUseRequest) -> Iterator[None]:
        """Note it if the key is opened meanwhile, whether it opens or not."""
        before = self.openings()
        try:
            yield
        finally:
            if self.openings() != before:
                self._note(org, key, asked, Allowed())

    def refuse(self, org: str, key: KeyDescriptor, asked: KeyUseRequest) -> None:
        """Note that no grant lets an agent sign with a key."""
        reason = AccessReason.KEY_NOT_GRANTED
        where = f"{asked.agent}, {key.path} in {key.vault}"
        told = f"{ACCESS_MEANING[reason].removesuffix('.')}: {where}"
        self._note(org, key, asked, Refused(reason, told))

    def drain(self) -> list[Outgoing]:
        """Return, once, the records of what was noted."""
        drained, self._noted = self._noted, []
        return drained

    def _note(self, org: str, key: KeyDescriptor, asked: KeyUseRequest, access: Access) -> None:
        use = Use(
            # An intent may open its key more than once: after a restart, or when it lay too long.
            request=f"{asked.intent}/sign/{self.at_ms}",
            org=org,
            vault=Vault(key.account, key.vault, key.provisioned.mode),
            path=key.path,
            version=key.version,
            operation="sign",
            actor=asked.agent,
            client_address="",
            at_ms=self.at_ms,
        )
        self._noted.append(access_record(use, access))
