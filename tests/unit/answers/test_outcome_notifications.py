"""Who waits for an end is told of it, and of nothing else that is on record."""

from schemas.audit import audited
from schemas.record import Outgoing
from signer.access import Allowed
from signer.access_records import Use, access_record
from signer.vaults.vault import Vault
from sixgate.answers.outcome_notifications import OutcomeNotifications

SUBJECT = "0x" + "01" * 32


def use_of_a_secret() -> Outgoing:
    vault = Vault("treasury", "prod", "envelope")
    use = Use("request", "acme", vault, "db", 1, "get", "payroll", "local socket", 1)
    return access_record(use, Allowed())


def test_the_use_of_a_secret_ends_no_wait_and_breaks_none() -> None:
    notices = OutcomeNotifications()
    end = audited("record.refused", "t/0/1", SUBJECT, "why", actor="signer", at_ms=1)
    with notices.watching([SUBJECT]) as watch:
        notices.publish([use_of_a_secret()])
        assert watch.notices.empty()
        notices.publish([use_of_a_secret(), end])
        ((name, _),) = watch.notices.get_nowait()
        assert name == SUBJECT
