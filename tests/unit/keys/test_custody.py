"""Signing keys in every custody mode: made, opened, and what opens none of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.client_share import ClientShare, SharePlace
from schemas.custody import AGENT_KEYS, CustodyMode
from schemas.keys import AnyOrder, KeyProvisioned, KeyRequest, KeyRotation
from schemas.registry import AccountOpened, VaultCreated
from schemas.topics import Topic
from signer.custody.errors import (
    ClientShareMissingError,
    CorruptError,
    CustodyError,
    KmsUnavailableError,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.hpke import HpkeKey, seal_for
from signer.custody.modes import PLANS
from signer.custody.sealing import Holders
from signer.custody.share_key import ShareKeyBoxes, ShareKeys, new_share_key
from signer.ethereum.keccak import keccak256
from signer.keys.descriptor import KeyDescriptor
from tests.harness.builders.cases import AGENT, KEY_PATH, ORG, SIGNER
from tests.harness.builders.custody_material import Stream, root_kms
from tests.harness.builders.custody_providers import (
    MODES,
    NAMES,
    PROVIDED,
    WITH_CLIENT,
    Clouds,
    RaisingKms,
    clouds,
)
from tests.harness.builders.key_desk import Desk, terms, why
from tests.harness.builders.vault_events import FUND

CLIENT = HpkeKey(b"c" * 32)
FOR_CLIENT = f"0x{CLIENT.public_key.hex()}"
WITHOUT_CLIENT = tuple(mode for mode in MODES if not PLANS[mode].needs_client)
DIGEST = keccak256(b"a transaction")
DOWN = RaisingKms(KmsUnavailableError("no answer"))


@dataclass
class Fund:
    """A desk of a signer with three clouds, and the client of an account in one mode."""

    mode: CustodyMode
    clouds: Clouds
    configured: tuple[str, ...] = NAMES
    desk: Desk = field(init=False)
    now_ms: int = 0

    def __post_init__(self) -> None:
        known = self.clouds.holders("2of3_multi_hsm").providers
        providers = tuple(each for each in known if each.name in self.configured)
        made = VaultCreated(account=FUND, vault=AGENT_KEYS, mode=self.mode)
        self.desk = Desk(
            entries=(made, AccountOpened(account=FUND)),
            holders=Holders(self.clouds.root, providers),
        )
        keys = ShareKeys(org=ORG, signer=SIGNER.keyid)
        keys = keys.rotated(new_share_key(root_kms(), keys, 0, Stream("share key")))
        self.boxes = ShareKeyBoxes(root_kms(), keys, lambda: self.now_ms)
        self.desk.keychain.share_boxes = self.boxes

    def give(self, kind: type[AnyOrder], **changes: Any) -> KeyProvisioned:
        said = self.desk.order(kind(**terms(account=FUND, **self.to_client() | changes)))
        assert said.topic is Topic.VAULT, why(said)
        return KeyProvisioned.decode(said.value)

    def to_client(self) -> dict[str, Any]:
        return {"share_for": FOR_CLIENT} if PLANS[self.mode].needs_client else {}

    def key(self, version: int = 1) -> KeyDescriptor:
        key = self.desk.keys.version(FUND, KEY_PATH, version)
        assert key is not None
        return key

    def place(self, version: int = 1) -> SharePlace:
        return SharePlace(org=ORG, account=FUND, vault=AGENT_KEYS, path=KEY_PATH, version=version)

    def received(self, answer: KeyProvisioned) -> bytearray:
        """Return the client's share as the client takes it out of the signer's answer."""
        assert answer.client_share is not None
        box = bytes.fromhex(answer.client_share[2:])
        return CLIENT.open(box, self.place(answer.version).to_client())

    def sent(
        self, share: bytes | bytearray, agent: str = AGENT, context: bytes | None = None
    ) -> ClientShare:
        """Return a share of version 1 as a client sends it."""
        current = self.boxes.keys.current
        assert current is not None
        box = seal_for(current.public_key, share, context or self.place().to_signer(agent))
        return ClientShare(key_version=1, share_key=current.public_key, box=f"0x{box.hex()}")


@contextmanager
def fund(mode: CustodyMode, configured: tuple[str, ...] = NAMES) -> Iterator[Fund]:
    with clouds() as some:
        made = Fund(mode, some, configured)
        try:
            yield made
        finally:
            made.desk.keychain.close()


@pytest.mark.parametrize("mode", WITHOUT_CLIENT)
def test_a_key_signs_through_every_mode_that_needs_no_client(mode: CustodyMode) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        assert (answer.mode, answer.client_share) == (mode, None)
        ring_key = one.desk.keychain.use(one.key())
        assert ring_key.public_key() == bytes.fromhex(answer.public_key[2:])
        assert len(ring_key.sign(DIGEST)) == 65


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_signs_with_the_share_that_its_client_was_handed(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        ring_key = one.desk.keychain.use(one.key(), AGENT, one.sent(share))
        assert len(ring_key.sign(DIGEST)) == 65


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_of_a_client_stays_shut_without_its_share(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        with pytest.raises(ClientShareMissingError):
            one.desk.keychain.use(one.key())
        one.desk.keychain.use(one.key(), AGENT, one.sent(share)).sign(DIGEST)
        with pytest.raises(ClientShareMissingError):
            one.desk.keychain.use(one.key())


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_key_that_one_agents_share_opened_opens_for_no_other_agent(mode: CustodyMode) -> None:
    with fund(mode) as one:
        sent = one.sent(one.received(one.give(KeyRequest)))
        one.desk.keychain.use(one.key(), AGENT, sent).sign(DIGEST)
        with pytest.raises(CorruptError, match="another agent"):
            one.desk.keychain.use(one.key(), "mallory", sent)


@pytest.mark.parametrize("mode", WITH_CLIENT)
@pytest.mark.parametrize("change", [{"path": "keys/other"}, {"version": 2}, {"account": "ops"}])
def test_a_share_sealed_for_another_place_opens_nothing(
    mode: CustodyMode, change: dict[str, Any]
) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        elsewhere = one.place().model_copy(update=change).to_signer(AGENT)
        with pytest.raises(CorruptError, match="does not open"):
            one.desk.keychain.use(one.key(), AGENT, one.sent(share, context=elsewhere))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_a_wrong_clients_share_opens_nothing(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        for wrong in (share[:-1] + bytes((share[-1] ^ 1,)), share[:-1], share + b"\0"):
            with pytest.raises(SharesMismatchError, match="do not belong together"):
                one.desk.keychain.use(one.key(), AGENT, one.sent(wrong))


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_the_share_of_a_former_version_opens_no_newer_one(mode: CustodyMode) -> None:
    with fund(mode) as one:
        share = one.received(one.give(KeyRequest))
        one.give(KeyRotation, version=1)
        with pytest.raises(ClientShareMissingError, match="is of version 1"):
            one.desk.keychain.use(one.key(2), AGENT, one.sent(share))
        renamed = one.sent(share, context=one.place(2).to_signer(AGENT))
        with pytest.raises(SharesMismatchError):
            one.desk.keychain.use(one.key(2), AGENT, renamed.model_copy(update={"key_version": 2}))


@pytest.mark.parametrize("mode", MODES)
def test_an_order_that_hands_a_share_to_nobody_or_to_nobodys_client_is_refused(
    mode: CustodyMode,
) -> None:
    with fund(mode) as one:
        wrong = None if one.to_client() else FOR_CLIENT
        said = one.desk.order(KeyRequest(**terms(account=FUND, share_for=wrong)))
        assert "client's public key" in why(said)
        assert not one.desk.keys.versions


@pytest.mark.parametrize("mode", PROVIDED)
@pytest.mark.parametrize("down", ["gcp", "aws", "azure"])
def test_a_key_signs_with_one_provider_down_and_the_failure_is_told(
    mode: CustodyMode, down: str
) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        for provider in one.clouds.opened:
            if provider.name == down:
                provider.kms = DOWN
        one.desk.keychain.close()
        one.desk.keychain.use(one.key(), AGENT, sent).sign(DIGEST)
        told = one.desk.keychain.drain_failures()
        assert {failure for _, failure in told} <= {ProviderFailure(down, Cause.UNAVAILABLE)}
        assert not one.desk.keychain.drain_failures()


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of3_multi_hsm_client"])
def test_two_providers_down_open_no_key_and_leave_none_open(mode: CustodyMode) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        for provider in one.clouds.opened[:2]:
            provider.kms = DOWN
        with pytest.raises(QuorumError):
            one.desk.keychain.use(one.key(), AGENT, sent)
        with pytest.raises(QuorumError):
            one.desk.keychain.use(one.key(), AGENT, sent)


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_provider_that_is_not_configured_makes_no_key(mode: CustodyMode) -> None:
    with fund(mode, configured=("aws", "azure")) as one:
        said = one.desk.order(KeyRequest(**terms(account=FUND, **one.to_client())))
        assert "name them in the settings" in why(said)
        assert not one.desk.keys.versions


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layer", ["ciphertext", "wrapped_kek", "wrapped_dek"])
def test_a_bit_flipped_at_any_layer_opens_no_key(mode: CustodyMode, layer: str) -> None:
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        sent = one.sent(one.received(answer)) if answer.client_share else None
        held = one.desk.keys.wrappings.versions[one.key().place]
        blob = getattr(held.sealed, layer)
        if not blob:
            return
        object.__setattr__(held.sealed, layer, blob[:-1] + bytes((blob[-1] ^ 1,)))
        vault_key = one.desk.keys.wrappings.keys.get((FUND, AGENT_KEYS))
        if vault_key and layer == "wrapped_kek":
            vault_key.numbers[held.sealed.wrapped_kek] = 1
            vault_key.newest[1] = held.sealed.wrapped_kek
        with pytest.raises(CustodyError):
            one.desk.keychain.use(one.key(), AGENT, sent)


@pytest.mark.parametrize("vault", ["main", "__treasury-keys"])
def test_a_key_in_a_vault_that_is_none_for_keys_is_not_made(vault: str) -> None:
    with fund("envelope") as one:
        said = one.desk.order(KeyRequest(**terms(account=FUND, vault=vault)))
        assert "no vault" in why(said)
