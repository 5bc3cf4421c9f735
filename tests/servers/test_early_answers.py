"""Records that a node answers before its pipeline: repetitions, and intents over their limits."""

import secrets
from collections.abc import Iterator

import pytest

from schemas.dsse import INTENT_TYPE
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import REFUSED, ApiError
from sixgate.config.intake import IntakeSettings
from sixgate.services.embedded.node import Node, running
from tests.harness.builders.disks import NEARLY_FULL
from tests.harness.cli.clients import record, results, submit
from tests.harness.pipeline.embedded import POLICY, Producer, make_folder

HOUR_MS = 60 * 60 * 1000
RATE = 6
AGENTS = 16
"""Each test takes an agent of its own, because the limits are those of an agent."""


@pytest.fixture(scope="module")
def agents() -> list[Producer]:
    keys = (Ed25519Signer(f"agent-{n}", secrets.token_bytes(32)) for n in range(AGENTS))
    return [Producer(key) for key in keys]


@pytest.fixture
def trader(agents: list[Producer]) -> Producer:
    return agents.pop()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, agents: list[Producer]) -> Iterator[Node]:
    policy = POLICY.model_copy(update={"intents_per_minute": RATE})
    folder = make_folder(
        tmp_path_factory.mktemp("early") / "data", [one.signer for one in agents], policy
    )
    with running(folder) as found:
        yield found


def rows(node: Node) -> int:
    """Return how many rows the ledger has once it has every record."""
    node.pipeline.settle()
    count: int = node.status()["ledger_rows"]
    return count


def test_a_repeated_file_is_answered_from_its_first_outcomes_without_a_row(
    node: Node, trader: Producer
) -> None:
    lines = [trader.signed(f"line-{n}") for n in range(RATE)]
    first = submit(node, *lines)
    before = rows(node)
    again = submit(node, *lines)
    assert rows(node) == before
    assert all(end["repeated"] for end in again)
    assert [end["result"] for end in again] == [end["result"] for end in first]
    assert results(again) == results(first) == ["signed"] * RATE


def test_a_repetition_in_another_envelope_shares_the_first_outcome_without_a_row(
    node: Node, trader: Producer
) -> None:
    (first,) = submit(node, trader.signed("a"))
    before = rows(node)
    (again,) = submit(node, trader.signed("a", expires_at_ms=trader.now_ms() + HOUR_MS))
    assert (again["intent"], again["repeated"]) == (first["intent"], True)
    assert rows(node) == before


def test_a_repetition_that_outlives_the_signers_memory_is_still_recorded(
    node: Node, trader: Producer
) -> None:
    """Otherwise it could be submitted again, as a new intent, once the first one is forgotten."""
    (first,) = submit(node, trader.signed("a", expires_at_ms=trader.now_ms() + HOUR_MS))
    before = rows(node)
    late_ms = trader.now_ms() + 24 * HOUR_MS
    (again,) = submit(node, trader.signed("a", expires_at_ms=late_ms))
    assert (again["intent"], again["repeated"]) == (first["intent"], True)
    assert rows(node) > before


def test_a_forged_repetition_gets_no_answer_but_an_unattributed_record(
    node: Node, trader: Producer
) -> None:
    intent = trader.intent("a")
    submit(node, trader.signer.sign_envelope(INTENT_TYPE, intent.encode()).encode())
    stranger = Ed25519Signer(trader.signer.keyid, b"s" * 32)
    (forged,) = submit(node, stranger.sign_envelope(INTENT_TYPE, intent.encode()).encode())
    assert forged["result"]["type"] == "intent.unattributed"


def test_another_request_with_a_used_key_is_a_conflict_with_an_outcome(
    node: Node, trader: Producer
) -> None:
    submit(node, trader.signed("a"))
    before = rows(node)
    (other,) = submit(node, trader.signed("a", value_wei=7))
    assert results([other]) == ["idempotency_conflict"]
    assert rows(node) > before


def test_lines_over_the_rate_are_answered_without_a_row_and_counted_once(
    node: Node, trader: Producer
) -> None:
    submit(node, *(trader.signed(f"{n}") for n in range(RATE)))
    node.record_refused()  # of other tests
    before = rows(node)
    lines = [trader.signed(f"over-{n}", data="0x" + "ab" * 50_000) for n in range(20)]
    over = submit(node, *lines)
    assert [end["result"]["type"] for end in over] == [REFUSED] * 20
    assert results(over) == ["rate_exceeded"] * 20
    assert rows(node) - before <= 1  # if a minute ended
    node.record_refused()
    assert 1 <= rows(node) - before <= 2
    counts = f"WHERE position(body, 'intents of {trader.signer.keyid} ')"
    found = node.sql(f"SELECT JSONExtractString(body, 'detail') FROM records {counts}")["rows"]  # noqa: S608
    assert sum(int(detail.split()[0]) for (detail,) in found) == 20


def test_a_repetition_of_a_paid_line_is_never_over_the_rate(node: Node, trader: Producer) -> None:
    lines = [trader.signed(f"{n}") for n in range(RATE)]
    submit(node, *lines)
    assert results(submit(node, *lines, *lines)) == ["signed"] * 2 * RATE
    assert results(submit(node, trader.signed("new"))) == ["rate_exceeded"]


def test_a_line_that_is_repeated_in_one_file_counts_once_and_is_not_recorded(
    node: Node, trader: Producer
) -> None:
    once = [trader.signed(f"{n}") for n in range(RATE)]
    before = rows(node)
    ends = submit(node, *(one for one in once for _ in range(3)))
    assert results(ends) == ["signed"] * 3 * RATE
    assert [end["repeated"] for end in ends] == [False, True, True] * RATE
    assert rows(node) - before < 12 * RATE  # a recorded repetition has eight of its own


def test_on_a_full_disk_nothing_is_accepted_and_what_is_repeated_is_answered(
    node: Node, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = submit(node, trader.signed("a"))
    monkeypatch.setattr(node.intake, "disk", lambda: NEARLY_FULL)
    with pytest.raises(ApiError, match="free some space") as raised:
        list(node.submit([record(trader.signed("b"))], wait=True))
    assert raised.value.code == "disk_low"
    assert submit(node, trader.signed("a"))[0]["intent"] == first["intent"]


def test_lines_over_the_bytes_of_a_day_are_refused_one_by_one(
    node: Node, trader: Producer, agents: list[Producer], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = agents.pop()
    monkeypatch.setattr(node.intake, "settings", IntakeSettings(agent_bytes_per_day_max=500))
    lines = [trader.signed(f"{n}") for n in range(3)]
    assert results(submit(node, *lines, other.signed("a"))) == [
        "signed", "quota_exceeded", "quota_exceeded", "signed",
    ]  # fmt: skip
