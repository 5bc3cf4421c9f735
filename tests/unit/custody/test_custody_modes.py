"""Every custody mode: who opens it, and what happens with wrong, missing or moved parts."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.context import Layer, SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.data_key import split_data_key
from signer.custody.envelope import SealedSecret, WrappedShare, open_secret, seal_secret
from signer.custody.errors import (
    ClientShareMissingError,
    CorruptError,
    CustodyError,
    QuorumError,
    RandomnessError,
    SecretSizeError,
    SharesMismatchError,
)
from signer.custody.opening import Opening, open_sealed
from signer.custody.provider import Provider
from signer.custody.sealing import Sealing, seal
from tests.harness.builders.custody_material import (
    ELSEWHERE,
    HERE,
    SECRET,
    FailingKms,
    LyingKms,
    Stream,
    root_kms,
)
from tests.harness.builders.custody_providers import (
    MODES,
    NAMES,
    PROVIDED,
    WITH_CLIENT,
    cloud,
    clouds,
    in_mode,
    sealed_in,
    vault_key,
)


def moved(mode: CustodyMode, change: dict[str, object]) -> SecretContext:
    return SecretContext.model_validate(in_mode(mode).model_dump() | change)


def opened(mode: CustodyMode, sealing: Sealing, context: SecretContext | None = None) -> Opening:
    with clouds() as sound:
        return open_sealed(
            sound.holders(mode), context or in_mode(mode), sealing.sealed, sealing.client_share
        )


def pieces(sealed: SealedSecret) -> dict[str, bytes]:
    """Every blob of a sealed secret that is there, by a name."""
    blobs = {
        "wrapped_kek": sealed.wrapped_kek,
        "wrapped_dek": sealed.wrapped_dek,
        "ciphertext": sealed.ciphertext,
    }
    shares = {f"share of {share.provider}": share.blob for share in sealed.wrapped_shares}
    return {name: blob for name, blob in (blobs | shares).items() if blob}


def with_piece(sealed: SealedSecret, name: str, blob: bytes) -> SealedSecret:
    if not name.startswith("share of "):
        return replace(sealed, **{name: blob})  # type: ignore[arg-type] # one of the blobs
    provider = name.removeprefix("share of ")
    shares = tuple(
        WrappedShare(provider, blob) if share.provider == provider else share
        for share in sealed.wrapped_shares
    )
    return replace(sealed, wrapped_shares=shares)


def test_the_modes_are_the_documented_ones() -> None:
    assert {
        mode: (plan.has_vault_key, plan.shares, plan.threshold, plan.needs_client, plan.recoverable)
        for mode, plan in PLANS.items()
    } == {
        "envelope": (True, 0, 0, False, False),
        "2of2_client_custody": (True, 0, 0, True, False),
        "2of3_multi_hsm": (False, 3, 2, False, False),
        "2of3_client_custody": (False, 3, 2, True, True),
        "2of3_multi_hsm_client": (False, 3, 2, True, False),
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_secret_of_every_mode_opens_where_it_was_sealed(mode: CustodyMode) -> None:
    opening = opened(mode, sealed_in(mode))
    assert opening.secret == SECRET
    assert opening.failures == ()
    assert isinstance(opening.secret, bytearray)


def test_the_envelope_is_the_same_however_it_is_made() -> None:
    sealing = sealed_in("envelope")
    assert open_secret(root_kms(), HERE, sealing.sealed) == SECRET
    wrapped_kek = sealing.sealed.wrapped_kek
    by_envelope = seal_secret(root_kms(), wrapped_kek, HERE, SECRET, Stream())
    assert opened("envelope", Sealing(by_envelope)).secret == SECRET


@pytest.mark.parametrize("mode", sorted(set(MODES) - {"envelope"}))
def test_the_envelopes_own_functions_take_no_other_mode(mode: CustodyMode) -> None:
    sealed = sealed_in("envelope").sealed
    with pytest.raises(ValueError, match=mode):
        open_secret(root_kms(), in_mode(mode), sealed)
    with pytest.raises(ValueError, match=mode):
        seal_secret(root_kms(), sealed.wrapped_kek, in_mode(mode), SECRET, Stream())


@pytest.mark.parametrize("mode", MODES)
def test_the_client_gets_a_share_exactly_in_the_modes_that_have_one(mode: CustodyMode) -> None:
    share = sealed_in(mode).client_share
    assert (share is not None) == (mode in WITH_CLIENT)
    assert share is None or (isinstance(share, bytearray) and len(share) == 34)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_that_is_stored_or_handed_over_holds_a_part_in_clear(mode: CustodyMode) -> None:
    random_bytes = Stream("seed")
    context = in_mode(mode)
    with clouds() as sound:
        sealing = seal(
            sound.holders(mode), vault_key(context, random_bytes), context, SECRET, random_bytes
        )
    stored = b"".join(pieces(sealing.sealed).values())
    drawn = [each for each in random_bytes.drawn if len(each) >= 32]
    assert not any(each in stored for each in [*drawn, SECRET])
    assert bytes(sealing.client_share or b"none")[2:] not in stored


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_without_the_clients_share_nothing_opens(mode: CustodyMode) -> None:
    with clouds() as sound, pytest.raises(ClientShareMissingError, match="--share"):
        open_sealed(sound.holders(mode), in_mode(mode), sealed_in(mode).sealed)


@pytest.mark.parametrize("mode", sorted(set(MODES) - set(WITH_CLIENT)))
def test_a_client_share_in_a_mode_without_one_reveals_a_downgrade(mode: CustodyMode) -> None:
    sealing = replace(sealed_in(mode), client_share=bytearray(34))
    with pytest.raises(SharesMismatchError, match=r"client.*share"):
        opened(mode, sealing)


def changed_share(share: bytearray, at: int) -> bytearray:
    changed = bytearray(share)
    changed[at] ^= 1
    return changed


WRONG_SHARES: dict[str, Callable[[bytearray], bytearray]] = {
    "another number": lambda share: changed_share(share, 1),
    "another format": lambda share: changed_share(share, 0),
    "one bit of its value": lambda share: changed_share(share, 33),
    "cut short": lambda share: share[:-1],
    "too long": lambda share: share + b"\x00",
    "empty": lambda _share: bytearray(),
    "zeros": lambda share: share[:2] + bytes(32),
}


@pytest.mark.parametrize("mode", WITH_CLIENT)
@pytest.mark.parametrize("wrong", WRONG_SHARES)
def test_a_wrong_clients_share_does_not_belong_and_gives_no_garbage(
    mode: CustodyMode, wrong: str
) -> None:
    sealing = sealed_in(mode)
    assert sealing.client_share is not None
    share = WRONG_SHARES[wrong](sealing.client_share)
    with pytest.raises(SharesMismatchError, match=r"share \d of|keys/hot, version 2"):
        opened(mode, replace(sealing, client_share=share))


@pytest.mark.parametrize("mode", WITH_CLIENT)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_the_clients_share_of_another_secret_or_version_does_not_belong(
    mode: CustodyMode, place: str
) -> None:
    other = sealed_in(mode, moved(mode, ELSEWHERE[place]))
    mixed = replace(sealed_in(mode), client_share=other.client_share)
    with pytest.raises(SharesMismatchError, match=r"share \d of|keys/hot, version 2"):
        opened(mode, mixed)


@pytest.mark.parametrize("mode", WITH_CLIENT)
def test_the_clients_share_of_an_earlier_sealing_does_not_belong(mode: CustodyMode) -> None:
    earlier = sealed_in(mode, seed="an earlier sealing of the same version")
    with pytest.raises(SharesMismatchError, match=r"share \d of|keys/hot, version 2"):
        opened(mode, replace(sealed_in(mode), client_share=earlier.client_share))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_secret_moved_with_all_its_layers_does_not_open(mode: CustodyMode, place: str) -> None:
    with pytest.raises((CorruptError, QuorumError)):
        opened(mode, sealed_in(mode), moved(mode, ELSEWHERE[place]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_ciphertext_is_swapped_between_paths_versions_or_vaults(
    mode: CustodyMode, place: str
) -> None:
    other = sealed_in(mode, moved(mode, ELSEWHERE[place])).sealed
    mine = sealed_in(mode)
    swapped = replace(mine, sealed=replace(mine.sealed, ciphertext=other.ciphertext))
    with pytest.raises(CorruptError):
        opened(mode, swapped)


@pytest.mark.parametrize("mode", PROVIDED)
@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_share_is_swapped_between_paths_versions_or_vaults(
    mode: CustodyMode, place: str
) -> None:
    other = sealed_in(mode, moved(mode, ELSEWHERE[place])).sealed
    mine = sealed_in(mode)
    taken = (other.wrapped_shares[0], *mine.sealed.wrapped_shares[1:])
    opening = opened(mode, replace(mine, sealed=replace(mine.sealed, wrapped_shares=taken)))
    assert opening.secret == SECRET  # the others suffice
    everything = replace(mine, sealed=replace(mine.sealed, wrapped_shares=other.wrapped_shares))
    with pytest.raises(QuorumError, match=r"gcp \(corrupt\)"):
        opened(mode, everything)


@pytest.mark.parametrize(("mode", "claimed"), list(permutations(MODES, 2)))
def test_a_mode_changed_in_the_stored_event_opens_nothing(
    mode: CustodyMode, claimed: CustodyMode
) -> None:
    """Downgraded or upgraded: no layer opens under the name of another mode."""
    sealing = sealed_in(mode)
    share = (sealing.client_share or bytearray(34)) if PLANS[claimed].needs_client else None
    with clouds() as sound, pytest.raises(CustodyError):
        open_sealed(sound.holders(claimed), in_mode(claimed), sealing.sealed, share)


@pytest.mark.parametrize("mode", PROVIDED)
def test_layers_of_another_mode_are_not_overlooked(mode: CustodyMode) -> None:
    sealing, envelope = sealed_in(mode), sealed_in("envelope")
    for extra in ("wrapped_kek", "wrapped_dek"):
        blob = getattr(envelope.sealed, extra)
        grown = replace(sealing, sealed=replace(sealing.sealed, **{extra: blob}))
        with pytest.raises(CorruptError, match=f"keys/hot, version 2, .* {mode}"):
            opened(mode, grown)
    shares = sealing.sealed.wrapped_shares
    for wrong in (shares[:-1], (*shares, shares[0]), ()):
        cut = replace(sealing, sealed=replace(sealing.sealed, wrapped_shares=wrong))
        with pytest.raises(CorruptError, match=f"keys/hot, version 2, .* {mode}"):
            opened(mode, cut)
    grown = replace(envelope, sealed=replace(envelope.sealed, wrapped_shares=shares))
    with pytest.raises(CorruptError, match=r"keys/hot, version 2, .* envelope"):
        opened("envelope", grown)


@pytest.mark.parametrize("mode", MODES)
def test_a_bit_changed_in_any_one_layer_gives_the_secret_or_an_error_never_garbage(
    mode: CustodyMode,
) -> None:
    sealing = sealed_in(mode)
    for name, blob in pieces(sealing.sealed).items():
        for at in (0, 1, 13, 20, len(blob) // 2, len(blob) - 1):
            changed = blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :]
            survives_or_refuses(mode, sealing, name, changed)


@pytest.mark.parametrize("mode", MODES)
def test_any_one_layer_cut_short_gives_the_secret_or_an_error_never_garbage(
    mode: CustodyMode,
) -> None:
    sealing = sealed_in(mode)
    for name, blob in pieces(sealing.sealed).items():
        for size in (0, 1, 12, 13, 28, 29, len(blob) - 1):
            survives_or_refuses(mode, sealing, name, blob[:size])


def survives_or_refuses(mode: CustodyMode, sealing: Sealing, name: str, blob: bytes) -> None:
    """One provider's share may be wrong; any other layer may not."""
    sealed = with_piece(sealing.sealed, name, blob)
    if name.startswith("share of "):
        assert opened(mode, replace(sealing, sealed=sealed)).secret == SECRET
    else:
        with pytest.raises(CustodyError):
            opened(mode, replace(sealing, sealed=sealed))


@pytest.mark.parametrize("mode", PROVIDED)
def test_reordered_shares_are_refused_as_their_numbers_are_wrapped(
    mode: CustodyMode,
) -> None:
    sealing = sealed_in(mode)
    turned = replace(sealing.sealed, wrapped_shares=sealing.sealed.wrapped_shares[::-1])
    with pytest.raises(CustodyError):
        opened(mode, replace(sealing, sealed=turned))


def test_shares_of_the_same_secret_sealed_twice_do_not_mix() -> None:
    one, two = sealed_in("2of3_multi_hsm", seed="one"), sealed_in("2of3_multi_hsm", seed="two")
    gcp, aws = one.sealed.wrapped_shares[0], two.sealed.wrapped_shares[1]
    lost = WrappedShare("azure", b"")
    mixed = replace(one.sealed, wrapped_shares=(gcp, aws, lost))
    with pytest.raises(SharesMismatchError, match=r"share \d of|keys/hot, version 2") as caught:
        opened("2of3_multi_hsm", replace(one, sealed=mixed))
    assert [failure.provider for failure in caught.value.failures] == ["azure"]


def test_a_vault_names_its_providers_in_the_order_it_likes() -> None:
    mode: CustodyMode = "2of3_multi_hsm"
    with clouds() as sound:
        holders = sound.holders(mode)
        turned = replace(holders, providers=holders.providers[::-1])
        sealing = seal(turned, b"", in_mode(mode), SECRET, Stream())
        assert [share.provider for share in sealing.sealed.wrapped_shares] == [*NAMES[::-1]]
        assert open_sealed(holders, in_mode(mode), sealing.sealed).secret == SECRET


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_secret_is_sealed_only_by_exactly_the_providers_of_its_mode(mode: CustodyMode) -> None:
    with clouds() as sound:
        holders = sound.holders(mode)
        first, *rest = holders.providers
        for wrong in ((), tuple(rest), (first, *rest, first), (first,) * len(holders.providers)):
            with pytest.raises(ValueError, match=f"{len(holders.providers)} providers"):
                seal(replace(holders, providers=wrong), b"", in_mode(mode), SECRET, Stream())
        twin = Provider("twin", first.kms, print)
        twins = replace(holders, providers=(first, *rest[:-1], twin))
        with pytest.raises(ValueError, match="root keys"):
            seal(twins, b"", in_mode(mode), SECRET, Stream())
        with pytest.raises(ValueError, match="data keys"):
            seal(holders, b"a vault key", in_mode(mode), SECRET, Stream())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_provider_that_fails_to_wrap_or_to_prove_it_is_named_and_nothing_is_sealed(
    name: str, fails_at: int
) -> None:
    mode: CustodyMode = "2of3_multi_hsm"
    failing = FailingKms(cloud(name), CorruptError("no"), fails_at)
    with clouds(**{name: failing}) as some, pytest.raises(QuorumError) as caught:
        seal(some.holders(mode), b"", in_mode(mode), SECRET, Stream())
    assert [(each.provider, each.cause) for each in caught.value.failures] == [(name, "corrupt")]


def test_a_provider_that_unwraps_to_another_value_is_detected_before_sealing_ends() -> None:
    lying = LyingKms(cloud("aws"), lambda share: bytearray(share[::-1]))
    mode: CustodyMode = "2of3_multi_hsm_client"
    with clouds(aws=lying) as some, pytest.raises(QuorumError, match=r"aws \(corrupt\)"):
        seal(some.holders(mode), b"", in_mode(mode), SECRET, Stream())


@pytest.mark.parametrize("mode", MODES)
def test_a_source_of_randomness_that_runs_dry_seals_nothing(mode: CustodyMode) -> None:
    for at in range(5):
        random_bytes = Stream()

        def dry(size: int, at: int = at, source: Stream = random_bytes) -> bytes:
            return source(size)[: size - (len(source.drawn) > at)]

        with clouds() as sound:
            wrapped_kek = sealed_in(mode).sealed.wrapped_kek
            try:
                seal(sound.holders(mode), wrapped_kek, in_mode(mode), SECRET, dry)
            except RandomnessError:
                continue
            assert len(random_bytes.drawn) <= at


@pytest.mark.parametrize("mode", MODES)
def test_a_secret_over_the_limit_is_refused_in_every_mode(mode: CustodyMode) -> None:
    with pytest.raises(SecretSizeError):
        sealed_in(mode, secret=bytes(65_537))


def test_a_machine_that_miscalculates_shares_is_caught_before_they_are_wrapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def miscalculated(rows: list[object], _lanes: list[int], size_bytes: int) -> list[bytearray]:
        return [bytearray(size_bytes) for _ in rows]

    monkeypatch.setattr("signer.custody.shamir.weighted_sums", miscalculated)
    with pytest.raises(CorruptError, match=r"nothing (was|is) stored"):
        split_data_key(PLANS["2of3_multi_hsm"], bytearray(SECRET), Stream())


def test_every_holders_layer_is_bound_to_its_name() -> None:
    context = in_mode("2of3_multi_hsm")
    names = {context.share_aad(name) for name in NAMES} | {context.aad(layer) for layer in Layer}
    assert len(names) == len(NAMES) + len(Layer)
