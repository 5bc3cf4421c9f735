"""Waiting clients are notified of the ends of their intents, and of no other event."""

from queue import SimpleQueue

from schemas.audit import audited
from schemas.record import Outgoing
from signer.access import Allowed
from signer.access_records import Use, access_record
from signer.vaults.vault import Vault
from sixgate.answers.outcome_notifications import NoticeQueue, OutcomeNotifications

SUBJECT = "0x" + "01" * 32


def use_of_a_secret() -> Outgoing:
    vault = Vault("treasury", "prod", "envelope")
    use = Use("request", "acme", vault, "db", 1, "get", "payroll", "local socket", 1)
    return access_record(use, Allowed())


def test_a_secret_access_neither_ends_nor_breaks_a_wait() -> None:
    notices = OutcomeNotifications()
    end = audited("record.refused", "t/0/1", SUBJECT, "why", actor="signer", at_ms=1)
    watched: NoticeQueue = SimpleQueue()
    with notices.watching([SUBJECT], watched):
        notices.publish([use_of_a_secret()])
        assert watched.empty()
        notices.publish([use_of_a_secret(), end])
        ((name, _),) = watched.get_nowait()
        assert name == SUBJECT
