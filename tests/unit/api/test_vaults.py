"""Vaults over HTTP: creation, custody modes, visibility, deletion."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.api import Api
from tests.harness.api_agents import Session, token_agent

MODES = ("2of2_client_custody", "2of3_multi_hsm", "2of3_client_custody", "2of3_multi_hsm_client")


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


@pytest.fixture(scope="module")
def stranger(person: Session) -> Session:
    """An agent without any grant."""
    return Session(person.api, token_agent(person.api)[1])


def test_a_new_vault_has_no_custody_mode_and_is_not_registered(person: Session) -> None:
    reply = person.send("POST", "/vaults", {"name": "prod", "description": "for production"})
    made = reply.json()
    assert (reply.status_code, made["name"], made["description"]) == (201, "prod", "for production")
    assert (made["mpc_custody"], made["mpc_threshold"], made["kek_id"]) == (None, None, None)
    assert made["is_system"] is False
    registered = person.api.services.backend.read.registered
    assert ("main", made["id"]) not in registered.vaults
    got = person.send("GET", f"/vaults/{made['id']}")
    assert (got.status_code, got.json()) == (200, made)


def test_its_first_secret_registers_a_vault_with_the_default_mode(person: Session) -> None:
    vault = person.vault()
    assert person.put(vault, "x", "value").status_code == 201
    assert person.api.services.backend.read.registered.vaults["main", vault].mode == "envelope"
    late = person.send("POST", f"/vaults/{vault}/mpc", {"custody_mode": MODES[1]})
    assert (late.status_code, late.json()["code"]) == (409, "vault_not_empty")


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_chosen_once_and_only_client_custody_gives_shares(
    person: Session, mode: str
) -> None:
    vault = person.vault()
    chosen = person.send("POST", f"/vaults/{vault}/mpc", {"custody_mode": mode})
    assert (chosen.status_code, chosen.json()["mpc_custody"]) == (200, mode)
    assert chosen.json()["mpc_threshold"] == 2
    for again in (mode, MODES[0], MODES[1]):
        reply = person.send("POST", f"/vaults/{vault}/mpc", {"custody_mode": again})
        assert (reply.status_code, reply.json()["code"]) == (409, "custody_already_set")
    assert ("client_share" in person.put(vault, "x", "value").json()) is ("client" in mode)


def test_a_mode_may_have_the_name_that_a_vault_shows(person: Session) -> None:
    path = f"/vaults/{person.vault()}/mpc"
    both = person.send("POST", path, {"custody_mode": MODES[0], "mpc_custody": MODES[1]})
    assert (both.status_code, both.json()["code"]) == (400, "validation")
    chosen = person.send("POST", path, {"mpc_custody": MODES[0]})
    assert (chosen.status_code, chosen.json()["mpc_custody"]) == (200, MODES[0])


def test_a_mode_can_be_chosen_at_creation(person: Session) -> None:
    vault = person.vault(mpc_custody="2of3_multi_hsm")
    made = person.send("GET", f"/vaults/{vault}").json()
    assert made["mpc_custody"] == "2of3_multi_hsm"
    assert made["mpc_providers"] == ["gcp", "aws", "azure"]


def test_providers_are_named_or_refused(person: Session) -> None:
    path = f"/vaults/{person.vault()}/mpc"
    body = {"custody_mode": "2of2_client_custody", "providers": ["gcp"]}
    wrong = person.send("POST", path, body)
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["providers"])
    body = {"custody_mode": "2of3_client_custody", "providers": ["azure", "gcp"]}
    assert person.send("POST", path, body).json()["mpc_providers"] == ["azure", "gcp"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"custody_mode": "envelope"}, "custody_mode"),
        ({"custody_mode": "3of5"}, "custody_mode"),
        ({}, "custody_mode"),
        ({"custody_mode": "2of3_multi_hsm", "threshold": 3}, "threshold"),
    ],
)
def test_an_unknown_mode_or_member_is_refused(
    person: Session, body: dict[str, Any], field: str
) -> None:
    reply = person.send("POST", f"/vaults/{person.vault()}/mpc", body)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, [field])


def test_of_a_mode_and_a_first_secret_at_once_one_wins_and_both_answer(person: Session) -> None:
    for _ in range(3):
        vault = person.vault()
        body = {"custody_mode": "2of3_client_custody"}
        with ThreadPoolExecutor(2) as pool:
            chosen = pool.submit(person.send, "POST", f"/vaults/{vault}/mpc", body)
            secret = pool.submit(person.put, vault, "x", "value")
        assert secret.result().status_code == 201
        assert chosen.result().status_code in {200, 409}
        shared = "client_share" in secret.result().json()
        assert shared is (chosen.result().status_code == 200)


def test_vaults_are_listed_newest_first_in_pages_with_system_vaults_last(person: Session) -> None:
    first, second = person.vault(), person.vault()
    reply = person.send("GET", "/vaults").json()
    ids = [one["id"] for one in reply["vaults"]]
    assert ids.index(second) < ids.index(first) < ids.index("__agent-keys")
    page = person.send("GET", "/vaults?limit=1").json()
    rest = person.send("GET", f"/vaults?cursor={page['next_cursor']}").json()
    assert [one["id"] for one in page["vaults"] + rest["vaults"]] == ids
    assert reply["next_cursor"] is None


def test_the_vault_of_agents_keys_is_named_and_cannot_be_deleted(person: Session) -> None:
    named = person.send("GET", "/org/agent-keys-vault").json()
    assert named == {"vault_id": "__agent-keys", "id": "__agent-keys"}
    assert person.send("GET", "/vaults/__agent-keys").json()["is_system"]
    refused = person.send("DELETE", "/vaults/__agent-keys")
    assert (refused.status_code, refused.json()["code"]) == (409, "system_vault")
    written = person.put("__agent-keys", "x", "value")
    assert (written.status_code, written.json()["code"]) == (409, "system_vault")


def test_a_deleted_vault_is_gone_with_its_policies(person: Session) -> None:
    vault = person.vault()
    person.put(vault, "x", "value")
    name, headers = token_agent(person.api)
    agent = Session(person.api, headers)
    person.allow(vault, name, "**")
    assert agent.get(vault, "x").status_code == 200
    assert person.send("DELETE", f"/vaults/{vault}").status_code == 204
    assert person.api.services.backend.read.registered.access[name] == ()
    for who in (agent, person):
        for path in ("", "/secrets", "/secrets/x"):
            assert who.send("GET", f"/vaults/{vault}{path}").status_code == 404
    assert person.send("DELETE", f"/vaults/{vault}").status_code == 404


def test_an_agent_sees_only_vaults_in_which_it_has_a_grant(person: Session) -> None:
    vault, other, unknown = person.vault(), person.vault(), person.api.services.new_id()
    name, headers = token_agent(person.api)
    agent = Session(person.api, headers)
    assert agent.send("GET", "/vaults").json()["vaults"] == []
    person.allow(vault, name, "a/*")
    assert [one["id"] for one in agent.send("GET", "/vaults").json()["vaults"]] == [vault]
    replies = [agent.send("GET", f"/vaults/{name}") for name in (other, unknown)]
    assert [one.status_code for one in replies] == [404, 404]
    assert replies[0].text.replace(other, "") == replies[1].text.replace(unknown, "")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", {"name": "mine"}),
        ("DELETE", "/{vault}", None),
        ("POST", "/{vault}/mpc", {"custody_mode": "2of3_multi_hsm"}),
        ("GET", "/{vault}/policies", None),
        ("DELETE", "/{vault}/secrets/x", None),
        ("POST", "/{vault}/secret-version-disable/x/1", None),
    ],
)
def test_agents_administer_no_vaults(
    person: Session, stranger: Session, method: str, path: str, body: dict[str, Any] | None
) -> None:
    url = f"/vaults{path.format(vault=person.vault())}"
    reply = stranger.send(method, url, body)
    assert (reply.status_code, reply.json()["code"]) == (403, "people_only")


def test_changes_are_recorded_with_their_actor(person: Session) -> None:
    vault = person.vault(mpc_custody="2of3_multi_hsm")
    person.put(vault, "db/password", "a-secret-value")
    person.send("POST", f"/vaults/{vault}/secret-rotate/db/password", {})
    person.send("POST", f"/vaults/{vault}/secret-version-disable/db/password/1")
    name, _ = token_agent(person.api)
    policy = person.allow(vault, name, "**")
    person.send("PUT", f"/vaults/{vault}/policies/{policy}", {"permissions": ["write"]})
    person.send("DELETE", f"/vaults/{vault}/policies/{policy}")
    person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": "ab" * 32})
    person.send("DELETE", f"/vaults/{vault}/cmek")
    person.send("DELETE", f"/vaults/{vault}/secrets/db/password")
    person.send("DELETE", f"/vaults/{vault}")
    events = person.send("GET", "/audit/events").json()["events"]
    # The signer records its orders too, with the desk as actor.
    orders = {"secret.put", "secret.rotate"}
    mine = [one for one in events if vault in str(one) and one["action"] not in orders]
    assert [one["action"] for one in reversed(mine) if one["resource_id"] != "registry"] == [
        "vault.create", "secret.write", "secret.generate", "secret.version_disable",
        "policy.create", "policy.update", "policy.delete", "cmek.enable", "cmek.disable",
        "secret.delete", "vault.delete",
    ]  # fmt: skip
    assert {one["actor_id"] for one in mine} == {f"user:{person.api.person_id}"}
    assert "a-secret-value" not in str(events)


def test_nothing_is_answered_without_a_token(person: Session) -> None:
    for path in ("/v1/vaults", "/v1/vaults/x/secrets/y", "/v1/org/agent-keys-vault"):
        assert person.api.client.get(path).status_code == 401
