"""Every refusal reason of a release, over HTTP."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.keys.release import ReleaseReason, ReleaseRefused, decode_context, decode_decision
from signer.attestation.release.client.exchange import UnwrapRequest
from signer.attestation.release.request import NONCES, RELEASES
from signer.custody.errors import (
    CorruptError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.event_signing import verify_event
from tests.harness.builders.custody_providers import cloud
from tests.harness.builders.release import (
    BLOB,
    SHARED,
    WANTED,
    Release,
    base64_text,
    changed,
    exchange,
    request,
    requester,
    signing_key,
)
from tests.harness.builders.release_server import served

Made = Callable[[Release, bytes], bytes]
DAY_MS = 86_400_000
ELSEWHERE = decode_context(SHARED.share_aad("aws"))


class Failing:
    """A KMS that raises a given error."""

    key_id = cloud("gcp").key_id

    def __init__(self) -> None:
        self.error: Exception | None = None

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        if self.error:
            raise self.error
        return cloud("gcp").wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        if self.error:
            raise self.error
        return cloud("gcp").unwrap(wrapped, context)


def good(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, WANTED) as mine:
        return request(mine)


def with_changed(*path: str, to: str) -> Made:
    return lambda release, nonce: changed(good(release, nonce), *path, to=to)


def later(by_ms: int) -> Made:
    def made(release: Release, nonce: bytes) -> bytes:
        release.now_ms += by_ms
        return good(release, nonce)

    return made


def used_up(release: Release, nonce: bytes) -> bytes:
    raw = good(release, nonce)
    release.send(raw)
    release.records.clear()
    return raw


def with_no_room(release: Release, nonce: bytes) -> bytes:
    nonces = release.service._nonces  # noqa: SLF001 - four thousand machines at once
    release.service._nonces = replace(nonces, used_max=0)  # noqa: SLF001
    return good(release, nonce)


def with_another_configuration(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, WANTED, asker=requester(configuration="0x" + "0d" * 32)) as mine:
        return request(mine)


def debugged(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, WANTED) as mine:
        return request(mine, policy=0xB0000)


def with_a_box_of_another_exchange(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, WANTED, seed="first") as first, exchange(nonce, WANTED) as mine:
        box = json.loads(request(first))["ask"]["box"]
        ask = mine._ask.model_copy(update={"box": box})  # noqa: SLF001 - as an attacker builds it
        mine._ask = ask  # noqa: SLF001
        mine._claims = mine._claims.model_copy(update={"key_set": ask.digest()})  # noqa: SLF001
        mine.binding = replace(mine.binding, key_set=bytes.fromhex(ask.digest()[2:]))
        return request(mine)


def without_a_token(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, WANTED, token=b"") as mine:
        return request(mine)


def for_another_holder(_: Release, nonce: bytes) -> bytes:
    with exchange(nonce, UnwrapRequest(BLOB, ELSEWHERE)) as mine:
        return request(mine)


def failing(error: Exception) -> Made:
    def made(release: Release, nonce: bytes) -> bytes:
        assert isinstance(release.kms, Failing)
        release.kms.error = error
        return good(release, nonce)

    return made


CASES: dict[ReleaseReason, Made] = {
    ReleaseReason.MALFORMED: lambda *_: b"{}",
    ReleaseReason.ORG_WRONG: with_changed("ask", "org", to="other"),
    ReleaseReason.PROVIDER_WRONG: with_changed("ask", "provider", to="aws"),
    ReleaseReason.POLICY_NOT_IN_FORCE: later(DAY_MS),
    ReleaseReason.NONCE_UNKNOWN: lambda release, _: good(release, b"\x01" * 56),
    ReleaseReason.NONCE_EXPIRED: later(60_001),
    ReleaseReason.NONCE_USED: used_up,
    ReleaseReason.NONCES_EXHAUSTED: with_no_room,
    ReleaseReason.ASK_UNBOUND: with_changed("ask", "boot", to="0x" + "00" * 32),
    ReleaseReason.EPHEMERAL_KEY_UNUSABLE: with_changed(
        "evidence", "claims", "ephemeral_key", to=base64_text(bytes(44))
    ),
    ReleaseReason.CONFIGURATION_REFUSED: with_another_configuration,
    ReleaseReason.EVIDENCE_REFUSED: debugged,
    ReleaseReason.BOX_UNREADABLE: with_a_box_of_another_exchange,
    ReleaseReason.TOKEN_REFUSED: without_a_token,
    ReleaseReason.CONTEXT_REFUSED: for_another_holder,
    ReleaseReason.KMS_UNAVAILABLE: failing(KmsUnavailableError("x")),
    ReleaseReason.KMS_DENIED: failing(KmsDeniedError("x")),
    ReleaseReason.KMS_KEY_DISABLED: failing(KmsKeyDisabledError("x")),
    ReleaseReason.KMS_KEY_NOT_FOUND: failing(KmsKeyNotFoundError("x")),
    ReleaseReason.KMS_CORRUPT: failing(CorruptError("x")),
    ReleaseReason.INTERNAL_ERROR: failing(RuntimeError("x")),
}


def test_every_reason_has_a_case() -> None:
    assert list(CASES) == list(ReleaseReason)


@pytest.mark.parametrize("reason", CASES)
def test_a_refusal_is_signed_and_recorded_and_releases_nothing(reason: ReleaseReason) -> None:
    async def main() -> tuple[Release, bytes]:
        release = Release(kms=Failing())
        async with served(release) as here:
            _, _, body = await here.post(NONCES)
            raw = CASES[reason](release, bytes.fromhex(json.loads(body)["nonce"][2:]))
            status, _, answer = await here.post(RELEASES, raw)
            assert (status, here.failures) == (200, [])
            return release, answer

    release, answer = asyncio.run(main())
    refused = decode_decision(answer)
    assert isinstance(refused, ReleaseRefused), refused
    assert refused.reason is reason
    assert (refused.code is not None) == (
        reason in (ReleaseReason.EVIDENCE_REFUSED, ReleaseReason.TOKEN_REFUSED)
    )
    verify_event(refused, signing_key("gcp").public_key)
    assert release.records == [answer]
