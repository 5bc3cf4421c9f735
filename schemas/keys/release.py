"""Key release: requests for KMS operations, and the events that grant or refuse them."""

from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, decode_as, digest, event_id
from schemas.dsse import Base64
from schemas.fields import Digest, Ed25519Signature, Hex, Name, Ordinal, TimeMs
from schemas.registry.custody import CustodyMode

OPERATIONS_MAX = 16
WRAPPED_BASE64_MAX = 8192  # 6144 bytes, the largest blob of a cloud KMS
ASK_BOX_BASE64_MAX = 16 * 1024
ANSWER_BOX_BASE64_MAX = 160 * 1024
SUBJECT_MAX = 512
_Label = Annotated[str, Field(min_length=1, max_length=256)]


class ReleaseReason(StrEnum):
    """Why a request was refused; a code never changes its meaning."""

    MALFORMED = "malformed"
    ORG_WRONG = "org_wrong"
    PROVIDER_WRONG = "provider_wrong"
    POLICY_NOT_IN_FORCE = "policy_not_in_force"
    NONCE_UNKNOWN = "nonce_unknown"
    NONCE_EXPIRED = "nonce_expired"
    NONCE_USED = "nonce_used"
    NONCES_EXHAUSTED = "nonces_exhausted"
    ASK_UNBOUND = "ask_unbound"
    EPHEMERAL_KEY_UNUSABLE = "ephemeral_key_unusable"
    CONFIGURATION_REFUSED = "configuration_refused"
    EVIDENCE_REFUSED = "evidence_refused"
    BOX_UNREADABLE = "box_unreadable"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a code
    CONTEXT_REFUSED = "context_refused"
    KMS_UNAVAILABLE = "kms_unavailable"
    KMS_DENIED = "kms_denied"
    KMS_KEY_DISABLED = "kms_key_disabled"
    KMS_KEY_NOT_FOUND = "kms_key_not_found"
    KMS_CORRUPT = "kms_corrupt"
    INTERNAL_ERROR = "internal_error"


RELEASE_MEANING: Final[dict[ReleaseReason, str]] = {
    ReleaseReason.MALFORMED: "The bytes are not a canonical request.",
    ReleaseReason.ORG_WRONG: "The request belongs to another organisation.",
    ReleaseReason.PROVIDER_WRONG: "The request is for another provider's release.",
    ReleaseReason.POLICY_NOT_IN_FORCE: "The release policy is not in force at this time.",
    ReleaseReason.NONCE_UNKNOWN: "This release has not issued the nonce since it started.",
    ReleaseReason.NONCE_EXPIRED: "The nonce is too old, or its time is in the future.",
    ReleaseReason.NONCE_USED: "The nonce was used before.",
    ReleaseReason.NONCES_EXHAUSTED: "Too many nonces were used in their lifetime; try again later.",
    ReleaseReason.ASK_UNBOUND: "The evidence lacks its nonce, or is bound to another request.",
    ReleaseReason.EPHEMERAL_KEY_UNUSABLE: "The attested key is not a usable X25519 key.",
    ReleaseReason.CONFIGURATION_REFUSED: "The policy does not list the configuration.",
    ReleaseReason.EVIDENCE_REFUSED: "The evidence does not verify; the code says why.",
    ReleaseReason.BOX_UNREADABLE: "The sealed box does not open with this release's key.",
    ReleaseReason.TOKEN_REFUSED: "The workload's token does not verify; the code says why.",
    ReleaseReason.CONTEXT_REFUSED: "This release does not hold keys of this kind or context.",
    ReleaseReason.KMS_UNAVAILABLE: "The KMS did not answer in time.",
    ReleaseReason.KMS_DENIED: "The KMS does not allow this release to use the key.",
    ReleaseReason.KMS_KEY_DISABLED: "The root key is disabled or destroyed.",
    ReleaseReason.KMS_KEY_NOT_FOUND: "Another root key wrapped the blob, or there is no such key.",
    ReleaseReason.KMS_CORRUPT: "A blob does not open: it was changed, or has another context.",
    ReleaseReason.INTERNAL_ERROR: "The request could not be executed; nothing was released.",
}


class KekContext(Canonical):
    """Identifies a vault key; its canonical bytes are the KMS's associated data."""

    v: Literal[1] = 1
    type: Literal["custody.context"] = "custody.context"
    layer: Literal["kek"] = "kek"
    org: _Label
    account: _Label
    vault: _Label
    mode: CustodyMode


class ShareContext(Canonical):
    """Identifies a holder's share of a data key; the KMS's associated data."""

    v: Literal[1] = 1
    type: Literal["custody.context"] = "custody.context"
    layer: Literal["share"] = "share"
    org: _Label
    account: _Label
    vault: _Label
    mode: CustodyMode
    path: _Label
    version: Ordinal
    holder: _Label


class IdentityContext(Canonical):
    """Identifies a service's identity and its purpose; the KMS's associated data."""

    v: Literal[1] = 1
    type: Literal["custody.context"] = "custody.context"
    layer: Literal["identity"] = "identity"
    org: _Label
    service: _Label
    purpose: Literal["signer"] = "signer"


Context: TypeAlias = KekContext | ShareContext | IdentityContext
_CONTEXTS: TypeAdapter[Context] = TypeAdapter(Annotated[Context, Field(discriminator="layer")])


def decode_context(raw: bytes) -> Context:
    """Parse the context of a vault key, a share or an identity; raise ``MalformedError``."""
    return decode_as(_CONTEXTS.validate_json, raw)


class Unwrap(Canonical):
    """A request to unwrap a blob; the answer holds its content."""

    type: Literal["unwrap"] = "unwrap"
    context: Annotated[Context, Field(discriminator="layer")]
    blob: Annotated[Base64, Field(max_length=WRAPPED_BASE64_MAX)]


class Wrap(Canonical):
    """A request to wrap the next content of the sealed box; the answer holds the blob."""

    type: Literal["wrap"] = "wrap"
    context: Annotated[Context, Field(discriminator="layer")]


Operation: TypeAlias = Unwrap | Wrap


class ReleaseAsk(Canonical):
    """A request to one provider's release; the signer's report binds its digest.

    ``box`` is sealed to the release and holds the workload's token and the contents to wrap.
    """

    v: Literal[1] = 1
    type: Literal["release.ask"] = "release.ask"
    org: Name
    provider: Name
    signer: Name
    boot: Digest
    operations: Annotated[
        tuple[Annotated[Operation, Field(discriminator="type")], ...],
        Field(min_length=1, max_length=OPERATIONS_MAX),
    ]
    box: Annotated[Base64, Field(max_length=ASK_BOX_BASE64_MAX)]

    def digest(self) -> str:
        """Return the digest of the request (0x hex), the key set of the report's binding."""
        return digest("sixgate/release-ask/v1", self.encode())


class ReleaseDecision(Canonical):
    """The common fields of both answers; ``release`` is the service that decides and signs."""

    v: Literal[1] = 1
    id: Digest
    org: Name
    provider: Name
    release: Name
    request: Digest
    policy: Digest
    at_ms: TimeMs
    signature: Ed25519Signature | None = None


class ReleaseGranted(ReleaseDecision):
    """A granted request. Only the attested key opens ``sealed``, a redacted field.

    ``asked`` is the digest of the ``ReleaseAsk``, ``ephemeral_key`` the SHA-256 of the attested
    key's DER, ``report`` the ``report_digest``, ``workload`` the token's subject. ``simulated``
    means that the report proves nothing.
    """

    type: Literal["release.granted"] = "release.granted"
    signer: Name
    boot: Digest
    nonce: Hex
    asked: Digest
    operations: Annotated[tuple[Literal["unwrap", "wrap"], ...], Field(max_length=OPERATIONS_MAX)]
    contexts: Annotated[tuple[Digest, ...], Field(max_length=OPERATIONS_MAX)]
    ephemeral_key: Digest
    configuration: Digest
    report: Digest
    simulated: bool
    workload: Annotated[str, Field(max_length=SUBJECT_MAX)]
    sealed: Annotated[Base64, Field(max_length=ANSWER_BOX_BASE64_MAX)]


class ReleaseRefused(ReleaseDecision):
    """A refused request; ``code`` is the check that the evidence or the token failed."""

    type: Literal["release.refused"] = "release.refused"
    reason: ReleaseReason
    code: Annotated[str, Field(pattern="^[a-z0-9_]{1,63}$")] | None = None


AnyDecision: TypeAlias = ReleaseGranted | ReleaseRefused
_DECISIONS: TypeAdapter[AnyDecision] = TypeAdapter(
    Annotated[AnyDecision, Field(discriminator="type")]
)


def decode_decision(raw: bytes) -> AnyDecision:
    """Parse a release's answer from canonical bytes; raise ``MalformedError``."""
    return decode_as(_DECISIONS.validate_json, raw)


def request_digest(raw: bytes) -> str:
    """Return the digest of a request's bytes, which may be malformed."""
    return digest("sixgate/release-request/v1", raw)


def decision_id(request: str, at_ms: int) -> str:
    """Return the id of the answer at ``at_ms`` to the request with this digest.

    A replayed request gets an answer too, a refusal; the time makes its id different.
    """
    return event_id("release", f"{request}\x00{at_ms}")


def context_digest(context: Context) -> str:
    """Return the digest of a context."""
    return digest("sixgate/custody-context/v1", context.encode())
