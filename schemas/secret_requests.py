"""What agents ask of custody, and what they get: signed requests, answers sealed for the reader.

Neither is on a topic. That something was asked, by whom and how it was decided is
(``schemas.access.SecretAccess``).
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes, digest
from schemas.client_share import ClientShare
from schemas.fields import (
    Digest,
    Hex,
    Name,
    Ordinal,
    SecretPath,
    TimeMs,
    Unique,
    VaultName,
    X25519PublicKey,
)
from schemas.vault_events import SecretKind

LISTED_MAX = 10_000
ReadOperation = Literal["list", "get", "history", "export"]


class SecretRequest(Canonical):
    """An agent's request to read in a vault of its account; it serves once, for a minute.

    ``history`` tells the newest ``LISTED_MAX`` versions. ``list`` has no path and the others
    one; a ``version`` is that of ``get`` and ``export``, where it is left out the newest.
    ``client_share`` is sealed for custody's reading key.
    """

    v: Literal[1] = 1
    type: Literal["secret.request"] = "secret.request"
    org: Name
    account: Name
    agent: Name
    operation: ReadOperation
    vault: VaultName
    path: SecretPath | None = None
    version: Ordinal | None = None
    reply_to: X25519PublicKey
    client_share: ClientShare | None = None
    nonce: Unique
    requested_at_ms: TimeMs


class SecretVersion(Canonical):
    """A version of a secret as a reader is told of it; ``value`` only where it was asked for."""

    path: SecretPath
    version: Ordinal
    kind: SecretKind
    generated: bool
    stored_at_ms: TimeMs
    value: Hex | None = Field(default=None, repr=False)


class SecretAnswer(Canonical):
    """The answer to one request, as it is sealed for whoever asked."""

    v: Literal[1] = 1
    type: Literal["secret.answer"] = "secret.answer"
    request: Digest
    secrets: Annotated[tuple[SecretVersion, ...], Field(max_length=LISTED_MAX)]


def secret_request_digest(body: bytes) -> str:
    """Name a request by its canonical bytes."""
    return digest("sixgate/secret-request/v1", body)


def answer_context(request: str) -> bytes:
    """Return what the answer to a request is sealed under."""
    return canonical_bytes({"type": "secret.answer.box", "v": 1, "request": request})
