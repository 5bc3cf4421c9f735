"""The routes of webhooks."""

from collections.abc import Iterator
from typing import Any

import pytest

from sixgate.webhooks.store import ENDPOINTS_MAX
from tests.harness.api import Api, running_api

URL = "https://example.com/hook?token=abc"
ROUTES = (
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
    ("GET", "ID"),
    ("PATCH", "ID"),
    ("DELETE", "ID"),
    ("POST", "ID/replay"),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api") / "data") as api:
        yield api


@pytest.fixture(scope="module")
def headers(api: Api) -> dict[str, str]:
    return api.person


@pytest.fixture
def person(api: Api, headers: dict[str, str]) -> Iterator[dict[str, str]]:
    yield headers
    for webhook in api.client.get("/v1/webhooks", headers=headers).json()["webhooks"]:
        api.client.delete(f"/v1/webhooks/{webhook['id']}", headers=headers)


def create(api: Api, person: dict[str, str], **members: Any) -> dict[str, Any]:
    body = {"url": URL, "events": ["agent.transaction.broadcast"]} | members
    reply = api.client.post("/v1/webhooks", json=body, headers=person)
    assert reply.status_code == 201, reply.text
    created: dict[str, Any] = reply.json()
    return created


def test_a_generated_secret_is_shown_once(api: Api, person: dict[str, str]) -> None:
    created = create(api, person)
    assert created["secret"].startswith("whsec_")
    assert (created["url"], created["is_active"]) == (URL, True)
    assert created["events"] == ["agent.transaction.broadcast"]
    assert created["created_by"] == f"user:{api.person_id}"
    shown = api.client.get(f"/v1/webhooks/{created['id']}", headers=person).json()
    listed = api.client.get("/v1/webhooks", headers=person).json()
    assert listed == {"webhooks": [shown]}
    assert shown == {name: value for name, value in created.items() if name != "secret"}


def test_a_given_secret_is_never_shown(api: Api, person: dict[str, str]) -> None:
    given = "whsec_" + "Z2l2" * 8
    created = create(api, person, secret=given)
    assert created["secret"] is None
    changed = api.client.patch(
        f"/v1/webhooks/{created['id']}", json={"secret": given}, headers=person
    )
    assert changed.status_code == 200
    assert given not in changed.text


def test_a_webhook_is_changed_and_deleted(api: Api, person: dict[str, str]) -> None:
    path = f"/v1/webhooks/{create(api, person)['id']}"
    body = {"url": "https://example.org/", "events": ["*"], "is_active": False}
    changed = api.client.patch(path, json=body, headers=person).json()
    assert {name: changed[name] for name in body} == body
    assert api.client.patch(path, json={}, headers=person).json() == changed
    assert api.client.delete(path, headers=person).status_code == 204
    for method in ("GET", "DELETE"):
        reply = api.client.request(method, path, headers=person)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert api.client.patch(path, json={}, headers=person).status_code == 404
    assert api.client.post(f"{path}/replay", json={"after": 0}, headers=person).status_code == 404


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://169.254.169.254/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "https://user:password@example.com/"}, "url"),
        ({"url": "https://example.com/\r\nX: y"}, "url"),
        ({"url": 7}, "url"),
        ({"url": None}, "url"),
        ({"url": "https://example.com/" + "a" * 4096}, "url"),
        ({"events": []}, "events"),
        ({"events": ["agent.unknown"]}, "events"),
        ({"events": ["*"] * 100}, "events"),
        ({"secret": "whsec_short"}, "secret"),
        ({"secret": "a" * 4096}, "secret"),
    ],
)
def test_an_invalid_field_is_a_400_that_names_it_and_repeats_no_secret(
    api: Api, person: dict[str, str], members: dict[str, Any], field: str
) -> None:
    body = {"url": URL, "events": ["*"]} | members
    reply = api.client.post("/v1/webhooks", json=body, headers=person)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, [field])
    assert reply.headers["content-type"] == "application/problem+json"
    assert isinstance(reply.json()["detail"], str)
    assert "whsec_short" not in reply.text
    assert "password@" not in reply.text
    path = f"/v1/webhooks/{create(api, person)['id']}"
    if body[field] is not None:
        reply = api.client.patch(path, json={field: body[field]}, headers=person)
        assert (reply.status_code, list(reply.json()["fields"])) == (400, [field])


@pytest.mark.parametrize("after", [-1, 2**62, 2**70, "x", None])
def test_a_replay_from_an_impossible_offset_is_a_400(
    api: Api, person: dict[str, str], after: object
) -> None:
    path = f"/v1/webhooks/{create(api, person)['id']}/replay"
    reply = api.client.post(path, json={"after": after}, headers=person)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, ["after"])


def test_one_webhook_too_many_is_a_403_with_the_documented_type(
    api: Api, person: dict[str, str]
) -> None:
    for _ in range(ENDPOINTS_MAX):
        create(api, person)
    body = {"url": URL, "events": ["*"]}
    reply = api.client.post("/v1/webhooks", json=body, headers=person)
    assert (reply.status_code, reply.json()["type"]) == (403, "resource_limit_exceeded")


def test_an_agent_gets_a_403_from_every_route(api: Api, person: dict[str, str]) -> None:
    path = f"/v1/webhooks/{create(api, person)['id']}"
    _, agent = api.new_agent()
    for method, at in ROUTES:
        reply = api.client.request(method, at.replace("ID", path), json={}, headers=agent)
        assert reply.status_code == 403, (method, at)
    assert api.client.get(path, headers=person).status_code == 200


def test_nobody_without_a_token_reaches_webhooks(api: Api, person: dict[str, str]) -> None:
    path = f"/v1/webhooks/{create(api, person)['id']}"
    for method, at in ROUTES:
        reply = api.client.request(method, at.replace("ID", path), json={})
        assert reply.status_code == 401
