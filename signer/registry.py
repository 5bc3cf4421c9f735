"""The registry as a trust machine: records go in one by one, only proven ones change it.

The trust root is the digest of the first record, remembered outside the bus. Shape after
python-tuf's TrustedMetadataSet.
"""

from dataclasses import dataclass, field

from schemas.canonical import MalformedError
from schemas.dsse import REGISTRY_TYPE, Envelope
from schemas.registry import GENESIS_PREVIOUS, OrgCreated, RegistryRecord, record_digest
from signer.registered import Registered
from signer.registry_entries import RegistryEntryError, apply_entry
from signer.signatures import InvalidSignatureError, open_envelope_of_any


class RegistryRecordError(Exception):
    """A record that does not continue the registry; the registry is unchanged."""


@dataclass(slots=True)
class Registry(Registered):
    """Everything operators have registered, folded from proven records.

    ``digests`` names every record in order.
    """

    trust_root: str
    digests: list[str] = field(default_factory=list)

    @property
    def sequence(self) -> int:
        """Return the number of the next record."""
        return len(self.digests)

    @property
    def head(self) -> str:
        """Return the digest of the last record."""
        return self.digests[-1] if self.digests else GENESIS_PREVIOUS

    def apply(self, raw: bytes) -> RegistryRecord:
        """Apply the next record; raise ``RegistryRecordError`` and change nothing if it is invalid.

        1. The envelope is canonical. 2. An admin key signed it (the first record names its own,
        and is the one whose digest we were told to trust). 3. It continues the chain. 4. Its
        entry is possible.
        """
        envelope, record = _decode(raw)
        self._check_signed(envelope, record)
        name = record_digest(envelope.body())
        self._check_chained(record, name)
        self._take(record.entry)
        self.digests.append(name)
        return record

    def _check_signed(self, envelope: Envelope, record: RegistryRecord) -> None:
        keys = self.admin_keys
        if self.sequence == 0:
            keys = record.entry.admin_keys if isinstance(record.entry, OrgCreated) else ()
        try:
            open_envelope_of_any(envelope, REGISTRY_TYPE, keys)
        except InvalidSignatureError:
            raise RegistryRecordError(
                "no admin key of the organisation signed the record"
            ) from None

    def _check_chained(self, record: RegistryRecord, name: str) -> None:
        if self.sequence == 0 and name != self.trust_root:
            raise RegistryRecordError("the first record is not the one this registry trusts")
        if record.sequence != self.sequence or record.previous != self.head:
            raise RegistryRecordError(f"the record does not continue record {self.sequence - 1}")
        if self.sequence and record.org != self.org:
            raise RegistryRecordError("the record belongs to another organisation")

    def _take(self, entry: object) -> None:
        try:
            apply_entry(self, entry, self.sequence)
        except RegistryEntryError as error:
            raise RegistryRecordError(str(error)) from None


def _decode(raw: bytes) -> tuple[Envelope, RegistryRecord]:
    try:
        envelope = Envelope.decode(raw)
        return envelope, RegistryRecord.decode(envelope.body())
    except MalformedError as error:
        raise RegistryRecordError(f"the record is malformed ({error})") from None
