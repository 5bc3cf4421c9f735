"""Access policies over HTTP, and the registry's grants that they are."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from schemas.registry.access import Grant
from schemas.registry.records import AccessSet, AgentSet
from sixgate.api.policy_grants import rewrite_grants
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from tests.harness.api import Api
from tests.harness.api_agents import Session, token_agent


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


@pytest.fixture(scope="module")
def vault(person: Session) -> str:
    made = person.vault()
    for path in ("production/db", "production/eu/db", "staging/db"):
        person.put(made, path, path)
    return made


@pytest.fixture
def agent(person: Session) -> tuple[str, Session]:
    name, headers = token_agent(person.api)
    return name, Session(person.api, headers)


def grants(person: Session, name: str) -> tuple[Grant, ...]:
    return person.api.services.backend.read.registered.access.get(name, ())


def refused_policy(person: Session, vault: str, name: str) -> tuple[int, str]:
    """Send a policy, check that none is added, and return the status and the code."""
    before = person.send("GET", f"/vaults/{vault}/policies").json()
    body = {"principal_type": "agent", "principal_id": name, "secret_path_pattern": "q"}
    reply = person.send("POST", f"/vaults/{vault}/policies", body)
    assert person.send("GET", f"/vaults/{vault}/policies").json() == before
    return reply.status_code, reply.json()["code"]


def test_a_policy_is_a_grant_in_the_registry(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, reader = agent
    body = {
        "principal_type": "agent", "principal_id": name, "secret_path_pattern": "production/*",
        "conditions": {},
    }  # fmt: skip
    always_sent = {"effect": "allow", "priority": 0, "attribute_conditions": None}
    reply = person.send("POST", f"/vaults/{vault}/policies", body | always_sent)
    made = reply.json()
    assert reply.status_code == 201
    assert {one: made[one] for one in body} == body
    assert (made["vault_id"], made["permissions"], made["expires_at"]) == (vault, ["read"], None)
    expected = Grant(effect="allow", vault=vault, paths="production/*", rights=("read",))
    assert grants(person, name) == (expected,)
    assert person.send("GET", f"/vaults/{vault}/policies").json()["policies"][0] == made
    assert reader.get(vault, "production/db").status_code == 200


def test_a_token_names_the_only_vault_in_which_its_agent_has_a_policy(
    person: Session, vault: str
) -> None:
    made = person.send("POST", "/agents", {"name": "bot"}).json()

    def named() -> Any:
        body = {"api_key": made["api_key"]}
        return person.api.client.post("/v1/auth/agent-token", json=body).json()["vault_ids"]

    assert named() == []
    person.allow(vault, made["id"], "production/*")
    assert named() == [vault]
    another = person.vault()
    person.allow(another, made["id"], "**")
    assert named() == []
    person.send("PATCH", f"/agents/{made['id']}", {"vault_ids": [another]})
    assert named() == [another]


def test_an_agent_with_vault_ids_reaches_no_other_vault(person: Session, vault: str) -> None:
    name, headers = person.api.new_agent(vault_ids=["another"])
    grant = {"principal_type": "agent", "principal_id": name, "secret_path_pattern": "**"}
    assert person.send("POST", f"/vaults/{vault}/policies", grant).status_code == 201
    reader = Session(person.api, headers)
    assert reader.get(vault, "production/db").status_code == 404
    change = {"vault_ids": [vault]}
    path = f"/v1/agents/{name}"
    person.api.client.patch(path, json=change, headers=person.api.person)
    assert reader.get(vault, "production/db").status_code == 200


@pytest.mark.parametrize(
    ("pattern", "readable"),
    [
        ("production/*", {"production/db"}),
        ("production/**", {"production/db", "production/eu/db"}),
        ("**", {"production/db", "production/eu/db", "staging/db"}),
        ("*/db", {"production/db", "staging/db"}),
        ("staging/db", {"staging/db"}),
        ("*", set()),
    ],
)
def test_a_star_stays_within_a_segment_and_two_cross_them(
    person: Session, vault: str, agent: tuple[str, Session], pattern: str, readable: set[str]
) -> None:
    name, reader = agent
    person.allow(vault, name, pattern)
    paths = ("production/db", "production/eu/db", "staging/db")
    assert {path for path in paths if reader.get(vault, path).status_code == 200} == readable
    listed = reader.send("GET", f"/vaults/{vault}/secrets").json()["secrets"]
    assert {one["path"] for one in listed} == readable


def test_several_policies_are_changed_one_by_one(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, reader = agent
    first = person.allow(vault, name, "production/db")
    second = person.allow(vault, name, "staging/db", "read", "write")
    assert len(grants(person, name)) == 2
    changed = person.send("PUT", f"/vaults/{vault}/policies/{second}", {"permissions": ["write"]})
    assert (changed.status_code, changed.json()["permissions"]) == (200, ["write"])
    assert reader.get(vault, "staging/db").status_code == 403
    assert reader.get(vault, "production/db").status_code == 200
    assert person.send("DELETE", f"/vaults/{vault}/policies/{first}").status_code == 204
    assert reader.get(vault, "production/db").status_code == 403
    assert reader.put(vault, "staging/db", "written").status_code == 200
    assert person.send("PUT", f"/vaults/{vault}/policies/{first}", {}).status_code == 404
    assert person.send("DELETE", f"/vaults/{vault}/policies/{first}").status_code == 404


def test_equal_policies_end_with_the_last_one(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, reader = agent
    policies = [person.allow(vault, name, "staging/*") for _ in range(2)]
    person.send("DELETE", f"/vaults/{vault}/policies/{policies[0]}")
    assert reader.get(vault, "staging/db").status_code == 200
    person.send("DELETE", f"/vaults/{vault}/policies/{policies[1]}")
    assert reader.get(vault, "staging/db").status_code == 404


def test_grants_of_an_administrator_stay(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, reader = agent
    denied = Grant(effect="deny", vault=vault, paths="production/eu/*", rights=("read",))
    person.api.services.desk.register([AccessSet(agent=name, grants=(denied,))])
    policy = person.allow(vault, name, "production/**")
    assert denied in grants(person, name)
    assert reader.get(vault, "production/eu/db").json()["code"] == "access_denied"
    person.send("DELETE", f"/vaults/{vault}/policies/{policy}")
    assert grants(person, name) == (denied,)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"conditions": {"ip": "10.0.0.0/8"}}, "conditions"),
        ({"expires_at": "2099-01-01T00:00:00Z"}, "expires_at"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["admin"]}, "permissions.0"),
        ({"secret_path_pattern": "../x"}, "secret_path_pattern"),
        ({"secret_path_pattern": "/x"}, "secret_path_pattern"),
        ({"secret_path_pattern": "a//b"}, "secret_path_pattern"),
        ({"secret_path_pattern": "[a-z]"}, "secret_path_pattern"),
        ({"principal_type": "group"}, "principal_type"),
        ({"tx_conditions": {"to": []}}, "tx_conditions"),
        ({"effect": "deny"}, "effect"),
        ({"priority": 1}, "priority"),
    ],
)
def test_what_is_not_enforced_is_refused(
    person: Session, vault: str, agent: tuple[str, Session], change: dict[str, Any], field: str
) -> None:
    body = {
        "principal_type": "agent", "principal_id": agent[0], "secret_path_pattern": "x",
    } | change  # fmt: skip
    reply = person.send("POST", f"/vaults/{vault}/policies", body)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, [field])
    assert grants(person, agent[0]) == ()


def test_a_principal_must_exist_with_its_type(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    me = person.api.person_id
    for kind, name in (("agent", "nobody"), ("agent", me), ("user", agent[0]), ("user", "nobody")):
        body = {"principal_type": kind, "principal_id": name, "secret_path_pattern": "x"}
        assert person.send("POST", f"/vaults/{vault}/policies", body).status_code == 404
    body = {"principal_type": "user", "principal_id": me, "secret_path_pattern": "x"}
    before = grants(person, me)
    made = person.send("POST", f"/vaults/{vault}/policies", body)
    assert made.status_code == 201
    assert set(before) < set(grants(person, me))
    person.send("DELETE", f"/vaults/{vault}/policies/{made.json()['id']}")
    assert grants(person, me) == before


def test_a_policy_belongs_to_its_vault(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    policy, other = person.allow(vault, agent[0], "x"), person.vault()
    for method, body in (("PUT", {"permissions": ["write"]}), ("DELETE", None)):
        assert person.send(method, f"/vaults/{other}/policies/{policy}", body).status_code == 404


def test_policies_made_at_once_are_all_in_force(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, _ = agent
    patterns = [f"at-once/{n}" for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        policies = list(pool.map(lambda one: person.allow(vault, name, one), patterns))
    assert {grant.paths for grant in grants(person, name)} == set(patterns)
    with ThreadPoolExecutor(6) as pool:
        urls = [f"/vaults/{vault}/policies/{one}" for one in policies]
        list(pool.map(lambda url: person.send("DELETE", url), urls))
    assert grants(person, name) == ()


def test_an_agent_with_a_key_of_its_own_is_out_of_reach(person: Session, vault: str) -> None:
    native = AgentSet(
        agent="native",
        account="main",
        public_key=f"0x{secrets.token_hex(32)}",
        policy_id="people",
        active=True,
        intents_api_enabled=True,
    )
    register(person.api.node, person.api.folder.admin(), [native], wall_ms())
    assert refused_policy(person, vault, "native") == (409, "registry_refused")


def test_too_many_grants_are_refused_and_leave_no_policy(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, _ = agent
    many = tuple(
        Grant(effect="allow", vault=vault, paths=f"p/{n}", rights=("read",)) for n in range(128)
    )
    person.api.services.desk.register([AccessSet(agent=name, grants=many)])
    assert refused_policy(person, vault, name) == (409, "too_many_grants")


def test_an_interrupted_change_leaves_no_grant_without_a_policy(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    """The registry has the change, and the process ended before the gateway noted it."""
    name, reader = agent
    services = person.api.services
    policy = person.allow(vault, name, "staging/*")
    stored = services.access_policies.get(policy)
    assert stored is not None
    services.access_policies.put(replace(stored, permissions=("read", "write")))
    noted = services.access_policies.given(name)
    rewrite_grants(services, name)
    services.access_policies.note(name, (Grant.decode(one) for one in noted))
    assert reader.put(vault, "staging/db", "v").status_code == 200
    assert person.send("DELETE", f"/vaults/{vault}/policies/{policy}").status_code == 204
    assert grants(person, name) == ()


def test_an_interrupted_deletion_is_ended_by_the_next_change(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    """The process ended after the policy was marked, before its grants were revoked."""
    name, reader = agent
    services = person.api.services
    policy = person.allow(vault, name, "staging/*")
    stored = services.access_policies.get(policy)
    assert stored is not None
    services.access_policies.put(replace(stored, ending=True))
    assert policy in person.send("GET", f"/vaults/{vault}/policies").text
    changed = person.send("PUT", f"/vaults/{vault}/policies/{policy}", {"permissions": ["read"]})
    assert changed.status_code == 404
    person.allow(vault, name, "production/*")
    assert reader.get(vault, "staging/db").status_code == 403
    assert person.send("DELETE", f"/vaults/{vault}/policies/{policy}").status_code == 204
    assert {grant.paths for grant in grants(person, name)} == {"production/*"}
