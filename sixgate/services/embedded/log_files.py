"""Both log files of a data folder as one feed, for projections in the same process."""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

from schemas.record import Record
from schemas.topics import Topic
from sixgate.api_error import ApiError
from sixgate.data_folder.folder import Folder
from streams.log.errors import LogError
from streams.log.pipeline import PipelineLog
from streams.log.source import INBOX_TOPICS
from streams.log.sqlite import SqliteLog


class LogFiles:
    """Implements ``LogFeed`` with one connection to each file; any thread may call.

    ``version`` returns a value that every change of the files changes.
    """

    def __init__(self, folder: Folder, partitions: int, version: Callable[[], Hashable]) -> None:
        self._lock = threading.Lock()
        self._version = version
        self._inbox = SqliteLog(folder.inbox, partitions)
        self._pipeline = PipelineLog(folder.pipeline, partitions)
        self._on_change: Callable[[], None] = lambda: None

    def identity(self) -> str:
        """See ``LogFeed.identity``."""
        return ""

    def on_change(self, call: Callable[[], None]) -> None:
        """See ``LogFeed.on_change``."""
        self._on_change = call

    def committed(self) -> None:
        """Say that the pipeline has committed outcomes."""
        self._on_change()

    def refresh(self) -> Hashable:
        """See ``LogFeed.refresh``."""
        return self._version()

    def version(self) -> Hashable:
        """See ``LogFeed.version``."""
        return self._version()

    def partitions_of(self, topic: Topic) -> int:
        """See ``LogFeed.partitions_of``."""
        return self._log(topic).partitions_of(topic)

    def end(self, topic: Topic, partition: int) -> int:
        """See ``LogFeed.end``."""
        with self._lock, _readable():
            return self._log(topic).end(topic, partition)

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        """See ``LogFeed.read``."""
        with self._lock, _readable():
            return self._log(topic).read(topic, partition, offset, count_max)

    def close(self) -> None:
        """Close both connections."""
        with self._lock:
            self._inbox.close()
            self._pipeline.close()

    def _log(self, topic: Topic) -> SqliteLog:
        return self._inbox if topic in INBOX_TOPICS else self._pipeline


@contextmanager
def _readable() -> Iterator[None]:
    """Raise ``ApiError`` ``halted`` for a log that cannot be read: the pipeline halts too."""
    try:
        yield
    except LogError as error:
        raise ApiError("halted", str(error)) from error
