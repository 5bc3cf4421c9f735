"""One version of a key, as the signer's answer that made it says."""

from dataclasses import dataclass, field
from enum import StrEnum

from schemas.key_chains import SIGNING, KeyChain
from schemas.keys import KeyProvisioned
from signer.custody.envelope import SealedSecret
from signer.vaults.vault import VersionId
from signer.vaults.wrapping_fields import sealed_from


class KeyState(StrEnum):
    """What became of a version of a key; only an active one may sign."""

    ACTIVE = "active"
    ROTATED = "rotated"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class KeyDescriptor:
    """One version of a key: one account's, at one path; ``imported`` if it was made elsewhere."""

    account: str
    path: str
    version: int
    address: str
    provisioned: KeyProvisioned = field(repr=False, hash=False)
    state: KeyState = KeyState.ACTIVE
    imported: bool = False

    @property
    def chain(self) -> KeyChain:
        """The chain whose address the key has."""
        return self.provisioned.chain

    @property
    def vault(self) -> str:
        """The vault that it is in."""
        return self.provisioned.vault

    @property
    def place(self) -> VersionId:
        """Where this version lies."""
        return key_version_id(self.provisioned)

    @property
    def active(self) -> bool:
        """Whether this version may be used at all."""
        return self.state is KeyState.ACTIVE

    @property
    def signs(self) -> bool:
        """Whether intents may be signed with a key of this chain."""
        return self.chain in SIGNING


def key_version_id(answer: KeyProvisioned) -> VersionId:
    """Return where the version of a key lies that an answer made."""
    return VersionId(answer.account, answer.vault, answer.path, answer.version)


def sealed_key(answer: KeyProvisioned) -> SealedSecret:
    """Return a key as it was sealed when it was made."""
    return sealed_from(answer, bytes.fromhex(answer.ciphertext[2:]))
