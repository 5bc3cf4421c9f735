"""How a client learns of the end of each record it submitted, in whatever order ends are told."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sixgate.answers.pending_records import Pending

Json = dict[str, Any]
SIGNED: Json = {"type": "transaction.signed", "intent": "i"}
DUPLICATE: Json = {"type": "audit", "action": "intent.duplicate", "subject": "i"}
GARBAGE: Json = {"type": "intent.unattributed", "input_digest": "g"}


def nowhere(_: str) -> Json | None:
    return None


def told(
    pending: Pending, events: list[tuple[str, Json]], ledger: Json | None = None
) -> list[Json]:
    return [end for name, event in events for end in pending.take(name, event, lambda _: ledger)]


def test_one_record_ends_once() -> None:
    pending = Pending([("a", "i")])
    assert told(pending, [("i", SIGNED)]) == [
        {"index": 0, "intent": "i", "result": SIGNED, "repeated": False}
    ]
    assert not pending


def test_a_repetition_ends_as_the_first_did_whichever_is_told_first() -> None:
    for order in itertools.permutations([("i", SIGNED), ("i", DUPLICATE), ("i", DUPLICATE)]):
        pending = Pending([("a", "i"), ("b", "i"), ("c", "i")])
        ends = told(pending, list(order))
        assert [end["result"] for end in ends] == [SIGNED] * 3
        assert sorted(end["repeated"] for end in ends) == [False, True, True]
        assert not pending


def test_an_intent_that_ended_long_ago_is_found_in_the_ledger() -> None:
    pending = Pending([("a", "i")])
    ends = told(pending, [("i", DUPLICATE)], ledger=SIGNED)
    assert ends == [{"index": 0, "intent": "i", "result": SIGNED, "repeated": True}]


def test_what_is_no_intent_ends_by_the_digest_of_its_bytes() -> None:
    pending = Pending([("g",), ("a", "i")])
    assert [end["index"] for end in told(pending, [("g", GARBAGE)])] == [0]
    assert pending


@given(st.permutations(range(6)))
def test_every_record_ends_exactly_once(order: list[int]) -> None:
    pending = Pending([(f"input-{n}", f"intent-{n}") for n in range(6)])
    events = [(f"intent-{n}", SIGNED | {"intent": f"intent-{n}"}) for n in order]
    assert [end["index"] for end in told(pending, events)] == order
    assert not pending
