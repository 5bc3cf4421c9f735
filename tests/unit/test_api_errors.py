"""Internal errors become API errors with their code; a defect discloses no message."""

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
def test_an_expected_error_keeps_its_sentence(error: Exception, code: str, sentence: str) -> None:
    translated = api_error(error)
    assert (translated.code, str(translated)) == (code, sentence)


def test_a_defect_does_not_disclose_its_message() -> None:
    translated = api_error(ValueError("the key is 0xdeadbeef"))
    assert translated.code == "internal"
    assert "deadbeef" not in str(translated)
