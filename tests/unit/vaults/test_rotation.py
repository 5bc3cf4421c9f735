"""A vault's keys are rotated with real custody and killed anywhere; every key keeps signing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.key_events import KeyRequest, KeyRotation
from schemas.keys.vault_events import KeyChange, VaultKeyOrder
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from signer.custody.errors import CustodyError, KmsUnavailableError
from signer.custody.kms.port import RootKms
from signer.custody.sealing import Holders
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.rotation import Rotation
from tests.harness.builders.cases import ADMIN, NOW_MS, ORG, SIGNER
from tests.harness.builders.custody_client import DIGEST, Fund, fund
from tests.harness.builders.custody_material import OTHER_ROOT, FailingKms, Stream, root_kms
from tests.harness.builders.order_executor import vault_records
from tests.harness.builders.vault_events import FUND

PATHS = ("keys/a", "keys/b", "wallets/c")
PLACE = (FUND, AGENT_KEYS)
WITH_KEK: tuple[CustodyMode, ...] = ("envelope", "2of2_client_custody")


def order(change: KeyChange, sequence: int = 1) -> Envelope:
    asked = VaultKeyOrder(
        org=ORG,
        account=FUND,
        vault=AGENT_KEYS,
        change=change,
        sequence=sequence,
        requested_at_ms=NOW_MS,
        registry_sequence=0,
    )
    return ADMIN.sign_envelope(VAULT_ORDER_TYPE, asked.encode())


def rotation(one: Fund) -> Rotation:
    vault = one.executor.registry.vaults[PLACE]
    return Rotation(ORG, vault, one.executor.keys.wrappings, SIGNER.keyid, NOW_MS)


def change(one: Fund, kind: KeyChange, sequence: int = 1, new: RootKms | None = None) -> None:
    root = one.clouds.root
    made = rotation(one).change_key(order(kind, sequence), root, new or root, Stream(f"{kind}"))
    one.executor.register.load(SIGNER.sign_event(made), one.executor.registry)


def finish(one: Fund, steps: int | None = None, root: RootKms | None = None) -> None:
    """Rewrap outdated versions, and die after so many steps."""
    events = rotation(one).rewrap_outdated(root or one.clouds.root, Stream("rewrap"))
    for event in [event for event, _ in zip(events, range(steps or 99), strict=False)]:
        one.executor.register.load(SIGNER.sign_event(event), one.executor.registry)


def all_sign(one: Fund) -> None:
    one.executor.keychain.close()
    for key in one.executor.keys.all():
        assert len(one.executor.keychain.use(key).sign(DIGEST)) == 65


@contextmanager
def stocked(mode: CustodyMode = "envelope") -> Iterator[Fund]:
    with fund(mode) as one:
        for path in PATHS:
            one.give(KeyRequest, path=path)
        yield one


@pytest.mark.parametrize("steps", range(len(PATHS) + 1))
def test_an_interrupted_kek_rotation_loses_nothing_and_continues(steps: int) -> None:
    with stocked() as one:
        change(one, "kek")
        if steps:
            finish(one, steps)
        all_sign(one)
        assert len(list(one.executor.keys.wrappings.outdated(PLACE))) == len(PATHS) - steps
        finish(one)
        all_sign(one)
        assert not list(one.executor.keys.wrappings.outdated(PLACE))
        assert not list(rotation(one).rewrap_outdated(one.clouds.root, Stream()))


def test_new_versions_in_the_middle_of_a_rotation_are_under_the_new_kek() -> None:
    with stocked() as one:
        change(one, "kek")
        one.give(KeyRotation, path=PATHS[0], version=1)
        behind = list(one.executor.keys.wrappings.outdated(PLACE))
        assert VersionId(*PLACE, PATHS[0], 2) not in behind
        finish(one)
        all_sign(one)


def test_a_root_rotation_re_wraps_the_kek_alone() -> None:
    with stocked() as one:
        new, before = root_kms(OTHER_ROOT, "new root"), dict(one.executor.keys.wrappings.versions)
        change(one, "root", new=new)
        assert one.executor.keys.wrappings.versions == before
        with pytest.raises(CustodyError):
            all_sign(one)  # the old root has nothing to open any more
        one.executor.keychain._holders = Holders(new)  # noqa: SLF001 - a restart with new settings
        all_sign(one)


@pytest.mark.parametrize("mode", WITH_KEK)
def test_a_rotation_needs_no_client_and_opens_no_secret(mode: CustodyMode) -> None:
    with stocked(mode) as one:
        before = {
            place: held.sealed for place, held in one.executor.keys.wrappings.versions.items()
        }
        change(one, "kek")
        finish(one)
        for place, held in one.executor.keys.wrappings.versions.items():
            assert held.sealed.ciphertext == before[place].ciphertext
            assert held.sealed.wrapped_dek != before[place].wrapped_dek
            assert held.sequence == 1


@pytest.mark.parametrize("call", range(1, 6))
def test_a_root_that_fails_in_a_rotation_changes_only_what_events_say(call: int) -> None:
    with stocked() as one:
        down = FailingKms(root_kms(), KmsUnavailableError("no answer"), call)
        made = None
        try:
            made = rotation(one).change_key(order("kek"), down, down, Stream("kek"))
            one.executor.register.load(SIGNER.sign_event(made), one.executor.registry)
            finish(one, root=down)
        except KmsUnavailableError:
            pass
        all_sign(one)
        if made is None:
            change(one, "kek")
        finish(one)
        all_sign(one)


def test_an_order_that_is_not_the_next_is_refused() -> None:
    with stocked() as one:
        for wrong in (order("kek", 2), order("root", 2)):
            with pytest.raises(KeyOrderError, match=r"\b0\b"):
                rotation(one).change_key(wrong, one.clouds.root, one.clouds.root, Stream())
        change(one, "kek")
        with pytest.raises(KeyOrderError, match=r"\b1\b"):
            change(one, "kek")
        with pytest.raises(KeyOrderError, match=r"former key.*rotation"):
            change(one, "root", 2)


def test_every_reader_of_the_events_of_a_rotation_gets_the_same_vault() -> None:
    with stocked() as one:
        vault = one.executor.registry.vaults[PLACE]
        published = [record.value for record in vault_records(one.executor)]
        for sequence in (1, 2):
            here = Rotation(ORG, vault, one.executor.keys.wrappings, SIGNER.keyid, NOW_MS)
            root = one.clouds.root
            made = here.change_key(order("kek", sequence), root, root, Stream(f"{sequence}"))
            published.append(SIGNER.sign_event(made))
            one.executor.register.load(published[-1], one.executor.registry)
            for event in list(here.rewrap_outdated(root, Stream(f"rewrap {sequence}"))):
                published.append(SIGNER.sign_event(event))
                one.executor.register.load(published[-1], one.executor.registry)
        again = VaultRegister()
        for raw in published:
            again.load(raw, one.executor.registry)
        assert again.digest() == one.executor.register.digest()
        assert again == one.executor.register
