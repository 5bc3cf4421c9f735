"""Agents in both kinds of organisation: explicit limits, and the members that are Sixgate's own."""

from collections.abc import Iterator

import pytest

from schemas.registry.policy import Policy
from schemas.registry.records import PolicySet, SettingSet
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from tests.harness.agent_requests import create, patch
from tests.harness.api import Api

ADDRESS = "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"
EXPLICIT = {
    "tx_allowed_chains": ["ethereum", "base"],
    "tx_to_allowlist": [ADDRESS],
    "tx_max_value_eth": "0.5",
    "tx_daily_limit_eth": "unlimited",
}
DEFAULTS = {"delegate_allowlist": [], "tx_max_fee_eth": "0.05", "intents_per_minute": 600}


@pytest.fixture
def explicit(api: Api) -> Iterator[Api]:
    """The same organisation while it requires explicit policies."""

    def require(*, value: bool) -> None:
        setting = SettingSet(name="policies.require_explicit", value=value)
        register(api.node, api.folder.admin(), [setting], wall_ms())

    require(value=True)
    yield api
    require(value=False)


def test_an_organisation_with_explicit_policies_creates_agents_with_explicit_limits(
    explicit: Api,
) -> None:
    refused = create(explicit, tx_max_value_eth="1")
    limits = {
        "tx_max_value_eth": "1",
        "tx_daily_limit_eth": "unlimited",
        "tx_to_allowlist": ["any"],
        "tx_allowed_chains": ["base"],
        "intents_per_minute": 30,
    }
    defaults = {"tx_max_value_eth", "intents_per_minute"}
    assert set(refused.json()["fields"]) == set(limits) - defaults
    reply = create(explicit, **limits)
    assert reply.status_code == 201, reply.text
    assert {name: reply.json()[name] for name in limits} == limits


def check_extensions(api: Api) -> None:
    """Create agents without and with the extension members, and change each of them."""
    made = create(api, **EXPLICIT)
    assert made.status_code == 201, made.text
    assert {name: made.json()[name] for name in DEFAULTS} == DEFAULTS
    given = {
        "delegate_allowlist": [ADDRESS],
        "tx_max_fee_eth": "0.01",
        "intents_per_minute": "unlimited",
    }
    body = create(api, **EXPLICIT, **given).json()
    assert {name: body[name] for name in given} == given
    for name, value in DEFAULTS.items():
        changed = patch(api, body["id"], **{name: value})
        assert changed.status_code == 200, changed.text
        assert changed.json()[name] == value


def test_a_compatible_organisation_has_the_extension_members_with_defaults(api: Api) -> None:
    check_extensions(api)
    open_rate = create(api, intents_per_minute=None).json()
    assert open_rate["intents_per_minute"] is None


def test_an_explicit_organisation_has_the_extension_members_with_defaults(explicit: Api) -> None:
    check_extensions(explicit)
    refused = create(explicit, **EXPLICIT, intents_per_minute=None)
    assert set(refused.json()["fields"]) == {"intents_per_minute"}


def test_defaults_are_written_at_creation_and_not_added_to_earlier_agents(api: Api) -> None:
    agent_id = create(api).json()["id"]
    registered = api.services.backend.read.registered
    assert registered.policies[agent_id].policy.intents_per_minute == 600
    earlier = PolicySet(policy_id=agent_id, policy=Policy(tx_max_value_eth="1"))
    register(api.node, api.folder.admin(), [earlier], wall_ms())
    changed = patch(api, agent_id, tx_max_value_eth="0.5").json()
    assert changed["intents_per_minute"] is None
    assert registered.policies[agent_id].policy == Policy(tx_max_value_eth="0.5")


def test_a_fee_beyond_the_desk_s_ceiling_is_refused(api: Api) -> None:
    agent_id = create(api).json()["id"]
    for fee in ("0.06", "unlimited"):
        reply = patch(api, agent_id, tx_max_fee_eth=fee)
        assert (reply.status_code, reply.json()["code"]) == (409, "registry_refused")
        assert "tx_max_fee_eth" in reply.json()["detail"]
