"""The audit says who did what from where, is verified with the ledger, and can be exported."""

import csv
import io
from typing import Any

import pytest

from sixgate.api.routes.audit import _cell
from tests.harness.api import Api


def events(api: Api, **query: Any) -> Any:
    reply = api.client.get("/v1/audit/events", params=query, headers=api.person)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_call_is_recorded_with_actor_address_and_time(api: Api) -> None:
    agent_id, _ = api.new_agent(tx_max_value_eth="0.5")
    found = events(api, action="agent.create", resource_id=f"agent:{agent_id}")
    (event,) = found["events"]
    assert found["total"] == 1
    assert event["actor_id"] == f"user:{api.person_id}"
    assert event["actor_type"] == "user"
    assert event["client_ip"] == event["ip_address"] == "testclient"
    assert event["timestamp"].endswith("Z")
    assert event["created_at"] == event["timestamp"]
    assert '"tx_max_value_eth": "0.5"' in event["details"]["detail"]
    assert len(event["integrity_hash"]) == 64


def test_the_audit_has_two_addresses(api: Api) -> None:
    query: dict[str, Any] = {"action": "agent.create", "limit": 1}
    short = api.client.get("/v1/audit", params=query, headers=api.person)
    assert (short.status_code, short.json()) == (200, events(api, **query))


def test_registry_records_and_calls_are_listed_newest_first(api: Api) -> None:
    listed = events(api)["events"]
    assert [e["sequence"] for e in listed] == sorted((e["sequence"] for e in listed), reverse=True)
    assert {"registry.org.created", "registry.agent.set"} <= {e["action"] for e in listed}


def test_pages_by_cursor_and_by_offset_agree(api: Api) -> None:
    api.new_agent()
    first = events(api, limit=2)
    assert first["count"] == 2
    by_cursor = events(api, limit=2, cursor=first["next_cursor"])
    by_offset = events(api, limit=2, offset=2)
    assert by_cursor["events"] == by_offset["events"]
    assert first["total"] == by_cursor["total"]


def test_filters_by_actor_and_time(api: Api) -> None:
    nobody = events(api, actor_id="user:nobody")
    assert (nobody["events"], nobody["total"]) == ([], 0)
    assert events(api, to="2020-01-01T00:00:00Z")["total"] == 0
    assert events(api, **{"from": "2020-01-01T00:00:00Z"})["total"] == events(api)["total"]
    quoted = events(api, action="' OR 1=1 --")
    assert quoted["total"] == 0


@pytest.mark.parametrize(
    "query", [{"from": "yesterday"}, {"cursor": "x"}, {"limit": "0"}, {"offset": "-1"}]
)
def test_a_wrong_query_is_refused(api: Api, query: dict[str, str]) -> None:
    reply = api.client.get("/v1/audit/events", params=query, headers=api.person)
    assert reply.status_code == 400


def test_the_audit_verifies(api: Api) -> None:
    reply = api.client.get("/v1/audit/verify", headers=api.person).json()
    assert reply["valid"] is True
    assert reply["checked"] > 0
    assert reply["chain_valid"] is True
    assert reply["events_checked"] == reply["events_verified"] == reply["checked"]
    assert reply["first_event_id"]
    none = {"to": "2020-01-01T00:00:00Z"}
    empty = api.client.get("/v1/audit/verify", params=none, headers=api.person).json()
    assert (empty["valid"], empty["checked"]) == (True, 0)


def test_the_audit_is_exported_as_json_and_csv(api: Api) -> None:
    total = events(api)["total"]
    as_json = api.client.get("/v1/audit/export", headers=api.person)
    assert len(as_json.json()["events"]) == total
    as_csv = api.client.get("/v1/audit/export?format=csv", headers=api.person)
    rows = list(csv.reader(io.StringIO(as_csv.text)))
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert len(rows) == total + 1
    assert rows[0][0] == "id"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_of_the_export_is_a_formula(text: str) -> None:
    assert str(_cell(text)).startswith("'")


def test_agents_read_no_audit(api: Api) -> None:
    _, headers = api.new_agent()
    for path in ("events", "verify", "export"):
        assert api.client.get(f"/v1/audit/{path}", headers=headers).status_code == 403


def test_evidence_is_bound_to_the_callers_nonce(api: Api) -> None:
    _, headers = api.new_agent()
    reply = api.client.get("/v1/attestation", params={"nonce": "ab" * 32}, headers=headers)
    assert reply.status_code == 200, reply.text
    short = api.client.get("/v1/attestation", params={"nonce": "ab"}, headers=headers)
    assert (short.status_code, short.json()["code"]) == (400, "nonce_malformed")


def test_changes_of_webhooks_are_recorded_without_the_receivers_token(api: Api) -> None:
    """A webhook sends every outcome to its receiver, so a thief would like to add one unseen."""
    body = {"url": "https://8.8.8.8/receiver-token", "events": ["agent.transaction.broadcast"]}
    made = api.client.post("/v1/webhooks", json=body, headers=api.person).json()
    path = f"/v1/webhooks/{made['id']}"
    api.client.patch(path, json={"is_active": False}, headers=api.person)
    api.client.post(f"{path}/replay", json={"after": 0}, headers=api.person)
    api.client.delete(path, headers=api.person)
    found = events(api, resource_id=f"webhook:{made['id']}")["events"]
    assert [event["action"].rpartition(".")[2] for event in found] == [
        "delete", "replay", "update", "create",
    ]  # fmt: skip
    assert {event["actor_id"] for event in found} == {f"user:{api.person_id}"}
    assert "8.8.8.8" in str(found)
    assert not {"receiver-token", made["secret"]} & set(str(found).replace("/", " ").split())
    assert "receiver-token" not in str(found)
