"""The ledger as the node uses it: one writing connection behind a lock, readers beside it."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias, TypeVar

import orjson

from schemas.canonical import Malformed, canonical_bytes
from schemas.dsse import Envelope
from schemas.gating import signed_part
from schemas.heads import LedgerHead
from signer.signatures import Ed25519Signer, proves
from sixgate.api import ApiError, Json
from sixgate.folder import Folder, Trust
from sixgate.whole_file import written_whole
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerFault, LedgerRewritten, QueryRefused
from streams.ledger.export import Format, export
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.lookups import newest_outcomes, outcome_of, trail
from streams.ledger.migrations import migrate
from streams.ledger.query import ReadOnlySql
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable, Row
from streams.ledger.verifier import Fault
from streams.ledger.verifier import Row as VerifierRow
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import verify as verify_sql
from streams.log.pipeline import PipelineLog
from streams.log.source import LogSource
from streams.log.sqlite import SqliteLog

Progress: TypeAlias = Callable[[int, int], None]
Result = TypeVar("Result")

_INTENTS = """
SELECT intent, account, agent, chain_id, `to`, toString(value_wei) AS value_wei,
    toUnixTimestamp64Milli(submitted_at) AS submitted_at_ms, outcome, reason, transaction_hash,
    sequence
FROM intents
WHERE ({account:String} = '' OR account = {account:String})
    AND ({agent:String} = '' OR agent = {agent:String})
ORDER BY submitted_at DESC LIMIT {limit:UInt64}
"""
_NAMED = "SELECT DISTINCT intent FROM trail WHERE startsWith(intent, {prefix:String}) LIMIT 2"


class Books:
    """Writes the ledger and answers questions about it; any thread may call."""

    def __init__(
        self,
        folder: Folder,
        trust: Trust,
        keys: tuple[Ed25519Signer, str],
        now_ms: Callable[[], int],
    ) -> None:
        """Open the ledger of a folder; ``keys`` are its own and the signer's public one.

        Raises ``LedgerError`` and ``LogError``; then nothing stays open.
        """
        key, self._signer_key = keys
        self._lock = threading.RLock()
        self._heads, self._head_key = HeadFile(folder.heads), HeadKey(key)
        with ExitStack() as opened:
            source = opened.enter_context(closing(_source(folder, trust)))
            self._clickhouse = opened.enter_context(closing(ClickHouse.embedded(folder.ledger)))
            migrate(self._clickhouse)
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

    def newest_sequences(self, accounts: Sequence[str]) -> dict[str, int]:
        """Return the sequence of each account's newest outcome that the signer really signed."""
        newest = newest_outcomes(self._clickhouse, accounts, self._proved)
        return {account: orjson.loads(body)["sequence"] for account, body in newest.items()}

    def outcome(self, intent: str) -> Json | None:
        """Return an intent's outcome with gated fields as digests, if the ledger has it."""
        body = outcome_of(self._clickhouse, intent, self._proved)
        return orjson.loads(body) if body else None

    def has_outcome(self, intent: str) -> bool:
        """Tell whether an intent ended before."""
        return self.outcome(intent) is not None

    def intents(self, limit: int, account: str | None, agent: str | None) -> list[Json]:
        """Return the newest rows of the ``intents`` view."""
        wanted = {"account": account or "", "agent": agent or "", "limit": limit}
        answer = self._clickhouse.query(_INTENTS, wanted)
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def trail(self, intent: str) -> list[Json]:
        """Return every event of the intent that a digest or a prefix of one names."""
        found = self._clickhouse.rows(_NAMED, {"prefix": intent})
        if len(found) != 1:
            what = "no intent begins" if not found else "several intents begin"
            raise ApiError("intent_unknown", f"{what} with {intent}: see sixgate intents list")
        return [
            {"topic": e.topic, "at_ms": e.at_ms, "event": orjson.loads(e.body)}
            for e in trail(self._clickhouse, found[0][0])
        ]

    def head(self) -> Json:
        """Return the newest signed head and its envelope."""
        envelope = self._heads.last()
        if envelope is None:
            raise ApiError("ledger_empty", "the ledger has no rows yet: submit an intent first")
        return {"envelope": envelope.plain(), "head": orjson.loads(envelope.body())}

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """Verify with both verifiers; raise ``ledger_wrong`` naming the first bad row."""
        heads = self._remembered(remembered)
        try:
            yield from self._verify(heads)
        except (LedgerFault, Fault) as error:
            raise ApiError("ledger_wrong", str(error)) from None

    def sql(self, query: str) -> Json:
        """Run a user's query; raise ``sql_refused``."""
        try:
            with closing(ReadOnlySql(self._clickhouse)) as reader:
                answer = reader.run(query)
        except QueryRefused as error:
            raise ApiError("sql_refused", str(error)) from None
        return {"columns": answer.columns, "types": answer.types, "rows": answer.rows}

    def export(self, path: Path, form: str, since_ms: int, until_ms: int) -> Iterator[Json]:
        """Write rows to a file that appears whole or not at all."""

        def write(progress: Progress) -> int:
            with written_whole(path, replace=True) as out:
                return export(self._clickhouse, out, Format(form), since_ms, until_ms, progress)

        try:
            rows = yield from _progressing(write, "export")
        except OSError as error:
            raise ApiError("export_failed", f"{path} cannot be written: {error.strerror}") from None
        yield {"rows": rows, "path": str(path)}

    def _verify(self, heads: list[LedgerHead]) -> Iterator[Json]:
        in_sql = yield from _progressing(
            lambda progress: verify_sql(self._clickhouse, heads, progress), "sql"
        )
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
        signers = [bytes.fromhex(self._signer_key[2:])]
        in_python = yield from _progressing(
            lambda progress: verify_rows(
                map(_row, self._table.rows()),
                hashes,
                signers,
                progress=lambda done: progress(done, in_sql.rows),
            ),
            "python",
        )
        yield {
            "verified": {
                "rows": in_sql.rows,
                "hash": in_sql.hash,
                "heads": len(heads),
                "outcomes": in_python.outcomes,
                "accounts": in_python.accounts,
                "forged": in_python.forged,
            }
        }

    def _remembered(self, envelope: Json | None) -> list[LedgerHead]:
        """Return the heads to verify against: all published here, and the one brought along."""
        brought = [] if envelope is None else [_envelope(envelope)]
        try:
            return [self._head_key.open(head) for head in (*self._heads.heads(), *brought)]
        except LedgerRewritten as error:
            raise ApiError("ledger_wrong", str(error)) from None
        except Malformed:
            raise ApiError("ledger_wrong", "a line of heads.jsonl is no head: restore it") from None

    def _proved(self, body: bytes) -> bool:
        event = orjson.loads(body)
        try:
            signature = bytes.fromhex(str(event.get("signature", ""))[2:])
        except ValueError:
            return False
        return proves(self._signer_key, signature, signed_part(event))

    def close(self) -> None:
        """Close the engine and the log."""
        self._opened.close()


def _source(folder: Folder, trust: Trust) -> LogSource:
    inbox = SqliteLog(folder.inbox, trust.partitions)
    return LogSource(inbox, PipelineLog(folder.pipeline, trust.partitions))


def _progressing(work: Callable[[Progress], Result], name: str) -> Generator[Json, None, Result]:
    """Run work in a thread and yield its progress; return or raise what it does."""
    steps: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def run() -> Result:
        try:
            return work(lambda done, total: steps.put((done, total)))
        finally:
            steps.put(None)

    with ThreadPoolExecutor(1, f"ledger-{name}") as executor:
        result = executor.submit(run)
        while step := steps.get():
            yield {"progress": step[0], "of": step[1], "verifier": name}
        return result.result()


def _row(row: Row) -> VerifierRow:
    return VerifierRow(*row)


def _envelope(plain: Json) -> Envelope:
    try:
        return Envelope.decode(canonical_bytes(plain))
    except Malformed as error:
        raise ApiError("head_malformed", f"the head is no signed head ({error})") from None
