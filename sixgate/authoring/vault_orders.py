"""Builds and signs vault orders: secrets, key rotations, provider roots and recoveries."""

import base64
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.fields import Name, SecretPath, VaultName, X25519PublicKey
from schemas.keys.provider_roots import ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder
from schemas.keys.vault_events import (
    KeyChange,
    SecretDelivery,
    SecretKind,
    SecretOrder,
    VaultKeyOrder,
    VaultOrder,
    secret_delivery_id,
)
from schemas.redaction import redacted_digest
from signer.custody.hpke import seal_for
from sixgate.api import Api, ApiError, Json
from sixgate.authoring.operator import ORDER_MS, SignsEnvelopes
from sixgate.authoring.share_key import current_share_key


class VaultId(NamedTuple):
    """A vault of an account."""

    account: Name
    vault: VaultName


class Orderer(NamedTuple):
    """The signer of an order: the node, the key, the time, and the agent if it is not an admin."""

    api: Api
    key: SignsEnvelopes
    at_ms: int
    agent: Name | None = None


@dataclass(frozen=True, slots=True)
class NewSecret:
    """The next version of a secret; the signer generates it if ``value`` is None.

    The caller wipes ``value``. The client share, if the vault's mode has one, is sealed to
    ``share_for``.
    """

    path: SecretPath
    version: int
    kind: SecretKind
    value: bytes | bytearray | None = field(default=None, repr=False)
    share_for: X25519PublicKey | None = None


class LostShare(NamedTuple):
    """A version whose client share is lost, the key to seal the new share to, and the reason."""

    path: str
    version: int
    share_for: X25519PublicKey
    why: str


def store(by: Orderer, vault_id: VaultId, secret: NewSecret) -> Json:
    """Order a version of a secret and return the answer. A given value is sent sealed."""
    terms = _terms(by, vault_id) | {
        "path": secret.path,
        "version": secret.version,
        "kind": secret.kind,
        "agent": by.agent,
        "share_for": secret.share_for,
    }
    order = SecretOrder(**terms)
    if secret.value is None:
        return _send(by, by.key.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode())
    box = _box(current_share_key(by.api, vault_id.account), secret.value, order.box_context())
    request = by.key.sign_envelope(
        VAULT_ORDER_TYPE, SecretOrder(**terms, box=redacted_digest(box)).encode()
    )
    name = secret_delivery_id(request.body())
    return _send(by, SecretDelivery(id=name, request=request, box=box).encode())


def change_key(by: Orderer, vault_id: VaultId, change: KeyChange, sequence: int) -> Json:
    """Order a rotation of a vault's KEK, or its rewrap under another root; return the answer."""
    order: VaultOrder = VaultKeyOrder(**_terms(by, vault_id), change=change, sequence=sequence)
    return _send(by, by.key.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode())


def change_provider_root(by: Orderer, vault_id: VaultId, provider: Name, sequence: int) -> Json:
    """Order the rewrap of a provider's shares under its new root key; return the answer."""
    order = ProviderRootOrder(**_terms(by, vault_id), provider=provider, sequence=sequence)
    return _send(by, by.key.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode())


def recover_share(by: Orderer, vault_id: VaultId, lost: LostShare) -> Json:
    """Order a new client share; return the answer, with the share sealed to the client."""
    order = RecoveryOrder(**_terms(by, vault_id), **lost._asdict())
    return _send(by, by.key.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode())


def _terms(by: Orderer, vault_id: VaultId) -> dict[str, Any]:
    registry = by.api.registry()
    times = {"requested_at_ms": by.at_ms, "expires_at_ms": by.at_ms + ORDER_MS}
    fields = {"org": registry["org"], "registry_sequence": registry["sequence"]}
    return fields | vault_id._asdict() | times


def _box(recipient: str, value: bytes | bytearray, context: bytes) -> str:
    try:
        return f"0x{seal_for(recipient, value, context).hex()}"
    except ValueError:
        why = "the signer's share key is invalid: restore the vault topic"
        raise ApiError("vault_refused", why) from None


def _send(by: Orderer, record: bytes) -> Json:
    return by.api.order_vault(base64.b64encode(record).decode())
