"""Bodies: authenticated first, bounded, and a 400 says what is wrong with them."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from sixgate.api.app import create_app
from sixgate.api.callers import authenticates
from sixgate.api.json_route import JsonRoute
from sixgate.api.limits import LimitedApp
from sixgate.config.limits import KIB, Limits, Rate
from tests.harness.api import Api

ROUTES = (
    "/v1/auth/agent-token",
    "/v1/admin/chains",
    "/v1/agents",
    "/v1/vaults",
    "/v1/webhooks",
    "/v1/auth/api-keys",
    "/v1/auth/oidc",
)


@pytest.mark.parametrize("url", ROUTES)
@pytest.mark.parametrize(
    ("body", "media_type", "why"),
    [
        (b"{", "application/json", "is not JSON"),
        (b"\xff", "application/json", "is not JSON"),
        (b'{"name": "a", "name": "b"}', "application/json", "'name' occurs twice"),
        (b'{"x": [{"y": {"n": 1, "n": 1}}]}', "application/json", "'n' occurs twice"),
        (b'{"x": 1}\xef\xbb\xbf', "application/json", "is not JSON"),
        (b'\xef\xbb\xbf{"x": 1}', "application/json", "is not JSON"),
        ('{"x": 1}'.encode("utf-16"), "application/json", "is not JSON"),
        ('{"x": 1}'.encode("utf-16-le"), "application/json; charset=utf-16", "is not JSON"),
        ('{"x": 1}'.encode("utf-32"), "application/json", "is not JSON"),
        ('{"x": "ü"}'.encode("latin-1"), "application/vnd.any+json", "is not JSON"),
        (b'{"x": NaN}', "application/json", "is not JSON"),
        (b'{"x": "\\ud800"}', "application/json", "surrogate"),
        (b"[]", "application/json", "must be a JSON object"),
        (b"{}", "application/x-www-form-urlencoded", "Content-Type: application/json"),
        (b"", "application/json", "is missing"),
    ],
)
def test_a_body_that_is_no_json_object_is_named(
    api: Api, url: str, body: bytes, media_type: str, why: str
) -> None:
    headers = api.person | {"Content-Type": media_type}
    reply = api.client.post(url, content=body, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (400, "validation")
    assert any(why in sentence for sentence in reply.json()["fields"].values())
    assert why in reply.json()["detail"]


def test_a_member_that_is_no_json_object_is_named(api: Api) -> None:
    sent = {"eip712_domain_allowlist": [1]}
    reply = api.client.post("/v1/agents", json={"name": "b"} | sent, headers=api.person)
    assert reply.json()["fields"] == {"eip712_domain_allowlist.0": "must be a JSON object"}


def test_every_route_reads_its_body_strictly(api: Api) -> None:
    routes = [route for route in create_app(api.services).routes if isinstance(route, APIRoute)]
    assert len(routes) > 80
    assert [route.path for route in routes if not isinstance(route, JsonRoute)] == []


def test_no_body_is_read_before_its_sender_is_authenticated(api: Api) -> None:
    tried = 0
    for route in create_app(api.services).routes:
        if isinstance(route, APIRoute) and route.body_field and authenticates(route):
            for method in route.methods or ():
                url = re.sub(r"\{[^}]+\}", "x", route.path)
                headers = {"Content-Type": "application/json"}
                reply = api.client.request(method, url, content=unreadable(), headers=headers)
                assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized"), url
                tried += 1
    assert tried > 20


def unreadable() -> Iterator[bytes]:
    yield from ()
    raise AssertionError("the body was read")


def test_a_caller_is_counted_once_if_its_request_has_a_body(api: Api) -> None:
    limits = Limits(person_rate=Rate(per_minute=1, burst=2))
    body = {"name": "counted"}
    with TestClient(LimitedApp(create_app(api.services), limits, lambda: 0)) as client:
        found = [
            client.post("/v1/auth/api-keys", json=body, headers=api.person).status_code
            for _ in range(3)
        ]
    assert found == [201, 201, 429]


@pytest.mark.parametrize(("size", "status"), [(32 * KIB, 401), (32 * KIB + 1, 413)])
def test_the_body_of_a_login_is_short(api: Api, size: int, status: int) -> None:
    body = b'{"api_key":"1ck_wrong"}'.ljust(size)
    app = LimitedApp(create_app(api.services), Limits(), lambda: 0)
    headers = {"Content-Type": "application/json"}
    with TestClient(app) as client:
        reply = client.post("/v1/auth/api-key-token", content=body, headers=headers)
    assert reply.status_code == status
