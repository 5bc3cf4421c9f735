import hashlib
from dataclasses import replace
from typing import Any

import pytest

from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.errors import Code
from tests.harness.builders.attestation import BINDING, refused, simulated_evidence

CHANGES: dict[str, Any] = {
    "purpose": Purpose.KEY_RELEASE,
    "nonce": b"\x09" * 32,
    "ephemeral_key_digest": b"\x09" * 32,
    "key_set": b"\x09" * 32,
    "configuration": b"\x09" * 32,
}


def test_the_bytes_are_those_of_the_documentation() -> None:
    tag = b"sixgate/snp-binding/customer-attestation/v1\x00"
    body = b"\x00\x00\x00\x20" + b"\x01" * 32 + b"\x02" * 32 + b"\x03" * 32 + b"\x04" * 32
    assert BINDING.report_data() == hashlib.sha512(tag + body).digest()


@pytest.mark.parametrize("name", CHANGES)
def test_a_report_with_another_binding_is_refused(name: str) -> None:
    """A wrong purpose, a replayed nonce, another key, key set or configuration."""
    other = replace(BINDING, **{name: CHANGES[name]})
    refused(Code.REPORT_DATA_MISMATCH, simulated_evidence(), report_data=other.report_data())


@pytest.mark.parametrize("size", [0, 63, 65])
def test_expected_bytes_of_another_size_never_match(size: int) -> None:
    expected = BINDING.report_data().ljust(65, b"\x00")[:size]
    refused(Code.REPORT_DATA_MISMATCH, simulated_evidence(), report_data=expected)


def test_the_border_between_nonce_and_key_cannot_be_moved() -> None:
    long = replace(BINDING, nonce=b"\x01" * 32 + b"\x02")
    shifted = replace(BINDING, ephemeral_key_digest=b"\x02" + b"\x02" * 31)
    assert long.report_data() != shifted.report_data()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonce", b"\x01" * 31),
        ("nonce", b"\x01" * 65),
        ("ephemeral_key_digest", b"\x01" * 64),
        ("key_set", b""),
        ("configuration", b"\x01" * 31),
    ],
)
def test_parts_of_another_size_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="bytes"):
        replace(BINDING, **{name: value})
