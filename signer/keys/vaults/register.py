"""Register of the ``vault`` topic: keys, secrets, their wrapping keys, share keys; a pure fold."""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from schemas.canonical import MalformedError, digest
from schemas.keys.vault_events import ShareKeyAnnounced, announcement_id
from schemas.registry.custody import AGENT_KEYS, KEY_VAULTS
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.keys.orders import KeyOrderError
from signer.keys.register import KeyRegister
from signer.keys.signer_events import require_signer_event, signed_by_active_key
from signer.keys.vaults.secret_register import SecretRegister
from signer.keys.vaults.wrappings import Wrappings

_ANNOUNCED = "share.key.announced"


@dataclass(slots=True)
class VaultRegister:
    """Everything that signers published on ``vault``; each event goes to the register of its vault.

    ``share_keys`` maps an account to the share key that was announced last; ``announced`` maps
    event ids to all announcements.
    """

    keys: KeyRegister = field(default_factory=KeyRegister)
    secrets: SecretRegister = field(default_factory=SecretRegister)
    share_keys: dict[str, ShareKeyAnnounced] = field(default_factory=dict)
    announced: dict[str, ShareKeyAnnounced] = field(default_factory=dict)
    _digest: tuple[int, str] | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """The number of loaded events."""
        return len(self.keys.answers) + len(self.secrets.events) + len(self.announced)

    def digest(self) -> str:
        """Return a digest of all events that does not depend on their order.

        A signer that dies before it commits answers the order again. So two validly signed answers
        may exist, of which only one is on the topic, and ``count`` cannot distinguish them.
        """
        if self._digest is None or self._digest[0] != self.count:
            every = (self.keys.answers, self.secrets.events, self.announced)
            events = chain.from_iterable(one.items() for one in every)
            each = sorted(f"{name}{event.signature}" for name, event in events)
            self._digest = (self.count, digest("sixgate/vault/v1", "".join(each).encode()))
        return self._digest[1]

    def wrappings_of(self, vault: Vault) -> Wrappings:
        """Return the wrappings of a vault's keys or secrets."""
        return self.keys.wrappings if vault.holds_keys else self.secrets.wrappings

    def sealed_for(self, account: str, registry: Registry) -> ShareKeyAnnounced | None:
        """Return the share key last announced to an account, if an active signer key signed it."""
        newest = self.share_keys.get(account)
        return newest if newest and signed_by_active_key(newest, registry) else None

    def load(self, raw: bytes, registry: Registry) -> None:
        """Load an event; idempotent.

        Raises ``KeyOrderError`` and changes nothing unless the event is verified and the next one.
        """
        kind, vault = _type_and_vault(raw)
        if kind == _ANNOUNCED:
            self._announce(raw, registry)
        elif kind == "secret.stored" or vault not in KEY_VAULTS:
            self.secrets.load(raw, registry)
        else:
            self.keys.load(raw, registry)

    def _announce(self, raw: bytes, registry: Registry) -> None:
        event = _announcement(raw, registry)
        newest = self.share_keys.get(event.account)
        if self.announced.get(event.id) == event:
            return
        if newest and event.version <= newest.version:
            raise KeyOrderError(f"share key {event.version} does not follow {newest.version}")
        self.announced[event.id] = self.share_keys[event.account] = event


def _announcement(raw: bytes, registry: Registry) -> ShareKeyAnnounced:
    try:
        event = ShareKeyAnnounced.decode(raw)
    except MalformedError as error:
        raise KeyOrderError(f"the event is malformed ({error})") from None
    require_signer_event(event, registry)
    if event.id != announcement_id(event.account, event.version, event.public_key):
        raise KeyOrderError("the event's id does not match its share key")
    if event.account not in registry.accounts:
        raise KeyOrderError(f"{event.account} is not an open account of the organisation")
    return event


def _type_and_vault(raw: bytes) -> tuple[object, object]:
    """Return the unverified type and vault of an event; the register that loads it verifies them.

    Only ``key.deactivated`` names no vault, and it is always about a signing key.
    """
    try:
        event: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        raise KeyOrderError("the event is malformed (not a JSON object)")
    return event.get("type"), event.get("vault", AGENT_KEYS)
