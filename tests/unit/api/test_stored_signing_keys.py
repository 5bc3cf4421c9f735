"""Raw keys that people store by PUT: they sign through ``signing_key_path``."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import pytest
from coincurve import PrivateKey

from schemas.registry.key_chains import KeyChain
from schemas.registry.records import AccessSet, AgentSet, Entry
from signer.core.access import may_sign
from signer.keys.addresses.derivation import derive
from sixgate.api.app import create_app
from sixgate.authoring.operator import Admin, register
from sixgate.authoring.vault_orders import Orderer
from sixgate.desk.desk import Desk
from tests.harness.api import Api
from tests.harness.api_agents import Session, served, set_intents, token_agent
from tests.harness.signing_agents import TRANSFER, refusal, sender_of, signing_agent

_NUMBERS = count()


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


@pytest.fixture(scope="module")
def vault(person: Session) -> str:
    return person.vault()


@pytest.fixture
def path() -> str:
    return f"keys/k{next(_NUMBERS)}"


def new_key() -> tuple[str, str]:
    """Return a raw key as text, and its address."""
    key = PrivateKey(secrets.token_bytes(32))
    return key.to_hex(), derive(KeyChain.ETHEREUM, key.public_key.format(compressed=False))


def versions_of(session: Session, vault: str, path: str) -> list[dict[str, object]]:
    reply = session.send("GET", f"/vaults/{vault}/secret-versions/{path}")
    found: list[dict[str, object]] = reply.json().get("versions", [])
    return found


def sealed_values(api: Api, vault: str, path: str) -> list[bytes]:
    """Return what the signer's key holders open of each version that the vault has."""
    vaults = api.node.pipeline.slot.operations.vaults
    with api.node.pipeline.lock:
        stored = vaults.vault.secrets.history(("main", vault, path))
        return [bytes(vaults.secret_sealing.open(one).secret) for one in stored]


def signs(api: Api, agent: str, path: str) -> bool:
    read = api.services.backend.read
    key = read.vaults.keys.find("main", path)
    grants = read.registered.access.get(agent, ())
    return bool(
        key and key.active and may_sign(read.registered.agents[agent], grants, key.vault, path)
    )


@pytest.mark.parametrize(
    ("path", "request_members"),
    [
        ("wallets/hot-wallet", {"signing_key_path": "wallets/hot-wallet"}),
        ("keys/base-signer", {}),
    ],
)
def test_a_stored_key_signs_transactions(
    person: Session, vault: str, path: str, request_members: dict[str, str]
) -> None:
    raw, address = new_key()
    agent = signing_agent(person.api, key=False)
    assert agent.submit(**request_members).status_code in {403, 404}
    person.put(vault, path, raw, type="private_key")
    assert refusal(agent.submit(**request_members)) == (403, "key_not_granted")
    policy = person.allow(vault, agent.id, path)
    signed = agent.submit(**request_members)
    assert signed.status_code == 201, signed.text
    assert sender_of(signed.json()["signed_tx"]) == signed.json()["from"] == address
    person.send("DELETE", f"/vaults/{vault}/policies/{policy}")
    assert refusal(agent.submit(**request_members)) == (403, "key_not_granted")


@pytest.mark.parametrize("path", ["keys/hot", "wallets/hot"])
def test_a_value_that_signs_is_kept_nowhere_else_and_read_by_nobody(
    person: Session, vault: str, path: str
) -> None:
    raw, address = new_key()
    made = person.put(vault, path, raw, type="private_key").json()
    assert (made["version"], made["type"], made["signing_address"]) == (1, "private_key", address)
    assert sealed_values(person.api, vault, path) == [address.encode()]
    name, headers = token_agent(person.api)
    person.allow(vault, name, "**")
    for reader in (person, Session(person.api, headers)):
        for url in (f"secrets/{path}", f"secret-version/{path}/1"):
            reply = reader.send("GET", f"/vaults/{vault}/{url}")
            assert (reply.status_code, reply.json()["code"]) == (403, "key_signs")
            assert raw not in reply.text
        assert [one["version"] for one in versions_of(reader, vault, path)] == [1]
        listed = reader.send("GET", f"/vaults/{vault}/secrets").json()["secrets"]
        assert path in [one["path"] for one in listed]


def test_a_private_key_at_another_path_stays_readable_without_the_intents_api(
    person: Session, vault: str
) -> None:
    raw, path = new_key()[0], f"production/k{next(_NUMBERS)}"
    assert "signing_address" not in person.put(vault, path, raw, type="private_key").json()
    name, headers = token_agent(person.api)
    person.allow(vault, name, path)
    for reader in (person, Session(person.api, headers)):
        assert reader.get(vault, path).json()["value"] == raw


def test_a_private_key_beside_a_signing_key_is_refused_not_stored_unreadable(
    person: Session, vault: str, path: str
) -> None:
    person.put(vault, path, new_key()[0])
    split = person.vault(mpc_custody="2of3_multi_hsm")
    refused = person.put(split, path, new_key()[0], type="private_key")
    assert (refused.status_code, refused.json()["code"]) == (409, "signing_key_exists")


def test_an_agent_that_chose_the_type_of_a_path_does_not_read_the_key_stored_there(
    person: Session, vault: str, path: str
) -> None:
    name, headers = token_agent(person.api)
    person.allow(vault, name, path, "read", "write")
    agent = Session(person.api, headers)
    assert agent.put(vault, path, "junk", type="ssh_key").status_code == 201
    raw, address = new_key()
    made = person.put(vault, path, raw, type="private_key")
    assert made.json()["signing_address"] == address
    assert agent.get(vault, path).json()["code"] == "key_signs"
    assert raw.encode() not in sealed_values(person.api, vault, path)


def test_an_agent_that_is_kept_out_of_a_vault_does_not_sign_with_its_keys(
    person: Session, vault: str, path: str
) -> None:
    agent = signing_agent(person.api, key=False)
    person.put(vault, path, new_key()[0], type="private_key")
    person.allow(vault, agent.id, path)

    def kept_in(vault_id: str) -> None:
        body = {"vault_ids": [vault_id]}
        url = f"/v1/agents/{agent.id}"
        assert person.api.client.patch(url, json=body, headers=person.headers).status_code == 200

    kept_in("another")
    simulated = agent.post("/transactions/simulate", TRANSFER | {"signing_key_path": path})
    for refused in (agent.submit(signing_key_path=path), simulated):
        assert refusal(refused) == (403, "key_not_granted")
    kept_in(vault)
    assert agent.submit(signing_key_path=path).status_code == 201


@pytest.mark.parametrize("prefix", ["keys", "wallets"])
@pytest.mark.parametrize("form", ["{}", "0x{}", "{}\n"])
@pytest.mark.parametrize("order", ["policy first", "key first"])
def test_a_stored_key_signs_for_agents_that_may_read_it(
    person: Session, vault: str, prefix: str, form: str, order: str
) -> None:
    path = f"{prefix}/k{next(_NUMBERS)}"
    raw, address = new_key()
    name, headers = token_agent(person.api, intents=True)
    other, _ = token_agent(person.api, intents=True)
    if order == "policy first":
        person.allow(vault, name, f"{prefix}/*")
        assert not signs(person.api, name, path)
    made = person.put(vault, path, form.format(raw), type="private_key")
    assert (made.status_code, made.json()["signing_address"]) == (201, address)
    policy = None if order == "policy first" else person.allow(vault, name, path)
    assert signs(person.api, name, path)
    assert not signs(person.api, other, path)
    reply = Session(person.api, headers).get(vault, path)
    assert (reply.status_code, reply.json()["code"]) == (403, "key_read_blocked")
    if policy is not None:
        person.send("DELETE", f"/vaults/{vault}/policies/{policy}")
        assert not signs(person.api, name, path)


def test_a_sign_permission_does_not_read(person: Session, vault: str, path: str) -> None:
    person.put(vault, path, new_key()[0])
    name, headers = token_agent(person.api)
    person.allow(vault, name, path, "sign")
    assert signs(person.api, name, path)
    assert Session(person.api, headers).get(vault, path).status_code == 404


def test_the_same_key_is_stored_again_and_another_is_refused(
    person: Session, vault: str, path: str
) -> None:
    raw, address = new_key()
    person.put(vault, path, raw)
    again = person.put(vault, path, f"0x{raw}")
    assert (again.status_code, again.json()["signing_address"]) == (200, address)
    for value in (new_key()[0], "not a key"):
        refused = person.put(vault, path, value)
        assert (refused.status_code, refused.json()["code"]) == (409, "signing_key_exists")
        assert address in refused.json()["detail"]
    assert [one["version"] for one in versions_of(person, vault, path)] == [2, 1]


def test_a_key_signs_at_one_path_only(person: Session, vault: str, path: str) -> None:
    raw, _ = new_key()
    person.put(vault, path, raw)
    second = person.put(vault, f"{path}-second", raw)
    assert (second.status_code, second.json()["code"]) == (409, "signing_key_exists")
    assert path in second.json()["detail"]
    assert person.get(vault, f"{path}-second").status_code == 404
    elsewhere = person.put(person.vault(), path, raw)
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "signing_key_exists")


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("keys/solana-signer", None),  # a path of Ed25519 keys
        ("keys/Upper", None),
        ("other/path", None),
        ("agents/x/keys/y", None),
        ("keys/zero", "00" * 32),
        ("keys/short", "ab" * 31),
        ("keys/words", "a passphrase"),
    ],
)
def test_other_values_and_paths_are_secrets_only(
    person: Session, vault: str, where: str, value: str | None
) -> None:
    made = person.put(vault, where, value or new_key()[0])
    assert made.status_code == 201
    assert "signing_address" not in made.json()
    assert person.api.services.backend.read.vaults.keys.find("main", where) is None


@pytest.mark.parametrize("mode", ["2of2_client_custody", "2of3_multi_hsm"])
def test_a_key_in_split_custody_is_not_imported_elsewhere(
    person: Session, path: str, mode: str
) -> None:
    made = person.put(person.vault(mpc_custody=mode), path, new_key()[0])
    assert made.status_code == 201
    assert person.api.services.backend.read.vaults.keys.find("main", path) is None


def test_agents_store_no_signing_keys(person: Session, vault: str, path: str) -> None:
    name, headers = token_agent(person.api)
    person.allow(vault, name, "keys/*", "read", "write")
    refused = Session(person.api, headers).put(vault, path, new_key()[0])
    assert (refused.status_code, refused.json()["code"]) == (403, "people_only")
    assert person.get(vault, path).status_code == 404


def test_an_agent_cannot_overwrite_a_signing_key(person: Session, vault: str, path: str) -> None:
    person.put(vault, path, new_key()[0])
    name, headers = token_agent(person.api)
    person.allow(vault, name, path, "write")
    refused = Session(person.api, headers).put(vault, path, "garbage")
    assert (refused.status_code, refused.json()["code"]) == (409, "signing_key_exists")


def test_a_deleted_key_signs_no_more_and_its_path_stays_taken(
    person: Session, vault: str, path: str
) -> None:
    raw, _ = new_key()
    person.put(vault, path, raw)
    name, _ = token_agent(person.api, intents=True)
    person.allow(vault, name, path)
    assert signs(person.api, name, path)
    assert person.send("DELETE", f"/vaults/{vault}/secrets/{path}").status_code == 204
    assert not signs(person.api, name, path)
    for value in (raw, new_key()[0]):
        refused = person.put(vault, path, value)
        assert (refused.status_code, refused.json()["code"]) == (409, "signing_key_exists")


def test_a_key_outside_the_scope_of_people_is_not_given_away(
    person: Session, vault: str, path: str
) -> None:
    """An agent with a key of its own may sign with the path: people must not replace its key."""
    api = person.api
    outside = AgentSet(
        agent=f"native{next(_NUMBERS)}",
        account="main",
        public_key=f"0x{secrets.token_hex(32)}",
        policy_id="people",
        active=True,
        intents_api_enabled=True,
        key_paths=(path,),
    )
    register(api.node, api.folder.admin(), [outside], api.services.now_ms())
    refused = person.put(vault, path, new_key()[0])
    assert (refused.status_code, refused.json()["code"]) == (409, "key_refused")
    assert person.get(vault, path).status_code == 404


class ProcessEndedError(BaseException):
    """Stands for the end of the process: no handler of the API runs."""


@dataclass
class EndingDesk:
    """A desk at one of whose uses the process ends."""

    desk: Desk
    ends_at: str
    used: list[str] = field(default_factory=list)

    def register(self, entries: Sequence[Entry], replaced: Sequence[Entry] = ()) -> None:
        self._use("grants" if isinstance(entries[0], AccessSet) else "vault")
        self.desk.register(entries, replaced)

    def admin(self) -> Admin:
        self._use("import")
        return self.desk.admin()

    def orderer(self) -> Orderer:
        self._use("secret")
        return self.desk.orderer()

    def _use(self, what: str) -> None:
        self.used.append(what)
        if what == self.ends_at:
            raise ProcessEndedError


@pytest.mark.parametrize("ends_at", ["vault", "import", "secret", "grants"])
def test_a_kill_between_import_and_secret_is_continued_by_storing_again(
    person: Session, ends_at: str
) -> None:
    vault, path = person.vault(), f"keys/k{next(_NUMBERS)}"
    raw, address = new_key()
    name, _ = token_agent(person.api, intents=True)
    person.allow(vault, name, "keys/*")
    desk = EndingDesk(person.api.services.desk, ends_at)
    app = create_app(replace(person.api.services, desk=desk))
    url, body = f"/v1/vaults/{vault}/secrets/{path}", {"value": raw, "type": "private_key"}
    headers = person.headers | {"Content-Type": "application/json"}
    with pytest.raises(ProcessEndedError):
        served(app, "PUT", url, headers, json.dumps(body).encode())
    assert desk.used[-1] == ends_at
    assert not signs(person.api, name, path)
    stored = bool(versions_of(person, vault, path))
    assert stored is (ends_at == "grants")
    again = person.put(vault, path, raw, type="private_key")
    assert again.status_code == (200 if stored else 201)
    assert again.json()["signing_address"] == address
    assert signs(person.api, name, path)
    assert set(sealed_values(person.api, vault, path)) == {address.encode()}


def test_a_stored_key_stays_unreadable_when_intents_are_turned_off(
    person: Session, vault: str, path: str
) -> None:
    person.put(vault, path, new_key()[0])
    name, headers = token_agent(person.api, intents=True)
    reader = Session(person.api, headers)
    person.allow(vault, name, path)
    assert reader.get(vault, path).json()["code"] == "key_read_blocked"
    set_intents(person.api, name, intents=False)
    assert reader.get(vault, path).json()["code"] == "key_signs"
