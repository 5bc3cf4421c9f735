"""The documented client notices a change of the ledger that its database cannot explain."""

from pathlib import Path

from tests.harness.api_server import data_of, served_api


def test_step_13_verification_names_the_first_changed_row(tmp_path: Path) -> None:
    with served_api(tmp_path / "data") as served:
        person = served.person
        data_of(person.agents.create("bot"), 201)
        before = data_of(person.audit.verify())
        assert before["valid"] is True
        newest = data_of(person.audit.list(action="agent.create"))["events"][0]["sequence"]
        ledger = served.api.services.backend.evidence.ledger().answers.audit.clickhouse
        change = "UPDATE body = replaceOne(body, 'agent', 'agenT')"
        ledger.command(
            f"ALTER TABLE ledger {change} WHERE seq = {newest} SETTINGS mutations_sync = 1"
        )
        after = data_of(person.audit.verify())
        assert (after["valid"], after["broken_at"]) == (False, newest)
        assert after["reason"]
