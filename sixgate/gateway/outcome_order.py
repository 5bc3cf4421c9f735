"""One durable order of the outcomes of all partitions, for webhooks.

Every offset of a partition gets a number, in the order in which this gateway first knew that it is
committed. A run gives consecutive numbers to consecutive offsets of one partition, so the table
grows with the polls that found something, not with the outcomes. Numbers are never given twice.
"""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS outcome_runs (
  first INTEGER PRIMARY KEY, next INTEGER NOT NULL, log TEXT NOT NULL,
  partition INTEGER NOT NULL, first_offset INTEGER NOT NULL) STRICT;
"""


class Run(NamedTuple):
    """The numbers from ``first`` on, up to ``next``, of the offsets from ``first_offset`` on."""

    first: int
    next: int
    partition: int
    first_offset: int

    def offset_of(self, number: int) -> int:
        """Return the offset with a number."""
        return self.first_offset + number - self.first

    def number_of(self, offset: int) -> int:
        """Return the number of an offset."""
        return self.first + offset - self.first_offset


class OutcomeOrder:
    """The numbers of one log's outcomes, from 1 on; any thread may call.

    The numbers of another log, such as a former cluster, stay given, and lead nowhere. So do those
    up to ``given``, the highest number that a webhook has, if the database lost them.
    """

    def __init__(self, database: Database, log: str, given: int = 0) -> None:
        self._database, self._log = database, log
        self._lock = threading.Lock()
        database.create(_CREATE)
        rows = database.rows(
            "SELECT partition, max(first_offset + next - first) AS next_offset FROM outcome_runs "
            "WHERE log = ? GROUP BY partition",
            (log,),
        )
        self._next_offsets: dict[int, int] = {row["partition"]: row["next_offset"] for row in rows}
        newest = database.row("SELECT max(next) AS next FROM outcome_runs")
        stored: int = newest["next"] if newest and newest["next"] else 1
        # Otherwise a webhook would miss the outcomes whose new numbers are below its position.
        self._next = max(stored, given + 1)

    def extend(self, ends: Mapping[int, int]) -> None:
        """Give numbers to the offsets before the ends of partitions that have none yet."""
        with self._lock:
            for partition, end in sorted(ends.items()):
                start = self._next_offsets.get(partition, 0)
                if end > start:
                    self._add(partition, start, end)

    def last(self) -> int:
        """Return the last number, or 0."""
        return self._next - 1

    def run_after(self, number: int) -> Run | None:
        """Return the first run of this log with a number above ``number``, or None."""
        row = self._database.row(
            "SELECT first, next, partition, first_offset FROM outcome_runs "
            "WHERE next > ? AND log = ? ORDER BY first LIMIT 1",
            (number + 1, self._log),
        )
        return Run(*row) if row else None

    def _add(self, partition: int, start: int, end: int) -> None:
        """Add a run, or extend the newest one if it is of the same partition.

        If the process ends after the statement, the next start continues behind these numbers.
        """
        following = self._next + end - start
        extended = self._database.write(
            "UPDATE outcome_runs SET next = ? WHERE next = ? AND partition = ? AND log = ?",
            (following, self._next, partition, self._log),
        )
        if not extended:
            self._database.write(
                "INSERT INTO outcome_runs VALUES (?, ?, ?, ?, ?)",
                (self._next, following, self._log, partition, start),
            )
        self._next, self._next_offsets[partition] = following, end
