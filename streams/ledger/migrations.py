"""The numbered DDL files, each applied once and recorded with its digest."""

import re
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerMissingError, LedgerVersionError

_RECORD = """
CREATE TABLE IF NOT EXISTS migrations (number UInt32, name String, digest String)
ENGINE = MergeTree ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
"""
_FILE_NAME = re.compile(r"(\d{4})_([a-z_]+)\.sql", re.ASCII)


class Migration(NamedTuple):
    """One DDL file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the file's text, in hex."""
        return sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Return its statements; each ends with a semicolon at the end of a line."""
        return [part for part in re.split(r";\n", self.sql) if part.strip()]


def migrations() -> list[Migration]:
    """Return the DDL files of this version, in order."""
    return sorted(
        Migration(int(name[1]), name[2], file.read_text("utf-8"))
        for file in resources.files("infra.clickhouse").iterdir()
        if (name := _FILE_NAME.fullmatch(file.name))
    )


def migrate(clickhouse: ClickHouse) -> int:
    """Apply what is missing and return how many files that was.

    Every statement can be repeated, so a crash between two of them is mended by the next start.
    Raises ``LedgerVersionError`` if the tables were made by other files than these.
    """
    clickhouse.create_database()
    clickhouse.command(_RECORD)
    applied = _applied(clickhouse)
    known = migrations()
    _refuse_other_files(known, applied)
    missing = [migration for migration in known if migration.number not in applied]
    for migration in missing:
        _apply(clickhouse, migration)
    return len(missing)


def refuse_unmigrated(clickhouse: ClickHouse) -> None:
    """Raise ``LedgerVersionError`` unless the tables are exactly those of this version."""
    known = migrations()
    try:
        applied = _applied(clickhouse)
    except LedgerMissingError:
        applied = {}
    _refuse_other_files(known, applied)
    if len(applied) < len(known):
        raise LedgerVersionError(
            "The ledger's tables are missing or of an older version: run sixgate ledger migrate."
        )


def _applied(clickhouse: ClickHouse) -> dict[int, str]:
    return dict(clickhouse.rows("SELECT number, digest FROM migrations"))


def _refuse_other_files(known: list[Migration], applied: dict[int, str]) -> None:
    newer = applied.keys() - {migration.number for migration in known}
    if newer:
        raise LedgerVersionError(
            f"The ledger's tables are of a newer version (migration {max(newer)}): "
            "run the newer Sixgate."
        )
    for migration in known:
        if applied.get(migration.number, migration.digest) != migration.digest:
            raise LedgerVersionError(
                f"Migration {migration.number} ({migration.name}) was applied from another text: "
                "run the version of Sixgate that made the tables."
            )


def _apply(clickhouse: ClickHouse, migration: Migration) -> None:
    for statement in migration.statements:
        clickhouse.command(statement)
    clickhouse.command(
        "INSERT INTO migrations VALUES "  # noqa: S608 - three values of our own files
        f"({migration.number}, '{migration.name}', '{migration.digest}')"
    )
