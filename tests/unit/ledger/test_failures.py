"""What the library raises, told as one of ours."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from streams.ledger.errors import LedgerDeniedError, LedgerMissingError, LedgerUnavailableError
from streams.ledger.failures import failure_of

WRONG_PASSWORD, NO_TABLE = 516, 60


@pytest.mark.parametrize(
    ("code", "kind"), [(WRONG_PASSWORD, LedgerDeniedError), (NO_TABLE, LedgerMissingError)]
)
def test_a_refusal_is_told_by_its_code(code: int, kind: type[LedgerUnavailableError]) -> None:
    assert type(failure_of("It failed", DatabaseError("x", code=code), "look")) is kind


@pytest.mark.parametrize("code", [WRONG_PASSWORD, NO_TABLE])
def test_a_code_among_rows_counts_for_nothing(code: int) -> None:
    """The library looks for it in the last bytes it read, where an agent's text may stand."""
    error = StreamFailureError("Code: 516. DB::Exception: says the agent", code=code)
    assert type(failure_of("It failed", error, "look")) is LedgerUnavailableError
