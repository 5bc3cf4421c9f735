"""Key descriptors: one version of a signing key, as the signer's answer describes it."""

from dataclasses import dataclass, field
from enum import StrEnum

from schemas.key_chains import SIGNING_CHAINS, KeyChain
from schemas.keys import KeyProvisioned
from signer.custody.envelope import SealedSecret
from signer.vaults.vault import VersionId
from signer.vaults.wrapping_fields import sealed_from


class KeyState(StrEnum):
    """The state of a version of a key; only an active version may sign."""

    ACTIVE = "active"
    ROTATED = "rotated"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class KeyDescriptor:
    """One version of a key of an account; ``imported`` if it was created outside Sixgate."""

    account: str
    path: str
    version: int
    address: str
    provisioned: KeyProvisioned = field(repr=False, hash=False)
    state: KeyState = KeyState.ACTIVE
    imported: bool = False

    @property
    def chain(self) -> KeyChain:
        """The chain of the key and its address."""
        return self.provisioned.chain

    @property
    def vault(self) -> str:
        """The name of its vault."""
        return self.provisioned.vault

    @property
    def version_id(self) -> VersionId:
        """The id of this version."""
        return key_version_id(self.provisioned)

    @property
    def active(self) -> bool:
        """Whether this version may be used."""
        return self.state is KeyState.ACTIVE

    @property
    def signs(self) -> bool:
        """Whether Sixgate signs intents with keys of this chain."""
        return self.chain in SIGNING_CHAINS


def key_version_id(answer: KeyProvisioned) -> VersionId:
    """Return the id of the version that an answer created."""
    return VersionId(answer.account, answer.vault, answer.path, answer.version)


def sealed_key(answer: KeyProvisioned) -> SealedSecret:
    """Return the key with its original wrapping, from the answer that created it."""
    return sealed_from(answer, bytes.fromhex(answer.ciphertext[2:]))
