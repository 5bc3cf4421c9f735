"""Catalog: answers SHOW TABLES and DESCRIBE, and lists the known names in query errors. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HIDDEN = frozenset({"migrations"})
_SHOW_TABLES = re.compile(r"\s*SHOW\s+(?:TABLES|VIEWS)\s*;?\s*", re.IGNORECASE)
_DESCRIBE = re.compile(
    r"\s*(?:DESC|DESCRIBE|SHOW\s+COLUMNS\s+(?:FROM|IN))\s+(?:TABLE\s+)?`?(\w+)`?\s*;?\s*",
    re.IGNORECASE | re.ASCII,
)
_NO_TABLE = re.compile(r"Unknown table expression identifier '([^']+)'")
_NO_COLUMN = re.compile(
    r"(?:Unknown expression(?: or function)? identifier `([^`]+)`"
    r"|Identifier '([^']+)' cannot be resolved)"
)


@dataclass(frozen=True)
class Catalog:
    """All tables and views, each with its columns as pairs of name and engine type."""

    columns: Mapping[str, tuple[tuple[str, str], ...]]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str]]) -> "Catalog":
        """Build the catalog from rows ``(table, column, type)``, in their order."""
        columns: dict[str, tuple[tuple[str, str], ...]] = {}
        for table, column, kind in rows:
            if table not in HIDDEN:
                columns[table] = (*columns.get(table, ()), (column, kind))
        return cls(columns)

    def tables(self, sql: str) -> list[str] | None:
        """Return the table names if ``sql`` is SHOW TABLES, else None."""
        return list(self.columns) if _SHOW_TABLES.fullmatch(sql) else None

    def described(self, sql: str) -> str | None:
        """Return the table's name if ``sql`` is DESCRIBE, else None."""
        found = _DESCRIBE.fullmatch(sql)
        return found[1] if found else None

    def no_table(self, name: str) -> str:
        """Return the error for an unknown table, with the names of all tables."""
        return f"Unknown table {name}; known tables: {', '.join(self.columns)}."

    def explain(self, sql: str, sentence: str) -> str:
        """Return the engine's error; for an unknown name, an error that lists the known names."""
        if table := _NO_TABLE.search(sentence):
            return self.no_table(table[1])
        if column := _NO_COLUMN.search(sentence):
            named = [name for name in self.columns if re.search(rf"\b{name}\b", sql)]
            known = "; ".join(f"{name} has {self._names(name)}" for name in named)
            return f"Unknown column {column[1] or column[2]}{known and '; '}{known}."
        return sentence

    def _names(self, table: str) -> str:
        return ", ".join(name for name, _ in self.columns[table])
