"""Requests and replies of the secret routes."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from schemas.keys.vault_events import VALUE_BYTES_MAX
from sixgate.api.models.base import Reply, Request, Time, must_be_empty

METADATA_BYTES_MAX = 4096
GENERATED_MIN, GENERATED_MAX = 16, 1024
SecretType = Literal[
    "generic", "api_key", "certificate", "env", "env_bundle", "file", "note", "password",
    "private_key", "ssh_key",
]  # fmt: skip
Charset = Literal["alphanumeric", "ascii", "base64", "hex", "numeric"]
RotationPolicy = Annotated[
    dict[str, Any] | None,
    must_be_empty("is not supported: rotate the secret with secret-rotate or with PUT"),
]


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size_bytes = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise ValueError("must be JSON with finite numbers and valid text") from None
    if size_bytes > METADATA_BYTES_MAX:
        raise ValueError(f"has {size_bytes} bytes; at most {METADATA_BYTES_MAX} are possible")
    return value


class SecretRequest(Request):
    """A value to store as the next version of a secret.

    ``value`` is text of at most 64 KiB; in a vault with a customer key it is base64 of a value that
    the customer encrypted. A path keeps the type of its first version, and every secret below
    ``keys/``, ``wallets/`` and ``agents/`` is a key. This version can be read until
    ``expires_at``, and ``max_access_count`` times. ``description`` is kept in ``metadata``, unless
    that has a description of its own.
    """

    value: SecretStr = Field(min_length=1, max_length=2 * VALUE_BYTES_MAX)
    type: SecretType = "generic"
    metadata: Annotated[dict[str, Any], AfterValidator(_metadata)] | None = None
    description: str | None = Field(default=None, max_length=1024)
    expires_at: Time | None = None
    max_access_count: int | None = Field(default=None, ge=1, le=2**31)
    rotation_policy: RotationPolicy = None

    @property
    def kept_metadata(self) -> dict[str, Any]:
        """The metadata of the version, with the description."""
        described = {"description": self.description} if self.description else {}
        return described | (self.metadata or {})


class GenerateRequest(Request):
    """Length in characters, and alphabet, of a value that the gateway generates."""

    length: int = Field(default=32, ge=GENERATED_MIN, le=GENERATED_MAX)
    charset: Charset = "alphanumeric"
    type: SecretType | None = None


class SecretEntry(Reply):
    """A version of a secret without its value."""

    path: str
    version: int
    type: str
    created_at: str
    created_by: str | None
    expires_at: str | None
    max_access_count: int | None
    access_count: int
    metadata: dict[str, Any]
    cmek_encrypted: bool
    is_disabled: bool


class NewSecretEntry(SecretEntry):
    """A new version.

    ``client_share`` is present, once, in vaults with client custody. ``signing_address`` is present
    if the value was imported as the signing key at the path: the version holds this address and
    cannot be read.
    """

    signing_address: str | None = None
    client_share: str | None = Field(default=None, repr=False)


class SecretReply(SecretEntry):
    """A version of a secret with its value.

    ``encoding`` is ``utf-8``, or ``base64`` for a value that is not text, such as one that the
    customer encrypted (``cmek_encrypted``).
    """

    value: str = Field(repr=False)
    encoding: Literal["utf-8", "base64"]


class SecretList(Reply):
    """The newest versions of secrets, newest first."""

    secrets: list[SecretEntry]
    next_cursor: str | None


class VersionList(Reply):
    """The versions of a secret, newest first."""

    versions: list[SecretEntry]
    next_cursor: str | None
