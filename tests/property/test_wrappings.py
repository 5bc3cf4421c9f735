"""The fold of wrappings against a model that keeps and replays the whole history."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import digest
from schemas.keys.vault_events import SecretRewrapped, VaultKeyChanged
from schemas.registry.custody import AGENT_KEYS
from signer.core.registry.vault import Vault
from signer.custody.envelope import SealedSecret
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.wrappings import WrappingError, Wrappings
from tests.harness.builders.cases import NOW_MS
from tests.harness.builders.vault_events import FUND, ordered

VAULT = Vault(FUND, AGENT_KEYS, "envelope")
ORDER = ordered()
ID = digest("test", b"")
HEADER: dict[str, Any] = {"id": ID, "account": FUND, "vault": AGENT_KEYS, "signer": "signer-1"}

blobs = st.integers(1, 6)
adds = st.tuples(st.just("add"), st.integers(1, 3), blobs)
changes = st.tuples(st.sampled_from(["kek", "root"]), st.integers(1, 4), blobs)
rewraps = st.tuples(st.just("rewrap"), st.integers(1, 3), st.integers(1, 3), blobs)
histories = st.lists(st.one_of(adds, changes, rewraps), max_size=25)


@dataclass
class Whole:
    """The model: every accepted event; each query reads all of them."""

    accepted: list[tuple[Any, ...]] = field(default_factory=list)

    def keks(self) -> list[list[int]]:
        """Return the wrappings of each KEK, the newest KEK last."""
        keks: list[list[int]] = []
        for kind, *rest in self.accepted:
            if (kind == "add" and not keks) or kind == "kek":
                keks.append([rest[1]])
            elif kind == "root":
                keks[-1].append(rest[1])
        return keks

    def version(self, number: int) -> tuple[int, int, int] | None:
        """Return a version's wrapped KEK, its wrapped DEK, and the number of wrappings."""
        found = None
        for kind, *rest in self.accepted:
            if kind == "add" and rest[0] == number:
                found = (rest[1], 0, 0)
            elif kind == "rewrap" and rest[0] == number and found:
                found = (rest[2], rest[1], found[2] + 1)
        return found

    def opens_under(self, number: int) -> int | None:
        """Return the newest wrapping of a version's KEK, which opens it."""
        found = self.version(number)
        return next((kek[-1] for kek in self.keks() if found and found[0] in kek), None)

    def outdated(self) -> list[int]:
        found = [(number, self.version(number)) for number in (1, 2, 3)]
        return [number for number, held in found if held and held[0] not in self.keks()[-1]]

    def takes(self, said: tuple[Any, ...]) -> bool:
        kind, keks = said[0], self.keks()
        if kind == "add":
            return self.version(said[1]) is None and (not keks or said[2] == keks[-1][-1])
        if kind == "rewrap":
            held = self.version(said[1])
            return held is not None and said[2] == held[2] + 1 and said[3] == keks[-1][-1]
        done = sum(kind in ("kek", "root") for kind, *_ in self.accepted)
        known = any(said[2] in kek for kek in keks)
        return bool(
            keks and said[1] == done + 1 and not known and (kind == "kek" or not self.outdated())
        )


def place(number: int) -> VersionId:
    return VersionId(FUND, AGENT_KEYS, f"keys/k{number}", 1)


def tell(wrappings: Wrappings, said: tuple[Any, ...]) -> None:
    match said:
        case ("add", number, blob):
            sealed = SealedSecret(bytes((blob,)), b"\0", bytes((number,)))
            wrappings.check_new(VAULT, place(number), sealed)
            wrappings.add(VAULT, place(number), sealed)
        case ("rewrap", number, sequence, blob):
            about = {"path": f"keys/k{number}", "version": 1, "rewrapped_at_ms": NOW_MS}
            blobs_ = {"wrapped_kek": f"0x0{blob}", "wrapped_dek": f"0x0{sequence}"}
            terms: dict[str, Any] = HEADER | about | blobs_ | {"sequence": sequence}
            wrappings.rewrap(VAULT, SecretRewrapped(**terms))
        case (kind, sequence, blob):
            about = {"change": kind, "request": ORDER, "kms_key": "k", "changed_at_ms": NOW_MS}
            terms = HEADER | about | {"sequence": sequence, "wrapped_kek": f"0x0{blob}"}
            wrappings.change_key(VAULT, VaultKeyChanged(**terms))


@given(histories)
def test_a_vault_equals_the_replay_of_its_history(history: list[tuple[Any, ...]]) -> None:
    whole, wrappings = Whole(), Wrappings()
    for said in history:
        wanted = whole.takes(said)
        try:
            tell(wrappings, said)
        except WrappingError:
            assert not wanted
        else:
            assert wanted
            whole.accepted.append(said)
    for number in (1, 2, 3):
        sealed, held = wrappings.sealed(place(number)), whole.version(number)
        assert (sealed is None) is (held is None)
        if sealed is not None and held is not None:
            assert sealed.ciphertext == bytes((number,))
            assert sealed.wrapped_kek == bytes((whole.opens_under(number) or 0,))
            assert sealed.wrapped_dek == bytes((held[1],))
    assert list(wrappings.outdated(VAULT.id)) == [place(number) for number in whole.outdated()]
