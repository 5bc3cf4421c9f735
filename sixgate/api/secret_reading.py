"""Reads secrets for agents and people: the secret service decides and records every read.

The gateway adds what the signer does not know: versions that are deleted, disabled, expired or read
as often as allowed. It says so only to a caller who may read the secret.
"""

import base64
import binascii
from contextlib import nullcontext
from dataclasses import dataclass, field

from schemas.keys.secret_access import AccessReason
from schemas.keys.secret_requests import ReadOperation, SecretVersion
from schemas.keys.vault_events import SecretStored
from signer.custody.buffers import wiping
from signer.custody.cmek import layer_of
from signer.custody.custody_modes import PLANS
from signer.keys.access import Refused
from sixgate.api.callers import Caller
from sixgate.api.problems import Problem, forbidden, invalid
from sixgate.api.services import Services
from sixgate.api.vault_lookup import (
    KnownVault,
    access_to,
    forbidden_access,
    history_of,
    reader_for,
)
from sixgate.api_error import ApiError
from sixgate.authoring.secret_reader import SecretReader
from sixgate.gateway.secret_versions import Terms

SHARE_TEXT_MAX = 256
# The read certainly returned no value.
_NOT_READ = frozenset(
    {"access_refused", "secret_unknown", "read_refused", "custody_failed", "custody_unavailable"}
)


@dataclass(frozen=True, slots=True)
class OpenedVersion:
    """A version with its value as text: itself, or base64 of bytes that are no UTF-8 text."""

    stored: SecretStored
    terms: Terms
    value: str = field(repr=False)
    encoding: str
    layered: bool


def living_versions(services: Services, known: KnownVault, path: str) -> list[SecretStored]:
    """Return the versions of a secret that were not deleted, oldest first."""
    deleted = services.secret_versions.deleted_through(known.id, path)
    return list(history_of(services, known.vault, path)[deleted:])


def secret_unknown(known: KnownVault, path: str, version: int | None = None) -> Problem:
    """Return the 404 for a secret or version that does not exist or was deleted."""
    which = path if version is None else f"version {version} of {path}"
    return Problem(404, "secret_unknown", f"Vault {known.id} has no {which}.")


def read_version(
    services: Services,
    caller: Caller,
    known: KnownVault,
    path: str,
    version: int | None,
    share: str | None,
) -> OpenedVersion:
    """Return a version with its value, the newest by default; raise a problem if it is refused."""
    reader = reader_for(services, caller)
    _check_readable(services, caller, known, path, reader, "get")
    stored = _selected(services, known, path, version)
    terms = services.secret_versions.get(known.id, path, stored.version)
    _check_usable(services, terms)
    share_bytes = _share_bytes(known, share)
    if not services.secret_versions.count_read(terms):
        detail = f"Version {terms.version} of {path} was read {terms.reads_max} times, its maximum"
        raise Problem(410, "reads_exhausted", f"{detail}: store a new version.")
    try:
        opened = _ask(reader, known, stored, share_bytes)
    except ApiError as error:
        # Any other error leaves open whether the value was returned: the read stays counted.
        if error.code in _NOT_READ:
            services.secret_versions.return_read(terms)
        if error.code == "custody_failed" and share_bytes is not None:
            raise forbidden("client_share_wrong", str(error)) from None
        raise
    return _opened(stored, terms, opened)


def list_secrets(services: Services, caller: Caller, known: KnownVault) -> list[SecretStored]:
    """Return the newest version of each secret that the caller may list, newest first."""
    deleted = services.secret_versions.deleted(known.id)
    listed = reader_for(services, caller).ask("list", known.vault.name)
    found = [
        history_of(services, known.vault, one.path)[one.version - 1]
        for one in listed
        if one.version > deleted.get(one.path, 0)
    ]
    return sorted(found, key=lambda one: (-one.stored_at_ms, one.path))


def list_versions(
    services: Services, caller: Caller, known: KnownVault, path: str
) -> list[SecretStored]:
    """Return the versions of a secret, newest first; raise a problem if there is none."""
    reader = reader_for(services, caller)
    _check_readable(services, caller, known, path, reader, "history")
    found = living_versions(services, known, path)
    if not found:
        raise secret_unknown(known, path)
    reader.ask("history", known.vault.name, path)  # recorded like a read
    return found[::-1]


def _check_readable(
    services: Services,
    caller: Caller,
    known: KnownVault,
    path: str,
    reader: SecretReader,
    operation: ReadOperation,
) -> None:
    """Raise a 403 problem unless the caller may read the secret, or its history.

    1. The secret service refuses and records what it refuses.
    2. It does not know that every secret at a path of a key counts as a key.
    """
    # 1.
    refused = access_to(services, caller, known.vault, path, operation, strict=False)
    if isinstance(refused, Refused) or known.vault.holds_keys:
        _record_refused(reader, known, path, operation)
    # 2.
    access = access_to(services, caller, known.vault, path, operation)
    if isinstance(access, Refused):
        raise forbidden_access(access)
    if known.vault.holds_keys:
        raise forbidden(AccessReason.KEY_SIGNS, f"A signing key cannot be read: {path}.")


def _record_refused(
    reader: SecretReader, known: KnownVault, path: str, operation: ReadOperation
) -> None:
    try:
        reader.ask(operation, known.vault.name, path)
    except ApiError as error:
        if error.code not in {"access_refused", "secret_unknown"}:
            raise


def _selected(
    services: Services, known: KnownVault, path: str, version: int | None
) -> SecretStored:
    found = living_versions(services, known, path)
    if version is None and found:
        return found[-1]
    for one in found:
        if one.version == version:
            return one
    raise secret_unknown(known, path, version)


def _check_usable(services: Services, terms: Terms) -> None:
    which = f"Version {terms.version} of {terms.path}"
    if terms.disabled:
        raise Problem(410, "version_disabled", f"{which} was disabled: store a new version.")
    if terms.expires_at_ms is not None and terms.expires_at_ms <= services.now_ms():
        raise Problem(410, "secret_expired", f"{which} has expired: store a new version.")


def _share_bytes(known: KnownVault, share: str | None) -> bytearray | None:
    """Return the client share in a header, which the caller wipes; None if the mode has none."""
    if not PLANS[known.vault.mode].needs_client:
        return None
    if share is None:
        raise Problem(
            400,
            "client_share_missing",
            f"Vault {known.id} has mode {known.vault.mode}: send the version's client share in the "
            "header X-Client-Share.",
        )
    try:
        return bytearray(base64.b64decode(share, validate=True))
    except (ValueError, binascii.Error):
        raise invalid({"X-Client-Share": "must be base64"}) from None


def _ask(
    reader: SecretReader, known: KnownVault, stored: SecretStored, share: bytearray | None
) -> SecretVersion:
    name, path, version = known.vault.name, stored.path, stored.version
    with wiping(share) if share is not None else nullcontext():
        sealed = reader.share_of(name, path, version, share) if share is not None else None
    (opened,) = reader.ask("get", name, path, version, sealed)
    return opened


def _opened(stored: SecretStored, terms: Terms, opened: SecretVersion) -> OpenedVersion:
    value = bytes.fromhex((opened.value or "0x")[2:])
    layered = terms.layered and layer_of(value) is not None
    try:
        text = None if layered else value.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None:
        return OpenedVersion(stored, terms, text, "utf-8", layered=False)
    return OpenedVersion(stored, terms, base64.b64encode(value).decode(), "base64", layered)
