"""``gateway.db``: reads beside writes, and transactions that are undone."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixgate.gateway.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "gateway.db")
    database.create("CREATE TABLE t (n INTEGER) STRICT")
    yield database
    database.close()


def numbers(database: Database) -> list[int]:
    return [row["n"] for row in database.rows("SELECT n FROM t ORDER BY n")]


def test_a_read_does_not_wait_for_another_threads_transaction(database: Database) -> None:
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with database.transaction():
            database.write("INSERT INTO t VALUES (1)")
            begun.set()
            assert done.wait(30)

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(30)
    during = numbers(database)  # would never return if it waited for the transaction
    done.set()
    thread.join()
    assert (during, numbers(database)) == ([], [1])


def test_a_transaction_reads_its_own_writes(database: Database) -> None:
    with database.transaction():
        database.write("INSERT INTO t VALUES (1)")
        assert numbers(database) == [1]
    assert database.row("SELECT n FROM t") is not None


def test_an_exception_undoes_a_transaction(database: Database) -> None:
    def write_and_fail() -> None:
        with database.transaction():
            database.write("INSERT INTO t VALUES (1)")
            raise LookupError

    with pytest.raises(LookupError):
        write_and_fail()
    assert numbers(database) == []
    database.write("INSERT INTO t VALUES (2)")
    assert numbers(database) == [2]


def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match="readonly"):
        database.rows("INSERT INTO t VALUES (1) RETURNING n")
    assert numbers(database) == []


def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    first = Database(tmp_path / "gateway.db")
    first.create("CREATE TABLE t (n INTEGER) STRICT")
    first.write("INSERT INTO t VALUES (7)")
    first.close()
    second = Database(tmp_path / "gateway.db")
    assert numbers(second) == [7]
    second.close()
