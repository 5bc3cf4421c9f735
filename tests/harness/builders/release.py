"""Key releases for simulated machines: policy, token issuer and signers."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from schemas.canonical import canonical_bytes
from schemas.dsse import RELEASE_POLICY_TYPE, Envelope
from schemas.keys.release import (
    AnyDecision,
    ReleaseReason,
    ReleaseRefused,
    decode_context,
    decode_decision,
)
from signer.attestation.release.client.exchange import (
    Exchange,
    KmsRequest,
    Requester,
    UnwrapRequest,
)
from signer.attestation.release.client.kms import Attest, ReleasedKms
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.service import ReleaseService
from signer.attestation.release.judge.token_keys import TokenKey
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy, WorkloadTerms
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Evidence
from signer.custody.buffers import RandomBytes
from signer.custody.event_signing import Ed25519Signer, verify_event
from signer.custody.hpke import HpkeKey
from signer.custody.kms.port import RootKms
from tests.harness.builders.attestation import AT_MS, crl, platform, simulated_policy
from tests.harness.builders.custody_material import HERE, Stream
from tests.harness.builders.custody_providers import NAMES, cloud, in_mode

ORG = HERE.org
CONFIGURATION = "0x" + "0c" * 32
BOOT = "0x" + "0b" * 32
ADMIN = Ed25519Signer("admin", b"\x07" * 32)
SUBJECT = "system:serviceaccount:sixgate:signer"
TERMS = WorkloadTerms(issuer="https://issuer.example", subjects=(SUBJECT,))


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def token_keys() -> tuple[TokenKey, ...]:
    return TokenKey("r1", rsa_key().public_key()), TokenKey("e1", ec_key().public_key())


def base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def part(content: Any) -> bytes:
    return base64url(json.dumps(content).encode())


def audience(provider: str) -> str:
    return f"https://{provider}.release.example"


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with these replaced; None removes one."""
    now_s = AT_MS // 1000
    good = {
        "iss": TERMS.issuer,
        "aud": audience(NAMES[0]),
        "sub": SUBJECT,
        "iat": now_s - 10,
        "nbf": now_s - 10,
        "exp": now_s + 600,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def rs256(header: dict[str, Any] | None = None, **changes: Any) -> bytes:
    message = part(header or {"alg": "RS256", "kid": "r1"}) + b"." + part(claims(**changes))
    return message + b"." + base64url(rsa_key().sign(message, PKCS1v15(), SHA256()))


def es256(header: dict[str, Any] | None = None, **changes: Any) -> bytes:
    message = part(header or {"alg": "ES256", "kid": "e1"}) + b"." + part(claims(**changes))
    r, s = decode_dss_signature(ec_key().sign(message, ec.ECDSA(SHA256())))
    return message + b"." + base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def sealing_key(provider: str) -> HpkeKey:
    return HpkeKey(provider.encode().ljust(32, b"+"))


def signing_key(provider: str) -> Ed25519Signer:
    return Ed25519Signer(f"release-{provider}", provider.encode().ljust(32, b"="))


def holder(provider: str, **changes: Any) -> ReleaseHolder:
    members: dict[str, Any] = {
        "provider": provider,
        "release": f"release-{provider}",
        "kms_key": cloud(provider).key_id,
        "sealing_key": f"0x{sealing_key(provider).public_key.hex()}",
        "signing_key": signing_key(provider).public_key,
        "audience": audience(provider),
        "vault_keys": provider == NAMES[0],
    }
    return ReleaseHolder(**(members | changes))


def release_policy(**changes: Any) -> ReleasePolicy:
    members: dict[str, Any] = {
        "org": ORG,
        "sequence": 5,
        "valid_from_ms": AT_MS - 1000,
        "valid_until_ms": AT_MS + 86_400_000,
        "evidence": simulated_policy(purpose=Purpose.KEY_RELEASE),
        "configurations": (CONFIGURATION,),
        "workload": TERMS,
        "holders": tuple(map(holder, NAMES)),
    }
    return ReleasePolicy(**(members | changes))


def signed_policy(policy: ReleasePolicy, signer: Ed25519Signer = ADMIN) -> Envelope:
    return signer.sign_envelope(RELEASE_POLICY_TYPE, policy.encode())


def release_identity(provider: str = NAMES[0], **changes: Any) -> ReleaseIdentity:
    return ReleaseIdentity(provider, release_policy(**changes), token_keys(), sealing_key(provider))


def attest(binding: Binding, **fields: Any) -> Evidence:
    """Return good evidence for a binding, with these fields of its report replaced."""
    report = platform().sign({"report_data": binding.report_data()} | fields)
    return Evidence(report, platform().certificates, crl())


@dataclass
class Release:
    """One provider's release and its records; a signer's ``Transport``."""

    provider: str = NAMES[0]
    kms: RootKms | None = None
    policy: ReleasePolicy = field(default_factory=release_policy)
    now_ms: int = AT_MS
    seed: str = "release"
    random_bytes: RandomBytes | None = None
    records: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = ReleaseService(
            ReleaseIdentity(self.provider, self.policy, token_keys(), sealing_key(self.provider)),
            self.kms or cloud(self.provider),
            signing_key(self.provider),
            self,
            lambda: self.now_ms,
            self.random_bytes or Stream(f"{self.seed} {self.provider}"),
        )

    def nonce(self) -> bytes:
        return self.service.nonce()

    def send(self, request: bytes) -> bytes:
        return self.service.answer(request)

    def record(self, event: bytes) -> None:
        self.records.append(event)

    def decided(self, request: bytes) -> AnyDecision:
        return decode_decision(self.send(request))


def requester(**changes: str) -> Requester:
    return replace(Requester(ORG, "signer-0", BOOT, CONFIGURATION), **changes)


def exchange(
    nonce: bytes,
    *wanted: KmsRequest,
    provider: str = NAMES[0],
    token: bytes | None = None,
    asker: Requester | None = None,
    seed: str = "signer",
) -> Exchange:
    shown = rs256(aud=audience(provider)) if token is None else token
    return Exchange(holder(provider), asker or requester(), nonce, wanted, shown, Stream(seed))


def released(
    release: Release,
    attesting: Attest = attest,
    read_token: Callable[[], bytes] | None = None,
    seed: str = "signer",
    random_bytes: RandomBytes | None = None,
) -> ReleasedKms:
    """Return the KMS of a signer whose only access is this release."""
    named = holder(release.provider)
    reading = read_token or (lambda: rs256(aud=named.audience))
    return ReleasedKms(
        named, requester(), release, attesting, reading, random_bytes or Stream(seed)
    )


def flips(raw: bytes, step: int) -> Iterator[bytes]:
    """Yield copies of the bytes, each with one bit of a ``step``-th byte flipped."""
    for at in range(0, len(raw), step):
        changed = bytearray(raw)
        changed[at] ^= 1
        yield bytes(changed)


SHARED = in_mode("2of3_multi_hsm")
SHARE_AAD = SHARED.share_aad("gcp")
SHARE_PLACE = decode_context(SHARE_AAD)
SHARE = bytes(range(100, 134))
BLOB = cloud("gcp").wrap(SHARE, SHARE_AAD)
WANTED = UnwrapRequest(BLOB, SHARE_PLACE)


def refused(
    release: Release, raw: bytes, reason: ReleaseReason, code: str | None = None
) -> ReleaseRefused:
    answer = release.send(raw)
    assert release.records[-1] == answer, "what was answered is not on record"
    decision = decode_decision(answer)
    verify_event(decision, signing_key(release.provider).public_key)
    assert isinstance(decision, ReleaseRefused), decision
    assert (decision.reason, decision.code) == (reason, code)
    return decision


def base64_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def request(mine: Exchange, **fields: Any) -> bytes:
    return mine.request(attest(mine.binding, **fields))


def changed(raw: bytes, *path: str, to: Any) -> bytes:
    """Return a request with one field replaced, in canonical bytes."""
    content = json.loads(raw)
    inner = content
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return canonical_bytes(content)
