"""Requests and answers with any byte changed give no key."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.keys.release import ReleaseGranted, ReleaseRefused
from signer.attestation.release.client.exchange import Exchange, UntrustedAnswerError
from signer.attestation.release.request import join_frames, split_frames
from signer.custody.errors import CorruptError
from tests.harness.builders.release import SHARE, WANTED, Release, attest, exchange


@cache
def sent() -> tuple[Release, Exchange, bytes]:
    """Return a good request, and a release that has not got it yet."""
    release = Release()
    mine = exchange(release.nonce(), WANTED)
    return release, mine, mine.request(attest(mine.binding))


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_no_changed_request_is_granted(data: st.DataObject) -> None:
    _, _, raw = sent()
    changed = bytearray(raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    decided = Release(now_ms=sent()[0].now_ms).decided(bytes(changed))
    # Outside the signed part a report has bytes that must be zero, and a certificate has none.
    assert isinstance(decided, ReleaseRefused), (at, raw[at - 10 : at + 10])


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_arbitrary_bytes_are_refused_and_recorded(raw: bytes) -> None:
    release = Release()
    assert isinstance(release.decided(raw), ReleaseRefused)
    assert len(release.records) == 1


@cache
def answered() -> tuple[Exchange, bytes]:
    release = Release()
    mine = exchange(release.nonce(), WANTED)
    return mine, release.send(mine.request(attest(mine.binding)))


@given(st.data())
@settings(deadline=None)
def test_no_changed_answer_opens(data: st.DataObject) -> None:
    mine, answer = answered()
    assert mine.open(answer) == [SHARE]
    changed = bytearray(answer)
    changed[data.draw(st.integers(0, len(answer) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UntrustedAnswerError):
        mine.open(bytes(changed))


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_frames_survive_a_round_trip(frames: list[bytes]) -> None:
    joined = join_frames(frames)
    assert split_frames(joined, len(frames)) == frames
    for count in {0, len(frames) + 1, max(0, len(frames) - 1)} - {len(frames)}:
        with pytest.raises(CorruptError):
            split_frames(joined, count)


@given(st.binary(max_size=60), st.integers(0, 4))
def test_arbitrary_bytes_raise_only_frame_errors(joined: bytes, count: int) -> None:
    try:
        frames = split_frames(bytearray(joined), count)
    except CorruptError:
        return
    assert join_frames(frames) == joined


def test_a_granted_event_is_one_encoding() -> None:
    _, answer = answered()
    assert ReleaseGranted.decode(answer).encode() == answer
