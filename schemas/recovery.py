"""A client's share that was lost is replaced: an operator's order, and what the signer says of it.

The secret is not opened and does not change. Its data key is split anew, so that the share that was
lost fits none of the shares that count from then on.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.custody import Blob, Wrapped
from schemas.dsse import Envelope
from schemas.fields import Name, Ordinal, Text, TimeMs, VaultName, X25519PublicKey
from schemas.order import Order
from schemas.signer_event import SignerEvent

Path = Annotated[str, Field(min_length=1, max_length=256)]


class RecoveryOrder(Order):
    """An admin's order for one version of one secret, while it has not expired; it says why.

    ``share_for`` is the key of the client that gets the new share.
    """

    type: Literal["secret.recovery"] = "secret.recovery"
    vault: VaultName
    path: Path
    version: Ordinal
    share_for: X25519PublicKey
    why: Annotated[Text, Field(min_length=1)]
    expires_at_ms: TimeMs


class SecretRecovered(Wrapped, SignerEvent):
    """A version's data key is split anew, as was ordered; ``client_share`` is for the client alone.

    ``sequence`` is the version's next wrapping, as that of ``SecretRewrapped``.
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
