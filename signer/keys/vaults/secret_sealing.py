"""Seals and opens versions of secrets that are not signing keys, in the mode of their vault."""

from contextlib import nullcontext
from dataclasses import dataclass

from schemas.dsse import Envelope
from schemas.keys.vault_events import SecretStored, vault_answer_id
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.envelope import require_same
from signer.custody.errors import CorruptError
from signer.custody.opening import Opening, open_sealed
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.keys.vaults.client_shares import require_client, seal_for_client
from signer.keys.vaults.sealing import seal_in_vault, secret_context, vault_holders, version_id
from signer.keys.vaults.secret_register import SecretRegister, read_secret_order
from signer.keys.vaults.wrappings import wrapping_fields


@dataclass(frozen=True, slots=True)
class SecretSealing:
    """Seals and opens secrets through the key holders; callers authorize the access beforehand."""

    registry: Registry
    secrets: SecretRegister
    holders: Holders
    random_bytes: RandomBytes

    def seal(
        self, request: Envelope, value: bytes | bytearray, signer: str, at_ms: int
    ) -> SecretStored:
        """Return the unsigned version that a verified order makes of ``value``.

        The caller wipes ``value``. The sealed version is opened once before it is returned. Raises
        ``KeyOrderError`` unless the order is for the next version of a secret, and
        ``CustodyError``; then nothing was stored.
        """
        order = read_secret_order(request)
        vault = self._vault(order.account, order.vault)
        self.secrets.check_next(order)
        require_client(vault, order.share_for)
        context = secret_context(self.registry.org, vault, order.path, order.version)
        wrapped_kek = self.secrets.wrappings.wrapped_kek(vault.id)
        sealing = seal_in_vault(vault, self.holders, wrapped_kek, context, value, self.random_bytes)
        wiped_after = wiping(sealing.client_share) if sealing.client_share else nullcontext()
        with wiped_after as share:
            known = vault_holders(vault, self.holders)
            with wiping(open_sealed(known, context, sealing.sealed, share).secret) as proof:
                require_same(proof, value)
            sealed_for_client = seal_for_client(order.share_for, context, share)
        return SecretStored(
            **wrapping_fields(sealing.sealed),
            id=vault_answer_id(request.body()),
            request=request,
            account=order.account,
            vault=order.vault,
            path=order.path,
            version=order.version,
            kind=order.kind,
            generated=order.box is None,
            mode=vault.mode,
            ciphertext=f"0x{sealing.sealed.ciphertext.hex()}",
            client_share=f"0x{sealed_for_client.hex()}" if sealed_for_client else None,
            stored_at_ms=at_ms,
            signer=signer,
        )

    def open(self, stored: SecretStored, share: bytes | bytearray | None = None) -> Opening:
        """Open a version, with the client share if the mode has one; raise ``CustodyError``.

        The caller wipes secret and share, and records the access with the providers that failed.
        """
        vault = self._vault(stored.account, stored.vault)
        context = secret_context(self.registry.org, vault, stored.path, stored.version)
        sealed = self.secrets.wrappings.sealed(version_id(context))
        if sealed is None:
            raise CorruptError(f"Version {stored.version} of {stored.path} does not exist.")
        return open_sealed(vault_holders(vault, self.holders), context, sealed, share)

    def _vault(self, account: str, name: str) -> Vault:
        vault = self.registry.vaults.get((account, name))
        if vault is None or vault.holds_keys:
            raise KeyOrderError(f"{account} has no vault {name} for secrets")
        return vault
