import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.attestation.device.certificate_table import (
    CertificateTable,
    TableMalformedError,
    parse_table,
)
from tests.harness.builders.sev_guest import KINDS, encode_table

VCEK, VLEK = KINDS["vcek"].bytes, KINDS["vlek"].bytes
UNKNOWN = b"\x07" * 16
CERTIFICATES = st.none() | st.binary(min_size=1, max_size=100)


def entry(guid: bytes, offset: int, length: int) -> bytes:
    return struct.pack("<16sII", guid, offset, length)


@given(CERTIFICATES, CERTIFICATES, CERTIFICATES, CERTIFICATES)
def test_a_table_round_trips(
    vcek: bytes | None, vlek: bytes | None, intermediate: bytes | None, root: bytes | None
) -> None:
    table = CertificateTable(vcek, vlek, intermediate, root)
    assert parse_table(encode_table(table)) == table
    assert parse_table(encode_table(table).ljust(4096, b"\x00")) == table


def test_unknown_kinds_are_ignored() -> None:
    raw = entry(UNKNOWN, 72, 1) + entry(VCEK, 72, 2) + bytes(24) + b"ab"
    assert parse_table(raw) == CertificateTable(vcek=b"ab")


def test_the_order_of_entries_and_certificates_is_free() -> None:
    """A host need not sort by kind or offset, and may leave gaps."""
    raw = entry(VLEK, 90, 2) + entry(VCEK, 72 + 4, 3) + bytes(24) + b"----abc-----------de---"
    assert parse_table(raw) == CertificateTable(vcek=b"abc", vlek=b"de")
    swapped = entry(VCEK, 76, 3) + entry(VLEK, 90, 2) + raw[48:]
    assert parse_table(swapped) == parse_table(raw)


def test_certificates_may_overlap() -> None:
    raw = entry(VLEK, 72, 3) + entry(VCEK, 73, 2) + bytes(24) + b"abc"
    assert parse_table(raw) == CertificateTable(vcek=b"bc", vlek=b"abc")


@pytest.mark.parametrize("cut", range(1, 75))
def test_a_table_that_is_cut_short_is_refused(cut: int) -> None:
    raw = entry(VLEK, 73, 2) + entry(VCEK, 72, 1) + bytes(24) + b"abc"
    with pytest.raises(TableMalformedError):
        parse_table(raw[:-cut])


@pytest.mark.parametrize(
    "raw",
    [
        b"\x01",
        entry(VCEK, 24, 1),
        entry(VCEK, 48, 1) + bytes(24),
        entry(VCEK, 2**32 - 1, 2**32 - 1) + bytes(24),
        entry(UNKNOWN, 49, 0) + bytes(24),
        entry(VCEK, 72, 0) * 2 + bytes(24),
        entry(UNKNOWN, 0, 0) * 100,
        b"\x01" * (64 * 1024 + 1),
    ],
)
def test_an_entry_outside_of_the_table_is_refused(raw: bytes) -> None:
    with pytest.raises(TableMalformedError):
        parse_table(raw)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_refused(raw: bytes) -> None:
    try:
        table = parse_table(raw)
    except TableMalformedError:
        return
    assert isinstance(table, CertificateTable)
