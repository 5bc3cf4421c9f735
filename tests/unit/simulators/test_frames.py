import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.simulators.frames import FRAME_BYTES_MAX, FrameBuffer, FrameError, frame


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=20))
def test_a_message_survives_being_cut_anywhere(payload: bytes, cuts: list[int]) -> None:
    buffer, rest, received = FrameBuffer(), frame(payload), None

    for size in cuts:
        if received is None and rest:
            received, rest = buffer.feed(rest[:size]), rest[size:]
    if received is None:
        received = buffer.feed(rest)

    assert received == payload


def test_messages_do_not_run_into_each_other() -> None:
    buffer = FrameBuffer()

    assert buffer.feed(frame(b"first") + frame(b"second")[:3]) == b"first"
    assert buffer.feed(frame(b"second")[3:]) == b"second"


def test_a_length_of_gigabytes_is_refused_before_they_arrive() -> None:
    with pytest.raises(FrameError, match=r"\b16777216\b"):
        FrameBuffer().feed(FRAME_BYTES_MAX.to_bytes(4) + b"...")
