"""The client and MCP against the real API of an embedded node, on TCP and on a Unix socket."""

import asyncio
import itertools
from typing import Any

import pytest
from sixgate_client import (
    AsyncClient,
    Client,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)

from tests.harness.client.served_api import RECIPIENT, Served, on_http, on_stdio


def test_an_agent_reads_itself_its_keys_and_the_chains(served: Served) -> None:
    with served.agent as agent:
        me = agent.me()
        assert (me["tx_max_value_eth"], me["tx_to_allowlist"]) == ("0.5", [RECIPIENT])
        (key,) = agent.signing_keys()
        assert key["address"] == me["evm_address"]
        assert {"base", "sepolia"} <= {chain["name"] for chain in agent.chains()}
        assert list(agent.transactions()) == []


def test_people_administer_agents(served: Served) -> None:
    person = served.person
    made = person.create_agent(name="temporary", description="for a test")
    assert person.update_agent(made["id"], tx_max_value_eth="1")["tx_max_value_eth"] == "1"
    assert person.update_agent(made["id"], tx_max_value_eth=None)["tx_max_value_eth"] is None
    assert made["id"] in {agent["id"] for agent in person.agents()}
    renewed = person.rotate_agent_key(made["id"])
    with (
        Client(served.url, api_key=made["api_key"]) as old,
        Client(served.url, api_key=renewed) as new,
    ):
        assert new.me()["id"] == made["id"]
        with pytest.raises(UnauthenticatedError):
            old.me()
    person.delete_agent(made["id"])
    with pytest.raises(NotFoundError):
        person.agent(made["id"])


def test_people_keep_secrets_that_agents_read(served: Served) -> None:
    person = served.person
    vault = person.create_vault("production", description="for a test")["id"]
    assert vault in {one["id"] for one in person.vaults()}
    stored = person.put_secret(vault, "api/key", "hunter2", type="api_key")
    assert (stored["path"], stored["version"]) == ("api/key", 1)
    assert person.secret(vault, "api/key")["value"] == "hunter2"
    assert [one["path"] for one in person.secrets(vault, prefix="api/")] == ["api/key"]
    with served.agent as agent:
        me = agent.me()["id"]
        with pytest.raises((RefusedError, NotFoundError)):
            agent.secret(vault, "api/key")
        granted: dict[str, Any] = {"principal_id": me, "secret_path_pattern": "api/*"}
        policy = person.create_policy(vault, **granted)
        assert agent.secret(vault, "api/key")["value"] == "hunter2"
        assert [one["id"] for one in person.policies(vault)] == [policy["id"]]
        person.delete_policy(vault, policy["id"])
        with pytest.raises((RefusedError, NotFoundError)):
            agent.secret(vault, "api/key")
    person.delete_secret(vault, "api/key")
    with pytest.raises(NotFoundError):
        person.secret(vault, "api/key")


def test_the_client_share_of_a_vault_opens_its_secret(served: Served) -> None:
    person = served.person
    vault = person.create_vault("shared")["id"]
    changed = person.set_custody_mode(vault, "2of2_client_custody")
    assert changed["mpc_custody"] == "2of2_client_custody"
    share = person.put_secret(vault, "token", "hunter2")["client_share"]
    assert person.secret(vault, "token", client_share=share)["value"] == "hunter2"
    with pytest.raises(InvalidRequestError):
        person.secret(vault, "token")


def test_people_read_verify_and_export_the_audit(served: Served) -> None:
    person = served.person
    made = person.create_agent(name="audited")["id"]
    events = itertools.islice(person.audit_events(), 50)
    assert any(made in str(event) for event in events)
    assert person.verify_audit()["valid"]
    assert made in person.export_audit().decode()
    assert made in person.export_audit(format="csv").decode()


def test_errors_have_their_kinds(served: Served) -> None:
    with served.agent as agent:
        with pytest.raises(RefusedError) as refused:
            agent.provision_signing_key("bitcoin")
        assert refused.value.reason == "people_only"
        with pytest.raises(NotFoundError):
            list(agent.transactions(agent_id="00000000-0000-0000-0000-000000000000"))
        with pytest.raises(NotFoundError):
            agent.transaction("0x" + "00" * 32)
    with pytest.raises(InvalidRequestError) as invalid:
        served.person.create_agent(name="x", tx_max_value_eth="much")
    assert list(invalid.value.fields) == ["tx_max_value_eth"]
    with Client(served.url, api_key="ocv_wrong") as stranger, pytest.raises(UnauthenticatedError):
        stranger.me()


def test_the_asynchronous_client_works_on_the_socket(served: Served) -> None:
    async def run() -> Any:
        async with AsyncClient(unix_socket=str(served.socket), api_key=served.agent_key) as agent:
            await agent.chains()
            return await agent.me()

    assert asyncio.run(run())["name"] == "trader"


def test_a_token_of_the_exchange_works_alone(served: Served) -> None:
    token = served.api.token(served.agent_key)
    with Client(served.url, token=token) as agent:
        assert agent.signing_keys()  # asks who it is first


@pytest.mark.parametrize("transport", [on_http, on_stdio])
def test_a_model_learns_its_limits(served: Served, transport: Any) -> None:
    found = asyncio.run(transport(served, "explain_policy", {}))
    assert not found.is_error, found
    content = found.structured_content
    assert (content["max_value_eth"], content["left_24h_eth"]) == ("0.5", "2")
    assert content["chains"] == ["base"]
    assert [key["chain"] for key in content["keys"]] == ["ethereum"]


@pytest.mark.parametrize("transport", [on_http, on_stdio])
def test_a_model_may_not_make_keys(served: Served, transport: Any) -> None:
    found = asyncio.run(transport(served, "provision_signing_key", {"chain": "tron"}))
    assert found.is_error
    assert (found.structured_content["refused"], found.structured_content["reason"]) == (
        True,
        "people_only",
    )
