"""Audit records of every use of a secret, allowed or refused."""

from dataclasses import dataclass

from schemas.canonical import event_id
from schemas.fields import TEXT_MAX
from schemas.keys.secret_access import AccessReason, Operation, SecretAccess
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.registry.vault import Vault
from signer.custody.errors import ProviderFailure
from signer.keys.access import Access, Refused


@dataclass(frozen=True, slots=True)
class Use:
    """One requested use of a secret; ``request`` is unique for each use."""

    request: str
    org: str
    vault: Vault
    path: str | None
    version: int | None
    operation: Operation
    actor: str
    client_address: str
    at_ms: int


def access_record(use: Use, access: Access, failures: tuple[ProviderFailure, ...] = ()) -> Outgoing:
    """Return the audit record of a use, with the decision and the providers that failed."""
    refused = access if isinstance(access, Refused) else None
    reason: AccessReason | None = refused.reason if refused else None
    record = SecretAccess(
        id=event_id("secret.access", use.request),
        org=use.org,
        account=use.vault.account,
        vault=use.vault.name,
        path=use.path,
        version=use.version,
        operation=use.operation,
        actor=use.actor,
        client_address=use.client_address,
        at_ms=use.at_ms,
        allowed=refused is None,
        reason=reason,
        detail=refused.detail[:TEXT_MAX] if refused else "",
        failed=tuple(failure.provider for failure in failures),
    )
    return Outgoing(Topic.AUDIT, "", record.encode())
