"""Round trip of a key release over loopback, against the same work without HTTP."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.measure import Figure, Work, interleaved
from signer.attestation.release.client.exchange import Requester
from signer.attestation.release.client.kms import ReleasedKms, Transport
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.service import ReleaseService
from signer.attestation.release.judge.token_keys import TokenKey
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy, WorkloadTerms
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from signer.custody.context import SecretContext
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey
from signer.custody.kms.local import LocalKms
from sixgate.api.server import Listen, Tcp, serving
from sixgate.config.releases import ReleaseAddress
from sixgate.releasing.link import ReleaseLink
from sixgate.releasing.serving import ReleaseApp
from sixgate.remote_calls.process_server import LIMITS
from sixgate.simulated_platform.certificates import AuthorityKeys, SimulatedAuthority
from sixgate.simulated_platform.platform import MEASUREMENT, SimulatedChip, SimulatedPlatform
from tools.local.ports import HOST

ROUNDS, CALLS, TRIP_MS_MAX = 15, 10, 15
AT = datetime(2026, 6, 1, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
PLACE = SecretContext(
    org="acme", account="treasury", vault="main", path="keys/hot", version=1, mode="2of3_multi_hsm"
).share_aad("gcp")
SHARE = bytes(range(34))


class ReleaseRig(NamedTuple):
    """A key release, and the inputs that a signer needs to call it."""

    service: ReleaseService
    holder: ReleaseHolder
    evidence: "Machine"
    token: bytes

    def kms(self, transport: Transport) -> ReleasedKms:
        requester = Requester("acme", "signer-0", "0x" + "0b" * 32, "0x" + "0c" * 32)
        return ReleasedKms(
            self.holder,
            requester,
            transport,
            self.evidence,
            lambda: self.token,
            secrets.token_bytes,
        )


class Machine:
    """A simulated confidential machine; its reports cost one signature, like those of firmware."""

    def __init__(self) -> None:
        self.authority = SimulatedAuthority.create(AuthorityKeys.generate(), Generation.MILAN, AT)
        chip = SimulatedChip.generate(Generation.MILAN, b"\x01" * 64)
        self._platform = SimulatedPlatform(self.authority, chip, SigningKey.VCEK, AT)
        self._crl = self.authority.revocation_list(AT)

    def __call__(self, binding: Binding) -> Evidence:
        report = self._platform.sign({"report_data": binding.report_data()})
        return Evidence(report, self._platform.certificates, self._crl)


class NoJournal:
    """Accepts audit events without storing them, so that Kafka is not measured."""

    def record(self, event: bytes) -> None:
        assert event


class DirectTransport:
    """A transport that calls the service without HTTP."""

    def __init__(self, service: ReleaseService) -> None:
        self.nonce, self.send = service.nonce, service.answer


def figures() -> Iterator[Figure]:
    """Yield the row of this module, in ms."""
    rig = _rig()
    with _listening(rig.service) as port:
        address = ReleaseAddress(url=f"http://{HOST}:{port}", token=Path())
        with closing(ReleaseLink(address)) as link:
            over_http, direct = rig.kms(link), rig.kms(DirectTransport(rig.service))
            blob = direct.wrap(SHARE, PLACE)
            works: dict[str, Work] = {
                "ours": lambda: over_http.unwrap(blob, PLACE),
                "peer": lambda: direct.unwrap(blob, PLACE),
            }
            assert over_http.unwrap(blob, PLACE) == SHARE
            times = interleaved(works, ROUNDS, CALLS)
    ours, bare = (times[name] / 1000 for name in ("ours", "peer"))
    what = "key release on loopback: nonce, report, request, verification, answer; no KMS"
    bound = f"≤ {TRIP_MS_MAX} ms"
    yield Figure("attestation", what, ours, "ms", "without HTTP", bare, bound, ours <= TRIP_MS_MAX)


@contextmanager
def _listening(service: ReleaseService) -> Iterator[int]:
    """Serve from another thread and yield the port."""
    with serving(ReleaseApp(service, print), Listen(tcp=(Tcp(),)), LIMITS) as address:
        yield int(address.url.rpartition(":")[2])


def _rig() -> ReleaseRig:
    machine, kms = Machine(), LocalKms(bytes(32), secrets.token_bytes)
    sealing, signer = HpkeKey(b"\x01" * 32), Ed25519Signer("release-gcp", b"\x02" * 32)
    issuer = rsa.generate_private_key(65_537, 2048)
    holder = ReleaseHolder(
        provider="gcp",
        release="release-gcp",
        kms_key=kms.key_id,
        sealing_key=f"0x{sealing.public_key.hex()}",
        signing_key=signer.public_key,
        audience="https://gcp.release.example",
    )
    policy = ReleasePolicy(
        org="acme",
        sequence=1,
        valid_from_ms=AT_MS,
        valid_until_ms=AT_MS + 1000,
        evidence=VerificationPolicy(
            purpose=Purpose.KEY_RELEASE,
            simulated_root=machine.authority.root_digest,
            measurements=(f"0x{MEASUREMENT.hex()}",),
        ),
        configurations="any",
        workload=WorkloadTerms(issuer="https://issuer.example", subjects=("signer",)),
        holders=(holder,),
    )
    keys = (TokenKey("r1", issuer.public_key()),)
    identity = ReleaseIdentity("gcp", policy, keys, sealing)
    now_ms, randomness = (lambda: AT_MS), secrets.token_bytes
    service = ReleaseService(identity, kms, signer, NoJournal(), now_ms, randomness)
    return ReleaseRig(service, holder, machine, _token(issuer, holder.audience))


def _token(issuer: rsa.RSAPrivateKey, audience: str) -> bytes:
    now_s = AT_MS // 1000
    claims = {"iss": "https://issuer.example", "aud": audience, "sub": "signer"}
    times = {"iat": now_s, "exp": now_s + 600}
    message = _part({"alg": "RS256", "kid": "r1"}) + b"." + _part(claims | times)
    return message + b"." + _text(issuer.sign(message, PKCS1v15(), SHA256()))


def _part(content: dict[str, Any]) -> bytes:
    return _text(json.dumps(content).encode())


def _text(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
