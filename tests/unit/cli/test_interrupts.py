"""Ctrl-C always ends a command, and never looks like a defect."""

import signal
from collections.abc import Callable, Iterator

import pytest
from pydantic import TypeAdapter

from schemas.canonical import Canonical
from schemas.fields import Uint256
from schemas.intents.outcome import TransactionSigned
from signer.core.account import LiveIntent
from sixgate.cli import interrupts
from sixgate.cli.interrupts import RETRY_S, exit_on_interrupt, raise_on_interrupt
from tests.harness.builders.cases import intent, signed
from tests.harness.builders.signer_records import live_of

NUMBERS = (signal.SIGINT, signal.SIGALRM)


class Pressed(int):
    """An amount that sends SIGINT while it is encoded."""

    def __str__(self) -> str:
        signal.raise_signal(signal.SIGINT)
        return super().__repr__()


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handle signals as a command does, but repeat one only when the test does it."""
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
def test_ctrl_c_waits_for_a_model_to_be_encoded(
    made: Callable[[int], Canonical],
) -> None:
    assert made(Pressed(5)).encode() == made(5).encode()
    assert ended_by_the_clock()


def test_ctrl_c_waits_for_other_encodings_too() -> None:
    assert TypeAdapter(list[Uint256]).dump_json([Pressed(5)]) == b'["5"]'
    assert ended_by_the_clock()


def ended_by_the_clock() -> bool:
    """Return whether the timer was set to repeat the signal; deliver the signal."""
    ordered_s, _ = signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGALRM)
    return ordered_s > 0


def test_the_signal_is_repeated_soon() -> None:
    assert 0 < RETRY_S <= 0.1


def test_outside_pydantic_ctrl_c_raises_immediately() -> None:
    with pytest.raises(KeyboardInterrupt):
        str(Pressed(5))


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_on_interrupt()
    raise_on_interrupt()
    assert str(Pressed(5)) == "5"
