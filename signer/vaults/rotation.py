"""Carries out a change of the keys above a vault's versions, one event after the other.

Nothing is remembered here. What is left to do follows from the fold of the events, so a rotation
that was killed goes on from the last event that was committed; no secret is decrypted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from schemas.dsse import Envelope
from schemas.vault_events import SecretRewrapped, VaultKeyChanged, VaultKeyOrder, rewrap_id
from schemas.vault_events import vault_answer_id as answer_id
from signer.custody.buffers import RandomBytes
from signer.custody.context import SecretContext, VaultContext
from signer.custody.envelope import SealedSecret, new_vault_key
from signer.custody.errors import CustodyError
from signer.custody.kms.port import RootKms
from signer.custody.rewrapping import rewrap_deks, rewrap_vault_key
from signer.keys.orders import KeyOrderError
from signer.vaults.vault import Vault, VersionId
from signer.vaults.wrapping_fields import wrapping_fields
from signer.vaults.wrappings import Wrappings

Stuck: TypeAlias = tuple[VersionId, str]
"""A version that stays under a former key, and why."""


class Rewraps(NamedTuple):
    """Some of what a rotation does, and which versions it found that it cannot bring on."""

    events: Sequence[SecretRewrapped] = ()
    stuck: Sequence[Stuck] = ()


@dataclass(frozen=True, slots=True)
class Rotation:
    """Who rotates what: a vault of an organisation, by the signer of that name, at that time."""

    org: str
    vault: Vault
    wrappings: Wrappings
    signer: str
    at_ms: int

    def change_key(
        self, order: Envelope, old: RootKms, new: RootKms, random_bytes: RandomBytes
    ) -> VaultKeyChanged:
        """Return the unsigned answer to an order, of which it was proven that an admin signed it.

        ``old`` is the root that the vault's KEK is under, ``new`` the one for what comes (the same
        one for a new KEK). Raise ``KeyOrderError`` for an order that is not the next of this vault,
        and what either root raises; then nothing changed.
        """
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
        """Yield an unsigned event for every version that is under a former KEK of the vault.

        Those in ``stuck`` are passed over, and one that does not open is put there, with the
        reason; where there is no ``stuck`` it is raised, as is what ``rewrap_deks`` raises.
        """
        entries = [
            (self._secret(place), sealed)
            for place in self.wrappings.outdated(self.vault.place)
            if place not in (stuck or ()) and (sealed := self.wrappings.sealed(place)) is not None
        ]

        def failed(context: SecretContext, error: CustodyError) -> None:
            if stuck is None:
                raise error
            stuck[VersionId(*self.vault.place, context.path, context.version)] = str(error)

        moved = rewrap_deks(root, self._context, self._wrapped_kek(), entries, random_bytes, failed)
        for context, sealed in moved:
            place = VersionId(*self.vault.place, context.path, context.version)
            yield rewrapped(self.wrappings, place, sealed, self.signer, self.at_ms)

    def _next(self, order: VaultKeyOrder) -> VaultKeyOrder:
        key = self.wrappings.keys.get(self.vault.place)
        ordered = (order.org, order.account, order.vault)
        if key is None or ordered != (self.org, *self.vault.place):
            raise KeyOrderError(f"the order is not about the key of {self.vault.name}")
        if order.sequence != key.changes + 1:
            raise KeyOrderError(f"the key of {self.vault.name} was changed {key.changes} times")
        if order.change == "root" and next(self.wrappings.outdated(self.vault.place), None):
            raise KeyOrderError(
                f"{self.vault.name} is between two keys: finish that rotation first"
            )
        return order

    @property
    def _context(self) -> VaultContext:
        account, name = self.vault.place
        return VaultContext(org=self.org, account=account, vault=name, mode=self.vault.mode)

    def _secret(self, place: VersionId) -> SecretContext:
        return SecretContext(org=self.org, mode=self.vault.mode, **place._asdict())

    def _wrapped_kek(self) -> bytes:
        wrapped_kek = self.wrappings.wrapped_kek(self.vault.place)
        if wrapped_kek is None:
            raise KeyOrderError(f"{self.vault.name} has no key")
        return wrapped_kek


def rewrapped(
    wrappings: Wrappings, place: VersionId, sealed: SealedSecret, signer: str, at_ms: int
) -> SecretRewrapped:
    """Return the unsigned event that a version's data key is wrapped anew, as ``sealed`` says."""
    sequence = wrappings.versions[place].sequence + 1
    fields: dict[str, Any] = {**place._asdict(), **wrapping_fields(sealed)}
    return SecretRewrapped(
        id=rewrap_id(*place, sequence),
        sequence=sequence,
        rewrapped_at_ms=at_ms,
        signer=signer,
        **fields,
    )
