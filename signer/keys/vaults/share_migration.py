"""Share migration: rewraps the shares of one provider under that provider's new root key.

1. ``begin`` answers an order, once the new root key is proven to wrap and unwrap.
   *If the process ends before the caller commits it, the order is executed again, unless it
   expired.*
2. ``move_some_shares`` rewraps a few shares per call, one event each.
   *If the process ends here, the fold of the committed events shows which shares are left; the
   migration resumes there.*

A share is unwrapped and wrapped at its own provider only: two shares never meet, and no data key is
rebuilt. Only ``stuck`` is kept in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from schemas.keys.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.keys.vault_events import SecretRewrapped, vault_answer_id
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes
from signer.custody.envelope import SealedSecret
from signer.custody.errors import CorruptError, CustodyError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms
from signer.custody.rewrapping import NOT_OPEN, rewrap_share, verify_root
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.orders import VerifiedVaultOrder
from signer.keys.vaults.rotation import Rewraps, Stuck, rewrapped
from signer.keys.vaults.sealing import secret_context
from signer.keys.vaults.wrappings import ShareMove

SHARES_MAX = 4
"""Shares moved per call: each takes three KMS calls, and intents wait for them."""
NO_PATH = "/"
"""A path that no secret can have."""


class HoldersFor(Protocol):
    """Returns the key holders of vaults with signing keys, or of vaults with other secrets."""

    def __call__(self, *, signing: bool) -> Holders:
        """Return the holders."""
        ...


@dataclass(slots=True)
class ShareMigration:
    """Executes orders to move a provider's shares, and moves shares left over from earlier orders.

    ``stuck`` maps version and provider of shares that do not open to the reason; clear it to retry
    them.
    """

    registry: Registry
    vault: VaultRegister
    holders: HoldersFor
    random_bytes: RandomBytes
    stuck: dict[tuple[VersionId, str], str] = field(default_factory=dict)

    def begin(
        self, ordered: VerifiedVaultOrder, order: ProviderRootOrder, signer: str, now_ms: int
    ) -> ProviderRootChanged:
        """Return the unsigned answer to an order (step 1).

        Raises ``KeyOrderError`` unless the order is the provider's next one in this vault, and what
        the root raises; then nothing changed.
        """
        vault = ordered.vault
        if order.provider not in vault.providers:
            raise KeyOrderError(f"{order.provider} holds no share in {vault.name}")
        moves = self.vault.wrappings.moves.get((vault.id, order.provider))
        change_count = moves.changes if moves else 0
        if order.sequence != change_count + 1:
            raise KeyOrderError(
                f"{order.provider} got {change_count} new roots in {vault.name}, so the next order "
                f"has sequence {change_count + 1}, not {order.sequence}"
            )
        kms = self._kms(vault, order.provider)
        # 1. Every share will depend on this key, so it must unwrap what it wraps.
        verify_root(kms, self._proof_aad(vault, order.provider), self.random_bytes)
        return ProviderRootChanged(
            id=vault_answer_id(ordered.envelope.body()),
            request=ordered.envelope,
            account=vault.account,
            vault=vault.name,
            provider=order.provider,
            sequence=order.sequence,
            kms_key=kms.key_id,
            changed_at_ms=now_ms,
            signer=signer,
        )

    def move_some_shares(self, signer: str, now_ms: int) -> Rewraps:
        """Return unsigned events of a few moved shares, and the shares newly found stuck (step 2).

        A provider that fails does not block the others. If no share could be moved, the first
        provider's error is raised.
        """
        failed: CustodyError | None = None
        known = set(self.stuck)
        # 2. Each event is independent: a crash between two of them loses no committed wrapping.
        for (vault_id, provider), move in list(self._unfinished()):
            vault = self.registry.vaults[vault_id]
            events, error = self._move(vault, provider, move, signer, now_ms)
            failed = failed or error
            if events:
                return Rewraps(events, self._newly(known))
        if failed is not None:
            raise failed
        return Rewraps((), self._newly(known))

    def _move(
        self, vault: Vault, provider: str, move: ShareMove, signer: str, now_ms: int
    ) -> tuple[list[SecretRewrapped], CustodyError | None]:
        """Return the events of the shares moved, and the provider's error if it failed."""
        wrappings, events = self.vault.wrappings, list[SecretRewrapped]()
        try:
            kms = self._target_kms(vault, provider, move)
            for version_id in self._next(provider, move):
                if (sealed := self._rewrap(kms, vault, version_id, provider)) is not None:
                    events.append(rewrapped(wrappings, version_id, sealed, signer, now_ms))
        except CustodyError as error:
            return events, error
        return events, None

    def _target_kms(self, vault: Vault, provider: str, move: ShareMove) -> RootKms:
        kms = self._kms(vault, provider)
        if kms.key_id != move.kms_key:
            raise KmsKeyNotFoundError(
                f"The shares of {provider} in {vault.name} are being moved to {move.kms_key}, but "
                f"the settings name {kms.key_id}: set the key of {provider} to "
                f"{move.kms_key}, or order the move again."
            )
        return kms

    def _rewrap(
        self, kms: RootKms, vault: Vault, version_id: VersionId, provider: str
    ) -> SealedSecret | None:
        """Return a version with its share moved; if the share does not open, note it as stuck."""
        context = secret_context(self.registry.org, vault, version_id.path, version_id.version)
        sealed = self.vault.wrappings.versions[version_id].sealed
        try:
            moved = rewrap_share(kms, kms, context, sealed, provider)
            _require_changed(moved, sealed)
        except NOT_OPEN as error:
            self.stuck[version_id, provider] = f"the share of {provider}: {error}"
            return None
        return moved

    def _next(self, provider: str, move: ShareMove) -> list[VersionId]:
        return sorted(p for p in move.left if (p, provider) not in self.stuck)[:SHARES_MAX]

    def _unfinished(self) -> Iterator[tuple[tuple[tuple[str, str], str], ShareMove]]:
        for key, move in self.vault.wrappings.moves.items():
            if move.left:
                yield key, move

    def _newly(self, known: set[tuple[VersionId, str]]) -> tuple[Stuck, ...]:
        return tuple((share[0], why) for share, why in self.stuck.items() if share not in known)

    def _kms(self, vault: Vault, provider: str) -> RootKms:
        for each in self.holders(signing=vault.holds_keys).providers:
            if each.name == provider:
                return each.kms
        raise KmsKeyNotFoundError(
            f"The settings do not name {provider}: add its section, and order again."
        )

    def _proof_aad(self, vault: Vault, provider: str) -> bytes:
        """Return the context of a share that cannot exist; releases wrap only provider shares."""
        context = secret_context(self.registry.org, vault, NO_PATH, 1)
        return context.share_aad(provider)


def _require_changed(moved: SealedSecret, former: SealedSecret) -> None:
    """Raise ``CorruptError`` for an unchanged blob: registers refuse an event that changes nothing.

    A KMS that works never wraps twice to the same blob.
    """
    if moved == former:
        raise CorruptError("its KMS returned the former blob instead of a new one")
