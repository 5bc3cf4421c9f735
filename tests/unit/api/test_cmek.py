"""Customer keys over HTTP: values arrive encrypted; a rotation re-encrypts them once."""

import base64
import hashlib
import logging
import secrets
from typing import Any

import pytest

from schemas.registry.records import CustomerKeySet
from signer.custody.cmek import CmekContext
from sixgate.authoring.customer_key import CustomerKey
from sixgate.gateway.rotations import KEPT_MAX, Rotations
from tests.harness.api import Api
from tests.harness.api_agents import Session, token_agent
from tests.harness.builders.waiting import until

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


def fingerprint(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def context(vault: str, path: str, version: int) -> CmekContext:
    return CmekContext(org="acme", account="main", vault=vault, path=path, version=version)


def sealed(key: bytes, vault: str, path: str, version: int, value: bytes) -> str:
    sealing = CustomerKey(key).seal(context(vault, path, version), value, secrets.token_bytes)
    return base64.b64encode(sealing).decode()


def opened(key: bytes, vault: str, reply: Any) -> bytes:
    body = reply.json()
    assert (body["encoding"], body["cmek_encrypted"]) == ("base64", True)
    stored = base64.b64decode(body["value"])
    return bytes(CustomerKey(key).open(context(vault, body["path"], body["version"]), stored))


def enabled(person: Session, key: bytes = OLD) -> str:
    vault = person.vault()
    reply = person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": fingerprint(key)})
    assert reply.status_code == 200, reply.text
    return vault


def rotated(person: Session, vault: str, old: bytes = OLD, new: bytes = NEW, **members: Any) -> Any:
    return person.send(
        "POST",
        f"/vaults/{vault}/cmek-rotate",
        {"new_fingerprint": fingerprint(new)} | members,
        x_cmek_old_key=base64.b64encode(old).decode(),
        x_cmek_new_key=base64.b64encode(new).decode(),
    )


def ended(person: Session, vault: str, job_id: str) -> dict[str, Any]:
    """Return the rotation when it has ended."""

    def job() -> dict[str, Any]:
        found: dict[str, Any] = person.send("GET", f"/vaults/{vault}/cmek-rotate/{job_id}").json()
        return found

    until(lambda: job()["status"] != "running")
    assert job()["id"] == job()["job_id"] == job_id
    return job()


@pytest.mark.parametrize("form", ["{}", "sha256:{}", "0x{}"])
def test_a_fingerprint_enables_the_layer_in_every_form(person: Session, form: str) -> None:
    vault = person.vault()
    body = {"fingerprint": form.format(fingerprint(OLD).upper())}
    reply = person.send("POST", f"/vaults/{vault}/cmek", body)
    assert (reply.status_code, reply.json()["cmek_enabled"]) == (200, True)
    assert reply.json()["cmek_fingerprint"] == fingerprint(OLD)
    assert person.send("POST", f"/vaults/{vault}/cmek", body).status_code == 200
    other = person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": fingerprint(NEW)})
    assert (other.status_code, other.json()["code"]) == (409, "cmek_enabled")


@pytest.mark.parametrize("wrong", ["", "abc", "sha1:" + "0" * 40, "0" * 63, "0" * 65, "g" * 64])
def test_a_malformed_fingerprint_is_refused(person: Session, wrong: str) -> None:
    reply = person.send("POST", f"/vaults/{person.vault()}/cmek", {"fingerprint": wrong})
    assert (reply.status_code, list(reply.json()["fields"])) == (400, ["fingerprint"])


def test_only_values_under_the_key_are_stored_and_they_come_back_encrypted(
    person: Session,
) -> None:
    vault = enabled(person)
    for wrong in ("plain", base64.b64encode(b"plain").decode(), sealed(NEW, vault, "x", 1, b"v")):
        reply = person.put(vault, "x", wrong)
        assert (reply.status_code, list(reply.json()["fields"])) == (400, ["value"])
    made = person.put(vault, "x", sealed(OLD, vault, "x", 1, b"secret"))
    assert (made.status_code, made.json()["cmek_encrypted"]) == (201, True)
    assert opened(OLD, vault, person.get(vault, "x")) == b"secret"
    generated = person.send("POST", f"/vaults/{vault}/secret-rotate/x", {})
    assert (generated.status_code, generated.json()["code"]) == (409, "cmek_enabled")


def test_a_disabled_layer_leaves_old_values_encrypted(person: Session) -> None:
    vault = enabled(person)
    person.put(vault, "x", sealed(OLD, vault, "x", 1, b"secret"))
    reply = person.send("DELETE", f"/vaults/{vault}/cmek")
    assert (reply.status_code, reply.json()["cmek_enabled"]) == (200, False)
    assert person.send("DELETE", f"/vaults/{vault}/cmek").status_code == 200
    assert opened(OLD, vault, person.get(vault, "x")) == b"secret"
    assert person.put(vault, "x", "plain").json()["cmek_encrypted"] is False
    assert person.get(vault, "x").json()["value"] == "plain"
    again = person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": fingerprint(OLD)})
    assert again.status_code == 200


def test_a_rotation_moves_the_newest_versions_and_keeps_their_terms(person: Session) -> None:
    vault = person.vault()
    person.put(vault, "before", "not encrypted")
    person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": fingerprint(OLD)})
    for n in range(3):
        path = f"s/{n}"
        person.put(vault, path, sealed(OLD, vault, path, 1, b"old"), type="api_key")
        value = sealed(OLD, vault, path, 2, f"value {n}".encode())
        person.put(vault, path, value, metadata={"n": n}, max_access_count=9)
    person.put(vault, "deleted", sealed(OLD, vault, "deleted", 1, b"d"))
    person.send("DELETE", f"/vaults/{vault}/secrets/deleted")
    person.put(vault, "disabled", sealed(OLD, vault, "disabled", 1, b"d"))
    person.send("POST", f"/vaults/{vault}/secret-version-disable/disabled/1")
    started = rotated(person, vault)
    assert (started.status_code, started.json()["total_secrets"]) == (202, 3)
    job = ended(person, vault, started.json()["job_id"])
    assert (job["status"], job["processed"], job["skipped"], job["error"]) == (
        "completed", 3, 2, None
    )  # fmt: skip
    assert person.send("GET", f"/vaults/{vault}").json()["cmek_fingerprint"] == fingerprint(NEW)
    for n in range(3):
        reply = person.get(vault, f"s/{n}")
        assert opened(NEW, vault, reply) == f"value {n}".encode()
        body = reply.json()
        assert (body["version"], body["metadata"], body["type"]) == (3, {"n": n}, "api_key")
        assert (body["max_access_count"], body["access_count"]) == (9, 1)
        old = person.send("GET", f"/vaults/{vault}/secret-version/s/{n}/2")
        assert opened(OLD, vault, old) == f"value {n}".encode()
    assert person.get(vault, "before").json()["value"] == "not encrypted"


def test_more_secrets_than_a_batch_are_moved(person: Session) -> None:
    vault = enabled(person)
    for n in range(103):
        person.put(vault, f"s{n}", sealed(OLD, vault, f"s{n}", 1, b"v"))
    job = ended(person, vault, rotated(person, vault).json()["job_id"])
    assert (job["status"], job["processed"]) == ("completed", 103)
    assert opened(NEW, vault, person.get(vault, "s102")) == b"v"


def test_a_failed_rotation_is_continued_by_the_same_request(person: Session) -> None:
    vault = enabled(person)
    person.put(vault, "good", sealed(OLD, vault, "good", 1, b"good"))
    person.put(vault, "moved", sealed(OLD, vault, "elsewhere", 1, b"of another path"))
    job = ended(person, vault, rotated(person, vault).json()["job_id"])
    assert job["status"] == "failed"
    assert "Moved secrets stay moved" in job["error"]
    person.put(vault, "moved", sealed(NEW, vault, "moved", 2, b"repaired"))
    job = ended(person, vault, rotated(person, vault).json()["job_id"])
    assert job["status"] == "completed"
    assert opened(NEW, vault, person.get(vault, "good")) == b"good"
    assert opened(NEW, vault, person.get(vault, "moved")) == b"repaired"


def test_a_rotation_that_a_restart_interrupts_is_failed_and_can_be_repeated(
    person: Session,
) -> None:
    services, vault = person.api.services, enabled(person)
    person.put(vault, "x", sealed(OLD, vault, "x", 1, b"value"))
    # What a process leaves behind that ended after enrolling the new key.
    assert services.rotations.begin("interrupted", vault)
    new_key = f"0x{fingerprint(NEW)}"
    services.desk.register([CustomerKeySet(account="main", vault=vault, fingerprint=new_key)])
    busy = rotated(person, vault)
    assert (busy.status_code, busy.json()["code"]) == (409, "rotation_running")
    running = person.send("GET", f"/vaults/{vault}/cmek-rotate/interrupted").json()
    assert running["status"] == "running"
    Rotations(services.database)  # as at the next start
    job = person.send("GET", f"/vaults/{vault}/cmek-rotate/interrupted").json()
    assert (job["status"], job["processed"]) == ("failed", 0)
    assert "gateway ended" in job["error"]
    assert "same request again" in job["error"]
    job = ended(person, vault, rotated(person, vault).json()["job_id"])
    assert (job["status"], job["processed"]) == ("completed", 1)
    assert opened(NEW, vault, person.get(vault, "x")) == b"value"


def test_only_the_last_rotations_are_kept(person: Session) -> None:
    rotations = person.api.services.rotations
    for number in range(KEPT_MAX + 1):
        assert rotations.begin(f"kept-{number}", f"vault-{number}")
        rotations.complete(f"kept-{number}")
    assert rotations.get("vault-0", "kept-0") is None
    assert rotations.get("vault-1", "kept-1") is not None


def test_wrong_keys_change_nothing(person: Session) -> None:
    vault, third = enabled(person), bytes(32)
    for old, new in ((third, NEW), (NEW, third), (OLD, OLD)):
        reply = rotated(person, vault, old, new)
        assert (reply.status_code, reply.json()["code"]) == (409, "cmek_key_wrong")
    wrong = rotated(person, vault, new_fingerprint=fingerprint(third))
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["new_fingerprint"])
    short = rotated(person, vault, OLD[:31])
    assert (short.status_code, list(short.json()["fields"])) == (400, ["x-cmek-old-key"])
    body = {"new_fingerprint": fingerprint(NEW)}
    absent = person.send("POST", f"/vaults/{vault}/cmek-rotate", body)
    assert set(absent.json()["fields"]) == {"x-cmek-old-key", "x-cmek-new-key"}
    assert person.send("GET", f"/vaults/{vault}").json()["cmek_fingerprint"] == fingerprint(OLD)
    plain = rotated(person, person.vault())
    assert (plain.status_code, plain.json()["code"]) == (409, "cmek_disabled")


def test_a_vault_with_client_shares_is_rotated_by_the_client(person: Session) -> None:
    vault = person.vault(mpc_custody="2of2_client_custody")
    person.send("POST", f"/vaults/{vault}/cmek", {"fingerprint": fingerprint(OLD)})
    reply = rotated(person, vault)
    assert (reply.status_code, reply.json()["code"]) == (409, "client_share_needed")


def test_a_job_belongs_to_its_vault_and_to_people(person: Session) -> None:
    vault, other = enabled(person), person.vault()
    job_id = rotated(person, vault).json()["job_id"]
    ended(person, vault, job_id)
    for url in (f"/vaults/{other}/cmek-rotate/{job_id}", f"/vaults/{vault}/cmek-rotate/unknown"):
        assert person.send("GET", url).status_code == 404
    agent = Session(person.api, token_agent(person.api)[1])
    body = {"fingerprint": fingerprint(OLD)}
    for method, path, sent in (
        ("POST", "cmek", body), ("DELETE", "cmek", None), ("GET", f"cmek-rotate/{job_id}", None),
    ):  # fmt: skip
        reply = agent.send(method, f"/vaults/{vault}/{path}", sent)
        assert (reply.status_code, reply.json()["code"]) == (403, "people_only")


def test_system_vaults_have_no_customer_key(person: Session) -> None:
    body = {"fingerprint": fingerprint(OLD)}
    reply = person.send("POST", "/vaults/__agent-keys/cmek", body)
    assert (reply.status_code, reply.json()["code"]) == (409, "system_vault")


def test_no_customer_key_is_in_logs_or_replies(
    person: Session, caplog: pytest.LogCaptureFixture
) -> None:
    vault = enabled(person)
    keys = [base64.b64encode(key).decode() for key in (OLD, NEW)]
    with caplog.at_level(logging.DEBUG):
        started = rotated(person, vault)
        job = ended(person, vault, started.json()["job_id"])
        wrong = rotated(person, vault, bytes(31), NEW)
    for key in (*keys, OLD.hex(), NEW.hex()):
        assert key not in caplog.text + started.text + wrong.text + str(job)
