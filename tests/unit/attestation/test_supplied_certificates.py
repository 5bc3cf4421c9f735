"""Certificates from the host and from files; an error names the missing one."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from signer.attestation.device.certificate_table import CertificateTable
from signer.attestation.device.platform import Collected, PlatformUnavailableError
from signer.attestation.device.supplied_certificates import (
    FILE_BYTES_MAX,
    SuppliedFiles,
    complete_evidence,
    read_supplied,
)
from signer.attestation.verify.report import SigningKey
from tests.harness.builders.attestation import BINDING, crl, platform

CHAIN = platform().certificates
LIST = crl()
ALL = SuppliedFiles(CHAIN.leaf, CHAIN.intermediate, CHAIN.root, LIST)


def report(kind: SigningKey = SigningKey.VCEK) -> bytes:
    return platform(kind=kind).collect(BINDING).report


def pem(*certificates: bytes) -> bytes:
    loaded = (load_der_x509_certificate(der) for der in certificates)
    return b"".join(one.public_bytes(Encoding.PEM) for one in loaded)


def test_files_as_amd_serves_them_are_read(tmp_path: Path) -> None:
    assert read_supplied(tmp_path) == SuppliedFiles()
    (tmp_path / "leaf.der").write_bytes(CHAIN.leaf)
    (tmp_path / "crl.der").write_bytes(LIST)
    assert read_supplied(tmp_path) == SuppliedFiles(leaf=CHAIN.leaf, crl=LIST)
    (tmp_path / "cert_chain").write_bytes(pem(CHAIN.intermediate, CHAIN.root))
    assert read_supplied(tmp_path) == ALL


@pytest.mark.parametrize("content", [b"", b"no certificate", pem(CHAIN.root), pem(CHAIN.root) * 3])
def test_a_chain_of_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cert_chain").write_bytes(content)
    with pytest.raises(PlatformUnavailableError, match=r"cert_chain.*PEM"):
        read_supplied(tmp_path)


def test_a_file_that_is_too_large_and_one_that_is_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "leaf.der").write_bytes(bytes(FILE_BYTES_MAX + 1))
    with pytest.raises(PlatformUnavailableError, match=str(FILE_BYTES_MAX)):
        read_supplied(tmp_path)
    (tmp_path / "leaf.der").unlink()
    (tmp_path / "leaf.der").mkdir()
    with pytest.raises(PlatformUnavailableError, match="Is a directory"):
        read_supplied(tmp_path)


def test_the_hosts_certificates_take_precedence_over_files() -> None:
    others = SuppliedFiles(b"leaf", b"intermediate", b"root", b"list")
    given = CertificateTable(vcek=CHAIN.leaf, intermediate=CHAIN.intermediate, root=CHAIN.root)
    found = complete_evidence(Collected(report(), given), others)
    assert (found.certificates, found.crl) == (CHAIN, b"list")
    assert complete_evidence(Collected(report(), CertificateTable()), ALL).certificates == CHAIN


def test_the_leaf_is_of_the_kind_of_key_that_signed() -> None:
    table = CertificateTable(b"vcek", b"vlek", b"intermediate", b"root")
    for kind, leaf in ((SigningKey.VCEK, b"vcek"), (SigningKey.VLEK, b"vlek")):
        assert (
            complete_evidence(Collected(report(kind), table), SuppliedFiles()).certificates.leaf
            == leaf
        )


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        (CertificateTable(), "leaf.der"),
        (CertificateTable(vlek=b"of another key"), "leaf.der"),
        (CertificateTable(vcek=b"leaf"), "cert_chain"),
        (CertificateTable(vcek=b"leaf", intermediate=b"i"), "cert_chain"),
        (CertificateTable(vcek=b"", intermediate=b"i", root=b"r"), "leaf.der"),
    ],
)
def test_the_error_names_the_missing_file(table: CertificateTable, missing: str) -> None:
    with pytest.raises(PlatformUnavailableError, match=missing):
        complete_evidence(Collected(report(), table), SuppliedFiles())
