from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from signer.custody.errors import CustodyError, KmsUnavailableError
from signer.custody.handle import KeyHandle
from signer.custody.keyring import Keyring, KeyringLimits

DIGEST = bytes(range(32))
LIMITS = KeyringLimits(handles_max=2, idle_ms_max=100, age_ms_max=250, uses_max=5)


@dataclass
class Bench:
    """A ring with a hand-turned clock that remembers every buffer it ever opened."""

    limits: KeyringLimits = LIMITS
    now_ms: int = 1_000
    broken: CustodyError | None = None
    opened: list[tuple[str, bytearray]] = field(default_factory=list)
    handles: list[KeyHandle] = field(default_factory=list)  # so that dropping one closes nothing

    def __post_init__(self) -> None:
        self.ring = Keyring(self.open_key, lambda: self.now_ms, self.limits)

    def open_key(self, name: str) -> KeyHandle:
        if self.broken is not None:
            raise self.broken
        buffer = bytearray(name.encode().rjust(32, b"\x01"))
        handle = KeyHandle(buffer)
        self.opened.append((name, buffer))
        self.handles.append(handle)
        return handle

    def names(self) -> str:
        return "".join(name for name, _ in self.opened)

    def alive(self) -> str:
        return "".join(name for name, buffer in self.opened if any(buffer))


def test_opens_a_key_once_and_signs_as_its_handle_does() -> None:
    bench = Bench()
    direct = KeyHandle(bytearray(b"a".rjust(32, b"\x01")))
    assert bench.ring.sign("a", DIGEST) == direct.sign(DIGEST)
    assert bench.ring.public_key("a") == direct.public_key()
    assert bench.ring.sign("a", DIGEST) == direct.sign(DIGEST)
    assert bench.names() == "a"


def test_a_key_of_the_ring_opens_at_once_and_signs_through_the_ring() -> None:
    bench = Bench()
    key = bench.ring.key("a")
    assert bench.names() == "a"
    bench.ring.close()
    assert key.sign(DIGEST) == bench.ring.sign("a", DIGEST)
    assert key.public_key() == bench.ring.public_key("a")
    assert bench.names() == "aa"


def test_the_least_recently_used_key_goes_when_the_ring_is_full() -> None:
    bench = Bench()
    for name in "abac":
        bench.ring.sign(name, DIGEST)
    assert bench.alive() == "ac"
    assert len(bench.ring) == 2


def test_a_key_that_was_idle_too_long_is_closed_and_opened_again() -> None:
    bench = Bench()
    bench.ring.sign("a", DIGEST)
    bench.now_ms += 100
    bench.ring.sign("a", DIGEST)
    assert bench.names() == "a"
    bench.now_ms += 101
    bench.ring.sign("a", DIGEST)
    assert bench.names() == "aa"
    assert bench.alive() == "a"


def test_constant_use_does_not_keep_a_key_open_beyond_its_age() -> None:
    bench = Bench()
    for _ in range(6):
        bench.ring.public_key("a")
        bench.now_ms += 50
    assert bench.names() == "a"
    bench.ring.public_key("a")
    assert bench.names() == "aa"


def test_a_key_is_closed_with_its_last_use_and_not_after_the_next_one() -> None:
    bench = Bench()
    for _ in range(LIMITS.uses_max):
        assert bench.alive() in ("", "a")
        bench.ring.sign("a", DIGEST)
    assert bench.alive() == ""
    assert len(bench.ring) == 0


def test_a_key_that_is_dropped_is_wiped_and_no_other_is() -> None:
    bench = Bench()
    for name in "ab":
        bench.ring.key(name)
    bench.ring.drop(lambda name: name in ("a", "never opened"))
    assert bench.alive() == "b"


def test_a_signature_that_was_refused_counts_as_a_use() -> None:
    bench = Bench()
    for _ in range(LIMITS.uses_max):
        with pytest.raises(ValueError, match="32 bytes"):
            bench.ring.sign("a", b"not a digest")
    assert bench.alive() == ""


def test_asking_for_public_keys_uses_nothing_up() -> None:
    bench = Bench()
    for _ in range(3 * LIMITS.uses_max):
        bench.ring.public_key("a")
    assert bench.names() == "a"


def test_an_idle_process_closes_what_expired_and_keeps_the_rest() -> None:
    bench = Bench()
    bench.ring.public_key("a")
    bench.now_ms += 60
    bench.ring.public_key("b")
    bench.now_ms += 60
    bench.ring.close_expired()
    assert bench.alive() == "b"
    bench.now_ms += 10_000
    bench.ring.close_expired()
    assert bench.alive() == ""
    assert len(bench.ring) == 0


def test_a_clock_that_goes_back_closes_keys_instead_of_keeping_them() -> None:
    bench = Bench()
    bench.ring.public_key("a")
    bench.now_ms -= 1
    bench.ring.close_expired()
    assert bench.alive() == ""


def test_a_key_that_does_not_open_is_not_remembered_and_costs_no_open_key_its_place() -> None:
    bench = Bench()
    bench.ring.public_key("a")
    bench.ring.public_key("b")
    bench.broken = KmsUnavailableError("down")
    for _ in range(3):
        with pytest.raises(KmsUnavailableError):
            bench.ring.sign("c", DIGEST)
    assert bench.alive() == "ab"
    bench.broken = None
    bench.ring.sign("c", DIGEST)
    assert bench.alive() == "bc"


def test_an_expired_key_is_closed_even_when_it_does_not_open_again() -> None:
    bench = Bench()
    bench.ring.public_key("a")
    bench.now_ms += 101
    bench.broken = KmsUnavailableError("down")
    with pytest.raises(KmsUnavailableError):
        bench.ring.sign("a", DIGEST)
    assert bench.alive() == ""


def test_closing_the_ring_wipes_every_key() -> None:
    bench = Bench()
    bench.ring.sign("a", DIGEST)
    bench.ring.sign("b", DIGEST)
    bench.ring.close()
    assert bench.alive() == ""
    assert len(bench.ring) == 0


def test_a_ring_with_room_for_one_key_serves_many() -> None:
    bench = Bench(limits=LIMITS.model_copy(update={"handles_max": 1}))
    for name in "abab":
        bench.ring.sign(name, DIGEST)
        assert bench.alive() == name


@pytest.mark.parametrize("field_name", KeyringLimits.model_fields)
@pytest.mark.parametrize("value", [0, -1, None, 1.5, "9"])
def test_there_is_no_limit_that_means_no_limit(field_name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        KeyringLimits.model_validate(LIMITS.model_dump() | {field_name: value})
