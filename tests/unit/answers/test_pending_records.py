"""Ends are matched to submitted records in any order of arrival."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sixgate.answers.pending_records import Pending

Json = dict[str, Any]
SIGNED: Json = {"type": "transaction.signed", "intent": "i"}
DUPLICATE: Json = {"type": "audit", "action": "intent.duplicate", "subject": "i"}
GARBAGE: Json = {"type": "intent.unattributed", "input_digest": "g"}


def ends_of(
    pending: Pending, events: list[tuple[str, Json]], ledger: Json | None = None
) -> list[Json]:
    return [end for name, event in events for end in pending.take(name, event, lambda _: ledger)]


def test_one_record_ends_once() -> None:
    pending = Pending([("a", "i")])
    assert ends_of(pending, [("i", SIGNED)]) == [
        {"index": 0, "intent": "i", "result": SIGNED, "repeated": False}
    ]
    assert not pending


def test_a_repeated_intent_ends_like_the_first_in_any_order() -> None:
    for order in itertools.permutations([("i", SIGNED), ("i", DUPLICATE), ("i", DUPLICATE)]):
        pending = Pending([("a", "i"), ("b", "i"), ("c", "i")])
        ends = ends_of(pending, list(order))
        assert [end["result"] for end in ends] == [SIGNED] * 3
        assert sorted(end["repeated"] for end in ends) == [False, True, True]
        assert not pending


def test_the_earlier_end_of_a_repeated_intent_comes_from_the_ledger() -> None:
    pending = Pending([("a", "i")])
    ends = ends_of(pending, [("i", DUPLICATE)], ledger=SIGNED)
    assert ends == [{"index": 0, "intent": "i", "result": SIGNED, "repeated": True}]


def test_invalid_input_ends_under_the_digest_of_its_bytes() -> None:
    pending = Pending([("g",), ("a", "i")])
    assert [end["index"] for end in ends_of(pending, [("g", GARBAGE)])] == [0]
    assert pending


@given(st.permutations(range(6)))
def test_every_record_ends_exactly_once(order: list[int]) -> None:
    pending = Pending([(f"input-{n}", f"intent-{n}") for n in range(6)])
    events = [(f"intent-{n}", SIGNED | {"intent": f"intent-{n}"}) for n in order]
    assert [end["index"] for end in ends_of(pending, events)] == order
    assert not pending
