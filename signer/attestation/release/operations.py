"""What a proven request has a release's KMS do, and for whom."""

from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.release import ReleaseAsk
from signer.attestation.binding import Binding
from signer.attestation.release.identity import ReleaseIdentity
from signer.attestation.release.request import wipe_all
from signer.attestation.release.workload_token import Workload
from signer.attestation.verify import Verified


@dataclass(frozen=True, slots=True)
class ToUnwrap:
    """A blob for the KMS to unwrap under this context."""

    blob: bytes = field(repr=False)
    context: bytes


@dataclass(frozen=True, slots=True)
class ToWrap:
    """What the KMS is to wrap under this context, in a buffer that ``Allowed.wipe`` wipes."""

    content: bytearray = field(repr=False)
    context: bytes


Work: TypeAlias = ToUnwrap | ToWrap


@dataclass(frozen=True, slots=True)
class Allowed:
    """A request that passed every check: what the KMS is to do, and for which attested key."""

    request: str
    ask: ReleaseAsk
    binding: Binding
    attested_key: bytes
    verified: Verified
    workload: Workload
    work: tuple[Work, ...]
    standing: ReleaseIdentity

    def wipe(self) -> None:
        """Overwrite what was to be wrapped."""
        wipe_all(item.content for item in self.work if isinstance(item, ToWrap))
