"""Restoration of vault backups: selects the backup's events that the ``vault`` topic lacks; pure.

For each vault, the events on the topic must be a prefix of the backup's. So no version, wrapping
or mode is rolled back, and a second restore of the same backup appends nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from schemas.canonical import canonical_bytes
from schemas.keys.vault_backup import Backup
from signer.core.registry.registry import Registry
from signer.core.registry.vault import VaultId
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister


class RestoreError(Exception):
    """A backup that does not continue the events on the topic; nothing was restored."""


class VaultEventError(Exception):
    """A record on ``vault`` that is not a vault event; a signer that starts halts at it too."""


class VaultLine(NamedTuple):
    """An event of ``vault`` with its account and vault; the vault is empty if it names no vault."""

    vault_id: VaultId
    raw: bytes


def vault_lines(events: Iterable[bytes]) -> list[VaultLine]:
    """Return events with their vaults; raise ``VaultEventError`` for a record that is no event.

    ``key.deactivated`` names no vault: it belongs to the vault in which the key was made.
    """
    try:
        return list(_lines(events))
    except (ValueError, KeyError, TypeError):
        raise VaultEventError("a record that is not a vault event") from None


def missing_events(backup: Backup, known: Iterable[bytes], registry: Registry) -> list[VaultLine]:
    """Return the events of a backup that the topic lacks, in order.

    ``known`` is every record of ``vault``. Raises ``RestoreError``; ``VaultEventError`` if
    ``known`` has a record that is not a vault event.
    """
    if backup.header.org != registry.org:
        raise RestoreError(
            f"it is a backup of {backup.header.org}, but this organisation is {registry.org}"
        )
    _check_modes(backup, registry)
    present, saved = vault_lines(known), _backup_lines(backup)
    present_by_vault, skip = _by_vault(present), {}
    for vault_id, lines in _by_vault(saved).items():
        _check_continues(vault_id, lines, present_by_vault[vault_id])
        skip[vault_id] = len(present_by_vault[vault_id])
    new: list[VaultLine] = []
    for line in saved:
        if skip[line.vault_id]:
            skip[line.vault_id] -= 1
        else:
            new.append(line)
    _check_loadable((line.raw for line in (*present, *new)), registry)
    return new


def _backup_lines(backup: Backup) -> list[VaultLine]:
    try:
        return vault_lines(backup.events)
    except VaultEventError as error:
        raise RestoreError(f"it holds {error}") from None


def _lines(events: Iterable[bytes]) -> Iterator[VaultLine]:
    vaults: dict[tuple[str, str], str] = {}
    for raw in events:
        event: Any = orjson.loads(raw)
        if canonical_bytes(event) != raw:  # a line break in an event would split its backup line
            raise ValueError("not canonical")
        key = _text(event["account"]), _text(event.get("path", ""))
        if event["type"] == "key.provisioned":
            vaults[key] = _text(event["vault"])
        vault_of_key = vaults.get(key, "") if event["type"] == "key.deactivated" else ""
        yield VaultLine((key[0], _text(event.get("vault", vault_of_key))), raw)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _check_modes(backup: Backup, registry: Registry) -> None:
    for saved in backup.header.vaults:
        vault = registry.vaults.get((saved.account, saved.vault))
        if vault is None:
            raise RestoreError(f"{saved.account} has no vault {saved.vault} in the registry")
        if (vault.mode, vault.providers) != (saved.mode, saved.providers):
            raise RestoreError(
                f"the backup's vault {saved.vault} of {saved.account} has mode {saved.mode}, but "
                f"the registry has {vault.mode} (or other providers): use a backup of this "
                "organisation"
            )


def _by_vault(lines: Iterable[VaultLine]) -> dict[VaultId, list[VaultLine]]:
    grouped: dict[VaultId, list[VaultLine]] = defaultdict(list)
    for line in lines:
        grouped[line.vault_id].append(line)
    return grouped


def _check_continues(vault_id: VaultId, saved: list[VaultLine], present: list[VaultLine]) -> None:
    account, vault = vault_id
    where = f"{vault} of {account}" if vault else f"{account} (events that name no vault)"
    if present == saved[: len(present)]:
        return
    if saved == present[: len(saved)]:
        raise RestoreError(
            f"it is older than the vault topic: {where} has {len(present)} events there and "
            f"{len(saved)} in the backup; nothing is rolled back"
        )
    raise RestoreError(
        f"{where} has other events on the vault topic than in the backup: nothing is restored"
    )


def _check_loadable(events: Iterable[bytes], registry: Registry) -> None:
    """Load every event as a signer does at its start; a signer would halt at what fails here."""
    register = VaultRegister()
    try:
        for raw in events:
            register.load(raw, registry)
    except KeyOrderError as error:
        raise RestoreError(f"a signer would halt at one of its events: {error}") from None
