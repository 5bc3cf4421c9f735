"""Nonces with any clock and order: none is accepted twice or after it expired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from schemas.keys.release import ReleaseReason
from signer.attestation.release.judge.nonces import ReleaseNonces, RequestRefusedError

AGE_MS, USED_MAX = 100, 4
SECRET = bytes(range(32))


def nonces(secret: bytes = SECRET) -> ReleaseNonces:
    return ReleaseNonces(secret, age_ms_max=AGE_MS, used_max=USED_MAX)


class AnyOrder(RuleBasedStateMachine):
    """A release with an arbitrary clock, and a client that keeps every nonce."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.nonces = nonces()
        self.now_ms = 1_000_000
        self.latest_ms = 0
        self.drawn = 0
        self.accepted: set[bytes] = set()
        self.issued_ms: dict[bytes, int] = {}

    @rule(step_ms=st.integers(-3 * AGE_MS, 3 * AGE_MS))
    def tick(self, step_ms: int) -> None:
        self.now_ms = max(0, self.now_ms + step_ms)

    @rule(target=made)
    def issue(self) -> bytes:
        self.drawn += 1
        self.nonces, nonce = self.nonces.issue(self.drawn.to_bytes(16, "big"), self.now_ms)
        self._saw()
        self.issued_ms[nonce] = self.latest_ms
        return nonce

    @rule(nonce=made)
    def use(self, nonce: bytes) -> None:
        try:
            self.nonces = self.nonces.burn(nonce, self.now_ms)
        except RequestRefusedError as refused:
            self._check_refusal(nonce, refused.reason)
            return
        self._saw()
        assert nonce not in self.accepted, "a nonce counted twice"
        assert self.latest_ms - self.issued_ms[nonce] <= AGE_MS, "an old nonce counted"
        self.accepted.add(nonce)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.nonces.used) <= USED_MAX

    def _saw(self) -> None:
        self.latest_ms = max(self.latest_ms, self.now_ms)

    def _check_refusal(self, nonce: bytes, reason: ReleaseReason) -> None:
        now_ms = max(self.latest_ms, self.now_ms)
        if reason is ReleaseReason.NONCE_USED:
            assert nonce in self.accepted
        elif reason is ReleaseReason.NONCE_EXPIRED:
            assert now_ms - self.issued_ms[nonce] > AGE_MS
        else:
            assert reason is ReleaseReason.NONCES_EXHAUSTED
            assert len(self.nonces.used) == USED_MAX


TestAnyOrder = AnyOrder.TestCase


def test_a_clock_that_goes_back_does_not_revive_a_forgotten_nonce() -> None:
    state, first = nonces().issue(b"1" * 16, 0)
    state = state.burn(first, 0)
    state, second = state.issue(b"2" * 16, AGE_MS + 1)
    state = state.burn(second, AGE_MS + 1)
    assert first not in state.used, "it was to be forgotten"
    with pytest.raises(RequestRefusedError, match="nonce_expired"):
        state.burn(first, 50)


@given(st.binary(max_size=80))
def test_forged_bytes_are_no_nonce(forged: bytes) -> None:
    with pytest.raises(RequestRefusedError, match="nonce_unknown"):
        nonces().check(forged, 0)


@given(st.integers(0, 55), st.integers(1, 255))
def test_a_changed_nonce_is_refused(at: int, turned: int) -> None:
    state, nonce = nonces().issue(b"1" * 16, 5)
    changed = bytearray(nonce)
    changed[at] ^= turned
    with pytest.raises(RequestRefusedError, match="nonce_unknown"):
        state.check(bytes(changed), 5)


def test_the_nonces_of_another_process_are_unknown() -> None:
    _, nonce = nonces().issue(b"1" * 16, 5)
    with pytest.raises(RequestRefusedError, match="nonce_unknown"):
        nonces(bytes(32)).check(nonce, 5)


def test_with_too_many_used_nonces_the_next_is_refused_until_they_expire() -> None:
    state = nonces()
    for number in range(USED_MAX + 1):
        state, nonce = state.issue(bytes([number]) * 16, 0)
        if number < USED_MAX:
            state = state.burn(nonce, 0)
    with pytest.raises(RequestRefusedError, match="nonces_exhausted"):
        state.burn(nonce, AGE_MS)
    state, late = state.issue(b"l" * 16, AGE_MS + 1)
    assert set(state.burn(late, AGE_MS + 1).used) == {late}


def test_the_secret_is_not_printed() -> None:
    state, nonce = nonces().issue(b"1" * 16, 5)
    shown = repr(state.burn(nonce, 5))
    assert SECRET.hex() not in shown
    assert repr(SECRET)[2:-1] not in shown
    with pytest.raises(ValueError, match="32 bytes"):
        ReleaseNonces(b"short")
    with pytest.raises(ValueError, match="16 random bytes"):
        state.issue(b"short", 5)
