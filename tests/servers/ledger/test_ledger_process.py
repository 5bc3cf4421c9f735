"""The embedded ledger: one process per folder, any thread, and damaged files."""

import os
import threading
from pathlib import Path

import pytest

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.embedded import open_folder
from streams.ledger.errors import LedgerBusyError, LedgerError, LedgerUnavailableError
from streams.ledger.migrations import migrate
from streams.ledger.table import LedgerTable
from streams.ledger.verify_sql import verify
from tests.harness.builders.ledger import ORG, Pipeline, filled
from tests.harness.pipeline.ledger_process import DONE, LedgerProcess


def test_a_second_process_gets_the_pid_that_holds_the_folder(tmp_path: Path) -> None:
    clickhouse = open_folder(tmp_path / "ledger")
    said = LedgerProcess(tmp_path, 1).finish()
    clickhouse.close()
    assert said.startswith(f"LedgerBusyError: The ledger in {tmp_path / 'ledger'} ")
    assert f"process {os.getpid()}: " in said
    assert LedgerProcess(tmp_path, 1).finish() == DONE


def test_a_process_may_open_its_folder_more_than_once(tmp_path: Path) -> None:
    first = open_folder(tmp_path / "ledger")
    second = open_folder(tmp_path / "ledger")
    migrate(first)
    assert second.rows("SELECT count() FROM ledger") == [(0,)]
    first.close()
    assert second.rows("SELECT count() FROM ledger") == [(0,)]
    second.close()


def test_a_folder_is_free_when_everything_is_closed(tmp_path: Path) -> None:
    for name in ("one", "two", "one"):
        clickhouse = open_folder(tmp_path / name)
        migrate(clickhouse)
        clickhouse.close()


def test_it_opens_and_works_on_a_thread_that_is_not_the_main_one(tmp_path: Path) -> None:
    found: list[object] = []

    def work() -> None:
        clickhouse = open_folder(tmp_path / "ledger")
        migrate(clickhouse)
        filled(clickhouse, Pipeline().run(2))
        found.append(clickhouse)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    (clickhouse,) = found
    assert isinstance(clickhouse, ClickHouse)
    assert verify(clickhouse).rows == 18
    clickhouse.close()


def test_a_stale_lock_file_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "status").write_text("PID: 1\n")
    open_folder(tmp_path / "ledger").close()


@pytest.mark.parametrize("kind", ["a file in the way", "a parent that is a file"])
def test_a_path_that_cannot_be_a_folder_is_reported_in_one_sentence(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "taken").write_text("x")
    path = tmp_path / "taken" if kind == "a file in the way" else tmp_path / "taken" / "ledger"
    with pytest.raises(LedgerUnavailableError, match="could not be opened") as refused:
        open_folder(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_full_disk_is_reported_in_one_sentence_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    assert LedgerProcess(tmp_path, 5).finish() == DONE
    said = LedgerProcess(tmp_path, 200, file_bytes_max=8192).finish()
    assert said.startswith("LedgerUnavailableError: ")
    assert said.endswith("the disk is full; free some space and start again.")
    assert LedgerProcess(tmp_path, 20).finish() == DONE
    assert rows_in(tmp_path) >= 20 * 9 - 4


def rows_in(folder: Path) -> int:
    clickhouse = open_folder(folder / "ledger")
    try:
        return verify(clickhouse).rows
    finally:
        clickhouse.close()


def data_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in (folder / "store").rglob("*")
        if path.suffix == ".bin" and "detached" not in path.parts and path.stat().st_size > 200
    )


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_one_changed_byte_of_a_file_does_not_verify(tmp_path: Path, where: float) -> None:
    """The engine's checksums detect it or rows are missing; it must not pass silently."""
    clickhouse = open_folder(tmp_path / "ledger")
    migrate(clickhouse)
    table = filled(clickhouse, Pipeline().run(40))
    tip = table.tip()
    parts = clickhouse.rows(
        "SELECT path FROM system.parts WHERE table = 'ledger' AND active AND database = 'sixgate'"
    )
    clickhouse.close()
    for file in data_files(tmp_path / "ledger"):
        if any(file.is_relative_to(path) for (path,) in parts) and ".proj" not in str(file):
            raw = bytearray(file.read_bytes())
            raw[int(len(raw) * where)] ^= 1
            file.write_bytes(raw)
            break
    clickhouse = open_folder(tmp_path / "ledger")
    try:
        held = verify(clickhouse).rows == tip.rows
    except LedgerError:
        held = False
    finally:
        clickhouse.close()
    assert not held


def test_a_lost_part_is_detected_against_a_remembered_head(tmp_path: Path) -> None:
    """The engine sets a broken part aside and starts without its rows."""
    clickhouse = open_folder(tmp_path / "ledger")
    migrate(clickhouse)
    filled(clickhouse, Pipeline().run(5))
    ((path,),) = clickhouse.rows(
        "SELECT path FROM system.parts WHERE table = 'ledger' AND active AND database = 'sixgate'"
    )
    clickhouse.close()
    (Path(path) / "columns.txt").write_text("broken")
    (Path(path) / "checksums.txt").unlink()
    clickhouse = open_folder(tmp_path / "ledger")
    try:
        assert LedgerTable(clickhouse, ORG).tip().rows < 44
    except LedgerUnavailableError:
        pass
    finally:
        clickhouse.close()


def test_busy_is_a_kind_of_unavailable() -> None:
    assert issubclass(LedgerBusyError, LedgerUnavailableError)
