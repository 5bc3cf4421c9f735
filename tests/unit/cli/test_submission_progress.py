"""The sentence after an interrupted submission: what was accepted, and how to send it again."""

import re
from pathlib import Path

import pytest

from sixgate.cli.sending import SubmissionProgress


@pytest.mark.parametrize(
    ("sent", "accepted", "counts"),
    [
        (0, 0, []),
        (1500, 0, ["1500", "1500"]),
        (1500, 1000, ["1000", "1500", "500"]),
        (1000, 1000, ["1000", "1500"]),
    ],
)
def test_intents_without_an_answer_are_reported_as_possibly_accepted(
    sent: int, accepted: int, counts: list[str]
) -> None:
    sentence = SubmissionProgress(1500, None, sent, accepted).sentence()
    assert re.findall(r"\d+", sentence) == counts
    assert ("may have" in sentence) is (sent > accepted)
    assert ("nothing was sent" in sentence) is (sent == 0)


def test_only_a_saved_file_can_be_submitted_again() -> None:
    unsaved = SubmissionProgress(2, None, 2, 0).sentence()
    assert ("--save" in unsaved, "sixgate submit" in unsaved) == (True, False)
    assert "sixgate submit sent.jsonl" in SubmissionProgress(2, Path("sent.jsonl"), 2, 0).sentence()
