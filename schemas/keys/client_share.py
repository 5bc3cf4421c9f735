"""What binds a client share in transit to its key: from the signer, and back with an intent."""

from schemas.canonical import Canonical, canonical_bytes
from schemas.fields import Ordinal


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
