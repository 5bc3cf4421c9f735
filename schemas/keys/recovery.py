"""Recovery of secrets: replaces a lost client share, by an admin's order and the signer's answer.

The secret is not decrypted and does not change. Its data key is split again, so the lost share does
not combine with any of the new shares.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.dsse import Envelope
from schemas.fields import Name, Ordinal, Text, TimeMs, VaultName, X25519PublicKey
from schemas.keys.order import Order
from schemas.keys.wrapped import Blob, Wrapped
from schemas.signer_event import SignerEvent

Path = Annotated[str, Field(min_length=1, max_length=256)]


class RecoveryOrder(Order):
    """An admin's order to recover one version of one secret, with a justification and an expiry.

    ``share_for`` is the public key of the client that gets the new share.
    """

    type: Literal["secret.recovery"] = "secret.recovery"
    vault: VaultName
    path: Path
    version: Ordinal
    share_for: X25519PublicKey
    why: Annotated[Text, Field(min_length=1)]
    expires_at_ms: TimeMs


class SecretRecovered(Wrapped, SignerEvent):
    """A version's data key was split again; ``client_share`` is sealed to the client.

    ``sequence`` numbers the version's wrappings, together with those of ``SecretRewrapped``.
    """

    v: Literal[1] = 1
    type: Literal["secret.recovered"] = "secret.recovered"
    request: Envelope
    account: Name
    vault: VaultName
    path: Path
    version: Ordinal
    sequence: Ordinal
    client_share: Blob
    recovered_at_ms: TimeMs
