"""KMS calls for a request that passed every check of a release."""

from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.keys.release import ReleaseAsk
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.workload_token import Workload
from signer.attestation.release.request import wipe_all
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.verify import Verified


@dataclass(frozen=True, slots=True)
class KmsUnwrap:
    """A blob for the KMS to unwrap under this context."""

    blob: bytes = field(repr=False)
    context: bytes


@dataclass(frozen=True, slots=True)
class KmsWrap:
    """A plaintext for the KMS to wrap under this context; ``AllowedRequest.wipe`` wipes it."""

    content: bytearray = field(repr=False)
    context: bytes


KmsOperation: TypeAlias = KmsUnwrap | KmsWrap


@dataclass(frozen=True, slots=True)
class AllowedRequest:
    """A request that passed every check: the KMS calls, and the attested key for their results."""

    request: str
    ask: ReleaseAsk
    binding: Binding
    attested_key: bytes
    verified: Verified
    workload: Workload
    calls: tuple[KmsOperation, ...]
    identity: ReleaseIdentity

    def wipe(self) -> None:
        """Overwrite the plaintexts to be wrapped."""
        wipe_all(item.content for item in self.calls if isinstance(item, KmsWrap))
