"""Tells waiting clients about the end of the intents they wait for."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from schemas.reasons import Reason
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.answers.pending_records import misrouted
from sixgate.api import Json

ENDS = {Topic.OUTCOMES: "intent", Topic.UNATTRIBUTED: "input_digest", Topic.AUDIT: "subject"}
Notice: TypeAlias = tuple[str, Json]


@dataclass(slots=True)
class Watch:
    """One client's wait: the names it waits for, and what has come, commit by commit."""

    names: frozenset[str]
    notices: "queue.SimpleQueue[list[Notice]]" = field(default_factory=queue.SimpleQueue)


class OutcomeNotifications:
    """Passes committed events on to whoever watches for the intent or input they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: list[Watch] = []

    @contextmanager
    def watching(self, names: Iterable[str]) -> Iterator[Watch]:
        """Watch for the ends of intents and inputs by digest, from now on."""
        watch = Watch(frozenset(names))
        with self._lock:
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.remove(watch)

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Pass on events that are durable, at once, so that a client wakes once a commit."""
        with self._lock:
            watches = list(self._watches)
        if not watches:
            return
        ends = [event for event in events if event.topic in ENDS]
        notices = [notice_of(event.topic, orjson.loads(event.value)) for event in ends]
        for watch in watches:
            if found := [notice for notice in notices if notice[0] in watch.names]:
                watch.notices.put(found)


def notice_of(topic: Topic, content: Json) -> Notice:
    """Return under which name an event ends a wait."""
    name = str(content.get(ENDS[topic], ""))  # the use of a secret ends nothing
    return (misrouted(name) if content.get("reason") == Reason.MISROUTED else name), content
