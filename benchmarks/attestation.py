"""Cost of verifying a report, against its signature checks alone."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.x509 import load_der_x509_crl

from benchmarks import releasing
from benchmarks.measure import Figure, Work, interleaved
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.report import REPORT_BYTES, SigningKey, parse
from signer.attestation.verify.tcb import Generation
from signer.attestation.verify.verify import verify
from sixgate.simulated_platform.certificates import AuthorityKeys, SimulatedAuthority
from sixgate.simulated_platform.platform import MEASUREMENT, SimulatedChip, SimulatedPlatform

ROUNDS, CALLS, PARSING_CALLS = 15, 20, 1_000
VERIFY_US_MAX, PARSE_US_MAX = 3_000, 60
AT = datetime(2026, 6, 1, tzinfo=UTC)
BINDING = Binding(Purpose.CUSTOMER_ATTESTATION, *(bytes(32) for _ in range(4)))
_WORDS = struct.Struct(f"<{REPORT_BYTES // 4}I")


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    authority = SimulatedAuthority.create(AuthorityKeys.generate(), Generation.MILAN, AT)
    chip = SimulatedChip.generate(Generation.MILAN, b"\x01" * 64)
    platform = SimulatedPlatform(authority, chip, SigningKey.VCEK, AT)
    report = platform.sign({"report_data": BINDING.report_data()})
    yield _parsing(report)
    yield _verifying(authority, platform, report)
    yield from releasing.figures()


def _parsing(report: bytes) -> Figure:
    works: dict[str, Work] = {"ours": lambda: parse(report), "peer": lambda: _WORDS.unpack(report)}
    times = interleaved(works, ROUNDS, PARSING_CALLS)
    return _figure(
        "parse a report, checking every reserved byte", "struct alone", times, PARSE_US_MAX
    )


def _verifying(authority: SimulatedAuthority, platform: SimulatedPlatform, report: bytes) -> Figure:
    crl = authority.revocation_list(AT)
    evidence = Evidence(report, platform.certificates, crl)
    policy = VerificationPolicy(
        simulated_root=authority.root_digest, measurements=(f"0x{MEASUREMENT.hex()}",)
    )
    expected, at_ms = BINDING.report_data(), int(AT.timestamp() * 1000)
    works: dict[str, Work] = {
        "ours": lambda: verify(evidence, policy, expected, at_ms),
        "peer": _signatures(authority, platform, report, crl),
    }
    times = interleaved(works, ROUNDS, CALLS)
    what = "verify complete evidence: three certificates, revocation list, report, policy"
    return _figure(what, "cryptography, the four signatures alone", times, VERIFY_US_MAX)


def _signatures(
    authority: SimulatedAuthority, platform: SimulatedPlatform, report: bytes, crl: bytes
) -> Work:
    """Return the verification of the same four signatures, with keys and bytes already parsed."""
    middle, found, parsed = (
        authority.intermediates[SigningKey.VCEK],
        load_der_x509_crl(crl),
        parse(report),
    )
    root_key, middle_key = authority.root.public_key(), middle.public_key()
    leaf_key = platform.leaf.public_key()
    assert isinstance(root_key, rsa.RSAPublicKey)
    assert isinstance(middle_key, rsa.RSAPublicKey)
    assert isinstance(leaf_key, ec.EllipticCurvePublicKey)
    pss = padding.PSS(padding.MGF1(SHA384()), 48)
    signed = [
        (root_key, middle.signature, middle.tbs_certificate_bytes),
        (middle_key, platform.leaf.signature, platform.leaf.tbs_certificate_bytes),
        (root_key, found.signature, found.tbs_certlist_bytes),
    ]
    parts = (parsed.signature_r, parsed.signature_s)
    signature = encode_dss_signature(*(int.from_bytes(part, "little") for part in parts))

    def work() -> None:
        for key, one, body in signed:
            key.verify(one, body, pss, SHA384())
        leaf_key.verify(signature, parsed.signed, ec.ECDSA(SHA384()))

    return work


def _figure(what: str, peer: str, times: dict[str, float], most_us: int) -> Figure:
    ours, bare = times["ours"], times["peer"]
    bound = f"≤ {most_us:,} µs"
    return Figure("attestation", what, ours, "µs", peer, bare, bound, ours <= most_us)
