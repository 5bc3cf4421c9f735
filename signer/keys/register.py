"""Register of the ``vault`` topic: one index of its events, and a fold of keys and of secrets.

``load`` is the only way in:

1. Decode the event, and verify that a registered signer made it and that it was ordered.
2. An event that is known changes nothing: a replay cannot bring back a former state.
3. The fold of its kind checks that it is possible in the state before it, then applies it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from schemas.canonical import MalformedError, digest
from schemas.keys.key_events import (
    KeyDeactivated,
    KeyProvisioned,
    VaultEvent,
    decode_vault_event,
)
from schemas.keys.vault_events import SecretStored, ShareKeyAnnounced, announcement_id
from signer.core.registry.registry import Registry
from signer.keys.answers import verify_answer
from signer.keys.descriptor import KeyDescriptor
from signer.keys.key_register import KeyRegister
from signer.keys.orders import KeyOrderError
from signer.keys.signer_events import require_signer_event, signed_by_active_key
from signer.keys.vaults.rewraps import apply_rewrap, verify_rewrap
from signer.keys.vaults.secret_register import SecretRegister, verify_stored
from signer.keys.vaults.wrappings import WrappingError, Wrappings


@dataclass(slots=True)
class VaultRegister:
    """Everything that signers published on ``vault``.

    ``events`` maps ids to events: the one answer to each order, rewraps, announcements.
    ``share_keys`` maps an account to the share key that was announced last.
    """

    events: dict[str, VaultEvent] = field(default_factory=dict)
    wrappings: Wrappings = field(default_factory=Wrappings)
    keys: KeyRegister = field(init=False)
    secrets: SecretRegister = field(init=False)
    share_keys: dict[str, ShareKeyAnnounced] = field(default_factory=dict)
    _digest: tuple[int, str] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Let both folds use the same wrappings: vaults for keys and for secrets have own names."""
        self.keys = KeyRegister(wrappings=self.wrappings)
        self.secrets = SecretRegister(wrappings=self.wrappings)

    @property
    def count(self) -> int:
        """The number of loaded events."""
        return len(self.events)

    def digest(self) -> str:
        """Return a digest of all events that does not depend on their order.

        A signer that dies before it commits answers the order again. So two validly signed answers
        may exist, of which only one is on the topic, and ``count`` cannot distinguish them.
        """
        if self._digest is None or self._digest[0] != self.count:
            each = sorted(f"{name}{event.signature}" for name, event in self.events.items())
            self._digest = (self.count, digest("sixgate/vault/v1", "".join(each).encode()))
        return self._digest[1]

    def sealed_for(self, account: str, registry: Registry) -> ShareKeyAnnounced | None:
        """Return the share key last announced to an account, if an active signer key signed it."""
        newest = self.share_keys.get(account)
        return newest if newest and signed_by_active_key(newest, registry) else None

    def answered_key(self, name: str) -> KeyDescriptor | None:
        """Return the version that the answer with this id created or deactivated."""
        answer = self.events.get(name)
        if not isinstance(answer, KeyProvisioned | KeyDeactivated):
            return None
        return self.keys.version(answer.account, answer.path, answer.version)

    def load(self, raw: bytes, registry: Registry) -> None:
        """Load an event; idempotent.

        Raises ``KeyOrderError`` and changes nothing unless the event is verified and the next one.
        """
        try:
            event = decode_vault_event(raw)
        except MalformedError as error:
            raise KeyOrderError(f"the event is malformed ({error})") from None
        # 1.
        apply = self._verified(event, registry)
        # 2.
        if self.events.get(event.id) == event:
            return
        # 3.
        try:
            apply()
        except WrappingError as error:
            raise KeyOrderError(str(error)) from None
        self.events[event.id] = event

    def _verified(self, event: VaultEvent, registry: Registry) -> Callable[[], None]:
        """Verify an event; return what applies it."""
        match event:
            case KeyProvisioned() | KeyDeactivated():
                order = verify_answer(event, registry)
                return partial(self.keys.apply, event, order, registry)
            case SecretStored():
                return partial(self.secrets.apply, event, verify_stored(event, registry))
            case ShareKeyAnnounced():
                _verify_announcement(event, registry)
                return partial(self._announce, event)
        return partial(apply_rewrap, self.wrappings, verify_rewrap(event, registry), event)

    def _announce(self, event: ShareKeyAnnounced) -> None:
        newest = self.share_keys.get(event.account)
        if newest and event.version <= newest.version:
            raise KeyOrderError(f"share key {event.version} does not follow {newest.version}")
        self.share_keys[event.account] = event


def _verify_announcement(event: ShareKeyAnnounced, registry: Registry) -> None:
    require_signer_event(event, registry)
    if event.id != announcement_id(event.account, event.version, event.public_key):
        raise KeyOrderError("the event's id does not match its share key")
    if event.account not in registry.accounts:
        raise KeyOrderError(f"{event.account} is not an open account of the organisation")
