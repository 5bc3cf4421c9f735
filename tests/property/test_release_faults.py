"""A request with any set of defects is granted if and only if the set is empty."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.keys.release import ReleaseGranted, ReleaseReason, ReleaseRefused, decode_context
from signer.attestation.release.client.exchange import Requester, UnwrapRequest
from tests.harness.builders.attestation import AT_MS
from tests.harness.builders.release import (
    BLOB,
    SHARE,
    SHARE_PLACE,
    SHARED,
    Release,
    attest,
    exchange,
    release_policy,
    requester,
    rs256,
)
from tests.harness.sizes import effort

REASONS = {
    "other org": ReleaseReason.ORG_WRONG,
    "other provider": ReleaseReason.PROVIDER_WRONG,
    "policy ended": ReleaseReason.POLICY_NOT_IN_FORCE,
    "nonce of another": ReleaseReason.NONCE_UNKNOWN,
    "nonce old": ReleaseReason.NONCE_EXPIRED,
    "configuration": ReleaseReason.CONFIGURATION_REFUSED,
    "debugged": ReleaseReason.EVIDENCE_REFUSED,
    "nonce used": ReleaseReason.NONCE_USED,
    "place": ReleaseReason.CONTEXT_REFUSED,
    "token": ReleaseReason.TOKEN_REFUSED,
}
"""The defects in the order of the checks, each with its reason."""


def asker(wrong: set[str]) -> Requester:
    changes = {"org": "other"} if "other org" in wrong else {}
    if "configuration" in wrong:
        changes["configuration"] = "0x" + "0d" * 32
    return requester(**changes)


def wanted(wrong: set[str]) -> UnwrapRequest:
    elsewhere = decode_context(SHARED.share_aad("azure"))
    return UnwrapRequest(BLOB, elsewhere if "place" in wrong else SHARE_PLACE)


def use_up(release: Release, nonce: bytes) -> None:
    with exchange(nonce, wanted(set()), seed="first") as first:
        release.send(first.request(attest(first.binding)))


@given(st.sets(st.sampled_from(list(REASONS))))
@effort(0.75)
def test_granted_if_and_only_if_nothing_is_wrong(wrong: set[str]) -> None:
    ends_ms = AT_MS + 61_000 + ("policy ended" not in wrong)
    release = Release(policy=release_policy(valid_until_ms=ends_ms))
    nonce = release.nonce()
    if "nonce used" in wrong:
        use_up(release, nonce)
    if "nonce of another" in wrong:
        nonce = Release(seed="another").nonce()
    if wrong & {"nonce old", "policy ended"}:
        release.now_ms = AT_MS + 61_000 if "policy ended" in wrong else AT_MS + 60_001
    with exchange(
        nonce,
        wanted(wrong),
        provider="aws" if "other provider" in wrong else "gcp",
        token=rs256(sub="nobody") if "token" in wrong else rs256(),
        asker=asker(wrong),
    ) as mine:
        fields = {"policy": 0x30000 | 1 << 19} if "debugged" in wrong else {}
        answer = release.send(mine.request(attest(mine.binding, **fields)))
        decided = (ReleaseRefused if wrong else ReleaseGranted).decode(answer)
        if isinstance(decided, ReleaseRefused):
            assert decided.reason in expected(wrong)
        else:
            assert mine.open(answer) == [SHARE]


def expected(wrong: set[str]) -> set[ReleaseReason]:
    """Return the possible reasons: that of the first defect, or a used nonce."""
    first = next(reason for what, reason in REASONS.items() if what in wrong)
    early = {ReleaseReason.NONCE_USED} if "nonce used" in wrong else set()
    return early | {first}
