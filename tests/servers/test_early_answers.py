"""Records that a node answers before its pipeline: repetitions, and intents over their rate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.dsse import INTENT_TYPE
from sixgate.api import REFUSED, ApiError
from sixgate.config.intake import IntakeSettings
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.node import Node, running
from tests.harness.builders.disks import NEARLY_FULL
from tests.harness.cli.clients import record, results, submit
from tests.harness.pipeline.embedded import POLICY, Producer, make_folder

HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def node(folder: Folder) -> Iterator[Node]:
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
    lines = [trader.signed(f"line-{n}") for n in range(20)]
    first = submit(node, *lines)
    before = rows(node)
    again = submit(node, *lines)
    assert rows(node) == before
    assert all(end["repeated"] for end in again)
    assert [end["result"] for end in again] == [end["result"] for end in first]
    assert results(again) == results(first) == ["signed"] * 20


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
    stranger = type(trader.signer)(trader.signer.keyid, b"s" * 32)
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


@pytest.fixture
def slow(tmp_path: Path, trader: Producer) -> Iterator[Node]:
    policy = POLICY.model_copy(update={"intents_per_minute": 3})
    with running(make_folder(tmp_path / "slow", [trader.signer], policy)) as found:
        yield found


def test_lines_over_the_rate_are_answered_without_a_row_and_counted_once(
    slow: Node, trader: Producer
) -> None:
    submit(slow, *(trader.signed(f"{n}") for n in range(3)))
    before = rows(slow)
    lines = [trader.signed(f"over-{n}", data="0x" + "ab" * 50_000) for n in range(20)]
    over = submit(slow, *lines)
    assert [end["result"]["type"] for end in over] == [REFUSED] * 20
    assert results(over) == ["rate_exceeded"] * 20
    assert rows(slow) - before <= 1  # if a minute ended
    slow.record_refused()
    assert rows(slow) - before <= 2
    query = "SELECT JSONExtractString(body, 'detail') FROM ledger WHERE type = 'audit'"
    details = [detail for (detail,) in slow.sql(query)["rows"] if "over its limits" in detail]
    assert sum(int(detail.split()[0]) for detail in details) == 20


def test_a_repetition_of_a_paid_line_is_never_over_the_rate(slow: Node, trader: Producer) -> None:
    lines = [trader.signed(f"{n}") for n in range(3)]
    submit(slow, *lines)
    assert results(submit(slow, *lines, *lines)) == ["signed"] * 6


def test_a_line_that_is_repeated_in_one_file_counts_once(slow: Node, trader: Producer) -> None:
    lines = [trader.signed(f"{n}") for n in range(3) for _ in range(2)]
    assert results(submit(slow, *lines)) == ["signed"] * 6
    assert results(submit(slow, trader.signed("new"))) == ["rate_exceeded"]


def test_on_a_full_disk_nothing_is_accepted_and_what_is_repeated_is_answered(
    node: Node, trader: Producer
) -> None:
    (first,) = submit(node, trader.signed("a"))
    node.intake.disk = lambda: NEARLY_FULL
    with pytest.raises(ApiError, match="free some space") as raised:
        list(node.submit([record(trader.signed("b"))], wait=True))
    assert raised.value.code == "disk_low"
    assert submit(node, trader.signed("a"))[0]["intent"] == first["intent"]


def test_bytes_of_a_day_refuse_a_whole_submission(node: Node, trader: Producer) -> None:
    node.intake.settings = IntakeSettings(agent_bytes_per_day_max=1_000)
    before = rows(node)
    lines = [record(trader.signed(f"{n}")) for n in range(10)]
    with pytest.raises(ApiError, match="nothing was accepted") as raised:
        list(node.submit(lines, wait=False))
    assert raised.value.code == "quota_exceeded"
    assert rows(node) == before
