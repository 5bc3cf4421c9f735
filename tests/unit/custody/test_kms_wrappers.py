"""Rotated root keys, the HSM guard, and the journal of KMS calls."""

from dataclasses import dataclass, replace

import pytest

from schemas.ledger.audit import AuditRecord
from schemas.record import Outgoing
from signer.custody.context import Layer
from signer.custody.errors import (
    Cause,
    CorruptError,
    CustodyError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
    ProviderFailure,
)
from signer.custody.kms.hsm_guard import HsmGuardedKms
from signer.custody.kms.journal import JournaledKms, KmsJournal
from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import KeyState, KeyStatus, ProtectionLevel
from signer.custody.kms.roots import RotatedRoot
from signer.keys.custody_records import CustodyRecords
from signer.keys.vault_paths import VersionId
from tests.harness.builders.cases import NOW_MS, SIGNER
from tests.harness.builders.custody_material import HERE, OTHER_ROOT, root_kms
from tests.harness.builders.custody_providers import RaisingKms

KEY = b"k" * 32
AAD = HERE.vault_context.aad()
OLD, NEW = root_kms(), root_kms(OTHER_ROOT, "new")


def test_what_a_former_root_wrapped_opens_and_what_is_wrapped_is_under_the_current_one() -> None:
    both = RotatedRoot(NEW, (OLD,))
    assert both.unwrap(OLD.wrap(KEY, AAD), AAD) == KEY
    wrapped = both.wrap(KEY, AAD)
    assert NEW.unwrap(wrapped, AAD) == KEY
    with pytest.raises(KmsKeyNotFoundError):
        OLD.unwrap(wrapped, AAD)
    assert both.key_id == NEW.key_id


def test_what_no_root_wrapped_or_of_another_place_opens_under_none() -> None:
    both = RotatedRoot(NEW, (OLD,))
    with pytest.raises(KmsKeyNotFoundError):
        both.unwrap(root_kms(b"?" * 32).wrap(KEY, AAD), AAD)
    with pytest.raises(CorruptError):
        both.unwrap(NEW.wrap(KEY, AAD), HERE.aad(Layer.DEK))


def test_a_current_root_that_does_not_answer_is_no_reason_to_ask_a_former_one() -> None:
    former = RaisingKms(KmsKeyNotFoundError("no"))
    with pytest.raises(KmsUnavailableError):
        RotatedRoot(RaisingKms(KmsUnavailableError("no")), (former,)).unwrap(b"x", AAD)
    assert former.calls == 0


@dataclass
class Described:
    """A root that reports a given status."""

    inner: LocalKms
    status: KeyStatus | CustodyError
    asked: int = 0
    key_id: str = "cloud:key"

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return self.inner.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        return self.inner.unwrap(wrapped, context)

    def check(self) -> KeyStatus:
        self.asked += 1
        if isinstance(self.status, CustodyError):
            raise self.status
        return self.status


GUARDED = KeyStatus(KeyState.ENABLED, ProtectionLevel.HSM)


def test_a_key_that_no_hsm_guards_wraps_and_unwraps_nothing() -> None:
    kms = Described(root_kms(), replace(GUARDED, protection=ProtectionLevel.SOFTWARE))
    wrapped = kms.wrap(KEY, AAD)
    for call in (
        lambda: HsmGuardedKms(kms).wrap(KEY, AAD),
        lambda: HsmGuardedKms(kms).unwrap(wrapped, AAD),
    ):
        with pytest.raises(KmsKeyWeakError, match=r"cloud:key .*software"):
            call()


def test_the_protection_of_a_key_is_checked_once_and_again_after_no_answer() -> None:
    kms = Described(root_kms(), KmsUnavailableError("no"))
    guarded = HsmGuardedKms(kms)
    with pytest.raises(KmsUnavailableError):
        guarded.wrap(KEY, AAD)
    kms.status = GUARDED
    assert guarded.unwrap(guarded.wrap(KEY, AAD), AAD) == KEY
    assert kms.asked == 2


def audit_record(out: Outgoing) -> AuditRecord:
    return AuditRecord.decode(out.value)


def test_every_call_is_on_record_once_however_it_ended_and_shows_no_key() -> None:
    journal = KmsJournal(lambda: NOW_MS)
    records = CustodyRecords(SIGNER.keyid, "run-1", journal)
    kms = JournaledKms(root_kms(), journal)
    wrapped = kms.wrap(KEY, AAD)
    kms.unwrap(wrapped, AAD)
    kms.check()
    with pytest.raises(CorruptError):
        kms.unwrap(wrapped[:-1], AAD)
    events = records.records([], NOW_MS)
    details = [audit_record(event).detail for event in events]
    assert [detail.split(" by ")[0] for detail in details] == ["wrap", "unwrap", "check", "unwrap"]
    assert "failed, CorruptError" in details[3]
    assert HERE.vault in details[0]
    assert len({audit_record(event).id for event in events}) == 4
    assert {(audit_record(e).actor, audit_record(e).at_ms) for e in events} == {
        (SIGNER.keyid, NOW_MS)
    }
    assert not any(KEY.hex() in detail or wrapped.hex() in detail for detail in details)
    assert records.records([], NOW_MS) == []


def test_an_adapter_that_raises_what_it_promised_not_to_is_on_record_as_well() -> None:
    journal = KmsJournal(lambda: NOW_MS)
    kms = JournaledKms(Described(root_kms(), GUARDED), journal)
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        kms.wrap(b"", AAD)
    (call,) = journal.drain()
    assert call.failed == "ValueError"


def test_a_provider_that_failed_while_others_sufficed_is_on_record() -> None:
    records = CustodyRecords(SIGNER.keyid, "run-1", KmsJournal(lambda: NOW_MS))
    place = VersionId("fund", "main", "prod/db", 2)
    (event,) = records.records([(place, ProviderFailure("aws", Cause.LIED))], NOW_MS)
    assert audit_record(event).action == "provider.failed"
    assert "aws (lied)" in audit_record(event).detail
    assert "prod/db, version 2" in audit_record(event).detail


def test_two_lives_never_name_two_calls_alike() -> None:
    names = set()
    for life in ("one", "two"):
        journal = KmsJournal(lambda: NOW_MS)
        JournaledKms(root_kms(), journal).check()
        names |= {
            audit_record(e).id for e in CustodyRecords(SIGNER.keyid, life, journal).records([], 0)
        }
    assert len(names) == 2
