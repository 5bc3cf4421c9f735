"""Notifies waiting clients of outcomes."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import orjson

from schemas.reasons import Reason
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.answers.pending_records import misrouted
from sixgate.api import Json

ENDS = {Topic.OUTCOMES: "intent", Topic.UNATTRIBUTED: "input_digest", Topic.AUDIT: "subject"}
Notice: TypeAlias = tuple[str, Json]


class Notices(Protocol):
    """Where the notices of one commit are put; must not block."""

    def put(self, notices: list[Notice], /) -> None:
        """Add the notices of one commit."""
        ...


NoticeQueue: TypeAlias = "queue.SimpleQueue[list[Notice]]"


@dataclass(frozen=True, slots=True)
class Watch:
    """One client's wait: the digests it waits for, and where their notices are put.

    The client may add names while it waits.
    """

    names: set[str]
    notices: Notices


class OutcomeNotifications:
    """Passes committed events to the clients that wait for the intent or input they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: list[Watch] = []

    @contextmanager
    def watching(self, names: Iterable[str], notices: Notices) -> Iterator[Watch]:
        """Watch for the ends of intents and inputs, named by digest, from now on."""
        watch = Watch(set(names), notices)
        with self._lock:
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.remove(watch)

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Pass on the durable events of one commit together: a client wakes once per commit."""
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
    """Return an event with the name under which it ends a wait."""
    name = str(content.get(ENDS[topic], ""))  # empty for the use of a secret, which ends no wait
    return (misrouted(name) if content.get("reason") == Reason.MISROUTED else name), content
