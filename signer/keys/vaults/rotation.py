"""KEK and root key rotation of one vault: changes the key, then rewraps one version per event.

1. ``change_key`` answers an order with the new wrapped KEK.
   *If the process ends before the caller commits it, the order is executed again, with another
   KEK, unless it expired.*
2. ``rewrap_outdated`` yields one event for each version that is still under a former KEK.
   *If the process ends here, the fold of the committed events shows which versions are left;
   rewrapping resumes there. Versions under old and new KEKs open side by side.*

This module keeps no state, and no secret is decrypted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from schemas.dsse import Envelope
from schemas.keys.vault_events import SecretRewrapped, VaultKeyChanged, VaultKeyOrder, rewrap_id
from schemas.keys.vault_events import vault_answer_id as answer_id
from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes
from signer.custody.context import SecretContext, VaultContext
from signer.custody.envelope import SealedSecret, new_vault_key
from signer.custody.errors import CustodyError
from signer.custody.kms.port import RootKms
from signer.custody.rewrapping import rewrap_deks, rewrap_vault_key
from signer.keys.orders import KeyOrderError
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.wrappings import Wrappings, wrapping_fields

Stuck: TypeAlias = tuple[VersionId, str]
"""A version that cannot be rewrapped and stays under a former key, and why."""


class Rewraps(NamedTuple):
    """Events of a portion of a rotation, and the versions found that cannot be rewrapped."""

    events: Sequence[SecretRewrapped] = ()
    stuck: Sequence[Stuck] = ()


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotates the keys of one vault; ``signer`` and ``at_ms`` go into the events."""

    org: str
    vault: Vault
    wrappings: Wrappings
    signer: str
    at_ms: int

    def change_key(
        self, order: Envelope, old: RootKms, new: RootKms, random_bytes: RandomBytes
    ) -> VaultKeyChanged:
        """Return the unsigned answer to an order whose admin signature was verified (step 1).

        ``old`` is the root that wraps the vault's KEK, ``new`` the root for the new wrapping; they
        are the same for a new KEK. Raises ``KeyOrderError`` unless the order is the next one of
        this vault, and what either root raises; then nothing changed.
        """
        # 1. The new KEK exists in memory and in this answer only until the caller commits it.
        ordered = self._next(VaultKeyOrder.decode(order.body()))
        if ordered.change == "kek":
            wrapped_kek = new_vault_key(new, self._context, random_bytes)
        else:
            wrapped_kek = rewrap_vault_key(old, new, self._context, self._wrapped_kek())
        return VaultKeyChanged(
            id=answer_id(order.body()),
            request=order,
            account=self.vault.account,
            vault=self.vault.name,
            change=ordered.change,
            sequence=ordered.sequence,
            kms_key=new.key_id,
            wrapped_kek=f"0x{wrapped_kek.hex()}",
            changed_at_ms=self.at_ms,
            signer=self.signer,
        )

    def rewrap_outdated(
        self, root: RootKms, random_bytes: RandomBytes, stuck: dict[VersionId, str] | None = None
    ) -> Iterator[SecretRewrapped]:
        """Yield an unsigned event for every version under a former KEK of the vault (step 2).

        Versions in ``stuck`` are skipped; one that does not open is added to it with the reason.
        Without ``stuck`` that error is raised, as is everything that ``rewrap_deks`` raises.
        """
        # 2. Each event is independent: a crash between two of them loses no committed wrapping.
        entries = [
            (self._secret(version_id), sealed)
            for version_id in self.wrappings.outdated(self.vault.id)
            if version_id not in (stuck or ())
            and (sealed := self.wrappings.sealed(version_id)) is not None
        ]

        def failed(context: SecretContext, error: CustodyError) -> None:
            if stuck is None:
                raise error
            stuck[VersionId(*self.vault.id, context.path, context.version)] = str(error)

        moved = rewrap_deks(root, self._context, self._wrapped_kek(), entries, random_bytes, failed)
        for context, sealed in moved:
            version_id = VersionId(*self.vault.id, context.path, context.version)
            yield rewrapped(self.wrappings, version_id, sealed, self.signer, self.at_ms)

    def _next(self, order: VaultKeyOrder) -> VaultKeyOrder:
        key = self.wrappings.keys.get(self.vault.id)
        ordered = (order.org, order.account, order.vault)
        if key is None or ordered != (self.org, *self.vault.id):
            raise KeyOrderError(f"the order is not about the key of {self.vault.name}")
        if order.sequence != key.changes + 1:
            raise KeyOrderError(
                f"the key of {self.vault.name} was changed {key.changes} times, so the next change "
                f"has sequence {key.changes + 1}, not {order.sequence}"
            )
        if order.change == "root" and next(self.wrappings.outdated(self.vault.id), None):
            raise KeyOrderError(
                f"{self.vault.name} has versions under a former key: wait until its rotation is "
                "finished, then order again"
            )
        return order

    @property
    def _context(self) -> VaultContext:
        account, name = self.vault.id
        return VaultContext(org=self.org, account=account, vault=name, mode=self.vault.mode)

    def _secret(self, version_id: VersionId) -> SecretContext:
        return SecretContext(org=self.org, mode=self.vault.mode, **version_id._asdict())

    def _wrapped_kek(self) -> bytes:
        wrapped_kek = self.wrappings.wrapped_kek(self.vault.id)
        if wrapped_kek is None:
            raise KeyOrderError(f"{self.vault.name} has no KEK")
        return wrapped_kek


def rewrapped(
    wrappings: Wrappings, version_id: VersionId, sealed: SealedSecret, signer: str, at_ms: int
) -> SecretRewrapped:
    """Return the unsigned event that a version's data key is rewrapped as in ``sealed``."""
    sequence = wrappings.versions[version_id].sequence + 1
    fields: dict[str, Any] = {**version_id._asdict(), **wrapping_fields(sealed)}
    return SecretRewrapped(
        id=rewrap_id(*version_id, sequence),
        sequence=sequence,
        rewrapped_at_ms=at_ms,
        signer=signer,
        **fields,
    )
