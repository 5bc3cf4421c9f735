"""A desk whom another admin overtakes does not undo what that admin did."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.registry.access import Grant
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.policy import Policy
from schemas.registry.records import AccessSet, AccountOpened, Entry, PolicySet
from sixgate.api import Json
from sixgate.api.app import create_app
from sixgate.authoring.operator import register
from sixgate.backends.operations import Operations
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import DESK
from sixgate.data_folder.key_files import load_key_file
from sixgate.desk.desk import AdminDesk
from tests.harness.api import Api, running_api

TIGHT = Policy(tx_max_value_eth="0.001")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("desk")) as found:
        yield found


class Overtaken(Operations):
    """The operators' API, at whose first append another admin is faster."""

    def __init__(self, api: Api, entry: Entry) -> None:
        super().__init__(api.node.backend)
        self._api = api
        self._others = [entry]

    def register(self, envelope: str) -> Json:
        """Let the other admin register first."""
        if self._others:
            others, self._others = self._others, []
            register(self._api.node, self._api.folder.admin(), others, wall_ms())
        return super().register(envelope)


@contextmanager
def overtaken(api: Api, entry: Entry) -> Iterator[TestClient]:
    key = load_key_file(api.folder.key(DESK), DESK)
    services = replace(api.services, desk=AdminDesk(Overtaken(api, entry), key, wall_ms))
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        yield client


def deactivated(api: Api, name: str) -> Entry:
    return api.node.backend.read.registered.agents[name].model_copy(update={"active": False})


def test_another_admins_other_record_is_no_obstacle(api: Api) -> None:
    name, _ = api.new_agent()
    with overtaken(api, AccountOpened(account="other")) as client:
        body = {"tx_max_value_eth": "0.5", "is_active": False}
        reply = client.patch(f"/v1/agents/{name}", json=body, headers=api.person)
    assert (reply.status_code, reply.json()["is_active"]) == (200, False)


def test_a_change_does_not_activate_an_agent_that_was_deactivated_meanwhile(api: Api) -> None:
    name, _ = api.new_agent()
    body = {"tx_max_value_eth": "2", "intents_api_enabled": False}
    with overtaken(api, deactivated(api, name)) as client:
        reply = client.patch(f"/v1/agents/{name}", json=body, headers=api.person)
    check_refused(reply, f"agent {name}")
    registered = api.node.backend.read.registered
    assert not registered.agents[name].active
    # The policy would have been the first record: nothing of the request is in force.
    assert registered.policies[name].policy.tx_max_value_eth is None


def test_a_change_does_not_loosen_a_policy_that_was_tightened_meanwhile(api: Api) -> None:
    name, _ = api.new_agent(tx_max_value_eth="1")
    with overtaken(api, PolicySet(policy_id=name, policy=TIGHT)) as client:
        body = {"tx_daily_limit_eth": "5"}
        reply = client.patch(f"/v1/agents/{name}", json=body, headers=api.person)
    check_refused(reply, f"policy {name}")
    assert api.node.backend.read.registered.policies[name].policy == TIGHT


def test_a_change_does_not_return_a_grant_that_was_revoked_meanwhile(api: Api) -> None:
    name, _ = api.new_agent()
    granted = Grant(effect="allow", vault=AGENT_KEYS, paths="keys/old", rights=("sign",))
    full_admin = api.folder.admin()
    entry = AccessSet(agent=name, grants=(granted,))
    register(api.node, full_admin, [entry], wall_ms())
    body = {"principal_type": "agent", "principal_id": name, "secret_path_pattern": "keys/new"}
    with overtaken(api, AccessSet(agent=name, grants=())) as client:
        reply = client.post(f"/v1/vaults/{AGENT_KEYS}/policies", json=body, headers=api.person)
    check_refused(reply, f"the grants of {name}")
    assert api.node.backend.read.registered.access[name] == ()


def test_a_change_does_not_restore_a_chain_that_was_changed_meanwhile(api: Api) -> None:
    chain = api.node.backend.read.registered.chains[8453]
    changed = chain.model_copy(update={"rpc_url": "https://new.example"})
    with overtaken(api, changed) as client:
        body = {"explorer_url": "https://explorer.example"}
        reply = client.put("/v1/admin/chains/8453", json=body, headers=api.person)
    check_refused(reply, "chain 8453")
    assert api.node.backend.read.registered.chains[8453] == changed


def check_refused(reply: Any, what: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (409, "registry_refused"), reply.text
    assert f"changed {what} meanwhile" in reply.json()["detail"]
