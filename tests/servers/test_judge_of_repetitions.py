"""The tests' judge accepts a repetition that shares an outcome, and no other missing outcome."""

from collections.abc import Callable

import orjson
import pytest

from sixgate.data_folder.folder import Folder
from tests.harness.judge.promises import Json, Values, check, check_requests, in_folder
from tests.harness.pipeline.embedded import STRANGER, Producer, open_pipeline


@pytest.fixture
def told(folder: Folder, trader: Producer) -> Values:
    """Return the topics after a request, its repetition, and another request."""
    pipeline, later_ms = open_pipeline(folder), trader.now_ms() + 700_000
    pipeline.submit(trader.signed("a"), trader.signed("b", to=STRANGER))
    pipeline.submit(trader.signed("a", expires_at_ms=later_ms))
    pipeline.drain()
    return in_folder(pipeline.folder.path)


def changed(told: Values, change: Callable[[Json, list[str]], Json | None]) -> Values:
    """Change or remove the audit record; ``change`` also gets the intents that have outcomes."""
    decided = [orjson.loads(raw)["intent"] for raw in told("outcomes")]

    def values(topic: str) -> list[bytes]:
        found = [orjson.loads(raw) for raw in told(topic)]
        if topic != "audit":
            return told(topic)
        events = [change(e, decided) if e.get("action") == "intent.duplicate" else e for e in found]
        return [orjson.dumps(event) for event in events if event]

    return values


def test_a_repetition_that_shares_an_outcome_is_settled(told: Values) -> None:
    found = check(told, settled=True)
    assert (len(found.intents), len(found.outcomes)) == (3, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda _event, _decided: None,
        lambda event, _decided: event | {"detail": event["subject"]},
        lambda event, _decided: event | {"detail": "0x" + "00" * 32},
        lambda event, decided: event | {"detail": next(n for n in decided if n != event["detail"])},
        lambda event, _decided: event | {"subject": "0x" + "00" * 32},
        lambda event, _decided: event | {"action": "record.refused"},
    ],
)
def test_any_other_record_leaves_the_intent_without_an_outcome(
    told: Values, change: Callable[[Json, list[str]], Json | None]
) -> None:
    with pytest.raises(AssertionError, match="an intent has no outcome"):
        check(changed(told, change), settled=True)


def test_a_repetition_with_an_outcome_of_its_own_is_found(told: Values) -> None:
    """An intent that has an outcome must not also be called a repetition."""
    outcomes = [orjson.loads(raw) for raw in told("outcomes")]
    repetition = next(
        orjson.loads(raw)["subject"] for raw in told("audit") if b"intent.duplicate" in raw
    )
    found = check(told, settled=True)
    found.outcomes.append(outcomes[1] | {"intent": repetition})
    with pytest.raises(AssertionError, match="outcome of its own"):
        check_requests(found)
