"""Data keys in shares in three clouds, through their SDKs; one or two clouds fail or lie."""

import secrets
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from threading import Event

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import new_vault_key
from signer.custody.errors import (
    Cause,
    CustodyError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.kms.port import RootKms
from signer.custody.opening import Opening, open_sealed
from signer.custody.provider import Provider, Report, Work
from signer.custody.rewrapping import rewrap_vault_key
from signer.custody.sealing import Holders, Sealing, seal
from tests.harness.builders.custody_material import SECRET, root_kms
from tests.harness.builders.custody_providers import NAMES, PROVIDED, in_mode
from tests.harness.builders.waiting import until
from tests.harness.kms.aws import AwsStandIn
from tests.harness.kms.azure import AzureStandIn
from tests.harness.kms.faults import HANG_S_MAX, LATE_S, Fault
from tests.harness.kms.gcp import GcpStandIn
from tests.harness.kms.rigs import AwsRig, AzureRig, CloudRig, GcpRig

MODE: CustodyMode = "2of3_multi_hsm"
SILENT = (Fault.HANG, Fault.DRIP)
TAKEN_S_MAX = 120
CAUSES = {
    Fault.DENY: Cause.DENIED,
    Fault.THROTTLE: Cause.UNAVAILABLE,
    Fault.FAIL: Cause.UNAVAILABLE,
    Fault.CLOSE: Cause.UNAVAILABLE,
    Fault.GARBAGE: Cause.UNAVAILABLE,
    Fault.OTHER_PLAINTEXT: Cause.LIED,
}


@dataclass
class ThreeClouds:
    """A root key in each cloud; ``holders`` uses open adapters unless a restart is simulated."""

    rigs: dict[str, CloudRig]
    reports: list[ProviderFailure] = field(default_factory=list)

    def holders(self, mode: CustodyMode = MODE) -> Holders:
        return self.holders_by({name: self.rigs[name].kept() for name in providers_of(mode)})

    def holders_anew(self, mode: CustodyMode = MODE) -> Holders:
        """Open new adapters, as after a restart, with the current timeouts."""
        return self.holders_by({name: self.rigs[name].kms() for name in providers_of(mode)})

    def holders_by(self, roots: Mapping[str, RootKms]) -> Holders:
        providers = tuple(Provider(name, kms, self.reports.append) for name, kms in roots.items())
        return Holders(root_kms(), providers)

    def reported(self, opening: Opening) -> list[ProviderFailure]:
        """Return the failures that were reported, by the read or later."""
        return [*opening.failures, *self.reports]

    def holders_with_first(self, first: str) -> Holders:
        """Return holders of which one answers or fails before the others are called."""
        taken = Event()
        roots = {name: After(self.rigs[name].kept(), taken) for name in NAMES}
        providers = [Provider(name, kms, self.reports.append) for name, kms in roots.items()]
        kms = self.rigs[first].kept()
        providers[NAMES.index(first)] = First(first, kms, self.reports.append, taken)
        return Holders(root_kms(), tuple(providers))

    @contextmanager
    def on(self, faults: dict[str, Fault], late_s: float = LATE_S) -> Iterator[None]:
        with ExitStack() as stack:
            for name, fault in faults.items():
                stack.enter_context(self.rigs[name].server.faults.on(fault, late_s))
            yield


class TakenFuture(Future[bytes | bytearray]):
    """A future that sets an event when the reader gets its result."""

    def __init__(self, taken: Event) -> None:
        super().__init__()
        self._taken = taken

    def exception(self, timeout: float | None = None) -> BaseException | None:
        found = super().exception(timeout)
        self._taken.set()
        return found


class First(Provider):
    """A provider that sets an event when the reader gets its answer or failure."""

    __slots__ = ("_taken",)

    def __init__(self, name: str, kms: RootKms, report: Report, taken: Event) -> None:
        super().__init__(name, kms, report)
        self._taken = taken

    def start(self, work: Work) -> Future[bytes | bytearray]:
        shown = TakenFuture(self._taken)

        def end(done: Future[bytes | bytearray]) -> None:
            if error := done.exception():
                shown.set_exception(error)
            else:
                shown.set_result(done.result())

        super().start(work).add_done_callback(end)
        return shown


@dataclass
class After:
    """A root that is called after the reader has got the answer of another one."""

    inner: RootKms
    taken: Event

    @property
    def key_id(self) -> str:
        return self.inner.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        assert self.taken.wait(TAKEN_S_MAX)
        return self.inner.unwrap(wrapped, context)


def providers_of(mode: CustodyMode) -> tuple[str, ...]:
    return NAMES[: PLANS[mode].providers]


@pytest.fixture(scope="module")
def rigs(
    gcp_server: GcpStandIn, aws_server: AwsStandIn, azure_server: AzureStandIn
) -> dict[str, CloudRig]:
    return {"gcp": GcpRig(gcp_server), "aws": AwsRig(aws_server), "azure": AzureRig(azure_server)}


@pytest.fixture
def clouds(rigs: dict[str, CloudRig]) -> Iterator[ThreeClouds]:
    yield ThreeClouds(rigs)
    for rig in rigs.values():
        rig.take_time()


@pytest.fixture(scope="module")
def sealing(rigs: dict[str, CloudRig]) -> Sealing:
    return sealed(ThreeClouds(rigs), MODE)


def sealed(clouds: ThreeClouds, mode: CustodyMode) -> Sealing:
    return seal(clouds.holders(mode), b"", in_mode(mode), SECRET, secrets.token_bytes)


def read(holders: Holders, sealing: Sealing, mode: CustodyMode = MODE) -> Opening:
    return open_sealed(holders, in_mode(mode), sealing.sealed, sealing.client_share)


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_split_secret_is_read_after_a_restart(mode: CustodyMode, clouds: ThreeClouds) -> None:
    sealing = sealed(clouds, mode)
    assert read(clouds.holders_anew(mode), sealing, mode).secret == SECRET
    shares = {share.provider: share.blob for share in sealing.sealed.wrapped_shares}
    assert tuple(shares) == providers_of(mode)
    assert not any(SECRET in blob for blob in shares.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", CAUSES)
def test_a_read_survives_one_failing_or_lying_cloud_and_names_it(
    name: str, fault: Fault, clouds: ThreeClouds, sealing: Sealing
) -> None:
    holders = clouds.holders_with_first(name)
    with clouds.on({name: fault}):
        opening = read(holders, sealing)
    assert opening.secret == SECRET
    assert opening.failures == (ProviderFailure(name, CAUSES[fault]),)


@pytest.mark.parametrize(
    ("name", "fault"),
    [("gcp", Fault.BAD_CHECKSUM), ("aws", Fault.OTHER_KEY), ("azure", Fault.OTHER_KEY)],
)
def test_a_read_survives_one_answer_that_fails_verification_and_names_it(
    name: str, fault: Fault, clouds: ThreeClouds, sealing: Sealing
) -> None:
    holders = clouds.holders_with_first(name)
    with clouds.on({name: fault}):
        opening = read(holders, sealing)
    assert opening.secret == SECRET
    assert opening.failures == (ProviderFailure(name, Cause.CORRUPT),)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", SILENT)
def test_a_hanging_cloud_delays_no_read_and_is_reported_after_its_timeout(
    name: str, fault: Fault, clouds: ThreeClouds, sealing: Sealing
) -> None:
    with clouds.on({name: fault}):
        patient = read(clouds.holders(), sealing)
        assert patient.secret == SECRET
        assert patient.failures == ()  # long before its time-out
    hasty = ThreeClouds(clouds.rigs)
    clouds.rigs[name].hurry()
    holders = hasty.holders_anew()
    with clouds.on({name: fault}):
        check_given_up(hasty, read(holders, sealing), name)


def check_given_up(clouds: ThreeClouds, opening: Opening, name: str) -> None:
    """Check that a read succeeded without one cloud, and that this one is reported."""
    assert opening.secret == SECRET
    until(lambda: bool(clouds.reported(opening)))
    assert clouds.reported(opening) == [ProviderFailure(name, Cause.UNAVAILABLE)]


@pytest.mark.parametrize("name", NAMES)
def test_a_cloud_that_never_ends_its_handshake_delays_no_read(
    name: str, clouds: ThreeClouds, sealing: Sealing
) -> None:
    rig, hasty = clouds.rigs[name], ThreeClouds(clouds.rigs)
    roots: dict[str, RootKms] = {each: clouds.rigs[each].kept() for each in NAMES}
    with socket.create_server(("127.0.0.1", 0)) as mute:
        roots[name] = rig.at(rig.key, mute.getsockname()[1])
        patient = read(clouds.holders_by(roots), sealing)
        assert patient.secret == SECRET
        assert patient.failures == ()  # long before its time-out
        rig.hurry()
        roots[name] = rig.at(rig.key, mute.getsockname()[1])
        check_given_up(hasty, read(hasty.holders_by(roots), sealing), name)


@pytest.mark.parametrize("name", NAMES)
def test_a_slow_cloud_is_neither_waited_for_nor_reported(
    name: str, clouds: ThreeClouds, sealing: Sealing
) -> None:
    holders = clouds.holders()
    with clouds.on({name: Fault.LATE}, late_s=HANG_S_MAX):
        opening = read(holders, sealing)
    assert opening.secret == SECRET
    assert opening.failures == ()


@pytest.mark.parametrize("down", [*combinations(NAMES, 2)])
def test_two_clouds_down_open_nothing_and_no_share_is_kept(
    down: tuple[str, str], clouds: ThreeClouds, sealing: Sealing
) -> None:
    (sound,) = set(NAMES) - set(down)
    asked, holders = clouds.rigs[sound].server.faults, clouds.holders()
    with clouds.on(dict.fromkeys(down, Fault.CLOSE)):
        for _ in range(2):
            before = asked.asked
            with pytest.raises(QuorumError, match="1 of 2") as caught:
                read(holders, sealing)
            assert {each.provider for each in caught.value.failures} == set(down)
            assert asked.asked > before  # no share of the previous read was kept
    assert read(holders, sealing).secret == SECRET


@pytest.mark.parametrize("silent", [*combinations(NAMES, 2)])
def test_two_hanging_clouds_end_the_read_at_their_timeout(
    silent: tuple[str, str], clouds: ThreeClouds, sealing: Sealing
) -> None:
    for name in silent:
        clouds.rigs[name].hurry()
    holders = clouds.holders_anew()
    with clouds.on(dict.fromkeys(silent, Fault.HANG)), pytest.raises(QuorumError) as caught:
        read(holders, sealing)
    assert {(each.provider, each.cause) for each in caught.value.failures} == {
        (name, Cause.UNAVAILABLE) for name in silent
    }


def test_two_lying_clouds_open_nothing(clouds: ThreeClouds, sealing: Sealing) -> None:
    holders = clouds.holders()
    lying = dict.fromkeys(NAMES[:2], Fault.OTHER_PLAINTEXT)
    mismatch = r"keys/hot, version 2\b.* do not belong together"
    with clouds.on(lying), pytest.raises(SharesMismatchError, match=mismatch):
        read(holders, sealing)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.OTHER_PLAINTEXT])
def test_nothing_is_sealed_if_a_cloud_would_not_return_its_share(
    name: str, fault: Fault, clouds: ThreeClouds
) -> None:
    with clouds.on({name: fault}), pytest.raises(QuorumError) as caught:
        sealed(clouds, MODE)
    assert [each.provider for each in caught.value.failures] == [name]


@pytest.mark.parametrize("old", NAMES)
@pytest.mark.parametrize("new", NAMES)
def test_a_vault_key_moves_from_one_clouds_root_to_anothers(
    old: str, new: str, clouds: ThreeClouds
) -> None:
    context = in_mode("envelope").vault_context
    rigs = clouds.rigs
    root, target = rigs[old].kept(), rigs[new].other_kms()
    wrapped = new_vault_key(root, context, secrets.token_bytes)
    moved = rewrap_vault_key(root, target, context, wrapped)
    assert target.unwrap(moved, context.aad()) == root.unwrap(wrapped, context.aad())
    with pytest.raises(CustodyError):
        root.unwrap(moved, context.aad())
