"""Rates of agents and people: each has its own, and it counts authenticated requests only."""

from fastapi.testclient import TestClient

from sixgate.api.app import create_app
from sixgate.api.limits import LimitedApp, check_rate
from sixgate.config.limits import Limits, Rate
from tests.harness.api import Api

MINUTE_MS = 60_000


def test_a_principal_over_its_rate_gets_429_and_the_others_do_not(api: Api) -> None:
    now_ms = 0
    agent_id, agent = api.new_agent()
    limits = Limits(agent_rate=Rate(per_minute=2, burst=2))
    limited = LimitedApp(create_app(api.services), limits, lambda: now_ms)
    with TestClient(limited) as client:

        def status(headers: dict[str, str]) -> int:
            return client.get(f"/v1/agents/{agent_id}", headers=headers).status_code

        assert [status({"Authorization": "Bearer x"}) for _ in range(5)] == [401] * 5
        assert [status(agent) for _ in range(3)] == [200, 200, 429]
        refused = client.get(f"/v1/agents/{agent_id}", headers=agent)
        assert refused.headers["retry-after"] == "30"
        assert refused.json()["code"] == "rate_limited"
        assert f"agent:{agent_id}" in refused.json()["detail"]
        assert status(api.person) == 200
        now_ms += MINUTE_MS // 2
        assert [status(agent) for _ in range(2)] == [200, 429]


def test_an_application_without_the_server_has_no_rates() -> None:
    for _ in range(3):
        check_rate({}, "agent:trader")
