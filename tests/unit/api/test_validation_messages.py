"""Values that a request's model, the registry's or an intent's refuses are named in plain words."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from schemas.canonical import validation_message
from sixgate.api.app import create_app
from tests.harness.api import Api
from tests.harness.signing_agents import signing_agent

PYDANTIC = re.compile(
    r"Value error|\bshould\b|Input|[Uu]nable|Extra inputs|Field required"
    r"|dictionary|tuple|instance of|after validation|a valid integer|a valid boolean"
)
VALUES: list[Any] = [
    [], {}, [1], [{}], [["x"]], 1, -1, 1.5, 2**80, "x", "", "x" * 100_000, None, True,
    ["x"] * 5000, {"a": 1},
]  # fmt: skip


def test_no_field_of_a_request_is_refused_in_the_words_of_pydantic(api: Api) -> None:
    routes = create_app(api.services).routes
    bodies = [route.body_field for route in routes if isinstance(route, APIRoute)]
    kinds = {body.field_info.annotation for body in bodies if body}
    found = {message for kind in kinds for message in _messages(kind)}
    assert len(found) > 50
    assert not [message for message in found if PYDANTIC.search(message)]


WRONG_TYPES: dict[str, list[Any]] = {
    "boolean": [True], "integer": [1], "number": [1.0, 0.1], "string": ["no", "8453", "1"],
}  # fmt: skip


def test_no_value_of_another_json_type_is_converted(api: Api) -> None:
    routes = create_app(api.services).routes
    bodies = [route.body_field for route in routes if isinstance(route, APIRoute)]
    annotated = [body.field_info.annotation for body in bodies if body]
    kinds = {kind for one in annotated for kind in get_args(one) or [one]} - {type(None)}
    tried = [one for kind in kinds for one in _of_another_type(kind)]
    assert len(tried) > 500
    assert not [(kind, name, value) for kind, name, value in tried if _takes(kind, name, value)]


def _of_another_type(kind: Any) -> Iterator[tuple[Any, str, Any]]:
    """Yield values whose JSON type is none that the published schema of a member names."""
    schema = kind.model_json_schema(by_alias=False)
    for name, member in schema["properties"].items():
        names = re.findall(r"'type': '(\w+)'", str(_resolved(member, schema)))
        for json_type, values in WRONG_TYPES.items():
            if json_type not in names:
                yield from ((kind, name, value) for value in values)


def _resolved(member: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a member's schema with the named one that it refers to."""
    named = re.findall(r"#/\$defs/(\w+)", str(member))
    return member | {name: schema["$defs"][name].get("type") for name in named}


def _takes(kind: Any, name: str, value: Any) -> bool:
    field = kind.model_fields[name]
    sent = field.validation_alias.choices[0] if field.validation_alias else field.alias or name
    return all(problem["loc"][0] != sent for problem in _problems(TypeAdapter(kind), {sent: value}))


def _messages(kind: Any) -> set[str]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return {
        validation_message(dict(problem))
        for name in getattr(kind, "model_fields", {})
        for value in VALUES
        for problem in _problems(adapter, {name: value})
    }


def _problems(adapter: TypeAdapter[Any], members: Any) -> list[Any]:
    try:
        adapter.validate_python(members)
    except ValidationError as error:
        return list(error.errors(include_url=False, include_input=False))
    return []


@pytest.mark.parametrize(
    ("path", "body", "field", "why"),
    [
        ("/v1/agents", {"tx_allowed_chains": ["x"] * 257}, "tx_allowed_chains", "at most 256"),
        ("/v1/agents", {"token_ttl_seconds": 1.5}, "token_ttl_seconds", "must be a whole number"),
        ("/v1/agents", {"name": 1}, "name", "must be a string"),
        (
            "/v1/agents",
            {"eip712_domain_allowlist": [{"verifying_contract": "0x" + "1" * 40, "chain_id": 0}]},
            "eip712_domain_allowlist.0.chain_id",
            "must be greater than or equal to 1",
        ),
    ],
)
def test_a_value_that_the_registry_does_not_take_is_named(
    api: Api, path: str, body: dict[str, Any], field: str, why: str
) -> None:
    reply = api.client.post(path, json={"name": "worded"} | body, headers=api.person)
    assert (reply.status_code, reply.json()["code"]) == (400, "validation")
    assert list(reply.json()["fields"]) == [field]
    assert why in reply.json()["fields"][field]
    assert not PYDANTIC.search(reply.json()["detail"])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (1, "[0]: must be an object"),
        ({}, "[0].address: is missing"),
        ({"address": "0x" + "1" * 40, "storage_keys": 1}, "[0].storage_keys: must be a list"),
        ({"address": "0x" + "1" * 40, "storage_keys": [1]}, "storage_keys.0: must be a string"),
    ],
)
def test_an_entry_of_a_list_that_the_intent_does_not_take_is_named(
    api: Api, entry: object, why: str
) -> None:
    reply = signing_agent(api).submit(access_list=[entry])
    assert reply.status_code == 400
    assert why in reply.json()["fields"]["access_list"]
