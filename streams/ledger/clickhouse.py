"""The one adapter to ClickHouse, through clickhouse-connect: chDB in this process today.

Threads. Every connection serialises its own calls under its own lock, from whichever thread they
come; nothing has to happen on the main thread. Connections to one folder share the engine and run
beside each other (the engine releases the interpreter lock), so a reader opens its own with
``another()`` instead of waiting for the writer. A folder belongs to one process, and a process
holds one folder at a time: closing every connection frees it.
"""

import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.ledger.errors import LedgerBusy, LedgerUnavailable

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
_CODE = re.compile(r"(?s)^.*?DB::Exception: (?:Code: \d+\. DB::Exception: )?")
_REST = re.compile(
    r"\. \([A-Z_]+\)|[.:?] In scope|, Stack trace|\. Expected one of|\. Expression:|\n"
)
_DISK_FULL = ("NOT_ENOUGH_SPACE", "No space left on device", "File too large")


class ClickHouse:
    """A connection to one database of one engine."""

    def __init__(self, path: Path, database: str, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._lock = threading.RLock()
        self.database = database
        self._client = self._connect()

    @classmethod
    def embedded(cls, path: Path, database: str = "sixgate") -> Self:
        """Open the engine inside this process on ``path``, which is made if it is absent.

        Raises ``LedgerBusy`` if another process holds the folder, ``LedgerUnavailable`` if it
        cannot be opened or this process holds another folder.
        """
        _refuse_held(path)
        with translated(f"The ledger in {path} could not be opened"):
            return cls(path, database, {})

    def another(self, settings: Settings | None = None) -> "ClickHouse":
        """Open a second connection to the same database with settings of its own."""
        with translated("The ledger could not be opened a second time"):
            return ClickHouse(self._path, self.database, settings or {})

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
        given, own = dict(parameters or {}), dict(settings or {})
        return self._run(
            "The ledger could not be read",
            lambda client: client.query(sql, parameters=given, settings=own),
        )

    def formatted(self, sql: str, form: str, parameters: Parameters | None = None) -> bytes:
        """Return a query's whole answer in one of the engine's output formats."""
        given = dict(parameters or {})
        return self._run(
            "The ledger could not be read",
            lambda client: client.raw_query(sql, parameters=given, fmt=form),
        )

    def insert_arrow(
        self, table: str, columns: Sequence[str], stream: BinaryIO, token: str
    ) -> None:
        """Insert one Arrow stream as one block, at most once per ``token``.

        Raises ``LedgerUnavailable`` also when only the answer was lost: read back, then decide.
        The library's other insert calls send again by themselves when an answer is lost.
        """
        settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
        self._run(
            "The ledger could not be appended to",
            lambda client: client.raw_insert(
                table, list(columns), stream, settings=settings, fmt="ArrowStream"
            ),
        )

    def close(self) -> None:
        """Close this connection."""
        with self._lock, suppress(ClickHouseError):
            self._client.close()

    def _connect(self) -> Client:
        client = clickhouse_connect.get_client(interface="chdb", path=str(self._path))
        client.command(f"CREATE DATABASE IF NOT EXISTS {self.database} ENGINE = Atomic")
        client.database = self.database
        client.command("SELECT 1")  # sends USE, which readonly=1 would refuse
        for name, value in self._settings.items():
            client.set_client_setting(name, value)
        return client

    def _run(self, what_failed: str, ask: Callable[[Client], Answer]) -> Answer:
        """Ask under the lock; after a failure go on with a new connection.

        What a failed query had already answered would be put before the next one's answer (seen
        in chDB 4.4), so a connection on which one failed is never asked again.
        """
        with self._lock, translated(what_failed):
            try:
                return ask(self._client)
            except Exception:
                spent, self._client = self._client, self._connect()
                spent.close()
                raise


@contextmanager
def translated(what_failed: str) -> Iterator[None]:
    """Raise ``LedgerUnavailable`` in one sentence for whatever the library or the disk raises."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise LedgerUnavailable(f"{what_failed}: {reason_of(error)}.") from error


def reason_of(error: Exception) -> str:
    """Return the engine's reason without code, version, stack and quoted values."""
    text = str(error)
    if any(mark in text for mark in _DISK_FULL):
        return "the disk is full; free some space and start again"
    if "codec can't decode" in text:
        return "the engine refused a row and quotes it as bytes; most likely its hash is wrong"
    return _REST.split(_CODE.sub("", text))[0].strip(" .:")[:300] or "the engine gave no reason"


def _refuse_held(path: Path) -> None:
    """Look at the engine's own lock first: the engine writes to stderr when it finds it held."""
    status = path / "status"
    try:
        with status.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        if _holder(status) != str(os.getpid()):
            raise LedgerBusy(
                f"The ledger in {path} is held by process {_holder(status)}: "
                "stop that one, or work through it."
            ) from None
    except OSError as error:
        raise LedgerUnavailable(f"The ledger in {path} could not be opened: {error}.") from error


def _holder(status: Path) -> str:
    """Return the process number in the engine's lock file."""
    found = re.search(r"PID: (\d+)", status.read_text("utf-8", "replace"))
    return found.group(1) if found else "unknown"
