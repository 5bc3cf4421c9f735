"""``gateway.db``: reads beside writes, and transactions that are undone."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sixgate.gateway.database import Database, UntilChanged


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


def test_a_value_is_read_again_after_any_change(database: Database, tmp_path: Path) -> None:
    known: UntilChanged[list[int]] = UntilChanged(database)
    assert known.get("all", lambda: numbers(database)) == []
    assert known.get("all", pytest.fail) == []
    database.write("INSERT INTO t VALUES (1)")
    assert known.get("all", lambda: numbers(database)) == [1]
    with closing(Database(tmp_path / "gateway.db")) as other:
        other.write("INSERT INTO t VALUES (2)")
        assert known.get("all", lambda: numbers(database)) == [1, 2]


def test_an_undone_value_is_not_remembered(database: Database) -> None:
    known: UntilChanged[list[int]] = UntilChanged(database)

    def read_and_fail() -> None:
        with database.transaction():
            database.write("INSERT INTO t VALUES (1)")
            assert known.get("all", lambda: numbers(database)) == [1]
            raise LookupError

    with pytest.raises(LookupError):
        read_and_fail()
    assert known.get("all", lambda: numbers(database)) == []


def test_a_value_read_before_a_change_is_forgotten_with_it(database: Database) -> None:
    known: UntilChanged[list[int]] = UntilChanged(database)

    def read_while_it_changes() -> list[int]:
        before = numbers(database)
        database.write("INSERT INTO t VALUES (1)")
        known.get("other", list)
        return before

    assert known.get("all", read_while_it_changes) == []
    assert known.get("all", lambda: numbers(database)) == [1]


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
