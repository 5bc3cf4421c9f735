"""Every custody mode against attacks drawn by Hypothesis."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry.custody import CustodyMode
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS, ClientPart
from signer.custody.data_key import rebuild_data_key, split_data_key
from signer.custody.envelope import WrappedShare
from signer.custody.errors import Cause, CorruptError, CustodyError, KmsUnavailableError
from signer.custody.kms.port import RootKms
from signer.custody.opening import open_sealed
from signer.custody.sealing import Sealing
from signer.custody.share import Share
from tests.harness.builders.custody_material import SECRET, LyingKms, Stream, contexts
from tests.harness.builders.custody_providers import (
    MODES,
    NAMES,
    PROVIDED,
    WITH_CLIENT,
    RaisingKms,
    cloud,
    clouds,
    in_mode,
    sealed_in,
)

modes = st.sampled_from(MODES)
provided = st.sampled_from(PROVIDED)
SEALED = {mode: sealed_in(mode) for mode in MODES}
STATES = ("sound", "down", "lying")


def root_in(state: str, name: str, lie: bytes) -> RootKms:
    if state == "down":
        return RaisingKms(KmsUnavailableError("no"))
    if state == "lying":
        return LyingKms(cloud(name), lambda _share: bytearray(lie))
    return cloud(name)


@given(provided, st.tuples(*[st.sampled_from(STATES)] * 3), st.binary(max_size=40), st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_read_succeeds_exactly_if_enough_providers_are_sound(
    mode: CustodyMode,
    states: tuple[str, ...],
    lie: bytes,
    well_made: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    plan = PLANS[mode]
    used = dict(zip(NAMES[: plan.providers], states, strict=False))
    roots = {
        name: root_in(state, name, bytes((1, number)) + lie.ljust(32)[:32] if well_made else lie)
        for number, (name, state) in enumerate(used.items(), 1)
    }
    enough = plan.threshold - (plan.client is ClientPart.SHARE)
    sealing = SEALED[mode]
    with clouds(**roots) as some:
        holders = some.holders(mode)
        if list(used.values()).count("sound") < enough:
            with pytest.raises(CustodyError):
                open_sealed(holders, in_mode(mode), sealing.sealed, sealing.client_share)
            return
        opening = open_sealed(holders, in_mode(mode), sealing.sealed, sealing.client_share)
    assert opening.secret == SECRET
    for failure in opening.failures:
        wanted = {Cause.UNAVAILABLE} if used[failure.provider] == "down" else {
            Cause.LIED, Cause.CORRUPT,
        }  # fmt: skip
        assert failure.cause in wanted


@given(modes, contexts, st.data())
@settings(deadline=None, max_examples=60)
def test_a_sealed_secret_of_any_mode_opens_in_its_own_context_only(
    mode: CustodyMode, context: SecretContext, data: st.DataObject
) -> None:
    there = context.model_copy(update={"mode": mode})
    elsewhere = data.draw(contexts).model_copy(update={"mode": data.draw(modes)})
    sealing = sealed_in(mode, there)
    with clouds() as sound:
        opening = open_sealed(sound.holders(mode), there, sealing.sealed, sealing.client_share)
        assert opening.secret == SECRET
        if elsewhere != there:
            with pytest.raises(CustodyError):
                open_sealed(
                    sound.holders(elsewhere.mode), elsewhere, sealing.sealed, sealing.client_share
                )


@given(st.sampled_from(WITH_CLIENT), st.binary(max_size=40))
@settings(deadline=None, max_examples=60)
def test_no_other_bytes_are_accepted_as_the_client_share(mode: CustodyMode, share: bytes) -> None:
    sealing = SEALED[mode]
    assert sealing.client_share is not None
    framed = bytes(sealing.client_share[:2]) + share.ljust(32)[:32]
    with clouds() as sound:
        for wrong in (share, framed):
            with pytest.raises(CorruptError):
                open_sealed(sound.holders(mode), in_mode(mode), sealing.sealed, wrong)


@given(provided, st.permutations(NAMES), st.binary(max_size=80))
@settings(deadline=None, max_examples=60)
def test_no_arrangement_of_stored_shares_gives_anything_but_the_secret(
    mode: CustodyMode, names: list[str], blob: bytes
) -> None:
    sealing = SEALED[mode]
    shares = sealing.sealed.wrapped_shares
    arranged = tuple(
        WrappedShare(name, share.blob) for name, share in zip(names, shares, strict=False)
    )
    attempts = (arranged, (*arranged[:-1], WrappedShare(names[0], blob)))
    for attempt in attempts:
        stored = Sealing(replace(sealing.sealed, wrapped_shares=attempt), sealing.client_share)
        with clouds() as sound:
            try:
                opening = open_sealed(
                    sound.holders(mode), in_mode(mode), stored.sealed, stored.client_share
                )
            except CustodyError:
                continue
        assert opening.secret == SECRET


@given(modes, st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_a_data_key_is_rebuilt_exactly_by_the_holders_of_its_plan(
    mode: CustodyMode, dek: bytes
) -> None:
    plan = PLANS[mode]
    parts = split_data_key(plan, bytearray(dek), Stream(dek.hex()))
    if plan.has_vault_key:
        assert (parts.server_part == dek) == (plan.client is ClientPart.NONE)
        return
    for size in range(1, plan.providers + 1):
        for chosen in combinations(parts.shares, size):
            for client in (None, parts.client):
                made = rebuild_data_key(plan, [copied(each) for each in chosen], client)
                assert (made == dek) == enough(mode, size, client is not None)


def copied(share: Share) -> Share:
    return Share(share.number, bytearray(share.value))


def enough(mode: CustodyMode, providers: int, client: bool) -> bool:  # noqa: FBT001 - a fact
    if mode == "2of3_client_custody":
        return providers + client >= 2
    return providers >= 2 and (client or mode == "2of3_multi_hsm")
