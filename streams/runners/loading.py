"""What a signer must find as it left it: the registry and all that was answered on ``vault``."""

from collections.abc import Iterable
from contextlib import suppress

from schemas.record import Record
from signer.keys.orders import KeyOrderError
from signer.registry import Registry, RegistryRecordError
from signer.state import SlotState, StateIntegrityError, StateRollbackError
from signer.vaults.register import VaultRegister


def load_registry(registry: Registry, records: Iterable[Record], seen: SlotState) -> None:
    """Fold the registry as far as the signer read it.

    Raises ``StateRollbackError`` when there are fewer records than it has seen,
    ``StateIntegrityError`` when there are more.
    """
    for record in records:
        with suppress(RegistryRecordError):  # on record since it was read first
            registry.apply(record.value)
    _check_count("records in the registry", registry.sequence, seen.registry_sequence)


def load_said(
    said: VaultRegister, events: Iterable[Record], registry: Registry, seen: SlotState
) -> None:
    """Fold what was answered on ``vault``.

    Raises ``StateRollbackError`` when there is less than the signer has seen,
    ``StateIntegrityError`` when there is more or other, or what no signer answered.
    """
    for event in events:
        _take(said, event, registry)
    _check_count("answers in the vault", said.count, seen.key_count)
    if seen.key_digest not in (None, said.digest()):
        raise StateIntegrityError(
            "the answers in the vault are others than the signer saw: "
            "restore the vault from a good copy"
        )


def _take(said: VaultRegister, event: Record, registry: Registry) -> None:
    try:
        said.load(event.value, registry)
    except KeyOrderError as error:
        raise StateIntegrityError(f"the vault holds what no signer answered: {error}") from None


def _check_count(what: str, found: int, seen: int) -> None:
    if found < seen:
        raise StateRollbackError(
            f"there are only {found} {what} where the signer saw {seen}: restore a newer copy"
        )
    if found > seen:
        raise StateIntegrityError(
            f"there are {found} {what} where the signer saw {seen}: the signer's state is older, "
            "or somebody else wrote them; restore the data folder from a good copy"
        )
