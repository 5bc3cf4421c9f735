"""Which keys exist: folded from the signer's answers to operators' requests."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from schemas.canonical import MalformedError
from schemas.keys import (
    AnyAnswer,
    AnyOrder,
    KeyDeactivated,
    KeyDeactivation,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
    VaultEvent,
    decode_vault_event,
)
from schemas.vault_events import Rewrap
from signer.keys.answers import check_matches_order, verify_answer
from signer.keys.descriptor import KeyDescriptor, KeyState, key_version_id, sealed_key
from signer.keys.orders import KeyOrderError, check_in_time
from signer.registry import Registry
from signer.vaults.rewraps import apply_rewrap, verify_rewrap
from signer.vaults.vault import Vault
from signer.vaults.wrappings import WrappingError, Wrappings

Place: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class KeyRegister:
    """The keys of all accounts, in every version, and how each is wrapped.

    A path is taken once per account, an address once at all, over accounts and versions.
    ``by_path`` has the newest version of every key; ``answers`` the one answer to each request,
    and what re-wrapped keys since; ``ordered_at_ms`` when the newest order about a key that was
    carried out was given.
    """

    by_path: dict[Place, KeyDescriptor] = field(default_factory=dict)
    versions: dict[Place, list[KeyDescriptor]] = field(default_factory=dict)
    by_address: dict[str, Place] = field(default_factory=dict)
    answers: dict[str, VaultEvent] = field(default_factory=dict)
    wrappings: Wrappings = field(default_factory=Wrappings)
    ordered_at_ms: dict[Place, int] = field(default_factory=dict)

    def find(self, account: str, path: str) -> KeyDescriptor | None:
        """Return the newest version of the key of an account at a path, whatever its state."""
        return self.by_path.get((account, path))

    def version(self, account: str, path: str, version: int) -> KeyDescriptor | None:
        """Return one version of a key, whatever its state."""
        versions = self.versions.get((account, path), [])
        return versions[version - 1] if 0 < version <= len(versions) else None

    def all(self) -> Iterator[KeyDescriptor]:
        """Yield every version of every key, a key's in order."""
        return chain.from_iterable(self.versions.values())

    def answered(self, name: str) -> KeyDescriptor | None:
        """Return the version that an answer, by its id, made or ended."""
        answer = self.answers.get(name)
        if not isinstance(answer, KeyProvisioned | KeyDeactivated):
            return None
        return self.version(answer.account, answer.path, answer.version)

    def load(self, raw: bytes, registry: Registry) -> None:
        """Take an event from ``vault``: an answer to an order, or how something is wrapped anew.

        Raises ``KeyOrderError`` unless a registered signer answered an admin's order, with exactly
        what was ordered, and the order was possible when the answer came. The same event again
        changes nothing, so that no old one brings back what came before a newer one.
        """
        try:
            event = decode_vault_event(raw)
        except MalformedError as error:
            raise KeyOrderError(f"the event is malformed ({error})") from None
        if isinstance(event, KeyProvisioned | KeyDeactivated):
            self._take(event, registry)
        else:
            self._rewrap(event, registry)

    def wrapped_kek(self, account: str, vault: str) -> bytes | None:
        """Return the wrapped key of an account's vault, once it has one."""
        return self.wrappings.wrapped_kek((account, vault))

    def newest_answer(self, order: AnyOrder) -> KeyProvisioned | None:
        """Return what made the key that stands at an order's path."""
        newest = self.find(order.account, order.path)
        return newest.provisioned if newest else None

    def check_possible(self, order: AnyOrder) -> None:
        """Raise ``KeyOrderError`` if a key does not stand as the order supposes."""
        newest = self.find(order.account, order.path)
        match order:
            case KeyRequest() | KeyImport() if newest:
                raise KeyOrderError(
                    f"{order.account} has a key at {order.path} already: it is taken"
                )
            case KeyImport() if order.address in self.by_address:
                raise KeyOrderError(f"the address {order.address} is taken already")
            case KeyRotation() | KeyDeactivation():
                _check_newest(order, newest)

    def check_timely(self, order: AnyOrder, now_ms: int) -> None:
        """Raise ``KeyOrderError`` for an expired or early order, and for an overtaken rotation.

        Who carries orders could hold a rotation back until the key was deactivated, and with it
        have the path sign again.
        """
        check_in_time(order, now_ms)
        carried_out_ms = self.ordered_at_ms.get((order.account, order.path), 0)
        if isinstance(order, KeyRotation) and order.requested_at_ms < carried_out_ms:
            raise KeyOrderError(
                f"a later order about the key at {order.path} was carried out before: "
                "give this one again if it is still meant"
            )

    def _take(self, answer: AnyAnswer, registry: Registry) -> None:
        order = verify_answer(answer, registry)
        if self.answers.get(answer.id) == answer:
            return
        self.check_possible(order)
        check_matches_order(answer, order, self.newest_answer(order))
        if isinstance(answer, KeyProvisioned):
            vault = vault_of_keys(registry, answer)
            self._check_new(answer, vault)
            self.wrappings.add(vault, key_version_id(answer), sealed_key(answer))
        self._fold(answer, order)

    def _rewrap(self, event: Rewrap, registry: Registry) -> None:
        vault = verify_rewrap(event, registry)
        if self.answers.get(event.id) != event:
            try:
                apply_rewrap(self.wrappings, vault, event)
            except WrappingError as error:
                raise KeyOrderError(str(error)) from None
            self.answers[event.id] = event

    def _check_new(self, answer: KeyProvisioned, vault: Vault) -> None:
        if answer.address in self.by_address:
            raise KeyOrderError(f"the address {answer.address} is taken already")
        if answer.mode != vault.mode:
            raise KeyOrderError(f"the answer is of mode {answer.mode}, and its vault {vault.mode}")
        if vault.plan.needs_client is not (answer.client_share is not None):
            raise KeyOrderError(f"a client's share is not what mode {vault.mode} says")
        try:
            self.wrappings.check_new(vault, key_version_id(answer), sealed_key(answer))
        except WrappingError as error:
            raise KeyOrderError(str(error)) from None

    def _fold(self, answer: AnyAnswer, order: AnyOrder) -> None:
        place, imported = (answer.account, answer.path), isinstance(order, KeyImport)
        versions = self.versions.setdefault(place, [])
        if isinstance(answer, KeyDeactivated):
            versions[-1] = replace(versions[-1], state=KeyState.DEACTIVATED)
        else:
            if versions and versions[-1].active:
                versions[-1] = replace(versions[-1], state=KeyState.ROTATED)
            key = KeyDescriptor(*place, answer.version, answer.address, answer, imported=imported)
            versions.append(key)
            self.by_address[answer.address] = place
        self.by_path[place] = versions[-1]
        self.answers[answer.id] = answer
        self.ordered_at_ms[place] = max(order.requested_at_ms, self.ordered_at_ms.get(place, 0))


def vault_of_keys(registry: Registry, answer: KeyProvisioned) -> Vault:
    """Return the vault that a key is in; raise ``KeyOrderError`` for one that has no keys."""
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
        raise KeyOrderError(f"the key at {order.path} is deactivated already")
