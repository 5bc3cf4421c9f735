"""Answers of a release: sealed to one exchange, signed by the release, recorded first."""

from typing import cast

import pytest

from schemas.keys.release import ReleaseGranted, ReleaseReason, decode_context, decode_decision
from signer.attestation.release.client.exchange import (
    ReleaseDeniedError,
    UntrustedAnswerError,
    UnwrapRequest,
)
from signer.attestation.release.judge.token_keys import TokenKey
from signer.attestation.verify.binding import Binding, Purpose
from signer.core.errors import InvalidSignatureError
from signer.custody.errors import KmsDeniedError, KmsUnavailableError
from signer.custody.event_signing import verify_event
from signer.custody.hpke import seal
from tests.harness.builders.attestation import platform
from tests.harness.builders.custody_providers import RaisingKms, cloud
from tests.harness.builders.release import (
    BLOB,
    SHARE,
    SHARED,
    WANTED,
    Release,
    base64_text,
    changed,
    exchange,
    refused,
    release_policy,
    request,
    requester,
    sealing_key,
    signing_key,
)


def test_an_answer_opens_in_no_other_exchange_and_no_other_boot() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        answer = release.send(request(mine))
        rebooted = requester(boot="0x" + "0e" * 32)
        for nonce, seed in ((release.nonce(), "signer"), (release.nonce(), "reboot")):
            with exchange(nonce, WANTED, asker=rebooted, seed=seed) as other:
                request(other)
                with pytest.raises(UntrustedAnswerError):
                    other.open(answer)
        assert mine.open(answer) == [SHARE]


def test_an_answer_that_is_sealed_but_not_signed_by_the_release_is_refused() -> None:
    """Anyone can seal to a public key: new secrets would be sealed under a thief's vault key."""
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        granted = decode_decision(release.send(request(mine)))
        assert isinstance(granted, ReleaseGranted)
        box = seal(mine._key.public_key, b"\x00\x00\x00\x01k", b"")  # noqa: SLF001 - it is public
        forged = granted.model_copy(update={"sealed": base64_text(box), "signature": None})
        for key in (signing_key("aws"), signing_key("thief")):
            with pytest.raises(UntrustedAnswerError):
                mine.open(key.sign_event(forged))
        with pytest.raises(UntrustedAnswerError):
            mine.open(granted.model_copy(update={"sealed": base64_text(box)}).encode())


def test_a_refusal_that_is_forged_or_replayed_is_not_trusted() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED, token=b"") as mine:
        answer = release.send(request(mine))
        with pytest.raises(ReleaseDeniedError, match="token_malformed") as denied:
            mine.open(answer)
        assert denied.value.reason is ReleaseReason.TOKEN_REFUSED
        with pytest.raises(UntrustedAnswerError):
            mine.open(answer.replace(b"token_malformed", b"token_expired"))
    with exchange(release.nonce(), WANTED) as later:
        request(later)
        with pytest.raises(UntrustedAnswerError):
            later.open(answer)


def test_a_closed_exchange_opens_nothing() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        answer = release.send(request(mine))
    with pytest.raises(UntrustedAnswerError):
        mine.open(answer)


def test_nothing_is_sealed_to_a_key_of_low_order() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        spki = mine._key.spki  # noqa: SLF001 - it is public
        for key in (bytes(32), b"\x01" + bytes(31)):
            raw = changed(
                request(mine),
                "evidence",
                "claims",
                "ephemeral_key",
                to=base64_text(spki[:12] + key),
            )
            refused(release, raw, ReleaseReason.EPHEMERAL_KEY_UNUSABLE)
        for wrong in (spki[12:], spki + b"\x00", b"\x30\x2b" + spki[2:]):
            raw = changed(
                request(mine), "evidence", "claims", "ephemeral_key", to=base64_text(wrong)
            )
            refused(release, raw, ReleaseReason.EPHEMERAL_KEY_UNUSABLE)


def test_an_error_of_the_kms_is_a_refusal_with_its_reason() -> None:
    for error, reason in (
        (KmsUnavailableError("x"), ReleaseReason.KMS_UNAVAILABLE),
        (KmsDeniedError("x"), ReleaseReason.KMS_DENIED),
    ):
        kms = RaisingKms(error, cloud("gcp").key_id)
        release = Release(kms=kms)
        with exchange(release.nonce(), WANTED) as mine:
            refused(release, request(mine), reason)


def test_a_blob_of_another_context_is_refused() -> None:
    release = Release()
    elsewhere = SHARED.model_copy(update={"version": 9}).share_aad("gcp")
    moved = UnwrapRequest(BLOB, decode_context(elsewhere))
    with exchange(release.nonce(), moved) as mine:
        refused(release, request(mine), ReleaseReason.KMS_CORRUPT)


def test_a_service_with_another_key_than_the_policys_does_not_start() -> None:
    for wrong in ({"kms": cloud("aws")}, {"provider": "oracle"}):
        with pytest.raises(ValueError, match="policy"):
            Release(**wrong)


def test_a_failed_record_prevents_the_answer() -> None:
    class FullDisk(Release):
        def record(self, event: bytes) -> None:
            raise OSError(f"no room for {len(event)} bytes")

    release = FullDisk()
    with exchange(release.nonce(), WANTED) as mine, pytest.raises(OSError, match="no room"):
        release.send(request(mine))


def test_the_ledger_verifies_a_grant_without_its_sealed_field() -> None:
    release = Release()
    with exchange(release.nonce(), WANTED) as mine:
        granted = decode_decision(release.send(request(mine)))
    verify_event(granted, signing_key("gcp").public_key)
    with pytest.raises(InvalidSignatureError):
        verify_event(granted.model_copy(update={"at_ms": 1}), signing_key("gcp").public_key)


def test_the_platform_gets_a_binding_and_no_free_bytes() -> None:
    """A signer requests a report only with a ``Binding`` of its own key and ask."""
    with exchange(b"\x01" * 32, WANTED) as mine:
        assert isinstance(mine.binding, Binding)
        assert mine.binding.purpose is Purpose.KEY_RELEASE
    assert platform().collect(mine.binding).report
    assert sealing_key("gcp").public_key


def test_an_unexpected_failure_is_a_refusal() -> None:
    """An invalid token key causes an exception that no check expects."""
    release = Release()
    release.service.renew(release.policy, (cast(TokenKey, None),))
    with exchange(release.nonce(), WANTED) as mine:
        refused(release, request(mine), ReleaseReason.INTERNAL_ERROR)


def test_a_time_outside_the_calendar_is_a_refusal() -> None:
    year_285000_ms = 2**53 - 2
    release = Release(policy=release_policy(valid_until_ms=2**53 - 1), now_ms=year_285000_ms)
    with exchange(release.nonce(), WANTED) as mine:
        raw = request(mine)
        refused(release, raw, ReleaseReason.EVIDENCE_REFUSED, "certificate_expired")
