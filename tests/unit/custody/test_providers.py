"""Reads while providers are down, hang or return wrong shares."""

from itertools import combinations, permutations

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.errors import (
    Cause,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.kms.port import RootKms
from signer.custody.opening import Opening, open_sealed
from signer.custody.provider import Provider, ask_all
from signer.custody.sealing import Holders, Sealing, seal
from tests.harness.builders.custody_material import SECRET, LyingKms, Stream
from tests.harness.builders.custody_providers import (
    NAMES,
    Bounded,
    Clouds,
    HangingKms,
    RaisingKms,
    SlowKms,
    cloud,
    clouds,
    in_mode,
    sealed_in,
)
from tests.harness.builders.waiting import until

THREE: tuple[CustodyMode, ...] = ("2of3_multi_hsm", "2of3_multi_hsm_client")
WITH_ONE: CustodyMode = "2of3_client_custody"
CAUSES: list[tuple[Exception, Cause]] = [
    (KmsUnavailableError("no"), Cause.UNAVAILABLE),
    (KmsDeniedError("no"), Cause.DENIED),
    (KmsKeyDisabledError("no"), Cause.KEY_DISABLED),
    (KmsKeyNotFoundError("no"), Cause.KEY_NOT_FOUND),
    (KmsKeyWeakError("no"), Cause.KEY_WEAK),
    (CustodyError("no"), Cause.FAULT),
    (RuntimeError("an adapter with a bug"), Cause.FAULT),
]


def read(some: Clouds, mode: CustodyMode, sealing: Sealing | None = None) -> Opening:
    sealing = sealing or sealed_in(mode)
    return open_sealed(some.holders(mode), in_mode(mode), sealing.sealed, sealing.client_share)


def slow(name: str) -> SlowKms:
    """A provider that answers after all that do not wait."""
    return SlowKms(cloud(name), takes_s=1.0)


def liar(name: str) -> LyingKms:
    """A provider that gives a share that is well made, and wrong."""
    return LyingKms(cloud(name), lambda share: share[:-1] + bytes((share[-1] ^ 1,)))


@pytest.mark.parametrize("mode", THREE)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=lambda each: type(each).__name__)
def test_one_provider_that_fails_is_survived_and_named(
    mode: CustodyMode, name: str, error: Exception, cause: Cause
) -> None:
    others = {other: slow(other) for other in NAMES if other != name}
    with clouds(**{name: RaisingKms(error)}, **others) as some:
        opening = read(some, mode)
    assert opening.secret == SECRET
    assert opening.failures == (ProviderFailure(name, cause),)


@pytest.mark.parametrize("mode", THREE)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("when", ["first", "some time"])
def test_one_provider_with_a_wrong_share_is_survived_and_named(
    mode: CustodyMode, name: str, when: str
) -> None:
    others = {other: slow(other) for other in NAMES if other != name} if when == "first" else {}
    with clouds(**{name: liar(name)}, **others) as some:
        opening = read(some, mode)
    assert opening.secret == SECRET
    assert opening.failures in ((), (ProviderFailure(name, Cause.LIED),))
    assert opening.failures or when != "first"


@pytest.mark.parametrize("name", NAMES)
def test_a_share_of_another_number_is_no_share_of_this_provider(name: str) -> None:
    """A provider gains nothing by returning another provider's share as its own."""
    renumbered = LyingKms(
        cloud(name), lambda share: share[:1] + bytes((share[1] % 3 + 1,)) + share[2:]
    )
    others = {other: slow(other) for other in NAMES if other != name}
    with clouds(**{name: renumbered}, **others) as some:
        assert read(some, "2of3_multi_hsm").failures == (ProviderFailure(name, Cause.CORRUPT),)


@pytest.mark.parametrize("mode", THREE)
@pytest.mark.parametrize("name", NAMES)
def test_one_provider_that_hangs_delays_no_read_and_is_reported_late(
    mode: CustodyMode, name: str
) -> None:
    hanging = HangingKms(cloud(name))
    with clouds(**{name: hanging}) as some:
        opening = read(some, mode)
        assert opening.secret == SECRET
        assert not hanging.let_go.is_set()
        hanging.inner = RaisingKms(KmsUnavailableError("its own time-out"))
        hanging.let_go.set()
        until(lambda: len(some.reports) == 1)
        assert some.reports == [ProviderFailure(name, Cause.UNAVAILABLE)]


def test_a_share_that_comes_too_late_is_wiped() -> None:
    late = slow("azure")
    with clouds(azure=late) as some:
        assert read(some, "2of3_multi_hsm").secret == SECRET
        until(lambda: bool(late.gave) and not any(late.gave[0]))
    assert some.reports == []


@pytest.mark.parametrize("hanging", [*combinations(NAMES, 2)])
def test_two_providers_that_hang_end_at_their_time_out(hanging: tuple[str, str]) -> None:
    roots = {name: HangingKms(cloud(name)) for name in hanging}
    with clouds(**{name: Bounded(root, 50) for name, root in roots.items()}) as some:
        with pytest.raises(QuorumError, match="1 of 2") as caught:
            read(some, "2of3_multi_hsm")
        for each in roots.values():
            each.let_go.set()
    found = {(each.provider, each.cause) for each in caught.value.failures}
    assert found == {(name, Cause.UNAVAILABLE) for name in hanging}


@pytest.mark.parametrize("mode", THREE)
@pytest.mark.parametrize("down", [*combinations(NAMES, 2)])
def test_two_providers_down_are_refused_and_nothing_is_kept_for_the_next_read(
    mode: CustodyMode, down: tuple[str, str]
) -> None:
    gave = [SlowKms(cloud(name), 0) for name in NAMES if name not in down]
    roots: dict[str, RootKms] = {name: RaisingKms(KmsUnavailableError("no")) for name in down}
    roots |= dict(zip([name for name in NAMES if name not in down], gave, strict=True))
    with clouds(**roots) as some:
        for asked in (1, 2):
            with pytest.raises(QuorumError, match="1 of 2") as caught:
                read(some, mode)
            assert {each.provider for each in caught.value.failures} == set(down)
            assert len(gave[0].gave) == asked  # asked anew: no share was cached
    assert not any(any(share) for share in gave[0].gave)


@pytest.mark.parametrize(("lying", "down"), [*permutations(NAMES, 2)])
def test_one_wrong_share_and_one_provider_down_open_nothing(lying: str, down: str) -> None:
    roots: dict[str, RootKms] = {
        lying: liar(lying),
        down: RaisingKms(KmsUnavailableError("no")),
    }
    with clouds(**roots) as some, pytest.raises(SharesMismatchError) as caught:
        read(some, "2of3_multi_hsm")
    assert caught.value.failures == (ProviderFailure(down, Cause.UNAVAILABLE),)


@pytest.mark.parametrize("lying", [*combinations(NAMES, 2)])
def test_two_that_lie_open_nothing(lying: tuple[str, str]) -> None:
    roots = {name: liar(name) for name in lying}
    with clouds(**roots) as some, pytest.raises(SharesMismatchError, match="keys/hot, version 2"):
        read(some, "2of3_multi_hsm")


@pytest.mark.parametrize("name", ["gcp", "aws"])
def test_with_the_clients_share_one_provider_is_enough(name: str) -> None:
    other = next(each for each in ("gcp", "aws") if each != name)
    failing: dict[str, RootKms] = {name: RaisingKms(KmsUnavailableError("no"))}
    failing[other] = slow(other)
    with clouds(**failing) as some:
        opening = read(some, WITH_ONE)
        assert opening.secret == SECRET
        assert opening.failures == (ProviderFailure(name, Cause.UNAVAILABLE),)
    failing[name] = liar(name)
    with clouds(**failing) as some:
        assert read(some, WITH_ONE).failures == (ProviderFailure(name, Cause.LIED),)
    with clouds(**{name: HangingKms(cloud(name))}) as some:
        assert read(some, WITH_ONE).secret == SECRET
        some.roots[name].let_go.set()  # type: ignore[attr-defined] # the one that hangs


def test_a_read_with_a_wrong_clients_share_is_never_helped_by_both_providers() -> None:
    sealing = sealed_in(WITH_ONE)
    other = sealed_in(WITH_ONE, seed="other")
    with clouds() as some, pytest.raises(SharesMismatchError):
        read(some, WITH_ONE, Sealing(sealing.sealed, other.client_share))


def test_a_provider_that_is_not_configured_is_named_and_the_others_suffice() -> None:
    mode: CustodyMode = "2of3_multi_hsm"
    with clouds() as some:
        holders = some.holders(mode)
        fewer = Holders(holders.root, holders.providers[:2])
        opening = open_sealed(fewer, in_mode(mode), sealed_in(mode).sealed)
    assert opening.secret == SECRET
    assert opening.failures == (ProviderFailure("azure", Cause.NOT_CONFIGURED),)


def test_a_timeout_is_reported_once() -> None:
    """The read that waited for it names it; the late failure is not reported again."""
    hanging, reports = HangingKms(cloud("gcp")), list[ProviderFailure]()
    provider = Provider("gcp", Bounded(hanging, 1), reports.append)
    with ask_all([(provider, lambda kms: kms.unwrap(b"x", b""))]) as answers:
        assert [each.failure for each in answers] == [ProviderFailure("gcp", Cause.UNAVAILABLE)]
    hanging.inner = RaisingKms(KmsUnavailableError("its own time-out"))
    hanging.let_go.set()
    assert reports == []


def test_a_provider_that_hung_answers_the_next_call() -> None:
    hanging = HangingKms(cloud("gcp"))
    provider = Provider("gcp", hanging, lambda _failure: None)
    stuck = [provider.start(lambda kms: kms.wrap(b"x", b"")) for _ in range(32)]
    assert provider.start(lambda _kms: b"free").result(60) == b"free"
    hanging.let_go.set()
    assert all(future.result(60) for future in stuck)


def test_a_provider_that_hangs_while_a_secret_is_sealed_is_named() -> None:
    mode: CustodyMode = "2of3_multi_hsm"
    hanging = HangingKms(cloud("aws"))
    with clouds(aws=Bounded(hanging, 50)) as some:
        with pytest.raises(QuorumError, match=r"aws \(unavailable\)"):
            seal(some.holders(mode), b"", in_mode(mode), SECRET, Stream())
        hanging.let_go.set()


def test_no_provider_has_the_name_of_the_servers_own_share() -> None:
    with pytest.raises(ValueError, match=r"provider.* server|server.* provider"):
        Provider("server", cloud("gcp"), lambda _failure: None)
