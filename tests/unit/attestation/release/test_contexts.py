"""The keys that a release holds: it refuses every other context."""

import pytest

from schemas.keys.release import ReleaseReason, decode_context
from signer.attestation.release.client.exchange import UnwrapRequest, WrapRequest
from signer.custody.context import Layer
from signer.custody.envelope import new_vault_key
from signer.custody.errors import KmsDeniedError
from signer.custody.identity import identity_context, open_identity, seal_identity
from tests.harness.builders.custody_material import HERE, Stream
from tests.harness.builders.custody_providers import cloud
from tests.harness.builders.release import (
    ORG,
    SHARE,
    SHARED,
    Release,
    exchange,
    holder,
    refused,
    release_policy,
    released,
    request,
    requester,
)

KEK_PLACE = decode_context(HERE.vault_context.aad())


@pytest.mark.parametrize(
    ("provider", "context"),
    [
        ("aws", HERE.vault_context.aad()),  # its root key wraps no vault keys
        ("gcp", SHARED.share_aad("aws")),
        ("gcp", SHARED.share_aad("server")),
        ("gcp", SHARED.vault_context.aad()),  # a mode without a vault key
        ("gcp", HERE.share_aad("gcp")),  # a mode without shares
        ("gcp", SHARED.model_copy(update={"org": "other"}).share_aad("gcp")),
    ],
)
def test_a_release_unwraps_only_what_it_holds(provider: str, context: bytes) -> None:
    release = Release(provider)
    wanted = UnwrapRequest(cloud(provider).wrap(SHARE, context), decode_context(context))
    with exchange(release.nonce(), wanted, provider=provider) as mine:
        refused(release, request(mine), ReleaseReason.CONTEXT_REFUSED)


IDENTITY = identity_context(ORG, "signer-0")


@pytest.mark.parametrize(
    ("provider", "context", "asker"),
    [
        ("aws", IDENTITY, "signer-0"),  # a holder that opens no identity
        ("gcp", IDENTITY, "signer-1"),  # another service's
        ("gcp", identity_context(ORG, "signer-2"), "signer-2"),  # not in the policy
        ("gcp", identity_context("other", "signer-0"), "signer-0"),
    ],
)
@pytest.mark.parametrize("wrapping", [True, False])
def test_a_release_opens_an_identity_for_the_service_that_the_policy_names(
    provider: str, context: bytes, asker: str, *, wrapping: bool
) -> None:
    named = tuple(holder(name, identities=("signer-0", "signer-1")) for name in ("gcp",))
    others = tuple(holder(name) for name in ("aws", "azure"))
    release = Release(provider, policy=release_policy(holders=named + others))
    place, blob = decode_context(context), cloud(provider).wrap(SHARE, context)
    wanted = WrapRequest(SHARE, place) if wrapping else UnwrapRequest(blob, place)
    with exchange(
        release.nonce(), wanted, provider=provider, asker=requester(signer=asker)
    ) as mine:
        refused(release, request(mine), ReleaseReason.CONTEXT_REFUSED)


def test_an_identity_opens_through_a_release_for_its_service_only() -> None:
    named = (holder("gcp", identities=("signer-0",)), holder("aws"), holder("azure"))
    release = Release("gcp", policy=release_policy(holders=named))
    made = seal_identity(released(release), ORG, "signer-0", bytearray(range(64)))
    assert open_identity(released(release), made).signer.public_key == made.public_key
    assert open_identity(cloud("gcp"), made).state_key == bytes(range(32, 64)), "the same root"
    with pytest.raises(KmsDeniedError, match="context_refused"):
        open_identity(released(Release("gcp")), made)


def test_a_context_of_a_lower_layer_is_refused() -> None:
    for layer in (Layer.DEK, Layer.SECRET):
        with pytest.raises(ValueError, match="unknown type"):
            decode_context(HERE.aad(layer))


def test_a_vault_key_opens_through_the_release_that_holds_it() -> None:
    release = Release("gcp")
    blob = new_vault_key(cloud("gcp"), HERE.vault_context, Stream())
    with exchange(release.nonce(), UnwrapRequest(blob, KEK_PLACE)) as mine:
        (kek,) = mine.open(release.send(request(mine)))
    assert kek == cloud("gcp").unwrap(blob, HERE.vault_context.aad())
