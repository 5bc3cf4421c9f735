"""Signing keys as agents' intents use them: opened, on record, or shut with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.client_share import ClientShare
from schemas.reasons import Reason
from signer.custody.errors import ClientShareMissingError, CorruptError, CustodyError
from signer.ethereum.signing import DigestSigner
from signer.keys.accesses import Asked, KeyAccesses
from signer.keys.descriptor import KeyDescriptor

UseShared: TypeAlias = Callable[[KeyDescriptor, str, ClientShare], DigestSigner]
"""How a key is opened with the share that an agent's intent brought."""


def no_shares(_key: KeyDescriptor, _agent: str, _share: ClientShare) -> DigestSigner:
    """Open nothing: for a stage whose keys no client holds a share of."""
    raise ClientShareMissingError("This signer takes no client's share.")


@dataclass(slots=True)
class KeyUse:
    """Opens keys, and notes each time; one whose holders failed stays shut for a batch."""

    use_key: Callable[[KeyDescriptor], DigestSigner]
    use_shared: UseShared = no_shares
    accesses: KeyAccesses = field(default_factory=KeyAccesses)
    _shut: set[tuple[str, str, int]] = field(default_factory=set)

    def begin(self, at_ms: int) -> None:
        """Begin a batch: every key may be tried again."""
        self._shut.clear()
        self.accesses.at_ms = at_ms

    def open(
        self, org: str, key: KeyDescriptor, asked: Asked, share: ClientShare | None
    ) -> DigestSigner:
        """Return what signs with a key; raise ``CustodyError`` where it does not open."""
        with self.accesses.watching(org, key, asked):
            return self.use_key(key) if share is None else self.use_shared(key, asked.agent, share)

    def problem(
        self, org: str, key: KeyDescriptor, asked: Asked, share: ClientShare | None
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
