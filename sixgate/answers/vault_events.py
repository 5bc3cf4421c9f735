"""Events of the ``vault`` topic, as clients receive them."""

from schemas.record import Record
from sixgate.api import ApiError, Json


def vault_event(record: Record) -> Json:
    """Return a record as ``Api.vault_events`` yields it; raise ``halted`` unless it is UTF-8."""
    try:
        return {"event": record.value.decode()}
    except UnicodeDecodeError:
        where = f"record {record.offset} of partition {record.partition}"
        why = f"{where} of the vault topic is not a signer's event: restore the topic"
        raise ApiError("halted", why) from None
