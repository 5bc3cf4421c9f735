"""Shamir's secret sharing: refused input, and no secret in what it leaves in memory."""

from collections import Counter
from functools import partial
from itertools import product

import pytest

from signer.custody import gf256
from signer.custody.errors import RandomnessError, SharesMismatchError
from signer.custody.shamir import SECRET_BYTES_MAX, SHARES_MAX, combine, split
from signer.custody.share import Share, decode_share
from signer.custody.xor_split import join
from signer.custody.xor_split import split as halve
from tests.harness.builders.custody_material import SECRET, Stream, slowly_multiplied


def shares_of(secret: bytes, shares: int = 3, threshold: int = 2) -> tuple[Share, ...]:
    return split(secret, shares, threshold, Stream())


@pytest.mark.parametrize(("shares", "threshold"), [(3, 1), (2, 3), (0, 0), (1, 1), (256, 2)])
def test_an_invalid_threshold_is_refused(shares: int, threshold: int) -> None:
    with pytest.raises(ValueError, match=r"1 of 3|threshold"):
        shares_of(SECRET, shares, threshold)


@pytest.mark.parametrize("size_bytes", [0, SECRET_BYTES_MAX + 1])
def test_a_secret_of_no_size_or_too_large_is_refused(size_bytes: int) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        shares_of(bytes(size_bytes))


def test_the_most_shares_and_the_longest_secret_are_shared() -> None:
    secret = Stream()(SECRET_BYTES_MAX)
    shares = shares_of(secret, SHARES_MAX, SHARES_MAX)
    assert len({share.number for share in shares}) == SHARES_MAX
    assert combine(shares) == secret
    assert combine(shares[1:]) != secret


def cannot_belong_together() -> dict[str, list[Share]]:
    one, two, _ = shares_of(SECRET)
    return {
        "none": [],
        "one twice": [one, one],
        "one number with two values": [one, Share(1, two.value)],
        "mixed lengths": [one, Share(2, two.value[:-1])],
        "no value": [Share(1, bytearray()), Share(2, bytearray())],
        "the secret itself": [one, Share(0, two.value)],
        "a number beyond the field": [one, Share(256, two.value)],
        "a negative number": [one, Share(-1, two.value)],
        "too long": [Share(n, bytearray(SECRET_BYTES_MAX + 1)) for n in (1, 2)],
    }


@pytest.mark.parametrize("why", cannot_belong_together())
def test_shares_that_cannot_belong_together_are_refused(why: str) -> None:
    with pytest.raises(SharesMismatchError, match="do not belong together"):
        combine(cannot_belong_together()[why])


def test_one_share_is_equally_likely_for_every_secret() -> None:
    """Over all coefficients, each share of a byte takes every value once, whatever the secret."""
    for secret in (b"\x00", b"\x01", b"\xff"):
        for place in range(3):
            seen = Counter(
                split(secret, 3, 2, partial(bytes.__mul__, bytes((drawn,))))[place].value[0]
                for drawn in range(256)
            )
            assert set(seen.values()) == {1}


def test_a_short_draw_makes_no_share() -> None:
    with pytest.raises(RandomnessError):
        split(SECRET, 3, 2, lambda size: bytes(size - 1))
    with pytest.raises(RandomnessError):
        halve(SECRET, lambda size: bytes(size - 1))


def test_the_field_is_a_field() -> None:
    """The tables agree with multiplication by shifts and additions, for every pair."""
    for left, right in product(range(256), repeat=2):
        found = gf256.multiply(left, right)
        assert found == slowly_multiplied(left, right)
        if right:
            assert gf256.divide(found, right) == left
    with pytest.raises(ZeroDivisionError):
        gf256.divide(1, 0)


def test_a_share_prints_nothing_of_its_value() -> None:
    assert repr(shares_of(SECRET)[0]) == "Share(number=1)"


def test_a_share_is_decoded_only_as_the_one_it_is() -> None:
    share = shares_of(SECRET)[1]
    encoded = share.encode()
    assert decode_share(encoded, 2, 32) == share
    changed: list[bytes | bytearray] = [
        encoded[:-1],
        encoded + b"\x00",
        b"\x02" + encoded[1:],
        bytearray(),
    ]
    for wrong in changed:
        with pytest.raises(SharesMismatchError):
            decode_share(wrong, 2, 32)
    with pytest.raises(SharesMismatchError):
        decode_share(encoded, 1, 32)


def test_halves_give_the_secret_and_nothing_else_does() -> None:
    server, client = halve(SECRET, Stream())
    assert join(server, client) == SECRET
    assert SECRET not in (server, client)
    with pytest.raises(SharesMismatchError):
        join(server, client[:-1])
