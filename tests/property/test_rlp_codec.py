import pytest
import rlp
from hypothesis import example, given
from hypothesis import strategies as st

from signer.core.errors import TransactionDecodingError
from signer.core.ethereum.rlp_codec import (
    RlpItem,
    decode_item,
    encode_list,
    encode_string,
    encode_uint,
)
from tests.harness.sizes import effort

LISTS_NESTED_MAX = 5
BYTES = st.binary(max_size=70)
ITEMS: st.SearchStrategy[RlpItem] = st.recursive(
    BYTES, lambda inner: st.lists(inner, max_size=5), max_leaves=30
)
# Bytes with frequent prefixes of every form.
PREFIX_LIKE = st.lists(
    st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0x81, 0x82, 0xB7, 0xB8, 0xB9, 0xC0, 0xC1, 0xC2, 0xF8])
    | st.integers(0, 255),
    max_size=80,
).map(bytes)


@effort(1)
@given(ITEMS)
@example(b"\x7f")
@example(b"\x80")
@example(bytes(55))
@example(bytes(56))
@example([bytes(54)])
@example([bytes(55)])
@example(bytes(256))
@example(bytes(65_536))
def test_encoding_agrees_with_the_rlp_library(item: RlpItem) -> None:
    assert encode_item(item) == rlp.encode(item)


@given(st.integers(0, 256).flatmap(lambda bits: st.integers(0, 2**bits - 1)))
@example(0)
@example(127)
@example(128)
@example(255)
@example(256)
@example(2**256 - 1)
def test_integers_agree_with_the_rlp_library(value: int) -> None:
    assert encode_uint(value) == rlp.encode(value)


@effort(1)
@given(ITEMS)
@example([[[[[]]]]])
@example([[[[[[]]]]]])
def test_decoding_agrees_with_the_rlp_library_or_refuses_its_depth(item: RlpItem) -> None:
    encoded = encode_item(item)
    if _depth(item) > LISTS_NESTED_MAX:
        with pytest.raises(TransactionDecodingError):
            decode_item(encoded)
    else:
        assert decode_item(encoded) == rlp.decode(encoded) == item


@effort(3)
@given(PREFIX_LIKE)
@example(b"")
@example(b"\x81\x7f")
@example(b"\x81")
@example(b"\xc2\x81\x7f")
@example(b"\xc1\x81")
@example(b"\xc1\x82")
@example(b"\x83\x80\x80")
@example(b"\xc2\x83\x80")
@example(b"\xc1\x82\x80\x80")
@example(b"\xb8\x37" + bytes(55))
@example(b"\xb9\x00\x38" + bytes(56))
@example(b"\xf8\x37" + bytes(55))
def test_only_canonical_bytes_are_read(encoded: bytes) -> None:
    try:
        item = decode_item(encoded)
    except TransactionDecodingError:
        with pytest.raises((rlp.DecodingError, _TooDeepError)):
            _require_shallow(rlp.decode(encoded))
        return
    assert encode_item(item) == encoded


class _TooDeepError(Exception):
    pass


def _require_shallow(item: RlpItem) -> None:
    if _depth(item) > LISTS_NESTED_MAX:
        raise _TooDeepError


def encode_item(item: RlpItem) -> bytes:
    if isinstance(item, list):
        return encode_list(b"".join(map(encode_item, item)))
    return encode_string(item)


def _depth(item: RlpItem) -> int:
    return 1 + max(map(_depth, item), default=0) if isinstance(item, list) else 0
