"""Evidence out of a report: with the host's certificates, or with those that came another way.

A host need not hand over any certificate. Then they lie in files, as AMD serves them.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from signer.attestation.certificates import EncodedChain
from signer.attestation.platform import Collected, PlatformUnavailableError
from signer.attestation.report import SigningKey, parse
from signer.attestation.verify import Evidence

LEAF, CHAIN, REVOCATIONS = "leaf.der", "cert_chain", "crl.der"
FILE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Supplied:
    """Certificates and revocation list in DER, from files; each may be absent, none is believed."""

    leaf: bytes | None = None
    intermediate: bytes | None = None
    root: bytes | None = None
    crl: bytes | None = None


def supplied_in(folder: Path) -> Supplied:
    """Read ``leaf.der``, ``cert_chain`` (PEM: intermediate, then root) and ``crl.der``.

    Raises ``PlatformUnavailableError`` for a folder or file that cannot be read.
    """
    if not folder.is_dir():
        raise PlatformUnavailableError(f"{folder} is no folder: attestation.certificates names it")
    leaf, chain, crl = (_read(folder / name) for name in (LEAF, CHAIN, REVOCATIONS))
    if chain is None:
        return Supplied(leaf=leaf, crl=crl)
    try:
        intermediate, root = (
            one.public_bytes(Encoding.DER) for one in load_pem_x509_certificates(chain)
        )
    except ValueError:
        told = f"{folder / CHAIN} is no PEM of an intermediate and a root: fetch it again"
        raise PlatformUnavailableError(told) from None
    return Supplied(leaf, intermediate, root, crl)


def complete(collected: Collected, supplied: Supplied) -> Evidence:
    """Return evidence; what the host handed over comes before what was supplied.

    Raises ``PlatformUnavailableError`` where a certificate came neither way.
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
            f"the host handed over no certificate in place of {file}: put that file of AMD's key "
            "distribution service into the folder that attestation.certificates names"
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
