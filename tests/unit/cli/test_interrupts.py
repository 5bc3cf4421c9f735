"""Ctrl-C is neither lost nor taken for a defect, wherever it comes."""

import signal
from collections.abc import Callable, Iterator

import pytest
from pydantic import TypeAdapter

from schemas.canonical import Canonical
from schemas.fields import Uint256
from schemas.outcome import TransactionSigned
from signer.account import LiveIntent
from sixgate.cli import interrupts
from sixgate.cli.interrupts import RETRY_S, exit_on_interrupt, raise_on_interrupt
from tests.harness.builders.cases import intent, signed
from tests.harness.builders.signer_records import live_of

NUMBERS = (signal.SIGINT, signal.SIGALRM)


class Pressed(int):
    """An amount during whose encoding the user presses Ctrl-C."""

    def __str__(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return super().__repr__()


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer signals as a command does, but come again only when the test says so."""
    monkeypatch.setattr(interrupts, "RETRY_S", 3_600)
    before = {number: signal.getsignal(number) for number in NUMBERS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    exit_on_interrupt()
    raise_on_interrupt()
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def outcome(spent_wei: int) -> TransactionSigned:
    return signed(intent()).model_copy(update={"spent_wei": spent_wei})


def in_a_union(spent_wei: int) -> LiveIntent:
    return live_of(intent()).model_copy(update={"pinned": outcome(spent_wei)})


@pytest.mark.parametrize("made", [outcome, in_a_union])
def test_an_encoding_is_finished_before_ctrl_c_ends_the_command(
    made: Callable[[int], Canonical],
) -> None:
    assert made(Pressed(5)).encode() == made(5).encode()
    assert ended_by_the_clock()


def test_what_is_no_model_is_finished_too() -> None:
    assert TypeAdapter(list[Uint256]).dump_json([Pressed(5)]) == b'["5"]'
    assert ended_by_the_clock()


def ended_by_the_clock() -> bool:
    """Tell whether a signal was ordered that ends the command; let it come."""
    ordered_s, _ = signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGALRM)
    return ordered_s > 0


def test_it_comes_again_before_anybody_waits_for_it() -> None:
    assert 0 < RETRY_S <= 0.1


def test_anywhere_else_it_is_answered_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        str(Pressed(5))


def test_whoever_ignores_it_goes_on_doing_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_on_interrupt()
    raise_on_interrupt()
    assert str(Pressed(5)) == "5"
