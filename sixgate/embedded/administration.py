"""Operators' signed records in a data folder: registry records, key orders and vault orders.

1. Let the pipeline read what waits, so that the check sees the newest registry and keys.
2. Check the record: a refused record is never appended.
3. Append it to the inbox. *If the process ends after it, the next start of the pipeline executes
   it, unless it expired.*
4. Let the pipeline execute it, and return the signer's answer.

The lock keeps other batches out between the steps. Repeating an order is idempotent.
"""

import copy
from collections.abc import Callable

from schemas.record import Outgoing
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from schemas.vault_events import SecretOrder
from signer.access import Refused as AccessRefused
from signer.custody.errors import ClientShareMissingError
from signer.keys.orders import KeyOrderError, VerifiedKeyOrder, open_order
from signer.keys.register import KeyRegister
from signer.registry import Registry, RegistryRecordError
from signer.stage import HaltError
from signer.vaults.client_shares import require_client
from signer.vaults.orders import (
    VerifiedVaultOrder,
    authorize_order,
    decode_vault_record,
    open_vault_order,
)
from signer.vaults.register import VaultRegister
from sixgate.answers import snapshot
from sixgate.api import ApiError, Json, bytes_of
from sixgate.clocks import wall_ms
from sixgate.embedded.pipeline import Pipeline

_NOT_DONE = "the signer did not execute the order: see the audit records"


def check_record(
    raw: bytes, registry: Registry, check_registered: Callable[[Registry], None] = lambda _: None
) -> None:
    """Raise ``registry_refused`` unless a record is valid as the registry's next one.

    It must not halt the signer either: once appended, no later record could undo it.
    """
    _check_size(raw, "registry_refused")
    try:
        after = copy.deepcopy(registry)
        after.apply(raw)
        check_registered(after)
    except (RegistryRecordError, HaltError) as error:
        raise ApiError("registry_refused", str(error)) from None


def checked_order(raw: bytes, registry: Registry, keys: KeyRegister) -> VerifiedKeyOrder:
    """Return a valid or already answered key order; raise ``key_refused`` otherwise."""
    _check_size(raw, "key_refused")
    try:
        ordered = open_order(raw, registry)
        if keys.answered(ordered.id) is None:
            keys.check_possible(ordered.order)
    except KeyOrderError as error:
        raise ApiError("key_refused", str(error)) from None
    return ordered


def register(pipeline: Pipeline, envelope: str) -> Json:
    """See ``Api.register``."""
    raw, stage = bytes_of(envelope), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()  # 1.
        sequence = stage.registry.record_count
        # 2. If the process ends here, nothing was appended.
        check_record(raw, stage.registry, pipeline.parts.runner.slot.operations.check_registered)
        # 3. If the process ends after this line, the record is durable, and the next start applies
        # it.
        pipeline.append([Outgoing(Topic.REGISTRY, "", raw)])
        pipeline.step()  # 4.
    return {"sequence": sequence}


def order_key(pipeline: Pipeline, record: str) -> Json:
    """See ``Api.order_key``."""
    raw, stage = bytes_of(record), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()
        ordered = checked_order(raw, stage.registry, stage.keys)
        # An answered order is not appended again: the caller may have died before the answer.
        if stage.keys.answered(ordered.id) is None:
            pipeline.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
            pipeline.step()
        key = stage.keys.answered(ordered.id)
    if key is None:
        raise ApiError("key_refused", _NOT_DONE)
    return snapshot.key_answer(key)


def checked_vault_order(
    raw: bytes, registry: Registry, vaults: VaultRegister
) -> VerifiedVaultOrder:
    """Return a valid or already answered vault order; raise ``vault_refused`` otherwise.

    The signer denies access to an agent without a grant, and records that. So this check skips
    everything else for such an agent: it must not learn whether a secret exists or its version.
    """
    _check_size(raw, "vault_refused")
    if (record := decode_vault_record(raw)) is None:
        raise ApiError("vault_refused", "the record is not a vault order")
    try:
        ordered = open_vault_order(record, registry)
        if isinstance(authorize_order(ordered, registry, wall_ms()), AccessRefused):
            return ordered
        if isinstance(ordered.order, SecretOrder) and not snapshot.vault_answer(vaults, ordered.id):
            vaults.secrets.check_next(ordered.order)
            vaults.secrets.check_room(ordered.order, len(ordered.box))
            require_client(ordered.vault, ordered.order.share_for)
    except (KeyOrderError, ClientShareMissingError) as error:
        raise ApiError("vault_refused", str(error)) from None
    return ordered


def order_vault(pipeline: Pipeline, record: str) -> Json:
    """See ``Api.order_vault``."""
    raw, runner = bytes_of(record), pipeline.parts.runner
    registry, vaults = runner.stage.registry, runner.slot.operations.vault
    with pipeline.lock:
        pipeline.step()
        ordered = checked_vault_order(raw, registry, vaults)
        if snapshot.vault_answer(vaults, ordered.id) is None:
            pipeline.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
            pipeline.step()
        found = snapshot.vault_answer(vaults, ordered.id)
        access = authorize_order(ordered, registry, wall_ms())
    if found is None:
        why = access.detail if isinstance(access, AccessRefused) else _NOT_DONE
        raise ApiError("vault_refused", why)
    return found


def _check_size(raw: bytes, code: str) -> None:
    """Refuse a record that is too large for the bus before parsing it."""
    if len(raw) > INTERNAL_BYTES_MAX:
        raise ApiError(code, f"the record is over {INTERNAL_BYTES_MAX} bytes: split it")
