"""Register of signing keys; a fold of the signer's answers to orders."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from schemas.keys.key_events import (
    AnyAnswer,
    AnyOrder,
    KeyDeactivated,
    KeyDeactivation,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
)
from signer.core.key_ref import KeyRef, KeyState
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.custody_modes import PLANS
from signer.keys.answers import check_matches_order
from signer.keys.descriptor import KeyDescriptor, key_version_id, sealed_key
from signer.keys.orders import KeyOrderError, check_validity
from signer.keys.vaults.wrappings import Wrappings

AccountPath: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class KeyRegister:
    """All versions of the keys of all accounts, and how each is wrapped.

    A path is unique within its account, an address over all accounts and versions. ``by_path`` has
    the newest version of every key. ``ordered_at_ms`` is the time of the newest executed order
    about each key.
    """

    by_path: dict[AccountPath, KeyDescriptor] = field(default_factory=dict)
    versions: dict[AccountPath, list[KeyDescriptor]] = field(default_factory=dict)
    by_address: dict[str, AccountPath] = field(default_factory=dict)
    wrappings: Wrappings = field(default_factory=Wrappings)
    ordered_at_ms: dict[AccountPath, int] = field(default_factory=dict)

    def find(self, account: str, path: str) -> KeyDescriptor | None:
        """Return the newest version of the key of an account at a path, in any state."""
        return self.by_path.get((account, path))

    def reference(self, account: str, path: str) -> KeyRef | None:
        """Return a reference to what ``find`` returns."""
        found = self.find(account, path)
        return found.ref if found else None

    def version(self, account: str, path: str, version: int) -> KeyDescriptor | None:
        """Return one version of a key, in any state."""
        versions = self.versions.get((account, path), [])
        return versions[version - 1] if 0 < version <= len(versions) else None

    def all(self) -> Iterator[KeyDescriptor]:
        """Yield every version of every key; the versions of a key in order."""
        return chain.from_iterable(self.versions.values())

    def newest_answer(self, order: AnyOrder) -> KeyProvisioned | None:
        """Return the answer that created the newest key at an order's path."""
        newest = self.find(order.account, order.path)
        return newest.provisioned if newest else None

    def check_possible(self, order: AnyOrder) -> None:
        """Raise ``KeyOrderError`` if the order does not fit the current state of its key."""
        newest = self.find(order.account, order.path)
        match order:
            case KeyRequest() | KeyImport() if newest:
                raise KeyOrderError(
                    f"{order.account} already has a key at {order.path}: rotate it, or choose "
                    "another path"
                )
            case KeyImport() if order.address in self.by_address:
                raise KeyOrderError(f"the address {order.address} already belongs to a key")
            case KeyRotation() | KeyDeactivation():
                _check_newest(order, newest)

    def check_timely(self, order: AnyOrder, now_ms: int) -> None:
        """Raise ``KeyOrderError`` for an expired or early order, and for an overtaken rotation.

        Otherwise an attacker who transports orders could hold a rotation back until the key is
        deactivated, and reactivate the path with it.
        """
        check_validity(order, now_ms)
        carried_out_ms = self.ordered_at_ms.get((order.account, order.path), 0)
        if isinstance(order, KeyRotation) and order.requested_at_ms < carried_out_ms:
            raise KeyOrderError(
                f"a later order about the key at {order.path} was already executed: order again "
                "if you still want this rotation"
            )

    def apply(self, answer: AnyAnswer, order: AnyOrder, registry: Registry) -> None:
        """Apply the answer to an order, both verified.

        Raises ``KeyOrderError`` or ``WrappingError`` and changes nothing unless the order was
        possible in the state before it, and the answer is exactly what was ordered.
        """
        self.check_possible(order)
        check_matches_order(answer, order, self.newest_answer(order))
        if isinstance(answer, KeyProvisioned):
            vault = vault_of_keys(registry, answer)
            self._check_new(answer, vault)
            self.wrappings.add(vault, key_version_id(answer), sealed_key(answer))
        self._fold(answer, order)

    def _check_new(self, answer: KeyProvisioned, vault: Vault) -> None:
        if answer.address in self.by_address:
            raise KeyOrderError(f"the address {answer.address} already belongs to a key")
        if answer.mode != vault.mode:
            raise KeyOrderError(f"the answer has mode {answer.mode}, but its vault {vault.mode}")
        if PLANS[vault.mode].needs_client is not (answer.client_share is not None):
            verb = "lacks the" if PLANS[vault.mode].needs_client else "has a"
            raise KeyOrderError(f"the answer {verb} client share, unlike mode {vault.mode}")
        self.wrappings.check_new(vault, key_version_id(answer), sealed_key(answer))

    def _fold(self, answer: AnyAnswer, order: AnyOrder) -> None:
        account_path, imported = (answer.account, answer.path), isinstance(order, KeyImport)
        versions = self.versions.setdefault(account_path, [])
        if isinstance(answer, KeyDeactivated):
            versions[-1] = replace(versions[-1], state=KeyState.DEACTIVATED)
        else:
            if versions and versions[-1].active:
                versions[-1] = replace(versions[-1], state=KeyState.ROTATED)
            key = KeyDescriptor(
                *account_path,
                answer.version,
                answer.address,
                answer.chain,
                answer.vault,
                imported=imported,
                provisioned=answer,
            )
            versions.append(key)
            self.by_address[answer.address] = account_path
        self.by_path[account_path] = versions[-1]
        self.ordered_at_ms[account_path] = max(
            order.requested_at_ms, self.ordered_at_ms.get(account_path, 0)
        )


def vault_of_keys(registry: Registry, answer: KeyProvisioned) -> Vault:
    """Return the vault that holds a key; raise ``KeyOrderError`` if it is not a vault for keys."""
    vault = registry.vaults.get((answer.account, answer.vault))
    if vault is None or not vault.holds_keys:
        raise KeyOrderError(f"{answer.account} has no vault {answer.vault} for keys")
    return vault


def _check_newest(order: KeyRotation | KeyDeactivation, newest: KeyDescriptor | None) -> None:
    if newest is None:
        raise KeyOrderError(f"{order.account} has no key at {order.path}")
    if newest.version != order.version:
        raise KeyOrderError(f"the newest version of {order.path} is {newest.version}")
    if isinstance(order, KeyDeactivation) and not newest.active:
        raise KeyOrderError(f"the key at {order.path} is already deactivated")
