"""Signed heads: the ledger's word on how far it goes, kept where the ledger's files are not."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from schemas.canonical import MalformedError
from schemas.dsse import HEAD_TYPE, Envelope
from schemas.heads import LedgerHead
from signer.custody.atomic_write import sync_folder
from signer.signatures import Ed25519Signer, InvalidSignatureError, open_envelope
from streams.ledger.errors import LedgerRewrittenError, LedgerUnavailableError

_TAIL_BYTES = 64 * 1024


class Heads(Protocol):
    """Where heads are published, and what was published last."""

    def publish(self, head: Envelope) -> None:
        """Make a head durable and known; raise if that is not certain."""

    def last(self) -> Envelope | None:
        """Return the newest published head; None if there is none."""


class HeadKey:
    """The ledger's own key: signs heads and recognises them."""

    def __init__(self, key: Ed25519Signer) -> None:
        self._key = key

    def seal(self, head: LedgerHead) -> Envelope:
        """Sign a head."""
        return self._key.seal(HEAD_TYPE, head.encode())

    def open(self, envelope: Envelope) -> LedgerHead:
        """Return the head of an envelope that this key signed.

        Raise ``LedgerRewrittenError`` if not.
        """
        return open_head(envelope, self._key.public_key)


def open_head(envelope: Envelope, public_key: str) -> LedgerHead:
    """Return a head whose signature is ``public_key``'s.

    Raise ``LedgerRewrittenError`` for others.
    """
    try:
        return LedgerHead.decode(open_envelope(envelope, HEAD_TYPE, public_key))
    except (InvalidSignatureError, MalformedError) as error:
        raise LedgerRewrittenError(
            "A published head is not signed by the ledger's key: it was changed, or it belongs to "
            "another ledger."
        ) from error


class HeadFile:
    """Heads in a file of their own, one envelope to a line, appended and synced.

    The folder must not be the ledger's: whoever can change rows there could change this as well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = False

    def publish(self, head: Envelope) -> None:
        """Append a head; raise ``LedgerUnavailableError`` if the disk does not take it."""
        try:
            with self._path.open("a+b") as file:
                self._mend(file)
                self._whole = False
                file.write(head.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._whole = True
        except OSError as error:
            raise LedgerUnavailableError(
                f"The head could not be written to {self._path}: {error.strerror}."
            ) from error

    def last(self) -> Envelope | None:
        """Return the head in the last whole line; raise ``LedgerRewrittenError`` if it is none."""
        newest = self._last_line()
        try:
            return Envelope.decode(newest) if newest else None
        except MalformedError as error:
            raise LedgerRewrittenError(
                f"The last line of {self._path} is no head: the file was changed."
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

    def _mend(self, file: BinaryIO) -> None:
        """Cut what a crash or a full disk left of a line, and make a new file's name durable."""
        if not self._whole:
            start, tail = _tail(file)
            file.truncate(start + tail.rfind(b"\n") + 1)
            sync_folder(self._path.parent)


def _tail(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the last bytes of a file start, and those bytes."""
    start = max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES)
    file.seek(start)
    return start, file.read()
