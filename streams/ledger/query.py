"""SQL from users: one read-only query, bounded in memory, time and rows.

Two independent barriers, each sufficient: the query is parsed and checked before it runs
(``sql_check.py``), and its connection is read-only with fixed limits. On a server its user may also
read only the ledger's tables (``infra/clickhouse/users.xml``). Queries for a server are parsed by
an engine inside this process. A function on one huge value is stopped by the memory limit and not
by the timeout, because the engine checks the timeout between blocks only.
"""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from streams.ledger.catalog import Catalog
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.embedded import open_in_memory
from streams.ledger.errors import LedgerDeniedError, LedgerUnavailableError, QueryRefusedError
from streams.ledger.sql_check import ONLY_SELECT, Function, Grammar, check

QUERY_BYTES_MAX = 64 * 1024
_NOT_PARSED = "parseQueryToJSON"
"""Part of the engine's error for a statement that is not a query."""
_COLUMNS = """
SELECT table, name, type FROM system.columns WHERE database = currentDatabase()
ORDER BY table, position
"""


@dataclass(frozen=True)
class Limits:
    """Resource limits of one query."""

    rows_max: int = 10_000
    answer_bytes_max: int = 64 * 1024 * 1024
    memory_bytes_max: int = 1024 * 1024 * 1024
    spill_bytes_max: int = 1024 * 1024 * 1024
    time_s_max: int = 30


class Answer(NamedTuple):
    """Column names, the engine's type names, and rows of Python values; hashes are hex text."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class ReadOnlySql:
    """A read-only connection for users' queries."""

    def __init__(self, clickhouse: ClickHouse, limits: Limits | None = None) -> None:
        """Open the connection; raise ``LedgerDeniedError`` if the server's user may write."""
        bounds = _bounds(limits or Limits())
        # readonly comes last: after it the connection accepts no further setting.
        read_only = {"readonly": 1} if clickhouse.in_process else {}
        self._connection = clickhouse.new_connection(bounds | read_only)
        self._parser = self._connection if clickhouse.in_process else _parser(self._connection)
        # Read without the limits: the engine has more functions than a query may return rows.
        self._grammar = _grammar(clickhouse if clickhouse.in_process else self._parser, clickhouse)
        self._catalog = Catalog.of(clickhouse.rows(_COLUMNS))

    def run(self, sql: str) -> Answer:
        """Run one SELECT, SHOW TABLES or DESCRIBE of a table and return its answer.

        Raises ``QueryRefusedError`` for other statements, for errors in the query, and if a limit
        is exceeded.
        """
        if len(sql.encode()) > QUERY_BYTES_MAX:
            raise QueryRefusedError(f"The query is longer than {QUERY_BYTES_MAX} bytes.")
        try:
            return self._from_catalog(sql) or self._answer(self._checked(sql))
        except LedgerUnavailableError as error:
            raise QueryRefusedError(self._catalog.explain(sql, _sentence(error))) from error

    def _from_catalog(self, sql: str) -> Answer | None:
        """Answer SHOW TABLES and DESCRIBE: the engine would also list tables of other databases."""
        if (tables := self._catalog.tables(sql)) is not None:
            return Answer(("name",), ("String",), [(name,) for name in tables])
        if (name := self._catalog.described(sql)) is None:
            return None
        if name not in self._catalog.columns:
            raise QueryRefusedError(self._catalog.no_table(name))
        return Answer(("name", "type"), ("String",) * 2, list(self._catalog.columns[name]))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        if self._parser is not self._connection:
            self._parser.close()

    def _checked(self, sql: str) -> str:
        """Check the query and return it as the engine formats it: one statement, no comments."""
        ((tree, text),) = self._parser.rows(
            "SELECT parseQueryToJSON({q:String}), formatQuerySingleLine({q:String})", {"q": sql}
        )
        check(json.loads(tree), self._grammar)
        return str(text)

    def _answer(self, sql: str) -> Answer:
        result = self._connection.query(sql)
        types = tuple(kind.name for kind in result.column_types)
        rows = [tuple(map(_readable, row)) for row in result.result_rows]
        return Answer(tuple(result.column_names), types, rows)


def _bounds(limits: Limits) -> dict[str, int | str]:
    return {
        "max_result_rows": limits.rows_max,
        "max_result_bytes": limits.answer_bytes_max,
        "result_overflow_mode": "throw",
        "max_memory_usage": limits.memory_bytes_max,
        "max_temporary_data_on_disk_size_for_query": limits.spill_bytes_max,
        "max_execution_time": limits.time_s_max,
        "timeout_overflow_mode": "throw",
    }


def _parser(connection: ClickHouse) -> ClickHouse:
    """Check that the server's user is read-only; return an empty engine for parsing."""
    if connection.rows("SELECT toUInt64(getSetting('readonly'))") == [(0,)]:
        connection.close()
        raise LedgerDeniedError(
            "Users' queries require a database user with a read-only profile: connect as "
            "ledger_reader."
        )
    return open_in_memory()


def _readable(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _grammar(parser: ClickHouse, clickhouse: ClickHouse) -> Grammar:
    functions = parser.rows(
        "SELECT name, alias_to, categories, is_aggregate != 0 FROM system.functions "
        "WHERE origin = 'System'"
    )
    databases = {
        name
        for engine in (parser, clickhouse)
        for (name,) in engine.rows("SELECT name FROM system.databases")
    }
    return Grammar.of((Function(*row) for row in functions), clickhouse.database, databases)


def _sentence(error: LedgerUnavailableError) -> str:
    if _NOT_PARSED in str(error):
        return ONLY_SELECT
    return str(error).replace("The ledger could not be read", "The query failed", 1)
