"""Answers to clients from a ledger, embedded or on a server."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from schemas.canonical import MalformedError, canonical_bytes
from schemas.dsse import Envelope
from schemas.ledger.heads import LedgerHead
from signer.custody.atomic_write import atomic_file
from sixgate.answers.audit_queries import AuditQueries
from sixgate.answers.intent_queries import IntentQueries
from sixgate.answers.verification import Evidence, Progress, Verification, stream_progress
from sixgate.api import ApiError, Json
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerRewrittenError, QueryRefusedError
from streams.ledger.export import Format, export
from streams.ledger.heads import open_head
from streams.ledger.query import Answer, ReadOnlySql
from streams.ledger.table import LedgerTable
from streams.ledger.verified_outcomes import SignerKeys, VerifiedOutcomes

_WIDE = re.compile(r"Int(?:128|256)", re.ASCII)


class LedgerAnswers:
    """Answers from one migrated ledger; any thread may call.

    ``intents`` has the queries about intents, ``audit`` those about who did what, ``outcomes``
    the verified outcomes.
    """

    def __init__(
        self, clickhouse: ClickHouse, org: str, signer_keys: SignerKeys, ledger_key: str
    ) -> None:
        """Take every public key (hex) that each signer ever had, and the ledger's public key."""
        self._clickhouse = clickhouse
        self._signer_keys = signer_keys
        self._ledger_key = ledger_key
        self.table = LedgerTable(clickhouse, org)
        self.outcomes = VerifiedOutcomes(clickhouse, signer_keys)
        self.audit = AuditQueries(clickhouse, self.table)
        self.intents = IntentQueries(clickhouse, self.outcomes.is_verified)

    def head(self, newest: Envelope | None) -> Json:
        """Return a signed head with its envelope; raise ``ledger_empty`` if there is none."""
        if newest is None:
            raise ApiError("ledger_empty", "the ledger has no rows yet: submit an intent first")
        return {"envelope": newest.plain(), "head": orjson.loads(newest.body())}

    def verify(self, evidence: Evidence, remembered: Json | None) -> Iterator[Json]:
        """Verify with both verifiers; raise ``ledger_wrong`` naming the first bad row."""
        client_head = None if remembered is None else self.opened(_envelope(remembered))
        keys = [key for signer in self._signer_keys.values() for key in signer]
        yield from Verification(self._clickhouse, self.table, keys, evidence, client_head).run()

    def opened(self, head: Envelope) -> LedgerHead:
        """Verify that the ledger signed a head, and return it; raise ``ledger_wrong`` otherwise."""
        try:
            return open_head(head, self._ledger_key)
        except LedgerRewrittenError as error:
            raise ApiError("ledger_wrong", str(error)) from None

    def sql(self, query: str) -> Json:
        """Run a user's query; raise ``sql_refused``."""
        try:
            with closing(ReadOnlySql(self._clickhouse)) as reader:
                return plain(reader.run(query))
        except QueryRefusedError as error:
            raise ApiError("sql_refused", str(error)) from None

    def export(self, path: Path, form: str, since_ms: int, until_ms: int) -> Iterator[Json]:
        """Export rows to a file, written atomically."""
        if form not in tuple(Format) or not (path.is_absolute() and path.name):
            raise ApiError(
                "request_malformed",
                f"cannot export to {path} as {form!a}: name an absolute path and a known form",
            )

        def write(progress: Progress) -> int:
            with atomic_file(path, replace=True) as out:
                return export(self._clickhouse, out, Format(form), since_ms, until_ms, progress)

        try:
            rows = yield from stream_progress(write)
        except OSError as error:
            raise ApiError("export_failed", f"{path} cannot be written: {error.strerror}") from None
        yield {"rows": rows, "path": str(path)}


def _envelope(plain: Json) -> Envelope:
    try:
        return Envelope.decode(canonical_bytes(plain))
    except MalformedError as error:
        raise ApiError("head_malformed", f"the head is not a signed head ({error})") from None


def plain(answer: Answer) -> Json:
    """Return ``{columns, types, rows}``.

    Integers of types wider than 64 bits, such as amounts in wei, become decimal strings, as in
    events. Values without a JSON form become strings.
    """
    wide = [_WIDE.search(kind) is not None for kind in answer.types]
    rows = [[_plain(*cell) for cell in zip(row, wide, strict=True)] for row in answer.rows]
    return {"columns": list(answer.columns), "types": list(answer.types), "rows": rows}


def _plain(value: Any, wide: bool) -> Any:  # noqa: FBT001 - a property of the cell
    match value:
        case bool() | str() | float() | None:
            return value
        case int():
            return str(value) if wide else value
        case list() | tuple():
            return [_plain(inner, wide) for inner in value]
        case dict():
            return {str(name): _plain(inner, wide) for name, inner in value.items()}
        case date():
            return value.isoformat()
    return str(value)
