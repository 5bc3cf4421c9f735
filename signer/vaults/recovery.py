"""Carries out an order to replace a client's share that was lost; the secret stays what it is."""

from dataclasses import dataclass
from typing import Any

from schemas.dsse import Envelope
from schemas.recovery import RecoveryOrder, SecretRecovered
from schemas.vault_events import vault_answer_id
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.errors import RecoveryRefusedError
from signer.custody.recovery import Approval, recover
from signer.custody.sealing import Holders
from signer.registry import Registry
from signer.vaults.client_shares import seal_share
from signer.vaults.sealing import secret_context, vault_holders
from signer.vaults.vault import Vault, VersionId
from signer.vaults.wrapping_fields import wrapping_fields
from signer.vaults.wrappings import Wrappings


@dataclass(frozen=True, slots=True)
class Recovery:
    """Who may be asked, and what is known of the vault in which a share is replaced."""

    registry: Registry
    vault: Vault
    wrappings: Wrappings
    holders: Holders
    random_bytes: RandomBytes

    def execute(
        self, request: Envelope, order: RecoveryOrder, signer: str, at_ms: int
    ) -> SecretRecovered:
        """Return the unsigned answer, with the new share sealed for the client of the order.

        Raise what ``recover`` raises, ``RecoveryRefusedError`` too where a later order overtook
        this one, and ``ClientShareMissingError`` where the client's key is none; then every share
        is what it was.
        """
        place = VersionId(order.account, order.vault, order.path, order.version)
        held = self.wrappings.versions.get(place)
        if held is None:
            raise RecoveryRefusedError(f"There is no {place}: name a version that is there.")
        if order.requested_at_ms < self.wrappings.recovery_ms.get(place, 0):
            # Whoever held it back would have the share of a client that was given up since.
            raise RecoveryRefusedError(
                f"By a later order the client's share of {place} was replaced before: give this "
                "one again if it is still meant."
            )
        context = secret_context(self.registry.org, self.vault, order.path, order.version)
        approval = Approval(request, self.registry.admin_keys, at_ms)
        known = vault_holders(self.vault, self.holders)
        made = recover(known, context, held.sealed, approval, self.random_bytes)
        with wiping(made.client_share) as share:
            handed = seal_share(made.share_for, context, share)
        fields: dict[str, Any] = {**place._asdict(), **wrapping_fields(made.sealed)}
        return SecretRecovered(
            id=vault_answer_id(request.body()),
            request=request,
            sequence=held.sequence + 1,
            client_share=f"0x{handed.hex()}",
            recovered_at_ms=at_ms,
            signer=signer,
            **fields,
        )
