"""Stores versions of secrets for people, through the desk, and for agents, through the gateway.

1. Decide whether the caller may write.
2. Register the vault with the default custody mode, unless it has a mode.
3. Import the value as a signing key if it is one (``stored_signing_keys``). The version of step 5
   then holds its address instead of the value.
4. Store the version's terms. *If the process ends here, they belong to no version; the next one
   replaces them.*
5. Order the version. *If the process ends before the answer, the version may exist with its terms;
   a client share in the answer is lost, so store the value again.*
6. Grant the right to sign with the key to everyone whose policies permit to read the secret.
"""

import base64
import binascii
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from schemas.keys.secret_access import Operation
from schemas.keys.vault_events import VALUE_BYTES_MAX, SecretKind, SecretStored
from signer.core.registry.vault import Vault
from signer.custody.buffers import wiping
from signer.custody.cmek import layer_of
from signer.keys.access import KEY_KINDS, Refused
from sixgate.api.callers import Caller, record
from sixgate.api.policy_grants import rewrite_grants_in
from sixgate.api.problems import Problem, forbidden, invalid
from sixgate.api.services import Services
from sixgate.api.stored_signing_keys import check_no_signing_key, import_key, importable_key
from sixgate.api.vault_lookup import (
    KEY_PREFIXES,
    KnownVault,
    access_to,
    ensure_registered,
    fingerprints_of,
    forbidden_access,
    history_of,
)
from sixgate.api_error import ApiError, retry_overtaken
from sixgate.authoring.vault_orders import NewSecret, Orderer, VaultId, store
from sixgate.gateway.client_shares import ShareRecipient
from sixgate.gateway.secret_versions import Terms

KIND_OF_TYPE: dict[str, SecretKind] = {
    "generic": "note",
    "api_key": "api_key",
    "certificate": "certificate",
    "env": "note",
    "env_bundle": "note",
    "file": "file",
    "note": "note",
    "password": "password",
    "private_key": "private_key",
    "ssh_key": "ssh_key",
}


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A value to store at a path, and its terms; the caller wipes ``value``.

    ``terms`` names type, metadata and limits; vault, path and version are filled in.
    """

    path: str
    value: bytearray = field(repr=False)
    terms: Terms


class AnsweredVersion(NamedTuple):
    """A version as the signer answered the order; what the gateway has read may lag behind."""

    vault: str
    path: str
    version: int
    kind: SecretKind
    stored_at_ms: int


ShownVersion: TypeAlias = SecretStored | AnsweredVersion
"""A version as the log, or the signer's answer, has it; its terms are stored apart."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A stored version, and what only the caller who stored it learns.

    ``first`` is true if the secret did not exist before.
    """

    stored: AnsweredVersion
    first: bool
    client_share: str | None = field(repr=False)
    signing_address: str | None


def type_of(stored: ShownVersion, terms: Terms) -> str:
    """Return the type of a version as the API names it."""
    if stored.kind != "note":
        return stored.kind
    return terms.type if terms.type and KIND_OF_TYPE[terms.type] == "note" else "generic"


def store_version(
    services: Services, caller: Caller, known: KnownVault, new: NewVersion
) -> StoredVersion:
    """Store a version of a secret; see the steps above."""
    if known.vault.holds_keys:
        detail = f"{known.id} holds only signing keys: make them with the routes of signing keys."
        raise Problem(409, "system_vault", detail)
    # 1.
    check_writable(services, caller, known.vault, new.path)
    with services.secret_versions.changing(known.id, new.path):
        # 2.
        registered = ensure_registered(services, known)
        kind = _effective_kind(services, registered.vault, new.path, new.terms.type or "generic")
        with wiping(bytearray(_value(services, registered.vault, new.value))) as value:
            _check_size(value)
            # 3.
            address = _imported(services, caller, registered, new.path, kind, value)
            # 4. and 5.
            layered = bool(fingerprints_of(services, registered.vault))
            terms = replace(new.terms, layered=layered)
            # The only copy of a signing key is in the vault of signing keys. Its version here holds
            # the address, so that lists, policies and deletion treat it as every other secret.
            kept = value if address is None else bytearray(address, "ascii")
            sent = NewVersion(new.path, kept, terms)
            result = retry_overtaken(
                lambda: _store(services, caller, registered, sent, kind), "vault_refused"
            )
        # 6.
        if address is not None:
            services.secret_versions.add_signing_key(known.id, new.path)
            rewrite_grants_in(services, known.id)
    return replace(result, signing_address=address)


def _effective_kind(services: Services, vault: Vault, path: str, type_: str) -> SecretKind:
    """Return the kind of a new version: a path never changes its kind.

    A key stays a key whatever type a request names, so that no request makes it readable. Another
    secret cannot become a key, because its former versions would stay readable.
    """
    kind = KIND_OF_TYPE[type_]
    if path.startswith(KEY_PREFIXES) and kind not in KEY_KINDS:
        kind = "private_key"
    history = history_of(services, vault, path)
    if not history:
        return kind
    if kind in KEY_KINDS and history[0].kind not in KEY_KINDS:
        raise Problem(
            409,
            "type_fixed",
            f"{path} holds a secret of another type, whose versions can be read: store the key at "
            "another path.",
        )
    return history[0].kind


def check_writable(services: Services, caller: Caller, vault: Vault, path: str) -> None:
    """Raise a 403 problem unless the caller may store versions of a secret."""
    version = len(history_of(services, vault, path)) + 1
    operation: Operation = "rotate" if version > 1 else "put"
    access = access_to(services, caller, vault, path, operation)
    if isinstance(access, Refused):
        resource = f"vault:{vault.name}/{path}"
        record(services, caller, "secret.write.refused", resource, {"reason": access.reason})
        _order_refused(services, caller, vault, path, version)
        raise forbidden_access(access)


def _order_refused(
    services: Services, caller: Caller, vault: Vault, path: str, version: int
) -> None:
    """Let the signer refuse and record an order without a value, as it does for every agent.

    It records nothing about an empty vault, because the registry does not have it yet.
    """
    order = NewSecret(path=path, version=version, kind="note")
    try:
        store(_orderer(services, caller), VaultId(*vault.id), order)
    except ApiError as error:
        if error.code != "vault_refused":
            raise


def _value(services: Services, vault: Vault, value: bytearray) -> bytes | bytearray:
    """Return the bytes to store: under a customer key, the value is base64 of encrypted bytes."""
    fingerprints = fingerprints_of(services, vault)
    if not fingerprints:
        return value
    try:
        layered = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        layered = b""
    if layer_of(layered) != fingerprints[-1]:
        raise invalid(
            {
                "value": "must be base64 of a value that the customer encrypted under the vault's "
                f"customer key {fingerprints[-1].removeprefix('0x')}"
            }
        )
    return layered


def _check_size(value: bytearray) -> None:
    if len(value) > VALUE_BYTES_MAX:
        why = f"has {len(value)} bytes; at most {VALUE_BYTES_MAX} are possible"
        raise invalid({"value": why})


def _imported(
    services: Services,
    caller: Caller,
    known: KnownVault,
    path: str,
    kind: SecretKind,
    value: bytearray,
) -> str | None:
    """Import a value that is a signing key; return its address, or None for another value."""
    # Of an ssh_key too: an agent may have chosen the type of the path, to read the key there.
    secret = importable_key(services, known, path, value) if kind in KEY_KINDS else None
    if secret is None:
        if kind in KEY_KINDS:
            check_no_signing_key(services, path)
        return None
    with wiping(secret):
        if caller.kind == "agent":
            raise forbidden(
                "people_only", "Agents may not store signing keys: ask a person to store this one."
            )
        return import_key(services, known, path, secret)


def _store(
    services: Services, caller: Caller, known: KnownVault, new: NewVersion, kind: SecretKind
) -> StoredVersion:
    """Store the terms and the version with the next free number (steps 4 and 5)."""
    history = history_of(services, known.vault, new.path)
    version = len(history) + 1
    terms = replace(new.terms, vault=known.id, path=new.path, version=version)
    recipient = ShareRecipient(known.vault, services.org)
    # 4. If the process ends here, the terms belong to no version.
    former = services.secret_versions.put(terms)
    order = NewSecret(new.path, version, kind, new.value, recipient.share_for)
    try:
        # 5. If the process ends here, the version may exist, with its terms.
        answer = store(_orderer(services, caller), known.order_id, order)
    except ApiError as error:
        if error.code == "vault_refused":
            services.secret_versions.restore(terms, former)  # certainly not made
        raise
    deleted = services.secret_versions.deleted_through(known.id, new.path)
    return StoredVersion(
        stored=AnsweredVersion(**{name: answer[name] for name in AnsweredVersion._fields}),
        first=len(history) <= deleted,
        client_share=recipient.opened(answer),
        signing_address=None,
    )


def _orderer(services: Services, caller: Caller) -> Orderer:
    """Return the signer of the order: the desk for a person, the gateway for an agent."""
    orderer = services.desk.orderer()
    if caller.kind == "person":
        return orderer
    return Orderer(orderer.api, services.gateway_key, services.now_ms(), caller.id)
