"""Waiting clients are notified of the ends of their intents, and of no other event."""

from queue import SimpleQueue
from typing import get_args

import orjson
import pytest

from schemas.ledger.audit import AuditAction, audited
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.registry.vault import Vault
from signer.keys.access import Allowed
from signer.keys.access_records import Use, access_record
from sixgate.answers.outcome_notifications import NoticeQueue, OutcomeNotifications

SUBJECT, OTHER = "0x" + "01" * 32, "0x" + "02" * 32


def use_of_a_secret() -> Outgoing:
    vault = Vault("treasury", "prod", "envelope")
    use = Use("request", "acme", vault, "db", 1, "get", "payroll", "local socket", 1)
    return access_record(use, Allowed())


def end_of(subject: str) -> Outgoing:
    return audited("intent.duplicate", "t/0/1", subject, OTHER, actor="signer", at_ms=1)


def test_a_secret_access_neither_ends_nor_breaks_a_wait() -> None:
    notices = OutcomeNotifications()
    watched: NoticeQueue = SimpleQueue()
    with notices.watching([SUBJECT], watched):
        notices.publish([use_of_a_secret()])
        assert watched.empty()
        notices.publish([use_of_a_secret(), end_of(SUBJECT)])
        ((name, _),) = watched.get_nowait()
        assert name == SUBJECT


@pytest.mark.parametrize("action", sorted({*get_args(AuditAction)} - {"intent.duplicate"}))
def test_no_audit_record_but_a_repetition_ends_a_wait(action: AuditAction) -> None:
    notices = OutcomeNotifications()
    watched: NoticeQueue = SimpleQueue()
    with notices.watching([SUBJECT], watched):
        notices.publish([audited(action, "t/0/1", SUBJECT, "why", actor="signer", at_ms=1)])
        assert watched.empty()


def test_a_forged_repetition_of_no_intent_neither_ends_nor_breaks_a_wait() -> None:
    notices = OutcomeNotifications()
    watched: NoticeQueue = SimpleQueue()
    members = {"action": "intent.duplicate", "subject": SUBJECT}
    with notices.watching([SUBJECT], watched):
        for forged in (members, members | {"detail": None}, members | {"detail": [OTHER]}):
            notices.publish([Outgoing(Topic.AUDIT, "t", orjson.dumps(forged))])
        assert watched.empty()


def test_each_client_is_woken_once_per_commit_and_only_by_the_names_it_watches() -> None:
    notices = OutcomeNotifications()
    first: NoticeQueue = SimpleQueue()
    second: NoticeQueue = SimpleQueue()
    with notices.watching([SUBJECT, SUBJECT], first):
        with notices.watching([OTHER], second) as watch:
            notices.publish([end_of(SUBJECT), end_of(OTHER)])
            assert [name for name, _ in second.get_nowait()] == [OTHER]
            watch.add(SUBJECT)
            notices.publish([end_of(OTHER), end_of(SUBJECT)])
            assert [name for name, _ in second.get_nowait()] == [OTHER, SUBJECT]
            assert second.empty()
        notices.publish([end_of(OTHER), end_of(SUBJECT)])
        assert second.empty()
        assert first.qsize() == 3
    notices.publish([end_of(SUBJECT)])
    assert first.qsize() == 3


def test_only_events_that_somebody_waits_for_are_verified_and_forged_ones_returned() -> None:
    notices, verified = OutcomeNotifications(), list[Outgoing]()
    watched: NoticeQueue = SimpleQueue()

    def is_authentic(event: Outgoing) -> bool:
        verified.append(event)
        return False

    assert notices.publish([end_of(SUBJECT)], is_authentic) == []
    with notices.watching([SUBJECT], watched):
        refused = notices.publish([end_of(OTHER), end_of(SUBJECT)], is_authentic)
        assert refused == verified == [end_of(SUBJECT)]
        assert watched.empty()
        assert notices.publish(refused) == []
        assert watched.qsize() == 1


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"[]", b"7", b'{"subject":7}', b"[" * 10_000])
@pytest.mark.parametrize("topic", [Topic.AUDIT, Topic.OUTCOMES, Topic.UNATTRIBUTED, Topic.SIGNED])
def test_garbage_wakes_nobody(topic: Topic, garbage: bytes) -> None:
    notices = OutcomeNotifications()
    watched: NoticeQueue = SimpleQueue()
    with notices.watching([SUBJECT], watched):
        assert notices.publish([Outgoing(topic, "", garbage)]) == []
        assert watched.empty()
