"""``/v1/vaults/{vault_id}/cmek``: the customer's own key over a vault's values.

Sixgate has the key's fingerprint only. A value is encrypted by the customer before it is stored and
after it is read; see ``docs/custody-modes.md``.
"""

import base64
import binascii
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from pydantic import SecretStr

from schemas.registry.records import CustomerKeySet
from signer.custody.buffers import wiping
from sixgate.api.callers import Caller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.customer_key_jobs import KeyPair, start_rotation
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import vaults as models
from sixgate.api.problems import Problem, answers, invalid, not_found
from sixgate.api.routes.vaults import vault_reply
from sixgate.api.services import Services
from sixgate.api.vault_lookup import KnownVault, ensure_registered, find_vault, fingerprints_of
from sixgate.authoring.customer_key import KEY_BYTES, CustomerKey

router = APIRouter(prefix="/v1/vaults/{vault_id}", tags=["cmek"], route_class=JsonRoute)
KEY_TEXT_MAX = 64


OldKey = Annotated[
    SecretStr, Header(alias="x-cmek-old-key", max_length=KEY_TEXT_MAX, description="Base64.")
]
NewKey = Annotated[
    SecretStr, Header(alias="x-cmek-new-key", max_length=KEY_TEXT_MAX, description="Base64.")
]


async def key_pair(old_key: OldKey, new_key: NewKey) -> KeyPair:
    """Return the keys in the headers; raise a 400 problem that repeats nothing of them."""
    with ExitStack() as wiped:
        keys = {}
        for name, text in (("x-cmek-old-key", old_key), ("x-cmek-new-key", new_key)):
            try:
                decoded = base64.b64decode(text.get_secret_value(), validate=True)
            except (ValueError, binascii.Error):
                decoded = b""
            buffer = wiped.enter_context(wiping(bytearray(decoded)))
            if len(buffer) != KEY_BYTES:
                raise invalid({name: f"must be base64 of {KEY_BYTES} bytes"})
            keys[name] = CustomerKey(buffer)
        return KeyPair(keys["x-cmek-old-key"], keys["x-cmek-new-key"])


KeysOf = Annotated[KeyPair, Depends(key_pair)]


@router.post("/cmek", responses=answers(400, 401, 403, 404, 409))
def enable(
    vault_id: str, request: models.CmekRequest, caller: PersonCaller, services: ServicesOf
) -> models.VaultReply:
    """Accept only values that the customer encrypted; existing values stay as they are."""
    known = _vault(services, caller, vault_id)
    enrolled = fingerprints_of(services, known.vault)
    if enrolled and enrolled[-1] != request.fingerprint:
        detail = f"Vault {vault_id} has a customer key already: rotate it."
        raise Problem(409, "cmek_enabled", detail)
    if not enrolled:
        # If the process ends between the two, the vault has its default custody mode and no key.
        known = ensure_registered(services, known)
        services.desk.register(
            [
                CustomerKeySet(
                    account=services.account, vault=known.id, fingerprint=request.fingerprint
                )
            ]
        )
        record(services, caller, "cmek.enable", f"vault:{known.id}", request.model_dump())
    return vault_reply(services, known)


@router.delete("/cmek", responses=answers(401, 403, 404, 409))
def disable(vault_id: str, caller: PersonCaller, services: ServicesOf) -> models.VaultReply:
    """Accept values without the customer's encryption again; existing values stay encrypted."""
    known = _vault(services, caller, vault_id)
    if fingerprints_of(services, known.vault):
        services.desk.register([CustomerKeySet(account=services.account, vault=known.id)])
        record(services, caller, "cmek.disable", f"vault:{known.id}")
    return vault_reply(services, known)


@router.post(
    "/cmek-rotate",
    status_code=202,
    responses=answers(400, 401, 403, 404, 409),
    dependencies=[NewWork],
)
def rotate(
    vault_id: str,
    request: models.CmekRotationRequest,
    caller: PersonCaller,
    services: ServicesOf,
    keys: KeysOf,
) -> models.CmekRotationReply:
    """Re-encrypt the newest versions under a new customer key; keys are in memory meanwhile."""
    known = _vault(services, caller, vault_id)
    if keys.new.fingerprint != request.new_fingerprint:
        raise invalid({"new_fingerprint": "is not the SHA-256 of the key in x-cmek-new-key"})
    job_id = start_rotation(services, caller, known, keys)
    record(services, caller, "cmek.rotate", f"vault:{known.id}", {"job_id": job_id})
    return _reply(services, known, job_id)


@router.get("/cmek-rotate/{job_id}", responses=answers(401, 403, 404))
def rotation(
    vault_id: str, job_id: str, caller: PersonCaller, services: ServicesOf
) -> models.CmekRotationReply:
    """Return the state of a rotation; one that a restart interrupted is failed."""
    return _reply(services, find_vault(services, caller, vault_id), job_id)


def _vault(services: Services, caller: Caller, vault_id: str) -> KnownVault:
    known = find_vault(services, caller, vault_id)
    if known.vault.holds_keys:
        raise Problem(409, "system_vault", f"{vault_id} holds only signing keys.")
    return known


def _reply(services: Services, known: KnownVault, job_id: str) -> models.CmekRotationReply:
    job = services.rotations.get(known.id, job_id)
    if job is None:
        raise not_found("rotation", job_id)
    return models.CmekRotationReply(
        id=job.id,
        job_id=job.id,
        status=job.status,
        total_secrets=job.total,
        processed=job.processed,
        skipped=job.skipped,
        error=job.error,
    )
