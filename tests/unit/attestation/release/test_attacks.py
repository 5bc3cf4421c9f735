"""Attacks on a release: replay, swapped parts, foreign machines, stolen tokens."""

import json
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from schemas.canonical import canonical_bytes
from schemas.keys.release import (
    AnyDecision,
    ReleaseAsk,
    ReleaseGranted,
    ReleaseReason,
    ReleaseRefused,
    decode_decision,
)
from signer.attestation.release.client.exchange import WrapRequest
from signer.attestation.verify.binding import Purpose
from signer.custody.hpke import HpkeKey
from tests.harness.builders.attestation import AT_MS, simulated_policy
from tests.harness.builders.custody_providers import cloud
from tests.harness.builders.release import (
    BOOT,
    CONFIGURATION,
    SHARE,
    SHARE_AAD,
    SHARE_PLACE,
    WANTED,
    Release,
    attest,
    base64_text,
    changed,
    es256,
    exchange,
    holder,
    refused,
    release_policy,
    request,
    requester,
    rs256,
    token_keys,
)


def test_a_valid_request_is_granted_and_the_grant_names_the_signer() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        answer = release.send(request(mine))
        assert mine.open(answer) == [SHARE]
    granted = decode_decision(answer)
    assert isinstance(granted, ReleaseGranted)
    assert (granted.signer, granted.boot, granted.configuration) == (
        "signer-0",
        BOOT,
        CONFIGURATION,
    )
    assert (granted.operations, granted.simulated, granted.policy) == (
        ("unwrap",),
        True,
        release.policy.digest(),
    )
    assert release.records == [answer]


def test_es256_tokens_are_accepted_and_one_request_has_several_operations() -> None:
    release = Release()
    wrapping = WrapRequest(SHARE, SHARE_PLACE)
    with exchange(release.nonce(), wrapping, WANTED, wrapping, token=es256()) as mine:
        first, share, second = mine.open(release.send(request(mine)))
    assert share == SHARE
    assert [cloud("gcp").unwrap(bytes(blob), SHARE_AAD) for blob in (first, second)] == [SHARE] * 2


def test_a_replayed_request_is_refused() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        raw = request(mine)
        release.send(raw)
        refused(release, raw, ReleaseReason.NONCE_USED)


def test_a_nonce_is_not_accepted_for_a_second_request() -> None:
    release = Release()
    nonce = release.nonce()
    with exchange(nonce, WANTED) as mine, exchange(nonce, WANTED, seed="another") as second:
        release.send(request(mine))
        refused(release, request(second), ReleaseReason.NONCE_USED)


@pytest.fixture
def impatient() -> Iterator[None]:
    """Switch threads as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient")
def test_one_of_many_concurrent_requests_with_one_nonce_is_granted() -> None:
    """Some send identical bytes, others a different exchange."""
    release, start = Release(random_bytes=secrets.token_bytes), Barrier(8)

    def decided(raw: bytes) -> AnyDecision:
        start.wait()
        return release.decided(raw)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(6):
            nonce = release.nonce()
            with exchange(nonce, WANTED) as mine, exchange(nonce, WANTED, seed="own") as other:
                sent = [request(mine)] * 4 + [request(other) for _ in range(4)]
                found = list(threads.map(decided, sent))
            reasons = [one.reason for one in found if isinstance(one, ReleaseRefused)]
            assert reasons == [ReleaseReason.NONCE_USED] * 7


def test_a_nonce_is_used_up_by_a_genuine_report_even_if_the_token_fails() -> None:
    release = Release()
    nonce = release.nonce()
    with exchange(nonce, WANTED, token=b"no.to.ken") as mine, exchange(nonce, WANTED) as second:
        refused(release, request(mine), ReleaseReason.TOKEN_REFUSED, "token_malformed")
        refused(release, request(second), ReleaseReason.NONCE_USED)


def test_a_forged_report_does_not_use_up_a_nonce() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        forged = request(mine, report_data=bytes(64))
        refused(release, forged, ReleaseReason.EVIDENCE_REFUSED, "report_data_mismatch")
        assert mine.open(release.send(request(mine))) == [SHARE]


def test_an_invented_nonce_is_refused() -> None:
    release = Release()
    for nonce in (b"\x01" * 32, b"\x01" * 56, release.nonce()[:-1] + b"\x00"):
        with exchange(nonce, WANTED) as mine:
            refused(release, request(mine), ReleaseReason.NONCE_UNKNOWN)


def test_an_expired_nonce_is_refused() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        release.now_ms += 60_001
        refused(release, request(mine), ReleaseReason.NONCE_EXPIRED)


def test_an_expired_policy_stays_expired_when_the_clock_goes_back() -> None:
    release = Release(policy=release_policy(valid_until_ms=AT_MS + 1_000))
    release.now_ms += 1_000
    with exchange(release.nonce(), WANTED) as mine:
        refused(release, request(mine), ReleaseReason.POLICY_NOT_IN_FORCE)
    release.now_ms -= 1_000
    with exchange(release.nonce(), WANTED) as mine:
        refused(release, request(mine), ReleaseReason.POLICY_NOT_IN_FORCE)


def test_an_expired_token_stays_expired_when_the_clock_goes_back() -> None:
    release = Release()
    token = rs256(exp=AT_MS // 1_000 + 1)
    for step_ms in (1_000, -1_000):
        release.now_ms += step_ms
        with exchange(release.nonce(), WANTED, token=token) as mine:
            refused(release, request(mine), ReleaseReason.TOKEN_REFUSED, "token_expired")


def test_a_nonce_does_not_outlive_a_restart() -> None:
    with exchange(Release().nonce(), WANTED) as mine:
        again = Release(seed="restarted")
        refused(again, request(mine), ReleaseReason.NONCE_UNKNOWN)


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.KEY_RELEASE}))
def test_a_report_for_customers_or_for_a_boot_opens_nothing(purpose: Purpose) -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        raw = mine.request(attest(replace(mine.binding, purpose=purpose)))
        refused(release, raw, ReleaseReason.EVIDENCE_REFUSED, "report_data_mismatch")


def test_another_providers_request_is_refused() -> None:
    """One release never opens another's share, even for the genuine signer."""
    gcp, aws = Release("gcp"), Release("aws")
    with exchange(aws.nonce(), WANTED, provider="aws") as mine:
        raw = request(mine)
        refused(gcp, raw, ReleaseReason.PROVIDER_WRONG)
        refused(gcp, changed(raw, "ask", "provider", to="gcp"), ReleaseReason.NONCE_UNKNOWN)
        refused(aws, raw, ReleaseReason.CONTEXT_REFUSED)


def test_a_request_moved_to_another_provider_with_its_nonce_is_unbound() -> None:
    gcp = Release("gcp")
    with exchange(gcp.nonce(), WANTED, provider="aws") as mine:
        raw = changed(request(mine), "ask", "provider", to="gcp")
        refused(gcp, raw, ReleaseReason.ASK_UNBOUND)


def test_evidence_of_another_signer_is_refused() -> None:
    """Its report is genuine, for its own key; the request names ours."""
    release = Release()
    nonce = release.nonce()
    with exchange(nonce, WANTED) as mine, exchange(nonce, WANTED, seed="another") as other:
        raw = mine.request(attest(other.binding))
        refused(release, raw, ReleaseReason.EVIDENCE_REFUSED, "report_data_mismatch")


def test_a_thiefs_key_under_genuine_evidence_is_refused() -> None:
    release = Release()
    thief = HpkeKey(b"\x05" * 32)
    with exchange(release.nonce(), WANTED) as mine:
        swapped = changed(
            request(mine), "evidence", "claims", "ephemeral_key", to=base64_text(thief.spki)
        )
        refused(release, swapped, ReleaseReason.EVIDENCE_REFUSED, "report_data_mismatch")


def test_operations_changed_in_transit_are_refused() -> None:
    release = Release()
    other = {"type": "unwrap", "context": SHARE_PLACE.plain(), "blob": base64_text(b"another")}
    with exchange(release.nonce(), WANTED) as mine:
        raw = request(mine)
        swapped = changed(raw, "ask", "operations", to=[other])
        refused(release, swapped, ReleaseReason.ASK_UNBOUND)
        refused(
            release, changed(raw, "ask", "boot", to="0x" + "00" * 32), ReleaseReason.ASK_UNBOUND
        )
        refused(release, changed(raw, "ask", "box", to=""), ReleaseReason.ASK_UNBOUND)
        refused(release, changed(raw, "ask", "org", to="other"), ReleaseReason.ORG_WRONG)
        rebound = changed(swapped, "evidence", "claims", "key_set", to="0x" + "01" * 32)
        refused(release, rebound, ReleaseReason.ASK_UNBOUND)


def test_a_configuration_that_is_not_listed_is_refused() -> None:
    release = Release()
    other = "0x" + "0d" * 32
    with exchange(release.nonce(), WANTED, asker=requester(configuration=other)) as mine:
        refused(release, request(mine), ReleaseReason.CONFIGURATION_REFUSED)
    anything = Release(policy=release_policy(configurations="any"))
    with exchange(anything.nonce(), WANTED, asker=requester(configuration=other)) as mine:
        assert mine.open(anything.send(request(mine))) == [SHARE]


def test_an_expired_policy_releases_nothing() -> None:
    release = Release(policy=release_policy(valid_until_ms=AT_MS + 10))
    with exchange(release.nonce(), WANTED) as mine:
        release.now_ms = AT_MS + 10
        refused(release, request(mine), ReleaseReason.POLICY_NOT_IN_FORCE)


def test_a_stricter_policy_takes_effect_immediately() -> None:
    release = Release()
    stricter = simulated_policy(purpose=Purpose.KEY_RELEASE, guest_svn_min=3)
    with exchange(release.nonce(), WANTED) as mine:
        release.service.renew(release_policy(sequence=6, evidence=stricter), ())
        for older in (release_policy(), release_policy(sequence=7, holders=(holder("aws"),))):
            with pytest.raises(ValueError, match="policy"):
                release.service.renew(older, token_keys())
        refused(release, request(mine), ReleaseReason.EVIDENCE_REFUSED, "guest_svn_low")


def test_a_machine_that_its_host_may_debug_gets_nothing() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        refused(
            release,
            request(mine, policy=0x30000 | 1 << 19),
            ReleaseReason.EVIDENCE_REFUSED,
            "debug_allowed",
        )


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (rs256(aud="https://other.example"), "token_audience_refused"),
        (rs256(exp=AT_MS // 1000 - 1), "token_expired"),
        (rs256().rpartition(b".")[0] + b".", "token_signature_invalid"),
        (rs256({"alg": "none", "kid": "r1"}), "token_algorithm_refused"),
        (b"", "token_malformed"),
    ],
)
def test_without_the_workloads_token_an_attested_machine_gets_nothing(
    token: bytes, code: str
) -> None:
    release = Release()
    with exchange(release.nonce(), WANTED, token=token) as mine:
        refused(release, request(mine), ReleaseReason.TOKEN_REFUSED, code)


def test_the_box_of_a_request_cannot_be_replayed_in_another() -> None:
    """It is bound to nonce and ephemeral key, even if the thief has a genuine machine."""
    release = Release()
    with (
        exchange(release.nonce(), WANTED) as mine,
        exchange(release.nonce(), WANTED, seed="thief") as thief,
    ):
        stolen = json.loads(request(mine))["ask"]["box"]
        ask = thief._ask.model_copy(update={"box": stolen})  # noqa: SLF001 - what the thief builds
        thief._ask = ask  # noqa: SLF001
        thief._claims = thief._claims.model_copy(update={"key_set": ask.digest()})  # noqa: SLF001
        bound = replace(thief.binding, key_set=bytes.fromhex(ask.digest()[2:]))
        refused(release, thief.request(attest(bound)), ReleaseReason.BOX_UNREADABLE)


def test_a_token_for_one_release_is_refused_by_another() -> None:
    """A release sees tokens in plaintext, and anyone can rent a machine like ours."""
    gcp = Release("gcp")
    shown = rs256(aud=holder("aws").audience)
    with exchange(gcp.nonce(), WANTED, token=shown, seed="another release") as theirs:
        refused(gcp, request(theirs), ReleaseReason.TOKEN_REFUSED, "token_audience_refused")


def test_a_nonce_that_one_release_passes_on_opens_nothing_at_another() -> None:
    """The signer addresses the first, and its report binds that."""
    gcp = Release("gcp")
    with exchange(gcp.nonce(), WANTED, provider="aws") as fooled:
        refused(gcp, request(fooled), ReleaseReason.PROVIDER_WRONG)
        moved = changed(request(fooled), "ask", "provider", to="gcp")
        claimed = json.loads(moved)["ask"]
        rebound = changed(
            moved,
            "evidence",
            "claims",
            "key_set",
            to=ReleaseAsk.decode(canonical_bytes(claimed)).digest(),
        )
        refused(gcp, rebound, ReleaseReason.EVIDENCE_REFUSED, "report_data_mismatch")


def test_malformed_bytes_are_refused_and_recorded() -> None:
    release = Release()
    for raw in (b"", b"{}", b"\xff" * 10, b" " * 600_000):
        refused(release, raw, ReleaseReason.MALFORMED)
    with exchange(release.nonce(), WANTED) as mine:
        content = json.loads(request(mine))
    for missing in ("nonce", "claims"):
        part = {name: value for name, value in content["evidence"].items() if name != missing}
        refused(release, canonical_bytes(content | {"evidence": part}), ReleaseReason.ASK_UNBOUND)
