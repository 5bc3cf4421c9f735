import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.intents.intent import TransactionIntent
from sixgate.authoring.form_fields import result_of
from sixgate.authoring.intent_lines import (
    LINE_BYTES_MAX,
    PART_BYTES_MAX,
    PART_COUNT_MAX,
    InvalidLine,
    Submission,
    finish,
    parts,
    read,
    split,
)
from tests.harness.builders.directories import ADDRESS, NOW_MS, directory, signers

LINE: dict[str, Any] = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1"}


def lines(*members: object) -> bytes:
    return b"\n".join(m if isinstance(m, bytes) else json.dumps(m).encode() for m in members)


def sent(raw: bytes) -> tuple[list[Submission], list[InvalidLine]]:
    drafts, wrong, _ = read(split(raw))
    ready, late = finish(drafts, directory(), signers, NOW_MS, lambda: "k")
    return ready, wrong + late


def test_line_numbers_start_at_1_and_count_blank_lines() -> None:
    ready, wrong = sent(lines(b"", LINE, b"   ", b"{", LINE | {"agent": "nobody"}, b"\r"))
    assert [one.line for one in ready] == [2]
    assert [one.line for one in wrong] == [4, 5]


def test_lines_for_the_demo_are_skipped_and_reported() -> None:
    drafts, wrong, demo = read(split(lines({"demo": "replay"}, LINE)))
    assert ([draft.line for draft in drafts], wrong, demo) == ([2], [], [1])


def test_a_signed_envelope_is_submitted_unchanged() -> None:
    ((first,), _) = sent(lines(LINE | {"label": "rent", "expect": "expired"}))
    spaced = json.dumps(json.loads(first.envelope), indent=None, separators=(", ", ": ")).encode()
    ((again,), wrong) = sent(spaced)
    assert wrong == []
    assert (again.envelope, again.digest) == (first.envelope, first.digest)
    assert (first.label, first.expect, again.expect) == ("rent", "expired", "signed")


def tampered(**changes: Any) -> dict[str, Any]:
    ((first,), _) = sent(lines(LINE))
    whole: dict[str, Any] = json.loads(first.envelope)
    return whole | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "!"},
        {"payload": base64.b64encode(b"{}").decode()},
        {"payload": base64.b64encode(b'{"v": 1}').decode()},
        {"signatures": []},
        {"extra": 1},
    ],
)
def test_an_envelope_without_a_valid_intent_is_refused(changes: dict[str, Any]) -> None:
    ready, wrong = sent(lines(tampered(**changes)))
    assert ready == []
    assert wrong[0].why.startswith("envelope, ")


def test_an_intent_too_large_for_the_bus_is_refused() -> None:
    ready, wrong = sent(lines(LINE | {"data": "0x" + "ff" * 100_000}))
    assert ready == []
    assert "larger than 262144 bytes" in wrong[0].why


def test_a_line_over_one_mebibyte_is_refused_before_parsing() -> None:
    _, wrong = sent(b" " * LINE_BYTES_MAX + b"{}")
    assert "over 1048576 bytes" in wrong[0].why


def test_the_record_has_the_account_as_its_key() -> None:
    ((one,), _) = sent(lines(LINE))
    record = one.record()
    assert record["key"] == "treasury"
    assert base64.b64decode(record["value"]) == one.envelope
    assert (
        TransactionIntent.decode(base64.b64decode(json.loads(one.envelope)["payload"]))
        == one.intent
    )


def test_a_result_is_signed_or_a_reason_code() -> None:
    assert result_of({"type": "transaction.signed"}) == "signed"
    assert result_of({"type": "intent.rejected", "reason": "expired"}) == "expired"
    assert result_of({"type": "intent.unattributed", "reason": "malformed"}) == "malformed"


@given(st.lists(st.integers(min_value=1, max_value=300), max_size=200))
def test_parts_hold_every_submission_once_in_order_and_stay_bounded(sizes: list[int]) -> None:
    (template,) = sent(lines(LINE))[0]
    ready = [
        Submission(number, template.intent, b"x" * (size * 800))
        for number, size in enumerate(sizes)
    ]
    found = list(parts(ready))
    assert [one.line for part in found for one in part] == list(range(len(sizes)))
    assert all(part for part in found)
    assert all(sum(len(one.envelope) for one in part) <= PART_BYTES_MAX for part in found)


def test_a_part_has_a_bounded_number_of_submissions() -> None:
    (template,) = sent(lines(LINE))[0]
    ready = [Submission(n, template.intent, b"x") for n in range(PART_COUNT_MAX + 1)]
    assert [len(part) for part in parts(ready)] == [PART_COUNT_MAX, 1]
