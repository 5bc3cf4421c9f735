"""SQL expressions of a row's hash and its derived columns, read from the DDL files.

Not from the table, because whoever tampers with rows could change the table's definition too.
"""

import re
from functools import cache
from typing import NamedTuple

from streams.ledger.migrations import migrations

_COLUMN = re.compile(r"(?m)^    `?(\w+)`? .* (?:ALIAS|MATERIALIZED) (.*?)(?: CODEC\(.*\))?[,;]$")
_CHECK = re.compile(r"(?m)^    CONSTRAINT chained CHECK hash = (.*),$")
_HELPERS = ("doc", "payload", "facts")
_UNSTORED = {*_HELPERS, "at"}
PIECE = "FROM {table:Identifier} WHERE seq >= {first:UInt64} AND seq <= {last:UInt64}"


class Expressions(NamedTuple):
    """SQL expressions from the DDL: the row's hash, the ALIAS helpers, the MATERIALIZED columns."""

    hash: str
    helpers: dict[str, str]
    stored: dict[str, str]


@cache
def expressions() -> Expressions:
    """Read the expressions from the DDL files."""
    ddl = "".join(migration.sql for migration in migrations())
    columns = dict(_COLUMN.findall(ddl))
    return Expressions(
        hash=_CHECK.findall(ddl)[0],
        helpers={name: columns[name] for name in _HELPERS},
        stored={name: sql for name, sql in columns.items() if name not in _UNSTORED},
    )


@cache
def first_faults_sql() -> str:
    """Return the query for the first row of a piece with a wrong value, per derived column."""
    sql = expressions()
    helpers = ", ".join(f"{source} AS {name}" for name, source in sql.helpers.items())
    wrong = [
        f"hash != {sql.hash}",
        "doc_id != '' AND event_id != doc_id",
        *(f"row.`{name}` != ({source})" for name, source in sql.stored.items()),
    ]
    firsts = ", ".join(f"minIfOrNull(seq, {condition})" for condition in wrong)
    stored = ", ".join(f"`{name}`" for name in sql.stored)
    return f"""
        WITH {helpers}, tupleElement(doc, 'id') AS doc_id SELECT {firsts} FROM (
            SELECT seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body,
                {stored} {PIECE}
        ) AS row
    """  # noqa: S608 - all of it comes from the DDL files
