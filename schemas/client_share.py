"""A client's share on its way: to the client when a key is made, to the signer with an intent."""

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes
from schemas.fields import Hex, Ordinal, X25519PublicKey


class ClientShare(Canonical):
    """The client's share of one version of a key, sealed for one of the signer's share keys."""

    key_version: Ordinal
    share_key: X25519PublicKey
    box: Hex = Field(max_length=256)


class ClientShareContext(Canonical):
    """The version of a key whose client's share is on its way."""

    org: str
    account: str
    vault: str
    path: str
    version: Ordinal

    def to_client(self) -> bytes:
        """Return what the share is sealed under when it is handed over, once."""
        return canonical_bytes({"type": "custody.share.handover", "v": 1, **self.model_dump()})

    def to_signer(self, agent: str) -> bytes:
        """Return what an agent's share is sealed under: it serves no other agent, path, version."""
        return canonical_bytes(
            {"type": "custody.share", "v": 1, "agent": agent, **self.model_dump()}
        )
