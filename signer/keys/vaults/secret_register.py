"""Register of secrets that are not signing keys; a pure fold of the signer's events on ``vault``.

A version never changes, and a path never changes its kind: otherwise a private key could be made
readable by declaring it a secret of another kind.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from schemas.dsse import Envelope
from schemas.keys.vault_events import SecretOrder, SecretStored, vault_answer_id
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault, VaultId
from signer.custody.custody_modes import PLANS
from signer.keys.access import Target
from signer.keys.orders import KeyOrderError
from signer.keys.signer_events import open_admin_order, require_answer_signature
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.orders import read_vault_order
from signer.keys.vaults.wrappings import Wrappings, sealed_from

VAULT_VERSIONS_MAX = 100_000
VAULT_BYTES_MAX = 64 * 1024 * 1024
"""Limits of one vault: no version is ever deleted, and every signer keeps all of them in memory."""
SecretId: TypeAlias = tuple[str, str, str]
"""Account, vault and path of a secret."""


class VaultUsage(NamedTuple):
    """How much a vault holds."""

    versions: int = 0
    ciphertext_bytes: int = 0


@dataclass(slots=True)
class SecretRegister:
    """All versions of the secrets of all accounts, and how each is wrapped.

    ``used`` is the fill of each vault.
    """

    versions: dict[SecretId, list[SecretStored]] = field(default_factory=dict)
    wrappings: Wrappings = field(default_factory=Wrappings)
    used: dict[VaultId, VaultUsage] = field(default_factory=dict)

    def history(self, secret_id: SecretId) -> tuple[SecretStored, ...]:
        """Return the versions of a secret, oldest first."""
        return tuple(self.versions.get(secret_id, ()))

    def check_next(self, order: SecretOrder) -> None:
        """Raise ``KeyOrderError`` unless an order is for the next version, of the same kind."""
        known = self.history((order.account, order.vault, order.path))
        if order.version != len(known) + 1:
            raise KeyOrderError(
                f"version {order.version} of {order.path} does not follow {len(known)}"
            )
        if known and known[0].kind != order.kind:
            raise KeyOrderError(
                f"{order.path} is of kind {known[0].kind}, which cannot be changed: use another "
                "path"
            )

    def check_room(self, order: SecretOrder, box_bytes: int) -> None:
        """Raise ``KeyOrderError`` if a vault has no room for a sealed value of that size.

        Otherwise an agent with write access to one path could exhaust the memory of all signers.
        """
        used = self.used.get((order.account, order.vault), VaultUsage())
        full = used.ciphertext_bytes + box_bytes > VAULT_BYTES_MAX
        if full or used.versions >= VAULT_VERSIONS_MAX:
            raise KeyOrderError(
                f"{order.vault} of {order.account} is full, with {used.versions} versions in "
                f"{used.ciphertext_bytes} bytes: create another vault"
            )

    def apply(self, event: SecretStored, vault: Vault) -> None:
        """Apply a verified version.

        Raises ``KeyOrderError`` or ``WrappingError`` and changes nothing unless it is the next one.
        """
        self.check_next(read_secret_order(event.request))
        version_id = VersionId(event.account, event.vault, event.path, event.version)
        sealed = sealed_from(event, bytes.fromhex(event.ciphertext[2:]))
        self.wrappings.check_new(vault, version_id, sealed)
        self.wrappings.add(vault, version_id, sealed)
        self.versions.setdefault(version_id[:3], []).append(event)
        used = self.used.get(vault.id, VaultUsage())
        size_bytes = used.ciphertext_bytes + len(sealed.ciphertext)
        self.used[vault.id] = VaultUsage(used.versions + 1, size_bytes)


def read_secret_order(request: Envelope) -> SecretOrder:
    """Return the secret order in an envelope without verifying its signature.

    Raises ``KeyOrderError``.
    """
    order = read_vault_order(request)
    if not isinstance(order, SecretOrder):
        raise KeyOrderError("the order is not for a secret")
    return order


def target_of(stored: SecretStored, vault: Vault, *, signs: bool) -> Target:
    """Return a version as the target of an access decision; ``signs`` as ``Target`` has it."""
    return Target(vault, stored.path, stored.kind, stored.generated, signs)


def verify_stored(event: SecretStored, registry: Registry) -> Vault:
    """Return the vault of a version that a signer made as ordered; raise ``KeyOrderError``.

    An admin's order is verified here. An agent's order is not: its key and grants may have changed
    since the signer authorized it, so the signer's signature is the proof.
    """
    order = read_secret_order(event.request)
    require_answer_signature(event, order, registry)
    if order.agent is None:
        open_admin_order(event.request, registry, scoped=True)
    vault = registry.vaults.get((event.account, event.vault))
    if vault is None or vault.holds_keys:
        raise KeyOrderError(f"{event.account} has no vault {event.vault} for secrets")
    _check_ordered(event, order, registry.org)
    client = event.client_share is not None
    if event.mode != vault.mode or PLANS[vault.mode].needs_client is not client:
        raise KeyOrderError(f"the version does not have its vault's mode {vault.mode}")
    return vault


def _check_ordered(event: SecretStored, order: SecretOrder, org: str) -> None:
    expected = (order.org, order.account, order.vault, order.path, order.version, order.kind)
    actual = (org, event.account, event.vault, event.path, event.version, event.kind)
    if expected != actual or event.generated is not (order.box is None):
        raise KeyOrderError("the version does not match its order")
    if event.id != vault_answer_id(event.request.body()):
        raise KeyOrderError("the event's id does not match its order")
