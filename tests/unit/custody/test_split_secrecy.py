"""Parts of a data key never appear in output, logs or dumps."""

from collections.abc import Callable

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody.aead import KEY_BYTES
from signer.custody.buffers import wipe
from signer.custody.custody_modes import PLANS
from signer.custody.data_key import split_data_key
from signer.custody.errors import CustodyError, KmsUnavailableError
from signer.custody.opening import open_sealed
from signer.custody.provider import Answer, Provider
from signer.custody.sealing import seal
from signer.custody.share import Share
from signer.custody.share_combination import ShareCombination
from sixgate.authoring.customer_key import CustomerKey
from tests.harness.builders.custody_material import ROOT, SECRET, LyingKms, Stream
from tests.harness.builders.custody_providers import (
    PROVIDED,
    WITH_CLIENT,
    RaisingKms,
    cloud,
    clouds,
    in_mode,
    sealed_in,
)
from tests.harness.builders.secrecy import printed, rendered, shows

DOWN = KmsUnavailableError("The KMS does not answer; try again.")


class Watched:
    """A provider's root that remembers every share it saw, as immutable copies."""

    def __init__(self, name: str) -> None:
        self.inner = cloud(name)
        self.key_id = self.inner.key_id
        self.saw: list[bytes] = []

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        self.saw.append(bytes(plaintext))
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        share = self.inner.unwrap(wrapped, context)
        self.saw.append(bytes(share))
        return share


def needles(saw: list[bytes], random_bytes: Stream) -> list[bytes]:
    return [SECRET, ROOT, *(share[2:] for share in saw), *random_bytes.drawn]


@pytest.mark.parametrize("mode", PLANS)
def test_nothing_that_holds_a_part_prints_it(mode: CustodyMode) -> None:
    random_bytes, gcp = Stream("seed"), Watched("gcp")
    parts = split_data_key(PLANS[mode], bytearray(random_bytes(32)), random_bytes)
    sealing = sealed_in(mode)
    with clouds(gcp=gcp) as some:
        holders = some.holders(mode)
        opening = open_sealed(holders, in_mode(mode), sealing.sealed, sealing.client_share)
    rebuilding = ShareCombination(PLANS[mode], in_mode(mode), b"", parts.client)
    secret = [bytes(parts.server_part), *(bytes(share.value) for share in parts.shares)]
    held = [parts, sealing, holders, opening, rebuilding, Answer(0, parts.server_part)]
    for thing in (*held, *holders.providers, *parts.shares, CustomerKey(SECRET)):
        hidden = [*secret, *needles(gcp.saw, random_bytes), bytes(sealing.client_share or SECRET)]
        assert shows(printed(thing), *hidden) == []


def sealing_fails(roots: dict[str, object], mode: CustodyMode) -> Callable[[Stream], object]:
    def run(random_bytes: Stream) -> object:
        with clouds(**roots) as some:  # type: ignore[arg-type] # each of them a root
            return seal(some.holders(mode), b"", in_mode(mode), bytearray(), random_bytes)

    return run


def opening_fails(
    roots: dict[str, object], mode: CustodyMode, change: Callable[[bytearray], object] = bytearray
) -> Callable[[Stream], object]:
    def run(_random_bytes: Stream) -> object:
        sealing = sealed_in(mode)
        share = sealing.client_share
        try:
            if share is not None:
                change(share)
            with clouds(**roots) as some:  # type: ignore[arg-type] # each of them a root
                return open_sealed(some.holders(mode), in_mode(mode), sealing.sealed, share)
        finally:
            wipe(share or bytearray())

    return run


def flip(share: bytearray) -> None:
    share[-1] ^= 1


def liar(name: str) -> LyingKms:
    return LyingKms(cloud(name), lambda share: share[:-1] + bytes((share[-1] ^ 1,)))


FAILURES: dict[str, Callable[[Stream], object]] = {
    **{
        f"a provider down, sealing {mode}": sealing_fails({"aws": RaisingKms(DOWN)}, mode)
        for mode in PROVIDED
    },
    **{
        f"a provider that lies, sealing {mode}": sealing_fails({"aws": liar("aws")}, mode)
        for mode in PROVIDED
    },
    **{
        f"two down, opening {mode}": opening_fails(
            {"aws": RaisingKms(DOWN), "gcp": RaisingKms(DOWN)}, mode
        )
        for mode in PROVIDED
    },
    **{f"a wrong client, opening {mode}": opening_fails({}, mode, flip) for mode in WITH_CLIENT},
    **{
        f"two that lie, opening {mode}": opening_fails(
            {"aws": liar("aws"), "gcp": liar("gcp")}, mode
        )
        for mode in PROVIDED
    },
}


@pytest.mark.parametrize("case", FAILURES)
def test_no_failure_shows_a_part_even_with_every_local_variable_printed(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_bytes, seen = Stream("failures"), list[bytes]()
    made = Share.__init__

    def remember(self: Share, number: int, value: bytearray) -> None:
        seen.append(bytes(value))
        made(self, number, value)

    monkeypatch.setattr(Share, "__init__", remember)
    with pytest.raises(CustodyError) as caught:
        FAILURES[case](random_bytes)
    assert seen
    keys = [drawn for drawn in random_bytes.drawn if len(drawn) >= KEY_BYTES]  # no nonces
    assert shows(rendered(caught.value), SECRET, *seen, *keys) == []


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> list[bytearray]:
    """The buffer of every share that is made."""
    buffers: list[bytearray] = []
    made = Share.__init__

    def remember(self: Share, number: int, value: bytearray) -> None:
        buffers.append(value)
        made(self, number, value)

    monkeypatch.setattr(Share, "__init__", remember)
    return buffers


@pytest.mark.parametrize("mode", sorted(set(PLANS) - {"envelope"}))
def test_gathered_shares_are_wiped_when_a_read_ends(
    mode: CustodyMode, values: list[bytearray]
) -> None:
    sealing = sealed_in(mode)
    values.clear()
    with clouds() as sound:
        open_sealed(sound.holders(mode), in_mode(mode), sealing.sealed, sealing.client_share)
    assert values
    assert not any(map(any, values))


@pytest.mark.parametrize("mode", sorted(set(PLANS) - {"envelope"}))
def test_shares_are_wiped_when_they_are_sealed(mode: CustodyMode, values: list[bytearray]) -> None:
    sealed_in(mode)
    assert values
    assert not any(map(any, values))


@pytest.mark.parametrize("case", FAILURES)
def test_shares_are_wiped_after_a_failure(case: str, values: list[bytearray]) -> None:
    with pytest.raises(CustodyError):
        FAILURES[case](Stream())
    assert values
    assert not any(map(any, values))


def test_a_provider_prints_its_name_alone() -> None:
    provider = Provider("gcp", cloud("gcp"), lambda _failure: None)
    assert repr(provider) == "<Provider gcp>"
