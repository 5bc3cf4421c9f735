"""Over the socket every error says whose it is, and none quotes what it should not."""

import pytest

from signer.state import StateRollbackError
from sixgate.api import ApiError
from sixgate.api.errors import api_error
from streams.ledger.errors import LedgerUnavailableError
from streams.log.errors import LogWriteError
from streams.runners.clock import ClockError


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ApiError("key_refused", "taken"), "key_refused", "taken"),
        (LedgerUnavailableError("the disk is full"), "ledger_failed", "the disk is full"),
        (LogWriteError("the disk is full"), "halted", "the disk is full"),
        (StateRollbackError("it is older"), "halted", "it is older"),
        (ClockError("it went back"), "halted", "it went back"),
    ],
)
def test_an_error_is_told_as_whose_it_is(error: Exception, code: str, sentence: str) -> None:
    told = api_error(error)
    assert (told.code, str(told)) == (code, sentence)


def test_a_defect_does_not_quote_its_message_over_the_socket() -> None:
    told = api_error(ValueError("the key is 0xdeadbeef"))
    assert told.code == "internal"
    assert "deadbeef" not in str(told)
