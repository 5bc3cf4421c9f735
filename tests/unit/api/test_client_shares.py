"""Client shares of secrets over HTTP: one for each version, and demanded on each read."""

import base64
from typing import Any

import pytest

from tests.harness.api import Api
from tests.harness.api_agents import Session


@pytest.fixture(scope="module")
def person(api: Api) -> Session:
    return Session(api, api.person)


def refused(reply: Any, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text


@pytest.mark.parametrize(
    "mode", ["2of2_client_custody", "2of3_client_custody", "2of3_multi_hsm_client"]
)
def test_a_client_share_opens_its_version_only(person: Session, mode: str) -> None:
    vault = person.vault(mpc_custody=mode)
    first = person.put(vault, "x", "one").json()["client_share"]
    second = person.put(vault, "x", "two").json()["client_share"]
    other = person.put(vault, "y", "three").json()["client_share"]
    assert len({first, second, other}) == 3
    refused(person.get(vault, "x"), 400, "client_share_missing")
    assert person.get(vault, "x", second).json()["value"] == "two"
    assert person.get(vault, "x", second).json()["value"] == "two"
    for wrong in (
        first,
        other,
        base64.b64encode(b"short").decode(),
        base64.b64encode(b"").decode(),
    ):
        refused(person.get(vault, "x", wrong), 403, "client_share_wrong")
    malformed = person.get(vault, "x", "not base64!")
    assert list(malformed.json()["fields"]) == ["X-Client-Share"]
    old = person.send("GET", f"/vaults/{vault}/secret-version/x/1", X_Client_Share=first)
    assert old.json()["value"] == "one"
    listed = person.send("GET", f"/vaults/{vault}/secret-versions/x")
    assert first not in listed.text
    assert "client_share" not in listed.text


def test_a_share_is_not_needed_or_used_in_other_modes(person: Session) -> None:
    vault = person.vault(mpc_custody="2of3_multi_hsm")
    person.put(vault, "x", "one")
    assert person.get(vault, "x").json()["value"] == "one"
    assert person.get(vault, "x", "AAAA").json()["value"] == "one"


def test_a_refused_read_is_not_counted(person: Session) -> None:
    vault = person.vault(mpc_custody="2of2_client_custody")
    share = person.put(vault, "x", "v", max_access_count=1).json()["client_share"]
    wrong = base64.b64encode(bytes(33)).decode()
    refused(person.get(vault, "x", wrong), 403, "client_share_wrong")
    assert person.get(vault, "x", share).status_code == 200
    refused(person.get(vault, "x", share), 410, "reads_exhausted")
