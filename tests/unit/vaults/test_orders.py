"""Vault orders are answered by the signer, once, if their author may give them."""

import copy
from dataclasses import replace

import pytest

from schemas.keys.key_events import KeyRequest
from schemas.keys.secret_access import AccessReason, SecretAccess
from schemas.keys.vault_events import SecretRewrapped, VaultKeyChanged
from schemas.ledger.audit import AuditRecord
from schemas.registry.access import Grant
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.registry.records import AccessSet, VaultCreated
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import SealedSecret
from signer.custody.errors import KmsUnavailableError
from signer.custody.order_validity import AHEAD_MS_MAX
from signer.custody.sealing import Holders
from signer.keys.custody_maintenance import RETRY_MS
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.order_execution import STUCK_MS
from sixgate.api import ApiError
from sixgate.backends.orders import check_vault_order
from tests.harness.builders.cases import ACCOUNT, AGENT, ALICE, MALLORY, NOW_MS
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.custody_providers import MODES, RaisingKms
from tests.harness.builders.order_executor import (
    OTHER_IMPORT_KEY,
    OrderExecutor,
    fresh,
    load,
    registry_records,
    seen_by,
    terms,
    vault_records,
    why,
)
from tests.harness.builders.secret_vaults import VALUE
from tests.harness.builders.vault_orders import (
    executor,
    generate,
    opened,
    put,
    rotate,
    seen_by_vault,
    stored_event,
)

WRITES = Grant(effect="allow", vault="main", paths="prod/**", rights=("write",))


@pytest.mark.parametrize("mode", MODES)
def test_a_value_is_stored_and_opens_in_every_mode(mode: CustodyMode) -> None:
    with executor(mode) as one:
        share_for = FOR_CLIENT if PLANS[mode].needs_client else None
        raw = put(share_for=share_for)
        event = stored_event(one.send(raw))
        assert opened(one, event) == VALUE
        assert VALUE.hex().encode() not in event.encode()
        assert VALUE.hex().encode() not in raw


@pytest.mark.parametrize("kind", ["password", "api_key", "private_key", "ssh_key"])
def test_an_order_without_a_value_generates_one(kind: str) -> None:
    with executor() as one:
        events = [stored_event(one.send(generate(kind=kind, path=f"prod/{n}"))) for n in (1, 2)]
        assert all(event.generated for event in events)
        assert opened(one, events[0]) != opened(one, events[1])


def test_a_repeated_order_returns_its_first_answer() -> None:
    with executor() as one:
        for raw in (put(), rotate()):
            assert one.send(raw) == one.send(raw)
        assert one.register.count == 2


def test_a_start_folds_all_events_and_resumes() -> None:
    with executor() as one:
        one.order(KeyRequest(**terms()))
        for raw in (put(), put(b"new", version=2), rotate(), rotate(2), rotate(vault=AGENT_KEYS)):
            one.send(raw)
        while published := one.operations.maintenance.rewrap(NOW_MS):
            one.vault.extend(published)
        again = fresh(one)
        load(again, registry_records(one), vault_records(one), seen_by(one))
        assert again.vault.digest() == one.register.digest()
        assert again.vault == one.register
        again.keychain.close()


@pytest.mark.parametrize("done", range(4))
def test_a_rotation_killed_after_any_event_continues_and_repeats_nothing(done: int) -> None:
    with executor() as one:
        for number in range(3):
            one.send(put(path=f"prod/{number}"))
        changed = one.send(rotate())
        assert VaultKeyChanged.decode(changed.value).sequence == 1
        one.vault.extend(one.operations.maintenance.rewrap(NOW_MS)[:done])
        later = fresh(one)
        load(later, registry_records(one), vault_records(one), seen_by_vault(one))
        rest = later.maintenance.rewrap(NOW_MS)
        assert len(rest) == 3 - done
        assert {SecretRewrapped.decode(each.value).sequence for each in rest} <= {1}
        assert later.maintenance.rewrap(NOW_MS) == []
        events = [event for events in later.vault.secrets.versions.values() for event in events]
        for event in events:
            assert bytes(later.vaults.secret_sealing.open(event).secret) == VALUE
        later.keychain.close()


def test_a_rotation_is_carried_on_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.keys.custody_maintenance.REWRAPS_MAX", 2)
    with executor() as one:
        for number in range(5):
            one.send(put(path=f"prod/{number}"))
        one.send(rotate())
        portions = [len(one.operations.maintenance.rewrap(NOW_MS)) for _ in range(4)]
        assert portions == [2, 2, 1, 0]
        assert not list(one.register.secrets.wrappings.outdated((ACCOUNT, "main")))


def test_a_rotation_waits_for_an_unavailable_root_and_reports_it() -> None:
    with executor() as one:
        one.send(put())
        one.send(rotate())
        vaults, sound = one.operations.vaults, one.operations.vaults.holders
        vaults.holders = Holders(RaisingKms(KmsUnavailableError("no answer")))
        (refused,) = one.operations.maintenance.rewrap(NOW_MS)
        assert AuditRecord.decode(refused.value).action == "rewrap.failed"
        vaults.holders = sound
        assert one.operations.maintenance.rewrap(NOW_MS + RETRY_MS - 1) == []
        (published,) = one.operations.maintenance.rewrap(NOW_MS + RETRY_MS)
        assert published.topic is Topic.VAULT


def damage(one: OrderExecutor, place: VersionId, sealed: SealedSecret) -> SealedSecret:
    """Replace the wrapping of a version, and return the former one."""
    versions = one.register.secrets.wrappings.versions
    before = versions[place].sealed
    versions[place] = replace(versions[place], sealed=sealed)
    return before


@pytest.mark.parametrize("broken", ["data key", "former key"])
def test_a_version_that_does_not_open_keeps_no_other_and_no_other_vault_behind(broken: str) -> None:
    with executor() as one:
        one.registry.apply(one.operator.write(VaultCreated(account=ACCOUNT, vault="side")))
        for number in range(3):
            one.send(put(path=f"prod/{number}"))
        one.send(put(vault="side"))
        place = VersionId(ACCOUNT, "main", "prod/0", 1)
        sound = one.register.secrets.wrappings.versions[place].sealed
        if broken == "data key":
            damage(one, place, replace(sound, wrapped_dek=sound.wrapped_dek[:-1] + b"x"))
        else:
            key = one.register.secrets.wrappings.keys[ACCOUNT, "main"]
            key.newest[1] = sound.wrapped_kek[:-1] + b"x"
        for vault in ("main", "side"):
            one.send(rotate(vault=vault))
        published = [each for _ in range(4) for each in one.operations.maintenance.rewrap(NOW_MS)]
        moved = {SecretRewrapped.decode(s.value).path for s in published if s.topic is Topic.VAULT}
        stuck = [AuditRecord.decode(s.value) for s in published if s.topic is Topic.AUDIT]
        count = 1 if broken == "data key" else 3
        assert moved == {"prod/db"} | ({"prod/1", "prod/2"} if count == 1 else set())
        assert len(stuck) == count
        assert len({record.id for record in stuck}) == count
        assert all(record.action == "rewrap.failed" for record in stuck)
        assert "prod/0, version 1, in main of treasury" in stuck[0].detail
        assert one.operations.maintenance.rewrap(NOW_MS + STUCK_MS - 1) == []
        if broken == "data key":
            damage(one, place, sound)
        else:
            key.newest[1] = sound.wrapped_kek
            one.register.secrets.wrappings.keys[ACCOUNT, "main"].newest[1] = sound.wrapped_kek
        assert len(one.operations.maintenance.rewrap(NOW_MS + STUCK_MS)) == count
        assert not list(one.register.secrets.wrappings.outdated((ACCOUNT, "main")))


def test_every_order_about_a_secret_is_on_record() -> None:
    with executor("envelope", WRITES) as one:
        one.send(put())
        one.send(put(by=ALICE, agent=AGENT, version=2))
        (record,) = one.records
        access = SecretAccess.decode(record.value)
        assert (access.actor, access.operation, access.allowed) == (AGENT, "rotate", True)
        assert (access.path, access.version, access.at_ms) == ("prod/db", 2, NOW_MS)


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        ((), AccessReason.NOT_GRANTED),
        (
            (WRITES, Grant(effect="deny", vault="*", paths="**", rights=("write",))),
            AccessReason.ACCESS_DENIED,
        ),
        ((WRITES.model_copy(update={"paths": "dev/**"}),), AccessReason.NOT_GRANTED),
    ],
)
def test_an_agent_stores_nothing_where_no_grant_lets_it_and_that_is_on_record(
    grants: tuple[Grant, ...], reason: AccessReason
) -> None:
    with executor("envelope", *grants) as one:
        published = one.send(put(by=ALICE, agent=AGENT))
        access = SecretAccess.decode(published.value)
        assert (access.allowed, access.reason, access.actor) == (False, reason, AGENT)
        assert one.register.count == 0


def test_a_refused_order_repeated_once_allowed_gets_a_record_of_its_own() -> None:
    with executor() as one:
        raw = put(by=ALICE, agent=AGENT)
        refused = SecretAccess.decode(one.send(raw).value)
        one.registry.apply(one.operator.write(AccessSet(agent=AGENT, grants=(WRITES,))))
        stored_event(one.send(raw))
        (record,) = one.records
        allowed = SecretAccess.decode(record.value)
        assert (refused.allowed, allowed.allowed) == (False, True)
        assert refused.id != allowed.id


@pytest.mark.parametrize(
    "raw",
    [
        put(by=ALICE, agent=AGENT, version=1),
        put(by=ALICE, agent=AGENT, version=9),
        put(by=ALICE, agent=AGENT, version=2, kind="note"),
        put(by=ALICE, agent=AGENT, version=2, share_for=FOR_CLIENT),
    ],
)
def test_the_api_reveals_nothing_to_an_agent_without_a_grant(raw: bytes) -> None:
    with executor() as one:
        one.send(put())
        ordered = check_vault_order(raw, one.registry, one.register)
        assert ordered.account == ACCOUNT
        access = SecretAccess.decode(one.send(raw).value)
        assert (access.allowed, access.reason) == (False, AccessReason.NOT_GRANTED)


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        (put(by=MALLORY), "signed"),
        (put(by=ALICE), "signed"),
        (put(by=MALLORY, agent=AGENT), "signed"),
        (put(by=MALLORY, agent="nobody"), "signed"),
        (rotate(by=ALICE), "signed"),
        (put(org="other"), "vault main"),
        (put(vault="unknown"), "vault unknown"),
        (put(vault=AGENT_KEYS), "only signing keys"),
        (put(version=2), "version 2 of"),
        (put(share_for=FOR_CLIENT), "client's public key"),
        (put(recipient=OTHER_IMPORT_KEY.public_key), "does not open"),
        (put(box="0xdead"), "box does not have the digest"),
        (generate(box="0x" + "bb" * 32), "without the box"),
        (put(requested_at_ms=NOW_MS + AHEAD_MS_MAX + 1), "from the future"),
        (rotate(), "not about the key"),
    ],
)
def test_an_impossible_or_unauthenticated_order_changes_nothing(raw: bytes, because: str) -> None:
    with executor() as one:
        before = copy.deepcopy(one.register)
        assert because in why(one.send(raw))
        assert one.register == before


@pytest.mark.parametrize(("bound", "most"), [("BYTES", 140), ("VERSIONS", 2)])
def test_a_vault_that_is_full_takes_nothing_more_and_opens_all_the_same(
    bound: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with executor("envelope", WRITES) as one:
        one.registry.apply(one.operator.write(VaultCreated(account=ACCOUNT, vault="side")))
        monkeypatch.setattr(f"signer.keys.vaults.secret_register.VAULT_{bound}_MAX", most)
        events = [stored_event(one.send(put(by=ALICE, agent=AGENT, version=n))) for n in (1, 2)]
        raw = put(by=ALICE, agent=AGENT, version=3)
        assert "main of treasury is full, with 2 versions" in why(one.send(raw))
        with pytest.raises(ApiError, match="full, with 2 versions in 114 bytes"):
            check_vault_order(raw, one.registry, one.register)
        assert stored_event(one.send(put(vault="side")))
        monkeypatch.setattr(f"signer.keys.vaults.secret_register.VAULT_{bound}_MAX", 0)
        again = fresh(one)
        load(again, registry_records(one), vault_records(one), seen_by(one))
        assert again.vault == one.register
        assert all(opened(one, event) == VALUE for event in events)
        again.keychain.close()
