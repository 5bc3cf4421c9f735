"""API keys are exchanged for tokens; forged, foreign, ended and confused tokens are refused."""

import base64
import json
import subprocess
import sys
import uuid
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import ensure_private_key
from sixgate.gateway.api_keys import SLOW_LOGINS, OwnerKind
from sixgate.gateway.people import Person
from sixgate.oidc.id_tokens import Identity
from tests.harness.api import Api


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def status_of(api: Api, token: str) -> int:
    return api.client.get("/v1/auth/me", headers=bearer(token)).status_code


def token_key(api: Api) -> Ed25519PrivateKey:
    return ensure_private_key(api.folder.token_key)


def test_an_agent_gets_a_token_by_its_key_alone(api: Api) -> None:
    reply = api.client.post("/v1/agents", json={"name": "bot"}, headers=api.person).json()
    exchanged = api.client.post("/v1/auth/agent-token", json={"api_key": reply["api_key"]})
    body = exchanged.json()
    assert exchanged.status_code == 200
    assert body["agent_id"] == reply["id"]
    assert 300 <= body["expires_in"] <= 3600
    assert body["vault_ids"] == []
    assert body["entitlements"]["intents_api"] is False


def test_a_person_gets_a_token_and_a_profile(api: Api) -> None:
    profile = api.client.get("/v1/auth/me", headers=api.person).json()
    assert profile["id"] == api.person_id
    assert profile["org_id"] == "acme"


@pytest.mark.parametrize(
    "key", ["", "ocv_", "1ck_x", "ocv_000000000000_" + "0" * 48, "plt_1", "1" * 256, "\u0661"]
)
def test_a_wrong_key_gets_no_token(api: Api, key: str) -> None:
    for route in ("agent-token", "api-key-token"):
        reply = api.client.post(f"/v1/auth/{route}", json={"api_key": key})
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")


def test_a_key_of_one_kind_is_no_key_of_the_other(api: Api) -> None:
    reply = api.client.post("/v1/auth/agent-token", json={"api_key": api.person_key})
    assert reply.status_code == 401


def test_a_key_for_another_agent_is_refused(api: Api) -> None:
    created = api.client.post("/v1/agents", json={"name": "bot"}, headers=api.person).json()
    request = {"api_key": created["api_key"], "agent_id": "another"}
    assert api.client.post("/v1/auth/agent-token", json=request).status_code == 401


@pytest.mark.parametrize("change", [{"aud": "sixgate:other"}, {"iss": "other"}, {"exp": 1}])
def test_a_token_for_another_audience_or_time_is_refused(api: Api, change: dict[str, Any]) -> None:
    claims = claims_of(api.token(api.person_key)) | change
    forged = jwt.encode(claims, token_key(api), algorithm="EdDSA")
    assert status_of(api, forged) == 401


@pytest.mark.parametrize("missing", ["exp", "sub", "jti", "kind", "key", "aud"])
def test_a_token_without_a_claim_is_refused(api: Api, missing: str) -> None:
    claims = claims_of(api.token(api.person_key))
    del claims[missing]
    assert status_of(api, jwt.encode(claims, token_key(api), algorithm="EdDSA")) == 401


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(api: Api) -> None:
    claims = claims_of(api.token(api.person_key))
    public = token_key(api).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert status_of(api, jwt.encode(claims, public, algorithm="HS256")) == 401


def test_an_unsigned_token_is_refused(api: Api) -> None:
    _, body, _ = api.token(api.person_key).split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    assert status_of(api, f"{head}.{body}.") == 401


def test_a_token_of_another_key_is_refused(api: Api) -> None:
    claims = claims_of(api.token(api.person_key))
    forged = jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA")
    assert status_of(api, forged) == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer x", "token"])
def test_a_request_without_a_token_is_refused(api: Api, header: str) -> None:
    reply = api.client.get("/v1/auth/me", headers={"Authorization": header})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_token_ends_and_others_live_on(api: Api) -> None:
    first, second = api.token(api.person_key), api.token(api.person_key)
    assert api.client.delete("/v1/auth/token", headers=bearer(first)).status_code == 204
    assert (status_of(api, first), status_of(api, second)) == (401, 200)


@pytest.mark.parametrize("statement", [
    "INSERT INTO revoked_tokens VALUES (:jti, :exp)",
    "DELETE FROM api_keys WHERE id = :key",
    "UPDATE people SET active = 0 WHERE id = :sub",
])  # fmt: skip
def test_what_another_process_revokes_ends_at_once(api: Api, statement: str) -> None:
    person_id = str(uuid.uuid4())
    name = f"bob-{person_id[:8]}"
    person = Person(person_id, name, None, "member", wall_ms(), active=True)
    api.services.people.add(person)
    token = api.token(api.services.api_keys.issue("person", person.id, now_ms=wall_ms()).text)
    assert [status_of(api, token) for _ in range(2)] == [200, 200]
    code = (
        "import json, sqlite3, sys\n"
        "with sqlite3.connect(sys.argv[1]) as db:\n"
        "    db.execute(sys.argv[2], json.loads(sys.argv[3]))"
    )
    arguments = [str(api.folder.gateway), statement, json.dumps(claims_of(token))]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert status_of(api, token) == 401


def test_a_token_can_be_refreshed(api: Api) -> None:
    reply = api.client.post("/v1/auth/refresh", headers=api.person).json()
    assert status_of(api, reply["access_token"]) == 200


def test_a_deleted_key_ends_its_tokens(api: Api) -> None:
    made = api.client.post("/v1/auth/api-keys", json={"name": "ci"}, headers=api.person).json()
    listed = api.client.get("/v1/auth/api-keys", headers=api.person).json()["keys"]
    assert made["key"]["id"] in {key["id"] for key in listed}
    assert {key["key_prefix"] for key in listed} == {key["prefix"] for key in listed}
    assert made["api_key"] not in json.dumps(listed)
    token = api.token(made["api_key"])
    path = f"/v1/auth/api-keys/{made['key']['id']}"
    assert api.client.delete(path, headers=api.person).status_code == 204
    assert status_of(api, token) == 401
    assert api.client.delete(path, headers=api.person).status_code == 404


def test_a_key_with_scopes_is_refused_because_none_is_enforced(api: Api) -> None:
    request = {"name": "ci", "scopes": ["read"]}
    reply = api.client.post("/v1/auth/api-keys", json=request, headers=api.person)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, ["scopes"])


def test_keys_are_listed_in_pages(api: Api) -> None:
    for number in range(3):
        sent = {"name": f"paged-{number}"}
        assert (
            api.client.post("/v1/auth/api-keys", json=sent, headers=api.person).status_code == 201
        )
    url = "/v1/auth/api-keys"
    everything = api.client.get(url, headers=api.person).json()
    first = api.client.get(f"{url}?limit=2", headers=api.person).json()
    rest = f"{url}?cursor={first['next_cursor']}"
    assert everything["next_cursor"] is None
    assert (
        first["keys"] + api.client.get(rest, headers=api.person).json()["keys"]
        == (everything["keys"])
    )


def test_an_expired_key_gets_no_token(api: Api) -> None:
    request = {"name": "old", "expires_at": "2020-01-01T00:00:00Z"}
    made = api.client.post("/v1/auth/api-keys", json=request, headers=api.person).json()
    reply = api.client.post("/v1/auth/api-key-token", json={"api_key": made["api_key"]})
    assert reply.status_code == 401


def test_a_token_counts_only_for_the_owner_of_its_credential(api: Api) -> None:
    services, now_ms = api.services, wall_ms()
    agent_id, _ = api.new_agent()
    other_id, _ = api.new_agent()
    (agent_key,) = services.api_keys.owned_by("agent", agent_id)
    person_key = services.api_keys.owned_by("person", api.person_id)[-1]  # its first one
    login = services.logins.bind(Identity("https://id.example", "sub", "x"), api.person_id)

    def status(kind: OwnerKind, owner: str, credential: str) -> int:
        text, _ = services.tokens.issue(kind, owner, credential, now_ms=now_ms, ttl_s=3600)
        url = "/v1/agents/me" if kind == "agent" else "/v1/auth/me"
        reply = api.client.get(url, headers={"Authorization": f"Bearer {text}"})
        if reply.status_code == 401:
            assert "belongs to someone else" in reply.json()["detail"]
        return int(reply.status_code)

    assert status("agent", agent_id, agent_key.id) == 200
    assert status("agent", other_id, agent_key.id) == 401
    assert status("person", api.person_id, agent_key.id) == 401
    assert status("agent", agent_id, person_key.id) == 401
    assert status("person", api.person_id, login.id) == 200
    assert status("agent", agent_id, login.id) == 401
    services.logins.delete_of(api.person_id)


def test_an_address_that_guesses_an_old_key_is_limited(api: Api) -> None:
    made = api.client.post("/v1/auth/api-keys", json={"name": "old"}, headers=api.person).json()
    slow = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(made["api_key"])
    row = (slow, made["key"]["id"])
    assert api.services.database.write("UPDATE api_keys SET hash = ? WHERE id = ?", row) == 1
    request = {"api_key": made["api_key"][:-48] + "0" * 48}
    replies = [
        api.client.post("/v1/auth/api-key-token", json=request)
        for _ in range(SLOW_LOGINS.burst + 1)
    ]
    assert [reply.status_code for reply in replies] == [401] * SLOW_LOGINS.burst + [429]
    assert replies[-1].json()["code"] == "rate_limited"
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 6
    api.token(api.person_key)  # no old key: it is not counted


def test_key_texts_are_stored_as_hashes_only(api: Api) -> None:
    secret = api.person_key.rpartition("_")[2].encode()
    for file in api.folder.gateway_files.glob("gateway.db*"):
        assert secret not in file.read_bytes()
