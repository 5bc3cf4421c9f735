"""API errors: codes of internal errors, and the repetition of what another admin overtook."""

import pytest

from signer.stage.state import StateRollbackError
from sixgate.api import ApiError
from sixgate.api.errors import api_error
from sixgate.api_error import ATTEMPTS_MAX, retry_overtaken
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


OVERTAKEN = ApiError("vault_refused", "version 2 does not follow version 2")


class Refusing:
    """A call that is refused some times before it succeeds."""

    def __init__(self, *errors: ApiError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_an_overtaken_call_is_repeated_until_it_succeeds() -> None:
    call = Refusing(*[OVERTAKEN] * (ATTEMPTS_MAX - 1))
    assert retry_overtaken(call, "vault_refused") == "done"
    assert call.calls == ATTEMPTS_MAX


def test_a_call_that_is_always_overtaken_is_refused() -> None:
    call = Refusing(*[OVERTAKEN] * (ATTEMPTS_MAX + 1))
    with pytest.raises(ApiError, match="does not follow"):
        retry_overtaken(call, "vault_refused")
    assert call.calls == ATTEMPTS_MAX


@pytest.mark.parametrize(
    "error",
    [ApiError("vault_refused", "the vault is unknown"), ApiError("halted", "it does not follow")],
)
def test_another_refusal_is_not_repeated(error: ApiError) -> None:
    call = Refusing(error)
    with pytest.raises(ApiError, match=str(error)):
        retry_overtaken(call, "vault_refused")
    assert call.calls == 1
