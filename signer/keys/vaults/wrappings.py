"""Current wrappings of data keys: a pure, forward-only fold.

Ciphertexts never change, only the keys that wrap their data keys. Every change has a sequence
number, and only the next one is accepted, so a replayed event cannot bring back a former wrapping,
KEK or root.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.keys.provider_roots import ProviderRootChanged
from schemas.keys.recovery import SecretRecovered
from schemas.keys.vault_events import SecretRewrapped, VaultKeyChanged
from schemas.keys.wrapped import Wrapped
from signer.core.registry.vault import Vault, VaultId
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import SealedSecret, WrappedShare
from signer.keys.vault_paths import VersionId


class WrappingError(ValueError):
    """An event that does not continue the vault's current wrappings; nothing was changed."""


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A vault's KEKs, numbered from 1; the highest number is in use.

    ``numbers`` maps every wrapping that a KEK ever had to the KEK's number; ``newest`` maps each
    number to the newest wrapping. ``changes`` counts new KEKs and new roots.
    """

    numbers: dict[bytes, int] = field(repr=False)
    newest: dict[int, bytes] = field(repr=False)
    changes: int = 0

    @property
    def current(self) -> bytes:
        """The wrapped KEK under which new versions are sealed."""
        return self.newest[max(self.newest)]

    def is_current(self, wrapped_kek: bytes) -> bool:
        """Return whether a wrapping, old or new, is of the KEK in use."""
        return self.numbers.get(wrapped_kek) == max(self.newest)

    def changed(self, wrapped_kek: bytes, *, to_new_kek: bool) -> "VaultKey":
        """Return the key after its next change."""
        number = max(self.newest) + to_new_kek
        numbers, newest = self.numbers | {wrapped_kek: number}, self.newest | {number: wrapped_kek}
        return VaultKey(numbers, newest, self.changes + 1)


@dataclass(frozen=True, slots=True)
class WrappedVersion:
    """A version with its newest wrapping; ``sequence`` counts how often it was rewrapped."""

    sealed: SealedSecret
    sequence: int = 0


@dataclass(slots=True)
class ShareMove:
    """The migration of a provider's shares to root ``kms_key``; versions ``left`` are not moved.

    ``changes`` counts the provider's new roots in the vault. Versions sealed meanwhile are under
    the new root already.
    """

    changes: int
    kms_key: str
    left: set[VersionId]


@dataclass(slots=True)
class Wrappings:
    """The current keys of vaults and wrappings of their versions.

    ``recovery_ms`` is the time of the newest executed order that replaced a client share.
    """

    keys: dict[VaultId, VaultKey] = field(default_factory=dict)
    versions: dict[VersionId, WrappedVersion] = field(default_factory=dict)
    moves: dict[tuple[VaultId, str], ShareMove] = field(default_factory=dict)
    recovery_ms: dict[VersionId, int] = field(default_factory=dict)

    def wrapped_kek(self, vault_id: VaultId) -> bytes | None:
        """Return the wrapped KEK under which new versions are sealed; None if there is no KEK."""
        key = self.keys.get(vault_id)
        return key.current if key else None

    def sealed(self, version_id: VersionId) -> SealedSecret | None:
        """Return a version with the newest wrapping of its KEK, as it opens now."""
        current = self.versions.get(version_id)
        if current is None or not current.sealed.wrapped_kek:
            return current.sealed if current else None
        key = self.keys[version_id.account, version_id.vault]
        wrapped_kek = key.newest[key.numbers[current.sealed.wrapped_kek]]
        return replace(current.sealed, wrapped_kek=wrapped_kek)

    def outdated(self, vault: VaultId) -> Iterator[VersionId]:
        """Yield the versions of a vault that are still under a former KEK, in order."""
        if key := self.keys.get(vault):
            for version_id, current in sorted(self.versions.items()):
                if version_id[:2] == vault and not key.is_current(current.sealed.wrapped_kek):
                    yield version_id

    def check_new(self, vault: Vault, version_id: VersionId, sealed: SealedSecret) -> None:
        """Raise ``WrappingError`` for a version that exists or is not sealed in its vault's mode.

        It must be under the vault's current KEK; the first version defines the KEK.
        """
        check_shape(vault, sealed)
        if version_id in self.versions:
            raise WrappingError(f"{version_id} exists already, and versions never change")
        key = self.keys.get(vault.id)
        if key and sealed.wrapped_kek != key.current:
            raise WrappingError(f"{version_id} is not under the key that its vault has now")

    def add(self, vault: Vault, version_id: VersionId, sealed: SealedSecret) -> None:
        """Add a new version that passed ``check_new``."""
        if PLANS[vault.mode].has_vault_key and vault.id not in self.keys:
            self.keys[vault.id] = VaultKey({sealed.wrapped_kek: 1}, {1: sealed.wrapped_kek})
        self.versions[version_id] = WrappedVersion(sealed)

    def change_key(self, vault: Vault, event: VaultKeyChanged) -> None:
        """Apply a vault's new KEK, or its KEK under a new root; raise ``WrappingError``.

        The root changes only while every version is under one KEK, as only that KEK is rewrapped.
        """
        key, wrapped_kek = self.keys.get(vault.id), bytes.fromhex(event.wrapped_kek[2:])
        if key is None or not PLANS[vault.mode].has_vault_key:
            raise WrappingError(f"{vault.name} of {vault.account} has no key that could change")
        if event.sequence != key.changes + 1:
            raise WrappingError(
                f"change {event.sequence} of the key of {vault.name} does not follow {key.changes}"
            )
        if wrapped_kek in key.numbers:
            raise WrappingError(f"{vault.name} had this key before: accepting it would roll back")
        if event.change == "root" and next(self.outdated(vault.id), None) is not None:
            raise WrappingError(
                f"{vault.name} has versions under a former key: finish its rotation first"
            )
        self.keys[vault.id] = key.changed(wrapped_kek, to_new_kek=event.change == "kek")

    def rewrap(self, vault: Vault, event: SecretRewrapped | SecretRecovered) -> None:
        """Apply the new wrapping of a version's data key; raise ``WrappingError``.

        The event has no ciphertext, so the stored one is kept.
        """
        version_id = VersionId(event.account, event.vault, event.path, event.version)
        current = self.versions.get(version_id)
        if current is None:
            raise WrappingError(f"{version_id} does not exist, so it cannot be rewrapped")
        if event.sequence != current.sequence + 1:
            raise WrappingError(
                f"wrapping {event.sequence} of {version_id} does not follow {current.sequence}"
            )
        sealed = sealed_from(event, current.sealed.ciphertext)
        check_shape(vault, sealed)
        self._check_forward(vault, version_id, current.sealed, sealed)
        self.versions[version_id] = WrappedVersion(sealed, event.sequence)
        if isinstance(event, SecretRewrapped):
            self._mark_moved(vault, version_id, current.sealed, sealed)

    def move_shares(self, vault: Vault, event: ProviderRootChanged) -> None:
        """Begin to move a provider's shares to another root; raise ``WrappingError``.

        All existing versions are to be moved, also those left over from an unfinished move.
        """
        if event.provider not in vault.providers:
            raise WrappingError(f"{event.provider} holds no share in {vault.name}")
        former = self.moves.get((vault.id, event.provider))
        if event.sequence != (former.changes if former else 0) + 1:
            raise WrappingError(
                f"root {event.sequence} of {event.provider} in {vault.name} is not the next"
            )
        left = {each for each in self.versions if each[:2] == vault.id}
        move = ShareMove(event.sequence, event.kms_key, left)
        self.moves[vault.id, event.provider] = move

    def _mark_moved(
        self, vault: Vault, version_id: VersionId, old: SealedSecret, new: SealedSecret
    ) -> None:
        for old_share, new_share in zip(old.wrapped_shares, new.wrapped_shares, strict=True):
            move = self.moves.get((vault.id, new_share.provider))
            if move is not None and old_share != new_share:
                move.left.discard(version_id)

    def _check_forward(
        self, vault: Vault, version_id: VersionId, old: SealedSecret, new: SealedSecret
    ) -> None:
        if PLANS[vault.mode].has_vault_key and new.wrapped_kek != self.keys[vault.id].current:
            raise WrappingError(f"{version_id} would be under a former key of its vault")
        if new == old:
            raise WrappingError(f"the event would not change the wrapping of {version_id}")


def check_shape(vault: Vault, sealed: SealedSecret) -> None:
    """Raise ``WrappingError`` unless a data key is wrapped by the holders of its vault's mode."""
    by_kek = bool(sealed.wrapped_kek) and bool(sealed.wrapped_dek)
    neither = not sealed.wrapped_kek and not sealed.wrapped_dek
    providers = tuple(share.provider for share in sealed.wrapped_shares)
    if providers != vault.providers or not (by_kek if PLANS[vault.mode].has_vault_key else neither):
        raise WrappingError(
            f"it is not wrapped as mode {vault.mode} with the vault's providers requires"
        )


def sealed_from(event: Wrapped, ciphertext: bytes) -> SealedSecret:
    """Return a version with its data key wrapped as in an event."""
    shares = tuple(
        WrappedShare(share.provider, _bytes(share.blob)) for share in event.wrapped_shares or ()
    )
    kek, dek = _bytes(event.wrapped_kek or "0x"), _bytes(event.wrapped_dek or "0x")
    return SealedSecret(kek, dek, ciphertext, shares)


def wrapping_fields(sealed: SealedSecret) -> dict[str, Any]:
    """Return the event fields of a wrapped data key; the inverse of ``sealed_from``."""
    fields = {
        "wrapped_kek": f"0x{sealed.wrapped_kek.hex()}" if sealed.wrapped_kek else None,
        "wrapped_dek": f"0x{sealed.wrapped_dek.hex()}" if sealed.wrapped_dek else None,
        "wrapped_shares": tuple(
            {"provider": share.provider, "blob": f"0x{share.blob.hex()}"}
            for share in sealed.wrapped_shares
        ),
    }
    return {name: value for name, value in fields.items() if value}


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
