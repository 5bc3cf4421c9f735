"""Signing keys in every custody mode: created, opened, and refused with wrong parts."""

from typing import Any

import pytest

from schemas.keys.key_events import KeyRequest, KeyRotation
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from signer.custody.custody_modes import PLANS
from signer.custody.errors import (
    Cause,
    ClientShareMissingError,
    CorruptError,
    CustodyError,
    KmsUnavailableError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from tests.harness.builders.cases import AGENT
from tests.harness.builders.custody_client import DIGEST, FOR_CLIENT, fund
from tests.harness.builders.custody_providers import (
    MODES,
    PROVIDED,
    WITH_CLIENT,
    RaisingKms,
)
from tests.harness.builders.order_executor import terms, why
from tests.harness.builders.vault_events import FUND

WITHOUT_CLIENT = tuple(mode for mode in MODES if not PLANS[mode].needs_client)
DOWN = RaisingKms(KmsUnavailableError("no answer"))


@pytest.mark.parametrize("mode", WITHOUT_CLIENT)
def test_a_key_signs_through_every_mode_that_needs_no_client(mode: CustodyMode) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        assert (answer.mode, answer.client_share) == (mode, None)
        ring_key = one.executor.keychain.use(one.key())
        assert ring_key.public_key() == bytes.fromhex(answer.public_key[2:])
        assert len(ring_key.sign(DIGEST)) == 65


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_signs_with_the_share_that_its_client_was_handed(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        ring_key = one.executor.keychain.use(one.key(), AGENT, one.sent(share))
        assert len(ring_key.sign(DIGEST)) == 65


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_of_a_client_stays_shut_without_its_share(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        with pytest.raises(ClientShareMissingError):
            one.executor.keychain.use(one.key())
        one.executor.keychain.use(one.key(), AGENT, one.sent(share)).sign(DIGEST)
        with pytest.raises(ClientShareMissingError):
            one.executor.keychain.use(one.key())


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_that_one_agents_share_opened_opens_for_no_other_agent(mode: CustodyMode) -> None:
    with fund(mode) as one:
        sent = one.sent(one.received(one.give(KeyRequest)))
        one.executor.keychain.use(one.key(), AGENT, sent).sign(DIGEST)
        with pytest.raises(CorruptError, match="another agent"):
            one.executor.keychain.use(one.key(), "mallory", sent)


@pytest.mark.parametrize("mode", WITH_CLIENT)
@pytest.mark.parametrize("change", [{"path": "keys/other"}, {"version": 2}, {"account": "ops"}])
def test_a_share_sealed_for_another_place_opens_nothing(
    mode: CustodyMode, change: dict[str, Any]
) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        elsewhere = one.place().model_copy(update=change).to_signer(AGENT)
        with pytest.raises(CorruptError, match="does not open"):
            one.executor.keychain.use(one.key(), AGENT, one.sent(share, context=elsewhere))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_wrong_clients_share_opens_nothing(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        for wrong in (share[:-1] + bytes((share[-1] ^ 1,)), share[:-1], share + b"\0"):
            with pytest.raises(
                SharesMismatchError, match=r"share \d of|agents/alice/keys/hot, version 1"
            ):
                one.executor.keychain.use(one.key(), AGENT, one.sent(wrong))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_the_share_of_a_former_version_opens_no_newer_one(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        one.give(KeyRotation, version=1)
        with pytest.raises(ClientShareMissingError, match=r"version 1 .*version 2"):
            one.executor.keychain.use(one.key(2), AGENT, one.sent(share))
        renamed = one.sent(share, context=one.place(2).to_signer(AGENT))
        with pytest.raises(SharesMismatchError):
            one.executor.keychain.use(
                one.key(2), AGENT, renamed.model_copy(update={"key_version": 2})
            )


@pytest.mark.parametrize("mode", MODES)
def test_an_order_without_a_client_key_or_with_an_unneeded_one_is_refused(
    mode: CustodyMode,
) -> None:
    with fund(mode) as one:
        wrong = None if one.to_client() else FOR_CLIENT
        published = one.executor.order(KeyRequest(**terms(account=FUND, share_for=wrong)))
        assert "client's public key" in why(published)
        assert not one.executor.keys.versions


@pytest.mark.parametrize("mode", PROVIDED)
@pytest.mark.parametrize("down", ["gcp", "aws", "azure"])
def test_a_key_signs_with_one_provider_down_and_the_failure_is_recorded(
    mode: CustodyMode, down: str
) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        for provider in one.clouds.opened:
            if provider.name == down:
                provider.kms = DOWN
        one.executor.keychain.close()
        one.executor.keychain.use(one.key(), AGENT, sent).sign(DIGEST)
        failures = one.executor.keychain.drain_failures()
        assert {failure for _, failure in failures} <= {ProviderFailure(down, Cause.UNAVAILABLE)}
        assert not one.executor.keychain.drain_failures()


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of3_multi_hsm_client"])
def test_two_providers_down_open_no_key(mode: CustodyMode) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        for provider in one.clouds.opened[:2]:
            provider.kms = DOWN
        with pytest.raises(QuorumError):
            one.executor.keychain.use(one.key(), AGENT, sent)
        with pytest.raises(QuorumError):
            one.executor.keychain.use(one.key(), AGENT, sent)


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_provider_that_is_not_configured_makes_no_key(mode: CustodyMode) -> None:
    with fund(mode, configured=("aws", "azure")) as one:
        published = one.executor.order(KeyRequest(**terms(account=FUND, **one.to_client())))
        assert "needs gcp" in why(published)
        assert not one.executor.keys.versions


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layer", ["ciphertext", "wrapped_kek", "wrapped_dek"])
def test_a_bit_flipped_at_any_layer_opens_no_key(mode: CustodyMode, layer: str) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        held = one.executor.keys.wrappings.versions[one.key().version_id]
        blob = getattr(held.sealed, layer)
        if not blob:
            return
        object.__setattr__(held.sealed, layer, blob[:-1] + bytes((blob[-1] ^ 1,)))
        vault_key = one.executor.keys.wrappings.keys.get((FUND, AGENT_KEYS))
        if vault_key and layer == "wrapped_kek":
            vault_key.numbers[held.sealed.wrapped_kek] = 1
            vault_key.newest[1] = held.sealed.wrapped_kek
        with pytest.raises(CustodyError):
            one.executor.keychain.use(one.key(), AGENT, sent)


@pytest.mark.parametrize("vault", ["main", "__treasury-keys"])
def test_no_key_is_made_in_a_vault_that_is_not_for_keys(vault: str) -> None:
    with fund("envelope") as one:
        published = one.executor.order(KeyRequest(**terms(account=FUND, vault=vault)))
        assert "no vault" in why(published)
