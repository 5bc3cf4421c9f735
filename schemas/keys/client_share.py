"""Client shares in transit: to the client when a key is made, to the signer with an intent."""

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes
from schemas.fields import Hex, Ordinal, X25519PublicKey


class ClientShare(Canonical):
    """The client's share of one key version, sealed to one of the signer's share keys."""

    key_version: Ordinal
    share_key: X25519PublicKey
    box: Hex = Field(max_length=256)


class ClientShareContext(Canonical):
    """The key version of a client share, to which HPKE binds the sealed share."""

    org: str
    account: str
    vault: str
    path: str
    version: Ordinal

    def to_client(self) -> bytes:
        """Return the HPKE ``info`` for handing the share over to the client."""
        return canonical_bytes({"type": "custody.share.handover", "v": 1, **self.model_dump()})

    def to_signer(self, agent: str) -> bytes:
        """Return the HPKE ``info`` that binds a share to one agent, path and version."""
        return canonical_bytes(
            {"type": "custody.share", "v": 1, "agent": agent, **self.model_dump()}
        )
