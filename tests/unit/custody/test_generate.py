import pytest

from signer.custody import secp256k1
from signer.custody.curves import DRAWS_MAX, new_secp256k1_secret
from signer.custody.errors import RandomnessError
from tests.harness.builders.custody_material import Stream

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def source(*draws: int) -> Stream:
    """A source that gives these numbers first."""

    class Scripted(Stream):
        def __call__(self, size_bytes: int) -> bytes:
            self.drawn.append(draws[len(self.drawn)].to_bytes(size_bytes, "big"))
            return self.drawn[-1]

    return Scripted()


@pytest.mark.parametrize("number", [1, 2, N // 2, N - 1])
def test_takes_the_first_draw_that_is_a_key(number: int) -> None:
    assert int.from_bytes(new_secp256k1_secret(source(number)), "big") == number


@pytest.mark.parametrize("number", [0, N, N + 1, 2**256 - 1])
def test_draws_again_rather_than_reduce(number: int) -> None:
    assert int.from_bytes(new_secp256k1_secret(source(number, 7)), "big") == 7


def test_a_source_stuck_at_zero_is_refused_after_a_bounded_number_of_draws() -> None:
    stuck = source(*[0] * (DRAWS_MAX + 1))
    with pytest.raises(RandomnessError, match=r"\b4 "):
        new_secp256k1_secret(stuck)
    assert len(stuck.drawn) == DRAWS_MAX


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_a_source_that_gives_another_length_is_refused(size_bytes: int) -> None:
    with pytest.raises(RandomnessError, match=r"\b32\b"):
        new_secp256k1_secret(lambda _size: bytes(size_bytes))


def test_a_drawn_key_can_be_wiped() -> None:
    assert isinstance(new_secp256k1_secret(Stream()), bytearray)


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_c_code_is_never_pointed_at_a_buffer_of_another_length(size_bytes: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        secp256k1.point_at(bytearray(b"\x01" * size_bytes))


@pytest.mark.parametrize("number", [0, N])
def test_the_c_code_refuses_invalid_keys(number: int) -> None:
    pointer = secp256k1.point_at(bytearray(number.to_bytes(32, "big")))
    with pytest.raises(ValueError, match=" secp256k1 key"):
        secp256k1.sign(pointer, bytes(32))
    with pytest.raises(ValueError, match=" secp256k1 key"):
        secp256k1.public_key(pointer)
