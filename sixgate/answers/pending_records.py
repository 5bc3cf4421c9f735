"""Matches outcomes to a client's submitted records."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intents.intent import AnyIntent, decode_intent, intent_digest
from schemas.ledger.audit import input_digest
from signer.core.account import owner_key
from sixgate.api import Json

Names: TypeAlias = tuple[str, ...]
FirstEnd: TypeAlias = Callable[[str], Json | None]


def names_of(value: bytes, key: str) -> Names:
    """Return the names under which a record submitted with ``key`` may end."""
    try:
        body = Envelope.decode(value).body()
        intent = decode_intent(body)
    except MalformedError:
        return (input_digest(value),)
    return names_of_intent(intent, intent_digest(body), value, key)


def names_of_intent(intent: AnyIntent, digest: str, value: bytes, key: str) -> Names:
    """Return the names of an intent in the envelope ``value``, submitted with ``key``.

    A ``misrouted`` rejection ends only the wait for a record with the wrong key: another producer's
    misrouted copy of our record must not end our wait. The last name is that of agent and
    idempotency key: a repetition may end only like an intent with the same one.
    """
    name = input_digest(value)
    wrong_key = () if key == intent.account else (misrouted(name),)
    return name, digest, *wrong_key, owner_key(intent.agent, intent.idempotency_key)


def misrouted(name: str) -> str:
    """Name the end of a misrouted input."""
    return f"{name}/misrouted"


def is_repetition(event: Json) -> bool:
    """Return whether an event says which earlier intent its subject repeats.

    Audit records are not signed: a forged one may lack the earlier intent.
    """
    return event.get("action") == "intent.duplicate" and isinstance(event.get("detail"), str)


class Pending:
    """Matches ends to records, in any order of arrival.

    A repeated intent ends like the first one, and so does an intent that repeats the request of
    another one.
    """

    def __init__(self, names: Sequence[Names]) -> None:
        self._names = names
        self._waiting: dict[str, list[int]] = defaultdict(list)
        for index, pair in enumerate(names):
            for name in pair:
                self._waiting[name].append(index)
        self._left = set(range(len(names)))
        self._ends: dict[str, Json] = {}
        self._repetitions: dict[str, list[str]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, name: str, event: Json, first_end: FirstEnd) -> Iterator[Json]:
        """Yield the records that an event ends; ``first_end`` looks up an intent's earlier end.

        If ``first_end`` finds none, the caller must from then on pass that intent's end too.
        """
        first = name
        end: Json | None = event
        if is_repetition(event):
            # Records of older program versions also name the first intent in ``detail``: it is the
            # subject itself.
            first = event["detail"]
            self._repetitions[first].append(name)
            end = self._ends.get(first) or first_end(first)
        else:
            self._ends[name] = event
            yield from self._end(name, event, repeated=False)
        while end and self._repetitions[first]:
            yield from self._end(self._repetitions[first].pop(), end, repeated=True)

    def _end(self, name: str, end: Json, *, repeated: bool) -> Iterator[Json]:
        left = [index for index in self._waiting[name] if index in self._left]
        if repeated and end.get("intent") != name:
            # Audit records are not signed: a forged one could name the outcome of another request.
            owner = owner_key(str(end.get("agent")), str(end.get("idempotency_key")))
            left = [index for index in left if owner in self._names[index]]
        if left:
            index = left[-1] if repeated else left[0]
            self._left.discard(index)
            intent = end.get("intent")
            yield {"index": index, "intent": intent, "result": end, "repeated": repeated}
