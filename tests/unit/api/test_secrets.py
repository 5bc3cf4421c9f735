"""Secrets over HTTP: versions, types, limits, client shares, paths, and what must never leak."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from sixgate.api.models.secrets import SecretReply, SecretRequest
from sixgate.api.secret_generating import ALPHABETS
from sixgate.clocks import wall_ms
from tests.harness.api import Api
from tests.harness.api_agents import Session, set_intents, token_agent


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


@pytest.fixture(scope="module")
def vault(person: Session) -> str:
    return person.vault()


@pytest.fixture(scope="module")
def agent(person: Session) -> tuple[str, Session]:
    name, headers = token_agent(person.api)
    return name, Session(person.api, headers)


def refused(reply: Any, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


def test_a_secret_is_stored_read_and_stored_again(person: Session, vault: str) -> None:
    first = person.put(vault, "api-keys/stripe", "sk-1", type="api_key", metadata={"env": "live"})
    assert (first.status_code, first.json()["version"]) == (201, 1)
    assert first.json()["metadata"] == {"env": "live"}
    assert not {"value", "client_share", "signing_address"} & set(first.json())
    second = person.put(vault, "api-keys/stripe", "sk-2")
    assert (second.status_code, second.json()["version"]) == (200, 2)
    read = person.get(vault, "api-keys/stripe").json()
    assert (read["value"], read["version"], read["encoding"]) == ("sk-2", 2, "utf-8")
    old = person.send("GET", f"/vaults/{vault}/secret-version/api-keys/stripe/1").json()
    assert (old["value"], old["metadata"]) == ("sk-1", {"env": "live"})
    listed = person.send("GET", f"/vaults/{vault}/secret-versions/api-keys/stripe").json()
    assert [one["version"] for one in listed["versions"]] == [2, 1]
    assert "value" not in listed["versions"][0]


def test_a_description_is_kept_in_the_metadata(person: Session, vault: str) -> None:
    made = person.put(vault, "described", "x", description="for the shop", metadata={"env": "live"})
    assert made.json()["metadata"] == {"description": "for the shop", "env": "live"}
    own = person.put(vault, "described", "x", description="a", metadata={"description": "b"})
    assert own.json()["metadata"] == {"description": "b"}
    assert person.put(vault, "described", "x", description="").json()["metadata"] == {}


@pytest.mark.parametrize("type_", ["env", "env_bundle", "generic", "note"])
def test_the_types_of_plain_text_are_answered_as_stored(
    person: Session, vault: str, type_: str
) -> None:
    path = f"plain/{type_.replace('_', '-')}"
    assert person.put(vault, path, "A=1", type=type_).json()["type"] == type_
    assert person.get(vault, path).json()["type"] == type_


def test_a_type_is_kept_by_its_path(person: Session, vault: str) -> None:
    person.put(vault, "sticky/password", "p", type="password")
    assert person.put(vault, "sticky/password", "p").json()["type"] == "password"
    assert person.put(vault, "sticky/generic", "g").json()["type"] == "generic"
    assert person.put(vault, "sticky/generic", "g", type="api_key").json()["type"] == "generic"


@pytest.mark.parametrize("later", ["generic", "api_key", "note", "password"])
def test_type_downgrade_leaves_a_key_a_key(person: Session, vault: str, later: str) -> None:
    path = f"downgrade/{later.replace('_', '-')}"
    person.put(vault, path, "a key", type="ssh_key")
    assert person.put(vault, path, "a key", type=later).json()["type"] == "ssh_key"
    name, headers = token_agent(person.api, intents=True)
    reader = Session(person.api, headers)
    person.allow(vault, name, "downgrade/*", "read", "write")
    refused(reader.get(vault, path), 403, "key_read_blocked")
    assert reader.put(vault, path, "mine", type=later).json()["type"] == "ssh_key"
    refused(reader.get(vault, path), 403, "key_read_blocked")
    refused(reader.send("GET", f"/vaults/{vault}/secret-version/{path}/1"), 403, "key_read_blocked")
    refused(reader.send("GET", f"/vaults/{vault}/secret-versions/{path}"), 403, "key_read_blocked")
    person.send("DELETE", f"/vaults/{vault}/secrets/{path}")
    assert person.put(vault, path, "reborn", type=later).json()["type"] == "ssh_key"


@pytest.mark.parametrize("prefix", ["keys", "wallets", "agents"])
def test_every_secret_at_a_path_of_a_key_is_a_key(person: Session, vault: str, prefix: str) -> None:
    made = person.put(vault, f"{prefix}/not.a-key-path", "x", type="api_key")
    assert made.json()["type"] == "private_key"
    name, headers = token_agent(person.api, intents=True)
    person.allow(vault, name, f"{prefix}/**")
    refused(
        Session(person.api, headers).get(vault, f"{prefix}/not.a-key-path"), 403, "key_read_blocked"
    )


def test_a_readable_path_cannot_become_a_key(person: Session, vault: str) -> None:
    person.put(vault, "was/readable", "x")
    refused(person.put(vault, "was/readable", "k", type="private_key"), 409, "type_fixed")


def test_a_key_is_readable_only_while_intents_are_off(
    person: Session, vault: str, agent: tuple[str, Session]
) -> None:
    name, reader = agent
    person.put(vault, "signer/raw", "secret key", type="private_key")
    person.allow(vault, name, "signer/*")
    assert reader.get(vault, "signer/raw").json()["value"] == "secret key"
    set_intents(person.api, name, intents=True)
    refused(reader.get(vault, "signer/raw"), 403, "key_read_blocked")
    person.put(vault, "signer/raw", "next key")
    refused(reader.get(vault, "signer/raw"), 403, "key_read_blocked")
    set_intents(person.api, name, intents=False)
    assert reader.get(vault, "signer/raw").json()["value"] == "next key"


def test_an_agent_without_a_grant_learns_nothing(person: Session, vault: str) -> None:
    person.put(vault, "of-b/secret", "b")
    person.put(vault, "of-b/key", "b", type="ssh_key")
    name, headers = token_agent(person.api)
    other = Session(person.api, headers)
    for path in ("of-b/secret", "of-b/absent"):
        refused(other.get(vault, path), 404, "not_found")
        refused(other.put(vault, path, "x"), 404, "not_found")
    person.allow(vault, name, "of-a/*", "read", "write")
    for url in ("secrets/of-b/{}", "secret-version/of-b/{}/1", "secret-versions/of-b/{}"):
        replies = [
            other.send("GET", f"/vaults/{vault}/{url.format(leaf)}")
            for leaf in ("secret", "absent", "key")
        ]
        assert {one.status_code for one in replies} == {403}
        texts = [
            one.text.replace("secret in", "X in").replace("absent", "X").replace("/key", "/X")
            for one in replies
        ]
        assert len(set(texts)) == 1, texts
    refused(other.put(vault, "of-b/secret", "x"), 403, "not_granted")
    refused(other.send("POST", f"/vaults/{vault}/secret-rotate/of-b/absent"), 403, "not_granted")
    assert other.send("GET", f"/vaults/{vault}/secrets").json()["secrets"] == []
    assert person.get(vault, "of-b/secret").json()["value"] == "b"


def test_refused_reads_and_writes_are_recorded_with_the_address(
    person: Session, vault: str
) -> None:
    name, headers = token_agent(person.api)
    person.put(vault, "recorded/other", "x")  # registers the vault, so that the signer knows it
    person.allow(vault, name, "elsewhere/*")
    other = Session(person.api, headers)
    other.get(vault, "recorded/read")
    other.put(vault, "recorded/write", "x")
    answer = person.api.node.sql(
        "SELECT actor, secret_path, action, refused, client_address FROM access_log ORDER BY seq"
    )
    rows = [tuple(rest) for actor, *rest in answer["rows"] if actor == name]
    assert [row[:2] for row in rows] == [
        ("recorded/read", "secret.get"),
        ("recorded/write", "secret.put"),
    ]
    assert all(row[2] for row in rows)
    assert rows[0][3] == "testclient"


def test_a_refused_write_to_an_empty_vault_is_an_audit_event(person: Session) -> None:
    vault = person.vault()
    name, headers = token_agent(person.api)
    person.allow(vault, name, "elsewhere/*")
    refused(Session(person.api, headers).put(vault, "recorded/x", "x"), 403, "not_granted")
    query = f"?action=secret.write.refused&actor_id=agent:{name}"
    (event,) = person.send("GET", f"/audit/events{query}").json()["events"]
    assert (event["resource_id"], event["client_ip"]) == (f"vault:{vault}/recorded/x", "testclient")
    assert json.loads(event["details"]["detail"]) == {"reason": "not_granted"}


def test_an_agent_writes_only_with_a_write_grant(person: Session, vault: str) -> None:
    name, headers = token_agent(person.api)
    writer = Session(person.api, headers)
    person.allow(vault, name, "inbox/*", "write")
    made = writer.put(vault, "inbox/note", "from the agent")
    assert (made.status_code, made.json()["created_by"]) == (201, f"agent:{name}")
    refused(writer.get(vault, "inbox/note"), 403, "not_granted")
    assert person.get(vault, "inbox/note").json()["value"] == "from the agent"


def test_reading_after_revoke_is_refused(person: Session, vault: str) -> None:
    person.put(vault, "revoked/x", "v")
    name, headers = token_agent(person.api)
    reader = Session(person.api, headers)
    policy = person.allow(vault, name, "revoked/*")
    assert reader.get(vault, "revoked/x").status_code == 200
    assert person.send("DELETE", f"/vaults/{vault}/policies/{policy}").status_code == 204
    assert reader.get(vault, "revoked/x").status_code == 404


def test_two_puts_at_once_make_two_versions(person: Session, vault: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        values = [f"value {n}" for n in range(6)]
        replies = list(pool.map(lambda value: person.put(vault, "race/x", value), values))
    assert sorted(one.json()["version"] for one in replies) == [1, 2, 3, 4, 5, 6]
    assert sorted(one.status_code for one in replies) == [200] * 5 + [201]
    for reply, value in zip(replies, values, strict=True):
        url = f"/vaults/{vault}/secret-version/race/x/{reply.json()['version']}"
        assert person.send("GET", url).json()["value"] == value


def test_the_last_read_is_given_to_one_reader(person: Session, vault: str) -> None:
    person.put(vault, "limited/x", "v", max_access_count=3)
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: person.get(vault, "limited/x"), range(6)))
    assert sorted(one.status_code for one in replies) == [200] * 3 + [410] * 3
    refused(person.get(vault, "limited/x"), 410, "reads_exhausted")
    listed = person.send("GET", f"/vaults/{vault}/secrets?prefix=limited/").json()["secrets"]
    assert (listed[0]["access_count"], listed[0]["max_access_count"]) == (3, 3)
    person.put(vault, "limited/x", "unlimited")
    assert person.get(vault, "limited/x").status_code == 200


def test_an_expired_version_is_refused(person: Session, vault: str) -> None:
    past = person.put(vault, "expiring/x", "v", expires_at="2020-01-01T00:00:00Z")
    assert (past.status_code, list(past.json()["fields"])) == (400, ["expires_at"])
    made = person.put(vault, "expiring/x", "v", expires_at="2099-01-01T00:00:00Z")
    assert made.json()["expires_at"] == "2099-01-01T00:00:00.000Z"
    assert person.get(vault, "expiring/x").status_code == 200
    versions = person.api.services.secret_versions
    versions.put(replace(versions.get(vault, "expiring/x", 1), expires_at_ms=wall_ms() - 1))
    refused(person.get(vault, "expiring/x"), 410, "secret_expired")


def test_a_disabled_version_is_refused_and_others_are_not(person: Session, vault: str) -> None:
    person.put(vault, "disabled/x", "1")
    person.put(vault, "disabled/x", "2")
    base = f"/vaults/{vault}/secret-version"
    disabled = person.send("POST", f"{base}-disable/disabled/x/1")
    assert (disabled.status_code, disabled.json()["is_disabled"]) == (200, True)
    refused(person.send("GET", f"{base}/disabled/x/1"), 410, "version_disabled")
    assert person.get(vault, "disabled/x").json()["value"] == "2"
    refused(person.send("POST", f"{base}-disable/disabled/x/3"), 404, "secret_unknown")


def test_a_deleted_secret_is_gone_and_its_path_can_be_used_again(
    person: Session, vault: str
) -> None:
    person.put(vault, "deleted/x", "old")
    url = f"/vaults/{vault}/secrets/deleted/x"
    assert person.send("DELETE", url).status_code == 204
    refused(person.send("DELETE", url), 404, "secret_unknown")
    refused(person.get(vault, "deleted/x"), 404, "secret_unknown")
    refused(
        person.send("GET", f"/vaults/{vault}/secret-version/deleted/x/1"), 404, "secret_unknown"
    )
    listed = person.send("GET", f"/vaults/{vault}/secrets?prefix=deleted/").json()
    assert listed["secrets"] == []
    again = person.put(vault, "deleted/x", "new")
    assert (again.status_code, again.json()["version"]) == (201, 2)
    versions = person.send("GET", f"/vaults/{vault}/secret-versions/deleted/x").json()["versions"]
    assert [one["version"] for one in versions] == [2]


def test_a_version_out_of_range_is_not_found(person: Session, vault: str) -> None:
    person.put(vault, "range/x", "v")
    base = f"/vaults/{vault}/secret-version/range/x"
    refused(person.send("GET", f"{base}/2"), 404, "secret_unknown")
    for wrong in ("0", "-1", "1.5", "one", str(2**60)):
        assert person.send("GET", f"{base}/{wrong}").status_code == 400


def test_secrets_are_listed_by_prefix_newest_first_in_pages(person: Session) -> None:
    vault = person.vault()
    assert person.send("GET", f"/vaults/{vault}/secrets").json()["secrets"] == []
    for path in ("a/1", "b/1", "a/2"):
        person.put(vault, path, "v")
    listed = person.send("GET", f"/vaults/{vault}/secrets?prefix=a/").json()["secrets"]
    assert [one["path"] for one in listed] == ["a/2", "a/1"]
    page = person.send("GET", f"/vaults/{vault}/secrets?limit=2").json()
    rest = person.send("GET", f"/vaults/{vault}/secrets?cursor={page['next_cursor']}").json()
    assert [one["path"] for one in page["secrets"] + rest["secrets"]] == ["a/2", "b/1", "a/1"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "value"), ({"value": ""}, "value"), ({"value": 5}, "value"),
        ({"value": "v", "type": "seed"}, "type"), ({"value": "v", "ttl": 5}, "ttl"),
        ({"value": "v", "max_access_count": 0}, "max_access_count"),
        ({"value": "v", "expires_at": "tomorrow"}, "expires_at"),
        ({"value": "v", "rotation_policy": {"days": 30}}, "rotation_policy"),
        ({"value": "v", "metadata": {"a": "x" * 5000}}, "metadata"),
        ({"value": "x" * 65_537}, "value"), ({"value": "\u00e4" * 40_000}, "value"),
    ],
)  # fmt: skip
def test_what_is_not_enforced_is_refused(
    person: Session, vault: str, body: dict[str, Any], field: str
) -> None:
    reply = person.send("PUT", f"/vaults/{vault}/secrets/refused", body)
    assert (reply.status_code, list(reply.json()["fields"])) == (400, [field])
    refused(person.get(vault, "refused"), 404, "secret_unknown")


@pytest.mark.parametrize(
    "body",
    [
        b'{"value": "\\ud800"}',
        b'{"value": "v", "metadata": {"a": NaN}}',
        b'{"value": "v", "metadata": {"a": "\\ud800"}}',
    ],
)
def test_text_that_cannot_be_stored_is_refused(person: Session, vault: str, body: bytes) -> None:
    headers = person.headers | {"Content-Type": "application/json"}
    url = f"/v1/vaults/{vault}/secrets/refused"
    assert person.api.client.put(url, content=body, headers=headers).status_code == 400


def test_the_sdks_defaults_are_accepted(person: Session, vault: str) -> None:
    assert person.put(vault, "sdk/x", "v", type="generic", rotation_policy={}).status_code == 201
    assert person.put(vault, "sdk/x", "v" * 65_536).status_code == 200


@pytest.mark.parametrize("charset", [None, *ALPHABETS])
def test_a_generated_value_has_its_length_and_characters(
    person: Session, vault: str, charset: str | None
) -> None:
    path = f"generated/{charset}"
    person.put(vault, path, "first", type="password", metadata={"kept": True})
    body = None if charset is None else {"length": 64, "charset": charset}
    made = person.send("POST", f"/vaults/{vault}/secret-rotate/{path}", body)
    assert (made.status_code, made.json()["version"], made.json()["type"]) == (200, 2, "password")
    assert made.json()["metadata"] == {"kept": True}
    assert "value" not in made.json()
    value = person.get(vault, path).json()["value"]
    assert len(value) == (64 if charset else 32)
    assert set(value.encode()) <= set(ALPHABETS[charset or "alphanumeric"])


def test_keys_and_absent_secrets_are_not_generated(person: Session, vault: str) -> None:
    person.put(vault, "ungenerated/key", "k", type="ssh_key")
    url = f"/vaults/{vault}/secret-rotate"
    refused(person.send("POST", f"{url}/ungenerated/key", {}), 400, "key_not_generated")
    refused(person.send("POST", f"{url}/ungenerated/none", {}), 404, "secret_unknown")
    for body in ({"length": 8}, {"length": 2000}, {"charset": "emoji"}):
        assert person.send("POST", f"{url}/ungenerated/key", body).status_code == 400
    headers = person.headers | {"Content-Type": "application/json"}
    person.put(vault, "ungenerated/x", "v")
    empty = person.api.client.post(f"/v1{url}/ungenerated/x", headers=headers)
    assert empty.status_code == 200


def test_no_secret_is_in_logs_errors_or_descriptions(
    person: Session, vault: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hunter2-correct-horse"  # noqa: S105 - looked for below
    with caplog.at_level(logging.DEBUG):
        texts = [
            person.put(vault, "leak/x", secret).text,
            person.put(vault, "leak/x", secret, type="wrong").text,
            person.put(vault, "leak/..x", secret).text,
            person.put(vault, "leak/x", secret, rotation_policy={"value": secret}).text,
            person.send("PUT", f"/vaults/{vault}/secrets/leak/x", {"value": [secret]}).text,
            person.send("PUT", f"/vaults/{vault}/secrets/leak/x", [secret]).text,
            person.put("__agent-keys", "leak/x", secret).text,
            person.send("GET", f"/vaults/{vault}/secrets").text,
            person.api.client.get("/v1/openapi.json").text,
        ]
        read = person.get(vault, "leak/x")
    assert read.json()["value"] == secret
    assert not [text for text in texts if secret in text]
    assert secret not in caplog.text
    assert secret not in repr(SecretRequest.model_validate({"value": secret}))
    assert secret not in repr(SecretReply(**read.json()))
