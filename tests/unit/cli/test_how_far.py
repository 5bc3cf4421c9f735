from pathlib import Path

import pytest

from sixgate.cli.intents.submission_progress import SubmissionProgress


@pytest.mark.parametrize(
    ("sent", "accepted", "known"),
    [
        (0, 0, "nothing was sent"),
        (
            1500,
            0,
            "up to 1500 of 1500 intents may have been accepted: the answer had not come",
        ),
        (1500, 1000, "1000 of 1500 intents were accepted and up to 500 more may have been"),
        (1000, 1000, "1000 of 1500 intents were accepted and will be judged"),
    ],
)
def test_what_was_sent_and_not_answered_is_never_called_refused(
    sent: int, accepted: int, known: str
) -> None:
    assert SubmissionProgress(1500, None, sent, accepted).sentence().startswith(known)


def test_only_what_was_saved_can_be_repeated() -> None:
    assert "would be new intents" in SubmissionProgress(2, None, 2, 0).sentence()
    assert (
        "sixgate submit sent.jsonl sends"
        in SubmissionProgress(2, Path("sent.jsonl"), 2, 0).sentence()
    )
