"""Routes that resolve their own parameters answer as the framework does."""

import asyncio
from collections.abc import AsyncIterator
from functools import wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Body, Cookie, Depends, FastAPI, Header, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from sixgate.api.app import ROUTERS
from sixgate.api.direct_route import DirectRoute
from sixgate.api.json_route import JsonRoute
from sixgate.api.problem_handlers import install_handlers
from sixgate.api.problems import Problem

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


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = 1
    label: str | None = None


async def version(
    request: Request,
    _documented: Annotated[str | None, Header(alias="If-Match", description="A version.")] = None,
) -> str | None:
    sent = request.headers.getlist("if-match")
    if sent == ["stale"]:
        raise Problem(409, "stale", "Stale.")
    return ",".join(sent) or None


async def refuse_teapots(request: Request) -> None:
    if "teapot" in request.headers:
        raise Problem(418, "teapot", "Teapot.")


async def change(
    place: str,
    body: Change,
    caller: Annotated[str, Depends(caller)],
    version: Annotated[str | None, Depends(version)],
) -> Reply:
    return Reply(values=[place, body.count, body.label, caller, version])


async def change_and_say(name: int, body: Change) -> Response:
    return Response(f"{name} {body.count}", 202, media_type="text/plain")


def served_by(route_class: type[APIRoute]) -> TestClient:
    router = APIRouter(route_class=route_class)
    router.get("/a/{place}/{name}")(read)
    router.get("/b/{place}/{name}")(read_in_thread)
    router.put("/c/{place}", status_code=201, dependencies=[Depends(refuse_teapots)])(change)
    router.patch("/d/{name}", response_model=Reply)(change_and_say)
    app = FastAPI()
    install_handlers(app)
    app.router.routes.extend(router.routes)
    return TestClient(app)


OURS, THEIRS = served_by(DirectRoute), served_by(JsonRoute)


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


BODIES = [
    b"", b"{}", b"null", b"[]", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"count": NaN}',
    b'{"count": 2}', b'{"count": "3", "label": "\xc3\xbc"}', b'{"count": 1, "count": 4}',
    b'{"label": "\\ud800"}', b'{"more": 1}', b'{"count": 1e3}', b"\xef\xbb\xbf{}",
    '{"label": "x"}'.encode("utf-16"),
]  # fmt: skip
TYPES = [
    None, "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain",
    "application/merge-patch+json", "application/x-www-form-urlencoded", "",
]  # fmt: skip


REQUESTS = [("PUT", "/c/here"), ("PATCH", "/d/7"), ("PATCH", "/d/x"), ("POST", "/c/here")]


@given(
    request=st.sampled_from(REQUESTS),
    body=st.sampled_from(BODIES),
    content_type=st.sampled_from(TYPES),
    headers=st.dictionaries(
        st.sampled_from(["Authorization", "If-Match", "Teapot"]), st.sampled_from(["1", "stale"])
    ),
)
def test_change_is_answered_as_the_framework_answers_it(
    request: Any, body: bytes, content_type: str | None, headers: dict[str, str]
) -> None:
    if content_type is not None:
        headers |= {"Content-Type": content_type}
    ours, theirs = (
        client.request(*request, content=body, headers=headers) for client in (OURS, THEIRS)
    )
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    assert ours.headers == theirs.headers


@pytest.mark.parametrize("body", [[b'{"count"', b": 2}"], [b'{"count"', b': "x"}'], [b"{", b""]])
@pytest.mark.parametrize("ends", ["complete", "disconnected"])
def test_body_in_parts_is_read_once(body: list[bytes], ends: str) -> None:
    ours, theirs = [messages_of(client.app, body, ends) for client in (OURS, THEIRS)]
    assert ours == theirs


def messages_of(app: Any, body: list[bytes], ends: str) -> list[Any]:
    """Return what an application sends for a body, and how often it receives."""
    coming = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    if ends == "complete":
        coming.append({"type": "http.request", "body": b"", "more_body": False})
    found: list[Any] = []

    async def receive() -> Any:
        found.append("received")
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        found.append(message)

    headers = [(b"content-type", b"application/json"), (b"authorization", b"x")]
    scope = {
        "type": "http", "method": "PUT", "path": "/c/here", "raw_path": b"/c/here",
        "query_string": b"", "root_path": "", "headers": headers, "scheme": "http",
        "server": ("localhost", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return found


def test_description_is_the_frameworks() -> None:
    assert OURS.get("/openapi.json").json() == THEIRS.get("/openapi.json").json()


def with_header(accept: Annotated[str, Header()]) -> None: ...


async def inner() -> None: ...


async def nested(_inner: Annotated[None, Depends(inner)]) -> None: ...


def with_nested(_nested: Annotated[None, Depends(nested)]) -> None: ...


def with_cookie(name: Annotated[str, Cookie()]) -> None: ...


def with_two_bodies(one: Change, other: Change) -> None: ...


def with_embedded_body(one: Annotated[Change, Body(embed=True)]) -> None: ...


def with_list(one: list[Change]) -> None: ...


async def with_body(one: Change) -> None: ...


def with_inner_body(_inner: Annotated[None, Depends(with_body)]) -> None: ...


async def guard_with_end() -> AsyncIterator[None]:
    yield


def with_async_generator(_guard: Annotated[None, Depends(guard_with_end)]) -> None: ...


@wraps(inner)
def wrapped_guard() -> Any:
    return inner()


def with_wrapper(_guard: Annotated[None, Depends(wrapped_guard)]) -> None: ...


NOT_RESOLVED = [
    with_header,
    with_nested,
    with_cookie,
    with_two_bodies,
    with_embedded_body,
    with_list,
    with_inner_body,
    with_async_generator,
    with_wrapper,
]


def with_one_twice(
    _one: Annotated[None, Depends(inner)], _other: Annotated[None, Depends(inner)]
) -> None: ...


def test_own_limit_of_a_body_is_a_defect() -> None:
    with pytest.raises(TypeError):
        APIRouter(route_class=DirectRoute).put("/", max_body_size=5)(inner)


@pytest.mark.parametrize("endpoint", [*NOT_RESOLVED, with_one_twice])
def test_parameters_that_a_route_cannot_resolve_are_a_defect(endpoint: Any) -> None:
    with pytest.raises(TypeError):
        APIRouter(route_class=DirectRoute).put("/")(endpoint)


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
