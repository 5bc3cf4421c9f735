"""Partitions against Kafka's published vectors and a transliteration of Kafka's Java."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.partition import murmur2, partition_of, well_routed
from schemas.record import Record
from schemas.topics import Topic
from tests.harness.builders.cases import ACCOUNT, NOW_MS

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


def java_int(value: int) -> int:
    return ctypes.c_int32(value).value


def java_shift(value: int, bits: int) -> int:
    """Java's >>>."""
    return ctypes.c_uint32(value).value >> bits


def java_murmur2(data: bytes) -> int:
    m, r = 0x5BD1E995, 24
    h = java_int(0x9747B28C ^ len(data))
    for i in range(len(data) // 4):
        k = java_int(int.from_bytes(data[4 * i : 4 * i + 4], "little"))
        k = java_int(k * m)
        k = java_int(k ^ java_shift(k, r))
        k = java_int(k * m)
        h = java_int(java_int(h * m) ^ k)
    rest = len(data) % 4
    start = len(data) - rest
    for place in reversed(range(rest)):
        h = java_int(h ^ (data[start + place] << (8 * place)))
    if rest:
        h = java_int(h * m)
    h = java_int(h ^ java_shift(h, 13))
    h = java_int(h * m)
    return java_int(h ^ java_shift(h, 15))


@pytest.mark.parametrize(("key", "expected"), VECTORS.items())
def test_the_hash_matches_kafkas_published_vectors(key: str, expected: int) -> None:
    assert java_int(murmur2(key.encode())) == expected == java_murmur2(key.encode())


@given(st.binary(max_size=70))
def test_the_hash_agrees_with_kafkas_own_code(key: bytes) -> None:
    assert java_int(murmur2(key)) == java_murmur2(key)


@given(st.text(max_size=40), st.integers(1, 4096))
def test_every_account_has_one_partition_and_it_exists(account: str, partitions: int) -> None:
    partition = partition_of(account, partitions)
    assert 0 <= partition < partitions
    # the formula of Kafka's DefaultPartitioner
    assert partition == (java_murmur2(account.encode()) & 0x7FFFFFFF) % partitions


def test_only_the_account_s_own_partition_and_key_are_well_routed() -> None:
    home = partition_of(ACCOUNT, 16)
    for partition in range(16):
        record = Record(Topic.SUBMITTED, partition, 0, ACCOUNT, b"", NOW_MS)
        assert well_routed(record, ACCOUNT, 16) == (partition == home)
    for key in ("", "treasury2", "Treasury", ACCOUNT + "\x00"):
        record = Record(Topic.SUBMITTED, home, 0, key, b"", NOW_MS)
        assert not well_routed(record, ACCOUNT, 16)
