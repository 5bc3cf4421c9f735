"""Every reason has a meaning, and docs/reasons.md lists them all."""

from pathlib import Path

from schemas.intents.reason_meanings import MEANING
from schemas.intents.reasons import Reason

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"


def test_every_reason_has_a_meaning_and_its_line_in_the_docs() -> None:
    assert set(MEANING) == set(Reason)
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{reason}` | {meaning} |" for reason, meaning in MEANING.items()]
