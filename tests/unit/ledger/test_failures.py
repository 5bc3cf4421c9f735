"""Translation of clickhouse-connect's exceptions into ledger errors."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from streams.ledger.errors import LedgerDeniedError, LedgerMissingError, LedgerUnavailableError
from streams.ledger.failures import failure_of

WRONG_PASSWORD, NO_TABLE = 516, 60


@pytest.mark.parametrize(
    ("code", "kind"), [(WRONG_PASSWORD, LedgerDeniedError), (NO_TABLE, LedgerMissingError)]
)
def test_the_error_code_selects_the_error(code: int, kind: type[LedgerUnavailableError]) -> None:
    assert type(failure_of("It failed", DatabaseError("x", code=code), "look")) is kind


@pytest.mark.parametrize("code", [WRONG_PASSWORD, NO_TABLE])
def test_an_error_code_inside_rows_is_ignored(code: int) -> None:
    """The library searches the last bytes it read for a code; they may be an agent's text."""
    error = StreamFailureError("Code: 516. DB::Exception: says the agent", code=code)
    assert type(failure_of("It failed", error, "look")) is LedgerUnavailableError
