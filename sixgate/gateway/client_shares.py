"""Client shares of new versions: sealed by the signer to a key of this request, then returned.

If the reply is lost, the share is lost: the client makes a new version.
"""

import base64
import secrets

from schemas.client_share import ClientShareContext
from signer.custody.buffers import wiping
from signer.custody.hpke import HpkeKey
from signer.vaults.vault import Vault
from sixgate.api import Json


class ShareRecipient:
    """The recipient of one client share, for a vault whose mode has one."""

    def __init__(self, vault: Vault, org: str) -> None:
        self._vault, self._org = vault, org
        self._key = HpkeKey.generate(secrets.token_bytes) if vault.plan.needs_client else None

    @property
    def share_for(self) -> str | None:
        """The public key for the order, or None if the mode has no client share."""
        return f"0x{self._key.public_key.hex()}" if self._key else None

    def opened(self, answer: Json) -> str | None:
        """Return the share in the signer's answer as base64, or None if the mode has none."""
        if self._key is None:
            return None
        context = ClientShareContext(
            org=self._org,
            account=self._vault.account,
            vault=self._vault.name,
            path=answer["path"],
            version=answer["version"],
        )
        box = bytes.fromhex(str(answer["client_share"])[2:])
        with wiping(self._key.open(box, context.to_client())) as share:
            return base64.b64encode(share).decode()
