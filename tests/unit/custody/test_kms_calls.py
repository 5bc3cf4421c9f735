"""Calls to an SDK: they end in time and leave nothing of the SDK behind."""

import threading
import time

import pytest

from signer.custody.errors import CorruptError, CustodyError, KmsDeniedError, KmsUnavailableError
from signer.custody.kms.calls import CallLimits, Calls
from tests.harness.builders.secrecy import chain, rendered, shows
from tests.harness.builders.waiting import until

SECRET = bytes(range(100, 132))
LIMITS = CallLimits(connect_ms_max=50, call_ms_max=200, calls_max=2)
UNHURRIED = CallLimits(call_ms_max=60_000)


class ForeignError(Exception):
    """What an SDK raises, with a key in its text, its attributes and its frames."""


def denied(_error: Exception) -> type[CustodyError]:
    return KmsDeniedError


@pytest.fixture
def calls() -> Calls:
    return Calls("cloud:key", LIMITS, denied)


@pytest.fixture
def unhurried() -> Calls:
    return Calls("cloud:key", UNHURRIED, denied)


def test_an_answer_is_handed_on(unhurried: Calls) -> None:
    assert unhurried.run(lambda: 7) == 7


def leak() -> None:
    held = SECRET
    raise ForeignError(held.hex(), held)


def leak_as_ours() -> None:
    reply = {"plaintext": SECRET}
    raise CorruptError(f"a reply of {len(reply)} fields is wrong")


@pytest.mark.parametrize(
    ("failing", "kind"), [(leak, KmsDeniedError), (leak_as_ours, CorruptError)]
)
def test_exceptions_carry_no_text_cause_or_frame_of_the_sdk(
    unhurried: Calls, failing: object, kind: type[CustodyError]
) -> None:
    assert callable(failing)
    with pytest.raises(kind) as caught:
        unhurried.run(failing)
    assert len(list(chain(caught.value))) == 1
    assert shows(rendered(caught.value), SECRET) == []


def test_a_hanging_call_and_a_call_waiting_for_a_slot_time_out(calls: Calls) -> None:
    released = threading.Event()
    for _ in range(4):  # two occupy the slots, two wait for one
        with pytest.raises(KmsUnavailableError, match="cloud:key"):
            calls.run(released.wait)
    released.set()
    assert answered_again(calls) == 8


def test_a_key_that_comes_too_late_is_wiped(calls: Calls) -> None:
    released, brought = threading.Event(), bytearray(SECRET)

    def late() -> bytearray:
        released.wait(30)
        return brought

    with pytest.raises(KmsUnavailableError):
        calls.run(late)
    released.set()
    until(lambda: not any(brought))
    assert brought == bytes(len(SECRET))


def answered_again(calls: Calls) -> int:
    """Retry until a slot is free."""
    until_s = time.monotonic() + 10
    while True:
        try:
            return calls.run(lambda: 8)
        except KmsUnavailableError:
            assert time.monotonic() < until_s, "a slot was lost"


def test_connecting_never_takes_longer_than_the_whole_call() -> None:
    assert CallLimits(connect_ms_max=9_000, call_ms_max=500).connect_s_max == 0.5
