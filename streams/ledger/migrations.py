"""Migrations: the numbered DDL files in infra/clickhouse, each applied once and recorded by digest.

An applied file must not change, comments included: a ledger refuses to start with other digests.

1. Create the database and the table ``migrations``.
2. Compare the recorded digests with the files; refuse a ledger of another version.
3. Run the statements of each missing file.
   *If the process ends here, the file is not recorded; the next run repeats it, as every statement
   is idempotent.*
4. Record the file.
"""

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
        """Return the statements; each ends with a semicolon at the end of a line."""
        return [part for part in re.split(r";\n", self.sql) if part.strip()]


def migrations() -> list[Migration]:
    """Return the DDL files of this version, in order."""
    return sorted(
        Migration(int(name[1]), name[2], file.read_text("utf-8"))
        for file in resources.files("infra.clickhouse").iterdir()
        if (name := _FILE_NAME.fullmatch(file.name))
    )


def migrate(clickhouse: ClickHouse) -> int:
    """Apply the missing files and return their number. Idempotent.

    Raises ``LedgerVersionError`` if the tables were made by other files than these.
    """
    # 1. Both statements do nothing if their object exists.
    clickhouse.create_database()
    clickhouse.command(_RECORD)
    # 2. Before any change: an unknown version is left as it is.
    applied = _applied(clickhouse)
    known = migrations()
    _refuse_other_files(known, applied)
    missing = [migration for migration in known if migration.number not in applied]
    for migration in missing:
        _apply(clickhouse, migration)
    return len(missing)


def refuse_unmigrated(clickhouse: ClickHouse) -> None:
    """Raise ``LedgerVersionError`` unless exactly this version's migrations were applied."""
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
    # 3. If the process ends between two statements, the next run repeats all of them.
    for statement in migration.statements:
        clickhouse.command(statement)
    # 4. From here on the file counts as applied.
    clickhouse.command(
        "INSERT INTO migrations VALUES "  # noqa: S608 - three values of the DDL files
        f"({migration.number}, '{migration.name}', '{migration.digest}')"
    )
