"""Key descriptors: one version of a signing key, as the signer's answer describes it."""

from dataclasses import dataclass, field, fields

from schemas.keys.key_events import KeyProvisioned
from signer.core.key_ref import KeyRef
from signer.custody.envelope import SealedSecret
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.wrappings import sealed_from


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDescriptor(KeyRef):
    """One version of a key, with the signer's answer that created it."""

    provisioned: KeyProvisioned = field(repr=False, hash=False)

    @property
    def version_id(self) -> VersionId:
        """The id of this version."""
        return key_version_id(self.provisioned)

    @property
    def ref(self) -> KeyRef:
        """Return the reference alone, without sealed bytes."""
        return KeyRef(*(getattr(self, one.name) for one in fields(KeyRef)))


def key_version_id(answer: KeyProvisioned) -> VersionId:
    """Return the id of the version that an answer created."""
    return VersionId(answer.account, answer.vault, answer.path, answer.version)


def sealed_key(answer: KeyProvisioned) -> SealedSecret:
    """Return the key with its original wrapping, from the answer that created it."""
    return sealed_from(answer, bytes.fromhex(answer.ciphertext[2:]))
