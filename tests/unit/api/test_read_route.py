"""Reads that resolve their own parameters answer as the framework does."""

from inspect import iscoroutinefunction
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sixgate.api.app import ROUTERS
from sixgate.api.problem_handlers import install_handlers
from sixgate.api.problems import Problem
from sixgate.api.read_route import ReadRoute

VALUES = ["", "0", "7", "1001", "-1", "x", "true", "False", "ü", "new", "old", "a b", "٣"]
SENT = st.lists(
    st.tuples(st.sampled_from(["count", "flag", "kind", "who", "other"]), st.sampled_from(VALUES)),
    max_size=5,
)


class Reply(BaseModel):
    values: list[Any]


async def caller(place: str, request: Request, who: str = "nobody") -> str:
    if "authorization" not in request.headers:
        raise Problem(401, "unauthorized", "No.")
    return f"{place}/{who}"


async def read(
    place: str,
    name: int,
    caller: Annotated[str, Depends(caller)],
    *,
    count: Annotated[int, Query(ge=1, le=1000)] = 1000,
    flag: bool = False,
    kind: Literal["new", "old"] | None = None,
) -> Reply:
    return Reply(values=[place, name, caller, count, flag, kind])


def read_in_thread(place: str, name: int, count: int) -> Reply:
    if count == 7:
        raise Problem(409, "seven", "Seven.")
    return Reply(values=[place, name, count])


def served_by(route_class: type[APIRoute]) -> TestClient:
    router = APIRouter(route_class=route_class)
    router.get("/a/{place}/{name}")(read)
    router.get("/b/{place}/{name}")(read_in_thread)
    app = FastAPI()
    install_handlers(app)
    app.router.routes.extend(router.routes)
    return TestClient(app)


OURS, THEIRS = served_by(ReadRoute), served_by(APIRoute)


@given(
    which=st.sampled_from(["a", "b"]),
    name=st.sampled_from(["1", "x", "%41", "-0"]),
    sent=SENT,
    known=st.booleans(),
)
def test_read_is_answered_as_the_framework_answers_it(
    which: str, name: str, sent: Any, *, known: bool
) -> None:
    headers = {"Authorization": "Bearer x"} if known else {}
    ours, theirs = (
        client.get(f"/{which}/here/{name}", params=sent, headers=headers)
        for client in (OURS, THEIRS)
    )
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers == theirs.headers


def test_description_is_the_frameworks() -> None:
    assert OURS.get("/openapi.json").json() == THEIRS.get("/openapi.json").json()


def with_header(accept: Annotated[str, Header()]) -> None: ...


async def inner() -> None: ...


async def nested(_inner: Annotated[None, Depends(inner)]) -> None: ...


def with_nested(_nested: Annotated[None, Depends(nested)]) -> None: ...


@pytest.mark.parametrize("endpoint", [with_header, with_nested])
def test_parameters_that_a_read_cannot_resolve_are_a_defect(endpoint: Any) -> None:
    with pytest.raises(TypeError):
        APIRouter(route_class=ReadRoute).get("/")(endpoint)


def test_no_dependency_costs_a_thread() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    calls = {call for route in routes if isinstance(route, APIRoute) for call in calls_of(route)}
    assert not [call.__name__ for call in calls if not iscoroutinefunction(call)]


def calls_of(route: APIRoute) -> list[Any]:
    waiting, found = [*route.dependant.dependencies], []
    while waiting:
        dependant = waiting.pop()
        found.append(dependant.call)
        waiting += dependant.dependencies
    return found
