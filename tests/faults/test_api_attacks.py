"""Attacks on the HTTP API by name: resources of others, forged tokens, mass assignment, paths."""

import base64
import http.client
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from sixgate.api.app import create_app
from sixgate.api.callers import agent_itself, person
from sixgate.api.listeners import Address
from sixgate.data_folder.key_files import ensure_private_key
from sixgate.logs import JsonLines
from tests.harness.api_server import ServedApi, data_of, served_api
from tests.harness.builders.http_server import ask

APP = create_app(None)  # type: ignore[arg-type]  # no request is served
DOCUMENT: dict[str, Any] = APP.openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
ROUTES = [(method, path) for method, path, _ in OPERATIONS]
OF_AGENTS = [(method, path) for method, path in ROUTES if "/v1/agents/{agent_id}" in path]
OF_VAULTS = [(method, path) for method, path in ROUTES if "/v1/vaults/{vault_id}" in path]
WITH_BODY = [
    (method, path)
    for method, path, operation in OPERATIONS
    if "requestBody" in operation and "/auth/" not in path
]
LENIENT = {
    ("POST", "/v1/auth/api-keys"), ("POST", "/v1/vaults"), ("POST", "/v1/webhooks"),
    ("PATCH", "/v1/webhooks/{webhook_id}"), ("POST", "/v1/webhooks/{webhook_id}/replay"),
}  # fmt: skip
REPLY_HEADERS = {
    "content-type", "content-length", "connection", "x-content-type-options", "cache-control",
    "referrer-policy", "content-security-policy", "www-authenticate", "retry-after",
}  # fmt: skip
WITH_PARAMETER = [(method, path) for method, path in ROUTES if "{" in path]
TRICKS = (
    "..", ".", "%2e%2e", "%2E%2E%2F%2E%2E", "..%2f..%2fetc%2fpasswd", "%2F", "a%2Fb", "%00", "x%00",
    "a%0a", "%0d%0aSet-Cookie:%20a=b", "%FF%FE", "%D9%A3%D9%A3", "%EF%BC%91", "%25%32%65", "'--",
    "$(id)", "*", "%20", "-1", "9" * 400, "a" * 10_000, "__proto__", "null", "%F0%9F%98%80",
)  # fmt: skip
UNKNOWN = {
    "id": "x", "org_id": "x", "account": "other", "policy_id": "x", "gateway": "x", "role": "admin",
    "is_admin": True, "created_by": "user:x", "tx_spent_today_eth": "0", "key_paths": ["keys/*"],
    "access_count": -1, "__class__": "x",
}  # fmt: skip


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def _routes_of(caller: Callable[..., Any]) -> list[tuple[str, str]]:
    """Return the routes with a dependency."""
    return [
        (method, route.path_format)
        for route in APP.routes
        if isinstance(route, APIRoute) and caller in _calls(route.dependant)
        for method in route.methods or ()
    ]


OF_PEOPLE, BY_AGENTS = _routes_of(person), _routes_of(agent_itself)


def _members(method: str, path: str) -> set[str]:
    """Return the described members of a request."""
    body = DOCUMENT["paths"][path][method.lower()]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    name = next(part["$ref"] for part in [schema, *schema.get("anyOf", ())] if "$ref" in part)
    found = DOCUMENT["components"]["schemas"][name.rpartition("/")[2]]
    return set(found["properties"])


@dataclass(frozen=True, slots=True)
class Scene:
    """A served API with the victim's resources, and clients of a person and of an attacker."""

    served: ServedApi
    person: httpx.Client
    attacker: httpx.Client
    attacker_key: str
    victim: httpx.Client
    known: dict[str, str]

    def path(self, template: str, **changes: str) -> str:
        """Return a route's path with the victim's resources."""
        return template.format_map(_Filled(self.known | changes))


class _Filled(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with served_api(tmp_path_factory.mktemp("attacks") / "data") as served:
        person = served.person
        victim = data_of(person.agents.create("victim", intents_api_enabled=True), 201)
        thief = data_of(person.agents.create("thief", intents_api_enabled=True), 201)
        data_of(person.signing_keys.create(victim["id"], "ethereum"), 201)
        vault = data_of(person.vaults.create("victim's"), 201)["id"]
        data_of(person.secrets.set(vault, "production/key", "precious"), 201)
        policy = person.policies.create(
            vault, principal_type="agent", principal_id=victim["id"],
            secret_path_pattern="production/*",  # noqa: S106 - a pattern
        )  # fmt: skip
        hook = data_of(
            person.webhooks.create("https://8.8.8.8/hook", ["agent.transaction.broadcast"]), 201
        )["id"]
        data_of(person.webhooks.update(hook, is_active=False))
        raw = served.raw(victim["api_key"])
        sent = {"chain": "base", "to": "0x" + "ab" * 20, "gas_limit": 21000, "gas_price": "1"}
        made = raw.post(f"/v1/agents/{victim['id']}/transactions", json=sent | {"value": "0"})
        assert made.status_code == 201, made.text
        known = {
            "agent_id": victim["id"], "vault_id": vault, "webhook_id": hook, "chain": "ethereum",
            "path": "production/key", "tx_id": made.json()["id"], "identifier": "base",
            "policy_id": data_of(policy, 201)["id"], "key": "intents_api.require_simulation",
        }  # fmt: skip
        yield Scene(
            served, served.raw(served.api.person_key), served.raw(thief["api_key"]),
            thief["api_key"], raw, known,
        )  # fmt: skip


def state_of(scene: Scene) -> list[Any]:
    """Return what the victim's resources are, to see that an attack changed nothing."""
    agent, vault = scene.known["agent_id"], scene.known["vault_id"]
    paths = (
        f"/v1/agents/{agent}", f"/v1/agents/{agent}/signing-keys",
        f"/v1/agents/{agent}/transactions", f"/v1/vaults/{vault}", f"/v1/vaults/{vault}/policies",
        f"/v1/vaults/{vault}/secret-versions/production/key", "/v1/webhooks", "/v1/org/settings",
        "/v1/auth/api-keys", "/v1/chains",
    )  # fmt: skip
    # Time moves the window of spent amounts.
    found = [scene.person.get(path).json() for path in paths]
    for key in found[8]["keys"]:
        key.pop("last_used_at")
    return found


def is_problem(reply: httpx.Response) -> None:
    assert 400 <= reply.status_code < 600, reply.text
    assert reply.status_code != 500, reply.text
    assert reply.headers["content-type"] == "application/problem+json", reply.text


@pytest.mark.parametrize(("method", "path"), OF_AGENTS, ids=map(" ".join, OF_AGENTS))
def test_an_agent_reaches_nothing_of_another_agent(scene: Scene, method: str, path: str) -> None:
    before = state_of(scene)
    reply = scene.attacker.request(method, scene.path(path), json={})
    is_problem(reply)
    assert reply.status_code in {400, 403, 404}
    # A 403 says that agents may not do this at all, and a 400 comes before the resource.
    absent = scene.attacker.request(method, scene.path(path, agent_id="absent"), json={})
    assert absent.status_code == reply.status_code
    assert state_of(scene) == before


@pytest.mark.parametrize(("method", "path"), OF_VAULTS, ids=map(" ".join, OF_VAULTS))
def test_an_agent_without_a_policy_reaches_nothing_of_a_vault(
    scene: Scene, method: str, path: str
) -> None:
    before = state_of(scene)
    for changes in ({}, {"vault_id": "__agent-keys"}, {"vault_id": "absent"}):
        reply = scene.attacker.request(method, scene.path(path, **changes), json={})
        is_problem(reply)
        assert reply.status_code in {400, 403, 404}
        assert "precious" not in reply.text
    assert state_of(scene) == before


@pytest.mark.parametrize(("method", "path"), OF_PEOPLE, ids=map(" ".join, OF_PEOPLE))
def test_an_agent_gets_403_wherever_only_people_may_act(
    scene: Scene, method: str, path: str
) -> None:
    before = state_of(scene)
    for agent in (scene.attacker, scene.victim):
        reply = agent.request(method, scene.path(path))
        is_problem(reply)
        # A missing body is noticed together with the caller.
        assert (reply.status_code, reply.json()["code"]) == (403, "people_only"), reply.text
    assert state_of(scene) == before


@pytest.mark.parametrize(
    "claims",
    [{"kind": "person"}, {"aud": "sixgate:other"}, {"sub": "victim"}, {"exp": 2**40}, {"key": "x"}],
)
def test_a_token_whose_claims_were_changed_is_refused(scene: Scene, claims: dict[str, Any]) -> None:
    head, body, signature = scene.served.api.token(scene.attacker_key).split(".")
    changed = json.loads(base64.urlsafe_b64decode(f"{body}==")) | claims
    if "sub" in claims:
        changed["sub"] = scene.known["agent_id"]
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    for text in (f"{head}.{forged}.{signature}", f"{head}.{forged}.", f"{head}.{forged}"):
        reply = httpx.get(
            f"{scene.served.url}/v1/agents/me", headers={"Authorization": f"Bearer {text}"}
        )
        assert reply.status_code == 401


def test_a_token_of_the_right_key_for_another_audience_is_refused(scene: Scene) -> None:
    token_key = ensure_private_key(scene.served.api.folder.token_key)
    genuine = scene.served.api.token(scene.attacker_key)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    url = f"{scene.served.url}/v1/agents/me"
    for audience, status in ((claims["aud"], 200), ("sixgate:other", 401), (["x"], 401)):
        text = jwt.encode(claims | {"aud": audience}, token_key, algorithm="EdDSA")
        reply = httpx.get(url, headers={"Authorization": f"Bearer {text}"})
        assert reply.status_code == status, reply.text


@pytest.mark.parametrize(("method", "path"), WITH_BODY, ids=map(" ".join, WITH_BODY))
def test_a_member_that_is_not_described_is_refused_or_has_no_effect(
    scene: Scene, method: str, path: str
) -> None:
    before = state_of(scene)
    client = scene.victim if (method, path) in BY_AGENTS else scene.person
    reply = client.request(method, scene.path(path), json=UNKNOWN)
    if (method, path) in LENIENT:
        # Required members are missing, unless none is required.
        assert reply.status_code == (200 if method == "PATCH" else 400), reply.text
        assert not UNKNOWN.keys() & reply.json().get("fields", {}).keys()
    else:
        assert reply.status_code == 400, reply.text
        own = reply.json()["fields"].keys()
        assert UNKNOWN.keys() <= own | _members(method, path), reply.text
    assert state_of(scene) == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/vaults", {"name": "v"}),
        ("/v1/auth/api-keys", {"name": "k"}),
        ("/v1/webhooks", {"url": "https://8.8.8.8/h", "events": ["agent.message.refused"]}),
    ],
)
def test_a_lenient_route_ignores_what_it_does_not_describe(
    scene: Scene, path: str, body: dict[str, Any]
) -> None:
    reply = scene.person.post(path, json=UNKNOWN | body)
    assert reply.status_code == 201, reply.text
    shown = reply.json().get("key", reply.json())
    assert {name for name, value in UNKNOWN.items() if shown.get(name) == value} == set()
    scene.person.delete(f"{path}/{shown['id']}")


@pytest.mark.parametrize(("method", "path"), WITH_PARAMETER, ids=map(" ".join, WITH_PARAMETER))
def test_a_trick_in_a_path_finds_nothing(scene: Scene, method: str, path: str) -> None:
    before = state_of(scene)
    client = scene.victim if (method, path) in BY_AGENTS else scene.person
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    with closing(http.client.HTTPConnection(urlsplit(scene.served.url).netloc)) as link:
        for name in names:
            for trick in TRICKS:
                sent = scene.path(path, **{name: trick})
                headers = {"Authorization": client.headers["Authorization"]}
                link.request(method, sent, body=b"{}", headers=headers)
                reply = link.getresponse()
                body = reply.read()
                # A list of nothing is no resource.
                assert 400 <= reply.status < 500 or reply.status == 501, (name, trick, body)
                assert json.loads(body)["status"] == reply.status
    assert state_of(scene) == before


@pytest.mark.parametrize(
    "suffix", ["%0a", "%00", "%20", "/", "/.", "%2F", "/..", "%2F..", "%0d%0a"]
)
def test_a_suffix_is_never_cut_off_a_path(scene: Scene, suffix: str) -> None:
    headers = {"Authorization": scene.person.headers["Authorization"]}
    with closing(http.client.HTTPConnection(urlsplit(scene.served.url).netloc)) as link:
        for method, path in ROUTES:
            if method == "GET":
                link.request("GET", scene.path(path) + suffix, headers=headers)
                reply = link.getresponse()
                assert reply.status in {400, 404, 405, 501}, (path, suffix, reply.read())
                reply.read()


HIDDEN = {
    "agent's key": "ocv_" + "5ecre7" * 8,
    "person's key": "1ck_" + "5ecre7" * 8,
    "token": "eyJ5ecre7.eyJ5ecre7.5ecre7",
    "share": base64.b64encode(b"5ecre7-share" * 3).decode(),
    "value": "5ecre7-value",
}


def test_no_secret_appears_in_a_problem_or_a_log(scene: Scene) -> None:
    stream = io.StringIO()
    handlers = [logging.StreamHandler(stream), logging.StreamHandler(stream)]
    handlers[0].setFormatter(JsonLines())
    root, level = logging.getLogger(), logging.getLogger().level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    # Library loggers below warning log requests; the product never enables them.
    for name in ("httpx", "httpcore", "oneclaw"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        replies = list(_with_secrets(scene))
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
    for reply in replies:
        is_problem(reply)
    assert "http.request" in stream.getvalue()
    for name, secret in HIDDEN.items():
        assert secret not in stream.getvalue(), name
        for reply in replies:
            assert secret not in reply.text, (name, reply.text)
            assert secret not in str(reply.headers), name


def _with_secrets(scene: Scene) -> Iterator[httpx.Response]:
    """Yield replies to requests that are wrong, with a secret at each place."""
    person, attacker = scene.person, scene.attacker
    vault, agent = scene.known["vault_id"], scene.known["agent_id"]
    secret_url = f"/v1/vaults/{vault}/secrets/production/key"
    for name in ("agent's key", "person's key", "value"):
        for route in ("agent-token", "api-key-token"):
            yield person.post(f"/v1/auth/{route}", json={"api_key": HIDDEN[name]})
            yield person.post(f"/v1/auth/{route}", json={"api_key": [HIDDEN[name]]})
            yield person.post(f"/v1/auth/{route}", json={"api_key": HIDDEN[name] * 9})
            yield person.post(f"/v1/auth/{route}", content=f'{{"api_key": "{HIDDEN[name]}')
    for scheme in ("Bearer ", "Basic ", ""):
        headers = {"Authorization": scheme + HIDDEN["token"]}
        yield person.get("/v1/agents/me", headers=headers)
        yield person.get("/v1/absent", headers=headers)
    for client in (person, attacker):
        headers = {"X-Client-Share": HIDDEN["share"]}
        yield client.get(f"{secret_url}-absent", headers=headers)
        yield client.post(f"/v1/agents/{agent}/transactions", headers=headers, json={})
        yield client.post(f"/v1/agents/{agent}/sign", headers=headers, json={})
    keys = {"x-cmek-old-key": HIDDEN["share"], "x-cmek-new-key": HIDDEN["value"]}
    rotated = {"new_fingerprint": "ab" * 32}
    yield person.post(f"/v1/vaults/{vault}/cmek-rotate", headers=keys, json=rotated)
    for wrong in ({"type": "nonsense"}, {"expires_at": "never"}, {"max_access_count": -1}):
        yield person.put(secret_url, json={"value": HIDDEN["value"]} | wrong)
    yield person.put(secret_url, json={"value": [HIDDEN["value"]]})
    yield attacker.put(secret_url, json={"value": HIDDEN["value"]})
    hook = {"url": "https://10.0.0.1/", "events": ["*"], "secret": HIDDEN["value"]}
    yield person.post("/v1/webhooks", json=hook)
    yield person.post("/v1/webhooks", json=hook | {"url": "https://8.8.8.8/"})


ECHOED = (
    "Authorization", "Idempotency-Key", "X-Client-Share", "X-Forwarded-For", "X-Forwarded-Host",
    "Origin", "Accept", "Content-Type", "X-Request-Id", "X-1Claw-Runtime-Id", "User-Agent",
)  # fmt: skip
SPLITS = (
    b"a%0d%0aX-Split: 1",
    b"a\rX-Split: 1",
    b"a\x00X-Split: 1",
    b"a\n\tX-Split: 1",
    b"\xff\xfe",
)


@pytest.mark.parametrize("name", ECHOED)
def test_no_header_of_a_request_splits_the_reply(scene: Scene, name: str) -> None:
    agent = scene.known["agent_id"]
    token = scene.victim.headers["Authorization"].encode()
    for value in SPLITS:
        lines = [
            f"POST /v1/agents/{agent}/transactions HTTP/1.1".encode(),
            b"Host: x",
            b"Content-Length: 2",
            b"Connection: close",
            *([b"Authorization: " + token] if name != "Authorization" else []),
            name.encode() + b": " + value,
        ]
        for answer in ask(Address(None, (scene.served.url,)), b"\r\n".join([*lines, b"", b"{}"])):
            assert answer.status < 500
            assert answer.headers.keys() <= REPLY_HEADERS
