"""The registry: verifies records one by one and applies only valid ones.

The trust root is the digest of the first record; it is configured outside the bus. The shape
follows python-tuf's TrustedMetadataSet.
"""

from dataclasses import dataclass, field

from schemas.canonical import MalformedError
from schemas.dsse import REGISTRY_TYPE, Envelope
from schemas.registry.records import (
    GENESIS_PREVIOUS,
    AgentSet,
    OrgCreated,
    PolicySet,
    RegistryRecord,
    record_digest,
)
from signer.core.errors import InvalidSignatureError, RegistryRecordError
from signer.core.registry.entries import apply_entry
from signer.core.registry.registered import Registered
from signer.core.registry.scope import scope_problem
from signer.core.signatures import open_envelope_of_any


@dataclass(slots=True)
class Registry(Registered):
    """Everything that admins have registered, as verified records built it.

    ``digests`` holds the digest of every record, in order.
    """

    trust_root: str
    digests: list[str] = field(default_factory=list)

    @property
    def record_count(self) -> int:
        """Return the number of records, which is also the sequence of the next one."""
        return len(self.digests)

    @property
    def last_digest(self) -> str:
        """Return the digest of the last record; without records ``GENESIS_PREVIOUS``."""
        return self.digests[-1] if self.digests else GENESIS_PREVIOUS

    def apply(self, raw: bytes) -> RegistryRecord:
        """Apply the next record; raise ``RegistryRecordError`` and change nothing if it is invalid.

        1. The envelope and the record are canonical.
        2. An admin key signed it. The first record names its own admin keys; step 3 compares its
           digest with the trust root. If a scoped admin signed it, its entry is in scope.
        3. It continues the chain of records.
        4. Its entry is possible after the earlier ones.
        """
        # 1.
        envelope, record = _decode(raw)
        # 2.
        scoped = self._check_signed(envelope, record)
        # 3.
        name = record_digest(envelope.body())
        self._check_chained(record, name)
        # 4. Nothing has changed before this call, and it raises before it changes anything.
        apply_entry(self, record.entry, self.record_count)
        match record.entry:
            case PolicySet(policy_id=policy_id):
                note = self.scoped_policies.add if scoped else self.scoped_policies.discard
                note(policy_id)
            case AgentSet(agent=agent, policy_id=policy_id) if record.entry.active or not scoped:
                self.granted_policies[agent] = policy_id
            case AgentSet(agent=agent, policy_id=policy_id):
                if self.granted_policies.get(agent) != policy_id:
                    self.granted_policies.pop(agent, None)
        self.digests.append(name)
        return record

    def _check_signed(self, envelope: Envelope, record: RegistryRecord) -> bool:
        """Return whether a scoped admin signed it, within its scope."""
        try:
            if self.record_count == 0:
                keys = record.entry.admin_keys if isinstance(record.entry, OrgCreated) else ()
                open_envelope_of_any(envelope, REGISTRY_TYPE, keys)
                return False
            author = self.author_of(envelope, REGISTRY_TYPE)
        except InvalidSignatureError:
            raise RegistryRecordError(
                "no admin key of the organisation signed the record"
            ) from None
        problem = author.scope and scope_problem(self, author.scope, record)
        if problem:
            raise RegistryRecordError(f"scoped admin {author.name} may not register it: {problem}")
        return author.scope is not None

    def _check_chained(self, record: RegistryRecord, name: str) -> None:
        if self.record_count == 0 and name != self.trust_root:
            raise RegistryRecordError("the digest of the first record is not the trust root")
        if record.sequence != self.record_count or record.previous != self.last_digest:
            raise RegistryRecordError(
                f"the record does not continue record {self.record_count - 1}"
            )
        if self.record_count and record.org != self.org:
            raise RegistryRecordError("the record belongs to another organisation")


def _decode(raw: bytes) -> tuple[Envelope, RegistryRecord]:
    try:
        envelope = Envelope.decode(raw)
        return envelope, RegistryRecord.decode(envelope.body())
    except MalformedError as error:
        raise RegistryRecordError(f"the record is malformed ({error})") from None
