"""Signing of registry heads: what a registrar states about the registry it has read."""

from collections.abc import Iterable

from schemas.dsse import REGISTRY_HEAD_TYPE
from schemas.ledger.heads import RegistryHead
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.stage.freshness import (
    HEAD_SKEW_MS_MAX,
    NO_REGISTRY,
    RegistryStaleError,
    require_not_withheld,
)


def next_head(
    registrar: Ed25519Signer, registry: Registry, heads: Iterable[RegistryHead], now_ms: int
) -> bytes:
    """Return the next signed head of a registry; ``heads`` are those published so far.

    Raises ``RegistryStaleError`` if the registrar is not registered with this key, or if a
    published head names a record that the registry lacks.
    """
    if registry.service_key("registrar", registrar.keyid) != registrar.public_key:
        raise RegistryStaleError(_unregistered(registrar.keyid, registry))
    # Never sign a shorter registry than one that was signed before: it would hide its records.
    for known in heads:
        require_not_withheld(known, registry)
    head = RegistryHead(
        org=registry.org,
        sequence=registry.record_count - 1,
        digest=registry.last_digest,
        at_ms=now_ms,
        valid_until_ms=now_ms + HEAD_SKEW_MS_MAX,
    )
    return registrar.sign_envelope(REGISTRY_HEAD_TYPE, head.encode()).encode()


def _unregistered(registrar: str, registry: Registry) -> str:
    if not registry.record_count:
        return NO_REGISTRY
    return (
        f"the registry does not name {registrar} as an active registrar with this key: run "
        f"sixgate services add {registrar}, then restart. Nothing was signed"
    )
