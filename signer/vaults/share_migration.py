"""Puts a provider's shares under the root key that it has now, one after the other.

Each share is unwrapped and wrapped at its own provider alone: no two of them ever meet, and no data
key is put together. Nothing is remembered but what did not open. What is left to do follows from
the fold of the events, so a move that was killed goes on from the last event that was committed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from schemas.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.vault_events import SecretRewrapped, vault_answer_id
from signer.custody.buffers import RandomBytes
from signer.custody.envelope import SealedSecret
from signer.custody.errors import CorruptError, CustodyError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms
from signer.custody.rewrapping import NOT_OPEN, prove_root, rewrap_share
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.registry import Registry
from signer.vaults.orders import VaultOrdered
from signer.vaults.register import VaultRegister
from signer.vaults.rotation import Rewraps, Stuck, rewrapped
from signer.vaults.sealing import secret_context
from signer.vaults.vault import Vault, VersionId
from signer.vaults.wrappings import ShareMove

SHARES_MAX = 4
"""How many shares are moved at a time: each is three calls of a KMS, and intents wait for them."""
NO_PATH = "/"
"""Where no secret can be."""


class HoldersFor(Protocol):
    """Tells who holds the keys of vaults: of those with signing keys, and of the others."""

    def __call__(self, *, signing: bool) -> Holders:
        """Return them."""
        ...


@dataclass(slots=True)
class ShareMigration:
    """Carries out orders to move shares, and what they have yet to come to.

    ``stuck`` has the shares that do not open, by version and provider; who clears it has them tried
    again.
    """

    registry: Registry
    vault: VaultRegister
    holders: HoldersFor
    random_bytes: RandomBytes
    stuck: dict[tuple[VersionId, str], str] = field(default_factory=dict)

    def begin(
        self, ordered: VaultOrdered, order: ProviderRootOrder, signer: str, now_ms: int
    ) -> ProviderRootChanged:
        """Return the unsigned answer to an order, once the root key is proven to wrap and unwrap.

        Raises ``KeyOrderError`` for an order that is not the provider's next in this vault, and
        what the root raises; then nothing changed.
        """
        vault = ordered.vault
        if order.provider not in vault.providers:
            raise KeyOrderError(f"{order.provider} holds no share in {vault.name}")
        moves = self.vault.wrappings_of(vault).moves.get((vault.place, order.provider))
        before = moves.changes if moves else 0
        if order.sequence != before + 1:
            raise KeyOrderError(f"{order.provider} got {before} new roots in {vault.name} before")
        kms = self._kms(vault, order.provider)
        prove_root(kms, self._proof_aad(vault, order.provider), self.random_bytes)
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
        """Return unsigned events of some shares that are moved, and which newly found stuck.

        A provider that fails keeps no other waiting; where none gets on, what the first one raised
        is raised.
        """
        failed: CustodyError | None = None
        known = set(self.stuck)
        for (place, provider), move in list(self._unfinished()):
            events, error = self._moved(self.registry.vaults[place], provider, move, signer, now_ms)
            failed = failed or error
            if events:
                return Rewraps(events, self._newly(known))
        if failed is not None:
            raise failed
        return Rewraps((), self._newly(known))

    def _moved(
        self, vault: Vault, provider: str, move: ShareMove, signer: str, now_ms: int
    ) -> tuple[list[SecretRewrapped], CustodyError | None]:
        """Return what got on before a provider failed, and with what it did if it did."""
        wrappings, events = self.vault.wrappings_of(vault), list[SecretRewrapped]()
        try:
            kms = self._now(vault, provider, move)
            for place in self._next(provider, move):
                if (sealed := self._rewrapped(kms, vault, place, provider)) is not None:
                    events.append(rewrapped(wrappings, place, sealed, signer, now_ms))
        except CustodyError as error:
            return events, error
        return events, None

    def _now(self, vault: Vault, provider: str, move: ShareMove) -> RootKms:
        kms = self._kms(vault, provider)
        if kms.key_id != move.kms_key:
            raise KmsKeyNotFoundError(
                f"The shares of {provider} in {vault.name} are to be under {move.kms_key}, and the "
                f"settings name {kms.key_id}: set that one, or order the move again."
            )
        return kms

    def _rewrapped(
        self, kms: RootKms, vault: Vault, place: VersionId, provider: str
    ) -> SealedSecret | None:
        """Return a version with a share of it moved; None where that does not open, as is noted."""
        context = secret_context(self.registry.org, vault, place.path, place.version)
        sealed = self.vault.wrappings_of(vault).versions[place].sealed
        try:
            moved = rewrap_share(kms, kms, context, sealed, provider)
            _require_other(moved, sealed)
        except NOT_OPEN as error:
            self.stuck[place, provider] = f"the share of {provider}: {error}"
            return None
        return moved

    def _next(self, provider: str, move: ShareMove) -> list[VersionId]:
        return sorted(p for p in move.left if (p, provider) not in self.stuck)[:SHARES_MAX]

    def _unfinished(self) -> Iterator[tuple[tuple[tuple[str, str], str], ShareMove]]:
        for wrappings in (self.vault.keys.wrappings, self.vault.secrets.wrappings):
            for where, move in wrappings.moves.items():
                if move.left:
                    yield where, move

    def _newly(self, known: set[tuple[VersionId, str]]) -> tuple[Stuck, ...]:
        return tuple((where[0], why) for where, why in self.stuck.items() if where not in known)

    def _kms(self, vault: Vault, provider: str) -> RootKms:
        for each in self.holders(signing=vault.holds_keys).providers:
            if each.name == provider:
                return each.kms
        raise KmsKeyNotFoundError(f"The settings name no {provider}: name it, and order again.")

    def _proof_aad(self, vault: Vault, provider: str) -> bytes:
        """Return the place of a share that is none: a release wraps nothing else for a provider."""
        context = secret_context(self.registry.org, vault, NO_PATH, 1)
        return context.share_aad(provider)


def _require_other(moved: SealedSecret, before: SealedSecret) -> None:
    """Raise ``CorruptError`` for what no KMS does, to wrap twice alike: nobody takes that event."""
    if moved == before:
        raise CorruptError("its KMS gave the former blob for the new one")
