"""Secret requests: agents' signed requests to `sixgate custody`, and its sealed answers.

They are not on a topic. A ``SecretAccess`` on a topic records who requested what, and the
decision.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes, digest
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
from schemas.intents.intent_parts import ClientShare
from schemas.keys.vault_events import SecretKind

LISTED_MAX = 10_000
ReadOperation = Literal["list", "get", "history", "export"]


class SecretRequest(Canonical):
    """An agent's request to read from a vault of its account; valid once, for a minute.

    ``history`` returns the newest ``LISTED_MAX`` versions. All operations except ``list`` have a
    path. ``get`` and ``export`` may have a ``version``; the default is the newest.
    ``client_share`` is sealed to custody's reading key.
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
    """A version of a secret in an answer; ``value`` only if it was requested."""

    path: SecretPath
    version: Ordinal
    kind: SecretKind
    generated: bool
    stored_at_ms: TimeMs
    value: Hex | None = Field(default=None, repr=False)


class SecretAnswer(Canonical):
    """The answer to one request, sealed to the requester's ``reply_to``."""

    v: Literal[1] = 1
    type: Literal["secret.answer"] = "secret.answer"
    request: Digest
    secrets: Annotated[tuple[SecretVersion, ...], Field(max_length=LISTED_MAX)]


def secret_request_digest(body: bytes) -> str:
    """Return the digest of a request's canonical bytes."""
    return digest("sixgate/secret-request/v1", body)


def answer_context(request: str) -> bytes:
    """Return the HPKE ``info`` of the answer to a request."""
    return canonical_bytes({"type": "secret.answer.box", "v": 1, "request": request})
