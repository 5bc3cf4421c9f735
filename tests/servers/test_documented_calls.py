"""Every public method of the documented client is called once: it works, or is refused by a table.

The client has 366 methods. 73 of them work here, 2 export a key and get a 403, and the other 291
get a 501 with the reason from ``not_supported.json``.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from oneclaw.types import OneclawResponse

from sixgate.api.not_supported import NEVER, TABLE
from tests.harness.api_server import Answered, ServedApi, served_api

METHODS = 366
WORKING = {
    "agents": "create delete get get_transaction list list_transactions me rotate_key sign_intent "
    "sign_transaction simulate_bundle simulate_transaction submit_transaction update",
    "api_keys": "create delete list",
    "approvals": "cancel decide get list",
    "audit": "list verify",
    "auth": "agent_token api_key_token login me refresh revoke_token",
    "billing": "subscription",
    "chains": "get list",
    "org": "agent_keys_vault_id members settings update_setting",
    "policies": "create delete list update",
    "secrets": "delete disable_version get get_version list list_versions rotate rotate_generate "
    "set",
    "signing_keys": "balance create deactivate list rotate",
    "treasury_wallets": "deactivate generate get list rotate",
    "vaults": "create delete disable_cmek enable_cmek enable_mpc get get_rotation_job_status list "
    "rotate_cmek",
    "webhooks": "create delete get list update",
}
WORKS = {f"{group}.{name}" for group, names in WORKING.items() for name in names.split()}
# Known routes without what they need: local passwords, and nodes of chains.
ABSENT = {"auth.login", "signing_keys.balance"}
REFUSED = {route for routes in TABLE.values() for route in routes} | set(NEVER)
VALUES: dict[str, Any] = {
    "action_payload": {"a": 1},
    "body": {"name": "x"},
    "chain": "ethereum",
    "chains": ["ethereum"],
    "custody_mode": "2of3_multi_hsm",
    "decision": "approved",
    "events": ["*"],
    "fingerprint": "ab" * 32,
    "identifier": "base",
    "intent_type": "personal_sign",
    "new_fingerprint": "cd" * 32,
    "new_key_base64": "AAAA",
    "old_key_base64": "AAAA",
    "permissions": ["read"],
    "principal_type": "agent",
    "to": "0x" + "ab" * 20,
    "url": "https://192.0.2.1/hook",
    "version": 1,
}
SLASHED = "production/key"
OF_TYPE: dict[str, Any] = {"int": 1, "bool": True, "float": 1.0, "str": "absent"}


class Call(NamedTuple):
    """One method of the client, bound to its client."""

    name: str
    method: Callable[..., OneclawResponse[Any]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("calls") / "data") as served:
        yield served


@pytest.fixture(scope="module")
def answers(served: ServedApi) -> dict[str, tuple[Answered, OneclawResponse[Any]]]:
    """What each method was answered; a person calls all of them."""
    found = {}
    # The last call ends the token of all the others.
    for call in sorted(calls_of(served.person), key=lambda call: call.name == "auth.revoke_token"):
        before = len(served.recorder.answered)
        response = call.method(**arguments(call))
        [answered] = served.recorder.answered[before:]
        found[call.name] = (answered, response)
    return found


def calls_of(client: object) -> Iterator[Call]:
    for group, resource in vars(client).items():
        if not group.startswith("_"):
            for name, method in inspect.getmembers(resource, inspect.ismethod):
                if not name.startswith("_"):
                    yield Call(f"{group}.{name}", method)


def arguments(call: Call) -> dict[str, Any]:
    """Return a plausible value for each argument that a method requires."""
    named = {
        one.name: _value(one.name, str(one.annotation))
        for one in inspect.signature(call.method).parameters.values()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    }
    # Only paths of secrets contain slashes.
    return named | ({"key": SLASHED} if call.name.startswith("secrets.") and "key" in named else {})


def _value(name: str, annotation: str) -> Any:
    if (name in VALUES and annotation in {"str", "int"}) or "list[str]" in annotation:
        return VALUES.get(name, ["x"])
    if "list[" in annotation:
        return [{"chain": "base", "to": VALUES["to"], "value": "0"}]
    return OF_TYPE.get(annotation, {"name": "x"})


def test_the_client_has_the_documented_number_of_methods(served: ServedApi) -> None:
    names = [call.name for call in calls_of(served.person)]
    assert (len(names), len(WORKS)) == (METHODS, 73)
    assert set(names) >= WORKS


def test_every_call_works_or_is_refused_by_the_table(
    answers: dict[str, tuple[Answered, OneclawResponse[Any]]],
) -> None:
    refused = {name for name, (answered, _) in answers.items() if answered.route in REFUSED}
    assert refused == set(answers) - WORKS | {"auth.login"}
    for name, (answered, response) in answers.items():
        assert answered.status != 500, name
        assert answered.status != 405, name
        assert answered.route, f"{name} found no route: {answered}"
        if name in WORKS - ABSENT:
            assert answered.status != 501, f"{name}: {response.error}"


def test_a_refused_call_is_told_the_route_and_the_reason(
    answers: dict[str, tuple[Answered, OneclawResponse[Any]]],
) -> None:
    reasons = {route: reason for reason, routes in TABLE.items() for route in routes}
    for name, (answered, response) in answers.items():
        if answered.route in REFUSED:
            assert response.error is not None
            expected = 403 if answered.route in NEVER else 501
            assert answered.status == expected, name
            message = response.error.message
            reason = reasons.get(answered.route, "A signing key never leaves Sixgate.")
            assert message.endswith(reason), (name, message)


def test_every_row_of_the_table_is_a_route_that_the_client_calls(
    answers: dict[str, tuple[Answered, OneclawResponse[Any]]],
) -> None:
    called = {answered.route for answered, _ in answers.values()}
    assert not sorted(REFUSED - called)


def test_the_calls_that_need_nothing_else_succeed(
    answers: dict[str, tuple[Answered, OneclawResponse[Any]]],
) -> None:
    succeeded = {name for name, (answered, _) in answers.items() if answered.status < 300}
    assert succeeded >= {
        *("agents.create", "agents.list", "api_keys.create", "api_keys.list", "approvals.list"),
        *("audit.list", "audit.verify", "auth.me", "auth.refresh", "auth.revoke_token"),
        *("billing.subscription", "chains.get", "chains.list", "org.agent_keys_vault_id"),
        *("org.members", "org.settings", "vaults.create", "vaults.list"),
        *("treasury_wallets.list", "webhooks.list"),
    }
