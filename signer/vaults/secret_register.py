"""Which secrets exist that are no signing keys: folded from the signer's events on ``vault``; pure.

A version never changes, and a path keeps its kind for ever: nobody makes a private key readable by
calling it something else.
"""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import MalformedError, decode_as
from schemas.dsse import Envelope
from schemas.vault_events import (
    Rewrap,
    SecretOrder,
    SecretStored,
    vault_answer_id,
)
from signer.access import Target
from signer.keys.orders import KeyOrderError
from signer.registry import Registry
from signer.signer_events import open_admin_order, require_answer_signature
from signer.vaults.orders import read_vault_order
from signer.vaults.rewraps import apply_rewrap, verify_rewrap
from signer.vaults.vault import Vault, VaultId, VersionId
from signer.vaults.wrapping_fields import sealed_from
from signer.vaults.wrappings import WrappingError, Wrappings

SecretEvent: TypeAlias = SecretStored | Rewrap
VAULT_VERSIONS_MAX = 100_000
VAULT_BYTES_MAX = 64 * 1024 * 1024
"""What one vault holds: no version is ever deleted, and every signer has all of them in memory."""
SecretId: TypeAlias = tuple[str, str, str]
"""An account, a vault of it, and a path in that."""
_EVENTS: TypeAdapter[SecretEvent] = TypeAdapter(Annotated[SecretEvent, Field(discriminator="type")])


class Used(NamedTuple):
    """What lies in a vault."""

    versions: int = 0
    ciphertext_bytes: int = 0


@dataclass(slots=True)
class SecretRegister:
    """The secrets of all accounts in every version, and how each is wrapped.

    ``used`` says how full vaults are. ``events`` has what was taken, by id, so that the same event
    again changes nothing.
    """

    versions: dict[SecretId, list[SecretStored]] = field(default_factory=dict)
    events: dict[str, SecretEvent] = field(default_factory=dict)
    wrappings: Wrappings = field(default_factory=Wrappings)
    used: dict[VaultId, Used] = field(default_factory=dict)

    def load(self, raw: bytes, registry: Registry) -> None:
        """Take an event.

        Raise ``KeyOrderError`` and stay as before unless it is proven and next.
        """
        try:
            event = decode_as(_EVENTS.validate_json, raw)
        except MalformedError as error:
            raise KeyOrderError(f"the event is malformed ({error})") from None
        if isinstance(event, SecretStored):
            vault = _prove(event, registry)
        else:
            vault = verify_rewrap(event, registry)
        if self.events.get(event.id) == event:
            return
        try:
            self._fold(event, vault)
        except WrappingError as error:
            raise KeyOrderError(str(error)) from None
        self.events[event.id] = event

    def history(self, place: SecretId) -> tuple[SecretStored, ...]:
        """Return the versions of a secret, the first one first."""
        return tuple(self.versions.get(place, ()))

    def check_next(self, order: SecretOrder) -> None:
        """Raise ``KeyOrderError`` unless an order is for the next version, and of the same kind."""
        known = self.history((order.account, order.vault, order.path))
        if order.version != len(known) + 1:
            raise KeyOrderError(
                f"version {order.version} of {order.path} does not follow {len(known)}"
            )
        if known and known[0].kind != order.kind:
            raise KeyOrderError(f"{order.path} is of kind {known[0].kind}, for ever")

    def check_room(self, order: SecretOrder, box_bytes: int) -> None:
        """Raise ``KeyOrderError`` where a vault is full, for a value in a box of that size.

        Else an agent that may write to one path could have signers run out of memory, for ever.
        """
        used = self.used.get((order.account, order.vault), Used())
        full = used.ciphertext_bytes + box_bytes > VAULT_BYTES_MAX
        if full or used.versions >= VAULT_VERSIONS_MAX:
            raise KeyOrderError(
                f"{order.vault} of {order.account} is full, with {used.versions} versions in "
                f"{used.ciphertext_bytes} bytes: make another vault"
            )

    def _fold(self, event: SecretEvent, vault: Vault) -> None:
        if not isinstance(event, SecretStored):
            apply_rewrap(self.wrappings, vault, event)
            return
        self.check_next(read_secret_order(event.request))
        place = VersionId(event.account, event.vault, event.path, event.version)
        sealed = sealed_from(event, bytes.fromhex(event.ciphertext[2:]))
        self.wrappings.check_new(vault, place, sealed)
        self.wrappings.add(vault, place, sealed)
        self.versions.setdefault(place[:3], []).append(event)
        used = self.used.get(vault.place, Used())
        size_bytes = used.ciphertext_bytes + len(sealed.ciphertext)
        self.used[vault.place] = Used(used.versions + 1, size_bytes)


def read_secret_order(request: Envelope) -> SecretOrder:
    """Return the order about a secret in an envelope, whoever signed that.

    Raise ``KeyOrderError``.
    """
    order = read_vault_order(request)
    if not isinstance(order, SecretOrder):
        raise KeyOrderError("the order is about no secret")
    return order


def target_of(stored: SecretStored, vault: Vault) -> Target:
    """Return a version as access to it is judged."""
    return Target(vault, stored.path, stored.kind, stored.generated)


def _prove(event: SecretStored, registry: Registry) -> Vault:
    """Return the vault of a version that a signer made as it was ordered; raise ``KeyOrderError``.

    An admin's order is proven here. An agent's was judged when it was given: its key and its grants
    may be others by now, and the signer's word for it stays.
    """
    order = read_secret_order(event.request)
    require_answer_signature(event, order, registry)
    if order.agent is None:
        open_admin_order(event.request, registry)
    vault = registry.vaults.get((event.account, event.vault))
    if vault is None or vault.holds_keys:
        raise KeyOrderError(f"{event.account} has no vault {event.vault} for secrets")
    _check_ordered(event, order, registry.org)
    client = event.client_share is not None
    if event.mode != vault.mode or vault.plan.needs_client is not client:
        raise KeyOrderError(f"the version is not of mode {vault.mode}, as its vault is")
    return vault


def _check_ordered(event: SecretStored, order: SecretOrder, org: str) -> None:
    ordered = (order.org, order.account, order.vault, order.path, order.version, order.kind)
    given = (org, event.account, event.vault, event.path, event.version, event.kind)
    if ordered != given or event.generated is not (order.box is None):
        raise KeyOrderError("the version is another than was ordered")
    if event.id != vault_answer_id(event.request.body()):
        raise KeyOrderError("the event's id is not its order's")
