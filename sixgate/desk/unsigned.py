"""Records on their way to a desk: envelopes without a signature, which the desk signs.

An envelope has exactly one signature, so an unsigned one has an empty signature. It is valid
nowhere: no Ed25519 signature is empty.
"""

from typing import NamedTuple

from pydantic import TypeAdapter

from schemas import dsse
from schemas.canonical import MalformedError, decode_as
from schemas.dsse import Envelope, signed_envelope
from schemas.fields import TimeMs
from schemas.keys.key_events import AnyOrder, KeyDelivery, decode_order
from schemas.keys.vault_events import SecretDelivery, VaultOrder, decode_vault_order
from schemas.registry.records import RegistryRecord
from sixgate.api import ApiError
from sixgate.authoring.operator import SignsEnvelopes

_RECORD: TypeAdapter[Envelope | KeyDelivery | SecretDelivery] = TypeAdapter(
    Envelope | KeyDelivery | SecretDelivery
)


class Unsigned:
    """Stands for the key of a desk that is another process."""

    def sign_envelope(self, payload_type: str, body: bytes) -> Envelope:
        """Return an unsigned envelope."""
        return signed_envelope(payload_type, body, "unsigned", b"")


class UnsignedRecord(NamedTuple):
    """A record with an unsigned envelope: its kind, and the time that its content names."""

    record: Envelope | KeyDelivery | SecretDelivery
    kind: str
    at_ms: TimeMs

    def signed(self, key: SignsEnvelopes) -> bytes:
        """Return the record with the key's signature."""
        envelope = self.record if isinstance(self.record, Envelope) else self.record.request
        ours = key.sign_envelope(envelope.payload_type, envelope.body())
        if isinstance(self.record, Envelope):
            return ours.encode()
        return self.record.model_copy(update={"request": ours}).encode()


def read_unsigned(raw: bytes, payload_type: str) -> UnsignedRecord:
    """Return a record with well-formed content of a type; raise ``request_malformed``.

    Nothing else is checked here.
    """
    try:
        record = decode_as(_RECORD.validate_json, raw)
        envelope = record if isinstance(record, Envelope) else record.request
        if envelope.payload_type != payload_type or envelope.signature():
            raise ApiError("request_malformed", f"the record is no unsigned {payload_type}")
        match payload_type:
            case dsse.REGISTRY_TYPE:
                entry = RegistryRecord.decode(envelope.body())
                return UnsignedRecord(record, entry.entry.type, entry.at_ms)
            case dsse.KEY_REQUEST_TYPE:
                order: AnyOrder | VaultOrder = decode_order(envelope.body())
            case _:
                order = decode_vault_order(envelope.body())
    except MalformedError as error:
        raise ApiError("request_malformed", f"the record is malformed ({error})") from None
    return UnsignedRecord(record, order.type, order.requested_at_ms)
