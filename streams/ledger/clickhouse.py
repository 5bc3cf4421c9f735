"""Adapter to ClickHouse through clickhouse-connect: chDB inside this process, or a server.

Threads: every connection serialises its calls with its own lock and can be used from any thread.
Connections to one engine run in parallel, so a reader opens its own with ``new_connection()``
instead of waiting for the writer. Two writers may be alive on one server, so ``insert_arrow`` lets
the server decide whose insert continues the chain.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Self, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.ledger.failures import failure_of
from streams.ledger.server import Engine, Server

Settings = Mapping[str, int | str]
Parameters = Mapping[str, Any]
Answer = TypeVar("Answer")

# A batch is one block and one part: durable or absent. The token makes the insert idempotent.
_INSERT_SETTINGS: Settings = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # Every default is needed for every row, so lazy evaluation would only add cost.
    "short_circuit_function_evaluation": "disable",
}
# With wait_end_of_query a server buffers the answer in a file; if its disk is full it answers with
# success and no rows (seen in 26.7), which looks like an empty ledger. Without it the server breaks
# off an answer that it cannot finish, and that raises.
_READ_SETTINGS: Settings = {"wait_end_of_query": 0}


class ClickHouse:
    """A connection to one database of one engine."""

    def __init__(self, engine: Engine, database: str, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._lock = threading.RLock()
        self.database = database
        self._client = self._connect()

    @classmethod
    def server(cls, server: Server, database: str = "sixgate") -> Self:
        """Connect to a server; the database need not exist yet.

        Raises ``LedgerUnavailableError`` if it does not answer, ``LedgerDeniedError`` if it rejects
        user or password.
        """
        with translated("The ledger's server cannot be used", server):
            return cls(server, database, {})

    def new_connection(self, settings: Settings | None = None) -> "ClickHouse":
        """Open a second connection to the same database, with its own settings."""
        with translated("A second connection to the ledger could not be opened", self._engine):
            return ClickHouse(self._engine, self.database, settings or {})

    @property
    def in_process(self) -> bool:
        """Tell whether the engine runs inside this process."""
        return self._engine.in_process

    @property
    def _reading(self) -> Settings:
        return {} if self.in_process else _READ_SETTINGS

    def create_database(self) -> None:
        """Create the database if it is absent."""
        sql = f"CREATE DATABASE IF NOT EXISTS {self.database}"
        self._run(
            "The ledger's database could not be created",
            lambda client: client.command(sql, use_database=False),
        )

    def command(self, sql: str) -> None:
        """Run a statement that returns no rows."""
        self._run("The ledger's database refused a command", lambda client: client.command(sql))

    def rows(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query; ``parameters`` fill its ``{name:Type}`` placeholders."""
        return list(self.query(sql, parameters, settings).result_rows)

    def query(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Any:
        """Return a query's result as the library's object: column names, types and rows."""
        values, options = dict(parameters or {}), {**self._reading, **(settings or {})}
        return self._run(
            "The ledger could not be read",
            lambda client: _read(client.query(sql, parameters=values, settings=options)),
        )

    def formatted(self, sql: str, form: str, parameters: Parameters | None = None) -> bytes:
        """Return a query's complete answer in one of the engine's output formats."""
        values, options = dict(parameters or {}), dict(self._reading)
        return self._run(
            "The ledger could not be read",
            lambda client: client.raw_query(sql, parameters=values, settings=options, fmt=form),
        )

    def insert_arrow(
        self, table: str, columns: Mapping[str, str], stream: BinaryIO, token: str, only_if: str
    ) -> None:
        """Insert one Arrow stream as one block, at most once per ``token``.

        ``columns`` maps names to the engine's types. A server checks the condition ``only_if``
        when it executes the insert, however long that was delayed; inside this process there is no
        other writer. Raises ``LedgerUnavailableError`` also if only the answer was lost: read back,
        then decide. The library's other insert calls retry automatically if an answer is lost.
        """
        settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
        target = table if self.in_process else _guarded(table, columns, only_if)
        names = list(columns) if self.in_process else None
        self._run(
            "Appending to the ledger failed",
            lambda client: client.raw_insert(
                target, names, stream, settings=settings, fmt="ArrowStream"
            ),
        )

    def close(self) -> None:
        """Close this connection."""
        with self._lock, suppress(ClickHouseError):
            self._client.close_connections()
            self._client.close()

    def _connect(self) -> Client:
        client = self._engine.connect(self.database)
        for name, value in self._settings.items():
            client.set_client_setting(name, value)
        return client

    def _run(self, what_failed: str, ask: Callable[[Client], Answer]) -> Answer:
        """Run ``ask`` under the lock; after a failure inside this process replace the connection.

        chDB 4.4 puts the partial answer of a failed query before the answer of the next one, so a
        connection is not reused after a failure.
        """
        with self._lock, translated(what_failed, self._engine):
            try:
                return ask(self._client)
            except Exception:
                if self.in_process:
                    failed, self._client = self._client, self._connect()
                    failed.close()
                raise


def _read(result: Any) -> Any:
    """Read a result's rows now: the library would read them lazily, outside the lock."""
    _ = result.result_rows
    return result


@contextmanager
def translated(what_failed: str, engine: Engine) -> Iterator[None]:
    """Translate errors of the library and the disk into ``LedgerUnavailableError``."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise failure_of(what_failed, error, engine.unreachable_advice()) from error


def _guarded(table: str, columns: Mapping[str, str], only_if: str) -> str:
    """Return the INSERT target with a guard: inserts all rows, or fails if ``only_if`` is false."""
    names = ", ".join(f"`{name}`" for name in columns)
    types = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    refusal = "the chain no longer ends at the base of this batch"
    guard = f"throwIf(NOT ifNull({only_if}, 0), '{refusal}') = 0"
    return f"{table} ({names}) SELECT {names} FROM input('{types}') WHERE {guard}"  # noqa: S608
