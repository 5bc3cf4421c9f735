"""The ledger of a node: one writer behind a lock, and concurrent readers."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing

from schemas.canonical import MalformedError
from schemas.ledger.heads import LedgerHead
from signer.custody.event_signing import Ed25519Signer
from sixgate.answers.ledger_answers import LedgerAnswers
from sixgate.api import ApiError, Json
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import Trust
from streams.ledger.embedded import open_folder
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.migrations import migrate
from streams.ledger.sink import Sink
from streams.ledger.table import Row
from streams.log.pipeline import PipelineLog
from streams.log.source import LogSource
from streams.log.sqlite import SqliteLog


class LedgerService:
    """Writes the ledger and lends its ``answers``; any thread may call.

    Implements ``Evidence`` for its own verification.
    """

    def __init__(
        self,
        folder: Folder,
        trust: Trust,
        key: Ed25519Signer,
        signer_keys: Mapping[str, Collection[str]],
        now_ms: Callable[[], int],
    ) -> None:
        """Open a folder's ledger with its key and every public key that signers ever had.

        Raises ``LedgerError`` and ``LogError``, and closes everything then.
        """
        self._lock = threading.RLock()
        self._head_file = HeadFile(folder.heads)
        with ExitStack() as opened:
            source = opened.enter_context(closing(_source(folder, trust)))
            self._clickhouse = opened.enter_context(closing(open_folder(folder.ledger)))
            migrate(self._clickhouse)
            self.answers = LedgerAnswers(self._clickhouse, trust.org, signer_keys, key.public_key)
            self._sink = Sink(source, self.answers.table, self._head_file, HeadKey(key), now_ms)
            opened.callback(self._sink.close)
            self._opened = opened.pop_all()

    def step(self) -> int:
        """Append new records of the log to the ledger; return their number."""
        with self._lock:
            return self._sink.step()

    def catch_up(self) -> None:
        """Append until the ledger has no lag."""
        while self.step():
            continue

    def head(self) -> Json:
        """Return the newest signed head and its envelope; raise ``ledger_empty``."""
        return self.answers.head(self._head_file.last())

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """Verify with both verifiers; raise ``ledger_wrong`` naming the first bad row."""
        yield from self.answers.verify(self, remembered)

    def heads(self) -> list[LedgerHead]:
        """Return every published head; raise ``ledger_wrong`` if a line is not one."""
        try:
            return [self.answers.opened(head) for head in self._head_file.heads()]
        except MalformedError:
            raise ApiError(
                "ledger_wrong", "a line of heads.jsonl is not a head: restore it"
            ) from None

    def compare(self, rows: Iterable[Row]) -> int:
        """Compare rows with the log; see ``Evidence.compare``."""
        with self._lock:
            return self._sink.compare(rows)

    def settle(self) -> None:
        """Return at once: the owner of a folder appends before it asks."""

    def close(self) -> None:
        """Close the engine and the log."""
        self._opened.close()


def _source(folder: Folder, trust: Trust) -> LogSource:
    inbox = SqliteLog(folder.inbox, trust.partitions)
    return LogSource(inbox, PipelineLog(folder.pipeline, trust.partitions))
