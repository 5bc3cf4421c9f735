"""How the data keys of secrets are wrapped right now: a fold that goes one way; pure.

What was sealed stays as it is; the keys above it change. Every change is counted, and one that is
not the next is refused, so that no old event brings a former wrapping, KEK or root back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from schemas.provider_roots import ProviderRootChanged
from schemas.recovery import SecretRecovered
from schemas.vault_events import SecretRewrapped, VaultKeyChanged
from signer.custody.envelope import SealedSecret
from signer.vaults.vault import Vault, VaultId, VersionId
from signer.vaults.vault_key import VaultKey
from signer.vaults.wrapping_fields import sealed_from


class WrappingError(ValueError):
    """A wrapping that does not continue what is known of the vault; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Held:
    """A version as it was sealed and last wrapped, and how often that was done again."""

    sealed: SealedSecret
    sequence: int = 0


@dataclass(slots=True)
class ShareMove:
    """On the way of a provider's shares to its root key of this name; ``left`` are not there yet.

    ``changes`` counts the provider's new roots in the vault. What is sealed meanwhile is there.
    """

    changes: int
    kms_key: str
    left: set[VersionId]


@dataclass(slots=True)
class Wrappings:
    """The keys of vaults and of the versions in them, as the newest events leave them.

    ``recovery_ms`` says when the newest order was given that replaced a client's share.
    """

    keys: dict[VaultId, VaultKey] = field(default_factory=dict)
    versions: dict[VersionId, Held] = field(default_factory=dict)
    moves: dict[tuple[VaultId, str], ShareMove] = field(default_factory=dict)
    recovery_ms: dict[VersionId, int] = field(default_factory=dict)

    def wrapped_kek(self, place: VaultId) -> bytes | None:
        """Return the wrapped KEK under which the next version is sealed, once there is one."""
        key = self.keys.get(place)
        return key.current if key else None

    def sealed(self, place: VersionId) -> SealedSecret | None:
        """Return a version as it opens now, whatever became of the keys above it since."""
        held = self.versions.get(place)
        if held is None or not held.sealed.wrapped_kek:
            return held.sealed if held else None
        key = self.keys[place.account, place.vault]
        wrapped_kek = key.newest[key.numbers[held.sealed.wrapped_kek]]
        return replace(held.sealed, wrapped_kek=wrapped_kek)

    def outdated(self, vault: VaultId) -> Iterator[VersionId]:
        """Yield the versions of a vault that a rotation of its KEK has yet to come to, in order."""
        if key := self.keys.get(vault):
            for place, held in sorted(self.versions.items()):
                if place[:2] == vault and not key.is_current(held.sealed.wrapped_kek):
                    yield place

    def check_new(self, vault: Vault, place: VersionId, sealed: SealedSecret) -> None:
        """Raise ``WrappingError`` for a version that is there, or not sealed as its vault is.

        It must be under the vault's key as that is now; the first version brings it.
        """
        check_shape(vault, sealed)
        if place in self.versions:
            raise WrappingError(f"{place} is there already, and no version changes")
        key = self.keys.get(vault.place)
        if key and sealed.wrapped_kek != key.current:
            raise WrappingError(f"{place} is not under the key that its vault has now")

    def add(self, vault: Vault, place: VersionId, sealed: SealedSecret) -> None:
        """Take a new version, of which ``check_new`` approved."""
        if vault.plan.has_vault_key and vault.place not in self.keys:
            self.keys[vault.place] = VaultKey({sealed.wrapped_kek: 1}, {1: sealed.wrapped_kek})
        self.versions[place] = Held(sealed)

    def change_key(self, vault: Vault, event: VaultKeyChanged) -> None:
        """Take a vault's new KEK, or its KEK under a new root; raise ``WrappingError``.

        The root is changed once every version is under one KEK: only that one is wrapped anew.
        """
        key, wrapped_kek = self.keys.get(vault.place), bytes.fromhex(event.wrapped_kek[2:])
        if key is None or not vault.plan.has_vault_key:
            raise WrappingError(f"{vault.name} of {vault.account} has no key that could change")
        if event.sequence != key.changes + 1:
            raise WrappingError(
                f"change {event.sequence} of the key of {vault.name} does not follow {key.changes}"
            )
        if wrapped_kek in key.numbers:
            raise WrappingError(f"{vault.name} had this key before: it would be rolled back")
        if event.change == "root" and next(self.outdated(vault.place), None) is not None:
            raise WrappingError(f"{vault.name} is between two keys: finish that rotation first")
        self.keys[vault.place] = key.changed(wrapped_kek, to_new_kek=event.change == "kek")

    def rewrap(self, vault: Vault, event: SecretRewrapped | SecretRecovered) -> None:
        """Take the new wrapping of a version's data key; raise ``WrappingError``.

        The ciphertext stays what it is: the event has none.
        """
        place = VersionId(event.account, event.vault, event.path, event.version)
        held = self.versions.get(place)
        if held is None:
            raise WrappingError(f"there is no {place} to be wrapped anew")
        if event.sequence != held.sequence + 1:
            raise WrappingError(
                f"wrapping {event.sequence} of {place} does not follow {held.sequence}"
            )
        sealed = sealed_from(event, held.sealed.ciphertext)
        check_shape(vault, sealed)
        self._check_forward(vault, place, held.sealed, sealed)
        self.versions[place] = Held(sealed, event.sequence)
        if isinstance(event, SecretRewrapped):
            self._take_moved(vault, place, held.sealed, sealed)

    def move_shares(self, vault: Vault, event: ProviderRootChanged) -> None:
        """Take that a provider's shares come under another root; raise ``WrappingError``.

        All that are there now: of a former move that was not finished, too.
        """
        if event.provider not in vault.providers:
            raise WrappingError(f"{event.provider} holds no share in {vault.name}")
        before = self.moves.get((vault.place, event.provider))
        if event.sequence != (before.changes if before else 0) + 1:
            raise WrappingError(
                f"root {event.sequence} of {event.provider} in {vault.name} is not the next"
            )
        left = {place for place in self.versions if place[:2] == vault.place}
        move = ShareMove(event.sequence, event.kms_key, left)
        self.moves[vault.place, event.provider] = move

    def _take_moved(
        self, vault: Vault, place: VersionId, old: SealedSecret, new: SealedSecret
    ) -> None:
        for was, now in zip(old.wrapped_shares, new.wrapped_shares, strict=True):
            move = self.moves.get((vault.place, now.provider))
            if move is not None and was != now:
                move.left.discard(place)

    def _check_forward(
        self, vault: Vault, place: VersionId, old: SealedSecret, new: SealedSecret
    ) -> None:
        if vault.plan.has_vault_key and new.wrapped_kek != self.keys[vault.place].current:
            raise WrappingError(f"{place} would be under a key that its vault has no more")
        if new == old:
            raise WrappingError(f"{place} would be wrapped as it is")


def check_shape(vault: Vault, sealed: SealedSecret) -> None:
    """Raise ``WrappingError`` unless the holders of a data key are those that the mode says."""
    by_key = bool(sealed.wrapped_kek) and bool(sealed.wrapped_dek)
    neither = not sealed.wrapped_kek and not sealed.wrapped_dek
    providers = tuple(share.provider for share in sealed.wrapped_shares)
    if providers != vault.providers or not (by_key if vault.plan.has_vault_key else neither):
        raise WrappingError(f"it is not sealed as {vault.mode} with the vault's providers seals")
