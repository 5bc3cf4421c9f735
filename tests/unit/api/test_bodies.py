"""Bodies that are no JSON object are a 400 that says what is wrong with them."""

import pytest

from tests.harness.api import Api

ROUTES = ("/v1/agents", "/v1/vaults", "/v1/webhooks", "/v1/auth/api-keys", "/v1/auth/oidc")


@pytest.mark.parametrize("url", ROUTES)
@pytest.mark.parametrize(
    ("body", "media_type", "why"),
    [
        (b"{", "application/json", "is not JSON"),
        (b"\xff", "application/json", "is not JSON"),
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
    sent = {"eip712_domain_allowlist": ["0x" + "1" * 40]}
    reply = api.client.post("/v1/agents", json={"name": "b"} | sent, headers=api.person)
    assert reply.json()["fields"] == {"eip712_domain_allowlist.0": "must be a JSON object"}
