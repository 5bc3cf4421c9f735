"""Client shares: those of requests are sealed to the signer, those of new versions are opened.

The signer seals the share of a new version to a key of the request. If the reply is lost, the share
is lost: the client makes a new version.
"""

import base64
import binascii
import secrets
from contextlib import suppress

from schemas.fields import X25519PublicKey
from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from signer.core.registry.vault import Vault
from signer.custody.buffers import wiping
from signer.custody.custody_modes import PLANS
from signer.custody.hpke import HpkeKey, seal_for
from signer.keys.descriptor import KeyDescriptor
from sixgate.api import Json

SHARE_BYTES_MAX = 64


class ShareRecipient:
    """The recipient of one client share, for a vault whose mode has one."""

    def __init__(self, vault: Vault, org: str) -> None:
        self._vault, self._org = vault, org
        self._key = (
            HpkeKey.generate(secrets.token_bytes) if PLANS[vault.mode].needs_client else None
        )

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


def _share_bytes(text: str) -> bytearray:
    """Return the bytes of a share in base64, which the caller wipes; raise ``ValueError``."""
    share = b""
    with suppress(binascii.Error, ValueError):
        share = base64.b64decode(text, validate=True)
    if 0 < len(share) <= SHARE_BYTES_MAX:
        return bytearray(share)
    raise ValueError(f"must be a client share in base64, at most {SHARE_BYTES_MAX} bytes")


def sealed_share(
    text: str, key: KeyDescriptor, agent: str, org: str, share_key: X25519PublicKey
) -> ClientShare:
    """Seal a share in base64 to the signer for one key version; raise ``ValueError``."""
    context = ClientShareContext(
        org=org, account=key.account, vault=key.vault, path=key.path, version=key.version
    )
    with wiping(_share_bytes(text)) as share:
        box = seal_for(share_key, share, context.to_signer(agent))
    return ClientShare(key_version=key.version, share_key=share_key, box=f"0x{box.hex()}")
