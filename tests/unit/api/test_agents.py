"""People create, change and delete agents; guardrails become policies or are refused."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.registry.policy import Policy
from schemas.registry.records import PolicySet
from signer.core.registry.registered import Registered
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from sixgate.config.chains import default_chains
from sixgate.gateway.guardrails import GuardrailError, guardrails_of, with_guardrails
from tests.harness.agent_requests import create, patch
from tests.harness.api import Api

ADDRESS = "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"
LIMITS = {
    "tx_allowed_chains": ["ethereum", "base"],
    "tx_to_allowlist": [ADDRESS],
    "tx_max_value_eth": "0.5",
    "tx_daily_limit_eth": "5",
}


def test_a_new_agent_is_answered_flat_and_under_agent_with_its_key_once(api: Api) -> None:
    reply = create(api, description="", auth_method="api_key", shroud_enabled=False)
    body = reply.json()
    assert reply.status_code == 201
    assert body["id"] == body["agent"]["id"]
    assert body["api_key"].startswith("ocv_")
    assert body["intents_api_enabled"] is False
    again = api.client.get(f"/v1/agents/{body['id']}", headers=api.person).json()
    assert again == body["agent"]


def test_guardrails_are_stored_and_shown(api: Api) -> None:
    body = create(api, **LIMITS | {"tx_daily_limit_eth": "5.0"}).json()
    assert {name: body[name] for name in LIMITS} == LIMITS
    reply = patch(api, body["id"], tx_max_value_eth=None, message_signing_enabled=True)
    assert reply.status_code == 200, reply.text
    changed = reply.json()
    assert changed["tx_max_value_eth"] is None
    assert changed["message_signing_enabled"] is True
    assert changed["tx_to_allowlist"] == [ADDRESS]


@pytest.mark.parametrize(
    "by_the_command_line",
    [
        {"delegate_allowlist": (ADDRESS.lower(),)},
        {"allow_contract_creation": True},
        {"tx_max_fee_eth": "0.5"},
        {"allow_raw_hashes": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_agent_that_a_full_admin_loosened_is_tightened_and_activated_again_over_http(
    api: Api, by_the_command_line: dict[str, Any]
) -> None:
    body = create(api, **LIMITS).json()
    agent_id = body["id"]
    before = api.services.backend.read.registered.policies[agent_id].policy
    loosened = Policy.model_validate(before.model_dump() | by_the_command_line)
    admin = api.folder.admin()
    register(api.node, admin, [PolicySet(policy_id=agent_id, policy=loosened)], wall_ms())
    for change in ({"tx_max_value_eth": "0.1"}, {"is_active": False}, {"is_active": True}):
        reply = patch(api, agent_id, **change)
        assert reply.status_code == 200, reply.text
    after = api.services.backend.read.registered.policies[agent_id].policy
    assert after == loosened.model_copy(update={"tx_max_value_eth": "0.1"})


def test_any_domain_of_typed_data_may_be_listed(api: Api) -> None:
    body = create(api, eip712_domain_allowlist=[{"verifying_contract": ADDRESS.lower()}]).json()
    assert body["eip712_domain_allowlist"] == [{"verifying_contract": ADDRESS}]


def test_a_domain_may_be_listed_by_the_address_of_its_contract(api: Api) -> None:
    body = create(api, eip712_domain_allowlist=[ADDRESS.lower()]).json()
    assert body["eip712_domain_allowlist"] == [{"verifying_contract": ADDRESS}]
    changed = patch(api, body["id"], eip712_domain_allowlist=[]).json()
    assert changed["eip712_domain_allowlist"] == []


def test_the_limits_of_value_are_also_known_without_their_unit(api: Api) -> None:
    body = create(api, tx_max_value="0.5", tx_daily_limit="5").json()
    assert (body["tx_max_value_eth"], body["tx_daily_limit_eth"]) == ("0.5", "5")
    changed = patch(api, body["id"], tx_max_value=None).json()
    assert (changed["tx_max_value_eth"], changed["tx_daily_limit_eth"]) == (None, "5")
    assert (changed["tx_max_value"], changed["tx_daily_limit"]) == (None, "5")
    assert changed["tx_spent_today"] == changed["tx_spent_today_eth"] == "0"
    twice = patch(api, body["id"], tx_max_value="2", tx_max_value_eth="1")
    assert (twice.status_code, twice.json()["code"]) == (400, "validation")


def test_a_guardrail_that_asks_for_nothing_is_accepted(api: Api) -> None:
    off: dict[str, Any] = {
        "tx_max_per_day": None, "tx_known_tokens_only": False, "tx_token_allowlist": [],
        "per_chain_guardrails": {}, "shroud_enabled": False, "scopes": [],
    }  # fmt: skip
    body = create(api, **off, auth_method="api_key", simulation_failure_policy="deny")
    assert body.status_code == 201, body.text
    assert patch(api, body.json()["id"], **off).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tx_token_allowlist", [ADDRESS]),
        ("tx_max_per_day", 5),
        ("tx_max_per_day", 0),
        ("allow_eip7702", False),
        ("auth_method", "mtls"),
        ("eip712_domain_allowlist", ["any"]),
        ("shroud_enabled", True),
        ("scopes", ["all"]),
        ("tx_max_value_eth", "1e3"),
        ("tx_max_value_eth", "-1"),
        ("tx_max_value_eth", 1),
        ("tx_max_value", str(10**18)),  # meant as wei, it would limit nothing
        ("tx_daily_limit", str(10**9)),
        ("tx_allowed_chains", ["nowhere"]),
        ("tx_to_allowlist", ["0x742d35cc6634C0532925a3b844Bc454e4438f44e"]),
        ("tx_to_allowlist", ["0x12"]),
        ("delegate_allowlist", ["any"]),
        ("delegate_allowlist", ["0x12"]),
        ("tx_max_fee_eth", None),
        ("tx_max_fee_eth", "much"),
        ("intents_per_minute", -1),
        ("eip712_domain_allowlist", [{"verifying_contract": "x"}]),
        ("expires_at", "tomorrow"),
        ("token_ttl_seconds", 1),
        ("name", ""),
    ],
)
def test_a_guardrail_that_is_not_enforced_is_refused_by_name(
    api: Api, name: str, value: object
) -> None:
    reply = create(api, **{name: value})
    assert reply.status_code == 400
    assert any(field.startswith(name) for field in reply.json()["fields"])


def test_an_agent_reads_itself_and_no_other(api: Api) -> None:
    first, headers = api.new_agent()
    second, _ = api.new_agent()
    assert api.client.get("/v1/agents/me", headers=headers).json()["id"] == first
    assert api.client.get(f"/v1/agents/{first}", headers=headers).status_code == 200
    assert api.client.get(f"/v1/agents/{second}", headers=headers).status_code == 404
    assert api.client.get("/v1/agents/me", headers=api.person).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agents"),
        ("GET", "/v1/agents"),
        ("PATCH", "/v1/agents/{id}"),
        ("DELETE", "/v1/agents/{id}"),
        ("POST", "/v1/agents/{id}/rotate-key"),
        ("POST", "/v1/agents/{id}/signing-keys"),
        ("POST", "/v1/admin/chains"),
        ("PUT", "/v1/admin/settings/intents_api.require_simulation"),
        ("POST", "/v1/auth/api-keys"),
    ],
)
def test_an_agent_administers_nothing(api: Api, method: str, path: str) -> None:
    agent_id, headers = api.new_agent()
    bodies = {"name": "x", "chain": "ethereum", "chain_id": 5, "value": "true"}
    wanted = {"/v1/agents": ["name"], "/v1/admin/chains": ["name", "chain_id"]}
    names = wanted.get(path, ["chain"] if "keys" in path and "auth" not in path else ["name"])
    names = ["value"] if "settings" in path else names
    body = {name: bodies[name] for name in names} if method in ("POST", "PUT") else {}
    target = path.replace("{id}", agent_id)
    reply = api.client.request(method, target, json=body, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (403, "people_only")


def test_a_deactivated_agent_has_no_access_at_once(api: Api) -> None:
    agent_id, headers = api.new_agent()
    assert patch(api, agent_id, is_active=False).json()["is_active"] is False
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 401
    patch(api, agent_id, is_active=True)
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 200


def test_an_expired_agent_has_no_access(api: Api) -> None:
    agent_id, headers = api.new_agent()
    patch(api, agent_id, expires_at="2020-01-01T00:00:00Z")
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 401


@pytest.mark.parametrize("name", ["expires_at", "api_key_expires_at"])
def test_no_agent_is_created_that_has_ended_already(api: Api, name: str) -> None:
    count = len(api.client.get("/v1/agents", headers=api.person).json()["agents"])
    reply = create(api, **{name: "2020-01-01T00:00:00Z"})
    assert (reply.status_code, reply.json()["fields"]) == (400, {name: "must be in the future"})
    assert len(api.client.get("/v1/agents", headers=api.person).json()["agents"]) == count
    assert create(api, **{name: "2099-01-01T00:00:00Z"}).status_code == 201


@pytest.mark.parametrize(
    ("ends", "revives"),
    [
        ({"is_active": False}, {"is_active": True}),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": None}),
    ],
)
def test_an_agent_that_works_again_says_that_earlier_keys_do(
    api: Api, ends: dict[str, Any], revives: dict[str, Any]
) -> None:
    agent_id, headers = api.new_agent()
    assert patch(api, agent_id, **ends).json()["notice"] is None
    notice = patch(api, agent_id, **revives).json()["notice"]
    assert f"/v1/agents/{agent_id}/rotate-key" in notice
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 200
    assert patch(api, agent_id, **revives).json()["notice"] is None
    rotated = api.client.post(f"/v1/agents/{agent_id}/rotate-key", headers=api.person)
    assert rotated.status_code == 200
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 401


def test_a_rotated_key_ends_the_former_key_and_its_tokens(api: Api) -> None:
    created = create(api).json()
    headers = api.as_(created["api_key"])
    reply = api.client.post(f"/v1/agents/{created['id']}/rotate-key", headers=api.person).json()
    assert reply["api_key"].startswith(reply["api_key_prefix"])
    assert api.client.get("/v1/agents/me", headers=headers).status_code == 401
    exchange = {"api_key": created["api_key"]}
    assert api.client.post("/v1/auth/agent-token", json=exchange).status_code == 401
    assert api.client.get("/v1/agents/me", headers=api.as_(reply["api_key"])).status_code == 200


def test_a_deleted_agent_is_gone_and_inactive_in_the_registry(api: Api) -> None:
    agent_id, _ = api.new_agent()
    path = f"/v1/agents/{agent_id}"
    assert api.client.delete(path, headers=api.person).status_code == 204
    assert api.client.get(path, headers=api.person).status_code == 404
    assert api.node.registered.agents[agent_id].active is False
    assert agent_id not in api.client.get("/v1/agents", headers=api.person).text


def test_lists_are_paged_newest_first(api: Api) -> None:
    made = [create(api, name=f"page-{number}").json()["id"] for number in range(3)]
    first = api.client.get("/v1/agents?limit=2", headers=api.person).json()
    rest = api.client.get(f"/v1/agents?cursor={first['next_cursor']}", headers=api.person).json()
    every = [agent["id"] for agent in first["agents"] + rest["agents"]]
    assert set(every[:3]) == set(made)
    assert len(every) == len(set(every))
    assert api.client.get("/v1/agents?cursor=x", headers=api.person).status_code == 400
    assert api.client.get("/v1/agents?limit=0", headers=api.person).status_code == 400


def test_a_person_is_no_agent(api: Api) -> None:
    path = f"/v1/agents/{api.person_id}"
    assert api.client.get(path, headers=api.person).status_code == 404
    assert patch(api, api.person_id, intents_api_enabled=True).status_code == 404


REGISTERED = Registered(chains={chain.chain_id: chain for chain in default_chains()})
AMOUNTS = st.none() | st.integers(0, 10**9).map(lambda n: f"{n // 1000}.{n % 1000:03d}")
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "tx_max_value_eth": AMOUNTS,
        "tx_daily_limit_eth": AMOUNTS,
        "tx_allowed_chains": st.lists(st.sampled_from(["base", "ethereum", "mainnet", "8453"])),
        "tx_to_allowlist": st.lists(st.sampled_from([ADDRESS, ADDRESS.lower()])),
        "message_signing_enabled": st.booleans(),
        "eip712_default_policy": st.sampled_from(["allow", "deny"]),
    },
)


@given(MEMBERS)
def test_shown_guardrails_are_the_same_policy_again(members: dict[str, Any]) -> None:
    open_org = Registered(chains=REGISTERED.chains)
    object.__setattr__(open_org.settings, "require_explicit", False)
    policy = with_guardrails(Policy(), members, open_org)
    assert with_guardrails(Policy(), guardrails_of(policy), open_org) == policy


def test_an_organisation_with_explicit_policies_refuses_open_limits() -> None:
    with pytest.raises(GuardrailError) as refused:
        with_guardrails(Policy(), {"tx_max_value_eth": "1"}, REGISTERED)
    assert "tx_daily_limit_eth" in refused.value.fields
    assert "tx_max_value_eth" not in refused.value.fields


def at_once(calls: Sequence[Callable[[], Any]]) -> list[int]:
    """Make calls in threads that start together; return the status of each reply."""
    started = Barrier(len(calls))

    def made(call: Callable[[], Any]) -> int:
        started.wait()
        return int(call().status_code)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(made, calls))


def test_changes_at_once_do_not_undo_each_other(api: Api) -> None:
    """Otherwise a new description could restore a limit that someone else just tightened."""
    agent_id, _ = api.new_agent()
    changes = {
        "tx_max_value_eth": "0.1",
        "tx_daily_limit_eth": "0.2",
        "tx_to_allowlist": [ADDRESS],
        "tx_allowed_chains": ["base"],
        "message_signing_enabled": True,
        "is_active": False,
    }
    calls = [partial(patch, api, agent_id, **{name: value}) for name, value in changes.items()]
    assert at_once(calls) == [200] * len(calls)
    found = api.client.get(f"/v1/agents/{agent_id}", headers=api.person).json()
    assert {name: found[name] for name in changes} == changes


def test_a_deleted_agent_stays_deleted_whatever_changes_it_meanwhile(api: Api) -> None:
    agent_id, _ = api.new_agent()
    path = f"/v1/agents/{agent_id}"
    calls: list[Callable[[], Any]] = [
        partial(patch, api, agent_id, expires_at=f"2040-01-0{day}T00:00:00Z") for day in range(1, 5)
    ]
    calls.insert(1, partial(api.client.delete, path, headers=api.person))
    statuses = at_once(calls)
    assert statuses.pop(1) == 204
    assert set(statuses) <= {200, 403, 404}
    assert not api.services.backend.read.registered.agents[agent_id].active
    assert api.services.agents.get(agent_id) is None


def test_rotations_at_once_leave_one_key(api: Api) -> None:
    agent_id, _ = api.new_agent()
    rotate = partial(api.client.post, f"/v1/agents/{agent_id}/rotate-key", headers=api.person)
    assert at_once([rotate] * 6) == [200] * 6
    assert len(api.services.api_keys.owned_by("agent", agent_id)) == 1
