"""Signing keys as agents' intents use them: opened, on record, or shut with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.client_share import ClientShare
from schemas.reasons import Reason
from schemas.record import Outgoing
from signer.custody.errors import ClientShareMissingError, CorruptError, CustodyError
from signer.ethereum.signing import DigestSigner
from signer.keys.accesses import KeyAccesses, KeyUseRequest
from signer.keys.descriptor import KeyDescriptor

OpenKey: TypeAlias = Callable[[KeyDescriptor, str, ClientShare | None], DigestSigner]
"""Opens a key for an agent, with the share that its intent brought; raises ``CustodyError``."""


@dataclass(slots=True)
class KeyUse:
    """Opens keys, and notes each time; one whose holders failed stays shut for a batch."""

    open_key: OpenKey
    _accesses: KeyAccesses = field(default_factory=KeyAccesses)
    _shut: set[tuple[str, str, int]] = field(default_factory=set)

    def begin(self, at_ms: int) -> None:
        """Begin a batch or a recovery at a time in ms: every key may be tried again."""
        self._shut.clear()
        self._accesses.at_ms = at_ms

    def open(
        self, org: str, key: KeyDescriptor, asked: KeyUseRequest, share: ClientShare | None
    ) -> DigestSigner:
        """Return what signs with a key; raise ``CustodyError`` where it does not open."""
        with self._accesses.watching(org, key, asked):
            return self.open_key(key, asked.agent, share)

    def problem(
        self, org: str, key: KeyDescriptor, asked: KeyUseRequest, share: ClientShare | None
    ) -> Reason | None:
        """Return why a key does not open; None once it is open.

        One whose holders failed is not tried again in a batch: each try may take their whole time,
        and everybody else waits for it.
        """
        place = (key.account, key.path, key.version)
        if place in self._shut:
            return Reason.KEY_UNAVAILABLE
        try:
            self.open(org, key, asked, share)
        except ClientShareMissingError:
            return Reason.CLIENT_SHARE_MISSING
        except CorruptError:
            return Reason.CLIENT_SHARE_WRONG if share else Reason.KEY_UNAVAILABLE
        except CustodyError:
            self._shut.add(place)
            return Reason.KEY_UNAVAILABLE
        return None

    def refuse(self, org: str, key: KeyDescriptor, asked: KeyUseRequest) -> None:
        """Note that no grant lets an agent sign with a key."""
        self._accesses.refuse(org, key, asked)

    def drain(self) -> list[Outgoing]:
        """Return, once, the records of what was noted."""
        return self._accesses.drain()
