"""Signed ledger heads, kept in a file outside the ledger's folder.

``HeadFile.publish`` appends in these steps:

1. Cut off an incomplete last line. *If the process ends here, every complete line is still there.*
2. Append the envelope and a newline. *If the process ends here, a line without newline is not
   published; readers skip it and the next ``publish`` cuts it off.*
3. Sync the file. From here on the head is durable.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from schemas.canonical import MalformedError
from schemas.dsse import HEAD_TYPE, Envelope
from schemas.ledger.heads import LedgerHead
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import open_envelope
from signer.custody.atomic_write import sync_folder
from signer.custody.event_signing import Ed25519Signer
from streams.ledger.errors import LedgerRewrittenError, LedgerUnavailableError

_TAIL_BYTES = 64 * 1024


class Heads(Protocol):
    """Publishes ledger heads and returns the last published one."""

    def publish(self, head: Envelope) -> None:
        """Publish a head durably; raise if it is not certain that this succeeded."""

    def last(self) -> Envelope | None:
        """Return the newest published head, or None."""


class HeadKey:
    """The ledger's signing key: signs heads and verifies them."""

    def __init__(self, key: Ed25519Signer) -> None:
        self._key = key

    def sign_head(self, head: LedgerHead) -> Envelope:
        """Sign a head."""
        return self._key.sign_envelope(HEAD_TYPE, head.encode())

    def open(self, envelope: Envelope) -> LedgerHead:
        """Return the head; raise ``LedgerRewrittenError`` if this key did not sign it."""
        return open_head(envelope, self._key.public_key)


def open_head(envelope: Envelope, public_key: str) -> LedgerHead:
    """Return the head; raise ``LedgerRewrittenError`` if ``public_key`` did not sign it."""
    try:
        return LedgerHead.decode(open_envelope(envelope, HEAD_TYPE, public_key))
    except (InvalidSignatureError, MalformedError) as error:
        raise LedgerRewrittenError(
            "A published head is not signed by the ledger's key: it was modified, or it belongs to "
            "another ledger."
        ) from error


class HeadFile:
    """A file of heads, one envelope per line, appended and synced.

    It must not be in the ledger's folder: an attacker who can change rows could change it too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends_with_line = False  # known only after this process wrote a line

    def publish(self, head: Envelope) -> None:
        """Append a head; raise ``LedgerUnavailableError`` if it cannot be written."""
        try:
            with self._path.open("a+b") as file:
                # 1. A crash or a full disk may have left an incomplete line.
                self._cut_incomplete_line(file)
                self._ends_with_line = False
                # 2. The newline is last: a line without it was never published.
                file.write(head.encode() + b"\n")
                file.flush()
                # 3. If the process ends before the sync and the head is lost, the next start
                # publishes another.
                os.fsync(file.fileno())
                self._ends_with_line = True
        except OSError as error:
            raise LedgerUnavailableError(
                f"The head could not be written to {self._path}: {error.strerror}."
            ) from error

    def last(self) -> Envelope | None:
        """Return the head in the last complete line.

        Raises ``LedgerRewrittenError`` if that line is not a head.
        """
        newest = self._last_line()
        try:
            return Envelope.decode(newest) if newest else None
        except MalformedError as error:
            raise LedgerRewrittenError(
                f"The last line of {self._path} is not a ledger head: the file was modified."
            ) from error

    def heads(self) -> Iterator[Envelope]:
        """Yield every head, oldest first."""
        if self._path.exists():
            with self._path.open("rb") as file:
                yield from (Envelope.decode(line[:-1]) for line in file if line.endswith(b"\n"))

    def _last_line(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            _, tail = _tail(file)
        return tail.rpartition(b"\n")[0].rpartition(b"\n")[2]

    def _cut_incomplete_line(self, file: BinaryIO) -> None:
        """Cut off an incomplete last line, and make a new file's name durable."""
        if not self._ends_with_line:
            start, tail = _tail(file)
            file.truncate(start + tail.rfind(b"\n") + 1)
            sync_folder(self._path.parent)


def _tail(file: BinaryIO) -> tuple[int, bytes]:
    """Return the last bytes of a file and the offset where they start."""
    start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
    file.seek(start)
    return start, file.read()
