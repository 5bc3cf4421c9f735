"""Backup files: the events of ``vault``, byte for byte, with a header and a digest.

The first line is a header in canonical JSON, then follows one event per line as on the topic, then
the digest of all earlier lines. The file holds no plaintext secret, only ciphertext, wrapped keys
and shares, and sealed client shares.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.canonical import Canonical, MalformedError
from schemas.fields import Count, Digest, Name, TimeMs, VaultName
from schemas.registry.custody import CustodyMode, Providers

LINE_BYTES_MAX = 64 * 1024 * 1024
_TAG = b"sixgate/vault-backup/v1\x00"


class BackupError(ValueError):
    """The file is not a complete backup; the message says why."""


class BackedUpVault(Canonical):
    """A vault with events in the backup, and its registered mode and providers."""

    account: Name
    vault: VaultName
    mode: CustodyMode
    providers: Providers = ()


class BackupHeader(Canonical):
    """The first line."""

    v: Literal[1] = 1
    type: Literal["vault.backup"] = "vault.backup"
    org: Name
    made_at_ms: TimeMs
    events: Count
    vaults: Annotated[tuple[BackedUpVault, ...], Field(max_length=1_000_000)]


class BackupEnd(Canonical):
    """The last line."""

    type: Literal["vault.backup.end"] = "vault.backup.end"
    digest: Digest


class Backup(NamedTuple):
    """A verified backup; the ``events`` of each account are in the order of the topic."""

    header: BackupHeader
    events: tuple[bytes, ...]


def backup_lines(header: BackupHeader, events: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a backup; ``header.events`` must be the number of events."""
    hasher = hashlib.sha256(_TAG)
    for body in (header.encode(), *events):
        line = body + b"\n"
        hasher.update(line)
        yield line
    yield BackupEnd(digest=f"0x{hasher.hexdigest()}").encode() + b"\n"


def read_backup(lines: Iterable[bytes]) -> Backup:
    """Read a backup and verify its digest; raise ``BackupError``."""
    remaining = iter(lines)
    header = _header(next(remaining, b""))
    hasher = hashlib.sha256(_TAG + header.encode() + b"\n")
    events: list[bytes] = []
    for line in remaining:
        if len(events) == header.events:
            _check_end(line, hasher.hexdigest())
            if next(remaining, b""):
                raise BackupError("has data after its end: it is not the file that was written")
            return Backup(header, tuple(events))
        if not line.endswith(b"\n"):
            break
        hasher.update(line)
        events.append(line[:-1])
    raise BackupError(
        f"is truncated: it has {len(events)} of {header.events} events and no end; use another copy"
    )


def _header(line: bytes) -> BackupHeader:
    try:
        return BackupHeader.decode(line.removesuffix(b"\n"))
    except MalformedError as error:
        raise BackupError(f"is not a backup of vaults ({error})") from None


def _check_end(line: bytes, expected: str) -> None:
    if not line.endswith(b"\n"):
        raise BackupError("is truncated: its last line is incomplete; use another copy")
    try:
        end = BackupEnd.decode(line[:-1])
    except MalformedError:
        raise BackupError("has more lines than its header says: use another copy") from None
    if end.digest != f"0x{expected}":
        raise BackupError("was changed or damaged: its digest does not match; use another copy")
