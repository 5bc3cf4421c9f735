"""The ledger as the node uses it: one writing connection behind a lock, readers beside it."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import orjson

from schemas.canonical import Malformed, canonical_bytes
from schemas.dsse import Envelope
from schemas.heads import LedgerHead
from signer.signatures import Ed25519Signer
from sixgate.api import ApiError, Json
from sixgate.folder import Folder, Trust
from sixgate.intent_queries import IntentQueries
from sixgate.plain_rows import plain
from sixgate.progressing import Progress, progressing
from sixgate.verification import Verification
from sixgate.whole_file import written_whole
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerRewritten, QueryRefused
from streams.ledger.export import Format, export
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.migrations import migrate
from streams.ledger.proven import ProvenOutcomes
from streams.ledger.query import ReadOnlySql
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable
from streams.log.pipeline import PipelineLog
from streams.log.source import LogSource
from streams.log.sqlite import SqliteLog


class Books:
    """Writes the ledger and answers questions about it; any thread may call.

    ``queries`` answers what is asked about intents, ``outcomes`` how they ended.
    """

    def __init__(
        self,
        folder: Folder,
        trust: Trust,
        key: Ed25519Signer,
        signer_keys: Mapping[str, Collection[str]],
        now_ms: Callable[[], int],
    ) -> None:
        """Open the ledger of a folder; ``key`` is its own, ``signer_keys`` all that signers had.

        Raises ``LedgerError`` and ``LogError``; then nothing stays open.
        """
        self._lock = threading.RLock()
        self._heads, self._head_key = HeadFile(folder.heads), HeadKey(key)
        with ExitStack() as opened:
            source = opened.enter_context(closing(_source(folder, trust)))
            self._clickhouse = opened.enter_context(closing(ClickHouse.embedded(folder.ledger)))
            migrate(self._clickhouse)
            self.outcomes = ProvenOutcomes(self._clickhouse, signer_keys)
            self.queries = IntentQueries(self._clickhouse, self.outcomes.proved)
            self._table = LedgerTable(self._clickhouse, trust.org)
            self._sink = Sink(source, self._table, self._heads, self._head_key, now_ms)
            opened.callback(self._sink.close)
            self._opened = opened.pop_all()

    def step(self) -> int:
        """Append what the log holds beyond the ledger; return how many records."""
        with self._lock:
            return self._sink.step()

    def catch_up(self) -> None:
        """Append until the ledger is level with the log."""
        while self.step():
            continue

    def rows(self) -> int:
        """Return how many rows the ledger has."""
        return self._table.tip().rows

    def head(self) -> Json:
        """Return the newest signed head and its envelope."""
        envelope = self._heads.last()
        if envelope is None:
            raise ApiError("ledger_empty", "the ledger has no rows yet: submit an intent first")
        return {"envelope": envelope.plain(), "head": orjson.loads(envelope.body())}

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """Verify with both verifiers; raise ``ledger_wrong`` naming the first bad row."""
        brought = None if remembered is None else self._opened_head(_envelope(remembered))
        heads = [*self._published(), *([brought] if brought else [])]
        keys = [key for had in self.outcomes.signer_keys.values() for key in had]
        verification = Verification(self._clickhouse, self._table, keys, heads, brought)
        yield from verification.run()

    def sql(self, query: str) -> Json:
        """Run a user's query; raise ``sql_refused``."""
        try:
            with closing(ReadOnlySql(self._clickhouse)) as reader:
                return plain(reader.run(query))
        except QueryRefused as error:
            raise ApiError("sql_refused", str(error)) from None

    def export(self, path: Path, form: str, since_ms: int, until_ms: int) -> Iterator[Json]:
        """Write rows to a file that appears whole or not at all."""
        if form not in tuple(Format) or not (path.is_absolute() and path.name):
            raise ApiError("request_malformed", f"{path} as {form!a} cannot be exported")

        def write(progress: Progress) -> int:
            with written_whole(path, replace=True) as out:
                return export(self._clickhouse, out, Format(form), since_ms, until_ms, progress)

        try:
            rows = yield from progressing(write)
        except OSError as error:
            raise ApiError("export_failed", f"{path} cannot be written: {error.strerror}") from None
        yield {"rows": rows, "path": str(path)}

    def _published(self) -> list[LedgerHead]:
        try:
            return [self._opened_head(head) for head in self._heads.heads()]
        except Malformed:
            raise ApiError("ledger_wrong", "a line of heads.jsonl is no head: restore it") from None

    def _opened_head(self, envelope: Envelope) -> LedgerHead:
        try:
            return self._head_key.open(envelope)
        except LedgerRewritten as error:
            raise ApiError("ledger_wrong", str(error)) from None

    def close(self) -> None:
        """Close the engine and the log."""
        self._opened.close()


def _source(folder: Folder, trust: Trust) -> LogSource:
    inbox = SqliteLog(folder.inbox, trust.partitions)
    return LogSource(inbox, PipelineLog(folder.pipeline, trust.partitions))


def _envelope(plain: Json) -> Envelope:
    try:
        return Envelope.decode(canonical_bytes(plain))
    except Malformed as error:
        raise ApiError("head_malformed", f"the head is no signed head ({error})") from None
