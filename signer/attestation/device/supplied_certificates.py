"""Completes a report to evidence, with certificates from the host or from files.

A host may supply certificates, but never a revocation list. The files are as AMD serves them.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from signer.attestation.device.platform import Collected, PlatformUnavailableError
from signer.attestation.verify.evidence import EncodedChain, Evidence
from signer.attestation.verify.report import SigningKey, parse

LEAF, CHAIN, REVOCATIONS = "leaf.der", "cert_chain", "crl.der"
FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class SuppliedFiles:
    """Untrusted certificates and revocation list (DER) from files; each may be absent."""

    leaf: bytes | None = None
    intermediate: bytes | None = None
    root: bytes | None = None
    crl: bytes | None = None


def read_supplied(folder: Path) -> SuppliedFiles:
    """Read ``leaf.der``, ``cert_chain`` (PEM: intermediate, then root) and ``crl.der``.

    Raises ``PlatformUnavailableError`` for a folder or file that cannot be read.
    """
    if not folder.is_dir():
        raise PlatformUnavailableError(
            f"{folder} is not a folder: correct attestation.certificates"
        )
    leaf, chain, crl = (_read(folder / name) for name in (LEAF, CHAIN, REVOCATIONS))
    if chain is None:
        return SuppliedFiles(leaf=leaf, crl=crl)
    try:
        intermediate, root = (
            one.public_bytes(Encoding.DER) for one in load_pem_x509_certificates(chain)
        )
    except ValueError:
        message = f"{folder / CHAIN} is not a PEM file of intermediate and root: fetch it again"
        raise PlatformUnavailableError(message) from None
    return SuppliedFiles(leaf, intermediate, root, crl)


def complete_evidence(collected: Collected, supplied: SuppliedFiles) -> Evidence:
    """Return evidence; the host's certificates take precedence over those from files.

    Raises ``PlatformUnavailableError`` if neither has a certificate.
    """
    table, kind = collected.certificates, parse(collected.report).signing_key
    leaf = table.vlek if kind is SigningKey.VLEK else table.vcek
    intermediate = table.intermediate or supplied.intermediate
    chain = EncodedChain(
        _present(LEAF, leaf or supplied.leaf),
        _present(CHAIN, intermediate),
        _present(CHAIN, table.root or supplied.root),
    )
    return Evidence(collected.report, chain, supplied.crl)


def _present(file: str, der: bytes | None) -> bytes:
    if not der:
        raise PlatformUnavailableError(
            f"the host supplied no certificate for {file}: fetch that file from AMD's key "
            "distribution service into the folder of attestation.certificates"
        )
    return der


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlatformUnavailableError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise PlatformUnavailableError(f"{path} has more than {FILE_BYTES_MAX} bytes")
    return content
