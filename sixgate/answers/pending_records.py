"""Which of a client's submitted records have ended, and how."""

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
    """Return the names under which the end of a record submitted with ``key`` may be told.

    That a record was misrouted ends only the wait for one that really is: somebody else's copy
    in the wrong place says nothing about ours.
    """
    name = input_digest(value)
    try:
        body = Envelope.decode(value).body()
        account = decode_intent(body).account
    except MalformedError:
        return (name,)
    ours = (name, intent_digest(body))
    return ours if key == account else (*ours, misrouted(name))


def misrouted(name: str) -> str:
    """Name the end of a misrouted input."""
    return f"{name}/misrouted"


class Pending:
    """Matches ends to records; a repetition ends as the first one did, whichever is told first."""

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
        """Yield what an event ends; ``first_end`` finds the end of an intent that ended before."""
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
