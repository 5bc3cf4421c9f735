"""Builds and signs an admin's registry records and key orders."""

import base64
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE, Envelope
from schemas.fields import KeyPath, Name, VaultName, X25519PublicKey
from schemas.keys.curves import CURVES
from schemas.keys.key_events import (
    KeyDeactivation,
    KeyDelivery,
    KeyImport,
    KeyOrder,
    KeyRequest,
    KeyRotation,
    delivery_id,
    import_context,
)
from schemas.redaction import redacted_digest
from schemas.registry.key_chains import KeyChain
from schemas.registry.records import (
    AddressClaimed,
    ChainSet,
    Entry,
    RecordVersion,
    RegistryRecord,
    record_digest,
)
from signer.custody import curves
from signer.custody.hpke import seal_for
from signer.keys.addresses.derivation import canonical_address, derive
from sixgate.api import Api, ApiError, Json
from sixgate.authoring.share_key import current_share_key

READS_AS_ID = "digits alone, or after 0x, are the id of a chain, which may be another one"
ORDER_MS = 60 * 60 * 1000
"""Validity of an order: long enough for a restart of the signer."""


class SignsEnvelopes(Protocol):
    """A signing key, or what stands for one: ``Ed25519Signer`` is one."""

    def sign_envelope(self, payload_type: str, body: bytes) -> Envelope:
        """Return ``body`` in an envelope."""
        ...


def record_envelope(
    admin: SignsEnvelopes,
    org: str,
    chained: tuple[int, str],
    entry: Entry,
    at_ms: int,
    version: RecordVersion = 1,
) -> tuple[bytes, str]:
    """Return a signed registry record and its digest.

    ``chained`` is its sequence number and the digest of the record before it.
    """
    sequence, previous = chained
    record = RegistryRecord(
        v=version, org=org, sequence=sequence, previous=previous, at_ms=at_ms, entry=entry
    )
    body = record.encode()
    return admin.sign_envelope(REGISTRY_TYPE, body).encode(), record_digest(body)


def register(api: Api, admin: SignsEnvelopes, entries: list[Entry], at_ms: int) -> None:
    """Sign and append registry entries, one after the other.

    Raises ``ApiError`` ``registry_refused``; the entries before the refused one stay. *If the
    process ends between two entries, the ones appended so far stay.*
    """
    for entry in entries:
        append_record(api, admin, api.registry(), entry, at_ms)


def append_record(
    api: Api,
    admin: SignsEnvelopes,
    registry: Json,
    entry: Entry,
    at_ms: int,
    version: RecordVersion = 1,
) -> None:
    """Sign and append an entry to a registry as it was read; raises ``registry_refused``."""
    if isinstance(entry, ChainSet) and (name := id_as_name(entry, registry["chains"])):
        raise ApiError("registry_refused", f"a chain cannot be named {name}: {READS_AS_ID}")
    chained = (registry["sequence"], registry["head"])
    envelope, _ = record_envelope(admin, registry["org"], chained, entry, at_ms, version)
    api.register(base64.b64encode(envelope).decode())


def id_as_name(entry: ChainSet, chains: Iterable[Json]) -> str | None:
    """Return a name or alias that a chain would get and that reads like an id, or None.

    Old records have such names, so readers of the registry accept them, and a chain may keep one.
    The registry itself refuses names of other chains.
    """
    former = [chain for chain in chains if chain["chain_id"] == entry.chain_id]
    kept = {name for chain in former for name in (chain["name"], *chain.get("aliases", ()))}
    names = (name for name in (entry.name, *entry.aliases) if name not in kept)
    return next((name for name in names if name.isdigit() or name.startswith("0x")), None)


class Admin(NamedTuple):
    """An admin's session: the node, the admin's key, and the time."""

    api: Api
    key: SignsEnvelopes
    at_ms: int


class KeyTarget(NamedTuple):
    """A key's account, path and chain, and its vault if not the default one.

    The client share, if the vault's mode has one, is sealed to ``share_for``.
    """

    account: Name
    path: KeyPath
    chain: KeyChain = KeyChain.ETHEREUM
    vault: VaultName | None = None
    share_for: X25519PublicKey | None = None


def provision(admin: Admin, key: KeyTarget) -> Json:
    """Order a key and return its descriptor; raises ``key_refused``."""
    return _order(admin, KeyRequest(**_terms(admin, key), **_vault_fields(key), chain=key.chain))


def rotate(admin: Admin, key: KeyTarget, version: int) -> Json:
    """Order the key version after ``version``, the newest one, and return its descriptor."""
    terms = _terms(admin, key)
    return _order(admin, KeyRotation(**terms, version=version, share_for=key.share_for))


def deactivate(admin: Admin, key: KeyTarget, version: int) -> Json:
    """Order the deactivation of a key; ``version`` is its newest version."""
    return _order(admin, KeyDeactivation(**_common_fields(admin, key), version=version))


def import_key(admin: Admin, key: KeyTarget, secret: bytearray) -> Json:
    """Import a key made elsewhere and return its descriptor. The caller wipes ``secret``.

    1. Claim its address in the registry. *If the process ends here, only this account can import
       the key.*
    2. Seal it to the signer's current share key, for this place and address only.
    3. Send the signed order.

    Raises ``CorruptError`` for an invalid key, and ``ApiError`` ``registry_refused``,
    ``key_refused``.
    """
    public_key = curves.public_key(CURVES[key.chain], secret)
    address = canonical_address(key.chain, derive(key.chain, public_key))
    terms = _terms(admin, key)
    # 1. Another import of the same key by this account repeats the claim, which is allowed.
    claim = AddressClaimed(account=key.account, address=address)
    register(admin.api, admin.key, [claim], admin.at_ms)
    # 2. The signer announces a share key to an account that has claimed an address.
    recipient = current_share_key(admin.api, key.account)
    context = import_context(terms["org"], key.account, key.path, key.chain, address)
    box = f"0x{_sealed_to(recipient, secret, context).hex()}"
    sealed: dict[str, Any] = {
        "address": address,
        "import_key": recipient,
        "box": redacted_digest(box),
    }
    # 3. If the process ends before the answer, the key may have been imported; see its descriptor.
    envelope = _signed(admin, KeyImport(**terms, **sealed, **_vault_fields(key), chain=key.chain))
    name = delivery_id(envelope.body())
    return _send(admin, KeyDelivery(id=name, request=envelope, box=box).encode())


def _common_fields(admin: Admin, key: KeyTarget) -> dict[str, Any]:
    registry = admin.api.registry()
    fields = {"org": registry["org"], "account": key.account, "path": key.path}
    return fields | {"requested_at_ms": admin.at_ms, "registry_sequence": registry["sequence"]}


def _terms(admin: Admin, key: KeyTarget) -> dict[str, Any]:
    return _common_fields(admin, key) | {"expires_at_ms": admin.at_ms + ORDER_MS}


def _vault_fields(key: KeyTarget) -> dict[str, Any]:
    return {"vault": key.vault, "share_for": key.share_for}


def _sealed_to(recipient: str, secret: bytearray, context: bytes) -> bytes:
    try:
        return seal_for(recipient, secret, context)
    except ValueError:
        why = "the signer's share key is invalid: restore the vault topic"
        raise ApiError("key_refused", why) from None


def _order(admin: Admin, order: KeyOrder) -> Json:
    return _send(admin, _signed(admin, order).encode())


def _signed(admin: Admin, order: KeyOrder) -> Envelope:
    return admin.key.sign_envelope(KEY_REQUEST_TYPE, order.encode())


def _send(admin: Admin, record: bytes) -> Json:
    return admin.api.order_key(base64.b64encode(record).decode())
