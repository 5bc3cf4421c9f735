"""The published OpenAPI description, and generated requests that get only what it describes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi import checks

from sixgate.api.app import create_app
from sixgate.api.problems import MEDIA_TYPE
from tests.harness.api_server import ServedApi, data_of, served_api
from tests.harness.simulated_chain import fund
from tests.harness.sizes import effort

CONFIG = {
    "seed": 1,
    "generation": {"deterministic": True, "no-shrink": True},
    "phases": {"coverage": {"enabled": False}},
}
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# The description needs no services.
DOCUMENT: dict[str, Any] = create_app(None).openapi()  # type: ignore[arg-type]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(CONFIG))
BY_AGENTS = {
    ("POST", path)
    for path in DOCUMENT["paths"]
    if path.startswith("/v1/agents/{agent_id}/transactions") or path.endswith("/sign")
}
WITHOUT_TOKEN = {"/v1/auth/agent-token", "/v1/auth/api-key-token", "/v1/auth/oidc"}
SIZE = settings(
    effort(0.1),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A served API with one resource of each kind, and sessions of the person and the agent."""

    served: ServedApi
    session: requests.Session
    agent: requests.Session
    known: dict[str, str]

    def of(self, case: Case[Any]) -> requests.Session:
        """Return the session of a caller who may send a request."""
        return self.agent if (case.method, case.path) in BY_AGENTS else self.session


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with (
        served_api(tmp_path_factory.mktemp("openapi") / "data") as served,
        requests.Session() as session,
        requests.Session() as own_session,
    ):
        person = served.person
        made = data_of(person.agents.create("bot", intents_api_enabled=True), 201)
        agent = made["id"]
        own_session.headers.update(served.api.as_(made["api_key"]))
        fund(served.api, data_of(person.signing_keys.create(agent, "ethereum"), 201)["address"])
        vault = data_of(person.vaults.create("vault"), 201)["id"]
        data_of(person.secrets.set(vault, "production/key", "x"), 201)
        hook = data_of(
            person.webhooks.create("https://8.8.8.8/hook", ["agent.transaction.broadcast"]), 201
        )["id"]
        session.headers.update(served.api.person)
        known = {
            "agent_id": agent,
            "vault_id": vault,
            "webhook_id": hook,
            "path": "production/key",
            "chain": "ethereum",
            "identifier": "base",
            "key": "intents_api.require_simulation",
        }
        yield Target(served, session, own_session, known)


# Revoking would end the token of the requests after it.
@SCHEMA.exclude(method="DELETE", path="/v1/auth/token").parametrize()
@SIZE
def test_a_generated_request_gets_only_what_is_described(target: Target, case: Case[Any]) -> None:
    for name, value in (case.path_parameters or {}).items():
        # About half of the requests find their resource; those of the agent must name it.
        found = len(str(value)) % 2 == 0 or (case.method, case.path) in BY_AGENTS
        if name in target.known and found and case.method != "DELETE":
            case.path_parameters[name] = target.known[name]
    response = case.call(base_url=target.served.url, session=target.of(case))
    assert response.status_code != 500, response.text
    case.validate_response(response, checks=CHECKS)


def test_every_route_describes_its_problems_as_problem_details() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            refused = {int(status) for status in responses if int(status) >= 400}
            assert refused >= {400, 401, 429, 503}, (method, path)
            assert not refused & {422, 500} or "transactions" in path or "sign" in path
            for status in refused:
                content = responses[str(status)]["content"]
                assert list(content) == [MEDIA_TYPE], (method, path, status)


def test_every_route_but_the_exchange_of_keys_demands_a_token() -> None:
    without = {
        path
        for path, operations in DOCUMENT["paths"].items()
        for operation in operations.values()
        if "security" not in operation
    }
    assert without == WITHOUT_TOKEN


def test_every_route_has_a_sentence(target: Target) -> None:
    published = target.session.get(f"{target.served.url}/v1/openapi.json").json()
    assert published == DOCUMENT
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description", "").endswith((".", ".\n")), (method, path)


def test_no_route_answers_without_a_valid_token(target: Target) -> None:
    for path, operations in DOCUMENT["paths"].items():
        url = target.served.url + path.format_map(_Filled(target.known))
        for method in operations if path not in WITHOUT_TOKEN else ():
            for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic YTpi"}):
                reply = requests.request(method, url, headers=headers, json={}, timeout=30)
                assert reply.status_code == 401, (method, path, headers, reply.text)
                assert reply.headers["www-authenticate"].startswith("Bearer")


class _Filled(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"
