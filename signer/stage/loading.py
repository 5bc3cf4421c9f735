"""Start checks of a signer: registry and ``vault`` must be exactly what its state saw last."""

from collections.abc import Iterable
from contextlib import suppress

from schemas.record import Record
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.stage.state import SlotState, StateIntegrityError, StateRollbackError


def load(
    registry: Registry,
    vault: VaultRegister,
    registry_records: Iterable[Record],
    vault_events: Iterable[Record],
    seen: SlotState,
) -> None:
    """Fold the registry records and the signer's events on ``vault``.

    Raises ``StateRollbackError`` if there are fewer than the state has ``seen``, and
    ``StateIntegrityError`` if there are more, or other events, or an invalid one.
    """
    for record in registry_records:
        with suppress(RegistryRecordError):  # audited when it was read first
            registry.apply(record.value)
    _check_count("records in the registry", registry.record_count, seen.registry_sequence)
    for event in vault_events:
        _load_event(vault, event, registry)
    _check_count("answers in the vault", vault.count, seen.key_count)
    # The count is not enough: a signer that dies before its commit answers an order a second time,
    # so two well-signed answers to one order can exist.
    if seen.key_digest not in (None, vault.digest()):
        raise StateIntegrityError(
            "the answers in the vault differ from those that the signer saw: "
            "restore the vault from a good copy"
        )


def _load_event(vault: VaultRegister, event: Record, registry: Registry) -> None:
    try:
        vault.load(event.value, registry)
    except KeyOrderError as error:
        raise StateIntegrityError(
            f"an event in the vault is invalid ({error}): restore the vault from a good copy"
        ) from None


def _check_count(what: str, found: int, seen: int) -> None:
    if found < seen:
        raise StateRollbackError(
            f"there are only {found} {what}, but the signer saw {seen}: restore a newer copy "
            "of the data folder, or on Kafka of the topic"
        )
    if found > seen:
        raise StateIntegrityError(
            f"there are {found} {what}, but the signer saw {seen}: either the signer's state is an "
            "older copy, or another process wrote them; restore the data "
            "folder, or on Kafka the topic, from a good copy"
        )
