"""RFC 3720, appendix B.4; the check value is that of the CRC catalogue (CRC-32/ISCSI)."""

import pytest

from signer.custody.kms.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum
    assert crc32c(bytearray(data)) == checksum
