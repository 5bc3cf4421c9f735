"""Use of signing keys by intents: opens a key and records the access, or returns why it cannot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from schemas.intents.intent_parts import ClientShare
from schemas.intents.reasons import Reason
from schemas.record import Outgoing
from signer.core.ethereum.signing import DigestSigner
from signer.custody.errors import ClientShareMissingError, CorruptError, CustodyError
from signer.keys.accesses import KeyAccesses, KeyUseRequest
from signer.keys.descriptor import KeyDescriptor


class OpenedKey(DigestSigner, Protocol):
    """A key that is open; ``opened`` is whether it was opened for this use."""

    @property
    def opened(self) -> bool:
        """Whether holders were asked for it now."""
        ...


OpenKey: TypeAlias = Callable[[KeyDescriptor, str, ClientShare | None], OpenedKey]
"""Opens a key for an agent, with the client share of its intent; raises ``CustodyError``."""


@dataclass(slots=True)
class KeyUse:
    """Opens keys and records it; a key is not retried in a batch after its holders failed."""

    open_key: OpenKey
    _accesses: KeyAccesses = field(default_factory=KeyAccesses)
    _unavailable: set[tuple[str, str, int]] = field(default_factory=set)

    def begin(self, at_ms: int) -> None:
        """Begin a batch or a recovery at a time in ms: every key may be retried."""
        self._unavailable.clear()
        self._accesses.at_ms = at_ms

    def open(
        self, org: str, key: KeyDescriptor, request: KeyUseRequest, share: ClientShare | None
    ) -> DigestSigner:
        """Return a signer for a key; raise ``CustodyError`` if the key does not open."""
        try:
            opened = self.open_key(key, request.agent, share)
        except CustodyError:
            # A failed attempt is an access too: it may be a guess at a client share.
            self._accesses.record_opening(org, key, request)
            raise
        if opened.opened:
            self._accesses.record_opening(org, key, request)
        return opened

    def problem(
        self, org: str, key: KeyDescriptor, request: KeyUseRequest, share: ClientShare | None
    ) -> Reason | None:
        """Return why a key does not open; None once it is open.

        A key is not retried within a batch after its holders failed: each attempt may take the full
        timeout of its holders, and all other intents wait for it.
        """
        version = (key.account, key.path, key.version)
        if version in self._unavailable:
            return Reason.KEY_UNAVAILABLE
        try:
            self.open(org, key, request, share)
        except ClientShareMissingError:
            return Reason.CLIENT_SHARE_MISSING
        except CorruptError:
            return Reason.CLIENT_SHARE_WRONG if share else Reason.KEY_UNAVAILABLE
        except CustodyError:
            self._unavailable.add(version)
            return Reason.KEY_UNAVAILABLE
        return None

    def record_refusal(self, org: str, key: KeyDescriptor, request: KeyUseRequest) -> None:
        """Record that no grant lets an agent sign with a key."""
        self._accesses.record_refusal(org, key, request)

    def drain(self) -> list[Outgoing]:
        """Return and clear the audit records."""
        return self._accesses.drain()
