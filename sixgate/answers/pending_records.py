"""Matches outcomes to a client's submitted records."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from schemas.audit import input_digest
from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intent import decode_intent, intent_digest
from sixgate.api import Json

Names: TypeAlias = tuple[str, ...]
FirstEnd: TypeAlias = Callable[[str], Json | None]


def names_of(value: bytes, key: str) -> Names:
    """Return the names under which a record submitted with ``key`` may end.

    A ``misrouted`` rejection ends only the wait for a record with the wrong key: another producer's
    misrouted copy of our record must not end our wait.
    """
    name = input_digest(value)
    try:
        body = Envelope.decode(value).body()
        account = decode_intent(body).account
    except MalformedError:
        return (name,)
    names = (name, intent_digest(body))
    return names if key == account else (*names, misrouted(name))


def misrouted(name: str) -> str:
    """Name the end of a misrouted input."""
    return f"{name}/misrouted"


class Pending:
    """Matches ends to records. A repeated intent ends like the first, in any order of arrival."""

    def __init__(self, names: Sequence[Names]) -> None:
        self._waiting: dict[str, list[int]] = defaultdict(list)
        for index, pair in enumerate(names):
            for name in pair:
                self._waiting[name].append(index)
        self._left = set(range(len(names)))
        self._ends: dict[str, Json] = {}
        self._repeated: dict[str, int] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, name: str, event: Json, first_end: FirstEnd) -> Iterator[Json]:
        """Yield the records that an event ends; ``first_end`` looks up an intent's earlier end."""
        if event.get("action") == "intent.duplicate":
            self._repeated[name] += 1
            end = self._ends.get(name) or first_end(name)
        else:
            end = self._ends[name] = event
            yield from self._end(name, end, repeated=False)
        while end and self._repeated[name]:
            self._repeated[name] -= 1
            yield from self._end(name, end, repeated=True)

    def _end(self, name: str, end: Json, *, repeated: bool) -> Iterator[Json]:
        left = [index for index in self._waiting[name] if index in self._left]
        if left:
            index = left[-1] if repeated else left[0]
            self._left.discard(index)
            intent = end.get("intent")
            yield {"index": index, "intent": intent, "result": end, "repeated": repeated}
