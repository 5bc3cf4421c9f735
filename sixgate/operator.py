"""What an operator signs: registry records and key requests."""

import base64

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE
from schemas.fields import KeyPath, Name
from schemas.keys import KeyRequest
from schemas.registry import Entry, RegistryRecord, record_digest
from signer.signatures import Ed25519Signer
from sixgate.api import Api, Json


def record_envelope(
    admin: Ed25519Signer, org: str, chained: tuple[int, str], entry: Entry, at_ms: int
) -> tuple[bytes, str]:
    """Return a signed registry record and its digest.

    ``chained`` is its sequence and the digest of the record before it.
    """
    sequence, previous = chained
    record = RegistryRecord(org=org, sequence=sequence, previous=previous, at_ms=at_ms, entry=entry)
    body = record.encode()
    return admin.seal(REGISTRY_TYPE, body).encode(), record_digest(body)


def register(api: Api, admin: Ed25519Signer, entries: list[Entry], at_ms: int) -> None:
    """Sign entries onto the registry's end, one after the other.

    Raises ``ApiError`` ``registry_refused``; the entries before the refused one stay.
    """
    for entry in entries:
        now = api.registry()
        chained = (now["sequence"], now["head"])
        envelope, _ = record_envelope(admin, now["org"], chained, entry, at_ms)
        api.register(base64.b64encode(envelope).decode())


def provision(api: Api, admin: Ed25519Signer, account: Name, path: KeyPath, at_ms: int) -> Json:
    """Order a key for an account at a path and return its descriptor; raises ``key_refused``."""
    org = api.registry()["org"]
    request = KeyRequest(org=org, account=account, path=path, requested_at_ms=at_ms)
    envelope = admin.seal(KEY_REQUEST_TYPE, request.encode()).encode()
    return api.provision(base64.b64encode(envelope).decode())
