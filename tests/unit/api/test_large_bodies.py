"""A body that is large in an unusual way is refused before it takes long: that would block all."""

from typing import Any

import pytest

from tests.harness.api import Api
from tests.harness.signing_agents import TO, TRANSFER, SigningAgent, signing_agent

MANY = 20_000
ENTRY = {"address": TO, "storage_keys": []}
SIGNATURE = {"chain_id": 1, "address": TO, "nonce": 1, "y_parity": 0, "r": "1", "s": "1"}


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    return signing_agent(api)


def fields(reply: Any) -> dict[str, str]:
    assert reply.status_code == 400, reply.text[:500]
    found: dict[str, str] = reply.json()["fields"]
    return found


@pytest.mark.parametrize("path", ["/transactions", "/transactions/simulate", "/sign"])
def test_many_unknown_members_are_refused_in_one_sentence(agent: SigningAgent, path: str) -> None:
    unknown = {f"x{number}": 1 for number in range(MANY)}
    found = fields(agent.post(path, TRANSFER | unknown))
    assert list(found) == ["body"]
    assert found["body"].startswith(f"has {MANY + len(TRANSFER)} members")


def test_a_login_without_a_token_costs_no_more(api: Api) -> None:
    reply = api.client.post("/v1/auth/oidc", json={f"x{number}": 1 for number in range(MANY)})
    assert list(fields(reply)) == ["body"]


@pytest.mark.parametrize(
    ("name", "entry", "count_max"),
    [
        ("access_list", ENTRY, 1024),
        ("authorization_list", SIGNATURE, 256),
        ("blob_versioned_hashes", "0x" + "AB" * 32, 64),
    ],
)
def test_a_list_that_is_too_long_is_refused_before_its_entries_are_read(
    agent: SigningAgent, name: str, entry: Any, count_max: int
) -> None:
    wrong: dict[str, Any] = {name: [entry] * count_max + ["no entry"]}
    why = f"has {count_max + 1} entries; at most {count_max} are possible"
    assert fields(agent.submit(**wrong)) == {name: why}
