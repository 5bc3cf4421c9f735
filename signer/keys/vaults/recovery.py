"""Execution of an order to replace a lost client share; the secret itself does not change."""

from dataclasses import dataclass
from typing import Any

from schemas.dsse import Envelope
from schemas.keys.recovery import RecoveryOrder, SecretRecovered
from schemas.keys.vault_events import vault_answer_id
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.errors import RecoveryRefusedError
from signer.custody.recovery import Approval, recover
from signer.custody.sealing import Holders
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.client_shares import seal_share
from signer.keys.vaults.sealing import secret_context, vault_holders
from signer.keys.vaults.wrappings import Wrappings, wrapping_fields


@dataclass(frozen=True, slots=True)
class Recovery:
    """Replaces client shares in one vault, with the vault's key holders."""

    registry: Registry
    vault: Vault
    wrappings: Wrappings
    holders: Holders
    random_bytes: RandomBytes

    def execute(
        self, request: Envelope, order: RecoveryOrder, signer: str, at_ms: int
    ) -> SecretRecovered:
        """Return the unsigned answer, with the new share sealed for the client of the order.

        Raises what ``recover`` raises, ``RecoveryRefusedError`` also if a later order was executed
        before, and ``ClientShareMissingError`` if the client's key is invalid; then no share
        changed.
        """
        version_id = VersionId(order.account, order.vault, order.path, order.version)
        current = self.wrappings.versions.get(version_id)
        if current is None:
            raise RecoveryRefusedError(f"{version_id} does not exist: name an existing version.")
        if order.requested_at_ms < self.wrappings.recovery_ms.get(version_id, 0):
            # Otherwise an attacker could hold an order back, and deliver it later to have the share
            # sealed to a client key that has been given up since.
            raise RecoveryRefusedError(
                f"A later order already replaced the client share of {version_id}: order again if "
                "you still want this one."
            )
        context = secret_context(self.registry.org, self.vault, order.path, order.version)
        approval = Approval(request, self.registry.admin_keys, at_ms)
        known = vault_holders(self.vault, self.holders)
        recovered = recover(known, context, current.sealed, approval, self.random_bytes)
        with wiping(recovered.client_share) as share:
            sealed_for_client = seal_share(recovered.share_for, context, share)
        fields: dict[str, Any] = {**version_id._asdict(), **wrapping_fields(recovered.sealed)}
        return SecretRecovered(
            id=vault_answer_id(request.body()),
            request=request,
            sequence=current.sequence + 1,
            client_share=f"0x{sealed_for_client.hex()}",
            recovered_at_ms=at_ms,
            signer=signer,
            **fields,
        )
