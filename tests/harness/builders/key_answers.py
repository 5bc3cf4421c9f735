"""Signers' answers to orders that rotate and end the key of ``cases``."""

from typing import Any

from schemas.keys import AnyOrder, KeyDeactivated, KeyDeactivation, KeyRotation, answer_id
from tests.harness.builders.cases import (
    ACCOUNT,
    KEY_PATH,
    NOW_MS,
    ORG,
    SIGNER,
    key_answer,
    key_request,
    sealed_request,
)

SECOND, THIRD = b"\x02" * 32, b"\x03" * 32


def order(kind: type[KeyRotation | KeyDeactivation], version: int, **changes: Any) -> AnyOrder:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": ACCOUNT,
        "path": KEY_PATH,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    }
    return kind(**(terms | changes), version=version)


def rotated(secret: bytes = SECOND, version: int = 1, /, **changes: Any) -> bytes:
    """Return the answer to a rotation of ``version``."""
    request = order(KeyRotation, version)
    terms = {
        "id": answer_id(request.encode()),
        "version": version + 1,
        "request": sealed_request(request),
    }
    return SIGNER.sign_event(key_answer(key_request(), secret, **(terms | changes)))


def ended(version: int = 1, **changes: Any) -> bytes:
    """Return the answer to a deactivation of ``version``."""
    request = order(KeyDeactivation, version)
    terms: dict[str, Any] = {
        "id": answer_id(request.encode()),
        "request": sealed_request(request),
        "account": ACCOUNT,
        "path": KEY_PATH,
        "version": version,
        "deactivated_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return SIGNER.sign_event(KeyDeactivated(**(terms | changes)))
