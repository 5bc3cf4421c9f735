"""The table of operator calls and the ``Api`` agree."""

import inspect
from collections.abc import Iterator
from typing import get_origin

import pytest

from sixgate.api import Api
from sixgate.api.operator.calls import OPERATOR_CALLS

METHODS = {name: one for name, one in vars(Api).items() if not name.startswith("_")}
ANY = {"limit": 1, "follow": True, "wait": True, "records": [], "since_ms": 0, "until_ms": 1,
       "head": None, "account": "a", "agent": None, "idempotency_key": None}  # fmt: skip


def test_the_table_has_every_method_of_the_api_and_no_other() -> None:
    assert OPERATOR_CALLS.by_name.keys() == METHODS.keys()


def test_no_two_calls_have_one_route() -> None:
    assert len(OPERATOR_CALLS.by_route) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_call_streams_exactly_if_its_method_returns_an_iterator(name: str) -> None:
    returned = inspect.signature(METHODS[name]).return_annotation
    assert OPERATOR_CALLS.by_name[name].streams == (get_origin(returned) is Iterator)


@pytest.mark.parametrize("name", METHODS)
def test_a_request_carries_the_arguments(name: str) -> None:
    call, signature = OPERATOR_CALLS.by_name[name], inspect.signature(METHODS[name])
    given = {name: ANY.get(name, f"é/?&%2F {name}") for name in list(signature.parameters)[1:]}
    target, body = call.request((), given)
    path, _, query = target.partition("?")
    assert path == call.path
    values, named = call.arguments(query.encode(), body)
    assert signature.bind(None, *values, **named).arguments == {"self": None} | given
