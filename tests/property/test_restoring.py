"""Restoring against a model: a vault grows to the backup's history or stays unchanged."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.vault_backup import (
    BackedUpVault,
    Backup,
    BackupError,
    BackupHeader,
    backup_lines,
    read_backup,
)
from schemas.keys.vault_events import SecretOrder, VaultKeyOrder
from schemas.registry.records import VaultCreated
from signer.core.registry.registry import Registry
from signer.custody.sealing import Holders
from signer.keys.register import VaultRegister
from signer.keys.vaults.rotation import Rotation
from signer.keys.vaults.secret_sealing import SecretSealing
from sixgate.operate.restoration import RestoreError, VaultEventError, missing_events, vault_lines
from tests.harness.builders.cases import ACCOUNT, ADMIN, NOW_MS, ORG, SIGNER, registered
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.custody_providers import clouds

VAULTS = ("one", "two")
LENGTH = 5
counts = st.tuples(*(st.integers(0, LENGTH) for _ in VAULTS))


@cache
def organisation() -> Registry:
    return registered(*(VaultCreated(account=ACCOUNT, vault=name) for name in VAULTS))[1]


@cache
def history(vault: str) -> tuple[bytes, ...]:
    """Return a vault's events: two secrets, a new version, a new key, a rewrapping."""
    registry, said = organisation(), VaultRegister()
    with clouds() as some:
        keeper = SecretSealing(registry, said.secrets, Holders(some.root, ()), Stream(vault))
        return tuple(_said(keeper, said, vault))


def _said(keeper: SecretSealing, said: VaultRegister, vault: str) -> Iterator[bytes]:
    registry = keeper.registry
    for path, version in (("a", 1), ("b", 1), ("a", 2)):
        order = SecretOrder(
            org=ORG,
            account=ACCOUNT,
            vault=vault,
            path=path,
            version=version,
            kind="note",
            requested_at_ms=NOW_MS,
            registry_sequence=0,
        )
        request = ADMIN.sign_envelope(VAULT_ORDER_TYPE, order.encode())
        yield _taken(keeper.seal(request, b"value", SIGNER.keyid, NOW_MS), said, registry)
    change = VaultKeyOrder(
        org=ORG,
        account=ACCOUNT,
        vault=vault,
        change="kek",
        sequence=1,
        requested_at_ms=NOW_MS,
        registry_sequence=0,
    )
    place, root = registry.vaults[ACCOUNT, vault], keeper.holders.root
    rotation = Rotation(ORG, place, said.secrets.wrappings, SIGNER.keyid, NOW_MS)
    request = ADMIN.sign_envelope(VAULT_ORDER_TYPE, change.encode())
    yield _taken(rotation.change_key(request, root, root, Stream("kek")), said, registry)
    for event in rotation.rewrap_outdated(root, Stream("rewrap")):
        yield _taken(event, said, registry)
        return


def _taken(event: object, said: VaultRegister, registry: Registry) -> bytes:
    raw = SIGNER.sign_event(event)  # type: ignore[arg-type]  # each is a signer's event
    said.load(raw, registry)
    return raw


def log_of(lengths: tuple[int, ...], mixed: list[int]) -> list[bytes]:
    """Return the beginnings of both vaults' histories, interleaved."""
    left = {vault: list(history(vault)[:n]) for vault, n in zip(VAULTS, lengths, strict=True)}
    mixing = iter(mixed)
    log: list[bytes] = []
    while any(left.values()):
        open_vaults = [vault for vault in VAULTS if left[vault]]
        log.append(left[open_vaults[next(mixing, 0) % len(open_vaults)]].pop(0))
    return log


def backup_of(events: list[bytes], org: str = ORG, **vault: str) -> Backup:
    """Write and read a backup."""
    terms = {"account": ACCOUNT, "vault": "one", "mode": "envelope"} | vault
    backed_up = (BackedUpVault(**terms),) if events else ()  # type: ignore[arg-type]
    header = BackupHeader(org=org, made_at_ms=NOW_MS, events=len(events), vaults=backed_up)
    return read_backup(list(backup_lines(header, events)))


def per_vault(events: list[bytes]) -> dict[str, list[bytes]]:
    lines = vault_lines(events)
    return {name: [line.raw for line in lines if line.vault_id[1] == name] for name in VAULTS}


@given(there=counts, saved=counts, mixed=st.lists(st.integers(0, 1), max_size=2 * LENGTH))
def test_the_log_grows_to_the_backup_or_stays_unchanged(
    there: tuple[int, ...], saved: tuple[int, ...], mixed: list[int]
) -> None:
    registry, log = organisation(), log_of(there, mixed)
    backup = backup_of(log_of(saved, mixed[::-1]))
    # A vault that is not in the backup is left unchanged.
    if any(0 < has < is_there for is_there, has in zip(there, saved, strict=True)):
        with pytest.raises(RestoreError, match="older"):
            missing_events(backup, log, registry)
        return
    restored = log + [line.raw for line in missing_events(backup, log, registry)]
    after = tuple(max(pair) for pair in zip(there, saved, strict=True))
    assert {name: len(found) for name, found in per_vault(restored).items()} == dict(
        zip(VAULTS, after, strict=True)
    )
    assert all(
        tuple(found) == history(name)[: len(found)] for name, found in per_vault(restored).items()
    )
    assert restored[: len(log)] == log
    assert missing_events(backup, restored, registry) == []


@given(cut=st.integers(0), flip=st.integers(0), bit=st.integers(0, 7))
def test_a_truncated_or_changed_file_is_refused(cut: int, flip: int, bit: int) -> None:
    events = log_of((LENGTH, LENGTH), [])
    header = BackupHeader(org=ORG, made_at_ms=NOW_MS, events=len(events), vaults=())
    whole = b"".join(backup_lines(header, events))
    assert read_backup(whole.splitlines(keepends=True)).events == tuple(events)
    changed = bytearray(whole)
    changed[flip % len(whole)] ^= 1 << bit
    for wrong in (whole[: cut % len(whole)], bytes(changed), whole + b"\n", whole + whole):
        with pytest.raises(BackupError):
            read_backup(wrong.splitlines(keepends=True))


def test_a_file_without_its_last_byte_is_reported_as_truncated() -> None:
    header = BackupHeader(org=ORG, made_at_ms=NOW_MS, events=0, vaults=())
    whole = b"".join(backup_lines(header, ()))
    with pytest.raises(BackupError, match="another copy"):
        read_backup(whole[:-1].splitlines(keepends=True))


@pytest.mark.parametrize(
    ("backup", "why"),
    [
        (backup_of([], org="other"), "backup of other"),
        (backup_of([b"{}"], mode="2of2_client_custody"), "2of2_client_custody"),
        (backup_of([b"{}"], vault="none"), "vault none"),
        (backup_of([b"{}"]), " event"),
        (backup_of([b'{"account":"treasury","type":"secret.stored"}']), r"secret\.stored\.id"),
    ],
)
def test_a_backup_of_another_organisation_vault_or_mode_is_refused(
    backup: Backup, why: str
) -> None:
    with pytest.raises(RestoreError, match=why):
        missing_events(backup, [], organisation())


DEEP = b"[" * 1_000 + b"]" * 1_000
FOREIGN = [
    b"",
    b"\xff",
    b"[]",
    b'{"account":1,"type":"x"}',
    b'{"account":"a","type":"key.provisioned"}',
    b'{"account":"a",\n"type":"x"}',  # would take two lines of the file
    b'{"account":%s,"type":"x"}' % DEEP,
]


@pytest.mark.parametrize("record", FOREIGN)
def test_records_that_are_no_signers_events_are_neither_saved_nor_restored_upon(
    record: bytes,
) -> None:
    with pytest.raises(VaultEventError):
        vault_lines([record])
    with pytest.raises(VaultEventError):
        missing_events(backup_of([]), [record], organisation())


def test_a_backup_with_a_diverging_history_is_refused() -> None:
    one, *_, last = history("one")
    with pytest.raises(RestoreError, match="nothing is restored"):
        missing_events(backup_of([last, one]), [one], organisation())
    forged = [*history("one")[:2], history("one")[2].replace(b'"version":2', b'"version":3')]
    with pytest.raises(RestoreError, match="not signed"):
        missing_events(backup_of(forged), [], organisation())
