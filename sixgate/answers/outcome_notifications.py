"""Notifies waiting clients of outcomes."""

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeAlias, TypeVar

import orjson

from schemas.intents.reasons import Reason
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from sixgate.answers.pending_records import is_repetition, misrouted
from sixgate.api import Json

ENDS = {Topic.OUTCOMES: "intent", Topic.UNATTRIBUTED: "input_digest", Topic.AUDIT: "subject"}
Notice: TypeAlias = tuple[str, Json]
Event = TypeVar("Event", Outgoing, Record)


class Notices(Protocol):
    """Where the notices of one commit are put; must not block."""

    def put(self, notices: list[Notice], /) -> None:
        """Add the notices of one commit."""
        ...


NoticeQueue: TypeAlias = "queue.SimpleQueue[list[Notice]]"


class Watch:
    """One client's wait; the client may add names while it waits."""

    def __init__(self, notices: Notices, watches: "_Watches") -> None:
        self.notices = notices
        self._watches = watches

    def add(self, *names: str) -> None:
        """Watch for the ends of intents and inputs, named by digest, from now on."""
        self._watches.add(self, names)


class OutcomeNotifications:
    """Passes committed events to the clients that wait for the intent or input they end."""

    def __init__(self) -> None:
        self._watches = _Watches()

    @contextmanager
    def watching(self, names: Iterable[str], notices: Notices) -> Iterator[Watch]:
        """Watch for the ends of intents and inputs, named by digest, from now on."""
        watch = Watch(notices, self._watches)
        watch.add(*names)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def publish(
        self, events: Sequence[Event], is_authentic: Callable[[Event], bool] = lambda _: True
    ) -> list[Event]:
        """Pass on the durable events of one commit together: a client wakes once per commit.

        Only events for which somebody waits are verified. Returns those that are not authentic.
        """
        if not self._watches:
            return []
        found: dict[Watch, list[Notice]] = defaultdict(list)
        refused = []
        for event in events:
            notice = _notice_of(event)
            watches = self._watches.of(notice[0]) if notice else ()
            if watches and not is_authentic(event):
                refused.append(event)
            elif notice:
                for watch in watches:
                    found[watch].append(notice)
        for watch, notices in found.items():
            watch.notices.put(notices)
        return refused


class _Watches:
    """The watches by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, set[Watch]] = defaultdict(set)
        self._names: dict[Watch, list[str]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def of(self, name: str) -> tuple[Watch, ...]:
        with self._lock:
            return tuple(self._by_name.get(name, ()))

    def add(self, watch: Watch, names: Sequence[str]) -> None:
        with self._lock:
            self._names[watch].extend(names)
            for name in names:
                self._by_name[name].add(watch)

    def remove(self, watch: Watch) -> None:
        with self._lock:
            for name in self._names.pop(watch, ()):
                waiting = self._by_name.get(name, set())
                waiting.discard(watch)
                if not waiting:
                    self._by_name.pop(name, None)


def _notice_of(event: Event) -> Notice | None:
    """Return an event with the name under which it ends a wait; None if it ends none."""
    if event.topic not in ENDS:
        return None
    try:
        content = orjson.loads(event.value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict):
        return None
    # Audit records have no signature. Any other one would end a wait without the outcome.
    if event.topic is Topic.AUDIT and not is_repetition(content):
        return None
    name = str(content.get(ENDS[event.topic], ""))
    return (misrouted(name) if content.get("reason") == Reason.MISROUTED else name), content
