"""Both log files, the inbox and the pipeline's log, as one log for the ledger's sink."""

from collections.abc import Iterator, Mapping

from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.log.sqlite import SqliteLog

INBOX_TOPICS = frozenset({Topic.SUBMITTED, Topic.REGISTRY, Topic.KEY_REQUESTS, Topic.API_CALLS})


class LogSource:
    """The committed records of inbox and pipeline log; implements ``Source`` for the sink."""

    def __init__(self, inbox: SqliteLog, pipeline: SqliteLog) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._places = list(self._all_places())

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        """Return at most ``limit`` records, an equal share from every partition."""
        share = max(1, limit // len(self._places))
        records: list[Record] = []
        for topic, partition in self._places:
            offset = positions.get((topic, partition), 0)
            records += self._log(topic).read(topic, partition, offset, share)
        return records

    def earliest(self, topic: Topic, partition: int) -> int:
        """Return the first offset that the log still holds."""
        return self._log(topic).earliest(topic, partition)

    def end(self, topic: Topic, partition: int) -> int:
        """Return the offset that the next record will get."""
        return self._log(topic).end(topic, partition)

    def close(self) -> None:
        """Close both files."""
        self._inbox.close()
        self._pipeline.close()

    def _log(self, topic: Topic) -> SqliteLog:
        return self._inbox if topic in INBOX_TOPICS else self._pipeline

    def _all_places(self) -> Iterator[PartitionId]:
        for topic, spec in TOPICS.items():
            if spec.in_ledger:
                for partition in range(self._log(topic).partitions_of(topic)):
                    yield topic, partition
