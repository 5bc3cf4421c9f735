"""Ends are matched to submitted records in any order of arrival."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from signer.core.account import owner_key
from sixgate.answers.pending_records import Pending

Json = dict[str, Any]
SIGNED: Json = {"type": "transaction.signed", "intent": "i"}
DUPLICATE: Json = {"type": "audit", "action": "intent.duplicate", "subject": "i", "detail": "i"}
OF_ANOTHER: Json = DUPLICATE | {"subject": "r"}
KEY = owner_key("alice", "invoice-1")
OWNED = SIGNED | {"agent": "alice", "idempotency_key": "invoice-1"}
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


def test_a_repeated_request_ends_like_the_first_intent_in_any_order() -> None:
    for order in itertools.permutations([("i", OWNED), ("r", OF_ANOTHER), ("r", OF_ANOTHER)]):
        pending = Pending([("a", "i", KEY), ("b", "r", KEY), ("c", "r", KEY)])
        ends = ends_of(pending, list(order))
        assert {end["index"]: end["repeated"] for end in ends} == {0: False, 1: True, 2: True}
        assert [end["result"] for end in ends] == [OWNED] * 3
        assert not pending


def test_a_client_that_sent_only_the_repetition_gets_the_first_outcome() -> None:
    in_ledger = Pending([("a", "r", KEY)])
    expected = {"index": 0, "intent": "i", "result": OWNED, "repeated": True}
    assert ends_of(in_ledger, [("r", OF_ANOTHER)], ledger=OWNED) == [expected]
    asked: list[str] = []
    undecided = Pending([("a", "r", KEY)])
    # The look-up finds nothing yet; whoever waits then watches the first intent too.
    assert list(undecided.take("r", OF_ANOTHER, asked.append)) == []
    assert asked == ["i"]
    assert ends_of(undecided, [("i", OWNED)]) == [expected]
    assert not undecided


def test_a_repetition_shares_a_refusal_too() -> None:
    refused = OWNED | {"type": "intent.rejected"}
    (end,) = ends_of(Pending([("a", "r", KEY)]), [("r", OF_ANOTHER)], ledger=refused)
    assert (end["result"], end["repeated"]) == (refused, True)


def test_a_forged_record_cannot_end_a_wait_with_the_outcome_of_another_key() -> None:
    for other in ({"agent": "bob"}, {"idempotency_key": "invoice-2"}):
        pending = Pending([("a", "r", KEY)])
        assert ends_of(pending, [("r", OF_ANOTHER)], ledger=OWNED | other) == []
        assert [end["result"] for end in ends_of(pending, [("r", OWNED | {"intent": "r"})])]
        assert not pending


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
