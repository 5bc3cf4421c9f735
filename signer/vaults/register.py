"""All that signers said on ``vault``: keys, other secrets, and what both are sealed under; pure."""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from schemas.canonical import MalformedError, digest
from schemas.custody import AGENT_KEYS, KEY_VAULTS
from schemas.vault_events import ShareKeyAnnounced, announcement_id
from signer.keys.orders import KeyOrderError
from signer.keys.register import KeyRegister
from signer.registry import Registry
from signer.signer_events import require_signer_event, signed_by_active_key
from signer.vaults.secret_register import SecretRegister
from signer.vaults.vault import Vault
from signer.vaults.wrappings import Wrappings

_ANNOUNCED = "share.key.announced"


@dataclass(slots=True)
class VaultRegister:
    """What is known from ``vault``; an event goes to the register whose vault it is about.

    ``share_keys`` has, by account, the share key that was announced last; ``announced`` all of
    them by id.
    """

    keys: KeyRegister = field(default_factory=KeyRegister)
    secrets: SecretRegister = field(default_factory=SecretRegister)
    share_keys: dict[str, ShareKeyAnnounced] = field(default_factory=dict)
    announced: dict[str, ShareKeyAnnounced] = field(default_factory=dict)
    _digest: tuple[int, str] | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """How many events were taken."""
        return len(self.keys.answers) + len(self.secrets.events) + len(self.announced)

    def digest(self) -> str:
        """Name all events together, in whatever order they came.

        A signer that dies before it commits answers an order anew. So there may be two answers
        of which only one counts, both well signed, and their number does not tell them apart.
        """
        if self._digest is None or self._digest[0] != self.count:
            every = (self.keys.answers, self.secrets.events, self.announced)
            events = chain.from_iterable(one.items() for one in every)
            each = sorted(f"{name}{event.signature}" for name, event in events)
            self._digest = (self.count, digest("sixgate/vault/v1", "".join(each).encode()))
        return self._digest[1]

    def wrappings_of(self, vault: Vault) -> Wrappings:
        """Return how what lies in a vault is wrapped."""
        return self.keys.wrappings if vault.holds_keys else self.secrets.wrappings

    def sealed_for(self, account: str, registry: Registry) -> ShareKeyAnnounced | None:
        """Return the share key that an account was told last, if a signer of now stands by it."""
        told = self.share_keys.get(account)
        return told if told and signed_by_active_key(told, registry) else None

    def load(self, raw: bytes, registry: Registry) -> None:
        """Take an event; raise ``KeyOrderError`` and stay as before unless it is proven and next.

        The same event again changes nothing.
        """
        kind, vault = _about(raw)
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
        raise KeyOrderError("the event's id is not that of the share key")
    if event.account not in registry.accounts:
        raise KeyOrderError(f"{event.account} is no open account of the organisation")
    return event


def _about(raw: bytes) -> tuple[object, object]:
    """Return type and vault as an event gives them, to be judged by who takes it.

    Only keys may be told of without a vault: by ``key.deactivated``.
    """
    try:
        event: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        raise KeyOrderError("the event is malformed (no JSON object)")
    return event.get("type"), event.get("vault", AGENT_KEYS)
