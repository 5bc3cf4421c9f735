"""The threat table of docs/custody-modes.md: each cell is what a thief gets, found by trying.

The thief has every stored blob and what was stolen, and tries all that can be made of both.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest

from schemas.registry.custody import CustodyMode
from signer.custody import aead, shamir, xor_split
from signer.custody.context import Layer, SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import SealedSecret
from signer.custody.errors import CorruptError, CustodyError, RecoveryRefusedError
from signer.custody.kms.local import LocalKms
from signer.custody.opening import open_sealed
from signer.custody.recovery import recover
from signer.custody.sealing import Holders, Sealing, seal
from signer.custody.share import Share
from tests.harness.builders.custody_material import LyingKms, Stream
from tests.harness.builders.custody_providers import NAMES, Clouds, cloud, clouds, in_mode
from tests.harness.builders.recovery_orders import approval, envelope, order

PAGE = Path(__file__).parents[3] / "docs" / "custody-modes.md"
MINE, BESIDE, ELSEWHERE = ("main", "keys/hot"), ("main", "keys/cold"), ("other", "keys/hot")


def table() -> Iterator[tuple[str, str, str]]:
    lines = PAGE.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| stolen |"))
    modes = [cell.strip(" `") for cell in lines[start].strip("|").split("|")][1:]
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        stolen, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        yield from ((stolen, mode, cell) for mode, cell in zip(modes, cells, strict=True))


CELLS = list(table())


@dataclass
class VaultSecrets:
    """Three secrets in two vaults of one mode; the root of their KEKs is in the first cloud."""

    mode: CustodyMode
    contexts: dict[tuple[str, str], SecretContext] = field(default_factory=dict)
    sealings: dict[tuple[str, str], Sealing] = field(default_factory=dict)
    deks: dict[tuple[str, str], bytes] = field(default_factory=dict)
    keks: dict[str, bytes] = field(default_factory=dict)
    wrapped_keks: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, mode: CustodyMode) -> "VaultSecrets":
        stored = cls(mode)
        with clouds() as sound:
            for place in (MINE, BESIDE, ELSEWHERE):
                stored.put(sound, place)
        return stored

    def put(self, sound: Clouds, place: tuple[str, str]) -> None:
        vault, path = place
        context = in_mode(self.mode).model_copy(update={"vault": vault, "path": path})
        if PLANS[self.mode].has_vault_key and vault not in self.keks:
            self.keks[vault] = Stream(f"the KEK of {vault}")(aead.KEY_BYTES)
            aad = context.vault_context.aad()
            self.wrapped_keks[vault] = cloud("gcp").wrap(self.keks[vault], aad)
        random_bytes = Stream(f"the sealing of {place}")
        self.contexts[place] = context
        self.sealings[place] = seal(
            vault_holders(sound, self.mode), self.wrapped_keks.get(vault, b""), context,
            secret_at(place), random_bytes,
        )  # fmt: skip
        self.deks[place] = random_bytes.drawn[0]

    def reads(self, some: Clouds) -> bool:
        with suppress(CustodyError):
            sealing = self.sealings[MINE]
            opening = open_sealed(
                vault_holders(some, self.mode), self.contexts[MINE], sealing.sealed,
                sealing.client_share,
            )  # fmt: skip
            return opening.secret == secret_at(MINE)
        return False


def vault_holders(some: Clouds, mode: CustodyMode) -> Holders:
    some.root = some.roots["gcp"]
    return some.holders(mode)


def secret_at(place: tuple[str, str]) -> bytes:
    return f"the secret at {place}".encode()


@dataclass
class Loot:
    """What a thief has beside the database."""

    roots: dict[str, LocalKms] = field(default_factory=dict)
    keks: dict[str, bytes] = field(default_factory=dict)
    deks: list[bytes] = field(default_factory=list)
    client_shares: list[Share] = field(default_factory=list)

    def opens(self, context: SecretContext, sealed: SealedSecret) -> bytes | None:
        for key in self.keys_for(context, sealed):
            with suppress(CorruptError, ValueError):
                aad = context.aad(Layer.SECRET)
                return bytes(aead.unseal(aead.load_key(key), sealed.ciphertext, aad))
        return None

    def keys_for(self, context: SecretContext, sealed: SealedSecret) -> Iterator[bytes]:
        """Yield candidate DEKs: found values, their combinations, and xors of those."""
        found = [*self.deks, *self.keks.values(), *self.kept(context, sealed)]
        shares = [*self.shares(context, sealed), *self.client_shares]
        made = list(found) + [bytes(share.value) for share in shares]
        for size in range(1, min(len(shares), 4) + 1):
            for chosen in combinations(shares, size):
                with suppress(CorruptError):
                    made.append(bytes(shamir.combine(chosen)))
        yield from made
        for one, other in combinations(made, 2):
            with suppress(CorruptError):
                yield bytes(xor_split.join(one, other))

    def kept(self, context: SecretContext, sealed: SealedSecret) -> Iterator[bytes]:
        """Yield what the vault's KEK wraps, if the thief has it or may unwrap it."""
        keks = [*self.keks.values()]
        for root in self.roots.values():
            with suppress(CustodyError):
                keks.append(bytes(root.unwrap(sealed.wrapped_kek, context.vault_context.aad())))
        for kek in keks:
            for layer in (Layer.DEK, Layer.SHARE):
                with suppress(CorruptError):
                    key = aead.load_key(kek)
                    yield bytes(aead.unseal(key, sealed.wrapped_dek, context.aad(layer)))[-32:]

    def shares(self, context: SecretContext, sealed: SealedSecret) -> Iterator[Share]:
        for wrapped in sealed.wrapped_shares:
            for root in self.roots.values():
                with suppress(CustodyError):
                    encoded = root.unwrap(wrapped.blob, context.share_aad(wrapped.provider))
                    yield Share(encoded[1], encoded[2:])


def got(stored: VaultSecrets, loot: Loot) -> str:
    opened = {
        place
        for place, context in stored.contexts.items()
        if loot.opens(context, stored.sealings[place].sealed) == secret_at(place)
    }
    words = {
        frozenset[tuple[str, str]](): "nothing",
        frozenset({MINE}): "one version",
        frozenset({MINE, BESIDE}): "the vault",
        frozenset({MINE, BESIDE, ELSEWHERE}): "every vault",
    }
    return words[frozenset(opened)]


def by_clouds(stored: VaultSecrets, count: int) -> str:
    """What the clouds give that hurt most: of all choices the one that opens most."""
    outcomes = [
        got(stored, Loot({name: cloud(name) for name in chosen}))
        for chosen in combinations(NAMES, count)
    ]
    return max(outcomes, key=["nothing", "one version", "the vault", "every vault"].index)


def with_gcp_lying(stored: VaultSecrets) -> str:
    def lies(unwrapped: bytearray) -> bytearray:
        return unwrapped[:-1] + bytes((unwrapped[-1] ^ 1,))

    with clouds(gcp=LyingKms(cloud("gcp"), lies)) as some:
        return "reads go on" if stored.reads(some) else "reads stop"


def with_gcp_gone(stored: VaultSecrets) -> str:
    with clouds(gcp=cloud("a root that wrapped nothing")) as some:
        return "reads go on" if stored.reads(some) else "reads stop"


def the_key_of_main(stored: VaultSecrets) -> dict[str, bytes]:
    return {vault: kek for vault, kek in stored.keks.items() if vault == "main"}


def as_operator(stored: VaultSecrets) -> str:
    place = {"vault": MINE[0], "path": MINE[1]}
    with clouds() as sound:
        try:
            found = recover(
                vault_holders(sound, stored.mode),
                stored.contexts[MINE],
                stored.sealings[MINE].sealed,
                approval(envelope(order(**place))),
                Stream("a recovery"),
            )
        except RecoveryRefusedError:
            return got(stored, Loot())
    stored.sealings[MINE] = Sealing(found.sealed)
    share = Share(found.client_share[1], found.client_share[2:])
    assert got(stored, Loot(client_shares=[share])) == "nothing"
    return "the client's share of one version, by an order on record"


def as_client(stored: VaultSecrets) -> str:
    encoded = [each.client_share for each in stored.sealings.values() if each.client_share]
    return got(stored, Loot(client_shares=[Share(each[1], each[2:]) for each in encoded]))


STEALING = {
    "database": lambda stored: got(stored, Loot()),
    "one vault's KEK": lambda stored: got(stored, Loot(keks=the_key_of_main(stored))),
    "one secret's DEK": lambda stored: got(stored, Loot(deks=[stored.deks[MINE]])),
    "one cloud": lambda stored: by_clouds(stored, 1),
    "two clouds": lambda stored: by_clouds(stored, 2),
    "one provider seized": lambda stored: f"{by_clouds(stored, 1)}; {with_gcp_gone(stored)}",
    "one provider's supply chain": lambda stored: (
        f"{by_clouds(stored, 1)}; {with_gcp_lying(stored)}"
    ),
    "operator": as_operator,
    "client": as_client,
}


@pytest.mark.parametrize(("stolen", "mode", "cell"), CELLS, ids=[f"{m}-{s}" for s, m, _ in CELLS])
def test_stolen(stolen: str, mode: CustodyMode, cell: str) -> None:
    assert STEALING[stolen](VaultSecrets.of(mode)) == cell


def test_the_table_has_every_mode_and_every_theft() -> None:
    assert {(stolen, mode) for stolen, mode, _ in CELLS} == {
        (stolen, mode) for stolen in STEALING for mode in PLANS
    }


TOGETHER: list[tuple[CustodyMode, int]] = [
    ("2of2_client_custody", 1), ("2of3_client_custody", 1), ("2of3_multi_hsm_client", 2),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "count"), TOGETHER)
def test_what_the_page_says_opens_together_with_the_clients_shares_does(
    mode: CustodyMode, count: int
) -> None:
    """Positive control: this attacker finds the key where it can be found."""
    stored = VaultSecrets.of(mode)
    share = stored.sealings[MINE].client_share
    assert share is not None
    loot = Loot(client_shares=[Share(share[1], share[2:])])
    loot.roots = {name: cloud(name) for name in NAMES[: count - 1]}
    assert got(stored, loot) == "nothing"
    loot.roots = {name: cloud(name) for name in NAMES[:count]}
    assert got(stored, loot) == "one version"
