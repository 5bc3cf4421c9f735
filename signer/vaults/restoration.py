"""What of a backup is to be appended to ``vault``: all that is missing at its end, or nothing.

What is there may only be a beginning of what the backup has, vault by vault: so no version, no
wrapping and no mode is ever rolled back, and restoring again changes nothing. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import orjson

from schemas.canonical import canonical_bytes
from schemas.vault_backup import Backup
from signer.keys.orders import KeyOrderError
from signer.registry import Registry
from signer.vaults.register import VaultRegister

VaultOf: TypeAlias = tuple[str, str]
"""An account and a vault of it; an empty name stands for what is about no vault."""


class RestoreError(Exception):
    """A backup that does not continue what is there; nothing was restored."""


class VaultEventError(Exception):
    """A record that no signer says on ``vault``; whoever starts a signer finds the same."""


class VaultLine(NamedTuple):
    """An event of ``vault``, and where it belongs."""

    place: VaultOf
    raw: bytes


def vault_lines(events: Iterable[bytes]) -> list[VaultLine]:
    """Return events with where they belong; raise ``VaultEventError`` for what is none.

    That a key was deactivated names no vault: it stands in the one where the key was made.
    """
    try:
        return list(_lines(events))
    except (ValueError, KeyError, TypeError):
        raise VaultEventError("what is no event of a vault") from None


def missing(backup: Backup, known: Iterable[bytes], registry: Registry) -> list[VaultLine]:
    """Return the events of a backup that are to be appended, in order; none if all are there.

    ``known`` is all of ``vault`` as it is. Raises ``RestoreError``, and ``VaultEventError`` where
    ``known`` holds what is none.
    """
    if backup.header.org != registry.org:
        raise RestoreError(f"it is a backup of {backup.header.org}, and this is {registry.org}")
    _check_modes(backup, registry)
    here, told = vault_lines(known), _told(backup)
    of_here, left = _by_vault(here), {}
    for place, lines in _by_vault(told).items():
        _check_continues(place, lines, of_here[place])
        left[place] = len(of_here[place])
    new: list[VaultLine] = []
    for line in told:
        if left[line.place]:
            left[line.place] -= 1
        else:
            new.append(line)
    _prove((line.raw for line in (*here, *new)), registry)
    return new


def _told(backup: Backup) -> list[VaultLine]:
    try:
        return vault_lines(backup.events)
    except VaultEventError as error:
        raise RestoreError(f"it holds {error}") from None


def _lines(events: Iterable[bytes]) -> Iterator[VaultLine]:
    vaults: dict[tuple[str, str], str] = {}
    for raw in events:
        event: Any = orjson.loads(raw)
        if canonical_bytes(event) != raw:  # an event of two lines would tear the backup
            raise ValueError("not canonical")
        key = _text(event["account"]), _text(event.get("path", ""))
        if event["type"] == "key.provisioned":
            vaults[key] = _text(event["vault"])
        own = vaults.get(key, "") if event["type"] == "key.deactivated" else ""
        yield VaultLine((key[0], _text(event.get("vault", own))), raw)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _check_modes(backup: Backup, registry: Registry) -> None:
    for told in backup.header.vaults:
        vault = registry.vaults.get((told.account, told.vault))
        if vault is None:
            raise RestoreError(f"{told.account} has no vault {told.vault}: it is not registered")
        if (vault.mode, vault.providers) != (told.mode, told.providers):
            raise RestoreError(
                f"{told.vault} of {told.account} is {vault.mode} for ever, and {told.mode} in it"
            )


def _by_vault(lines: Iterable[VaultLine]) -> dict[VaultOf, list[VaultLine]]:
    sorted_out: dict[VaultOf, list[VaultLine]] = defaultdict(list)
    for line in lines:
        sorted_out[line.place].append(line)
    return sorted_out


def _check_continues(place: VaultOf, told: list[VaultLine], known: list[VaultLine]) -> None:
    where = f"{place[1] or 'what is about no vault'} of {place[0]}"
    if known == told[: len(known)]:
        return
    if told == known[: len(told)]:
        raise RestoreError(
            f"it is older than what is there: {where} has {len(known)} events and it has "
            f"{len(told)}; nothing is rolled back"
        )
    raise RestoreError(f"{where} went on otherwise than in it: nothing is restored")


def _prove(events: Iterable[bytes], registry: Registry) -> None:
    """Take every event as the signer will when it starts: what it would halt at is refused now."""
    register = VaultRegister()
    try:
        for raw in events:
            register.load(raw, registry)
    except KeyOrderError as error:
        raise RestoreError(f"it holds what no signer said: {error}") from None
