import struct
from dataclasses import fields
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.attestation.verify.errors import Code, EvidenceError, Step
from signer.attestation.verify.report import (
    FIELDS,
    REPORT_BYTES,
    SIGNED_BYTES,
    VERSIONS,
    Report,
    SigningKey,
    parse,
    reserved_ranges,
)
from sixgate.simulated_platform.platform import encode_report
from tests.harness.builders.attestation import platform, refused, simulated_evidence

MINIMAL = {"policy": 0x20000, "signature_algorithm": 1}
# The ranges of the specification, independent of the code.
RESERVED = {
    2: [(0x4C, 0x50), (0x188, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0)],
    3: [(0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0)],
    5: [(0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x208, 0x2A0)],
}
UNSIGNED = [(0x2D0, 0x2E8), (0x318, 0x4A0)]


def minimal(version: int, **changes: object) -> bytearray:
    return bytearray(encode_report(MINIMAL | {"version": version} | changes))


def code_of(raw: bytes) -> Code:
    with pytest.raises(EvidenceError) as caught:
        parse(raw)
    return caught.value.code


def step_of(raw: bytes) -> Step | None:
    try:
        parse(raw)
    except EvidenceError as error:
        return error.step
    return None


def test_the_table_is_in_the_order_of_the_fields_and_never_overlaps() -> None:
    assert [field.name for field in FIELDS] == [field.name for field in fields(Report)][:-1]
    assert all(a.end <= b.offset for a, b in pairwise(FIELDS))
    assert max(field.end for field in FIELDS) <= REPORT_BYTES


@pytest.mark.parametrize("version", VERSIONS)
def test_reserved_ranges_match_the_specification(version: int) -> None:
    reserved = {at for start, end in reserved_ranges(version) for at in range(start, end)}
    wanted = {at for start, end in RESERVED[version] + UNSIGNED for at in range(start, end)}
    assert reserved == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_every_reserved_byte_is_enforced(version: int) -> None:
    for start, end in reserved_ranges(version):
        for at in range(start, end):
            raw = minimal(version)
            parse(bytes(raw))
            raw[at] = 1
            assert code_of(bytes(raw)) is Code.RESERVED_SET, hex(at)


def test_every_field_round_trips() -> None:
    wanted = {}
    for number, field in enumerate(FIELDS):
        size = struct.calcsize(field.code)
        text = bytes((number + 1,)) * size
        wanted[field.name] = text if "s" in field.code else int.from_bytes(text, "little")
    wanted |= MINIMAL | {"version": 5, "key_info": 0b00111}
    report = parse(encode_report(wanted))
    assert {field.name: getattr(report, field.name) for field in FIELDS} == wanted
    assert (report.author_key_enabled, report.mask_chip_key) == (True, True)
    assert report.signing_key is SigningKey.VLEK


@pytest.mark.parametrize("size", [0, 1, SIGNED_BYTES, REPORT_BYTES - 1, REPORT_BYTES + 1, 4000])
def test_another_size_is_refused(size: int) -> None:
    assert code_of(bytes(minimal(5)).ljust(size, b"\x00")[:size]) is Code.REPORT_SIZE


@pytest.mark.parametrize("version", [0, 1, 4, 6, 2**32 - 1])
def test_an_unknown_version_is_refused(version: int) -> None:
    assert code_of(bytes(minimal(version))) is Code.VERSION_UNKNOWN


@pytest.mark.parametrize("algorithm", [0, 2, 0x10001])
def test_an_unknown_algorithm_is_refused(algorithm: int) -> None:
    assert code_of(bytes(minimal(5, signature_algorithm=algorithm))) is Code.ALGORITHM_UNKNOWN


@pytest.mark.parametrize("bit", range(5, 32))
def test_reserved_bits_of_the_key_information_are_enforced(bit: int) -> None:
    assert code_of(bytes(minimal(5, key_info=1 << bit))) is Code.RESERVED_SET


@pytest.mark.parametrize("bit", range(26, 64))
def test_an_unknown_permission_of_the_guest_is_refused(bit: int) -> None:
    raw = minimal(5, policy=0x20000 | 1 << bit)
    assert code_of(bytes(raw)) is Code.GUEST_POLICY_MALFORMED


def test_bit_17_of_the_guest_policy_must_be_one() -> None:
    assert code_of(bytes(minimal(5, policy=0x10000))) is Code.GUEST_POLICY_MALFORMED


@pytest.mark.parametrize("number", range(2, 8))
def test_an_unknown_kind_of_key_is_no_signing_key(number: int) -> None:
    assert parse(bytes(minimal(5, key_info=number << 2))).signing_key is None
    refused(Code.SIGNING_KEY_UNKNOWN, simulated_evidence(key_info=number << 2))


@given(st.binary(min_size=REPORT_BYTES, max_size=REPORT_BYTES))
def test_any_bytes_are_parsed_or_refused_with_a_code(raw: bytes) -> None:
    assert step_of(raw) in (None, Step.REPORT)


def test_the_digest_of_a_report_covers_only_signed_bytes() -> None:
    """Anyone can make a second valid signature of a report: (r, n - s)."""
    raw = simulated_evidence().report
    tail = bytearray(raw)
    tail[SIGNED_BYTES] ^= 1
    assert parse(raw).digest == parse(bytes(tail)).digest
    assert parse(raw).digest != parse(platform().sign({"guest_svn": 1})).digest
