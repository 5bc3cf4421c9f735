"""The documented client, unmodified but for its base URL: vaults, secrets, policies."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oneclaw import OneclawClient

from signer.custody.cmek import CmekContext
from sixgate.authoring.customer_key import CustomerKey
from tests.harness.api import ACCOUNT
from tests.harness.api_server import ServedApi, data_of, done, refusal_of, served_api
from tests.harness.builders.waiting import until

PRIVATE_KEY = "0x" + "11" * 32
MODES = {
    "2of2_client_custody": True,
    "2of3_multi_hsm": False,
    "2of3_client_custody": True,
}
"""Whether a secret in a vault of the custody mode has a client share."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("documented") / "data") as served:
        yield served


@pytest.fixture(scope="module")
def person(served: ServedApi) -> OneclawClient:
    return served.person


def new_vault(person: OneclawClient, name: str = "production") -> str:
    return str(data_of(person.vaults.create(name), 201)["id"])


def new_reader(
    served: ServedApi, person: OneclawClient, vault: str, pattern: str
) -> tuple[str, OneclawClient]:
    """Create an agent without intents that may read a vault's paths; return its id and client."""
    made = data_of(person.agents.create("reader"), 201)
    policy = person.policies.create(
        vault,
        principal_type="agent",
        principal_id=made["id"],
        secret_path_pattern=pattern,
    )
    assert data_of(policy, 201)["permissions"] == ["read"]
    return made["id"], served.client(made["api_key"])


def test_step_2_vaults_are_created_listed_and_deleted(person: OneclawClient) -> None:
    made = data_of(person.vaults.create("staging", description="of tests"), 201)
    assert (made["name"], made["description"]) == ("staging", "of tests")
    assert made["mpc_custody"] is None
    assert data_of(person.vaults.get(made["id"])) == made
    assert data_of(person.vaults.list())["vaults"][0] == made
    keys = data_of(person.org.agent_keys_vault_id())
    assert keys["id"] == keys["vault_id"] == "__agent-keys"
    refusal_of(person.vaults.delete("__agent-keys"), 409)
    done(person.vaults.delete(made["id"]))
    refusal_of(person.vaults.get(made["id"]), 404)


def test_step_2_a_secret_is_put_read_listed_rotated_and_deleted(person: OneclawClient) -> None:
    vault, path = new_vault(person), "production/db/password"
    stored = data_of(
        person.secrets.set(vault, path, "one", type="password", metadata={"a": 1}), 201
    )
    assert (stored["path"], stored["version"]) == (path, 1)
    assert "client_share" not in stored
    read = data_of(person.secrets.get(vault, path))
    assert (read["value"], read["type"], read["metadata"]) == ("one", "password", {"a": 1})
    assert data_of(person.secrets.rotate(vault, path, "two"))["version"] == 2
    data_of(person.secrets.set(vault, "other/key", "x"), 201)
    listed = data_of(person.secrets.list(vault, prefix="production/"))["secrets"]
    assert [(one["path"], one["version"]) for one in listed] == [(path, 2)]
    assert "value" not in listed[0]

    generated = data_of(person.secrets.rotate_generate(vault, path, length=64, charset="base64"))
    assert generated["version"] == 3
    assert "value" not in generated
    assert len(data_of(person.secrets.get(vault, path))["value"]) == 64
    versions = data_of(person.secrets.list_versions(vault, path))["versions"]
    assert [one["version"] for one in versions] == [3, 2, 1]
    assert data_of(person.secrets.get_version(vault, path, 1))["value"] == "one"
    assert data_of(person.secrets.disable_version(vault, path, 1))["is_disabled"] is True
    refusal_of(person.secrets.get_version(vault, path, 1), 410)
    refusal_of(person.secrets.get_version(vault, path, 9), 404)
    done(person.secrets.delete(vault, path))
    refusal_of(person.secrets.get(vault, path), 404)


def test_step_2_an_encoded_slash_is_a_slash_and_dots_are_refused(
    served: ServedApi, person: OneclawClient
) -> None:
    vault = new_vault(person)
    data_of(person.secrets.set(vault, "a%2Fb", "x"), 201)
    assert data_of(person.secrets.get(vault, "a/b"))["path"] == "a/b"
    for path in ("a//b", "/a", "a/", "a/%2e%2e/b", "a%2f%2E%2E", "a%00b", "a%252Fb"):
        assert "path" in refusal_of(person.secrets.set(vault, path, "x"), 400)
    # The client resolves dots before it sends.
    assert "no such route" in refusal_of(person.secrets.get(vault, "../x"), 404)
    raw = served.raw(served.api.person_key)
    assert raw.get(f"/v1/vaults/{vault}/secrets/a%2Fb").json()["value"] == "x"


@pytest.mark.parametrize("mode", MODES)
def test_step_3_a_custody_mode_is_chosen_once_and_its_secrets_need_their_share(
    served: ServedApi, person: OneclawClient, mode: str
) -> None:
    vault, path = new_vault(person, mode), "production/key"
    assert data_of(person.vaults.enable_mpc(vault, mode))["mpc_custody"] == mode
    for again in MODES:
        assert mode in refusal_of(person.vaults.enable_mpc(vault, again), 409)
    stored = data_of(person.secrets.set(vault, path, "hidden"), 201)
    assert ("client_share" in stored) is MODES[mode]
    if not MODES[mode]:
        assert data_of(person.secrets.get(vault, path))["value"] == "hidden"
        return
    refusal_of(person.secrets.get(vault, path), 400)
    raw, url = served.raw(served.api.person_key), f"/v1/vaults/{vault}/secrets/{path}"
    opened = raw.get(url, headers={"X-Client-Share": stored["client_share"]})
    assert opened.json()["value"] == "hidden"
    renewed = data_of(person.secrets.set(vault, path, "renewed"))
    assert renewed["client_share"] != stored["client_share"]
    wrong = raw.get(url, headers={"X-Client-Share": stored["client_share"]})
    assert wrong.status_code == 403
    assert stored["client_share"] not in wrong.text


def test_step_3_a_mode_is_chosen_at_creation_or_while_a_vault_is_empty(
    person: OneclawClient,
) -> None:
    made = data_of(person.vaults.create("hsm", mpc_custody="2of3_multi_hsm"), 201)
    assert (made["mpc_custody"], made["mpc_threshold"]) == ("2of3_multi_hsm", 2)
    full = new_vault(person)
    data_of(person.secrets.set(full, "a", "x"), 201)
    assert "has secrets" in refusal_of(person.vaults.enable_mpc(full, "2of3_multi_hsm"), 409)
    refusal_of(person.vaults.enable_mpc(new_vault(person), "3of5_hope"), 400)


def sealed(key: bytes, vault: str, path: str, value: bytes) -> str:
    """Encrypt a value as the customer does, for the first version of a secret."""
    place = CmekContext(org="acme", account=ACCOUNT, vault=vault, path=path, version=1)
    return base64.b64encode(CustomerKey(key).seal(place, value, secrets.token_bytes)).decode()


def opened(key: bytes, vault: str, read: dict[str, Any]) -> bytes:
    place = CmekContext(
        org="acme", account=ACCOUNT, vault=vault, path=read["path"], version=read["version"]
    )
    return bytes(CustomerKey(key).open(place, base64.b64decode(read["value"])))


def test_step_4_a_customer_key_is_enabled_rotated_and_disabled(person: OneclawClient) -> None:
    vault, path = new_vault(person), "production/key"
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    fingerprint, next_fingerprint = (hashlib.sha256(key).hexdigest() for key in (old, new))
    enabled = data_of(person.vaults.enable_cmek(vault, fingerprint))
    assert (enabled["cmek_enabled"], enabled["cmek_fingerprint"]) == (True, fingerprint)
    refusal_of(person.secrets.set(vault, path, "not encrypted by the customer"), 400)
    stored = person.secrets.set(vault, path, sealed(old, vault, path, b"hidden"))
    assert data_of(stored, 201)["cmek_encrypted"] is True
    assert opened(old, vault, data_of(person.secrets.get(vault, path))) == b"hidden"

    old_text, new_text = (base64.b64encode(key).decode() for key in (old, new))
    started = data_of(person.vaults.rotate_cmek(vault, old_text, new_text, next_fingerprint), 202)
    until(lambda: job(person, vault, started)["status"] != "running")
    ended = job(person, vault, started)
    assert (ended["status"], ended["total_secrets"], ended["processed"]) == ("completed", 1, 1)
    assert opened(new, vault, data_of(person.secrets.get(vault, path))) == b"hidden"
    assert data_of(person.vaults.get(vault))["cmek_fingerprint"] == next_fingerprint
    assert data_of(person.vaults.disable_cmek(vault))["cmek_enabled"] is False


def job(person: OneclawClient, vault: str, started: dict[str, Any]) -> dict[str, Any]:
    return data_of(person.vaults.get_rotation_job_status(vault, started["job_id"]))


def test_step_4_a_wrong_fingerprint_or_key_is_refused(person: OneclawClient) -> None:
    vault, key = new_vault(person), base64.b64encode(bytes(32)).decode()
    refusal_of(person.vaults.enable_cmek(vault, "not a fingerprint"), 400)
    refusal_of(person.vaults.rotate_cmek(vault, "AAAA", "AAAA", "ab" * 32), 400)
    refusal_of(person.vaults.rotate_cmek(vault, key, key, "ab" * 32), 400)
    refusal_of(person.vaults.get_rotation_job_status(vault, "absent"), 404)


def test_step_5_a_private_key_is_readable_only_while_intents_are_off(
    served: ServedApi, person: OneclawClient
) -> None:
    vault, path = new_vault(person), "backup/hot-wallet"
    data_of(person.secrets.set(vault, path, PRIVATE_KEY, type="private_key"), 201)
    data_of(person.secrets.set(vault, "others/api", "x", type="api_key"), 201)
    agent_id, agent = new_reader(served, person, vault, "backup/*")
    assert data_of(agent.secrets.get(vault, path))["value"] == PRIVATE_KEY
    refusal_of(agent.secrets.get(vault, "others/api"), 403)
    data_of(person.agents.update(agent_id, intents_api_enabled=True))
    refusal_of(agent.secrets.get(vault, path), 403)
    # The client rotates with the type "generic", which must not weaken the type of the path.
    data_of(person.secrets.rotate(vault, path, "0x" + "22" * 32))
    refusal_of(agent.secrets.get(vault, path), 403)
    refusal_of(agent.secrets.get_version(vault, path, 1), 403)
    refusal_of(person.secrets.rotate_generate(vault, path), 400)


def test_step_5_a_stored_signing_key_cannot_be_read_or_replaced_with_intents_on(
    served: ServedApi, person: OneclawClient
) -> None:
    vault, path = new_vault(person), "keys/ethereum-signer"
    stored = data_of(person.secrets.set(vault, path, PRIVATE_KEY), 201)
    assert stored["type"] == "private_key"
    assert stored["signing_address"].startswith("0x")
    agent_id, agent = new_reader(served, person, vault, "keys/*")
    data_of(person.agents.update(agent_id, intents_api_enabled=True))
    refusal_of(agent.secrets.get(vault, path), 403)
    assert stored["signing_address"] in refusal_of(person.secrets.rotate(vault, path, "x"), 409)


def test_step_5_other_types_stay_readable_with_intents_on(
    served: ServedApi, person: OneclawClient
) -> None:
    vault = new_vault(person)
    for type_ in ("api_key", "password", "generic", "ssh_key"):
        data_of(person.secrets.set(vault, f"production/{type_}", "x", type=type_), 201)
    agent_id, agent = new_reader(served, person, vault, "production/*")
    data_of(person.agents.update(agent_id, intents_api_enabled=True))
    for type_ in ("api_key", "password", "generic"):
        assert data_of(agent.secrets.get(vault, f"production/{type_}"))["value"] == "x"
    refusal_of(agent.secrets.get(vault, "production/ssh_key"), 403)


def test_step_5_a_policy_is_listed_changed_and_deleted_with_effect(
    served: ServedApi, person: OneclawClient
) -> None:
    vault = new_vault(person)
    data_of(person.secrets.set(vault, "production/a", "x"), 201)
    agent_id, agent = new_reader(served, person, vault, "production/*")
    [policy] = data_of(person.policies.list(vault))["policies"]
    assert (policy["principal_id"], policy["conditions"]) == (agent_id, {})
    refusal_of(agent.secrets.set(vault, "production/a", "y"), 403)
    changed = data_of(person.policies.update(vault, policy["id"], permissions=["read", "write"]))
    assert changed["permissions"] == ["read", "write"]
    assert data_of(agent.secrets.set(vault, "production/a", "y"))["version"] == 2
    done(person.policies.delete(vault, policy["id"]))
    assert agent.secrets.get(vault, "production/a").error is not None
    unenforced = person.policies.create(
        vault,
        principal_type="agent",
        principal_id=agent_id,
        secret_path_pattern="*",  # noqa: S106 - a pattern
        conditions={"ip": "10.0.0.1"},
    )
    assert "conditions" in refusal_of(unenforced, 400)


def test_an_agent_neither_sees_nor_changes_vaults_and_policies_of_others(
    served: ServedApi, person: OneclawClient
) -> None:
    vault, other = new_vault(person), new_vault(person)
    data_of(person.secrets.set(other, "production/a", "x"), 201)
    _, agent = new_reader(served, person, vault, "production/*")
    assert [one["id"] for one in data_of(agent.vaults.list())["vaults"]] == [vault]
    for response in (agent.vaults.get(other), agent.secrets.get(other, "production/a")):
        assert response.error is not None
        assert response.error.type in {"not_found", "auth_error"}
    for response in (
        agent.vaults.create("mine"),
        agent.vaults.delete(vault),
        agent.vaults.enable_mpc(vault, "2of3_multi_hsm"),
        agent.policies.list(vault),
        agent.secrets.delete(vault, "production/a"),
    ):
        refusal_of(response, 403)


def test_many_writers_of_one_path_get_versions_of_their_own(
    served: ServedApi, person: OneclawClient
) -> None:
    vault = new_vault(person)
    writers = [served.person for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda one: one.secrets.set(vault, "shared", "x").data, writers))
    assert sorted(one["version"] for one in made) == [1, 2, 3, 4]
