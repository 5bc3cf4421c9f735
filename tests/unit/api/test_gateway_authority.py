"""A gateway signs only for agents that name it, and only while the registry allows its key."""

from collections.abc import Iterator

import pytest

from schemas.registry.records import ServiceSet
from sixgate.data_folder.folder import GATEWAY
from tests.harness.api import Api, running_api
from tests.harness.signing_agents import SigningAgent, new_key, refusal, signing_agent


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningAgent]:
    with running_api(tmp_path_factory.mktemp("api") / "data") as api:
        yield signing_agent(api)


def gateway_of(api: Api) -> ServiceSet:
    return api.services.backend.read.registered.services[("gateway", GATEWAY)]


def test_a_revoked_gateway_signs_nothing_more(agent: SigningAgent) -> None:
    revoked = gateway_of(agent.api).model_copy(update={"active": False})
    agent.registers(revoked)
    key = new_key()
    first = agent.submit(key)
    assert refusal(first) == (403, "signature_invalid")
    assert first.json()["gate"] is None
    assert agent.submit(key).json() == first.json()
    assert refusal(agent.submit()) == (403, "signature_invalid")


def test_a_key_that_the_registry_replaced_signs_nothing_more(agent: SigningAgent) -> None:
    other = gateway_of(agent.api).model_copy(update={"public_key": "0x" + "22" * 32})
    agent.registers(other)
    assert refusal(agent.submit()) == (403, "signature_invalid")


def test_an_agent_of_another_gateway_is_sent_there(agent: SigningAgent) -> None:
    another = gateway_of(agent.api).model_copy(
        update={"name": "another", "public_key": "0x" + "22" * 32}
    )
    moved = agent.registered.model_copy(update={"gateway": "another"})
    agent.registers(another, moved)
    reply = agent.submit()
    assert refusal(reply) == (403, "agent_of_another_gateway")
    assert "another" in reply.json()["detail"]
