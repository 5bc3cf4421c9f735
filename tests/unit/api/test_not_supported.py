"""The documented routes that Sixgate does not have answer 501 from one table."""

import pytest

from sixgate.api.app import create_app
from sixgate.api.not_supported import TABLE
from tests.harness.api import Api

ROUTES = [route for routes in TABLE.values() for route in routes]


def test_no_route_is_in_the_table_twice() -> None:
    assert len(ROUTES) == len(set(ROUTES))


@pytest.mark.parametrize("end", ["", "/with/slashes", "%2Fwith%2Fslashes", "/%2e%2e"])
def test_every_route_of_the_table_answers_501_as_a_problem(api: Api, end: str) -> None:
    """``end`` is appended to a parameter at the end of the path."""
    for route in ROUTES:
        method, path = route.split()
        path += end if path.endswith("}") else ""
        reply = api.client.request(method, path.replace("{", "").replace("}", ""))
        assert reply.status_code == 501, route
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["code"] == "not_supported"
        assert reply.json()["detail"].startswith(route)


def test_no_route_of_the_table_hides_a_supported_one(api: Api) -> None:
    paths = create_app(api.services).openapi()["paths"]
    supported = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert supported.isdisjoint(ROUTES)


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/agents", "/v1/agents/", "/v1/nothing"])
def test_an_unknown_route_is_a_404_and_no_redirect(api: Api, path: str) -> None:
    reply = api.client.get(path, follow_redirects=False)
    assert (reply.status_code, reply.json()["code"]) == (404, "route_unknown")
