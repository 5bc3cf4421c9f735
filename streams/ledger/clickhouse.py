"""The one adapter to ClickHouse, through clickhouse-connect: chDB in this process, or a server.

Threads. Every connection serialises its own calls under its own lock, from whichever thread they
come; nothing has to happen on the main thread. Connections to one engine run beside each other, so
a reader opens its own with ``another()`` instead of waiting for the writer. A folder belongs to one
process, and a process holds one folder at a time: closing every connection frees it. A server's
writer may be alive twice; ``insert_arrow`` lets the server itself judge who goes on.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.ledger.engines import IN_MEMORY, Embedded, Engine, Server, refuse_held
from streams.ledger.failures import failure_of

Settings = Mapping[str, int | str]
Parameters = Mapping[str, Any]
Answer = TypeVar("Answer")

# A batch is one block, one part, durable or absent; the token makes sending it twice harmless.
_INSERT_SETTINGS: Settings = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # Every default is computed for every row: deciding what to skip would cost more than it saves.
    "short_circuit_function_evaluation": "disable",
}
# A server that waits for the end of a query keeps the answer in a file meanwhile, and where its
# disk is full it answers with success and nothing (26.7): a ledger without rows. One that does not
# wait breaks off what it cannot finish, which raises.
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
    def embedded(cls, path: Path, database: str = "sixgate") -> Self:
        """Open the engine inside this process on ``path``, which is made if it is absent.

        Raises ``LedgerBusyError`` if another process holds the folder, ``LedgerUnavailableError``
        if it cannot be opened or this process holds another folder.
        """
        refuse_held(path)
        engine = Embedded(path)
        with translated(f"The ledger in {path} could not be opened", engine):
            return cls(engine, database, {})

    @classmethod
    def in_memory(cls) -> Self:
        """Open an engine inside this process that keeps nothing, unless this process holds one."""
        engine = Embedded(IN_MEMORY)
        with translated("ClickHouse's own engine could not be started", engine):
            return cls(engine, "sixgate", {})

    @classmethod
    def server(cls, server: Server, database: str = "sixgate") -> Self:
        """Connect to a server; whether the database is there shows when it is used.

        Raises ``LedgerUnavailableError`` if it does not answer, ``LedgerDeniedError`` if it knows
        no such user or password.
        """
        with translated("The ledger's server cannot be used", server):
            return cls(server, database, {})

    def another(self, settings: Settings | None = None) -> "ClickHouse":
        """Open a second connection to the same database with settings of its own."""
        with translated("The ledger could not be opened a second time", self._engine):
            return ClickHouse(self._engine, self.database, settings or {})

    @property
    def in_process(self) -> bool:
        """Tell whether the engine is this process's own."""
        return self._engine.in_process

    @property
    def _reading(self) -> Settings:
        return {} if self.in_process else _READ_SETTINGS

    def create_database(self) -> None:
        """Make the database if it is absent."""
        sql = f"CREATE DATABASE IF NOT EXISTS {self.database}"
        self._run(
            "The ledger's database could not be made",
            lambda client: client.command(sql, use_database=False),
        )

    def command(self, sql: str) -> None:
        """Run a statement without an answer."""
        self._run("The ledger's database refused a command", lambda client: client.command(sql))

    def rows(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query whose ``{name:Type}`` places take ``parameters``."""
        return list(self.query(sql, parameters, settings).result_rows)

    def query(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Any:
        """Return a query's result with column names, types and rows, as the library gives it."""
        given, own = dict(parameters or {}), {**self._reading, **(settings or {})}
        return self._run(
            "The ledger could not be read",
            lambda client: _read(client.query(sql, parameters=given, settings=own)),
        )

    def formatted(self, sql: str, form: str, parameters: Parameters | None = None) -> bytes:
        """Return a query's whole answer in one of the engine's output formats."""
        given, own = dict(parameters or {}), dict(self._reading)
        return self._run(
            "The ledger could not be read",
            lambda client: client.raw_query(sql, parameters=given, settings=own, fmt=form),
        )

    def insert_arrow(
        self, table: str, columns: Mapping[str, str], stream: BinaryIO, token: str, only_if: str
    ) -> None:
        """Insert one Arrow stream as one block, at most once per ``token``.

        ``columns`` maps names to the engine's types. A server checks the condition ``only_if``
        when it takes the block up, however long that was on its way; inside this process nobody
        else writes. Raises ``LedgerUnavailableError`` also when only the answer was lost: read
        back, then decide. The library's other insert calls send again by themselves when an answer
        is lost.
        """
        settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
        target = table if self.in_process else _guarded(table, columns, only_if)
        names = list(columns) if self.in_process else None
        self._run(
            "The ledger could not be appended to",
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
        """Ask under the lock; after a failure inside this process go on with a new connection.

        What a failed query had already answered would be put before the next one's answer (seen
        in chDB 4.4), so a connection on which one failed is never asked again.
        """
        with self._lock, translated(what_failed, self._engine):
            try:
                return ask(self._client)
            except Exception:
                if self.in_process:
                    spent, self._client = self._client, self._connect()
                    spent.close()
                raise


def _read(result: Any) -> Any:
    """Return a result whose rows are read: the library would read them when they are used."""
    _ = result.result_rows
    return result


@contextmanager
def translated(what_failed: str, engine: Engine) -> Iterator[None]:
    """Raise one of our errors, in one sentence, for whatever the library or the disk raises."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise failure_of(what_failed, error, engine.missing()) from error


def _guarded(table: str, columns: Mapping[str, str], only_if: str) -> str:
    """Return what stands between INSERT INTO and FORMAT: all rows, or an error."""
    names = ", ".join(f"`{name}`" for name in columns)
    types = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    guard = f"throwIf(NOT ifNull({only_if}, 0), 'the table has moved on') = 0"
    return f"{table} ({names}) SELECT {names} FROM input('{types}') WHERE {guard}"  # noqa: S608
