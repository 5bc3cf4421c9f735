"""The file of a backup: what signers said on ``vault``, byte by byte, and a digest behind it.

A line of canonical JSON says what follows, then comes one event a line as it stands on the topic,
then the digest of all lines before. Nothing in it is a secret in clear: ciphertext, wrapped keys
and shares, and clients' shares in the boxes that were made for them.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from schemas.canonical import Canonical, MalformedError
from schemas.custody import CustodyMode, Providers
from schemas.fields import Count, Digest, Name, TimeMs, VaultName

LINE_BYTES_MAX = 64 * 1024 * 1024
_TAG = b"sixgate/vault-backup/v1\x00"


class BackupError(ValueError):
    """A file that is no whole backup; the message says what is wrong with it."""


class BackedUpVault(Canonical):
    """A vault that the backup has events of, as the registry had it."""

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
    """A backup that was read whole; ``events`` are in the order of each account's on the topic."""

    header: BackupHeader
    events: tuple[bytes, ...]


def backup_lines(header: BackupHeader, events: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a backup; the caller counted the events for the header."""
    told = hashlib.sha256(_TAG)
    for body in (header.encode(), *events):
        line = body + b"\n"
        told.update(line)
        yield line
    yield BackupEnd(digest=f"0x{told.hexdigest()}").encode() + b"\n"


def read_backup(lines: Iterable[bytes]) -> Backup:
    """Return a backup whose digest is right; raise ``BackupError``."""
    every = iter(lines)
    header = _header(next(every, b""))
    told = hashlib.sha256(_TAG + header.encode() + b"\n")
    events: list[bytes] = []
    for line in every:
        if len(events) == header.events:
            _check_end(line, told.hexdigest())
            if next(every, b""):
                raise BackupError("goes on behind its end: it is no backup as it was written")
            return Backup(header, tuple(events))
        if not line.endswith(b"\n"):
            break
        told.update(line)
        events.append(line[:-1])
    raise BackupError(
        f"is torn: it has {len(events)} of {header.events} events and no end; take another copy"
    )


def _header(line: bytes) -> BackupHeader:
    try:
        return BackupHeader.decode(line.removesuffix(b"\n"))
    except MalformedError as error:
        raise BackupError(f"is no backup of vaults ({error})") from None


def _check_end(line: bytes, told: str) -> None:
    if not line.endswith(b"\n"):
        raise BackupError("is torn: its last line is cut; take another copy")
    try:
        end = BackupEnd.decode(line[:-1])
    except MalformedError:
        raise BackupError("has more lines than it says: take another copy") from None
    if end.digest != f"0x{told}":
        raise BackupError("was changed or damaged: its digest is another; take another copy")
