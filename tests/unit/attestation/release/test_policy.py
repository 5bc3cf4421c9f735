"""Acceptance of release policies: signature, rollback, validity, development settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.dsse import VAULT_ORDER_TYPE
from signer.attestation.release.policy import (
    PolicyCode,
    PolicyMark,
    PolicyTrust,
    ReleasePolicy,
    ReleasePolicyRefusedError,
    accept_policy,
)
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.policy import VerificationPolicy
from signer.custody.event_signing import Ed25519Signer
from tests.harness.builders.attestation import AT_MS, simulated_policy
from tests.harness.builders.custody_providers import NAMES
from tests.harness.builders.release import ADMIN, ORG, holder, release_policy, signed_policy

TRUST = PolicyTrust(ORG, (ADMIN.public_key,), insecure_dev=True)
PRODUCTION = PolicyTrust(ORG, (ADMIN.public_key,))
GENUINE = VerificationPolicy(purpose=Purpose.KEY_RELEASE)
CLOUD_KEYS = {"holders": tuple(holder(name, kms_key=f"projects/p/{name}") for name in NAMES)}


def refused(
    code: PolicyCode,
    policy: ReleasePolicy,
    newest: PolicyMark | None = None,
    trust: PolicyTrust = TRUST,
    now_ms: int = AT_MS,
) -> str:
    with pytest.raises(ReleasePolicyRefusedError) as caught:
        accept_policy(signed_policy(policy), trust, newest, now_ms)
    assert caught.value.code is code
    return str(caught.value)


def mark(policy: ReleasePolicy) -> PolicyMark:
    return PolicyMark(policy.sequence, policy.digest())


def test_a_policy_that_an_admin_signed_is_accepted_with_its_mark() -> None:
    policy = release_policy()
    accepted = accept_policy(signed_policy(policy), TRUST, None, AT_MS)
    assert accepted == (policy, mark(policy))
    assert accept_policy(signed_policy(policy), TRUST, mark(policy), AT_MS) == accepted
    newer = release_policy(sequence=6)
    assert accept_policy(signed_policy(newer), TRUST, mark(policy), AT_MS)[1] == mark(newer)


def test_rollback_to_an_older_policy_is_refused() -> None:
    refused(PolicyCode.ROLLED_BACK, release_policy(sequence=4), mark(release_policy()))


def test_another_policy_of_the_same_number_is_refused() -> None:
    other = release_policy(configurations="any")
    refused(PolicyCode.FORKED, other, mark(release_policy()))


def test_a_policy_that_no_admin_signed_is_refused() -> None:
    policy, thief = release_policy(), Ed25519Signer("admin", b"\x08" * 32)
    wrong_type = ADMIN.sign_envelope(VAULT_ORDER_TYPE, policy.encode())
    for envelope in (signed_policy(policy, thief), wrong_type):
        with pytest.raises(ReleasePolicyRefusedError) as caught:
            accept_policy(envelope, TRUST, None, AT_MS)
        assert caught.value.code is PolicyCode.UNSIGNED


def test_malformed_bytes_are_refused_under_a_valid_signature() -> None:
    envelope = ADMIN.sign_envelope("application/vnd.sixgate.release-policy.v1+json", b"{}")
    with pytest.raises(ReleasePolicyRefusedError) as caught:
        accept_policy(envelope, TRUST, None, AT_MS)
    assert caught.value.code is PolicyCode.MALFORMED


def test_another_organisations_policy_is_refused() -> None:
    refused(PolicyCode.OTHER_ORG, release_policy(org="other"))


def test_a_policy_is_in_force_from_its_start_to_its_end() -> None:
    policy = release_policy(valid_from_ms=AT_MS, valid_until_ms=AT_MS + 1)
    accept_policy(signed_policy(policy), TRUST, None, AT_MS)
    for now_ms in (AT_MS - 1, AT_MS + 1):
        refused(PolicyCode.NOT_IN_FORCE, policy, now_ms=now_ms)


def test_production_refuses_a_simulated_platform_by_name() -> None:
    policy = release_policy(**CLOUD_KEYS)
    error = refused(PolicyCode.SIMULATED_PLATFORM, policy, trust=PRODUCTION)
    assert "simulated_root" in error
    accept_policy(signed_policy(policy), TRUST, None, AT_MS)


def test_production_refuses_a_software_kms_by_name() -> None:
    error = refused(PolicyCode.SOFTWARE_KMS, release_policy(evidence=GENUINE), trust=PRODUCTION)
    assert "insecure_dev" in error
    production = release_policy(evidence=GENUINE, **CLOUD_KEYS)
    accept_policy(signed_policy(production), PRODUCTION, None, AT_MS)


@pytest.mark.parametrize(
    "shared", ["provider", "release", "kms_key", "sealing_key", "signing_key", "audience"]
)
def test_no_release_serves_two_providers(shared: str) -> None:
    first = holder("gcp")
    twin = holder("aws").model_copy(update={shared: getattr(first, shared)})
    with pytest.raises(ValidationError, match=f"two holders.* {shared}"):
        release_policy(holders=(first, twin))


@pytest.mark.parametrize("first", ["00", "01", "ec"])
def test_a_sealing_key_of_low_order_is_refused(first: str) -> None:
    """Everyone could open a box that is sealed to it."""
    last = "7f" if first == "ec" else "00"
    middle = ("ff" if first == "ec" else "00") * 30
    with pytest.raises(ValidationError, match="X25519"):
        holder("gcp", sealing_key=f"0x{first}{middle}{last}")


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": simulated_policy()},  # for customers
        {"valid_from_ms": AT_MS, "valid_until_ms": AT_MS},
        {"holders": (holder("server"),)},
        {"holders": ()},
        {"configurations": ()},
        {"sequence": 0},
    ],
)
def test_an_inconsistent_policy_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        release_policy(**changes)


def test_a_policy_has_one_encoding() -> None:
    assert ReleasePolicy.decode(release_policy().encode()) == release_policy()
