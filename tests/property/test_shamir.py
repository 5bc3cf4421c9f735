"""Shamir's sharing against a textbook implementation, byte by byte and bit by bit."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from signer.custody.shamir import SECRET_BYTES_MAX, combine, split
from signer.custody.xor_split import join
from signer.custody.xor_split import split as halve
from tests.harness.builders.custody_material import Stream, slowly_multiplied

secrets = st.binary(min_size=1, max_size=SECRET_BYTES_MAX)


@st.composite
def sharings(draw: st.DrawFn) -> tuple[bytes, int, int]:
    shares = draw(st.integers(2, 7))
    return draw(secrets), shares, draw(st.integers(2, shares))


@given(sharings())
@settings(deadline=None)
def test_shares_are_the_values_of_the_polynomials(sharing: tuple[bytes, int, int]) -> None:
    secret, shares, threshold = sharing
    random_bytes = Stream()
    made = split(secret, shares, threshold, random_bytes)
    (drawn,) = random_bytes.drawn
    rows = [drawn[i : i + len(secret)] for i in range(0, len(drawn), len(secret))] + [secret]
    for share in made:
        for place, value in enumerate(share.value):
            expected = 0
            for row in rows:  # Horner's rule; the secret is the last coefficient
                expected = slowly_multiplied(expected, share.number) ^ row[place]
            assert value == expected


@given(sharings())
@settings(deadline=None)
def test_every_choice_of_enough_shares_gives_the_secret(sharing: tuple[bytes, int, int]) -> None:
    secret, shares, threshold = sharing
    made = split(secret, shares, threshold, Stream())
    for size in range(threshold, shares + 1):
        for chosen in combinations(made, size):
            assert combine(chosen) == secret
            assert combine(chosen[::-1]) == secret


@given(st.binary(min_size=2, max_size=2), st.integers(0, 255))
@settings(deadline=None, max_examples=25)
def test_too_few_shares_leave_every_secret_possible(secret: bytes, wanted: int) -> None:
    """For any other secret there is a value of the missing share that gives it."""
    one, _, _ = split(secret[:1], 3, 2, lambda size: (secret[1:] * size)[:size])
    matching = [
        value for value in range(256)
        if combine([one, type(one)(2, bytearray((value,)))]) == bytes((wanted,))
    ]  # fmt: skip
    assert len(matching) == 1


@given(secrets, st.data())
@settings(deadline=None)
def test_one_bit_changed_in_one_share_changes_the_secret(
    secret: bytes, data: st.DataObject
) -> None:
    shares = split(secret, 3, 2, Stream())
    bit = data.draw(st.integers(0, 8 * len(secret) - 1))
    shares[0].value[bit // 8] ^= 1 << bit % 8
    assert combine(shares[:2]) != secret
    assert combine(shares[1:]) == secret


@given(secrets)
@settings(deadline=None)
def test_halves_of_any_secret_give_it_back(secret: bytes) -> None:
    server, client = halve(secret, Stream())
    assert join(server, client) == secret
