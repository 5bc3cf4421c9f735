"""Client shares in API requests: sealed to the signer before they leave the gateway."""

import base64
import binascii
from contextlib import suppress

from schemas.client_share import ClientShare, ClientShareContext
from schemas.fields import X25519PublicKey
from signer.custody.buffers import wiping
from signer.custody.hpke import seal_for
from signer.keys.descriptor import KeyDescriptor

SHARE_BYTES_MAX = 64


def read_share(text: str) -> bytearray:
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
    with wiping(read_share(text)) as share:
        box = seal_for(share_key, share, context.to_signer(agent))
    return ClientShare(key_version=key.version, share_key=share_key, box=f"0x{box.hex()}")
