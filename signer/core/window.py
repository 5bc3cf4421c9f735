"""A rolling window of bounded size that never counts too little."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from schemas.fields import TimeMs

ENTRIES_MAX = 64
DAY_MS = 24 * 60 * 60 * 1000
MINUTE_MS = 60 * 1000
SIGN_MS_MAX = 15_000
"""Longest time from a charge to its signature; a later signature is charged again.

A commit may take ten seconds.
"""
SPENT_MS = DAY_MS + SIGN_MS_MAX
"""Length of the window: the limit then holds for every 24 hours by signature time too."""

Entry: TypeAlias = tuple[int, int]
# A sum of amounts may pass 2^256.
_Sum = Annotated[str, Field(pattern="^[1-9][0-9]{0,99}$")]
_ENTRIES: TypeAdapter[list[tuple[int, str]]] = TypeAdapter(
    Annotated[list[tuple[TimeMs, _Sum]], Field(max_length=ENTRIES_MAX)]
)


@dataclass(frozen=True, slots=True)
class Window:
    """Amounts by time in milliseconds, oldest first, exact up to 64 entries.

    Beyond that the two closest neighbours merge into the later time, so an amount may leave the
    window late, never early. An amount added at time ``t`` is always in the first entry at ``t`` or
    later.
    """

    entries: tuple[Entry, ...] = ()

    def total(self, now_ms: int, span_ms: int) -> int:
        """Sum the amounts of the closed interval ``[now_ms - span_ms, now_ms]`` and later."""
        oldest = now_ms - span_ms
        return sum(amount for at_ms, amount in self.entries if at_ms >= oldest)

    def add(self, at_ms: int, amount: int, span_ms: int) -> "Window":
        """Return the window with one more amount; ``at_ms`` is not before the newest entry."""
        if not amount:
            return self
        oldest = at_ms - span_ms
        recent = [entry for entry in self.entries if entry[0] >= oldest]
        # A clock that stands still or went back: count the amount at the newest time, not earlier.
        if recent and recent[-1][0] >= at_ms:
            at_ms, amount = recent[-1][0], recent.pop()[1] + amount
        return Window(_bounded([*recent, (at_ms, amount)]))

    def move(self, from_ms: int, to_ms: int, amount: int, span_ms: int) -> "Window":
        """Return the window with an amount of ``from_ms`` moved to ``to_ms``.

        If the old amount may have left the window, it is added and nothing is subtracted.
        """
        entries = list(self.entries)
        index = next((i for i, entry in enumerate(entries) if entry[0] >= from_ms), None)
        if index is not None and from_ms >= entries[-1][0] - span_ms:
            at_ms, held = entries[index]
            # Less than the amount: it merged and left. Subtracting would count too little.
            if held >= amount:
                entries[index : index + 1] = [(at_ms, held - amount)] if held > amount else []
        return Window(tuple(entries)).add(to_ms, amount, span_ms)


def _bounded(entries: list[Entry]) -> tuple[Entry, ...]:
    while len(entries) > ENTRIES_MAX:
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(entries)]
        first = gaps.index(min(gaps))
        (_, amount), (at_ms, more) = entries[first : first + 2]
        entries[first : first + 2] = [(at_ms, amount + more)]
    return tuple(entries)


def _decoded(value: Any) -> Window:
    if isinstance(value, Window):
        return value
    try:
        entries = _ENTRIES.validate_python(value)
    except ValidationError:
        raise ValueError('not a list of at most 64 [at_ms, "amount"]') from None
    return Window(tuple((at_ms, int(amount)) for at_ms, amount in entries))


def _encoded(window: Window) -> list[tuple[int, str]]:
    return [(at_ms, str(amount)) for at_ms, amount in window.entries]


# As a field: a list of [at_ms, "amount"]; the canonical comparison refuses any other spelling.
WindowField = Annotated[Window, PlainValidator(_decoded), PlainSerializer(_encoded)]
